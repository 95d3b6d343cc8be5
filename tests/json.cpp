#include "json.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

struct ParsedJson::Document {
    nlohmann::json json;
};

ParsedJson::ParsedJson(const std::string& text)
    : document_(std::make_shared<const Document>(Document{nlohmann::json::parse(text)})) {}

std::string ParsedJson::at(const std::string& pointer) const {
    const nlohmann::json& value = document_->json.at(nlohmann::json::json_pointer(pointer));
    return value.is_string() ? value.get<std::string>() : value.dump();
}

bool ParsedJson::has(const std::string& pointer) const {
    return document_->json.contains(nlohmann::json::json_pointer(pointer));
}

std::string json_at(const std::string& text, const std::string& pointer) { return ParsedJson(text).at(pointer); }
