// Decides each behaviour, for any server, from the state that the kernel reports. A probe waits until a state is
// reached, never for a fixed time.
#pragma once

#include <iosfwd>
#include <string>

#include "nature.hpp"

namespace diagnose {

enum class Answer {
    yes,
    no,
    not_applicable,  ///< for example, a server without children has none to reap
    undecided,  ///< the state that would decide it was not reached
};

const char* in_words(Answer answer);  ///< "yes", "no", "not applicable", "undecided"

/// An answer, and the evidence for it, in one line.
struct Finding {
    Answer answer = Answer::undecided;
    std::string evidence;
    std::string rule = {};  ///< the rule that explains this no, if it differs from the table's
    bool is_hidden_by_sleep = false;  ///< undecided because the process that would decide it sleeps

    bool operator==(Answer expected) const { return answer == expected; }
};

std::ostream& operator<<(std::ostream& out, Answer answer);  ///< "yes", "no", "–", "?"
std::ostream& operator<<(std::ostream& out, const Finding& finding);

/// The rule that explains a no in several rows.
constexpr const char* ZOMBIE = "a child is a zombie until its parent waits for it";

// Each probe starts the program again and leaves no process behind. It sets SLEEP=0, except in `sleeps_before_closing`,
// and TIMEOUT=600, except in `drops_silent_clients`. The table (behaviours.cpp) says what each means. Throws what
// Server and Client throw.

Finding answers(const Subject& subject);
Finding concurrent(const Subject& subject);
Finding sleeps_before_closing(const Subject& subject);
Finding closes(const Subject& subject);
Finding flat_descriptors(const Subject& subject);
Finding descriptor_limit(const Subject& subject);
Finding child_closes_listener(const Subject& subject);
Finding survives_sigchld(const Subject& subject);
Finding reaps_one(const Subject& subject);
Finding reaps_many(const Subject& subject);
Finding process_limit(const Subject& subject);
Finding sheds_load(const Subject& subject);
Finding drops_silent_clients(const Subject& subject);
Finding stops_gracefully(const Subject& subject);

Finding survives_rude_clients(const Subject& subject);
Finding slow_request(const Subject& subject);
Finding idle_when_done(const Subject& subject);
Finding child_exits(const Subject& subject);
Finding restarts_at_once(const Subject& subject);

}  // namespace diagnose
