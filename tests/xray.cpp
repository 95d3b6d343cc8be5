// xray: its model of each step in the article's situations, its output, its drawing, and its cost.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../net/socket.hpp"
#include "../tools/harness/client.hpp"
#include "../tools/harness/process.hpp"
#include "../tools/harness/program.hpp"
#include "../tools/harness/server.hpp"
#include "../tools/proc/pidfd.hpp"
#include "../tools/proc/process.hpp"
#include "../tools/xray/lessons.hpp"
#include "../tools/xray/model.hpp"
#include "../tools/xray/pace.hpp"
#include "../tools/xray/picture.hpp"
#include "../tools/xray/watcher.hpp"
#include "json.hpp"
#include "support.hpp"
#include "terminal.hpp"

namespace {

using Ids = std::vector<std::string>;

Ids ids_of(const xray::Snapshot& snapshot) {
    Ids ids;
    for (const xray::Lesson& lesson : xray::lessons(snapshot)) ids.push_back(lesson.id);
    return ids;
}

std::string shown(const xray::Snapshot& snapshot, xray::Size size = {}) {
    std::string text;
    for (const xray::Line& line : xray::picture(snapshot, "it", size)) text += line.text() + '\n';
    return text;
}

/// A server, and an xray watcher that looks at it.
struct Watched {
    explicit Watched(const Program& program) : server(program), watcher({server.port(), true, ""}) {}

    /// Looks at the server until `condition` holds for the snapshot.
    template <class Condition> bool sees(Condition condition) {
        return server.until([&] { return condition(watcher.look()); }) || condition(watcher.look());
    }
    /// Looks at the server until it shows these lessons, and no others.
    bool shows_lessons(const Ids& ids) {
        return sees([&](const xray::Snapshot& snapshot) { return ids_of(snapshot) == ids; });
    }
    /// Connects a client, and waits until its child waits for its request and the parent for the next client.
    Client& hold() {
        clients.emplace_back(server.port());
        CHECK_EVENTUALLY(server, server.children().size() == clients.size() && server.waits_in_accept());
        for (const proc::Process& child : server.children()) CHECK_EVENTUALLY(server, waits_for_bytes(child.pid));
        return clients.back();
    }
    const xray::Server& seen() { return *watcher.look().server; }

    Server server;
    xray::Watcher watcher;
    std::deque<Client> clients;
};

Program xray_with(std::vector<std::string> arguments) {
    Program program = built("xray");
    program.command.insert(program.command.end(), arguments.begin(), arguments.end());
    return program;
}

std::string address(int port) { return "127.0.0.1:" + std::to_string(port); }

/// Whether the kernel keeps the exit status of a process that has been reaped, for the holders of a pidfd.
bool kernel_shows_wait_status() {
    const pid_t pid = fork_child([] { _exit(0); });
    const proc::PidFd hold(pid);
    waitpid(pid, nullptr, 0);
    return hold.exit_status().has_value();
}

/// Lets eight children of step_f or step_g exit while their parent is stopped.
void let_eight_exit_together(Watched& watched) {
    for (int i = 0; i < 8; ++i) watched.hold();
    watched.server.signal(SIGSTOP);
    CHECK_EVENTUALLY(watched.server, watched.server.is_stopped());
    for (const Client& client : watched.clients) client.ask();
    CHECK_EVENTUALLY(watched.server, watched.server.zombies().size() == 8);
}

}  // namespace

// ---- the model ------------------------------------------------------------------------------------

TEST_CASE("xray: shows step_a's second client in the queue behind a silent one") {
    Watched watched(built("step_a"));
    Server& server = watched.server;
    INFO(server.describe());
    CHECK(watched.shows_lessons({}));
    CHECK(watched.seen().itself().accepts());
    const Client silent(server.port());
    CHECK_EVENTUALLY(server, server.waits_in_recv());
    CHECK(watched.shows_lessons({}));
    const Client second(server.port());
    CHECK(watched.shows_lessons({"queue-behind-client"}));
    const xray::Server& seen = watched.seen();
    CHECK(seen.itself().head.pid == server.pid());
    CHECK(seen.itself().call == "recvfrom");
    CHECK(seen.parent_name == "keeper");
    REQUIRE(seen.listening.size() == 1);
    CHECK(seen.listening[0].queued == 1);
    CHECK(seen.listening[0].backlog == 5);
    REQUIRE(seen.queue.size() == 1);
    CHECK(seen.queue[0].peer == address(second.port()));
    REQUIRE(seen.connections.size() == 1);
    CHECK(seen.connections[0].peer == address(silent.port()));
    CHECK(seen.connections[0].address == address(server.port()));
    CHECK_FALSE(seen.is_leftover(seen.itself(), seen.connections[0]));
}

TEST_CASE("xray: shows step_b's second client in the queue while the server sleeps") {
    Watched watched(built("step_b").with("SLEEP", "600"));
    INFO(watched.server.describe());
    const Client first(watched.server.port());
    first.ask();
    const Client second(watched.server.port());
    CHECK(watched.shows_lessons({"queue-behind-sleep"}));
    CHECK(watched.seen().itself().sleeps());
}

