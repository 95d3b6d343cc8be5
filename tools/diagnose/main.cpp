// diagnose: which stage of the article has this server reached? It tries every behaviour on a server, in any language,
// and prints which step gives the same answers.
#include <getopt.h>
#include <signal.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "../harness/guard.hpp"
#include "behaviours.hpp"
#include "exercises.hpp"
#include "grade.hpp"
#include "json.hpp"
#include "junit.hpp"
#include "nature.hpp"
#include "probes.hpp"
#include "verdict.hpp"

namespace {

using namespace diagnose;

constexpr const char* USAGE =
    R"(usage: diagnose [OPTION…] COMMAND [ARG…]
       diagnose --exercise N [COMMAND [ARG…]]
       diagnose --exercises | --grade FILE

Starts the server COMMAND again and again, tries every behaviour on it, and prints which step it behaves like.
The server gets PORT=0 in its environment; diagnose finds the port that it listens on.

  --expect STEP       a letter from a to h, or step_a to step_h: the server must be at least as good as this step
  --only BEHAVIOUR    try only this behaviour, for example "reaps many"; can be repeated
  --path PATH         the path that clients request, instead of /hello
  --port N            the server listens on this port, and cannot be told to take another one
  --explain           after each no: what to change, and which page and exercise show it
  --json              print one object instead of lines
  --junit FILE        write the result as JUnit's XML into FILE as well
  --help              print this

  --exercise N        check exercise N: its program, or the server COMMAND
  --exercises         list the exercises, and which are done
  --grade FILE        check all exercises, and write the result as JUnit's XML into FILE

Each line: the behaviour; yes, no, – (does not apply) or ? (cannot be decided); the evidence.
Exit status: 0 recognised (at least as good as STEP, if given), 1 not, 2 wrong usage, 3 the server did not start or listen.
Of an exercise: 0 done, 1 not yet.
)";

constexpr std::size_t NAME_COLUMNS = 23;

enum Exit { RECOGNISED = 0, NOT_RECOGNISED = 1, WRONG_USAGE = 2, NO_SERVER = 3 };

struct Options {
    char expect = 0;  // 0: any step
    std::vector<const Behaviour*> rows;
    std::string path = "/hello";
    std::uint16_t port = 0;  // 0: any
    bool explain = false;
    bool json = false;
    std::string report;  // the file for the JUnit report about a server
    bool help = false;
    Command command;
    bool list = false;
    const Exercise* exercise = nullptr;
    std::string source;  // the source file of the exercise's server
    std::string junit;  // the file for the JUnit report about exercises

    bool is_about_exercises() const { return list || exercise != nullptr || !junit.empty(); }
};

char step_of(std::string name) {
    if (name.starts_with("step_")) name.erase(0, 5);
    if (name.size() == 1 && STEPS.find(name[0]) != std::string_view::npos) return name[0];
    throw std::invalid_argument("--expect takes a letter from a to h, got \"" + name + '"');
}

std::uint16_t port_of(const std::string& text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error == std::errc() && end == text.data() + text.size() && port > 0) return port;
    throw std::invalid_argument("--port takes a number from 1 to 65535, got \"" + text + '"');
}

Options options_of(int argc, char* argv[]) {
    const option known[] = {{"expect", required_argument, nullptr, 'e'},
                            {"only", required_argument, nullptr, 'o'},
                            {"path", required_argument, nullptr, 'p'},
                            {"port", required_argument, nullptr, 'n'},
                            {"explain", no_argument, nullptr, 'm'},
                            {"json", no_argument, nullptr, 'j'},
                            {"junit", required_argument, nullptr, 'u'},
                            {"help", no_argument, nullptr, 'h'},
                            {"exercise", required_argument, nullptr, 'x'},
                            {"source", required_argument, nullptr, 's'},
                            {"exercises", no_argument, nullptr, 'l'},
                            {"grade", required_argument, nullptr, 'g'},
                            {nullptr, 0, nullptr, 0}};
    Options options;
    // "+" stops at the first word that is no option: the rest is the server's command.
    for (int option; (option = getopt_long(argc, argv, "+", known, nullptr)) != -1;) {
        if (option == 'e') options.expect = step_of(optarg);
        else if (option == 'o') options.rows.push_back(&behaviour(optarg));
        else if (option == 'p') options.path = optarg;
        else if (option == 'n') options.port = port_of(optarg);
        else if (option == 'm') options.explain = true;
        else if (option == 'j') options.json = true;
        else if (option == 'u') options.report = optarg;
        else if (option == 'h') options.help = true;
        else if (option == 'x') options.exercise = &exercise(optarg);
        else if (option == 's') options.source = optarg;
        else if (option == 'l') options.list = true;
        else if (option == 'g') options.junit = optarg;
        else throw std::invalid_argument("diagnose --help tells the options");  // getopt_long has named it
    }
    options.command.assign(argv + optind, argv + argc);
    if (options.help || options.is_about_exercises()) return options;
    if (options.command.empty()) throw std::invalid_argument("no server: diagnose [OPTION…] COMMAND [ARG…]");
    if (options.rows.empty()) {
        for (const Behaviour& row : behaviours()) options.rows.push_back(&row);
    }
    return options;
}

// ---- output -------------------------------------------------------------------------------------

