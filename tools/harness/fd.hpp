// Owns a descriptor: the destructor closes it.
#pragma once

#include <unistd.h>

#include <utility>

namespace harness {

class Fd {
public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}  ///< takes ownership; -1: no descriptor
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Fd() { close(); }

    int number() const { return number_; }  ///< -1: none
    void close() noexcept {
        if (number_ != -1) ::close(std::exchange(number_, -1));
    }

private:
    int number_ = -1;
};

}  // namespace harness
