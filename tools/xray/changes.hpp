// The events between two snapshots, one line each.
#pragma once

#include <string>
#include <vector>

#include "model.hpp"

namespace xray {

/// "4711 fork, child of 4700", "4711 closes its copy of 3", in an order in which they can have happened. Events that
/// left no trace in the second snapshot are missing. Closes and accepts that follow from how fork copies descriptors
/// are included.
std::vector<std::string> changes(const Snapshot& before, const Snapshot& now);

}  // namespace xray
