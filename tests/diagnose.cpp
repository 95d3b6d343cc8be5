// The program diagnose: its lines, its options, its exit status. `make mutants` tests what it says of servers that are
// wrong on purpose, and of servers in other languages.
#include <sys/resource.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "json.hpp"
#include "support.hpp"

namespace {

/// Runs diagnose with these arguments until it exits. Its rows have two minutes, which a slow machine may need.
Ended run_diagnose(const std::vector<std::string>& arguments) {
    Program program = built("diagnose");
    program.patience = std::chrono::minutes(3);
    program.command.insert(program.command.end(), arguments.begin(), arguments.end());
    return Ended(program);
}

std::string step(char letter) { return built(std::string("step_") + letter).command.front(); }

std::string last_line(const std::string& text) {
    const std::size_t end = text.rfind('\n', text.size() - 2);
    return text.substr(end == std::string::npos ? 0 : end + 1);
}

}  // namespace

TEST_CASE("diagnose: prints a line for each behaviour, and names the step in the last line") {
    const Ended said = run_diagnose({step('f')});
    CHECK(said.fate == "exited with 0");
    CHECK(said.err == "");
    CHECK(count_in(said.out, "\n") == behaviours().size() + 4);
    CHECK(said.out.find("\n\nwhat users report of real servers:\nsurvives rude clients  yes   ") != std::string::npos);
    CHECK(said.out.starts_with("answers                yes   200 OK and the page\n"));
    CHECK(said.out.find(
              "\nreaps many             no    16 children exited together, 15 are zombies: SIGCHLD is not queued, one "
              "wait() collects one child\n") != std::string::npos);
    CHECK(last_line(said.out) == "behaves like step_f\n");
}

TEST_CASE("diagnose: names the nearest step and the differences when a server matches no step") {
    const Ended said = run_diagnose({fixture("careless").command.front()});
    CHECK(said.fate == "exited with 1");
    CHECK(
        last_line(said.out) ==
        "behaves like step_c, but: it does not answer; it does not sleep before it closes the connection; a child keeps the "
        "listening socket; it cannot be started again at once\n");
}

TEST_CASE("diagnose --expect: succeeds when the server is at least as good as the step") {
    const auto expecting = [&](const std::string& expected) {
        return run_diagnose({"--only", "reaps many", "--expect", expected, step('g')}).fate;
    };
    CHECK(expecting("g") == "exited with 0");
    CHECK(expecting("step_g") == "exited with 0");
    CHECK(expecting("f") == "exited with 0");
    CHECK(run_diagnose({"--only", "reaps many", "--expect", "g", step('f')}).fate == "exited with 1");
}

TEST_CASE("diagnose --only: tries the given behaviours alone") {
    const Ended said = run_diagnose({"--only", "reaps many", "--only=reaps one", step('f')});
    CHECK(said.fate == "exited with 0");
    CHECK(said.out.starts_with("reaps many             no    "));
    CHECK(said.out.find("\nreaps one              yes   ") != std::string::npos);
    CHECK(last_line(said.out) == "behaves like step_f\n");
    CHECK(last_line(run_diagnose({"--only", "reaps one", step('d')}).out) == "behaves like step_c or step_d\n");
}

TEST_CASE("diagnose --json: prints one object") {
    const Ended said = run_diagnose({"--json", "--only=child closes listener", step('g')});
    CHECK(said.fate == "exited with 0");
    const std::pair<const char*, std::string> values[] = {
        {"/command", "[\"" + step('g') + "\"]"},
        {"/behaviours/0/name", "child closes listener"},
        {"/behaviours/0/description", "a child for one client holds no copy of the listening socket"},
        {"/behaviours/0/answer", "yes"},
        {"/behaviours/0/evidence", "its child, at work, has no copy of the listening socket"},
        {"/behaviours/0/explanation",
         "fork copies all descriptors, and the socket listens until the last one is closed"},
        {"/recognised", "true"},
        {"/steps", R"(["step_c","step_d","step_e","step_f","step_g"])"},
        {"/nearest", "step_g"},
        {"/differences", "[]"}};
    for (const auto& [pointer, value] : values) CHECK(json_at(said.out, pointer) == value);
    CHECK_THROWS(json_at(said.out, "/behaviours/1"));
}

