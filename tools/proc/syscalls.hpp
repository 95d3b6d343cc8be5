// The names of the system calls that a server, a client or a tool may be found blocked in (syscalls(2)).
#pragma once

namespace proc {

/// The name of the call with this number on the architecture that the program was compiled for; null when the table
/// lacks it. A call with two numbers has one name: ppoll_time64 of a 32-bit system is "ppoll" as well.
const char* syscall_name(long number);

}  // namespace proc
