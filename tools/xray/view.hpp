// Which part of the picture is shown: all of it summed up, until the user scrolls.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "model.hpp"
#include "picture.hpp"
#include "screen.hpp"

namespace xray {

class View {
public:
    explicit View(std::string target) : target_(std::move(target)) {}

    /// Does what the key asks for: from the top the picture is summed up to fit; below, its lines are shown as they
    /// are.
    void press(Key key);

    /// The lines for a window of this size.
    Lines lines(const Snapshot& snapshot, Size size);

    /// The line below them, once lines() was called: "port 8888   q quits   ? help".
    std::string footer() const;

private:
    std::string target_;
    bool shows_help_ = false;
    std::size_t first_ = 0;  ///< line that is shown
    std::size_t last_ = 0;
    std::size_t count_ = 0;  ///< of lines that the picture has
    std::size_t page_ = 1;  ///< how many lines are shown at once
};

}  // namespace xray
