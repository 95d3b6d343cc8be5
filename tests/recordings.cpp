// The recordings: asciinema v2 files (a header, then an event a line), one for each step, which show its lesson.

#include <fstream>
#include <map>
#include <string>

#include "json.hpp"
#include "support.hpp"
#include "terminal.hpp"

namespace {

/// All that was on the screen, one event after the other. Fails when the file is not as asciinema v2 wants it.
std::string shown_by(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    REQUIRE_MESSAGE(std::getline(file, line), path, " is not there");
    CHECK(json_at(line, "/version") == "2");
    CHECK(json_at(line, "/env") == R"({"TERM":"xterm-256color"})");
    Screen screen(std::stoi(json_at(line, "/height")), std::stoi(json_at(line, "/width")));
    std::string shown;
    double last = 0;
    while (std::getline(file, line)) {
        const double time = std::stod(json_at(line, "/0"));
        CHECK(time >= last);
        CHECK(json_at(line, "/1") == "o");
        CHECK_THROWS(json_at(line, "/3"));
        last = time;
        screen.write(json_at(line, "/2"));
        shown += screen.text();
    }
    return shown;
}

}  // namespace

TEST_CASE("each step has its recording, which shows its lesson and nothing of the machine") {
    const std::map<std::string, std::string> lessons = {
        {"step_a", "queue 1 of 5"},
        {"step_b", "blocked in clock_nanosleep()"},
        {"step_c", "served by a child of their own"},
        {"step_d", "this copy keeps the connection open"},
        {"step_e", "Interrupted system call"},
        {"step_f", "Zombies though SIGCHLD is handled"},
        {"step_g", "128 of 128 connections made"},
    };
    for (const auto& [step, lesson] : lessons) {
        const std::string path = "tools/xray/recordings/" + step + ".cast";
        const std::string shown = shown_by(path);
        const bool is_taught = shown.find(lesson) != std::string::npos;
        CHECK_MESSAGE(is_taught, path);
        for (const char* const revealing : {"/home", "/root", "/tmp", "@"}) {
            CHECK(shown.find(revealing) == std::string::npos);
        }
    }
}
