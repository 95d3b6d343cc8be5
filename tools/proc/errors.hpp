// What no look at a process can do without: /proc, and a descriptor for as long as the look lasts.
#pragma once

namespace proc {

/// Throws std::runtime_error when /proc does not show this process: it is not mounted, or it is that of another pid
/// namespace, in which the same pids are those of other processes (pid_namespaces(7)).
void require_proc();

/// For a call that wanted a descriptor and has failed. Throws std::runtime_error, which says what helps, when errno
/// tells that there is none left (EMFILE, ENFILE). A file that cannot be opened for want of a descriptor must not be
/// taken for one that is not there: then every process would seem to have ended.
void require_descriptor(const char* call);

}  // namespace proc
