#include "words.hpp"

#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace diagnose {
namespace {

bool is_blank(char byte) { return std::isspace(static_cast<unsigned char>(byte)) != 0; }

/// Removes the first word from `line` and returns it. `line` must not be blank.
std::string take_word(std::string_view& line) {
    std::string word;
    char quote = 0;  // the quote that is open; 0: none
    std::size_t at = 0;
    for (; at < line.size() && (quote != 0 || !is_blank(line[at])); ++at) {
        const char byte = line[at];
        const char next = at + 1 < line.size() ? line[at + 1] : '\0';
        const bool escapes = byte == '\\' && (quote == 0 || (quote == '"' && (next == '"' || next == '\\')));
        if (escapes && next != '\0') word += line[++at];
        else if (quote == 0 && (byte == '\'' || byte == '"')) quote = byte;
        else if (quote != 0 && byte == quote) quote = 0;
        else word += byte;
    }
    line.remove_prefix(at);
    return word;
}

std::string quoted_word(const std::string& word) {
    constexpr std::string_view PLAIN = "@%+=:,./-_";
    bool is_plain = !word.empty();
    std::string quoted = "'";
    for (const char byte : word) {
        const auto code = static_cast<unsigned char>(byte);
        is_plain = is_plain && code < 0x80 && (std::isalnum(code) != 0 || PLAIN.find(byte) != std::string_view::npos);
        if (byte == '\'') quoted += "'\"'\"'";
        else quoted += byte;
    }
    return is_plain ? word : quoted + '\'';
}

}  // namespace

std::vector<std::string> words_in(std::string_view line) {
    std::vector<std::string> words;
    while (true) {
        while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
        if (line.empty()) return words;
        words.push_back(take_word(line));
    }
}

std::string line_of(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + quoted_word(word);
    return line;
}

}  // namespace diagnose
