// replay: its recordings of the steps and of other servers, and its errors. replay.py tests the page.
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "json.hpp"
#include "support.hpp"

namespace {

Program replay_with(std::vector<std::string> arguments) {
    Program program = built("replay");
    program.command.insert(program.command.end(), arguments.begin(), arguments.end());
    return program;
}

/// Runs ./replay --json, and reads the recording.
class Recorded {
public:
    explicit Recorded(std::vector<std::string> command, const Program& environment = {{}}) {
        char path[] = "/tmp/replayXXXXXX";
        close(mkstemp(path));
        command.insert(command.begin(), {"--json", "-o", path});
        Program program = replay_with(command);
        program.environment.insert(environment.environment.begin(), environment.environment.end());
        const Ended ended(program);
        said = ended.out + ended.err;
        CHECK_MESSAGE(ended.fate == "exited with 0", said);
        std::ifstream file(path);
        json_ = ParsedJson({std::istreambuf_iterator<char>(file), {}});
        std::remove(path);
        while (has("/steps/" + std::to_string(steps))) ++steps;
    }

    std::string at(const std::string& pointer) const { return json_.at(pointer); }
    bool has(const std::string& pointer) const { return json_.has(pointer); }
    std::string step(std::size_t number, const std::string& what) const {
        const std::string pointer = "/steps/" + std::to_string(number) + '/' + what;
        return has(pointer) ? at(pointer) : "";
    }
    /// The first step from `from` on whose members have these values; `steps` when there is none.
    std::size_t find(const std::map<std::string, std::string>& wanted, std::size_t from = 0) const {
        for (; from < steps; ++from) {
            bool fits = true;
            for (const auto& [what, value] : wanted) fits = fits && step(from, what) == value;
            if (fits) break;
        }
        return from;
    }
    std::size_t count(const std::map<std::string, std::string>& wanted) const {
        std::size_t found = 0;
        for (std::size_t i = find(wanted); i < steps; i = find(wanted, i + 1)) ++found;
        return found;
    }
    /// How many processes are in this state at a step.
    std::size_t in_state(std::size_t number, const std::string& state) const {
        std::size_t found = 0;
        for (std::size_t i = 0; !step(number, "seen/processes/" + std::to_string(i)).empty(); ++i) {
            const std::string index = step(number, "seen/processes/" + std::to_string(i));
            if (at("/pool/" + index + "/state") == state) ++found;
        }
        return found;
    }
    std::string sockets(std::size_t number) const { return at("/pool/" + step(number, "seen/sockets")); }
    std::string client(std::size_t number, int index) const {
        return at("/pool/" + step(number, "seen/clients/" + std::to_string(index)) + "/state");
    }
    std::string main_process(std::size_t number, const std::string& what) const {
        const std::string pointer = "/pool/" + step(number, "seen/processes/0") + '/' + what;
        return has(pointer) ? at(pointer) : "";
    }

    std::string said;
    std::size_t steps = 0;

private:
    ParsedJson json_;
};

bool contains(const std::string& text, const std::string& wanted) { return text.find(wanted) != std::string::npos; }

std::string path_of(const char* step) { return built(step).command.front(); }

}  // namespace

TEST_CASE("replay: shows step_a's second client in the queue while the server is in recv") {
    const Recorded run({path_of("step_a")});
    const std::size_t second = run.find({{"kind", "connect"}, {"client", "1"}});
    REQUIRE(second < run.steps);
    CHECK(run.main_process(second, "call") == "recv");
    CHECK(contains(run.sockets(second), "\"backlog\":5"));
    CHECK(contains(run.sockets(second), "\"queue\":[\"client 2\"]"));
    CHECK(run.client(run.steps - 1, 0) == "ended");
    CHECK(run.client(run.steps - 1, 1) == "ended");
}

TEST_CASE("replay: shows step_b's second client in the queue while the server sleeps") {
    const Recorded run({path_of("step_b")});
    const std::size_t second = run.find({{"kind", "connect"}, {"client", "1"}});
    REQUIRE(second < run.steps);
    CHECK(run.main_process(second, "call") == "clock_nanosleep");
    CHECK(contains(run.sockets(second), "\"queued\":1"));
    CHECK(run.client(second, 0) == "answered");
}

