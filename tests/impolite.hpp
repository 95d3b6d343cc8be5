// Impolite clients: none of them may cost anybody else anything, in any step.
#pragma once

#include "support.hpp"

namespace impolite {

/// Checks that `step` bears each manner: the polite client that comes next is served, and no error is printed.
void check_patience_of(const Program& step);

}  // namespace impolite
