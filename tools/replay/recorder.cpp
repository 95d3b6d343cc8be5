#include "recorder.hpp"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "../xray/model.hpp"
#include "calls.hpp"
#include "client.hpp"
#include "source.hpp"
#include "tracer.hpp"

namespace replay {
namespace {

/// Thrown when the recording has MOST_STEPS steps.
struct Full {};

bool is_fork(long number) {
#ifdef SYS_fork
    if (number == SYS_fork || number == SYS_vfork) return true;
#endif
    return number == SYS_clone || number == SYS_clone3;
}

bool waits_for_many(const std::string& call) {
    return call.find("poll") != std::string::npos || call.find("select") != std::string::npos;
}

bool is_sleep(const std::string& call) { return call == "nanosleep" || call == "clock_nanosleep"; }

/// Whether a call that uses this descriptor is shown: sockets are, and the server's output.
bool is_about_clients(const ShownCall& call, const std::string& target) {
    if (call.descriptor == -1) return true;
    if (target.starts_with("socket:") || target.starts_with("anon_inode:[eventpoll]")) return true;
    return call.name == "write" && (call.descriptor == STDOUT_FILENO || call.descriptor == STDERR_FILENO);
}

std::string target_of(pid_t process, int descriptor) {
    char target[64] = "";
    const std::string path = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
    const ssize_t size = readlink(path.c_str(), target, sizeof target);
    return std::string(target, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
}

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The last line that a program has printed, after a colon; empty when it has printed nothing.
std::string last_line(int output) {
    std::string text = text_of("/proc/self/fd/" + std::to_string(output));
    text.erase(text.find_last_not_of('\n') + 1);
    return text.empty() ? "" : ": " + text.substr(text.rfind('\n') + 1);
}

const char* disposition_name(proc::Disposition disposition) {
    const char* const names[] = {"default", "ignored", "handled"};
    return names[static_cast<int>(disposition)];
}

}  // namespace

Recorder::Recorder(Plan plan) : plan_(std::move(plan)), output_(memfd_create("output", MFD_CLOEXEC)) {}
Recorder::~Recorder() { close(output_); }

// ---- scenario ------------------------------------------------------------------------------------

void Recorder::record(bool (*is_interrupted)()) {
    is_interrupted_ = is_interrupted;
    std::map<std::string, std::string> environment = {{"PYTHONUNBUFFERED", "1"}};
    if (plan_.step != 0) {
        environment["SLEEP"] = plan_.step == 'b' || plan_.step == 'c' ? "1" : "0";
        if (!std::getenv("PORT")) environment["PORT"] = "0";
    }
    server_ = &tracer_.start(plan_.server, environment, output_, false);
    server_->is_news = false;
    try {
        begin();
        run_until_idle();
        for (int waited = 0; port() == 0 && !is_over(); ++waited) {
            if (waited == 100) throw std::runtime_error("the server does not listen on a TCP port after ten seconds");
            tracer_.wait_for_stop(100);
            run_until_idle();
        }
        tracer_.set_server_port(port());
        if (server_->has_ended()) {
            throw std::runtime_error("the server ended before it accepted a client: it " +
                                     proc::describe_wait_status(*server_->status) + last_line(output_));
        }
        if (plan_.step != 0) play(plan_.step);
        else if (!plan_.client.empty()) play_client();
        else play_until_interrupted();
    } catch (const Full&) {
        is_full_ = true;
    }
}

void Recorder::begin() {
    steps_.clear();
    shown_.clear();
    add_step(step_of(*server_, "start"));
}

void Recorder::play(char step) {
    const bool holds = step == 'f' || step == 'g';
    const bool is_at_once = step == 'c';
    const std::size_t count = holds ? 3 : step == 'e' || step == 'h' ? 1 : 2;
    for (std::size_t i = 0; i < count && !is_over(); ++i) {
        connect();
        if (!is_at_once && (holds || step == 'e' || (step == 'a' && i == 0))) run_until_idle();
        if (holds || step == 'e' || (step == 'a' && i == 0)) continue;
        ask(i);
        if (!is_at_once) run_until_idle();
    }
    run_until_idle();
    if (step == 'a' || step == 'e') ask(0);
    for (std::size_t i = 0; holds && i < count; ++i) ask(i);
    run_until_idle();
    wait_for_sleepers();
    if (step == 'd') {
        hang_up(0);
        run_until_idle();
    }
}

void Recorder::play_client() {
    Tracee& client = tracer_.start(plan_.client, {{"PORT", std::to_string(port())}}, output_, true);
    client.is_news = false;
    add_step(step_of(client, "start"));
    run_until_idle();
    while (!is_over() && !client.has_ended()) {
        tracer_.wait_for_stop(100);
        run_until_idle();
    }
    wait_for_sleepers();
}

void Recorder::play_until_interrupted() {
    while (!is_over()) {
        tracer_.wait_for_stop(100);
        run_until_idle();
    }
}

bool Recorder::is_over() const { return is_interrupted_() || server_->has_ended(); }

void Recorder::connect() {
    clients_.emplace_back(port());
    tracer_.settle();
    add_step({{"client", clients_.size() - 1}, {"kind", "connect"}});
}

void Recorder::ask(std::size_t client) {
    if (is_over()) return;
    clients_[client].ask();
    tracer_.settle();
    add_step({{"client", client}, {"kind", "ask"}});
}

void Recorder::hang_up(std::size_t client) {
    clients_[client].hang_up();
    tracer_.settle();
    add_step({{"client", client}, {"kind", "hangup"}});
}

// ---- scheduling ----------------------------------------------------------------------------------

/// Chooses the process that runs next; null when all are blocked or have exited. The server's process that ran last
/// goes on until it blocks. Then children run before the server, so that several children can exit before the server
/// runs. The server's processes run before the clients.
Tracee* Recorder::next() {
    const auto can_run = [](const Tracee& candidate) {
        return candidate.is_stopped() && candidate.stop != Stop::group_stop;
    };
    if (current_ && can_run(*current_) && !current_->is_client) return current_;
    Tracee* last = nullptr;
    for (const bool is_client : {false, true}) {
        for (const auto& [number, tracee] : tracer_.all()) {
            if (tracee->is_client != is_client || !can_run(*tracee)) continue;
            if (tracee != server_) return tracee;
            last = tracee;
        }
        if (last) return last;
    }
    return nullptr;
}

void Recorder::run_until_idle() {
    tracer_.settle();
    note_ends();
    int hidden = 0;  // turns without a visible step: threads of a language runtime may make calls for ever
    while (Tracee* const tracee = next()) {
        if (is_interrupted_() || ++hidden > 2000) return;
        const std::size_t before = steps_.size();
        turn(*tracee);
        current_ = tracee;
        if (steps_.size() > before) hidden = 0;
    }
    current_ = nullptr;
}

/// Lets the processes that sleep wake up, and records what follows.
void Recorder::wait_for_sleepers() {
    const auto sleeps = [&](const auto& entry) {
        const auto note = notes_.find(entry.first);
        return !entry.second->has_ended() && !entry.second->is_stopped() && note != notes_.end() &&
               note->second.shown && is_sleep(note->second.shown->name);
    };
    const auto any_sleeps = [&] { return std::any_of(tracer_.all().begin(), tracer_.all().end(), sleeps); };
    while (!is_over() && any_sleeps()) {
        // Wait for all sleepers before one runs on: otherwise the order would differ from run to run.
        while (!is_over() && any_sleeps()) tracer_.wait_for_stop(100);
        run_until_idle();
    }
}

/// Lets a stopped process run to its next step, until it blocks, or until it exits.
void Recorder::turn(Tracee& tracee) {
    if (tracee.is_news && observe(tracee)) return void(tracee.is_news = false);
    for (int calls = 0; calls < 1000; ++calls) {
        tracer_.resume(tracee);
        tracer_.settle();
        note_ends();
        if (tracee.has_ended()) return;
        if (!tracee.is_stopped()) return note_blocked(tracee);
        if (tracee.stop == Stop::group_stop) return;
        const bool is_step = observe(tracee);
        tracee.is_news = false;
        if (is_step) return;
    }
}

// ---- recording -----------------------------------------------------------------------------------

/// Handles the reason why a process has stopped. Returns whether it was a step.
bool Recorder::observe(Tracee& tracee) {
    Note& note = notes_[tracee.number];
    switch (tracee.stop) {
        case Stop::call_entry:
            enter_call(tracee);
            return false;
        case Stop::call_exit:
            return observe_return(tracee);
        case Stop::signal:
            return observe_signal(tracee);
        case Stop::exec:
            unwinder_.forget(tracee.process);
            note = {};
            if (&tracee == server_) begin();  // the program that ran before was a script that starts the server
            else add_step(step_of(tracee, "exec"));
            return true;
        case Stop::fork: {
            note.places = unwinder_.places(tracee.process, tracee.pid);
            Tracee& child = *tracer_.find(tracee.child);
            notes_[child.number].places = note.places;
            Json step = step_of(tracee, tracee.is_thread ? "thread" : "fork");
            step["child"] = child.number;
            step["call"] = tracee.is_thread ? "clone()" : "fork()";
            step["result"] = child.pid;
            add_step(std::move(step));
            return true;
        }
        default:
            return false;
    }
}

void Recorder::enter_call(Tracee& tracee) {
    Note& note = notes_[tracee.number];
    note.shown = shown_call(tracee);
    const bool is_end = tracee.call.number == SYS_exit_group || tracee.call.number == SYS_exit;
    if (note.shown) {
        note.target = target_of(tracee.process, note.shown->descriptor);
        if (!is_about_clients(*note.shown, note.target)) note.shown.reset();
    }
    if (note.shown || is_end) note.places = unwinder_.places(tracee.process, tracee.pid);
    if (!tracee.is_client && !note.places.empty()) has_lines_ = true;
}

bool Recorder::observe_return(Tracee& tracee) {
    Note& note = notes_[tracee.number];
    if (is_restart(tracee.call)) {
        note.interrupted = note.shown ? note.shown->name : "";
        return false;
    }
    if (tracee.call.number == SYS_rt_sigreturn) {
        Json step = step_of(tracee, "handler returns");
        step["interrupted"] = note.interrupted;
        if (tracee.call.result == -EINTR) step["error"] = "EINTR";
        note.last_block.clear();
        note.places = unwinder_.places(tracee.process, tracee.pid);
        step["at"] = places_of(note.places);
        add_step(std::move(step));
        return true;
    }
    if (!note.shown || is_fork(tracee.call.number)) return false;
    if (waits_for_many(note.shown->name) && tracee.call.result == 0) return false;  // the call has timed out
    const std::uint64_t inode =
        note.target.starts_with("socket:[") ? std::strtoull(note.target.c_str() + 8, nullptr, 10) : 0;
    if (note.shown->name == "close" && names_.count(inode) == 0) return false;  // not a TCP socket
    note.shown = shown_call(tracee);  // read again: the call has now filled in the received bytes
    Json step = step_of(tracee, "call");
    step["name"] = note.shown->name;
    step["call"] = note.shown->name + '(' + note.shown->arguments + ')';
    step["result"] = tracee.call.is_error ? -1 : tracee.call.result;
    if (tracee.call.is_error) step["error"] = error_name(static_cast<int>(-tracee.call.result));
    if (note.shown->descriptor >= 0) step["fd"] = note.shown->descriptor;
    if (names_.count(inode) > 0) step["socket"] = name_of(inode);
    note.shown.reset();
    note.last_block.clear();
    add_step(std::move(step));
    return true;
}

/// A signal that has no effect on the program is visible only to a tracer: it is no step.
bool Recorder::observe_signal(Tracee& tracee) {
    const proc::SignalState state = proc::signal_state(tracee.process, tracee.signal);
    if (state.disposition != proc::Disposition::handled) return false;
    Json step = step_of(tracee, "signal");
    step["name"] = signal_name(tracee.signal);
    step["interrupted"] = notes_[tracee.number].interrupted;
    add_step(std::move(step));
    return true;
}

void Recorder::note_blocked(Tracee& tracee) {
    Note& note = notes_[tracee.number];
    if (!note.shown) return;
    const std::string call = note.shown->name + '(' + note.shown->arguments + ')';
    // The process was blocked there before, and the call was only restarted.
    if (std::exchange(note.last_block, call) == call) return;
    Json step = step_of(tracee, "blocks");
    step["name"] = note.shown->name;
    step["call"] = call;
    if (note.shown->descriptor >= 0) step["fd"] = note.shown->descriptor;
    add_step(std::move(step));
}

void Recorder::note_ends() {
    for (const auto& [number, tracee] : tracer_.all()) {
        if (!tracee->has_ended() || !std::exchange(tracee->is_news, false)) continue;
        if (tracee->pid != tracee->process) continue;  // a thread
        Json step = step_of(*tracee, "exit");
        if (WIFEXITED(*tracee->status)) step["status"] = WEXITSTATUS(*tracee->status);
        else step["killed"] = WTERMSIG(*tracee->status);
        tracer_.settle();
        hide_restarts();
        add_step(std::move(step));
    }
}

/// Hides an effect of tracing. Without a handler, SIGCHLD does not interrupt the parent's call. But for a traced parent
/// the kernel sends it, which interrupts the call for a moment. The call is restarted here, before the state is
/// recorded.
void Recorder::hide_restarts() {
    for (const auto& [number, tracee] : tracer_.all()) {
        const auto is_restarted = [&, process = tracee] {
            return process->stop == Stop::call_exit && is_restart(process->call);
        };
        if (!is_restarted()) continue;
        if (proc::signal_state(tracee->process, SIGCHLD).disposition == proc::Disposition::handled) continue;
        for (int stops = 0; stops < 4 && (is_restarted() || tracee->stop == Stop::signal || tracee->is_in_call);
             ++stops) {
            if (!tracee->is_stopped()) break;  // the process is blocked again
            tracer_.resume(*tracee);
            tracer_.settle();
        }
    }
}

Json Recorder::step_of(const Tracee& tracee, const char* kind) {
    return {{"who", tracee.number}, {"kind", kind}, {"at", places_of(notes_[tracee.number].places)}};
}

void Recorder::add_step(Json step) {
    if (steps_.size() == MOST_STEPS) throw Full();
    step["seen"] = seen();
    steps_.push_back(std::move(step));
}

// ---- state from the kernel -----------------------------------------------------------------------

xray::Server Recorder::read_state() {
    xray::Server server;
    proc::wait_for_signals_of_seen_zombies();
    for (const auto& [number, tracee] : tracer_.all()) {
        if (tracee->pid != tracee->process) continue;
        const std::optional<proc::Process> head = proc::process(tracee->pid);
        if (!head) continue;
        xray::Process process;
        process.head = *head;
        process.call = head->state == 'S' ? proc::blocked_in(tracee->pid) : "";
        process.descriptors = proc::descriptors(tracee->pid);
        xray::add_references(server.references, process.descriptors);
        server.processes.push_back(std::move(process));
    }
    for (proc::ListeningSocket& listener : proc::listening_sockets()) {
        if (server.holders(listener.inode) > 0) server.listening.push_back(std::move(listener));
    }
    for (proc::TcpSocket& connection : proc::tcp_sockets(true)) {
        if (connection.inode != 0 && server.holders(connection.inode) > 0) server.connections.push_back(connection);
        const bool waits =
            connection.inode == 0 && (connection.state == TCP_ESTABLISHED || connection.state == TCP_CLOSE_WAIT);
        const auto is_its = [&](const auto& socket) { return socket.queued > 0 && socket.port == connection.port; };
        if (waits && std::any_of(server.listening.begin(), server.listening.end(), is_its))
            server.queue.push_back(connection);
    }
    std::sort(server.connections.begin(), server.connections.end(),
              [](const auto& a, const auto& b) { return a.inode < b.inode; });
    std::stable_sort(server.queue.begin(), server.queue.end(),
                     [](const auto& a, const auto& b) { return a.since_sent > b.since_sent; });
    return server;
}

Json Recorder::seen() {
    const xray::Server server = read_state();
    Json processes = Json::array();
    for (const auto& [number, tracee] : tracer_.all()) {
        if (tracee->pid != tracee->process) continue;
        Json process = process_of(server, *tracee);
        if (process["state"] != "gone") shown_.insert(number);
        if (shown_.count(number) > 0) processes.push_back(intern(process));
    }
    Json clients = Json::array();
    for (Client& client : clients_) {
        client.receive();
        clients.push_back(intern({{"state", client.state()}, {"bytes", client.received()}}));
    }
    struct stat status = {};
    fstat(output_, &status);
    return {{"processes", processes},
            {"sockets", intern(sockets_of(server))},
            {"clients", clients},
            {"output", status.st_size}};
}

Json Recorder::process_of(const xray::Server& server, const Tracee& tracee) {
    const auto found = std::find_if(server.processes.begin(), server.processes.end(),
                                    [&](const auto& process) { return process.head.pid == tracee.pid; });
    Json json = {{"number", tracee.number}};
    if (found == server.processes.end()) {
        json["state"] = "gone";
        return json;
    }
    const xray::Process& process = *found;
    if (process.head.is_zombie()) {
        json["state"] = "zombie";
        if (tracee.status && WIFEXITED(*tracee.status)) json["status"] = WEXITSTATUS(*tracee.status);
        else if (tracee.status) json["killed"] = WTERMSIG(*tracee.status);
        return json;
    }
    const Note& note = notes_[tracee.number];
    const bool is_blocked = process.head.state == 'S';
    json["state"] = tracee.stop == Stop::group_stop ? "stopped" : is_blocked ? "blocked" : "ready";
    if (is_blocked) json["call"] = note.shown ? note.shown->name : process.call;
    json["name"] = process.head.name;
    json["at"] = places_of(note.places);
    const proc::SignalState signal = proc::signal_state(tracee.pid, SIGCHLD);
    json["sigchld"] = disposition_name(signal.disposition);
    // A signal that is ignored by default is pending for a moment only because the process is traced.
    json["pending"] = signal.pending && signal.disposition == proc::Disposition::handled;
    json["descriptors"] = Json::array();
    for (const proc::Descriptor& open : process.descriptors) {
        const bool is_tcp = server.listening_socket(open.inode) || server.connection(open.inode);
        Json descriptor = {{"number", open.number}};
        if (is_tcp) descriptor["socket"] = name_of(open.inode);
        else descriptor["kind"] = open.target.starts_with("/memfd:output") ? "output" : xray::kind_of(open);
        json["descriptors"].push_back(std::move(descriptor));
    }
    return json;
}

Json Recorder::sockets_of(const xray::Server& server) {
    std::map<std::string, Json> sockets;
    for (const proc::ListeningSocket& listener : server.listening) {
        Json queue = Json::array();
        for (const proc::TcpSocket& client : server.queue) {
            if (client.port == listener.port) queue.push_back(peer_of(client.peer));
        }
        sockets[name_of(listener.inode)] = {{"kind", "listening"},
                                            {"port", listener.port},
                                            {"references", server.references_to(listener.inode)},
                                            {"queued", listener.queued},
                                            {"backlog", listener.backlog},
                                            {"queue", queue}};
    }
    for (const proc::TcpSocket& connection : server.connections) {
        sockets[name_of(connection.inode)] = {{"kind", "connection"},
                                              {"state", proc::tcp_state_name(connection.state)},
                                              {"peer", peer_of(connection.peer)},
                                              {"references", server.references_to(connection.inode)},
                                              {"unread", connection.unread}};
    }
    Json json = Json::object();
    for (auto& [name, socket] : sockets) json[name] = std::move(socket);
    return json;
}

/// The name of a socket: "s1", "s2", in the order of appearance.
std::string Recorder::name_of(std::uint64_t inode) {
    return names_.try_emplace(inode, 's' + std::to_string(names_.size() + 1)).first->second;
}

/// "client 1" for a client of the recorder, otherwise the address.
std::string Recorder::peer_of(const std::string& address) const {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        if (address == "127.0.0.1:" + std::to_string(clients_[i].port())) return "client " + std::to_string(i + 1);
    }
    return address;
}

std::size_t Recorder::intern(const Json& json) {
    std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto [found, is_new] = pooled_.try_emplace(text, pool_.size());
    if (is_new) pool_.push_back(std::move(text));
    return found->second;
}

Json Recorder::places_of(const std::vector<Place>& places) {
    Json json = Json::array();
    for (const Place& place : places) {
        auto file = std::find(sources_.begin(), sources_.end(), place.file);
        if (file == sources_.end()) file = sources_.insert(file, place.file);
        json.push_back({file - sources_.begin(), place.line});
    }
    return json;
}

std::uint16_t Recorder::port() const {
    for (const proc::ListeningSocket& socket : proc::listening_sockets()) {
        for (const auto& [number, tracee] : tracer_.all()) {
            if (tracee->is_client || tracee->has_ended()) continue;
            const std::vector<proc::Descriptor> descriptors = proc::descriptors(tracee->pid);
            if (std::any_of(descriptors.begin(), descriptors.end(),
                            [&](const auto& descriptor) { return descriptor.inode == socket.inode; }))
                return socket.port;
        }
    }
    return 0;
}

std::size_t Recorder::clients() const {
    return clients_.size() +
           static_cast<std::size_t>(std::count_if(tracer_.all().begin(), tracer_.all().end(), [](const auto& entry) {
               return entry.second->is_client && entry.second->pid == entry.second->process;
           }));
}

Json Recorder::recording() const {
    Json json = {{"command", plan_.server},
                 {"step", std::string(plan_.step == 0 ? 0 : 1, plan_.step)},
                 {"processes", Json::array()},
                 {"clients", Json::array()},
                 {"sources", Json::array()},
                 {"pool", Json::array()},
                 {"steps", steps_},
                 {"full", is_full_}};
    for (const auto& [number, tracee] : tracer_.all()) {
        if (tracee->pid == tracee->process && shown_.count(number) == 0) continue;
        const Tracee* const parent = const_cast<Tracer&>(tracer_).find(tracee->parent);
        json["processes"].push_back({{"number", number},
                                     {"pid", tracee->pid},
                                     {"parent", parent ? Json(parent->number) : Json(nullptr)},
                                     {"thread", tracee->pid != tracee->process},
                                     {"client", tracee->is_client}});
    }
    for (const Client& client : clients_) json["clients"].push_back({{"port", client.port()}});
    for (const std::string& word : sources_) json["sources"].push_back({{"name", word}, {"text", text_of(word)}});
    for (const std::string& word : pool_) json["pool"].push_back(Json::parse(word));
    std::string output(1 << 16, '\0');
    const ssize_t size = pread(output_, output.data(), output.size(), 0);
    output.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    json["output"] = output;
    return json;
}

}  // namespace replay