TEST_CASE("diagnose --explain: says what to change, and where that is shown") {
    const Ended said = run_diagnose({"--explain", "--only=reaps many", step('f')});
    CHECK(said.out.find(
              "to mend it: call waitpid(-1, …, WNOHANG) until it returns no more: step_g_waitpid/README.md, make "
              "exercise_7\n") != std::string::npos);
}

TEST_CASE("diagnose --path: answers is yes for a 404, and for a page that exists") {
    const std::vector<std::string> server = {"python3", "-c",
                                             "import http.server, os\n"
                                             "http.server.test(http.server.SimpleHTTPRequestHandler, bind='127.0.0.1', "
                                             "port=int(os.environ['PORT']))"};
    const auto asking = [&](const std::string& path) {
        std::vector<std::string> arguments = {"--only=answers", "--path=" + path};
        arguments.insert(arguments.end(), server.begin(), server.end());
        return run_diagnose(arguments).out;
    };
    CHECK(asking("/hello").starts_with(
        "answers                yes   it answered \"HTTP/1.0 404 File not found\" to a request for /hello\n"));
    CHECK(asking("/README.md").starts_with("answers                yes   200 OK and the page\n"));
}

TEST_CASE("diagnose --port: expects the server on that port each time it starts") {
    const int port = Server(built("step_a")).port();
    const Ended said = run_diagnose({"--port", std::to_string(port), "--only=restarts at once", "sh", "-c",
                                     "PORT=" + std::to_string(port) + " exec " + step('a')});
    CHECK(said.out.find("\nrestarts at once       yes   killed with clients, it listened again at once on port " +
                        std::to_string(port) + "\n") != std::string::npos);
}

TEST_CASE("diagnose --junit: writes a case for each row, which fails when the row is worse than the step's") {
    const std::string file = folder("BUILD", "build") + "/junit.xml";
    CHECK(run_diagnose({"--junit", file, "--expect=g", "--only=reaps many", step('f')}).fate == "exited with 1");
    std::ifstream in(file);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    CHECK(text.find("<testsuite name=\"diagnose\" tests=\"1\" failures=\"1\" errors=\"0\">") != std::string::npos);
    CHECK(text.find("<failure message=\"16 children exited together, 15 are zombies\">") != std::string::npos);
}

TEST_CASE("diagnose: names the server's address when the server cannot be reached at 127.0.0.1") {
    const Ended said = run_diagnose({"python3", "-c",
                                     "import socket, time\n"
                                     "s = socket.create_server(('127.0.0.2', 0))\ntime.sleep(600)"});
    CHECK(said.fate == "exited with 3");
    CHECK(said.err.find(" listens on 127.0.0.2:") != std::string::npos);
}

TEST_CASE("diagnose --json: escapes control characters, and replaces bytes that are not UTF-8") {
    const Ended said = run_diagnose({"--json", "sh", "-c", "printf '\"\\\\\\001\\n\\377\\303\\244\\n' >&2; exit 1"});
    CHECK(said.fate == "exited with 3");
    CHECK(json_at(said.out, "/error").ends_with("stderr: \"\\\001\n\xEF\xBF\xBDä\n"));
}

