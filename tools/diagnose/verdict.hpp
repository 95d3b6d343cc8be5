// The verdict from all rows: which step the server is like, in which rows it is better, and which faults it has.
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
    does_not_apply,  ///< the row applies to the step, but not to the server
};

Comparison compare(const Tried& row, char step, bool sleeps);

/// Which steps of the table a server is like.
struct Likeness {
    std::string steps;  ///< the letters of the steps with the same answers: usually one or none
    char nearest = 'a';  ///< the most similar step; the last of several
    std::vector<Tried> differences;  ///< the rows in which it differs from the nearest step

    std::vector<Tried> compared(Comparison comparison) const;  ///< the differences with this result
    bool sleeps = false;  ///< it sleeps before closing: a row that the sleep leaves undecided is no difference
};

Likeness likeness(const std::vector<Tried>& tried);

/// Whether the server is at least as good as the step in all rows that were tried. A sleep is neither good nor bad: in
/// that row it must answer like the step.
bool is_as_good(const std::vector<Tried>& tried, char step);

/// "behaves like step_g, and better: sheds load". `kind` is named when no step serves its clients this way.
std::string verdict(const Likeness& like, const std::vector<Tried>& tried, Kind kind);

/// The fault that a no shows, as a clause: "a child keeps the listening socket".
std::string fault_of(const Tried& row);

/// The change that fixes a no, and the page that shows it, in one line.
std::string mend_of(const Tried& row);

}  // namespace diagnose