TEST_CASE("xray: says that clients wait behind a stopped server") {
    Watched watched(built("step_b"));
    watched.server.signal(SIGSTOP);
    CHECK_EVENTUALLY(watched.server, watched.server.is_stopped());
    const Client client(watched.server.port());
    CHECK(watched.shows_lessons({"queue-behind-stop"}));
}

TEST_CASE("xray: lists the clients in the accept queue in order, with how long each has waited") {
    Watched watched(built("step_b"));
    watched.server.signal(SIGSTOP);
    CHECK_EVENTUALLY(watched.server, watched.server.is_stopped());
    std::vector<std::string> expected;
    for (int i = 0; i < 5; ++i) {
        expected.push_back(address(watched.clients.emplace_back(watched.server.port()).port()));
        CHECK(watched.sees([&](const xray::Snapshot& snapshot) {  // the last client has waited before the next connects
            const auto& queue = snapshot.server->queue;
            return queue.size() == expected.size() && queue.back().since_sent >= std::chrono::milliseconds(20);
        }));
    }
    // The waiting times are read one after the other: a look that is interrupted may put the clients in another order.
    CHECK(watched.sees([&](const xray::Snapshot& snapshot) {
        std::vector<std::string> listed;
        for (const proc::TcpSocket& waiting : snapshot.server->queue) listed.push_back(waiting.peer);
        return listed == expected;
    }));
    CHECK(watched.seen().queue.front().since_sent >= std::chrono::milliseconds(100));
    CHECK(shown(watched.watcher.look()).find(expected[0] + "   ESTABLISHED   has waited ") != std::string::npos);
}

TEST_CASE("xray: counts the clients in the accept queue that have reset their connection") {
    Watched watched(built("step_b"));
    watched.server.signal(SIGSTOP);
    CHECK_EVENTUALLY(watched.server, watched.server.is_stopped());
    Client rude(watched.server.port());
    const Client polite(watched.server.port());
    rude.reset();
    CHECK(watched.sees([](const xray::Snapshot& snapshot) { return snapshot.server->queue.size() == 1; }));
    CHECK(watched.seen().listening[0].queued == 2);
    CHECK(watched.seen().reset_in_queue() == 1);
    CHECK(shown(watched.watcher.look()).find("\n  in the accept queue: 1 reset by the client\n") != std::string::npos);
}

TEST_CASE("xray: says when the accept queue is full") {
    Watched watched(built("step_b"));
    watched.server.signal(SIGSTOP);
    CHECK_EVENTUALLY(watched.server, watched.server.is_stopped());
    for (int i = 0; i < 5; ++i) watched.clients.emplace_back(watched.server.port());
    CHECK(watched.shows_lessons({"queue-behind-stop"}));
    watched.clients.emplace_back(watched.server.port());
    CHECK(watched.shows_lessons({"queue-behind-stop", "queue-full"}));
    CHECK(shown(watched.watcher.look()).find("> The accept queue is full: 6, one more than the backlog.") !=
          std::string::npos);
}

TEST_CASE("xray: counts the references of a worker's parent and siblings when it shows the worker alone") {
    Watched watched(fixture("preforking"));
    INFO(watched.server.describe());
    CHECK(watched.sees([](const xray::Snapshot& snapshot) {
        const auto& all = snapshot.server->processes;
        return all.size() > 2 &&
               std::all_of(all.begin() + 1, all.end(), [](const auto& process) { return process.accepts(); });
    }));
    const std::size_t workers = watched.seen().processes.size() - 1;
    xray::Watcher watcher({watched.seen().processes.back().head.pid, true, ""});
    const xray::Snapshot& snapshot = watcher.look();
    REQUIRE(snapshot.server);
    REQUIRE(snapshot.server->processes.size() == 1);
    CHECK(snapshot.server->references_to(snapshot.server->listening[0].inode) == workers + 1);
    CHECK(shown(snapshot).find("   references: " + std::to_string(workers + 1) + "\n") != std::string::npos);
}

TEST_CASE("xray: counts two descriptors of one process as two references") {
    xray::ReferenceCounts counts;
    xray::add_references(counts, {{3, "socket:[7]", 7}, {4, "socket:[7]", 7}, {5, "/dev/null", 0}});
    xray::add_references(counts, {{3, "socket:[7]", 7}});
    CHECK(counts.size() == 1);
    CHECK(counts[7].descriptors == 3);
    CHECK(counts[7].processes == 2);
}

TEST_CASE("xray: recognises preforked workers, also while one of them serves a client") {
    Watched watched(fixture("preforking"));
    INFO(watched.server.describe());
    CHECK(watched.shows_lessons({"forked-ahead"}));
    const Client silent(watched.server.port());
    CHECK(watched.sees([](const xray::Snapshot& snapshot) {
        const auto& all = snapshot.server->processes;
        return std::any_of(all.begin(), all.end(), [](const auto& process) { return process.receives(); });
    }));
    const Ids ids = ids_of(watched.watcher.look());
    CHECK(std::find(ids.begin(), ids.end(), "child-could-accept") == ids.end());
    CHECK(std::find(ids.begin(), ids.end(), "forked-ahead") != ids.end());
}

