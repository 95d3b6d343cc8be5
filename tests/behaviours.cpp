// diagnose's behaviours on servers that differ from every step, their evidence, and how diagnose recognises a server.
#include <map>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

Finding try_on(const Program& server, const char* name) { return find(behaviour(name), server); }

/// The findings of diagnose on a server that answers as `step` does, except for the given answers.
std::vector<Tried> answers_like(char step, const std::map<std::string, Answer>& others = {}) {
    std::vector<Tried> tried;
    for (const Behaviour& row : behaviours()) {
        const auto other = others.find(row.name);
        tried.push_back({&row, {other == others.end() ? row.expected[STEPS.find(step)] : other->second, ""}});
    }
    return tried;
}

}  // namespace

TEST_CASE("behaviour answers: is no when the response lacks its blank line") {
    CHECK(try_on(fixture("careless"), "answers") == no);
}

TEST_CASE("behaviour child closes listener: is no when the child keeps its copy") {
    CHECK(try_on(fixture("careless"), "child closes listener") == no);
}

TEST_CASE("behaviours: sheds load, drops silent clients and stops gracefully are yes for a server that does them") {
    CHECK(try_on(fixture("careful"), "sheds load") == yes);
    CHECK(try_on(fixture("careful"), "drops silent clients") == yes);
    CHECK(try_on(fixture("careful"), "stops gracefully") == yes);
}

TEST_CASE("find: the evidence says what was observed") {
    CHECK(try_on(built("step_f"), "reaps many").evidence == "16 children exited together, 15 are zombies");
    CHECK(try_on(built("step_e"), "survives SIGCHLD").evidence ==
          "it exited with 1: step_e: accept: Interrupted system call");
    CHECK(try_on(built("step_g"), "stops gracefully").evidence ==
          "while a client was being served, it was killed by signal 15 (Terminated)");
}

TEST_CASE("behaviour child closes listener: is yes when a child fails after its work, and the evidence says so") {
    const Program goes_on = {{"python3", "tests/fixtures/misfit.py", "its children go on"}};
    const Finding finding = try_on(goes_on, "child closes listener");
    CHECK(finding == yes);
    CHECK(finding.evidence ==
          "its child, at work, has no copy of the listening socket; but when it has served its client, it exits "
          "with 1: OSError: [Errno 9] Bad file descriptor");
}

TEST_CASE("server: until() gives up on a process that runs all the time, and state() says so") {
    Server server(Program{{"python3", "tests/fixtures/misfit.py", "never rests"}});
    Client client(server.port());
    client.ask();
    CHECK_FALSE(server.until([] { return false; }));
    CHECK(server.state() ==
          "pid " + std::to_string(server.acceptor()) + " is running all the time (a loop that does not end?)");
}

TEST_CASE("explanation: differs between a server that never waits and one that waits once per signal") {
    const auto rule_of = [](const char* step) {
        const Behaviour& row = behaviour("reaps many");
        return Tried{&row, find(row, built(step))}.explanation();
    };
    CHECK(rule_of("step_c") == "a child is a zombie until its parent waits for it");
    CHECK(rule_of("step_f") == "SIGCHLD is not queued, one wait() collects one child");
}

TEST_CASE("find: is undecided, with the reason in one line, when the server cannot be started") {
    const Finding finding = try_on({{"./no_such_server"}}, "answers");
    CHECK(finding == undecided);
    CHECK(finding.evidence == "cannot start ./no_such_server: No such file or directory");
}

TEST_CASE("learn: uses the second listening socket when only that one answers") {
    const Subject subject = learn({{"python3", "tests/fixtures/misfit.py", "listens twice"}});
    CHECK(subject.program.listening_socket == 1);
    CHECK(find(behaviour("answers"), subject) == yes);
}

TEST_CASE("learn: recognises how a server serves its clients") {
    const auto kind_of = [](const Program& program) { return std::string(in_words(learn(program).nature.kind)); };
    CHECK(kind_of(built("step_a")) == in_words(Kind::iterative));
    CHECK(kind_of(built("step_g")) == in_words(Kind::forks));
    CHECK(kind_of({{"python3", "tests/fixtures/event_loop.py"}}) == in_words(Kind::event_loop));
    CHECK(kind_of({{"python3", "tests/fixtures/threads.py"}}) == in_words(Kind::threads));
    CHECK(kind_of(fixture("preforking")) == in_words(Kind::workers));
    CHECK(kind_of({{"python3", "tests/fixtures/misfit.py", "has a socket for each worker"}}) ==
          in_words(Kind::workers));
}

TEST_CASE("behaviour sheds load: does not apply to workers that serve many clients each") {
    const Subject workers = learn({{"python3", "tests/fixtures/event_loop.py", "workers"}});
    CHECK(workers.nature.kind == Kind::workers);
    CHECK(find(behaviour("sheds load"), workers) == not_applicable);
}