TEST_CASE("replay: shows step_c serving two clients at once and leaving two zombies") {
    const Recorded run({path_of("step_c")});
    CHECK(run.count({{"kind", "fork"}}) == 2);
    const std::size_t sleeps = run.find({{"kind", "blocks"}, {"name", "clock_nanosleep"}});
    CHECK(run.find({{"kind", "blocks"}, {"name", "clock_nanosleep"}}, sleeps + 1) < run.find({{"kind", "exit"}}));
    CHECK(run.in_state(run.steps - 1, "zombie") == 2);
    CHECK(run.main_process(run.steps - 1, "call") == "accept");
    CHECK(run.count({{"kind", "signal"}}) == 0);  // without a handler, only the tracer sees SIGCHLD
}

TEST_CASE("replay: shows that step_d keeps each connection open, and that its clients see no end") {
    const Recorded run({path_of("step_d")});
    const std::size_t last = run.steps - 1;
    CHECK(run.in_state(last, "zombie") == 2);
    CHECK(count_in(run.sockets(last), "\"kind\":\"connection\"") == 2);
    CHECK(count_in(run.sockets(last), "\"references\":1") == 3);  // two connections and the listening socket
    CHECK(run.client(last, 1) == "answered");
    CHECK(count_in(run.sockets(run.find({{"kind", "fork"}})), "\"references\":2") == 2);
}

TEST_CASE("replay: shows that step_e's accept is interrupted, and that the server exits") {
    const Recorded run({path_of("step_e")});
    const std::size_t delivered = run.find({{"kind", "signal"}, {"name", "SIGCHLD"}, {"interrupted", "accept"}});
    const std::size_t reaped = run.find({{"name", "waitpid"}}, delivered);
    const std::size_t returned = run.find({{"kind", "handler returns"}, {"error", "EINTR"}}, reaped);
    REQUIRE(returned < run.steps);
    CHECK(run.in_state(reaped, "zombie") == 0);
    CHECK(run.step(run.steps - 1, "kind") == "exit");
    CHECK(run.step(run.steps - 1, "who") == "0");
    CHECK(run.step(run.steps - 1, "status") == "1");
    CHECK(contains(run.at("/output"), "step_e: accept: Interrupted system call"));
}

TEST_CASE("replay: shows one pending signal and two zombies when three children of step_f exit together") {
    const Recorded run({path_of("step_f")});
    std::size_t exited = 0;
    for (int i = 0; i < 3; ++i) {
        exited = run.find({{"kind", "exit"}}, exited + 1);
        CHECK(run.main_process(exited, "pending") == "true");
    }
    CHECK(run.count({{"kind", "signal"}}) == 1);
    CHECK(run.in_state(exited, "zombie") == 3);
    CHECK(run.in_state(run.steps - 1, "zombie") == 2);
    CHECK(run.main_process(run.steps - 1, "call") == "accept");
}

TEST_CASE("replay --as: lets the clients of a step meet another server") {
    const Recorded run({"--as", path_of("step_f"), "/usr/bin/env", path_of("step_f")});
    CHECK(contains(run.said, " and 3 clients"));
    CHECK(run.in_state(run.steps - 1, "zombie") == 2);
}

TEST_CASE("replay: shows one signal and no zombie when three children of step_g exit together") {
    const Recorded run({path_of("step_g")});
    CHECK(run.count({{"kind", "signal"}}) == 1);
    CHECK(run.in_state(run.find({{"kind", "signal"}}), "zombie") == 3);
    CHECK(run.in_state(run.steps - 1, "zombie") == 0);
    CHECK(run.count({{"name", "waitpid"}, {"kind", "call"}}) == 4);
}

TEST_CASE("replay: finds a call's line in the step's own file, through inlining and through the handler") {
    const Recorded run({path_of("step_e")});
    std::ifstream file("step_e_sigchld/webserver3e.cpp");
    std::vector<std::string> lines(1);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    const auto line_at = [&](std::size_t number) {  // the text of the innermost line in webserver3e.cpp
        for (int i = 0;; ++i) {
            const std::string place = "at/" + std::to_string(i);
            if (run.step(number, place).empty()) return std::string("none");
            const std::string source = run.at("/sources/" + run.step(number, place + "/0") + "/name");
            if (contains(source, "webserver3e.cpp")) return lines.at(std::stoul(run.step(number, place + "/1")));
        }
    };
    const std::vector<std::pair<std::map<std::string, std::string>, std::string>> expected = {
        {{{"name", "socket"}}, "net::Socket listen_socket"},
        {{{"name", "bind"}}, "listen_socket.bind("},
        {{{"name", "listen"}}, "listen_socket.listen("},
        {{{"name", "sigaction"}}, "sigaction(SIGCHLD"},
        {{{"name", "accept"}}, "listen_socket.accept("},
        {{{"kind", "fork"}}, "fork()"},
        {{{"name", "recv"}}, "client_connection.recv("},
        {{{"name", "close"}, {"who", "1"}}, "listen_socket.close("},
        {{{"kind", "exit"}, {"who", "1"}}, "_exit(0)"},
        {{{"kind", "signal"}}, "listen_socket.accept("},
        {{{"name", "waitpid"}}, "wait(&status)"},
        {{{"kind", "handler returns"}}, "listen_socket.accept("},
    };
    for (const auto& test : expected) {
        const std::string& text = test.second;
        const std::size_t number = run.find(test.first);
        REQUIRE(number < run.steps);
        CHECK_MESSAGE(contains(line_at(number), text), line_at(number), " lacks ", text);
    }
}

