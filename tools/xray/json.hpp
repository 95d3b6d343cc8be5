// A snapshot in JSON, for programs: tools/xray/README.md describes the object.
#pragma once

#include <string>

#include "model.hpp"

namespace xray {

/// One JSON object, over several lines, without a newline at its end.
std::string json(const Snapshot& snapshot);

}  // namespace xray
