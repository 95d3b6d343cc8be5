// How each behaviour is decided, for any server: from what the kernel says of it, and not by letting time pass. Wait
// until a state is reached, never for a while.
#pragma once

#include <iosfwd>
#include <string>

#include "../harness/program.hpp"

namespace diagnose {

using harness::Program;

enum class Answer {
    yes,
    no,
    not_applicable,  ///< a server without children, say, has none to reap
    undecided,  ///< the state that would decide it was not reached
};

const char* in_words(Answer answer);  ///< "yes", "no", "not applicable", "undecided"

/// An answer, and what was seen, in one line.
struct Finding {
    Answer answer = Answer::undecided;
    std::string evidence;
    std::string rule = {};  ///< behind this no, where it is another one than the table's

    bool operator==(Answer expected) const { return answer == expected; }
};

std::ostream& operator<<(std::ostream& out, Answer answer);  ///< "yes", "no", "–", "?"
std::ostream& operator<<(std::ostream& out, const Finding& finding);

/// The rule that stands behind more than one row.
constexpr const char* ZOMBIE = "a child is a zombie until its parent waits for it";

// Each starts the program afresh, with SLEEP=0 but for `sleeps_before_closing` and TIMEOUT=600 but for
// `drops_silent_clients`, and leaves nothing behind. What each means stands in the table (behaviours.cpp). Throws what
// Server and Client throw.

Finding answers(const Program& program);
Finding concurrent(const Program& program);
Finding sleeps_before_closing(const Program& program);
Finding closes(const Program& program);
Finding flat_descriptors(const Program& program);
Finding descriptor_limit(const Program& program);
Finding child_closes_listener(const Program& program);
Finding survives_sigchld(const Program& program);
Finding reaps_one(const Program& program);
Finding reaps_many(const Program& program);
Finding process_limit(const Program& program);
Finding sheds_load(const Program& program);
Finding drops_silent_clients(const Program& program);
Finding stops_gracefully(const Program& program);

}  // namespace diagnose
