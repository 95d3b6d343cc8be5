// Values out of JSON texts. One file knows the library for it: that takes the compiler longer than most tests take.
#pragma once

#include <memory>
#include <string>

/// What stands at `pointer` (RFC 6901: "/server/pid") in a JSON text: a string as it is, anything else as JSON. Throws
/// std::exception when `text` is not JSON or nothing stands there.
std::string json_at(const std::string& text, const std::string& pointer);

/// A JSON text that is asked for many values.
class ParsedJson {
public:
    ParsedJson() = default;
    explicit ParsedJson(const std::string& text);  ///< throws std::exception when it is not JSON
    std::string at(const std::string& pointer) const;  ///< as json_at
    bool has(const std::string& pointer) const;

private:
    struct Document;
    std::shared_ptr<const Document> document_;
};
