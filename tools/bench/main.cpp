// measure WHAT: one of the measurements, as a table on stdout.
//   measure reaping COMMAND…   of this server
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "../harness/guard.hpp"
#include "figures.hpp"

namespace {

int measure(const std::vector<std::string>& arguments) {
    const std::map<std::string, void (*)()> all = {{"throughput", bench::measure_throughput},
                                                   {"additions", bench::measure_additions},
                                                   {"held", bench::measure_held},
                                                   {"waits", bench::measure_waits},
                                                   {"descriptors", bench::measure_descriptors},
                                                   {"zombies", bench::measure_zombies}};
    const bool is_reaping = arguments.size() > 1 && arguments.front() == "reaping";
    const auto found = arguments.size() == 1 ? all.find(arguments.front()) : all.end();
    if (found == all.end() && !is_reaping) {
        std::cerr << "measure: usage: measure throughput | additions | held | waits | descriptors | zombies\n"
                     "                measure reaping COMMAND…, as in measure reaping ./step_g\n";
        return 2;
    }
    try {
        if (is_reaping) bench::measure_reaping({arguments.begin() + 1, arguments.end()});
        else found->second();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "measure: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace

int main(int argc, char* argv[]) {
    return harness::guarded([&] { return measure({argv + 1, argv + argc}); });
}
