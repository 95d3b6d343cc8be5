// Splits a command line into words and joins words into one, as a shell does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diagnose {

/// The words of a command line, without quotes and backslashes ("Shell Command Language", POSIX, 2.2). No other
/// character has a special meaning. An open quote ends with the text.
std::vector<std::string> words_in(std::string_view line);

/// A command line that a shell splits into these words.
std::string line_of(const std::vector<std::string>& words);

}  // namespace diagnose
