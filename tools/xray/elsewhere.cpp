#include "elsewhere.hpp"

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../proc/process.hpp"
#include "model.hpp"

namespace xray {
namespace {

constexpr std::chrono::seconds HOLDERS_STAY_FRESH{2};
// The wait before the next reading, as a multiple of the time it took: half a percent of the time is spent.
constexpr int COST_FACTOR = 200;

}  // namespace

void Elsewhere::add_to(ReferenceCounts& counts, const std::vector<Process>& ours, bool must_be_fresh) {
    const Clock::duration age = Clock::now() - read_at_;
    if (must_be_fresh || age > std::max<Clock::duration>(HOLDERS_STAY_FRESH, COST_FACTOR * took_)) read();
    std::unordered_set<pid_t> is_ours;
    for (const Process& process : ours) is_ours.insert(process.head.pid);
    for (const auto& [pid, holder] : holders_) {
        if (is_ours.count(pid) > 0) continue;
        std::vector<proc::Descriptor> common;
        std::copy_if(holder.sockets.begin(), holder.sockets.end(), std::back_inserter(common),
                     [&](const proc::Descriptor& descriptor) { return counts.count(descriptor.inode) > 0; });
        add_references(counts, common);
    }
}

void Elsewhere::read() {
    const Clock::time_point start = Clock::now();
    std::map<pid_t, Holder> now;
    for (const proc::Process& process : proc::processes()) {
        if (process.is_zombie()) continue;
        Holder holder = {process.started, proc::run_count(process.pid), {}};
        const auto known = holders_.find(process.pid);
        const bool is_still = known != holders_.end() && known->second.started == process.started &&
                              !holder.run_count.empty() && known->second.run_count == holder.run_count;
        if (is_still) {
            holder.sockets = std::move(known->second.sockets);
        } else {
            holder.sockets = proc::descriptors(process.pid);
            std::erase_if(holder.sockets, [](const proc::Descriptor& descriptor) { return !descriptor.is_socket(); });
        }
        if (!holder.sockets.empty()) now.emplace(process.pid, std::move(holder));
    }
    holders_ = std::move(now);
    read_at_ = Clock::now();
    took_ = read_at_ - start;
}

}  // namespace xray
