// Writes system calls as text, and selects those that a reader wants to see.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "tracer.hpp"

namespace replay {

struct ShownCall {
    std::string name;
    std::string arguments;  ///< "3, NULL, NULL"
    int descriptor = -1;  ///< the descriptor that the call uses; -1: none
};

/// The call that a stopped process has entered or left; the arguments are read from its memory. Empty for calls that
/// are not shown: about memory, files, or the loading of the program.
std::optional<ShownCall> shown_call(const Tracee& tracee);

/// "EINTR", "ECHILD"; the number of an error that the C library does not know.
std::string error_name(int number);

/// "SIGCHLD"; the number of a signal that the C library does not know.
std::string signal_name(int number);

/// Whether the result makes the kernel restart the call after a signal (ERESTARTSYS …). Only a tracer sees such
/// results, never the program.
bool is_restart(const Call& call);

}  // namespace replay
