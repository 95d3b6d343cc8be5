#include "view.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "model.hpp"
#include "picture.hpp"
#include "screen.hpp"

namespace xray {
namespace {

Lines help_lines() {
    Lines lines = {{0, {{"Keys", Style::title}}}};
    for (const char* const text :
         {"Up, Down, k, j          a line up or down", "PgUp, PgDn, b, blank    a page up or down",
          "Home, End, g, G         the first line, the last line",
          "? or h                  this page; any key leaves it", "q, Ctrl-C               end xray"}) {
        lines.push_back({2, {{text, Style::plain}}});
    }
    lines.push_back({0, {{"What it shows", Style::title}}});
    for (const char* const text :
         {"references: 2           two descriptors refer to this socket; close ends it when it is 0",
          "queue 1 of 5            one client waits for accept, and the backlog is 5",
          "SIGCHLD: pending: 1     sent and not delivered; one, however many children exited",
          "zombie                  it has exited, and its parent has not waited for it",
          "> and look up           what is seen means, and where the article explains it"}) {
        lines.push_back({2, {{text, Style::plain}}});
    }
    return lines;
}

}  // namespace

void View::press(Key key) {
    if (std::exchange(shows_help_, key == Key::help && !shows_help_)) return;
    const std::size_t end = count_ - std::min(count_, page_);
    const auto back = [&](std::size_t lines) { first_ -= std::min(first_, lines); };
    if (key == Key::up) back(1);
    if (key == Key::page_up) back(page_);
    if (key == Key::top) first_ = 0;
    if (key == Key::down) first_ = std::min(first_ + 1, end);
    if (key == Key::page_down) first_ = std::min(first_ + page_, end);
    if (key == Key::bottom) first_ = end;
}

Lines View::lines(const Snapshot& snapshot, Size size) {
    page_ = std::max<std::size_t>(size.lines, 1);
    Lines all = picture(snapshot, target_, {std::numeric_limits<std::size_t>::max(), size.columns});
    count_ = all.size();
    first_ = std::min(first_, count_ - std::min(count_, page_));
    last_ = std::min(count_, first_ + page_);
    if (shows_help_) {
        Lines help = help_lines();
        help.resize(std::min(help.size(), size.lines));
        return help;
    }
    if (first_ == 0) return count_ <= page_ ? std::move(all) : picture(snapshot, target_, size);
    return {all.begin() + static_cast<std::ptrdiff_t>(first_), all.begin() + static_cast<std::ptrdiff_t>(last_)};
}

std::string View::footer() const {
    std::string text = target_ + "   q quits   ? help";
    if (first_ > 0) {
        text +=
            "   lines " + std::to_string(first_ + 1) + "-" + std::to_string(last_) + " of " + std::to_string(count_);
    } else if (count_ > page_) {
        text += "   Down: more";
    }
    return text;
}

}  // namespace xray
