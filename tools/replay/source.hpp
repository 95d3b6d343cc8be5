// Where in its source a process is: elfutils' libdw unwinds the stack, through inlined functions and through the frame
// that the kernel makes for a signal's handler.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

struct Dwfl;

namespace replay {

/// A place in a source file of the program's own: one below the folder that it was started in, or beside it.
struct Place {
    std::string file;  ///< as seen from the folder that the recorder was started in, where that is above it
    int line = 0;
    bool operator==(const Place&) const = default;
};

class Sources {
public:
    Sources();
    ~Sources();

    /// The places of a process that is stopped, the innermost first. Empty: no debug information, or none of its own.
    std::vector<Place> places(pid_t process, pid_t thread);

    /// The process has executed another program.
    void forget(pid_t process);

private:
    struct Session;
    std::map<pid_t, std::unique_ptr<Session>> sessions_;
    std::string folder_;
};

}  // namespace replay
