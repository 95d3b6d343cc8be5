// Shows lines in colour on the terminal, and restores the terminal at the end.
#pragma once

#include <string>

#include "picture.hpp"

// ncurses.h is full of macros: it stays in screen.cpp.
struct screen;

namespace xray {

enum class Key { none, quit, help, up, down, page_up, page_down, top, bottom, other };

/// Takes over the terminal on standard input and output. Uses colours unless NO_COLOR is set and not empty
/// (no-color.org), or the terminal has none.
class Screen {
public:
    /// Throws std::runtime_error when the terminal (TERM) is unknown, or cannot be drawn on (TERM=dumb).
    Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen();

    Size size() const;
    void follow_window_size();  ///< call it after SIGWINCH

    /// Shows the lines, and `footer` in the last line of the screen.
    void draw(const Lines& lines, const std::string& footer);

    /// The next key that was pressed.
    Key key();

private:
    screen* terminal_;
    bool has_colors_ = false;
    bool is_utf8_;
};

}  // namespace xray
