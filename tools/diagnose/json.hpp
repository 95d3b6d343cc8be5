// What diagnose says, as JSON (RFC 8259). What is not UTF-8 becomes U+FFFD. One file knows the library for it: that
// takes the compiler longer than most files take.
#pragma once

#include <string>
#include <vector>

#include "behaviours.hpp"
#include "exercises.hpp"
#include "nature.hpp"

namespace diagnose {

/// The object of --json; tools/diagnose/README.md names its keys. `is_interrupted`: not all rows were tried.
std::string json_of(const std::vector<std::string>& command, const std::vector<Tried>& tried, Kind kind,
                    bool is_interrupted = false);

/// The object for a server that did not start or listen.
std::string json_of_error(const std::vector<std::string>& command, const std::string& error);

/// The exercises, a list of objects: their numbers, names, folders, files, commands, goals, and what else is asked.
std::string json_of_exercises();

/// What was asked in an exercise, a list of objects.
std::string json_of_rows(const std::vector<Row>& rows);

}  // namespace diagnose
