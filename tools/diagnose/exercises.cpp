#include "exercises.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "../harness/server.hpp"
#include "behaviours.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

using Names = std::vector<std::string>;

Names concatenated(Names first, const Names& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

const Names SERVES = {"answers", "concurrent", "closes", "child exits with 0"};
const Names SERVES_AND_REAPS = concatenated(SERVES, {"survives SIGCHLD", "reaps one", "reaps many", "process limit"});

const Exercise EXERCISES[] = {
    {1, "queue", {"backlog 0", "backlog 1", "backlog 5"}, {}, "predictions.txt"},
    {2, "endpoints", {"local end", "peer end", "ephemeral port"}, {"answers", "closes"}},
    {3,
     "concurrent",
     {"concurrent", "serves silent client"},
     {"answers", "closes", "flat descriptors", "child closes listener", "child exits with 0"}},
    {4,
     "let go",
     {"child closes listener", "closes", "flat descriptors", "descriptor limit"},
     {"answers", "concurrent", "child exits with 0"}},
    {5, "reap", {"reaps one"}, concatenated(SERVES, {"survives SIGCHLD", "never blocks"})},
    {6,
     "restart",
     {"survives SIGCHLD"},
     concatenated(concatenated({"accept loop", "handler"}, SERVES), {"reaps one", "process limit"})},
    {7, "burst", {"reaps many"}, concatenated(SERVES, {"survives SIGCHLD", "reaps one", "process limit"})},
    {8,
     "no handler",
     {"reaps one", "reaps many", "process limit"},
     concatenated(SERVES, {"survives SIGCHLD", "no handler"})},
    {9, "process limit", {"sheds load", "error page"}, SERVES_AND_REAPS},
    {10, "silent client", {"drops silent clients", "keeps TIMEOUT"}, SERVES_AND_REAPS},
    {11, "graceful stop", {"stops gracefully", "waits for all", "refuses late clients"}, SERVES_AND_REAPS},
    {12,
     "homework",
     {"concurrent", "drops silent clients", "drops the slow", "stops gracefully", "keeps TIMEOUT", "waits for all",
      "refuses late clients"},
     {"answers", "closes", "child closes listener", "child exits with 0", "survives SIGCHLD", "reaps one", "reaps many",
      "process limit", "sheds load", "error page", "Flask"},
     "server.cpp",
     "step_h_wsgi.hello:application"},
};

using Probe = Findings (*)(const Solution&);

/// The rows that are not in the table of behaviours.
const std::map<std::string, Probe> PROBES = {
    {"backlog 0", predictions},
    {"backlog 1", predictions},
    {"backlog 5", predictions},
    {"local end", printed_ends},
    {"peer end", printed_ends},
    {"ephemeral port", printed_ends},
    {"serves silent client", serves_silent_client},
    {"child exits with 0", exit_of_child},
    {"never blocks", never_blocks},
    {"accept loop", accept_loop},
    {"handler", handler},
    {"no handler", no_handler},
    {"error page", error_page},
    {"keeps TIMEOUT", keeps_timeout},
    {"waits for all", waits_for_all},
    {"refuses late clients", refuses_late_clients},
    {"drops the slow", drops_the_slow},
    {"Flask", flask},
};

/// Whether `error` means that the server did not listen, or exited soon after. Other errors, such as too few
/// descriptors in diagnose itself, are not the server's fault.
bool is_about_listening(const std::exception& error) {
    const auto* const system = dynamic_cast<const std::system_error*>(&error);
    if (system != nullptr) return system->code().value() == ECONNREFUSED;
    return dynamic_cast<const harness::NotListening*>(&error) != nullptr;
}

std::string in_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

/// Runs `probe`, which decides one row or several. If it throws, all rows of `names` that belong to it get the failure.
void decide(Probe probe, const Solution& solution, const Names& names, Findings& found) {
    try {
        found.merge(probe(solution));
    } catch (const std::runtime_error& error) {
        const std::string reason = in_one_line(error.what());
        const Finding failed = is_about_listening(error)
                                   ? Finding{Answer::no, "started once more, it does not listen: " + reason}
                                   : Finding{Answer::undecided, reason};
        for (const std::string& name : names) {
            const auto asked = PROBES.find(name);
            if (asked != PROBES.end() && asked->second == probe) found[name] = failed;
        }
    }
}

/// The server and its nature; the nature is left at its defaults when the server fails to start.
Subject known(const Program& server) {
    try {
        return learn(server);
    } catch (const std::exception&) {
        return {server, {}};
    }
}

/// Decides the rows that are in the table of behaviours.
void ask_behaviours(const Program& server, const Names& names, Findings& found) {
    std::vector<const Behaviour*> rows;
    for (const std::string& name : names) {
        if (!PROBES.contains(name)) rows.push_back(&behaviour(name));
    }
    for (const Tried& tried : try_all(known(server), rows, [](const Tried&) {})) {
        Finding finding = tried.finding;
        if (finding == Answer::no) finding.rule = tried.explanation();
        found[tried.behaviour->name] = finding;
    }
}

/// Whether the server starts, listens and does not fork without end. Undecided when diagnose lacks the resources to
/// start it.
Finding listens(const Program& program) {
    constexpr std::size_t MOST_AHEAD = 100;  // below the limit of a foreign program (Program::is_foreign)
    constexpr const char* TOO_MANY = " processes before its first client comes";
    constexpr const char* EACH_FORKS = "a child returns from fork into the same loop, and forks as well";
    try {
        const harness::Server starts(program);
        const std::size_t count = starts.alive().size();
        if (count <= MOST_AHEAD) return {Answer::yes, ""};
        return {Answer::no, "it has started " + std::to_string(count) + TOO_MANY, EACH_FORKS};
    } catch (const harness::NotListening& error) {
        const std::string evidence = in_one_line(error.what());
        return {Answer::no, evidence, evidence.find(TOO_MANY) == std::string::npos ? "" : EACH_FORKS};
    } catch (const std::system_error& error) {  // the program does not exist, or may not be executed
        return {Answer::no, in_one_line(error.what())};
    } catch (const std::exception& error) {
        return {Answer::undecided, in_one_line(error.what())};
    }
}

}  // namespace

