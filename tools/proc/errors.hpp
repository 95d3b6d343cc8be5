// Checks for what reading a process's state needs: /proc, and a free descriptor.
#pragma once

namespace proc {

/// Throws std::runtime_error when /proc does not show this process. Either it is not mounted, or it belongs to another
/// pid namespace, where the same pids mean other processes (pid_namespaces(7)).
void require_proc();

/// Call it when a call that needs a descriptor has failed. If errno is EMFILE or ENFILE, it throws std::runtime_error,
/// which says what helps. Without this check a file that could not be opened would count as missing, and every process
/// would seem to have exited.
void require_descriptor(const char* call);

}  // namespace proc