TEST_CASE("xray: says that clients wait behind a blocking call, unless it is a poll") {
    Watched watched(built("step_a"));
    const Client silent(watched.server.port());
    CHECK_EVENTUALLY(watched.server, watched.server.waits_in_recv());
    const Client second(watched.server.port());
    CHECK(watched.shows_lessons({"queue-behind-client"}));
    xray::Snapshot snapshot = watched.watcher.look();
    snapshot.server->processes[0].call = "wait4";
    CHECK(ids_of(snapshot) == Ids{"queue-behind-call"});
    CHECK(shown(snapshot).find("the server is blocked in wait4().") != std::string::npos);
    snapshot.server->processes[0].call = "epoll_wait";
    CHECK(ids_of(snapshot).empty());
}

TEST_CASE("xray: shows step_c's child serving while the parent accepts, and then the zombie") {
    Watched watched(built("step_c").with("SLEEP", "0"));
    INFO(watched.server.describe());
    Client& client = watched.hold();
    CHECK(watched.shows_lessons({"concurrent"}));
    const xray::Server& seen = watched.seen();
    REQUIRE(seen.processes.size() == 2);
    const xray::Process& child = seen.processes[1];
    CHECK(child.depth == 1);
    CHECK(child.receives());
    REQUIRE(seen.connections.size() == 1);
    const std::uint64_t connection = seen.connections[0].inode;
    CHECK(child.holds(connection));
    CHECK(seen.holders(connection) == 1);
    CHECK_FALSE(child.holds(seen.listening[0].inode));
    CHECK(seen.holders(seen.listening[0].inode) == 1);

    client.ask();
    CHECK(watched.shows_lessons({"zombies"}));
    CHECK(watched.seen().zombies() == 1);
    CHECK(watched.seen().processes[1].head.exit_status == 0);
    CHECK(watched.seen().child_signal == proc::SignalState{});
}

TEST_CASE("xray: shows that step_d's parent keeps a copy, and with it the connection") {
    Watched watched(built("step_d"));
    INFO(watched.server.describe());
    Client& client = watched.hold();
    CHECK(watched.shows_lessons({"kept-copy"}));
    const std::uint64_t connection = watched.seen().connections[0].inode;
    CHECK(watched.seen().holders(connection) == 2);

    client.ask();
    CHECK(watched.shows_lessons({"leftover-copy", "zombies"}));
    CHECK(watched.seen().holders(connection) == 1);
    CHECK(watched.seen().itself().holds(connection));
    CHECK(shown(watched.watcher.look()).find("ESTABLISHED   references: 1   the client waits: this copy keeps") !=
          std::string::npos);
    client.half_close();
    CHECK(watched.sees([](const auto& snapshot) {
        return shown(snapshot).find("CLOSE_WAIT   references: 1   the client has hung up: this copy is all") !=
               std::string::npos;
    }));
}

TEST_CASE("xray: says when step_d's descriptors run out") {
    Program limited = built("step_d");
    limited.max_descriptors = 10;
    Watched watched(limited);
    INFO(watched.server.describe());
    for (int i = 0; i < 4; ++i) watched.hold();
    CHECK(xray::fill_of(watched.seen().itself().descriptors.size(), watched.seen().limits.descriptors) ==
          xray::Fill::high);
    CHECK(shown(watched.watcher.look()).find("descriptors 8 of 10 (80%)") != std::string::npos);
    watched.hold();
    CHECK(watched.shows_lessons({"kept-copy", "descriptors-run-out"}));
}

TEST_CASE("xray: says when a user's processes run out, but not root's") {
    Program limited = built("step_d");
    limited.max_processes = 20;
    Watched watched(limited);
    INFO(watched.server.describe());
    const xray::Server& seen = watched.seen();
    CHECK(seen.user == proc::user_of(watched.server.pid()));
    CHECK(seen.limits.processes >= 20);
    xray::Snapshot snapshot = watched.watcher.look();
    snapshot.server->user = 4711;
    snapshot.server->processes_of_user = snapshot.server->limits.processes - 1;
    CHECK(ids_of(snapshot) == Ids{"processes-run-out"});
    snapshot.server->user = 0;
    CHECK(ids_of(snapshot).empty());
}

TEST_CASE("fill_of: a limit is high from 75%, and nearly full from 90%") {
    CHECK(xray::fill_of(74, 100) == xray::Fill::low);
    CHECK(xray::fill_of(75, 100) == xray::Fill::high);
    CHECK(xray::fill_of(89, 100) == xray::Fill::high);
    CHECK(xray::fill_of(90, 100) == xray::Fill::nearly_full);
    CHECK(xray::fill_of(1'000'000, RLIM_INFINITY) == xray::Fill::low);
}

TEST_CASE("xray: says why step_e exits when a child exits") {
    Watched watched(built("step_e").with("SLEEP", "0"));
    INFO(watched.server.describe());
    Client& client = watched.hold();
    CHECK(watched.shows_lessons({"concurrent"}));
    CHECK(watched.seen().child_signal.disposition == proc::Disposition::handled);
    client.ask();
    CHECK(watched.server.until_ended());
    const xray::Snapshot& snapshot = watched.watcher.look();
    CHECK_FALSE(snapshot.server);
    REQUIRE(snapshot.server_exit);
    CHECK(snapshot.server_exit->ended.head.pid == watched.server.pid());
    CHECK(snapshot.server_exit->orphans == 0);
    CHECK(snapshot.server_exit->was_interrupted == kernel_shows_wait_status());
    if (kernel_shows_wait_status()) {
        CHECK(xray::fate(snapshot.server_exit->ended.status) == "exited with 1");
        CHECK(ids_of(snapshot) == Ids{"interrupted-accept"});
    } else CHECK(xray::fate(snapshot.server_exit->ended.status) == "exit status not visible");
}

