// Reports as JUnit writes them, in XML: what graders and CI read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probes.hpp"

namespace diagnose {

struct JunitCase {
    std::string name;
    std::optional<Finding> failure;  ///< its evidence becomes the message, its rule the text
};

struct JunitSuite {
    std::string name;
    std::string class_name;  ///< of its cases
    std::vector<JunitCase> cases;
};

/// The document.
std::string junit(const std::vector<JunitSuite>& suites);

/// Writes a text into a file. Throws std::runtime_error when it cannot.
void write_file(const std::string& file, const std::string& text);

}  // namespace diagnose
