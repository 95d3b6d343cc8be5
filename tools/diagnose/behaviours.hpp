// The table of behaviours that tell the steps apart, by which a server is recognised.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probes.hpp"

namespace diagnose {

/// The steps that the table knows, by their letters.
constexpr std::string_view STEPS = "abcdefgh";

/// A row of the table.
struct Behaviour {
    const char* name;
    const char* description;
    const char* explanation;  ///< the rule of the kernel, or of HTTP, behind a no; empty where it is no fault
    /// Decides it (probes.hpp). Throws what Server and Client throw.
    Finding (*find)(const Subject& server);
    std::array<Answer, STEPS.size()> expected;  ///< of each step
    bool is_reported = false;  ///< of the second group: what users report of real servers, and no step lacks
};

/// All rows, in the order of the table.
std::span<const Behaviour> behaviours();

/// The row with this name. Throws std::invalid_argument when there is none.
const Behaviour& behaviour(std::string_view name);

/// Decides `behaviour`; a server that cannot be started, or refuses to talk, leaves it undecided. Throws Interrupted.
Finding find(const Behaviour& behaviour, const Subject& server);
/// The same of a server that is not known yet.
Finding find(const Behaviour& behaviour, const Program& server);

/// A row that was tried.
struct Tried {
    const Behaviour* behaviour;
    Finding finding;

    /// The rule behind a no, the one that fits its evidence.
    std::string explanation() const;
};

/// How long a server is tried.
constexpr std::chrono::minutes MOST_TIME(2);

/// The program that `command` starts: not ours, and it is to leave no files behind.
Program foreign(const std::vector<std::string>& command);

/// Tries the rows on the server, in their order and within two minutes: what a server wins by doing nothing is that the
/// rest is undecided. Each is given to `report` at once.
std::vector<Tried> try_all(const Subject& server, std::span<const Behaviour* const> rows,
                           const std::function<void(const Tried&)>& report);

}  // namespace diagnose
