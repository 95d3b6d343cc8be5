// Every behaviour can be answered with yes and with no. Most rows of the table show both; here are servers for the
// others, and the means by which the harness itself keeps its word.
#include "support.hpp"

TEST_CASE("answers: no, when the answer lacks its blank line") { CHECK(answers(fixture("careless")) == no); }

TEST_CASE("child lets go: no, when it keeps its copy") { CHECK(child_lets_go(fixture("careless")) == no); }

TEST_CASE("sheds load: yes, when a client without a process is refused") {
    CHECK(sheds_load(fixture("careful")) == yes);
}

TEST_CASE("drops the silent: yes, when recv has a timeout") { CHECK(drops_the_silent(fixture("careful")) == yes); }

TEST_CASE("stops gracefully: yes, when SIGTERM lets it finish") { CHECK(stops_gracefully(fixture("careful")) == yes); }

TEST_CASE("the evidence is what was seen") {
    const auto evidence_of = [](const Finding& finding) { return finding.evidence; };
    CHECK(evidence_of(reaps_many(built("step_f"))) == "16 children exited together, 15 are zombies");
    CHECK(evidence_of(survives_sigchld(built("step_e"))) ==
          "it exited with 1: step_e: accept: Interrupted system call");
    CHECK(evidence_of(stops_gracefully(built("step_g"))) ==
          "while a client was being served, it was killed by signal 15 (Terminated)");
}
