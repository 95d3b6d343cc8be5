// A snapshot as lines of text, for a terminal of any size or for plain output. The caller decides how a style is
// displayed. The text is complete without styles.
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
    quiet,  ///< text that is always shown
    good,  ///< a connection that is served, a process that is ready
    warning,  ///< a client waits, or a limit is nearly reached
    alarm,  ///< a zombie, a leftover copy, the end of the server
    lesson,
};

/// A piece of a line, in one style.
struct Segment {
    std::string text;  ///< ASCII, except for "…"
    Style style = Style::plain;

    bool operator==(const Segment&) const = default;
};

/// Segments, shown with three spaces between them.
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

/// The lines of the picture, cut to the lines and columns of `size`. A summary replaces what does not fit: "… and 212
/// more zombies". `target` names the awaited server: "port 8888".
Lines picture(const Snapshot& snapshot, const std::string& target, Size size = {});

}  // namespace xray
