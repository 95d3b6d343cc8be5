// The rows about children, for servers where a silent client does not keep a child waiting. Such servers fork after
// they have read the request, or have pre-forked workers. Each probe starts the program again.
#pragma once

#include "probes.hpp"

namespace diagnose {

constexpr const char* WORKERS = "its workers accept for themselves";

// For Kind::forks_late: a child exists only while it answers.
Finding late_child_closes_listener(const Subject& subject);
Finding late_survives_sigchld(const Subject& subject);
Finding late_reaps_one(const Subject& subject);
Finding late_reaps_many(const Subject& subject);
Finding late_process_limit(const Subject& subject);
Finding late_sheds_load(const Subject& subject);

// For Kind::workers, which do not exit by themselves: the probe kills them.
Finding workers_survive_exits(const Subject& subject);
Finding workers_reaped_one(const Subject& subject);
Finding workers_reaped_many(const Subject& subject);
Finding workers_process_limit(const Subject& subject);

}  // namespace diagnose
