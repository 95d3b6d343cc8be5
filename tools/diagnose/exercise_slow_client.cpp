// Exercise 12: is a client that sends a byte at a time disconnected when TIMEOUT is over?
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <ios>
#include <sstream>
#include <string>

#include "../harness/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr const char* HEAD_TIME_IN_WORDS = "0.3";
constexpr Seconds HEAD_TIME(0.3);  // the TIMEOUT of a server whose client is slow
constexpr std::chrono::milliseconds BYTE_TIME(20);  // between two bytes

/// How a server has borne a client that sends a head without end.
struct Dripped {
    Seconds lasted = {};
    Seconds longest_pause = {};  ///< between two bytes
    bool is_held = true;  ///< for ten times the TIMEOUT
};

Dripped drip(const Server& server) {
    Dripped dripped;
    const Clock::time_point begin = Clock::now();  // not after the server's clock, which runs when it has accepted
    Clock::time_point last = begin;
    Client client(server.port());
    std::string head = "GET /hello HTTP/1.1\r\nSlow: ";
    while (dripped.is_held && last - begin < 10 * HEAD_TIME) {
        dripped.is_held = client.send(head);
        head = "x";
        const Clock::time_point now = Clock::now();
        dripped.longest_pause = std::max(dripped.longest_pause, Seconds(now - last));
        last = now;
        dripped.is_held = dripped.is_held && !harness::eventually([&] { return client.has_ended(); }, BYTE_TIME);
    }
    const Clock::time_point end = Clock::now();
    dripped.lasted = end - begin;
    dripped.longest_pause = std::max(dripped.longest_pause, Seconds(end - last));
    return dripped;
}

Finding judge_dripped(const Dripped& dripped) {
    constexpr const char* RULE = "the time is for the whole head, and each recv may have what is left of it";
    std::ostringstream text;
    text << "a client that sends a byte at a time was let go after " << std::fixed << std::setprecision(1)
         << dripped.lasted.count() << " s, with TIMEOUT=" << HEAD_TIME_IN_WORDS;
    if (dripped.is_held) {
        return {Answer::no, "after ten times its TIMEOUT it still waits for a client that sends a byte at a time",
                RULE};
    }
    if (dripped.lasted < HEAD_TIME) return {Answer::no, text.str(), RULE};
    if (dripped.longest_pause < HEAD_TIME) return yes(text.str());
    // A pause may have been the reason.
    return {Answer::undecided,
            std::string("this machine is too busy to send a byte every ") + HEAD_TIME_IN_WORDS + " s"};
}

}  // namespace

Findings drops_the_slow(const Solution& solution) {
    Finding finding;
    for (int tries = 0; tries < 5 && finding == Answer::undecided; ++tries) {
        const Server server(patient(solution.server).with("TIMEOUT", HEAD_TIME_IN_WORDS));
        finding = judge_dripped(drip(server));
    }
    return {{"drops the slow", finding}};
}

}  // namespace diagnose