TEST_CASE("replay: records any client, and a server in another language") {
    const Recorded clients({path_of("step_g"), "--", path_of("client3"), "--max-clients", "2"},
                           Program{{}}.with("PORT", "0"));
    CHECK(contains(clients.said, " steps of "));
    CHECK(contains(clients.at("/output"), "2 of 2 connections made"));
    CHECK(clients.in_state(clients.steps - 1, "zombie") == 0);
    const Recorded python({"/usr/bin/python3", "tests/fixtures/forking.py", "--", path_of("client3")},
                          Program{{}}.with("PORT", "0"));
    CHECK(contains(python.said, "no debug information"));
    CHECK(python.count({{"kind", "fork"}}) >= 1);
    CHECK(contains(python.at("/output"), "1 of 1 connections made"));
}

TEST_CASE("replay: shows a preforked worker serving a client while all processes hold the listening socket") {
    const Recorded run({fixture("preforking").command.front(), "--", path_of("client3")},
                       Program{{}}.with("PORT", "0"));
    CHECK(run.count({{"kind", "fork"}}) >= 4);  // client3 forks as well
    const std::size_t accepted = run.find({{"kind", "call"}, {"name", "accept"}, {"who", "1"}});
    REQUIRE(accepted < run.steps);
    CHECK(contains(run.sockets(accepted), "\"references\":5"));
    CHECK(run.find({{"kind", "blocks"}, {"name", "accept"}, {"who", "1"}}, accepted) < run.steps);
}

TEST_CASE("replay: reports wrong usage, and a server that does not start or exits before it accepts") {
    const auto says = [](std::vector<std::string> arguments, const std::string& error, const std::string& fate) {
        const Ended ended(replay_with(std::move(arguments)));
        CHECK_MESSAGE(contains(ended.err, error), ended.err);
        CHECK(ended.fate == fate);
    };
    says({}, "usage: replay", "exited with 2");
    says({"--unknown"}, "usage: replay", "exited with 2");
    says({path_of("step_a"), "--"}, "usage: replay", "exited with 2");
    says({"./no such program"}, "replay: cannot start ./no such program: No such file or directory", "exited with 1");
    says({"/bin/true"}, "the server ended before it accepted a client: it exited with 0", "exited with 1");
    says({path_of("step_a"), "more"},
         "the server ended before it accepted a client: it exited with 2: step_a: usage: ", "exited with 1");
    says({"--as", "my_server", path_of("step_a")}, "replay: my_server is no step of the article", "exited with 2");
    says({"--as", "step_f", path_of("step_a"), "--", path_of("client3")}, "usage: replay", "exited with 2");
}

TEST_CASE("replay: says what helps when ptrace is forbidden") {
    Program program = replay_with({path_of("step_a")});
    program.command.insert(program.command.begin(), fixture("no_ptrace").command.front());
    const Ended ended(program);
    CHECK_MESSAGE(contains(ended.err, "replay: ptrace: Operation not permitted"), ended.err);
    CHECK(contains(ended.err, "--cap-add=SYS_PTRACE"));
    CHECK(ended.fate == "exited with 1");
}

TEST_CASE("replay: writes the recording and ends the server when Ctrl-C is typed before a client connects") {
    char path[] = "/tmp/replayXXXXXX";
    close(mkstemp(path));
    Program program = replay_with({"--json", "-o", path, "/usr/bin/env", path_of("step_c")}).with("PORT", "0");
    Process recorder(program);
    pid_t server = -1;
    CHECK(recorder.until([&] {
        const std::vector<proc::Process> below = proc::descendants(recorder.pid());
        if (!below.empty()) server = below.front().pid;
        return server != -1 && proc::blocked_in(server) == "accept";
    }));
    kill(recorder.pid(), SIGINT);
    CHECK(recorder.until_ended());
    CHECK(contains(recorder.out(), "recorded "));
    CHECK_FALSE(proc::process(server));
    std::remove(path);
}
