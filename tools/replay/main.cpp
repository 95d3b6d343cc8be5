// ./replay: records a server call by call, and writes a page for the browser that plays it forward and back.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../proc/errors.hpp"
#include "page.hpp"
#include "recorder.hpp"

namespace {

using namespace replay;

constexpr const char* USAGE =
    "usage: replay [--json] [-o FILE] [--as STEP | --beside STEP] SERVER [ARGUMENT…] [-- CLIENT [ARGUMENT…]]";
constexpr const char* HELP = R"(
Starts a server and its clients under ptrace(2), lets one process run at a time, and records each system call, signal,
fork and exit, with its source line and the kernel's state at that moment. The page that it writes plays the recording
forward and back: open it in a browser.

  ./replay ./step_e                              the step's own clients
  ./replay ./my_server -- ./client3 --max-clients 3
                                                 any server, any client (it finds the port in PORT)
  ./replay python3 server.py                     no client: what a browser or curl does, until Ctrl-C

  ./replay --as step_f ./my_server               any server, the clients of step_f (it finds the port in PORT)

  --beside STEP  records this step of the article as well, and shows the two side by side
  -o FILE   where to write the page (default: replays/SERVER.html)
  --json    write the recording alone, as JSON
  --help    print this
)";

struct Options {
    Plan plan;
    std::string output;
    std::string as;  ///< the step whose clients come; empty: those of the plan
    std::string beside;  ///< another step, shown beside it; empty: none
    bool is_json = false;
    bool is_help = false;
};

volatile std::sig_atomic_t was_interrupted = 0;

Options parse_options(int argc, char* argv[]) {
    Options options;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; ++at) {
        const std::string word = argv[at];
        if (word == "--json") options.is_json = true;
        else if (word == "--help" || word == "-h") options.is_help = true;
        else if (word == "--as" && at + 1 < argc) options.as = argv[++at];
        else if (word == "--beside" && at + 1 < argc) options.beside = argv[++at];
        else if (word == "-o" && at + 1 < argc) options.output = argv[++at];
        else throw std::invalid_argument(USAGE);
    }
    std::vector<std::string>* command = &options.plan.server;
    for (; at < argc; ++at) {
        if (std::string(argv[at]) == "--" && command == &options.plan.server) command = &options.plan.client;
        else command->push_back(argv[at]);
    }
    const bool lacks_client = command == &options.plan.client && command->empty();
    const bool has_both = !options.as.empty() && (command == &options.plan.client || !options.beside.empty());
    const bool is_wrong = options.plan.server.empty() || lacks_client || has_both;
    if (!options.is_help && is_wrong) throw std::invalid_argument(USAGE);
    return options;
}

/// The letter of the article's step that the command starts; 0: another program.
char step_of(const Plan& plan) {
    const std::string name = std::filesystem::path(plan.server[0]).filename().string();
    const bool is_step = name.size() == 6 && name.starts_with("step_") && name[5] >= 'a' && name[5] <= 'h';
    const bool has_arguments = plan.server.size() > 1 && name != "step_h";  // step_h takes an argument: its application
    return is_step && !has_arguments && plan.client.empty() ? name[5] : char{0};
}

/// The name of the server: "step_e"; "server" for python3 server.py.
std::string name_of(const Plan& plan) {
    const std::string& named = step_of(plan) != 0 ? plan.server.front() : plan.server.back();
    return std::filesystem::path(named).stem().string();
}

/// Prints what was recorded, without ending the line.
void report(const Recorder& recorder, const Plan& plan) {
    static bool is_first = true;
    std::cout << (std::exchange(is_first, false) ? "recorded " : " and ") << recorder.steps() << " steps of "
              << plan.server[0] << " and " << recorder.clients()
              << (plan.client.empty() ? " client" : " client process")
              << (recorder.clients() == 1 ? ""
                  : plan.client.empty()   ? "s"
                                          : "es");
    if (recorder.is_full()) {
        std::cerr << "replay: " << plan.server[0] << " has more steps than " << Recorder::MOST_STEPS
                  << ": stopped there\n";
    }
    if (!recorder.has_lines()) {
        std::cerr << "replay: " << plan.server[0]
                  << " has no debug information about files below this folder (-g): calls without lines\n";
    }
}

void write(const std::string& path, const std::string& text) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder);
    std::ofstream file(path);
    file << text;
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

int run(int argc, char* argv[]) {
    Options options = parse_options(argc, argv);
    if (options.is_help) {
        std::cout << USAGE << '\n' << HELP << std::flush;
        return 0;
    }
    proc::require_proc();
    prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans become children of this process, so that they are killed with the rest
    struct sigaction action = {};
    action.sa_handler = [](int) { was_interrupted = 1; };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);

    std::vector<Plan> plans = {options.plan};
    const char scenario = options.as.empty() ? char{0} : step_of({{options.as}, {}, 0});
    if (!options.as.empty() && scenario == 0) throw std::invalid_argument(options.as + " is no step of the article");
    if (!options.beside.empty()) plans.push_back({{options.beside}, {}, 0});
    std::vector<Json> recordings;
    std::string name;
    for (Plan& plan : plans) {
        plan.step = scenario != 0 ? scenario : step_of(plan);
        Recorder recorder(plan);
        recorder.record([] { return was_interrupted != 0; });
        recordings.push_back(recorder.recording());
        name += (name.empty() ? "" : "_") + name_of(plan);
        report(recorder, plan);
    }
    if (options.output.empty()) options.output = "replays/" + name + (options.is_json ? ".json" : ".html");
    write(options.output, options.is_json ? recordings.front().dump(1) + '\n' : page(recordings));
    std::cout << "; open " << options.output << std::endl;
    return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "replay: " << error.what() << '\n';
        return dynamic_cast<const std::invalid_argument*>(&error) ? 2 : 1;
    }
}
