// The rows about children, of servers whose children cannot be held by a silent client: those that fork when they have
// read the request, and those whose children are workers that were there before. Each starts the program afresh.
#pragma once

#include "probes.hpp"

namespace diagnose {

constexpr const char* WORKERS = "its workers accept for themselves";

// Of Kind::forks_late: a child is there as long as it takes to answer.
Finding late_child_closes_listener(const Subject& subject);
Finding late_survives_sigchld(const Subject& subject);
Finding late_reaps_one(const Subject& subject);
Finding late_reaps_many(const Subject& subject);
Finding late_process_limit(const Subject& subject);
Finding late_sheds_load(const Subject& subject);

// Of Kind::workers: we are who ends them.
Finding workers_survive_exits(const Subject& subject);
Finding workers_reaped_one(const Subject& subject);
Finding workers_reaped_many(const Subject& subject);
Finding workers_process_limit(const Subject& subject);

}  // namespace diagnose
