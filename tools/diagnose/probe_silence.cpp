// A client that never sends anything: does the server disconnect it?
#include <chrono>
#include <optional>
#include <string>

#include "../harness/process.hpp"
#include "clients.hpp"
#include "probes.hpp"

namespace diagnose {

using std::to_string;

namespace {

/// A silent client of a server that was started with TIMEOUT=`seconds`.
struct Silence {
    Silence(const Program& program, const std::string& seconds)
        : setting("with TIMEOUT=" + seconds),
          server(program.with("SLEEP", "0").with("TIMEOUT", seconds)),
          place(hold(server, clients).place) {}

    /// Whether the client is disconnected within `patience`. A child that outlives the server may do that as well.
    bool ends_within(std::chrono::milliseconds patience) {
        const bool ends = harness::eventually([this] { return clients.front().has_ended(); }, patience);
        lasted = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        return ends;
    }
    /// Whether the connection has lasted for `least`, or the client got a page without sending anything.
    bool is_enough(std::chrono::milliseconds least) { return lasted >= least || is_page(clients.front().received()); }

    std::string setting;
    Server server;
    Clients clients;
    std::chrono::steady_clock::time_point begin =
        std::chrono::steady_clock::now();  // before connect, so that the server's own time starts later
    Place place;
    std::chrono::milliseconds lasted = {};
};

Finding too_short(const Silence& silence) {
    return {Answer::no,
            silence.setting + " it disconnected a silent client after " + to_string(silence.lasted.count()) + " ms",
            "a client may take its time, for TIMEOUT seconds"};
}

/// Whether the server still serves after `idle` has passed without any client.
Finding outlasts(Silence& silence, std::chrono::milliseconds idle) {
    Server& server = silence.server;
    server.until([&] { return server.is_quiet(); }, 10 * idle);
    server.until([] { return false; }, idle);
    Clients clients;
    const bool is_served =
        !server.has_ended() && connect(server, clients) && (ask(server, clients.back()) || clients.back().has_ended());
    if (is_served && !server.has_ended()) return yes("it has disconnected a silent client");
    return {Answer::no, silence.setting + ", and no client for " + to_string(idle.count()) + " ms, " + server.state(),
            "a server may have to wait for its next client for ever"};
}

/// With a short TIMEOUT, the server must disconnect a silent client after that time, and must not exit itself.
Finding keeps_short_timeout(const Program& program) {
    constexpr std::chrono::milliseconds TIMEOUT(200);
    Silence silence(program, "0.2");
    Server& server = silence.server;
    if (silence.place == Place::moving || silence.place == Place::in_the_queue) {
        return undecided(server, "no client is taken");
    }
    if (!silence.ends_within(10 * TIMEOUT)) {
        if (server.has_ended()) return no(silence.setting + ", with a silent client, " + server.exit_report());
        return no("after 2 s, " + silence.setting + ", it still waits for a silent client");
    }
    if (server.has_ended()) return undecided(server, "no silent client can be held");
    if (!silence.is_enough(TIMEOUT / 2)) return too_short(silence);
    return outlasts(silence, 2 * TIMEOUT);
}

}  // namespace

Finding drops_silent_clients(const Subject& subject) {
    if (std::optional<Finding> none = without_place(subject.nature)) return *none;
    constexpr std::chrono::milliseconds LEAST(900);
    const Program& program = subject.program;
    if (subject.nature.speaks_first) return not_applicable("it speaks first: a client has no need to say anything");
    Finding finding = keeps_short_timeout(program);
    if (finding.answer != Answer::yes) return finding;
    // A server that ignores TIMEOUT may have a timeout of its own. That is right as well, unless it is too short for a
    // client to send its request.
    Silence silence(program, "600");
    return silence.ends_within(LEAST) && !silence.is_enough(LEAST) ? too_short(silence) : finding;
}

}  // namespace diagnose
