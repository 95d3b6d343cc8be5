// What is seen, as lines of text: for a terminal of any size, or for none. How a style looks is for who shows it; the
// text says the same without.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "model.hpp"

namespace xray {

enum class Style {
    plain,
    title,
    quiet,  ///< what is always there
    good,  ///< a connection that is served, a process that is ready
    warning,  ///< somebody waits, a limit comes near
    alarm,  ///< a zombie, a copy that was left, a death
    lesson,
};

/// A piece of a line, in one style.
struct Segment {
    std::string text;  ///< ASCII, but for "…"
    Style style = Style::plain;

    bool operator==(const Segment&) const = default;
};

/// Segments with three blanks between them.
struct Line {
    std::size_t indent = 0;
    std::vector<Segment> segments;

    std::string text() const;
    bool operator==(const Line&) const = default;
};

using Lines = std::vector<Line>;

struct Size {
    std::size_t lines = std::numeric_limits<std::size_t>::max();
    std::size_t columns = std::numeric_limits<std::size_t>::max();
};

/// At most as many lines, of at most as many columns, as `size` has. What does not fit is summed up: "… and 212 more
/// zombies". `target` says what is waited for: "port 8888".
Lines picture(const Snapshot& snapshot, const std::string& target, Size size = {});

}  // namespace xray
