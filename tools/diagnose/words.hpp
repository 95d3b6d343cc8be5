// A command's words as a shell reads and writes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diagnose {

/// The words of a command line, quotes and backslashes taken away ("Shell Command Language", POSIX, 2.2); nothing else
/// means anything here. A quote that is left open ends with the text.
std::vector<std::string> words_in(std::string_view line);

/// One line that a shell reads as these words.
std::string line_of(const std::vector<std::string>& words);

}  // namespace diagnose
