// Reads values from JSON texts. Only json.cpp includes the JSON library, which takes long to compile.
#pragma once

#include <memory>
#include <string>

/// The value at `pointer` (RFC 6901: "/server/pid") in a JSON text: a string without quotes, anything else as JSON.
/// Throws std::exception when `text` is not JSON or has no such value.
std::string json_at(const std::string& text, const std::string& pointer);

/// A JSON text that is parsed once, for reading many values.
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
