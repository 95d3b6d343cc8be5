// The exercises: the goals of each, and how a solution is checked.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probes.hpp"

namespace diagnose {

/// One folder of exercises/. Its rows are behaviours (behaviours.hpp) and questions of its own (exercise_probes.hpp).
struct Exercise {
    int number;
    std::string name;
    std::vector<std::string> goals;  ///< the rows that the given program fails
    std::vector<std::string> kept;  ///< the rows that it passes and must keep
    std::string file = "server.cpp";
    std::string argument = {};  ///< the server's argument, if it takes one

    bool is_program() const { return file.ends_with(".cpp"); }
    std::string folder() const;  ///< "exercises/07_burst"
    std::string source() const { return folder() + '/' + file; }
    /// The program that the Makefile builds from the source, in $BUILD: "build/exercises/07_burst".
    std::string program() const;
    /// The command that starts the server: the program and its argument; without a program, the source itself.
    std::vector<std::string> command() const;
};

std::span<const Exercise> exercises();

/// The exercise with this number. Throws std::invalid_argument when there is none.
const Exercise& exercise(std::string_view number);

/// A row of an exercise and its result.
struct Row {
    std::string name;
    Finding finding;  ///< the rule is empty when the row passes
    bool is_goal;

    /// A row that is not applicable does not break what must be kept, but it does not reach a goal either.
    bool holds() const { return finding == Answer::yes || (finding == Answer::not_applicable && !is_goal); }
};

/// Decides all rows of the exercise for the server `command`, the goals last. For a server that does not listen there
/// is only one row, "listens". `source` is the student's file if the command was built from it, otherwise empty.
std::vector<Row> check(const Exercise& exercise, const std::vector<std::string>& command, const std::string& source);

}  // namespace diagnose
