// Converts bytes of unknown encoding to text: a server's output, or a file that an editor has saved.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace diagnose {

/// The text with U+FFFD for each byte that does not belong to a character (RFC 3629).
std::string valid_utf8(std::string_view bytes);

/// How many characters `text`, which is UTF-8, has.
std::size_t characters_in(std::string_view text);

/// The first `count` characters of `text`, which is UTF-8.
std::string_view first_characters(std::string_view text, std::size_t count);

/// The first line of the text in valid UTF-8, or its first 40 characters.
std::string first_line(std::string_view text);

/// `text`, followed by as many spaces as make it `columns` wide; a character is one column.
std::string padded(std::string_view text, std::size_t columns);

/// The text without the spaces, tabs and line ends around it.
std::string_view stripped(std::string_view text);

/// Converts the contents of a saved file, also from Windows, to UTF-8 with \n. The file may be UTF-8 or UTF-16, with or
/// without a byte order mark (RFC 2781, 3.2; UTF-16 without one is not recognised), and its lines may end with \r\n.
std::string decoded(std::string_view bytes);

/// The contents of the file, decoded; empty when it cannot be read.
std::string text_in(const std::string& file);

}  // namespace diagnose
