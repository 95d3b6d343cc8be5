// The names of the system calls that a server, a client or a tool may be found blocked in (syscalls(2)).
#pragma once

namespace proc {

/// The name of the call with this number on the architecture that this was compiled for; null for a call that is not
/// in the table. A call that has two numbers has one name: what a 32-bit system calls ppoll_time64 is "ppoll" as well.
const char* syscall_name(long number);

}  // namespace proc