TEST_CASE("xray: counts the children that a killed server leaves behind") {
    Watched watched(built("step_e"));
    INFO(watched.server.describe());
    watched.hold();
    CHECK(watched.shows_lessons({"concurrent"}));
    watched.server.signal(SIGKILL);
    CHECK(watched.server.until_ended());
    const xray::Snapshot& snapshot = watched.watcher.look();
    REQUIRE(snapshot.server_exit);
    CHECK(snapshot.server_exit->orphans == 1);
    CHECK_FALSE(snapshot.server_exit->was_interrupted);
    CHECK(ids_of(snapshot) == Ids{"orphans"});
    if (kernel_shows_wait_status())
        CHECK(xray::fate(snapshot.server_exit->ended.status) == "was killed by signal 9 (Killed)");
}

TEST_CASE("xray: shows one pending signal when eight children of step_f exit together, and then seven zombies") {
    Watched watched(built("step_f"));
    INFO(watched.server.describe());
    let_eight_exit_together(watched);
    CHECK(watched.shows_lessons({"one-signal"}));
    CHECK(watched.seen().child_signal == proc::SignalState{proc::Disposition::handled, false, true});
    CHECK(watched.seen().zombies() == 8);
    CHECK(watched.seen().itself().is_stopped());
    watched.server.signal(SIGCONT);
    CHECK(watched.shows_lessons({"missed-children"}));
    CHECK(watched.seen().zombies() == 7);
    CHECK_FALSE(watched.seen().child_signal.pending);
}

TEST_CASE("xray: shows no zombie after eight children of step_g exit together") {
    Watched watched(built("step_g"));
    INFO(watched.server.describe());
    let_eight_exit_together(watched);
    CHECK(watched.shows_lessons({"one-signal"}));
    watched.server.signal(SIGCONT);
    CHECK(watched.shows_lessons({}));
    CHECK(watched.seen().processes.size() == 1);
    CHECK(watched.seen().itself().accepts());
}

TEST_CASE("xray: says that a child could accept when it keeps the listening socket") {
    Watched watched(fixture("careless"));
    INFO(watched.server.describe());
    watched.hold();
    CHECK(watched.shows_lessons({"child-could-accept", "concurrent"}));
    CHECK(watched.seen().holders(watched.seen().listening[0].inode) == 2);
}

TEST_CASE("xray: finds a server by port, pid and name, and none when the process or port does not listen") {
    Server server(built("step_a"));
    const auto pid_of = [](xray::Target target) {
        xray::Watcher watcher(std::move(target));
        const xray::Snapshot& snapshot = watcher.look();
        return snapshot.server ? snapshot.server->itself().head.pid : -1;
    };
    CHECK(pid_of({server.port(), false, ""}) == server.pid());
    CHECK(pid_of({server.port(), true, ""}) == server.pid());
    CHECK(pid_of({server.pid(), true, ""}) == server.pid());
    CHECK(pid_of({server.pid(), false, ""}) == -1);
    CHECK(pid_of({getpid(), true, ""}) == -1);  // a process that does not listen

    const std::string name = "named" + std::to_string(getpid());
    const pid_t named = fork_child([&] {
        net::Socket listener(AF_INET, SOCK_STREAM);
        listener.bind(loopback(0));
        listener.listen(1);
        prctl(PR_SET_NAME, name.c_str());
        pause();
    });
    CHECK(eventually([&] { return proc::process(named)->name == name; }));
    CHECK(pid_of({0, false, name}) == named);
    kill(named, SIGKILL);
    waitpid(named, nullptr, 0);
}

TEST_CASE("is_started_as: is true for a command's first and second words, without their folder") {
    Process process({{"sh", "-c", "sleep 600; true", "third"}});
    CHECK(process.until([&] { return proc::command_line(process.pid()).size() == 4; }));
    CHECK(xray::is_started_as(process.pid(), "sh"));
    CHECK(xray::is_started_as(process.pid(), "-c"));
    CHECK_FALSE(xray::is_started_as(process.pid(), "third"));
    Process in_folder({{"/bin/sh", "-c", "sleep 600; true"}});
    CHECK(in_folder.until([&] { return xray::is_started_as(in_folder.pid(), "sh"); }));
}

