// Reports in JUnit's XML format, which graders and CI systems read.
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
    std::string class_name;  ///< the class name of its cases
    std::vector<JunitCase> cases;
};

/// The XML document.
std::string junit(const std::vector<JunitSuite>& suites);

/// Writes a text into a file. Throws std::runtime_error when that fails.
void write_file(const std::string& file, const std::string& text);

}  // namespace diagnose
