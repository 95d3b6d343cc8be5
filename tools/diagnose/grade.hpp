// The results of a check of the exercises: the text for the student, the record of what is done, the report for a
// class.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exercises.hpp"

namespace diagnose {

using Command = std::vector<std::string>;

/// Why the exercise cannot be checked: a file is missing, or a program does not compile. Nothing when it can be.
std::optional<std::string> obstacle(const Exercise& exercise, const Command& command);

/// The SHA-256, in hexadecimal digits, of what is checked: the exercise's source, or the files that a server's command
/// names; "?" when it names none. Throws std::runtime_error where sha256sum(1) is missing.
std::string digest_of(const Exercise& exercise, const Command& command);

/// The record of the exercises that are done. Its file has a line for each exercise and server: the exercise's number,
/// the digest of the files that were checked, and the server's command. The line of a server that is built from the
/// exercise's source has no command.
class Record {
public:
    /// Reads `file`; where there is none, nothing is done.
    explicit Record(std::string file = "exercises/.done");

    /// Records that this server does the exercise or, without a digest, that it does not. The lines of other servers
    /// stay.
    void remember(const Exercise& exercise, const Command& command, const std::optional<std::string>& digest);

    /// "done", "done (python3 mine.py)", "changed since it was done"; empty when it never was.
    std::string state_of(const Exercise& exercise) const;

private:
    std::string file_;
    std::map<std::pair<int, std::string>, std::string> digests_;  // by exercise and server
};

/// The text about a check: the rows and, when the exercise is done, its lesson and the next exercise.
std::string report(const Exercise& exercise, const Command& command, const std::vector<Row>& rows);

/// A line for each exercise, how many are done, and which is next.
std::string list(const Record& record);

/// An exercise that was graded. Where there was an obstacle, no row holds, and the obstacle is the evidence.
struct Graded {
    const Exercise* exercise;
    std::vector<Row> rows;
    std::optional<std::string> obstacle = {};

    std::size_t failures() const;
};

/// Checks the exercise, or names the obstacle.
Graded grade(const Exercise& exercise, const Command& command);

/// " 7  burst            6 of 7   not yet: reaps many"
std::string line_of(const Graded& graded);

/// The report as JUnit writes it: a suite for each exercise, a case for each row.
std::string junit(const std::vector<Graded>& all);

// The commands of the program diagnose. Each returns its exit status.

/// Checks one exercise and remembers the result: 0 when it is done, 1 when it is not yet.
int check_exercise(const Exercise& exercise, const Command& command);
/// Prints which exercises are done.
int list_exercises();
/// Checks all exercises, by the servers that SERVER_1 … SERVER_12 of the environment name, and writes `file`. Throws
/// std::runtime_error when it cannot.
int grade_exercises(const std::string& file);

}  // namespace diagnose