TEST_CASE("xray: says what is hidden when it may not inspect the server") {
    // This server hides its state, as another user's server would. When the tests run as root, xray runs without the
    // capability that would let it look.
    int report[2];
    REQUIRE(pipe2(report, O_CLOEXEC) == 0);
    const pid_t secretive = fork_child([&] {
        prctl(PR_SET_DUMPABLE, 0);
        net::Socket listener(AF_INET, SOCK_STREAM);
        listener.bind(loopback(0));
        listener.listen(5);
        const int port = listener.port();
        if (write(report[1], &port, sizeof port) == sizeof port) pause();
    });
    int port = 0;
    CHECK(read(report[0], &port, sizeof port) == sizeof port);
    for (const int fd : report) close(fd);
    const auto without_rights = [](std::vector<std::string> arguments) {
        Program program = xray_with(std::move(arguments));
        const std::vector<std::string> drop = {"setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"};
        if (getuid() == 0) program.command.insert(program.command.begin(), drop.begin(), drop.end());
        return program;
    };
    const std::string user = std::to_string(getuid());
    const Ended by_port(without_rights({"--once", std::to_string(port)}));
    CHECK(by_port.out == "a process of user " + user + " listens on " + address(port) + "   queue 0 of 5\n" +
                             "  what it does is hidden: look as user " + user + ", or as root\n");
    CHECK(by_port.fate == "exited with 0");
    const Ended by_pid(without_rights({"--once", std::to_string(secretive)}));
    CHECK(by_pid.out.find("blocked, in a call that is hidden   SIGCHLD: default; pending: 0") != std::string::npos);
    CHECK(by_pid.out.find("  descriptors: hidden, it belongs to another user\n") != std::string::npos);
    const Ended as_json(without_rights({"--json", std::to_string(port)}));
    CHECK(json_at(as_json.out, "/hidden_listener/address") == address(port));
    CHECK(json_at(as_json.out, "/server") == "null");
    kill(secretive, SIGKILL);
    waitpid(secretive, nullptr, 0);
}

// ---- what it prints -------------------------------------------------------------------------------

TEST_CASE("xray --once: prints the picture") {
    Watched watched(built("step_d"));
    Server& server = watched.server;
    INFO(server.describe());
    Client& client = watched.hold();
    client.ask();
    CHECK(watched.shows_lessons({"leftover-copy", "zombies"}));
    const Ended once(xray_with({"--once", std::to_string(server.port())}));
    const std::string ours = std::to_string(server.pid());
    const std::string keeper = std::to_string(proc::process(server.pid())->ppid);
    const std::string child = std::to_string(server.zombies().at(0).pid);
    const std::string begin = "step_d   pid " + ours + "   parent " + keeper +
                              " keeper   blocked in accept()   queue 0 of 5   SIGCHLD: default; pending: 0\n"
                              "  descriptors 5 of " +
                              std::to_string(proc::limits(server.pid()).descriptors) + "   processes of user " +
                              std::to_string(getuid()) + ": ";
    const std::string end =
        "\n  0 /dev/null   1 /memfd:stdout (deleted)   2 /memfd:stderr (deleted)\n"
        "  3 listening on " +
        address(server.port()) + "   references: 1\n  4 " + address(server.port()) + " <-> " + address(client.port()) +
        "   ESTABLISHED   references: 1   the client waits: this copy keeps the connection open\n  " + child +
        "  zombie, exited with 0, waits for its parent to wait()\n"
        "  > Finished connections that stay open: 1. The parent still has a descriptor (references: 1, not 0)";
    CHECK(once.out.substr(0, begin.size()) == begin);
    CHECK_MESSAGE(once.out.find(end) != std::string::npos, once.out, "\nlacks:\n", end);
    CHECK(once.out.find("\n    look up: the server that does not close duplicate descriptors, webserver3d.py\n") !=
          std::string::npos);
    CHECK(once.err == "");
    CHECK(once.fate == "exited with 0");
}

