// diagnose: which stage of the article has this server reached? It tries every behaviour on a server, in any language,
// and says which step answers alike.
#include <getopt.h>
#include <signal.h>

#include <csignal>
#include <cstddef>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../harness/guard.hpp"
#include "../harness/server.hpp"
#include "behaviours.hpp"
#include "exercises.hpp"
#include "grade.hpp"
#include "json.hpp"
#include "probes.hpp"

namespace {

using namespace diagnose;
using harness::Server;

constexpr const char* USAGE =
    R"(usage: diagnose [--expect STEP] [--only BEHAVIOUR]… [--json] COMMAND [ARG…]
       diagnose --exercise N [COMMAND [ARG…]]
       diagnose --exercises | --grade FILE

Starts the server COMMAND again and again, tries every behaviour on it, and says which step it behaves like.
The server is told nothing, but that PORT=0 is in its environment: its port is found.

  --expect STEP       a letter from a to h, or step_a to step_h: success is to behave like this one
  --only BEHAVIOUR    try this one alone, and those of the other --only: "reaps many", say
  --json              print one object instead of lines
  --help              print this

  --exercise N        check exercise N: its program, or the server COMMAND
  --exercises         list the exercises, and which are done
  --grade FILE        check all exercises, and write the result as JUnit's XML into FILE

Each line: the behaviour; yes, no, – (does not apply) or ? (cannot be decided); the evidence.
Exit status: 0 recognised (as STEP, if given), 1 not, 2 wrong usage, 3 the server did not start or listen.
Of an exercise: 0 done, 1 not yet.
)";

enum Exit { RECOGNISED = 0, NOT_RECOGNISED = 1, WRONG_USAGE = 2, NO_SERVER = 3 };

struct Options {
    char expect = 0;  // 0: any step
    std::vector<const Behaviour*> rows;
    bool json = false;
    bool help = false;
    Command command;
    bool list = false;
    const Exercise* exercise = nullptr;
    std::string source;  // the file that the exercise's server is made of
    std::string junit;  // the file that is written

    bool is_about_exercises() const { return list || exercise != nullptr || !junit.empty(); }
};

char step_of(std::string name) {
    if (name.starts_with("step_")) name.erase(0, 5);
    if (name.size() == 1 && STEPS.find(name[0]) != std::string_view::npos) return name[0];
    throw std::invalid_argument("--expect takes a letter from a to h, got \"" + name + '"');
}

Options options_of(int argc, char* argv[]) {
    const option known[] = {{"expect", required_argument, nullptr, 'e'},
                            {"only", required_argument, nullptr, 'o'},
                            {"json", no_argument, nullptr, 'j'},
                            {"help", no_argument, nullptr, 'h'},
                            {"exercise", required_argument, nullptr, 'x'},
                            {"source", required_argument, nullptr, 's'},
                            {"exercises", no_argument, nullptr, 'l'},
                            {"grade", required_argument, nullptr, 'g'},
                            {nullptr, 0, nullptr, 0}};
    Options options;
    for (int one; (one = getopt_long(argc, argv, "+", known, nullptr)) != -1;) {  // +: the rest is the server's
        if (one == 'e') options.expect = step_of(optarg);
        else if (one == 'o') options.rows.push_back(&behaviour(optarg));
        else if (one == 'j') options.json = true;
        else if (one == 'h') options.help = true;
        else if (one == 'x') options.exercise = &exercise(optarg);
        else if (one == 's') options.source = optarg;
        else if (one == 'l') options.list = true;
        else if (one == 'g') options.junit = optarg;
        else throw std::invalid_argument("diagnose --help tells the options");  // getopt_long has said which is wrong
    }
    options.command.assign(argv + optind, argv + argc);
    if (options.help || options.is_about_exercises()) return options;
    if (options.command.empty()) throw std::invalid_argument("no server: diagnose [OPTION…] COMMAND [ARG…]");
    if (options.rows.empty()) {
        for (const Behaviour& row : behaviours()) options.rows.push_back(&row);
    }
    return options;
}

// ---- what is printed ----------------------------------------------------------------------------

/// As the lines have it, but for the question mark.
std::string word(Answer answer) {
    std::ostringstream text;
    text << answer;
    return answer == Answer::undecided ? in_words(answer) : text.str();
}

/// "step_c, step_d or step_f"
std::string steps_in_words(const std::string& letters) {
    std::string text;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        text += i == 0 ? "" : i + 1 == letters.size() ? " or " : ", ";
        text += std::string("step_") + letters[i];
    }
    return text;
}

/// The evidence, and the rule behind it where it is a fault.
std::string explained(const Tried& row) {
    const std::string rule = row.finding.answer == Answer::no ? row.explanation() : "";
    return row.finding.evidence + (rule.empty() ? "" : ": " + rule);
}

void print_line(const Tried& row) {
    std::ostringstream mark;
    mark << row.finding.answer;
    const std::size_t columns = mark.str() == "–" ? 1 : mark.str().size();
    const std::string name = row.behaviour->name;
    std::cout << name << std::string(23 - name.size(), ' ') << mark.str() << std::string(6 - columns, ' ')
              << explained(row) << std::endl;
}

std::string verdict(const Likeness& like) {
    if (!like.steps.empty()) return "behaves like " + steps_in_words(like.steps);
    std::string text = std::string("behaves like no step; nearest step_") + like.nearest + " (";
    for (const Tried& row : like.differences) {
        if (&row != &like.differences.front()) text += "; ";
        text += std::string(row.behaviour->name) + ": " + word(row.finding.answer);
    }
    return text + ')';
}

// ---- what is done -------------------------------------------------------------------------------

/// What is done without trying the whole table: what is asked of the exercises.
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

/// Tries the rows on a server, and says which step it is like.
int run_table(const Options& options) {
    const Program server = foreign(options.command);
    try {
        const Server starts(server);
    } catch (const std::exception& error) {
        if (options.json) std::cout << json_of_error(options.command, error.what());
        std::cerr << "diagnose: " << error.what() << '\n';
        return NO_SERVER;
    }
    const std::vector<Tried> tried = try_all(server, options.rows, [&](const Tried& row) {
        if (!options.json) print_line(row);
    });
    const Likeness like = likeness(tried);
    std::cout << (options.json ? json_of(options.command, tried, like) : verdict(like) + '\n');
    const bool is_expected = options.expect == 0 || like.steps.find(options.expect) != std::string::npos;
    return !like.steps.empty() && is_expected ? RECOGNISED : NOT_RECOGNISED;
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
    if (!options.is_about_exercises()) return run_table(options);
    // Whoever reads may have read enough: `make exercises | head -n 3`.
    std::signal(SIGPIPE, SIG_IGN);
    try {
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
