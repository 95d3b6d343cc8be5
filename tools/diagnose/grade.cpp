#include "grade.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../harness/process.hpp"
#include "../harness/program.hpp"
#include "exercises.hpp"
#include "junit.hpp"
#include "probes.hpp"
#include "utf8.hpp"
#include "words.hpp"

namespace diagnose {

using std::to_string;

namespace {

constexpr const char* UNKNOWN = "?";  // the digest of a server whose command names no file

/// The lesson of an exercise, and the page that says more about it.
struct Lesson {
    const char* sentence;
    const char* page;
};

/// By the exercise's number.
const std::map<int, Lesson> LESSONS = {
    {1, {"a full queue gives no answer, and it holds one client more than its backlog", "step_b_sleep"}},
    {2, {"a connection is a pair of ends, and the kernel has chosen the client's port", "step_a_iterative"}},
    {3, {"with a process for each client, no client waits for another one", "step_c_fork"}},
    {4, {"a connection ends when the last descriptor that leads to it is closed", "step_d_no_close"}},
    {5, {"a child that has exited is a zombie until its parent waits for it", "step_e_sigchld"}},
    {6, {"a handler interrupts accept, unless SA_RESTART makes the kernel call it again", "step_f_eintr"}},
    {7, {"signals are not counted, so the handler waits until no exited child is left", "step_g_waitpid"}},
    {8, {"the kernel reaps the children of a parent that ignores SIGCHLD", "step_g_waitpid"}},
    {9, {"fork can fail, and then a server answers with an error and goes on", "step_d_no_close"}},
    {10, {"recv waits for ever, unless it is told how long", "step_h_wsgi"}},
    {11, {"SIGTERM ends the accept loop, and the children finish their answers", "step_h_wsgi"}},
    {12, {"a WSGI server is concurrent when it forks as the article's servers do", "step_h_wsgi"}},
};

/// False where that cannot be known.
bool is_file_there(const std::string& file) {
    std::error_code ignored;
    return std::filesystem::exists(file, ignored);
}

bool is_own(const Exercise& exercise, const Command& command) { return command == exercise.command(); }

/// The student's file, if the server is made of it.
std::string source_of(const Exercise& exercise, const Command& command) {
    return is_own(exercise, command) ? exercise.source() : "";
}

std::vector<std::string> failed(const std::vector<Row>& rows) {
    std::vector<std::string> names;
    for (const Row& row : rows) {
        if (!row.holds()) names.push_back(row.name);
    }
    return names;
}

std::string comma_separated(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

/// The server's name in a line of the record; empty for the one that is built from the exercise's source.
std::string name_of_server(const Exercise& exercise, const Command& command) {
    if (is_own(exercise, command)) return "";
    std::istringstream words(line_of(command));
    std::string name;
    for (std::string word; words >> word;) name += (name.empty() ? "" : " ") + word;
    return name;
}

std::string line_of(const Row& row) {
    const char* const word = !row.holds() ? "not yet" : row.finding == Answer::yes ? "yes" : "–";
    const std::string line = "  " + padded(word, 8) + ' ' + padded(row.name, 21) + ' ' + row.finding.evidence + '\n';
    return row.finding.rule.empty() ? line : line + std::string(32, ' ') + " (" + row.finding.rule + ")\n";
}

/// The compiler's messages about a program that it could not build.
std::string fault_of_build(const std::string& errors) {
    std::ifstream file(errors);
    std::string first;
    for (std::string line; std::getline(file, line);) {
        if (line.find("error: ") != std::string::npos) return valid_utf8(line);
        if (first.empty()) first = line;
    }
    return first.empty() ? "it was not built" : valid_utf8(first);
}

}  // namespace

std::optional<std::string> obstacle(const Exercise& exercise, const Command& command) {
    const std::string file = exercise.source();
    if (!is_own(exercise, command)) {
        if (exercise.is_program()) return std::nullopt;
        return "the answers are in " + file + ", and are no server's";
    }
    if (!is_file_there(file)) {
        return file + " is not there; git restore " + file + " brings back what was given";
    }
    if (!exercise.is_program() || is_file_there(command.front())) return std::nullopt;
    return fault_of_build(exercise.program() + ".errors");
}

std::string digest_of(const Exercise& exercise, const Command& command) {
    std::vector<std::string> files = is_own(exercise, command) ? Command{exercise.source()} : command;
    std::error_code ignored;
    std::erase_if(files, [&](const std::string& file) { return !std::filesystem::is_regular_file(file, ignored); });
    if (files.empty()) return UNKNOWN;
    harness::Program program = {{"sh", "-c", "cat -- \"$@\" | sha256sum", "sh"}};
    program.command.insert(program.command.end(), files.begin(), files.end());
    harness::Process process(program);
    process.until_ended();
    std::string digest = process.out().substr(0, 64);
    if (digest.size() != 64) throw std::runtime_error("sha256sum has failed: " + process.err());
    return digest;
}

Record::Record(std::string file) : file_(std::move(file)) {
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        int number = 0;
        std::string digest;
        std::string server;
        words >> number >> digest >> std::ws;
        std::getline(words, server);
        digests_[{number, server}] = digest;
    }
}

void Record::remember(const Exercise& exercise, const Command& command, const std::optional<std::string>& digest) {
    const std::pair key(exercise.number, name_of_server(exercise, command));
    digests_.erase(key);
    if (digest) digests_[key] = *digest;
    std::ofstream out(file_);
    for (const auto& [entry, value] : digests_) {
        out << entry.first << ' ' << value << (entry.second.empty() ? "" : " ") << entry.second << '\n';
    }
    if (!out.flush()) throw std::runtime_error(file_ + " cannot be written");
}

std::string Record::state_of(const Exercise& exercise) const {
    bool was_done = false;
    for (const auto& [entry, digest] : digests_) {
        const auto& [number, server] = entry;
        if (number != exercise.number) continue;
        was_done = true;
        if (digest != digest_of(exercise, server.empty() ? exercise.command() : words_in(server))) continue;
        std::string state = digest == UNKNOWN ? "done when it was checked" : "done";
        if (!server.empty()) state.append(" (").append(server).append(")");
        return state;
    }
    return was_done ? "changed since it was done" : "";
}

std::string report(const Exercise& exercise, const Command& command, const std::vector<Row>& rows) {
    std::string text = "exercise " + to_string(exercise.number) + ", " + exercise.name + ": " +
                       (is_own(exercise, command) ? exercise.source() : line_of(command)) + '\n';
    for (const Row& row : rows) text += line_of(row);
    if (const std::vector<std::string> names = failed(rows); !names.empty()) {
        return text + "not yet: " + comma_separated(names) + ". The task, and hints: " + exercise.folder() +
               "/README.md\n";
    }
    const Lesson& lesson = LESSONS.at(exercise.number);
    text += std::string("done: ") + lesson.sentence + ". More: " + lesson.page + "/README.md\n";
    const auto next = std::find_if(exercises().begin(), exercises().end(),
                                   [&](const Exercise& other) { return other.number > exercise.number; });
    return text + (next == exercises().end() ? "That was the last one.\n" : "Next: " + next->folder() + "/README.md\n");
}

std::string list(const Record& record) {
    std::string text;
    std::string next;
    std::size_t done = 0;
    for (const Exercise& exercise : exercises()) {
        const std::string state = record.state_of(exercise);
        std::string line = padded("exercise_" + to_string(exercise.number), 12) + ' ';
        line += state.empty() ? exercise.name : padded(exercise.name, 15) + ' ' + state;
        text += line + '\n';
        if (state.starts_with("done")) ++done;
        else if (next.empty())
            next = "; next: make exercise_" + to_string(exercise.number) + ", " + exercise.folder() + "/README.md";
    }
    return text + to_string(done) + " of " + to_string(exercises().size()) + " done" + next + '\n';
}

std::size_t Graded::failures() const { return failed(rows).size(); }

Graded grade(const Exercise& exercise, const Command& command) {
    Graded graded = {&exercise, {}, obstacle(exercise, command)};
    if (!graded.obstacle) graded.rows = check(exercise, command, source_of(exercise, command));
    else {
        for (const auto* names : {&exercise.kept, &exercise.goals}) {
            for (const std::string& name : *names) graded.rows.push_back({name, {Answer::no, *graded.obstacle}, true});
        }
    }
    return graded;
}

std::string line_of(const Graded& graded) {
    const std::vector<std::string> names = failed(graded.rows);
    const std::string verdict = graded.obstacle ? *graded.obstacle
                                : names.empty() ? "done"
                                                : "not yet: " + comma_separated(names);
    const std::string number = to_string(graded.exercise->number);
    const std::string count = to_string(graded.rows.size() - names.size());
    return std::string(2 - number.size(), ' ') + number + "  " + padded(graded.exercise->name, 15) + ' ' +
           std::string(2 - count.size(), ' ') + count + " of " + padded(to_string(graded.rows.size()), 2) + "  " +
           verdict;
}

std::string junit(const std::vector<Graded>& all) {
    std::vector<JunitSuite> suites;
    for (const Graded& graded : all) {
        const std::string name = "exercise_" + to_string(graded.exercise->number);
        suites.push_back({name + ' ' + graded.exercise->name, name, {}});
        for (const Row& row : graded.rows) {
            suites.back().cases.push_back({row.name, row.holds() ? std::nullopt : std::optional(row.finding)});
        }
    }
    return junit(suites);
}

int check_exercise(const Exercise& exercise, const Command& command) {
    if (const std::optional<std::string> fault = obstacle(exercise, command)) {
        std::cout << "exercise " << exercise.number << ", " << exercise.name << ": " << *fault << '\n';
        return 1;
    }
    const std::string digest = digest_of(exercise, command);  // of what it was before: the check takes a while
    const std::vector<Row> rows = check(exercise, command, source_of(exercise, command));
    const bool is_done = failed(rows).empty();
    Record().remember(exercise, command, is_done ? std::optional(digest) : std::nullopt);
    std::cout << report(exercise, command, rows);
    return is_done ? 0 : 1;
}

int list_exercises() {
    std::cout << list(Record());
    return 0;
}

int grade_exercises(const std::string& file) {
    std::vector<Graded> all;
    std::size_t done = 0;
    for (const Exercise& exercise : exercises()) {
        const char* const server = std::getenv(("SERVER_" + to_string(exercise.number)).c_str());
        const Command command = words_in(server == nullptr ? "" : server);
        all.push_back(grade(exercise, command.empty() ? exercise.command() : command));
        done += all.back().failures() == 0 ? 1 : 0;
        std::cout << line_of(all.back()) << std::endl;
    }
    write_file(file, junit(all));
    std::cout << done << " of " << all.size() << " done; " << file << '\n';
    return 0;
}

}  // namespace diagnose
