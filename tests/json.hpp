// Values out of JSON texts. One file knows the library for it: that takes the compiler longer than most tests take.
#pragma once

#include <string>

/// What stands at `pointer` (RFC 6901: "/server/pid") in a JSON text: a string as it is, anything else as JSON. Throws
/// std::exception when `text` is not JSON or nothing stands there.
std::string json_at(const std::string& text, const std::string& pointer);
