// Exercises 10 and 12: is a silent client disconnected when TIMEOUT is over, and neither sooner nor later?
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <ios>
#include <sstream>
#include <string>
#include <string_view>

#include "../harness/process.hpp"
#include "clients.hpp"
#include "exercise_probes.hpp"
#include "probes.hpp"
#include "utf8.hpp"

namespace diagnose {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr const char* TOO_SOON = "a client may take its time, for TIMEOUT seconds";

/// `timeout`: empty when TIMEOUT is not set.
std::string setting(const std::string& timeout) {
    return timeout.empty() ? "without TIMEOUT" : "with TIMEOUT=" + timeout;
}

std::string in_words(const std::string& timeout, Seconds lasted) {
    std::ostringstream text;
    text << setting(timeout) << " a silent client is disconnected after " << std::fixed << std::setprecision(1)
         << lasted.count() << " s";
    return text.str();
}

/// A silent client of a server that has this TIMEOUT.
struct TimedClient {
    TimedClient(const Program& program, const std::string& timeout)
        : server(timeout.empty() ? program : program.with("TIMEOUT", timeout)),
          begin(Clock::now()),
          client(server.port()) {}

    /// Whether it is disconnected when this time is over, since it has connected.
    bool ends_within(Seconds most) {
        const Seconds left = std::max(Seconds(0), most - Seconds(Clock::now() - begin));
        const bool ends = harness::eventually([this] { return client.has_ended(); },
                                              std::chrono::duration_cast<std::chrono::milliseconds>(left));
        lasted = Clock::now() - begin;
        return ends;
    }

    Server server;
    Clock::time_point begin;  // not after the server's clock, which runs when it has accepted
    Client client;
    Seconds lasted = {};
};

Finding endless(TimedClient& timed, const std::string& timeout, const char* time) {
    if (timed.server.has_ended()) return no(setting(timeout) + ", with a silent client, " + timed.server.exit_report());
    const std::string answer = timed.client.received();
    if (!answer.empty()) {
        return {Answer::no, setting(timeout) + " a silent client got \"" + first_line(answer) + "\", but not the end",
                "a connection ends when its last descriptor is closed"};
    }
    return {Answer::no, std::string("after ") + time + ", " + setting(timeout) + ", it still waits for a silent client",
            "recv waits for ever, unless it is told otherwise"};
}

/// With a TIMEOUT of a fraction of a second, the server disconnects the client within a second, and sends it no page. A
/// busy machine makes a time longer, but never shorter. So the shortest of several times counts.
Finding keeps_fraction(const Program& program) {
    constexpr Seconds MOST(0.9);
    Seconds shortest = Seconds::max();
    for (int tries = 0; tries < 5 && shortest > MOST; ++tries) {
        TimedClient timed(program, "0.2");
        if (!timed.ends_within(Seconds(2))) return endless(timed, "0.2", "2 s");
        shortest = std::min(shortest, timed.lasted);
        const std::string line = first_line(timed.client.received());
        if (line.starts_with("HTTP/1.") && line.find(" 2") == std::string_view("HTTP/1.1").size()) {
            return {Answer::no, "a silent client got \"" + line + '"',
                    "without a request, 408 or nothing is the answer"};
        }
    }
    const std::string evidence = in_words("0.2", shortest);
    if (shortest > MOST) return {Answer::no, evidence, "TIMEOUT may be a fraction of a second: 0.2 must not become 1"};
    return yes(evidence);
}

/// How the child of a silent client ends when the time is over: by itself, or by alarm(2).
Finding judge_timed_out(Server& server, const std::string& fate) {
    if (fate == "exited with 0" || fate.find(" 14 (") != std::string::npos) return yes("");
    const std::string words = server.last_error_line();
    const bool is_thrown = !words.empty() && words.find("accept") == std::string::npos;
    return {Answer::no,
            "when TIMEOUT is over, the child of a silent client " + fate + (words.empty() ? "" : ": " + words),
            is_thrown ? "recv throws when the time is over (EAGAIN): the child has to catch that" : ""};
}

/// With a TIMEOUT of a second and a half, the server disconnects the client after that, and the child exits as it
/// should.
Finding keeps_longer_time(const Program& program) {
    constexpr Seconds LEAST(1.4);
    TimedClient timed(program, "1.5");
    const Holder holder = find_holder(timed.server, timed.client);
    const bool has_child = holder.place == Place::with_a_child;
    if (has_child) make_orphan(timed.server);
    if (!timed.ends_within(Seconds(10))) return endless(timed, "1.5", "10 s");
    const std::string evidence = in_words("1.5", timed.lasted);
    if (timed.lasted < LEAST) return {Answer::no, evidence, TOO_SOON};
    if (!has_child) return yes(evidence);
    const Finding end = judge_timed_out(timed.server, fate_of_orphan(timed.server, holder.pid, timed.client));
    return end == Answer::yes ? yes(evidence) : end;
}

}  // namespace

Findings keeps_timeout(const Solution& solution) {
    constexpr Seconds DEFAULT(10);
    const Program program = solution.server.with("SLEEP", "0");
    TimedClient longest(program, "600");
    TimedClient by_default(program, "");
    Finding finding = keeps_fraction(program);
    if (finding == Answer::yes) finding = keeps_longer_time(program);
    if (finding == Answer::yes && !by_default.ends_within(2 * DEFAULT)) finding = endless(by_default, "", "20 s");
    if (finding == Answer::yes && longest.ends_within(Seconds(0))) {
        finding = {Answer::no, in_words("600", longest.lasted), TOO_SOON};
    }
    if (finding == Answer::yes && by_default.lasted < DEFAULT - Seconds(0.5)) {
        finding = {Answer::no, in_words("", by_default.lasted), "the default of TIMEOUT is 10 seconds"};
    }
    return {{"keeps TIMEOUT", finding}};
}

}  // namespace diagnose