TEST_CASE("behaviours: other rows are decided when a server does not speak HTTP and answers is no") {
    const Subject echo = learn({{"python3", "tests/fixtures/misfit.py", "echoes"}});
    CHECK(find(behaviour("answers"), echo) == no);
    CHECK(find(behaviour("closes"), echo) == yes);
    CHECK(find(behaviour("flat descriptors"), echo) == yes);
    CHECK(find(behaviour("slow request"), echo) == yes);
}

TEST_CASE("behaviour drops silent clients: does not apply to a server that speaks first") {
    const Subject greeting = learn({{"python3", "tests/fixtures/misfit.py", "greets"}});
    CHECK(greeting.nature.speaks_first);
    CHECK(find(behaviour("drops silent clients"), greeting) == not_applicable);
}

TEST_CASE("likeness: each step's column matches that step alone") {
    for (const char step : STEPS) {
        const Likeness like = likeness(answers_like(step));
        CHECK(like.steps == std::string(1, step));
        CHECK(like.differences.empty());
        CHECK(is_as_good(answers_like(step), step));
    }
}

TEST_CASE("verdict: names what a server has besides the nearest step, and what it lacks") {
    const auto verdict_on = [](const std::map<std::string, Answer>& others) {
        const std::vector<Tried> tried = answers_like('g', others);
        return verdict(likeness(tried), tried, Kind::forks);
    };
    CHECK(verdict_on({}) == "behaves like step_g");
    CHECK(verdict_on({{"sheds load", yes}}) == "behaves like step_g, and better: sheds load");
    CHECK(verdict_on({{"child closes listener", no}}) ==
          "behaves like step_g, but: a child keeps the listening socket");
    CHECK(verdict_on({{"sheds load", yes}, {"restarts at once", no}}) ==
          "behaves like step_g, and better: sheds load; but: it cannot be started again at once");
    CHECK(verdict_on({{"closes", undecided}}) == "behaves like step_g, undecided: closes");
}

TEST_CASE("verdict: names the kind and the faults of a server that matches no step") {
    const auto verdict_on = [](const std::map<std::string, Answer>& others) {
        const std::vector<Tried> tried = answers_like('a', others);
        return verdict(likeness(tried), tried, Kind::event_loop);
    };
    CHECK(verdict_on({{"concurrent", yes}}) ==
          "behaves like no step: it is an event loop, and no fault was found; lacks, as step_g does: drops silent "
          "clients, stops gracefully");
    CHECK(verdict_on({{"concurrent", yes}, {"idle when done", no}}) ==
          "behaves like no step: it is an event loop, but: it does not rest when there is nothing to do; lacks, as "
          "step_g does: drops silent clients, stops gracefully");
}

TEST_CASE("likeness: a server that fails a row from users' reports matches no step") {
    CHECK(likeness(answers_like('g', {{"survives rude clients", no}})).steps == "");
}

TEST_CASE("likeness: an undecided behaviour counts as a difference, unless a sleep hides it") {
    std::vector<Tried> tried = answers_like('b', {{"closes", undecided}});
    CHECK(likeness(tried).steps == "");
    for (Tried& row : tried) row.finding.is_hidden_by_sleep = row.finding == undecided;
    CHECK(likeness(tried).steps == "b");
    CHECK(likeness(answers_like('b', {{"sleeps before closing", undecided}})).steps == "");
}

TEST_CASE("likeness: a subset of behaviours can match several steps") {
    const Behaviour& reaps_one = behaviour("reaps one");
    CHECK(likeness({{&reaps_one, {no, ""}}}).steps == "cd");
    CHECK(likeness({{&reaps_one, {undecided, ""}}}).steps == "");
}

TEST_CASE("is_as_good: accepts a server better than the step, and a sleep only where the step sleeps") {
    CHECK(is_as_good(answers_like('g', {{"sheds load", yes}}), 'g'));
    CHECK(is_as_good(answers_like('g'), 'f'));
    CHECK_FALSE(is_as_good(answers_like('f'), 'g'));
    CHECK_FALSE(is_as_good(answers_like('g', {{"reaps one", not_applicable}}), 'g'));
    CHECK(is_as_good(answers_like('g', {{"sheds load", not_applicable}}), 'g'));
    CHECK_FALSE(is_as_good(answers_like('g', {{"slow request", no}}), 'g'));
    CHECK_FALSE(is_as_good(answers_like('g', {{"sleeps before closing", yes}}), 'g'));
}

TEST_CASE("mend_of: says what to change for every no, except for sleeps before closing") {
    for (const Behaviour& row : behaviours()) {
        CAPTURE(row.name);
        CHECK_FALSE(fault_of({&row, {no, ""}}).empty());
        CHECK(mend_of({&row, {no, ""}}).empty() == (std::string(row.name) == "sleeps before closing"));
    }
}
