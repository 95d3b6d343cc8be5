// The exercises: what each asks for, and how a solution is checked.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probes.hpp"

namespace diagnose {

/// One of exercises/. Its rows are behaviours (behaviours.hpp) and questions of its own (exercise_probes.hpp).
struct Exercise {
    int number;
    std::string name;
    std::vector<std::string> goals;  ///< what the program that is given lacks
    std::vector<std::string> kept;  ///< what it has, and must not lose
    std::string file = "server.cpp";
    std::string argument = {};  ///< of the server, if it takes one

    bool is_program() const { return file.ends_with(".cpp"); }
    std::string folder() const;  ///< "exercises/07_burst"
    std::string source() const { return folder() + '/' + file; }
    std::string program() const;  ///< what the Makefile builds of the source, in $BUILD: "build/exercises/07_burst"
    /// How the server is started: the program and its argument; where there is no program, the source itself.
    std::vector<std::string> command() const;
};

std::span<const Exercise> exercises();

/// The exercise with this number. Throws std::invalid_argument when `number` is none of them.
const Exercise& exercise(std::string_view number);

/// What was asked, and what was found.
struct Row {
    std::string name;
    Finding finding;  ///< its rule is empty where it holds
    bool is_goal;

    /// What cannot be asked ("not applicable") is not lost; but neither is a goal reached by it.
    bool holds() const { return finding == Answer::yes || (finding == Answer::not_applicable && !is_goal); }
};

/// Asks all that the exercise asks of the server `command`, the goals last. Of a server that does not listen there is
/// but one row, "listens". `source` is the student's file, if the command is made of it, otherwise empty.
std::vector<Row> check(const Exercise& exercise, const std::vector<std::string>& command, const std::string& source);

}  // namespace diagnose
