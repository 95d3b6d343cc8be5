// The page: the recordings, and what plays them, in one file that asks nobody for anything.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace replay {

/// One HTML file. Of several recordings the page shows one, or two side by side.
std::string page(const std::vector<nlohmann::ordered_json>& recordings);

}  // namespace replay
