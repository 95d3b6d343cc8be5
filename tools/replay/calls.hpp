// System calls in words: which of them a reader wants to see, and with which arguments.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "tracer.hpp"

namespace replay {

struct ShownCall {
    std::string name;
    std::string arguments;  ///< "3, NULL, NULL"
    int descriptor = -1;  ///< that it is about; -1: none
};

/// The call that a stopped process has begun or ended, read from its memory. Nothing for one that is of no interest
/// here: about memory, files, or how the program was loaded.
std::optional<ShownCall> shown_call(const Tracee& tracee);

/// "EINTR", "ECHILD"; of an error that the C library does not know its number.
std::string error_name(int number);

/// "SIGCHLD"; of a signal that the C library does not know its number.
std::string signal_name(int number);

/// Whether the result is one of those by which the kernel tells itself to call again after a signal (ERESTARTSYS …):
/// a tracer sees them, and no program does.
bool is_restart(const Call& call);

}  // namespace replay
