// The verdict of all rows together: which step the server is like, in what it is better, and what is wrong with it.
#pragma once

#include <string>
#include <vector>

#include "behaviours.hpp"
#include "nature.hpp"

namespace diagnose {

/// How a row compares with the same row of a step.
enum class Comparison {
    equal,
    better,
    worse,
    undecided,
    does_not_apply,  ///< to the server, but to the step
};

Comparison compare(const Tried& row, char step, bool sleeps);

/// Which steps of the table a server is like.
struct Likeness {
    std::string steps;  ///< the letters of those that have all its answers: mostly one, or none
    char nearest = 'a';  ///< the step to which it compares best; of several the last
    std::vector<Tried> differences;  ///< from the nearest

    std::vector<Tried> compared(Comparison comparison) const;  ///< the differences of this kind
    bool sleeps = false;  ///< it sleeps before closing: what a sleep hides is no difference
};

Likeness likeness(const std::vector<Tried>& tried);

/// Whether the server is at least as good as the step in all that was tried. A sleep is neither good nor bad: there it
/// has to be like the step.
bool is_as_good(const std::vector<Tried>& tried, char step);

/// "behaves like step_g, and better: sheds load". `kind`: what it is, where no step is.
std::string verdict(const Likeness& like, const std::vector<Tried>& tried, Kind kind);

/// The fault that a no shows, as a clause: "a child keeps the listening socket".
std::string fault_of(const Tried& row);

/// The change that mends a no, and the page that shows it: one line.
std::string mend_of(const Tried& row);

}  // namespace diagnose
