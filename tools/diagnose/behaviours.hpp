// The table of behaviours that tell the steps apart, by which a server is recognised.
#pragma once

#include <array>
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
    Finding (*find)(const Program& server);
    std::array<Answer, STEPS.size()> expected;  ///< of each step
};

/// All rows, in the order of the table.
std::span<const Behaviour> behaviours();

/// The row with this name. Throws std::invalid_argument when there is none.
const Behaviour& behaviour(std::string_view name);

/// Decides `behaviour`; a server that cannot be started, or refuses to talk, leaves it undecided.
Finding find(const Behaviour& behaviour, const Program& server);

/// A row that was tried.
struct Tried {
    const Behaviour* behaviour;
    Finding finding;

    std::string explanation() const { return finding.rule.empty() ? behaviour->explanation : finding.rule; }
};

/// The program that `command` starts: not ours, and it is to leave no files behind.
Program foreign(const std::vector<std::string>& command);

/// Tries the rows on the server, in their order and within two minutes: what a server wins by doing nothing is that the
/// rest is undecided. Each is given to `report` at once.
std::vector<Tried> try_all(const Program& server, std::span<const Behaviour* const> rows,
                           const std::function<void(const Tried&)>& report);

/// Which steps of the table a server is like.
struct Likeness {
    std::string steps;  ///< the letters of those that have all its words: mostly one, or none
    char nearest = 'a';  ///< the step with the fewest other words
    std::vector<Tried> differences;  ///< from the nearest
};

Likeness likeness(const std::vector<Tried>& tried);

}  // namespace diagnose
