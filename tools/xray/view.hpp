// Chooses the part of the picture that is shown: a summary that fits, until the user scrolls.
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

    /// Handles a key. At the top the picture is summarised to fit; after scrolling down all its lines are shown.
    void press(Key key);

    /// The lines for a window of this size.
    Lines lines(const Snapshot& snapshot, Size size);

    /// The footer for the last result of lines(): "port 8888   q quits   ? help".
    std::string footer() const;

private:
    std::string target_;
    bool shows_help_ = false;
    std::size_t first_ = 0;  ///< the first line that is shown
    std::size_t last_ = 0;
    std::size_t count_ = 0;  ///< the number of lines in the picture
    std::size_t page_ = 1;  ///< the number of lines shown at once
};

}  // namespace xray