std::string Exercise::folder() const {
    std::string folder = (number < 10 ? "exercises/0" : "exercises/") + std::to_string(number) + '_' + name;
    std::replace(folder.begin(), folder.end(), ' ', '_');
    return folder;
}

std::string Exercise::program() const {
    const char* const build = std::getenv("BUILD");
    return (build == nullptr || *build == '\0' ? "build" : build) + ('/' + folder());
}

std::vector<std::string> Exercise::command() const {
    if (!is_program()) return {source()};
    std::vector<std::string> command = {program()};
    if (!argument.empty()) command.push_back(argument);
    return command;
}

std::span<const Exercise> exercises() { return EXERCISES; }

const Exercise& exercise(std::string_view number) {
    const auto has_number = [&](const Exercise& candidate) { return std::to_string(candidate.number) == number; };
    const auto* const found = std::find_if(std::begin(EXERCISES), std::end(EXERCISES), has_number);
    if (found == std::end(EXERCISES)) {
        throw std::invalid_argument("no exercise has the number \"" + std::string(number) + '"');
    }
    return *found;
}

std::vector<Row> check(const Exercise& exercise, const std::vector<std::string>& command, const std::string& source) {
    const Names names = concatenated(exercise.kept, exercise.goals);
    Solution solution = {foreign(command), source};
    // Makes a Python server write its output at once.
    solution.server.environment["PYTHONUNBUFFERED"] = "1";
    solution.server.patience = std::chrono::seconds(20);
    Findings found;
    if (exercise.is_program()) {
        const Finding listening = listens(solution.server);
        if (listening != Answer::yes) return {{"listens", listening, false}};
        ask_behaviours(solution.server, {"answers"}, found);
        if (found.at("answers") == Answer::no) return {{"answers", found.at("answers"), false}};
        ask_behaviours(solution.server, names, found);
    }
    for (const std::string& name : names) {
        if (PROBES.contains(name) && !found.contains(name)) decide(PROBES.at(name), solution, names, found);
    }
    std::vector<Row> rows;
    for (const std::string& name : names) {
        const bool is_goal = std::find(exercise.goals.begin(), exercise.goals.end(), name) != exercise.goals.end();
        rows.push_back({name, found.at(name), is_goal});
    }
    return rows;
}

}  // namespace diagnose