TEST_CASE("xray --json: prints what the picture shows") {
    Watched watched(built("step_d"));
    Server& server = watched.server;
    INFO(server.describe());
    Client& client = watched.hold();
    client.ask();
    CHECK(watched.shows_lessons({"leftover-copy", "zombies"}));
    const Client queued = [&] {
        server.signal(SIGSTOP);
        CHECK_EVENTUALLY(server, server.is_stopped());
        return Client(server.port());
    }();
    const Ended printed(xray_with({"--json", std::to_string(server.port())}));
    CHECK(printed.fate == "exited with 0");
    const auto seen = [&](const std::string& pointer) { return json_at(printed.out, pointer); };
    CHECK(seen("/server/pid") == std::to_string(server.pid()));
    CHECK(seen("/server/user") == std::to_string(getuid()));
    CHECK(seen("/server/sigchld/disposition") == "default");
    CHECK(seen("/server/sigchld/restarts_calls") == "null");
    CHECK(seen("/server/sigchld/blocked") == "false");
    CHECK(seen("/server/sigchld/pending") == "false");
    CHECK(seen("/server/descriptors/used") == "5");
    CHECK(seen("/server/descriptors/limit") == std::to_string(proc::limits(server.pid()).descriptors));
    CHECK(std::stoi(seen("/server/processes_of_user/used")) >= 3);
    CHECK(seen("/server/listening/0/address") == address(server.port()));
    CHECK(seen("/server/listening/0/queue") == "1");
    CHECK(seen("/server/listening/0/limit") == "5");
    CHECK(seen("/server/listening/0/clients/0") == address(queued.port()));
    CHECK(std::stoi(seen("/server/listening/0/waited_ms/0")) < 60'000);
    CHECK(seen("/server/listening/0/reset") == "0");
    CHECK(seen("/server/processes/0/state") == "T");
    CHECK(seen("/server/processes/0/blocked_in") == "null");
    const std::string kept = "/server/processes/0/descriptors/4/";
    CHECK(seen(kept + "number") == "4");
    CHECK(seen(kept + "holders") == "1");
    CHECK(seen(kept + "references") == "1");
    CHECK(seen(kept + "tcp/peer") == address(client.port()));
    CHECK(seen(kept + "tcp/state") == "ESTABLISHED");
    CHECK(seen("/server/processes/1/parent") == std::to_string(server.pid()));
    CHECK(seen("/server/processes/1/status/exited") == "0");
    CHECK(seen("/lessons/0/id") == "queue-behind-stop");
    CHECK(seen("/hidden_listener") == "null");
}

TEST_CASE("xray: exits with 1 when nothing listens") {
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(loopback(0));  // bound, not listening: no other process can listen there
    const std::string port = std::to_string(listener.port());
    const Ended once(xray_with({"--once", port}));
    CHECK(once.out == "");
    CHECK(once.err == "xray: nothing listens on port or pid " + port + "\n");
    CHECK(once.fate == "exited with 1");
    const Ended as_json(xray_with({port, "--json"}));
    CHECK(json_at(as_json.out, "/server") == "null");
    CHECK(as_json.fate == "exited with 1");
    CHECK(xray::Target{0, false, "nobody\x1b[2J"}.describe() == "a program named nobody?[2J");
}

TEST_CASE("xray: describes its options when called with --help, and refuses bad usage") {
    const Ended help(xray_with({"--help"}));
    CHECK(help.out.starts_with("usage: xray [PORT | PID | --name NAME] [--once | --json | --log] [--help]\n"));
    CHECK(help.out.find("--log        print a line for each change") != std::string::npos);
    CHECK(help.fate == "exited with 0");
    for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{"--unknown"},
                                                                                           {"--name"},
                                                                                           {"--once", "--log"},
                                                                                           {"x"},
                                                                                           {"80x"},
                                                                                           {"0"},
                                                                                           {"-1"},
                                                                                           {""},
                                                                                           {"99999999999"},
                                                                                           {"1", "2"},
                                                                                           {"1", "--name", "x"},
                                                                                           {"--name", ""}}) {
        const Ended refused(xray_with(arguments));
        CHECK(refused.err == "xray: usage: xray [PORT | PID | --name NAME] [--once | --json | --log] [--help]\n");
        CHECK(refused.out == "");
        CHECK(refused.fate == "exited with 2");
    }
    const Ended no_terminal(xray_with({}));
    CHECK(no_terminal.err == "xray: this is no terminal: use --once, --json or --log\n");
    CHECK(no_terminal.fate == "exited with 2");
}

TEST_CASE("xray --log: prints what happens, in order and with the time") {
    Server server(built("step_c").with("SLEEP", "0"));
    INFO(server.describe());
    Process log(xray_with({"--log", std::to_string(server.port())}));
    INFO(log.out());
    const auto logs = [&](const std::string& line) {
        return log.until([&] { return log.out().find(' ' + line + '\n') != std::string::npos; });
    };
    const std::string parent = std::to_string(server.pid());
    CHECK(logs(parent + " step_c listens on " + address(server.port())));
    Client client(server.port());
    CHECK_EVENTUALLY(server, server.children().size() == 1 && server.waits_in_accept());
    const std::string child = std::to_string(server.children().at(0).pid);
    CHECK(logs(parent + " accepts " + address(client.port()) + " as 4"));
    CHECK(logs(child + " fork, child of " + parent));
    CHECK(logs(child + " closes its copy of 3"));
    CHECK(logs(parent + " closes its copy of 4"));
    client.ask();
    CHECK(logs(child + " exits 0: zombie"));
    server.signal(SIGSTOP);
    CHECK(logs(parent + " is stopped"));
    const Client queued(server.port());
    CHECK(logs(parent + " has 1 in its accept queue, of 5"));
    server.signal(SIGCONT);
    CHECK(logs(parent + " goes on"));
    server.signal(SIGKILL);
    CHECK(logs(parent + (kernel_shows_wait_status() ? " was killed by signal 9 (Killed): the server is gone"
                                                    : " exits, exit status not visible: the server is gone")));
    double last = 0;
    std::istringstream lines(log.out());
    for (std::string line; std::getline(lines, line);) {
        REQUIRE(line.size() > 7);
        CHECK(line[0] == '+');
        const double time = std::strtod(line.c_str() + 1, nullptr);
        CHECK(time >= last);
        last = time;
    }
    CHECK(log.out().find("fork, child of") < log.out().find("exits 0: zombie"));
}

TEST_CASE("xray --log: reports one signal for several children, and the one child that is reaped") {
    Watched watched(built("step_f"));
    Server& server = watched.server;
    INFO(server.describe());
    Process log(xray_with({"--log", std::to_string(server.port())}));
    const auto logs = [&](const std::string& line) {
        return log.until([&] { return log.out().find(' ' + line) != std::string::npos; });
    };
    CHECK(logs(std::to_string(server.pid()) + " step_f listens"));
    let_eight_exit_together(watched);
    CHECK(logs(std::to_string(server.pid()) + " SIGCHLD is pending\n"));
    CHECK(log.until([&] {  // shown from the second child on
        return log.out().find(" children have exited, and one SIGCHLD is pending: signals do not queue.") !=
               std::string::npos;
    }));
    server.signal(SIGCONT);
    CHECK(logs(std::to_string(server.pid()) + " SIGCHLD is delivered\n"));
    CHECK(logs("> 7 zombies, although SIGCHLD has a handler."));
    CHECK(count_in(log.out(), std::to_string(server.pid()) + " reaps ") == 1);
}