/// The evidence, and the rule that explains it when it shows a fault.
std::string explained(const Tried& row) {
    const std::string rule = row.finding.answer == Answer::no ? row.explanation() : "";
    return row.finding.evidence + (rule.empty() ? "" : ": " + rule);
}

void print_line(const Tried& row, bool explain) {
    std::ostringstream mark;
    mark << row.finding.answer;
    const std::size_t columns = mark.str() == "–" ? 1 : mark.str().size();
    const std::string name = row.behaviour->name;
    std::cout << name << std::string(NAME_COLUMNS - name.size(), ' ') << mark.str() << std::string(6 - columns, ' ')
              << explained(row) << std::endl;
    const std::string mend = explain && row.finding == Answer::no ? mend_of(row) : "";
    if (!mend.empty()) std::cout << std::string(NAME_COLUMNS + 6, ' ') << "to mend it: " << mend << std::endl;
}

/// Prints each row as soon as it is decided; the second group gets a heading of its own.
class Printer {
public:
    explicit Printer(bool explain) : explain_(explain) {}

    void operator()(const Tried& row) {
        if (row.behaviour->is_reported && !is_second_) std::cout << "\nwhat users report of real servers:\n";
        is_second_ = row.behaviour->is_reported;
        print_line(row, explain_);
    }

private:
    bool explain_;
    bool is_second_ = false;
};

// ---- actions ------------------------------------------------------------------------------------

/// Lists, checks or grades exercises, without trying the whole table.
int run_exercises(const Options& options) {
    if (!options.junit.empty()) return grade_exercises(options.junit);
    if (options.exercise == nullptr) {
        if (!options.json) return list_exercises();
        std::cout << json_of_exercises();
        return RECOGNISED;
    }
    const Command command = options.command.empty() ? options.exercise->command() : options.command;
    if (!options.json) return check_exercise(*options.exercise, command);
    std::cout << json_of_rows(check(*options.exercise, command, options.source));
    return RECOGNISED;
}

volatile std::sig_atomic_t interrupted = 0;  // the number of the signal that arrived; 0: none

/// On a signal the current row ends, but the program goes on, so that --json can print what was found.
void note_interruption() {
    struct sigaction action = {};
    action.sa_handler = [](int number) { interrupted = number; };
    sigemptyset(&action.sa_mask);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

/// One test case for each row: it fails when the row is worse than the same row of the step.
std::string junit_of(const std::vector<Tried>& tried, char step) {
    JunitSuite suite = {"diagnose", "diagnose", {}};
    for (const Tried& row : tried) {
        Finding finding = row.finding;
        finding.rule = finding == Answer::no ? row.explanation() : "";
        const bool passes = is_as_good({row}, step);
        suite.cases.push_back({row.behaviour->name, passes ? std::nullopt : std::optional(finding)});
    }
    return junit({suite});
}

/// Tries the rows on a server and prints which step it is like.
int run_table(const Options& options) {
    Subject server = {foreign(options.command), {}};
    std::vector<Tried> tried;
    server.program.path = options.path;
    server.program.port = options.port;
    server.program.patience = std::chrono::seconds(20);
    server.program.deadline = std::chrono::steady_clock::now() + MOST_TIME;
    if (options.json) {
        server.program.interrupted = &interrupted;
        note_interruption();
    }
    try {
        server = learn(server.program);
        Printer print(options.explain);
        try_all(server, options.rows, [&](const Tried& row) {
            tried.push_back(row);
            if (!options.json) print(row);
        });
    } catch (const harness::Interrupted&) {
        std::cout << json_of(options.command, tried, server.nature.kind, true) << std::flush;
        std::signal(interrupted, SIG_DFL);
        std::raise(interrupted);
    } catch (const std::exception& error) {
        if (options.json) std::cout << json_of_error(options.command, error.what());
        std::cerr << "diagnose: " << error.what() << '\n';
        return NO_SERVER;
    }
    const Likeness like = likeness(tried);
    if (options.json) std::cout << json_of(options.command, tried, server.nature.kind);
    else
        std::cout << (tried.back().behaviour->is_reported ? "\n" : "") << verdict(like, tried, server.nature.kind)
                  << '\n';
    if (!options.report.empty())
        write_file(options.report, junit_of(tried, options.expect == 0 ? like.nearest : options.expect));
    const bool is_success = options.expect == 0 ? !like.steps.empty() : is_as_good(tried, options.expect);
    return is_success ? RECOGNISED : NOT_RECOGNISED;
}

int run(int argc, char* argv[]) {
    Options options;
    try {
        options = options_of(argc, argv);
    } catch (const std::invalid_argument& error) {
        std::cerr << "diagnose: " << error.what() << '\n';
        return WRONG_USAGE;
    }
    if (options.help) {
        std::cout << USAGE;
        return RECOGNISED;
    }
    // The reader of a pipe may exit early: `make exercises | head -n 3`.
    if (options.is_about_exercises()) std::signal(SIGPIPE, SIG_IGN);
    try {
        if (!options.is_about_exercises()) return run_table(options);
        const int status = run_exercises(options);
        const bool is_list = options.exercise == nullptr && options.junit.empty();
        return std::cout.flush() || is_list ? status : 1;
    } catch (const std::exception& error) {
        std::cerr << "diagnose: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace

int main(int argc, char* argv[]) {
    return harness::guarded([=] { return run(argc, argv); });
}
