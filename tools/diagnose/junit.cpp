#include "junit.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "utf8.hpp"

namespace diagnose {
namespace {

/// The text as an attribute's value: bytes that XML reserves or forbids (XML 1.0, 2.2 and 2.4) are replaced.
std::string xml(const std::string& text) {
    std::string escaped;
    for (const char byte : valid_utf8(text)) {
        if (byte == '&') escaped += "&amp;";
        else if (byte == '<') escaped += "&lt;";
        else if (byte == '>') escaped += "&gt;";
        else if (byte == '"') escaped += "&quot;";
        else if (byte == '\n' || byte == '\r' || byte == '\t') escaped += "&#" + std::to_string(int{byte}) + ';';
        else escaped += static_cast<unsigned char>(byte) < ' ' ? '?' : byte;
    }
    return escaped;
}

std::string xml_of(const JunitSuite& suite, const JunitCase& test_case) {
    std::string text = "    <testcase classname=\"" + xml(suite.class_name) + "\" name=\"" + xml(test_case.name) + '"';
    if (!test_case.failure) return text + " />\n";
    text += ">\n      <failure message=\"" + xml(test_case.failure->evidence) + '"';
    text += test_case.failure->rule.empty() ? " />\n" : '>' + xml(test_case.failure->rule) + "</failure>\n";
    return text + "    </testcase>\n";
}

}  // namespace

std::string junit(const std::vector<JunitSuite>& suites) {
    std::string text = "<?xml version='1.0' encoding='utf-8'?>\n<testsuites>\n";
    for (const JunitSuite& suite : suites) {
        const auto has_failed = [](const JunitCase& test_case) { return test_case.failure.has_value(); };
        const auto failures = std::count_if(suite.cases.begin(), suite.cases.end(), has_failed);
        text += "  <testsuite name=\"" + xml(suite.name) + "\" tests=\"" + std::to_string(suite.cases.size()) +
                "\" failures=\"" + std::to_string(failures) + "\" errors=\"0\">\n";
        for (const JunitCase& test_case : suite.cases) text += xml_of(suite, test_case);
        text += "  </testsuite>\n";
    }
    return text + "</testsuites>";
}

void write_file(const std::string& file, const std::string& text) {
    std::ofstream out(file);
    out << text;
    if (!out.flush()) throw std::runtime_error(file + " cannot be written");
}

}  // namespace diagnose