TEST_CASE("xray --log: waits for a server that does not listen yet") {
    net::Socket listener(AF_INET, SOCK_STREAM);
    listener.bind(loopback(0));
    Process log(xray_with({"--log", std::to_string(listener.port())}));
    CHECK(log.until([&] { return log.out().find("nothing listens on port") != std::string::npos; }));
    listener.listen(7);
    CHECK(log.until([&] {
        return log.out().find(std::to_string(getpid()) + " run_tests listens on " + address(listener.port())) !=
               std::string::npos;
    }));
}

// ---- the drawing ----------------------------------------------------------------------------------

TEST_CASE("xray: draws at every size, and sums up what does not fit") {
    Watched watched(built("step_d"));
    Server& server = watched.server;
    INFO(server.describe());
    for (int i = 0; i < 30; ++i) watched.hold();
    for (const Client& client : watched.clients) client.ask();
    CHECK_EVENTUALLY(server, server.zombies().size() == 30 && server.waits_in_accept());
    const std::string first = "step_d   pid " + std::to_string(server.pid());
    const Program program = xray_with({std::to_string(server.port())});
    struct Expected {
        int rows, columns;
        bool is_whole;
    };
    for (const auto& [rows, columns, is_whole] :
         {Expected{24, 80, false}, {10, 40, false}, {60, 200, false}, {90, 200, true}}) {
        Terminal terminal(rows, columns, program);
        CHECK(terminal.until_shows("q quits"));
        INFO(terminal.text());
        CHECK(terminal.row(0).starts_with(first));
        CHECK(terminal.row(rows - 1).starts_with("port or pid " + std::to_string(server.port()) + "   q quits"));
        CHECK(terminal.row(rows - 1).ends_with("   Down: more") == (!is_whole && columns > 40));
        CHECK((terminal.row(0).find("SIGCHLD: default; pending: 0") != std::string::npos) == (columns == 200));
        CHECK(terminal.text().find("> Finished connections that stay open") != std::string::npos);
        const std::size_t zombies = count_in(terminal.text(), "  zombie, exited with 0");
        const std::size_t sum = terminal.text().find(" more zombies\n");
        // When the user has a hundred processes, the smallest window has no room for the line with the sum.
        if (rows == 10 && sum == std::string::npos && terminal.text().find(" more sockets\n") != std::string::npos)
            continue;
        CHECK((sum == std::string::npos) == is_whole);
        std::size_t more = 0;
        if (!is_whole)
            more = std::stoul(terminal.text().substr(terminal.text().rfind("… and ", sum) + std::strlen("… and ")));
        CHECK(zombies + more == 30);
    }
}

TEST_CASE("xray: redraws when the size of the window changes") {
    Server server(built("step_a"));
    Terminal terminal(24, 80, xray_with({std::to_string(server.port())}));
    CHECK(terminal.until_shows("q quits"));
    CHECK(terminal.row(0).ends_with("queue 0 of 5"));
    terminal.resize(10, 40);
    CHECK(terminal.until([&] {
        return terminal.row(9).find("q quits") != std::string::npos &&
               terminal.row(1) == "  blocked in accept()   queue 0 of 5";
    }));
    terminal.resize(60, 200);
    CHECK(terminal.until([&] {
        return terminal.row(59).ends_with("? help") && terminal.row(0).ends_with("SIGCHLD: default; pending: 0");
    }));
    CHECK(terminal.row(9) == "");
}

TEST_CASE("xray: the arrow and page keys reach every line, and ? shows the help") {
    Watched watched(built("step_d"));
    Server& server = watched.server;
    INFO(server.describe());
    for (int i = 0; i < 30; ++i) watched.hold();
    Terminal terminal(24, 120, xray_with({std::to_string(server.port())}));
    CHECK(terminal.until_shows("Down: more"));
    terminal.type("\x1b[6~");  // PgDn
    CHECK(terminal.until_shows("lines 24-46 of "));
    CHECK(terminal.row(0).starts_with("  23 127.0.0.1:"));
    terminal.type("\x1bOB");  // Down, as xterm sends it once keypad(3X) has asked for it
    CHECK(terminal.until_shows("lines 25-47 of "));
    terminal.type("\x1bOA");
    CHECK(terminal.until_shows("lines 24-46 of "));
    terminal.type("\x1bOF");  // End
    CHECK(terminal.until_shows("> Connections that the parent will keep open: 30."));
    CHECK(terminal.until([&] {  // the last line is in view
        const std::string footer = terminal.row(23);
        const std::size_t of = footer.find(" of ");
        const std::string count = of == std::string::npos ? "?" : footer.substr(of + 4);
        return footer.find('-' + count + " of ") != std::string::npos;
    }));
    terminal.type("?");
    CHECK(terminal.until_shows("two descriptors refer to this socket"));
    terminal.type("?");
    CHECK(terminal.until_shows("> Connections that the parent will keep open: 30."));
    terminal.type("g");
    CHECK(terminal.until(
        [&] { return terminal.row(0).starts_with("step_d   pid ") && terminal.row(23).ends_with("Down: more"); }));
}

