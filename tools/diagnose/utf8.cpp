#include "utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <ios>
#include <iterator>
#include <string>
#include <string_view>

namespace diagnose {
namespace {

constexpr std::string_view REPLACEMENT = "\xEF\xBF\xBD";  // U+FFFD

bool is_continuation(char byte) { return (byte & 0xC0) == 0x80; }

/// The length of the character that `text` begins with (RFC 3629, 4); 0 when these bytes are no character.
std::size_t length_of_character(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const auto second = static_cast<unsigned char>(text.size() > 1 ? text[1] : 0);
    std::size_t length = 0;
    if (first < 0x80) length = 1;
    else if (first >= 0xC2 && first < 0xE0) length = 2;
    else if (first >> 4 == 0xE) length = 3;
    else if (first >= 0xF0 && first < 0xF5) length = 4;
    const bool is_too_long = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool is_surrogate = first == 0xED && second >= 0xA0;
    const bool is_beyond_unicode = first == 0xF4 && second >= 0x90;
    if (length == 0 || length > text.size() || is_too_long || is_surrogate || is_beyond_unicode) return 0;
    const std::string_view rest = text.substr(1, length - 1);
    return std::all_of(rest.begin(), rest.end(), is_continuation) ? length : 0;
}

/// Appends the character in UTF-8.
void append(std::string& text, char32_t character) {
    const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
    const auto add_rest = [&](int shift) { add(0x80 | (character >> shift & 0x3F)); };
    if (character < 0x80) add(character);
    else if (character < 0x800) add(0xC0 | character >> 6), add_rest(0);
    else if (character < 0x10000) add(0xE0 | character >> 12), add_rest(6), add_rest(0);
    else add(0xF0 | character >> 18), add_rest(12), add_rest(6), add_rest(0);
}

/// Converts the UTF-16 after the byte order mark to UTF-8 (RFC 2781, 2.2). Half a surrogate pair becomes U+FFFD.
std::string decoded_utf16(std::string_view bytes, bool is_big_endian) {
    const auto unit_at = [&](std::size_t at) -> char32_t {
        if (at + 1 >= bytes.size()) return 0;
        const auto first = static_cast<unsigned char>(bytes[at]);
        const auto second = static_cast<unsigned char>(bytes[at + 1]);
        return static_cast<char32_t>(is_big_endian ? first << 8 | second : second << 8 | first);
    };
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
        const char32_t unit = unit_at(at);
        const char32_t next = unit_at(at + 2);
        const bool is_pair = unit >= 0xD800 && unit < 0xDC00 && next >= 0xDC00 && next < 0xE000;
        if (is_pair) append(text, 0x10000 + ((unit - 0xD800) << 10) + (next - 0xDC00)), at += 2;
        else if (at + 1 == bytes.size() || (unit >= 0xD800 && unit < 0xE000)) text += REPLACEMENT;
        else append(text, unit);
    }
    return text;
}

}  // namespace

std::string valid_utf8(std::string_view bytes) {
    std::string text;
    while (!bytes.empty()) {
        const std::size_t length = length_of_character(bytes);
        text += length == 0 ? REPLACEMENT : bytes.substr(0, length);
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return text;
}

std::size_t characters_in(std::string_view text) {
    return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation));
}

std::string_view first_characters(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        if (!is_continuation(text[at]) && count-- == 0) break;
    }
    return text.substr(0, at);
}

std::string first_line(std::string_view text) {
    return std::string(first_characters(valid_utf8(text.substr(0, text.find_first_of("\r\n"))), 40));
}

std::string padded(std::string_view text, std::size_t columns) {
    const std::size_t width = characters_in(text);
    return std::string(text) + std::string(width < columns ? columns - width : 0, ' ');
}

std::string_view stripped(std::string_view text) {
    constexpr std::string_view BLANKS = " \t\r\n\f\v";
    const std::size_t begin = std::min(text.find_first_not_of(BLANKS), text.size());
    return text.substr(begin, text.find_last_not_of(BLANKS) + 1 - begin);
}

std::string decoded(std::string_view bytes) {
    std::string text;
    if (bytes.starts_with("\xFF\xFE")) text = decoded_utf16(bytes.substr(2), false);
    else if (bytes.starts_with("\xFE\xFF")) text = decoded_utf16(bytes.substr(2), true);
    else text = valid_utf8(bytes.substr(bytes.starts_with("\xEF\xBB\xBF") ? 3 : 0));
    for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
    return text;
}

std::string text_in(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return decoded(std::string(std::istreambuf_iterator<char>(in), {}));
}

}  // namespace diagnose
