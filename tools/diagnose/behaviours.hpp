// The table of behaviours. They distinguish the steps, so that a server can be matched with a step.
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
    const char* explanation;  ///< the rule of the kernel, or of HTTP, that explains a no; empty where a no is no fault
    /// The probe that decides the row (probes.hpp). Throws what Server and Client throw.
    Finding (*find)(const Subject& server);
    std::array<Answer, STEPS.size()> expected;  ///< the answer of each step
    /// True for the second group: faults that users report of real servers and that no step has.
    bool is_reported = false;
};

/// All rows, in the order of the table.
std::span<const Behaviour> behaviours();

/// The row with this name. Throws std::invalid_argument when there is none.
const Behaviour& behaviour(std::string_view name);

/// Decides `behaviour`. The row is undecided when the server cannot be started or does not accept connections. Throws
/// Interrupted.
Finding find(const Behaviour& behaviour, const Subject& server);
/// The same for a program whose nature is not known yet.
Finding find(const Behaviour& behaviour, const Program& server);

/// A row that was tried.
struct Tried {
    const Behaviour* behaviour;
    Finding finding;

    /// The rule that explains a no: the finding's own, or otherwise the table's.
    std::string explanation() const;
};

/// How long the rows are tried on one server.
constexpr std::chrono::minutes MOST_TIME(2);

/// The program that `command` starts: a foreign one, which must leave no files behind.
Program foreign(const std::vector<std::string>& command);

/// Tries the rows on the server, in order. Rows not reached within two minutes are undecided. Calls `report` with each
/// row as soon as it is decided.
std::vector<Tried> try_all(const Subject& server, std::span<const Behaviour* const> rows,
                           const std::function<void(const Tried&)>& report);

}  // namespace diagnose
