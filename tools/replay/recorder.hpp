// Records a run: lets one process run at a time, and records each step and the kernel's state after it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../xray/model.hpp"
#include "calls.hpp"
#include "client.hpp"
#include "source.hpp"
#include "tracer.hpp"

namespace replay {

using Json = nlohmann::ordered_json;

struct Plan {
    std::vector<std::string> server;  ///< the program and its arguments
    std::vector<std::string> client;  ///< the same; empty: none
    char step = 0;  ///< the article's step, which selects the scenario; 0: none
};

class Recorder {
public:
    explicit Recorder(Plan plan);
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    ~Recorder();

    /// Records until the scenario is finished, the server has exited, `is_interrupted` returns true or there are
    /// MOST_STEPS steps. Throws std::runtime_error when there is nothing to record.
    void record(bool (*is_interrupted)());

    Json recording() const;  ///< the recording in the form that the page reads
    std::size_t steps() const { return steps_.size(); }
    std::size_t clients() const;
    bool has_lines() const { return has_lines_; }  ///< whether a line of the server's own source was found
    bool is_full() const { return is_full_; }

    static constexpr std::size_t MOST_STEPS = 2000;

private:
    /// The data about a tracee that the recorder needs, but not the tracer.
    struct Note {
        std::optional<ShownCall> shown;  ///< the call that it is in
        std::string target;  ///< the target of the call's descriptor, read before the call
        std::vector<Place> places;
        std::string interrupted;  ///< the call that a signal has interrupted
        bool is_block_known = false;  ///< whether a step has recorded that it is blocked there
        std::string last_block;
    };

    void begin();
    void play(char step);
    void play_client();
    void play_until_interrupted();
    bool is_over() const;

    void run_until_idle();
    void wait_for_sleepers();
    Tracee* next();
    void turn(Tracee& tracee);
    bool observe(Tracee& tracee);
    bool observe_return(Tracee& tracee);
    bool observe_signal(Tracee& tracee);
    void enter_call(Tracee& tracee);
    void note_blocked(Tracee& tracee);
    void note_ends();
    void hide_restarts();

    void connect();
    void ask(std::size_t client);
    void hang_up(std::size_t client);

    Json step_of(const Tracee& tracee, const char* kind);
    void add_step(Json step);
    Json seen();
    xray::Server read_state();
    Json process_of(const xray::Server& server, const Tracee& tracee);
    Json sockets_of(const xray::Server& server);
    std::string name_of(std::uint64_t inode);
    std::string peer_of(const std::string& address) const;
    std::size_t intern(const Json& json);
    Json places_of(const std::vector<Place>& places);
    std::uint16_t port() const;

    Plan plan_;
    int output_;
    Tracer tracer_;
    Sources unwinder_;
    Tracee* server_ = nullptr;
    Tracee* current_ = nullptr;
    bool (*is_interrupted_)() = nullptr;
    std::map<std::size_t, Note> notes_;
    std::vector<Client> clients_;
    std::vector<Json> steps_;
    std::vector<std::string> pool_;
    std::map<std::string, std::size_t> pooled_;
    std::map<std::uint64_t, std::string> names_;
    std::vector<std::string> sources_;
    std::set<std::size_t> shown_;  ///< the processes that have been shown
    bool has_lines_ = false;
    bool is_full_ = false;
};

}  // namespace replay
