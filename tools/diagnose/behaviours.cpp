#include "behaviours.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "probes.hpp"

namespace diagnose {
namespace {

constexpr Answer Y = Answer::yes;
constexpr Answer N = Answer::no;
constexpr Answer O = Answer::not_applicable;

constexpr Behaviour BEHAVIOURS[] = {
    //                           a  b  c  d  e  f  g  h
    {"answers",
     "one client gets the page",
     "an answer is a status line, headers, an empty line and the page",
     answers,
     {Y, Y, Y, Y, Y, Y, Y, Y}},
    {"concurrent",
     "a client is served while another stays silent",
     "who serves a client itself accepts no other meanwhile",
     concurrent,
     {N, N, Y, Y, Y, Y, Y, Y}},
    {"sleeps before closing",
     "having answered, it sleeps before it closes the connection",
     "",
     sleeps_before_closing,
     {N, Y, Y, N, Y, N, N, N}},
    {"closes",
     "the client sees the end of the connection once it is handled",
     "a connection ends when its last descriptor is closed",
     closes,
     {Y, Y, Y, N, Y, Y, Y, Y}},
    {"flat descriptors",
     "twenty clients later it holds no more sockets than before",
     "each connection keeps its descriptor until that is closed",
     flat_descriptors,
     {Y, Y, Y, N, Y, Y, Y, Y}},
    {"descriptor limit",
     "survives more clients than it may have descriptors",
     "each process has but so many descriptors, and accept needs one (EMFILE)",
     descriptor_limit,
     {Y, Y, Y, N, Y, Y, Y, Y}},
    {"child closes listener",
     "a child for one client holds no copy of the listening socket",
     "fork copies all descriptors, and the socket listens until the last one is closed",
     child_closes_listener,
     {O, O, Y, Y, Y, Y, Y, Y}},
    {"survives SIGCHLD",
     "stays up when a child exits while it waits in accept",
     "a handler interrupts accept (EINTR)",
     survives_sigchld,
     {O, O, Y, Y, N, Y, Y, Y}},
    {"reaps one", "a child that exits alone leaves no zombie", ZOMBIE, reaps_one, {O, O, N, N, Y, Y, Y, Y}},
    {"reaps many",
     "children that exit together leave no zombie",
     "SIGCHLD is not queued, one wait() collects one child",
     reaps_many,
     {O, O, N, N, O, N, Y, Y}},
    {"process limit",
     "survives more exits, one by one, than it may have processes",
     "zombies count, and fork fails when there are too many (EAGAIN)",
     process_limit,
     {O, O, N, N, O, Y, Y, Y}},
    {"sheds load",
     "survives more live clients than it may have processes",
     "fork fails when there are too many (EAGAIN)",
     sheds_load,
     {O, O, N, N, N, N, N, Y}},
    {"drops silent clients",
     "a client that never sends anything is disconnected after a time",
     "recv waits for ever, unless it is told otherwise",
     drops_silent_clients,
     {N, N, N, N, N, N, N, Y}},
    {"stops gracefully",
     "on SIGTERM it accepts no more, finishes what it began, exits 0",
     "it takes a handler for SIGTERM, and an accept loop that ends",
     stops_gracefully,
     {N, N, N, N, N, N, N, Y}},
};

}  // namespace

std::span<const Behaviour> behaviours() { return BEHAVIOURS; }

const Behaviour& behaviour(std::string_view name) {
    const auto* const found = std::find_if(std::begin(BEHAVIOURS), std::end(BEHAVIOURS),
                                           [&](const Behaviour& one) { return one.name == name; });
    if (found == std::end(BEHAVIOURS))
        throw std::invalid_argument("no behaviour is called \"" + std::string(name) + '"');
    return *found;
}

Finding find(const Behaviour& behaviour, const Program& server) {
    try {
        return behaviour.find(server);
    } catch (const std::exception& error) {
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        return {Answer::undecided, line};
    }
}

Program foreign(const std::vector<std::string>& command) {
    Program program = {command, {{"PYTHONDONTWRITEBYTECODE", "1"}}};
    program.is_foreign = true;
    return program;
}

std::vector<Tried> try_all(const Program& server, std::span<const Behaviour* const> rows,
                           const std::function<void(const Tried&)>& report) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point deadline = Clock::now() + std::chrono::minutes(2);
    std::vector<Tried> tried;
    for (const Behaviour* row : rows) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        Program limited = server;
        limited.patience = std::min(left, std::chrono::milliseconds(20'000));
        const bool in_time = left > std::chrono::milliseconds(0);
        tried.push_back({row, in_time ? find(*row, limited) : Finding{Answer::undecided, "the two minutes are over"}});
        report(tried.back());
    }
    return tried;
}

Likeness likeness(const std::vector<Tried>& tried) {
    const auto expected = [](const Tried& row, char step) { return row.behaviour->expected[STEPS.find(step)]; };
    // What a sleep hides is no difference.
    const bool sleeps = std::any_of(tried.begin(), tried.end(), [](const Tried& row) {
        return row.behaviour == &behaviour("sleeps before closing") && row.finding == Answer::yes;
    });
    const auto differs = [&](char step) {
        return [&, step](const Tried& row) {
            return row.finding.answer != expected(row, step) && !(sleeps && row.finding == Answer::undecided);
        };
    };
    const auto distance = [&](char step) { return std::count_if(tried.begin(), tried.end(), differs(step)); };
    const auto is_closer = [&](char a, char b) { return distance(a) < distance(b); };
    Likeness like;
    like.nearest = *std::min_element(STEPS.begin(), STEPS.end(), is_closer);
    std::copy_if(tried.begin(), tried.end(), std::back_inserter(like.differences), differs(like.nearest));
    for (const char step : STEPS) {
        if (distance(step) == 0) like.steps += step;
    }
    return like;
}

}  // namespace diagnose
