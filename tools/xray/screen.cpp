#include "screen.hpp"

#include <langinfo.h>
#include <ncurses.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "picture.hpp"

namespace xray {
namespace {

short color_of(Style style) {
    switch (style) {
        case Style::good:
            return COLOR_GREEN;
        case Style::warning:
            return COLOR_YELLOW;
        case Style::alarm:
            return COLOR_RED;
        case Style::lesson:
            return COLOR_CYAN;
        default:
            return -1;  // the default colour of the terminal
    }
}

constexpr Style STYLES[] = {Style::plain,   Style::title, Style::quiet, Style::good,
                            Style::warning, Style::alarm, Style::lesson};

/// Whether the terminal has a capability (terminfo(5)): tigetstr returns null, or -1, for a capability that it lacks.
bool can(const char* capability) {
    const auto found = reinterpret_cast<std::intptr_t>(tigetstr(capability));
    return found != 0 && found != -1;
}

short pair_of(Style style) { return static_cast<short>(static_cast<int>(style) + 1); }

bool wants_colors() {
    const char* const no_color = std::getenv("NO_COLOR");
    return !(no_color && *no_color);
}

}  // namespace

Screen::Screen() : terminal_(nullptr), is_utf8_(false) {
    std::setlocale(LC_ALL, "");
    is_utf8_ = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    terminal_ = newterm(nullptr, stdout, stdin);
    if (!terminal_) throw std::runtime_error("the terminal (TERM) is unknown: use --once, --json or --log");
    // Without the capability to move the cursor (terminfo(5), "cup") the screen would stay blank.
    if (!can("cup")) {
        endwin();
        delscreen(terminal_);
        throw std::runtime_error("this terminal (TERM) cannot be drawn on: use --once, --json or --log");
    }
    cbreak();
    keypad(stdscr, TRUE);
    set_escdelay(25);  // milliseconds to wait after Escape for the rest of an arrow key
    noecho();
    curs_set(0);
    nodelay(stdscr, TRUE);
    if (!wants_colors() || start_color() == ERR || !has_colors()) return;
    use_default_colors();
    has_colors_ = true;
    for (const Style style : STYLES) init_pair(pair_of(style), color_of(style), -1);
}

Screen::~Screen() {
    endwin();
    delscreen(terminal_);
}

Size Screen::size() const { return {static_cast<std::size_t>(LINES), static_cast<std::size_t>(COLS)}; }

void Screen::follow_window_size() {
    winsize window = {};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0) {
        resizeterm(window.ws_row, window.ws_col);
        clearok(stdscr, TRUE);
    }
}

void Screen::draw(const Lines& lines, const std::string& footer) {
    erase();
    int row = 0;
    for (const Line& line : lines) {
        int column = static_cast<int>(line.indent);
        for (const Segment& segment : line.segments) {
            std::string text = segment.text;
            if (const std::size_t dots = text.find("…"); !is_utf8_ && dots != std::string::npos) {
                text.replace(dots, std::strlen("…"), "...");
            }
            const bool is_bold = segment.style == Style::title || segment.style == Style::lesson;
            attr_set(is_bold ? A_BOLD : A_NORMAL, has_colors_ ? pair_of(segment.style) : short{0}, nullptr);
            mvaddstr(row, column, text.c_str());
            column = getcurx(stdscr) + 3;
        }
        ++row;
    }
    attr_set(A_NORMAL, 0, nullptr);
    mvaddnstr(LINES - 1, 0, footer.c_str(), COLS - 1);
    refresh();
}

Key Screen::key() {
    switch (getch()) {
        case ERR:
            return Key::none;
        case 'q':
        case 'Q':
            return Key::quit;
        case '?':
        case 'h':
            return Key::help;
        case KEY_UP:
        case 'k':
            return Key::up;
        case KEY_DOWN:
        case 'j':
            return Key::down;
        case KEY_PPAGE:
        case 'b':
            return Key::page_up;
        case KEY_NPAGE:
        case ' ':
            return Key::page_down;
        case KEY_HOME:
        case 'g':
            return Key::top;
        case KEY_END:
        case 'G':
            return Key::bottom;
        default:
            return Key::other;
    }
}

}  // namespace xray
