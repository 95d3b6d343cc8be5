// measure WHAT: one of the measurements, as a table on stdout.
#include <exception>
#include <iostream>
#include <map>

#include "figures.hpp"

namespace {

int measure(const std::string& what) {
    const std::map<std::string, void (*)()> all = {{"throughput", bench::measure_throughput},
                                                   {"held", bench::measure_held},
                                                   {"waits", bench::measure_waits},
                                                   {"descriptors", bench::measure_descriptors},
                                                   {"zombies", bench::measure_zombies}};
    const auto found = all.find(what);
    if (found == all.end()) {
        std::cerr << "measure: usage: measure throughput | held | waits | descriptors | zombies\n";
        return 2;
    }
    try {
        found->second();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "measure: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace

int main(int argc, char* argv[]) {
    return harness::guarded([&] { return measure(argc == 2 ? argv[1] : ""); });
}
