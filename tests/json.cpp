#include "json.hpp"

#include <nlohmann/json.hpp>
#include <string>

std::string json_at(const std::string& text, const std::string& pointer) {
    const nlohmann::json value = nlohmann::json::parse(text).at(nlohmann::json::json_pointer(pointer));
    return value.is_string() ? value.get<std::string>() : value.dump();
}
