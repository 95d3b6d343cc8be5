// The output of diagnose as JSON (RFC 8259). Bytes that are not UTF-8 become U+FFFD. Only one file includes the JSON
// library, since it is slow to compile.
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

/// The exercises as a list of objects: number, name, folder, file, command, goals and the rows to be kept.
std::string json_of_exercises();

/// The rows of an exercise and their results, as a list of objects.
std::string json_of_rows(const std::vector<Row>& rows);

}  // namespace diagnose
