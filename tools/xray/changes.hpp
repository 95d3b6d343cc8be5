// What has happened between two looks, line by line.
#pragma once

#include <string>
#include <vector>

#include "model.hpp"

namespace xray {

/// "4711 fork, child of 4700", "4711 closes its copy of 3", in an order in which it can have happened. What came and
/// went between the looks is not seen; what fork makes certain is concluded.
std::vector<std::string> changes(const Snapshot& before, const Snapshot& now);

}  // namespace xray
