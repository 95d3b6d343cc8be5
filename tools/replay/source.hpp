// Finds the source line that a process is at. elfutils' libdw unwinds the stack, through inlined functions and through
// the frame that the kernel makes for a signal handler.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

struct Dwfl;

namespace replay {

/// A line in one of the program's own source files: in or below the current folder, or with a relative path.
struct Place {
    std::string file;  ///< relative to the current folder
    int line = 0;
    bool operator==(const Place&) const = default;
};

class Sources {
public:
    Sources();
    ~Sources();

    /// The source lines of a stopped process, the innermost first. Empty without debug information, or when no line is
    /// in its own sources.
    std::vector<Place> places(pid_t process, pid_t thread);

    /// Call it when the process has executed another program.
    void forget(pid_t process);

private:
    struct Session;
    std::map<pid_t, std::unique_ptr<Session>> sessions_;
    std::string folder_;
};

}  // namespace replay