TEST_CASE("diagnose: exits with 2 and the reason when its arguments are wrong") {
    const auto refused = [](const std::vector<std::string>& arguments, const std::string& reason) {
        const Ended said = run_diagnose(arguments);
        CHECK(said.fate == "exited with 2");
        CHECK(said.out == "");
        CHECK(said.err.find("diagnose: " + reason) != std::string::npos);
    };
    refused({}, "no server: diagnose [OPTION…] COMMAND [ARG…]\n");
    refused({"--expect", "z", step('g')}, "--expect takes a letter from a to h, got \"z\"\n");
    refused({"--expect", "", step('g')}, "--expect takes a letter from a to h, got \"\"\n");
    refused({"--only", "reap many", step('g')}, "no behaviour is called \"reap many\"\n");
    refused({"--no-such-option", step('g')}, "diagnose --help tells the options\n");
    CHECK(run_diagnose({"--help"}).out.starts_with("usage: diagnose "));
}

TEST_CASE("diagnose: leaves the options after the server's command to the server") {
    const Ended said = run_diagnose({"sh", "--json"});
    CHECK(said.fate == "exited with 3");
    CHECK(said.out == "");
}

TEST_CASE("diagnose: exits with 3 when the server does not start or does not listen") {
    const Ended missing = run_diagnose({"./no_such_server"});
    CHECK(missing.fate == "exited with 3");
    CHECK(missing.err == "diagnose: cannot start ./no_such_server: No such file or directory\n");
    const Ended ended = run_diagnose({"sh", "-c", "echo the reason >&2; exit 5"});
    CHECK(ended.fate == "exited with 3");
    CHECK(ended.err.find("does not listen: it exited with 5\n") != std::string::npos);
    CHECK(ended.err.find("stderr: the reason\n") != std::string::npos);
    CHECK(run_diagnose({"sleep", "600"}).fate == "exited with 3");
}

TEST_CASE("diagnose: reports the limit and exits when it has too few descriptors") {
    for (const rlim_t descriptors : {5U, 7U, 9U, 10U, 11U, 12U, 14U, 20U}) {
        Program program = built("diagnose");
        program.command.insert(program.command.end(), {"--only=answers", "--only=reaps many", step('g')});
        program.max_descriptors = descriptors;
        Process diagnosis(program);
        CAPTURE(descriptors);
        CHECK(diagnosis.until_ended());
        CHECK(diagnosis.fate() != "exited with 0");
        CHECK((diagnosis.out() + diagnosis.err())
                  .find(": Too many open files. This process may have no more than " + std::to_string(descriptors)) !=
              std::string::npos);
        CHECK(diagnosis.out().find("  no  ") == std::string::npos);  // a lack of descriptors decides nothing
        CHECK(diagnosis.alive().empty());
    }
}

TEST_CASE("diagnose --json: marks its report as interrupted when SIGINT ends it") {
    Program program = built("diagnose");
    program.command.insert(program.command.end(), {"--json", step('g')});
    Process diagnosis(program);
    CHECK(diagnosis.until([&] { return !diagnosis.alive().empty() && diagnosis.alive().size() > 3; }));
    diagnosis.signal(SIGINT);
    CHECK(diagnosis.until_ended());
    CHECK(diagnosis.fate() == "exited with 130");
    CHECK(json_at(diagnosis.out(), "/interrupted") == "true");
    CHECK(json_at(diagnosis.out(), "/recognised") == "false");
}

TEST_CASE("diagnose: ends the server too when a signal ends it, also with few descriptors") {
    for (const int signal : {SIGINT, SIGTERM}) {
        Program program = built("diagnose");
        program.command.push_back(step('g'));
        if (signal == SIGTERM) program.max_descriptors = 20;
        Process diagnosis(program);
        CAPTURE(signal);
        CHECK(diagnosis.until([&] {
            const std::vector<proc::Process> all = diagnosis.alive();
            return std::any_of(all.begin(), all.end(), [](const auto& process) { return process.name == "step_g"; });
        }));
        diagnosis.signal(signal);
        CHECK(diagnosis.until_ended());
        CHECK(diagnosis.fate() == "exited with " + std::to_string(128 + signal));
        CHECK(diagnosis.alive().empty());
    }
}
