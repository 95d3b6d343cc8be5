// Impolite clients: whatever they do, a step must serve the next client.
#pragma once

#include "support.hpp"

namespace impolite {

/// Checks for each impolite client that `step` serves the next client and prints no error. For step_e, which may exit
/// after any client, only its error is checked.
void check_patience_of(const Program& step);

}  // namespace impolite
