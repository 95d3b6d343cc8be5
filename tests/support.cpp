#include "support.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

std::string folder(const char* variable, const char* fallback) {
    const char* const value = std::getenv(variable);
    return value && *value ? std::string(value) + '/' : fallback;
}

Program built(const std::string& name) {
    return {{folder("BIN", "./") + name}, {{"ASAN_OPTIONS", "detect_leaks=0"}}, {}, {}};
}

Program fixture(const std::string& name) { return {{folder("BUILD", "build/") + "tests/fixtures/" + name}}; }

std::vector<Program> all_steps() {
    std::vector<Program> all;
    for (const char letter : std::string("abcdefg")) all.push_back(built(std::string("step_") + letter));
    return all;
}

std::string name_of(const Program& program) {
    const std::string& path = program.command.front();
    return path.substr(path.rfind('/') + 1);
}

sockaddr_in loopback(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<in_port_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

unsigned system_limit_of_backlogs() {
    unsigned limit = 0;
    std::ifstream("/proc/sys/net/core/somaxconn") >> limit;
    return limit;
}

std::size_t count_in(const std::string& text, const std::string& wanted) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; at += wanted.size()) ++count;
    return count;
}

Ended::Ended(const Program& program) {
    Process process(program);
    CHECK_MESSAGE(process.until_ended(), "it does not exit; stderr: ", process.err());
    fate = process.fate();
    out = process.out();
    err = process.err();
}

void check_column(const Program& step) {
    const Subject subject = learn(step);
    for (const Behaviour& row : behaviours()) {
        CAPTURE(row.name);
        CHECK(find(row, subject) == row.expected[STEPS.find(name_of(step).back())]);
    }
}