TEST_CASE("xray: refuses a terminal that it cannot draw on") {
    Server server(built("step_a"));
    for (const char* const name : {"dumb", "unknown-terminal"}) {
        Terminal terminal(24, 80, xray_with({std::to_string(server.port())}).with("TERM", name));
        CHECK(WEXITSTATUS(terminal.until_ended()) == 1);
        CHECK(terminal.text().find("use --once, --json or --log") != std::string::npos);
        CHECK(terminal.is_restored());
    }
}

TEST_CASE("xray: redraws when the server changes") {
    Watched watched(built("step_d"));
    INFO(watched.server.describe());
    Terminal terminal(24, 80, xray_with({std::to_string(watched.server.port())}));
    CHECK(terminal.until_shows("blocked in accept()"));
    Client& client = watched.hold();
    CHECK(terminal.until_shows(" <-> " + address(client.port()) + "   ESTABLISHED   references: 2"));
    client.ask();
    CHECK(terminal.until_shows("zombie, exited with 0, waits for its parent to wait()"));
    watched.server.signal(SIGKILL);
    CHECK(terminal.until_shows("nothing listens on port or pid " + std::to_string(watched.server.port())));
    CHECK(terminal.row(0).starts_with("step_d   pid " + std::to_string(watched.server.pid())));
    CHECK(terminal.row(0).find(kernel_shows_wait_status() ? "was killed by signal 9 (Killed) at "
                                                          : "exit status not visible at ") != std::string::npos);
}

TEST_CASE("xray: draws a zombie in red, unless NO_COLOR is set") {
    Watched watched(built("step_d"));
    watched.hold().ask();
    CHECK(watched.shows_lessons({"leftover-copy", "zombies"}));
    const Program program = xray_with({std::to_string(watched.server.port())});
    const auto colors_of = [](const Program& xray) {
        Terminal terminal(24, 80, xray);
        CHECK(terminal.until_shows("q quits"));
        std::vector<int> colors;
        for (int row = 0; row < 24; ++row) {
            if (terminal.row(row).find("zombie, exited with 0") == std::string::npos) continue;
            const VTermColor color = terminal.first_cell(row).fg;
            colors.push_back(VTERM_COLOR_IS_DEFAULT_FG(&color) ? -1
                             : VTERM_COLOR_IS_INDEXED(&color)  ? color.indexed.idx
                                                               : 999);
        }
        return colors;
    };
    CHECK(colors_of(program) == std::vector<int>{1});  // red
    CHECK(colors_of(program.with("NO_COLOR", "")) == std::vector<int>{1});
    CHECK(colors_of(program.with("NO_COLOR", "1")) == std::vector<int>{-1});
}

TEST_CASE("xray: restores the terminal when it exits") {
    Server server(built("step_a"));
    const Program program = xray_with({std::to_string(server.port())});
    struct Expected {
        const char* keys;
        int signal;
        int status;
    };
    for (const auto& [keys, signal, status] :
         {Expected{"q", 0, 0}, {"\x03", 0, 0}, {"", SIGTERM, SIGTERM}, {"", SIGINT, 0}, {"", SIGHUP, SIGHUP}}) {
        Terminal terminal(24, 80, program);
        CHECK(terminal.until_shows("blocked in accept()"));
        CHECK(terminal.text().find("before") == std::string::npos);
        CHECK_FALSE(terminal.is_restored());
        if (signal != 0) kill(terminal.pid(), signal);
        else terminal.type(keys);
        CHECK(terminal.until_ended() == status);
        CHECK(terminal.is_restored());
        CHECK(terminal.row(0) == "before");
        CHECK(terminal.text().find("accept") == std::string::npos);
    }
}

TEST_CASE("xray: writes three dots when the terminal has no UTF-8") {
    Watched watched(built("step_d"));
    for (int i = 0; i < 6; ++i) watched.hold();
    Terminal terminal(10, 80, xray_with({std::to_string(watched.server.port())}).with("LC_ALL", "C"));
    CHECK(terminal.until_shows("q quits"));
    CHECK(terminal.text().find("  ... and ") != std::string::npos);
}

// ---- what it costs --------------------------------------------------------------------------------

TEST_CASE("pace: the next look waits until the last one has cost 1% of the time") {
    using namespace std::chrono_literals;
    const xray::Pace::Clock::time_point start;
    xray::Pace pace;
    pace.pause(false, {start, 0ms});
    CHECK(pace.pause(false, {start + 1s, 240ms}) == 24s);
}

TEST_CASE("pace: does not charge the cost of starting") {
    using namespace std::chrono_literals;
    const xray::Pace::Clock::time_point start;
    xray::Pace pace;
    CHECK(pace.pause(true, {start + 300ms, 45ms}) == 1ms);  // starting has taken 45 ms of processor time
    CHECK(pace.pause(false, {start + 301ms, 46ms}) == 1ms);
    CHECK(pace.pause(false, {start + 600ms, 47ms}) == 100ms);  // at rest: 1 ms of work is 1% of 100 ms
    pace.restart();
    CHECK(pace.pause(true, {start + 700ms, 92ms}) == 1ms);  // finding another server is not charged either
}
