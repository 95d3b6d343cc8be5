// The page: the recordings and their player in one file, which loads nothing from elsewhere.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace replay {

/// One HTML file. With several recordings, the page shows one, or two side by side.
std::string page(const std::vector<nlohmann::ordered_json>& recordings);

}  // namespace replay
