#include "picture.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "../proc/process.hpp"
#include "../proc/tcp.hpp"
#include "lessons.hpp"
#include "model.hpp"

namespace xray {
namespace {

constexpr std::size_t GAP = 3;  // spaces between segments

/// The width of the text in columns: one for each byte that starts a character.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

// ---- words ---------------------------------------------------------------------------------------

Style style_of(Fill fill) {
    return fill == Fill::low ? Style::quiet : fill == Fill::high ? Style::warning : Style::alarm;
}

/// "descriptors 250 of 256 (97%)": with the share when it is high.
Segment segment_of_limit(const std::string& what, std::size_t used, rlim_t most) {
    const std::string count = what + ' ' + std::to_string(used);
    if (most == RLIM_INFINITY) return {count + ", no limit", Style::quiet};
    const Fill fill = fill_of(used, most);
    const std::string share = fill == Fill::low ? "" : " (" + std::to_string(used * 100 / most) + "%)";
    return {count + " of " + std::to_string(most) + share, style_of(fill)};
}

Segment activity(const Process& process) {
    if (process.head.is_zombie()) {
        return {"zombie, " + fate(process.head.exit_status) + ", " + note_on(process), Style::alarm};
    }
    if (process.is_stopped()) return {"stopped", Style::warning};
    if (process.head.state == 'R') return {"running", Style::good};
    if (process.is_hidden) return {"blocked, in a call that is hidden", Style::quiet};
    if (process.call.empty()) return {std::string("state ") + process.head.state, Style::plain};
    return {"blocked in " + process.call + "()", process.accepts() ? Style::good : Style::plain};
}

std::string queue(const proc::ListeningSocket& socket) {
    return "queue " + std::to_string(socket.queued) + " of " + std::to_string(socket.backlog);
}

std::string child_signal(const proc::SignalState& state) {
    const char* const dispositions[] = {"default", "ignored", "has a handler"};
    return std::string("SIGCHLD: ") + dispositions[static_cast<int>(state.disposition)] +
           (state.blocked ? "; blocked" : "") + (state.pending ? "; pending: 1" : "; pending: 0");
}

/// "4 s"
std::string whole_seconds(std::chrono::milliseconds time) { return std::to_string(time.count() / 1000) + " s"; }

/// "references: 2", the same for all copies of a descriptor.
std::string references(const Server& server, std::uint64_t inode) {
    return "references: " + std::to_string(server.references_to(inode));
}

// ---- lines of any length -------------------------------------------------------------------------

/// The line of a descriptor with its explanation; a single segment for one that is no TCP socket.
std::vector<Segment> describe(const Server& server, const Process& holder, const proc::Descriptor& descriptor) {
    const std::string number = std::to_string(descriptor.number) + ' ';
    if (const proc::ListeningSocket* const socket = server.listening_socket(descriptor.inode)) {
        std::vector<Segment> segments = {{number + "listening on " + socket->address, Style::good}};
        if (server.listening.size() > 1) segments.push_back({queue(*socket), Style::plain});
        segments.push_back({references(server, socket->inode), Style::plain});
        return segments;
    }
    const proc::TcpSocket* const socket = server.connection(descriptor.inode);
    if (!socket) return {{number + kind_of(descriptor), Style::quiet}};
    const std::string note = note_on(server, holder, *socket);
    std::vector<Segment> segments = {
        {number + socket->address + " <-> " + socket->peer, note.empty() ? Style::good : Style::alarm},
        {proc::tcp_state_name(socket->state), Style::plain}};
    if (socket->unread > 0) segments.push_back({std::to_string(socket->unread) + " bytes unread", Style::warning});
    segments.push_back(
        {references(server, socket->inode), server.holders(socket->inode) > 1 ? Style::warning : Style::plain});
    if (!note.empty()) segments.push_back({note, Style::alarm});
    return segments;
}

/// The lines of a descriptor table; descriptors that are no TCP sockets share one line.
Lines table(const Server& server, const Process& process, std::size_t indent) {
    Lines lines;
    bool may_share = false;
    for (const proc::Descriptor& descriptor : process.descriptors) {
        std::vector<Segment> segments = describe(server, process, descriptor);
        const bool is_plain = segments.size() == 1 && segments.front().style == Style::quiet;
        if (is_plain && may_share) lines.back().segments.push_back(segments.front());
        else lines.push_back({indent, std::move(segments)});
        may_share = is_plain;
    }
    if (process.is_hidden)
        lines.push_back({indent, {{"descriptors: hidden, it belongs to another user", Style::quiet}}});
    return lines;
}

/// A process below the server, with its table; when there is no room, one line with its TCP sockets.
Lines below(const Server& server, const Process& process, bool is_brief) {
    const Segment act = activity(process);
    const bool has_own_name = process.head.name != server.itself().head.name;
    const std::string name = has_own_name ? "  " + process.head.name : "";
    Line line = {2 * process.depth, {{std::to_string(process.head.pid) + name + "  " + act.text, act.style}}};
    if (!is_brief) {
        Lines lines = {line};
        for (Line& row : table(server, process, 2 * process.depth + 2)) lines.push_back(std::move(row));
        return lines;
    }
    for (const proc::Descriptor& descriptor : process.descriptors) {
        const std::vector<Segment> segments = describe(server, process, descriptor);
        if (segments.size() > 1) line.segments.push_back(segments.front());
    }
    return {line};
}

Line limits_of(const Server& server) {
    const Process& process = server.itself();
    Line line = {2, {}};
    if (!process.is_hidden) {
        line.segments.push_back(segment_of_limit("descriptors", process.descriptors.size(), server.limits.descriptors));
    }
    const std::string user = "processes of user " + std::to_string(server.user) + ':';
    line.segments.push_back(
        segment_of_limit(user, server.processes_of_user, server.user == 0 ? RLIM_INFINITY : server.limits.processes));
    return line;
}

Lines heading(const Server& server) {
    const Process& process = server.itself();
    Line line = {0, {{process.head.name, Style::title}, {"pid " + std::to_string(process.head.pid)}}};
    line.segments.push_back(
        {"parent " + std::to_string(process.head.ppid) + (server.parent_name.empty() ? "" : ' ' + server.parent_name)});
    line.segments.push_back(activity(process));
    if (server.listening.size() == 1) {
        const proc::ListeningSocket& socket = server.listening.front();
        line.segments.push_back({queue(socket), socket.queued > 0 ? Style::warning : Style::plain});
    }
    line.segments.push_back(
        {child_signal(server.child_signal), server.child_signal.pending ? Style::warning : Style::plain});
    return {line, limits_of(server)};
}

Lines explanations(const Snapshot& snapshot) {
    Lines lines;
    for (const Lesson& lesson : lessons(snapshot)) {
        lines.push_back({2, {{"> " + lesson.text, Style::lesson}}});
        lines.push_back({4, {{std::string("look up: ") + lesson.look_up, Style::quiet}}});
    }
    return lines;
}

Lines waiting(const Snapshot& snapshot, const std::string& target) {
    if (snapshot.hidden_listener) {
        const std::string user = std::to_string(snapshot.hidden_listener->user);
        return {{0,
                 {{"a process of user " + user + " listens on " + snapshot.hidden_listener->address},
                  {queue(*snapshot.hidden_listener)}}},
                {2, {{"what it does is hidden: look as user " + user + ", or as root", Style::quiet}}}};
    }
    Lines lines;
    if (snapshot.server_exit) {
        const Ended& ended = snapshot.server_exit->ended;
        char when[16] = "";
        const std::time_t seconds = snapshot.server_exit->when;
        std::strftime(when, sizeof when, "%H:%M:%S", std::localtime(&seconds));
        lines.push_back({0,
                         {{ended.head.name, Style::title},
                          {"pid " + std::to_string(ended.head.pid)},
                          {fate(ended.status) + " at " + when, Style::alarm}}});
    }
    lines.push_back({0, {{"nothing listens on " + target, Style::quiet}}});
    return lines;
}

// ---- lines cut to size ---------------------------------------------------------------------------

/// Removes as many words as fit into `columns` from the text and returns them: at least one character.
std::string cut_words(std::string& text, std::size_t columns) {
    std::size_t at = columns;
    if (text[at] != ' ') at = text.rfind(' ', at);
    if (at == std::string::npos || at == 0) at = columns;
    std::string head = text.substr(0, at);
    text.erase(0, at);
    text.erase(0, text.find_first_not_of(' '));
    return head;
}

/// Wraps the line: between segments where that is enough, otherwise between words.
Lines wrap(const Line& line, std::size_t columns) {
    Lines lines = {{line.indent, {}}};
    std::size_t used = line.indent;
    const std::size_t indent = line.indent + 2;
    for (Segment segment : line.segments) {
        const std::size_t gap = lines.back().segments.empty() ? 0 : GAP;
        if (gap > 0 && (used + gap > columns || width(segment.text) > columns - used - gap)) {
            lines.push_back({indent, {}});
            used = indent;
        } else used += gap;
        while (used < columns && width(segment.text) > columns - used) {
            lines.back().segments.push_back({cut_words(segment.text, columns - used), segment.style});
            lines.push_back({indent, {}});
            used = indent;
        }
        used += width(segment.text);
        lines.back().segments.push_back(std::move(segment));
    }
    return lines;
}

Lines wrap(const Lines& lines, std::size_t columns) {
    Lines all;
    for (const Line& line : lines) {
        for (Line& part : wrap(line, columns)) all.push_back(std::move(part));
    }
    return all;
}

/// The first of the lines; the last one returned ends with "…" when there are more.
Lines cut_lines(Lines lines, std::size_t most, std::size_t columns) {
    if (lines.size() <= most) return lines;
    lines.resize(most);
    if (lines.empty()) return lines;
    std::string& text = lines.back().segments.back().text;
    text = text.substr(0, columns - lines.back().indent - 2) + " …";
    return lines;
}

/// Lines that are shown together or left out together.
struct Item {
    Lines lines;
    std::size_t count = 1;  // how many things it stands for in the summary when it is left out
};
using Items = std::vector<Item>;

std::size_t lines_of(const Items& items) {
    std::size_t sum = 0;
    for (const Item& item : items) sum += item.lines.size();
    return sum;
}

/// Appends the items to `lines`, in at most `room` lines. If some are left out, the last line is a summary. `sum_up`
/// returns its text, given the number of items shown.
template <class SumUp> void append(Lines& lines, const Items& items, std::size_t room, SumUp sum_up) {
    const bool fits = lines_of(items) <= room;
    std::size_t left = fits ? room : room - std::min<std::size_t>(room, 1);
    std::size_t shown = 0;
    for (const Item& item : items) {
        if (item.lines.size() > left) break;
        left -= item.lines.size();
        lines.insert(lines.end(), item.lines.begin(), item.lines.end());
        shown += item.count;
    }
    if (!fits && room > 0) lines.push_back({2, {{sum_up(shown), Style::warning}}});
}

/// "… and 3 more processes, 212 more zombies", for the processes after the first `shown` below the server.
std::string rest_of(const Server& server, std::size_t shown) {
    const auto first = server.processes.begin() + 1 + static_cast<std::ptrdiff_t>(shown);
    const auto zombies =
        std::count_if(first, server.processes.end(), [](const auto& process) { return process.head.is_zombie(); });
    const auto others = server.processes.end() - first - zombies;
    std::string text = "… and ";
    if (others > 0) text += std::to_string(others) + " more processes" + (zombies > 0 ? ", " : "");
    if (zombies > 0) text += std::to_string(zombies) + " more zombies";
    return text;
}

/// The processes below the server: with their tables, or one line each when the tables need more than `room` lines.
Items children(const Server& server, Size size, std::size_t room) {
    for (const bool is_brief : {false, true}) {
        Items items;
        for (auto process = server.processes.begin() + 1; process != server.processes.end(); ++process) {
            items.push_back({wrap(below(server, *process, is_brief), size.columns)});
        }
        if (is_brief || lines_of(items) <= room) return items;
    }
    return {};
}

/// The server's own table, and the clients in its accept queue.
Items descriptors(const Server& server, Size size) {
    Items items;
    for (const Line& row : table(server, server.itself(), 2)) {
        const bool is_shared = row.segments.front().style == Style::quiet;
        items.push_back({wrap(row, size.columns), is_shared ? row.segments.size() : 1});
    }
    for (const proc::TcpSocket& client : server.queue) {
        const std::string state = proc::tcp_state_name(client.state);
        const Line row = {2,
                          {{"in the accept queue: " + client.peer, Style::warning},
                           {state, Style::plain},
                           {"has waited " + whole_seconds(client.since_sent), Style::plain}}};
        items.push_back({wrap(row, size.columns)});
    }
    if (const std::size_t reset = server.reset_in_queue(); reset > 0) {
        const std::string text = "in the accept queue: " + std::to_string(reset) + " reset by the client";
        items.push_back({wrap(Line{2, {{text, Style::warning}}}, size.columns), reset});
    }
    return items;
}

Lines picture_of(const Snapshot& snapshot, Size size) {
    const Server& server = *snapshot.server;
    Lines lines = wrap(heading(server), size.columns);
    const std::size_t free = size.lines - std::min(size.lines, lines.size());
    const Lines lessons =
        cut_lines(wrap(explanations(snapshot), size.columns), free - std::min(free / 2, std::size_t{4}), size.columns);
    const std::size_t room = free - lessons.size();  // for descriptors and processes

    const Items own = descriptors(server, size);
    const std::size_t left = room - std::min(room, lines_of(own));
    const Items processes = children(server, size, left);
    const std::size_t for_processes = std::min(lines_of(processes), std::max(left, room / 2));
    append(lines, own, room - for_processes, [&](std::size_t shown) {
        const std::size_t all = server.itself().descriptors.size() + server.queue.size() + server.reset_in_queue();
        return "… and " + std::to_string(all - shown) + " more sockets";
    });
    append(lines, processes, for_processes, [&](std::size_t shown) { return rest_of(server, shown); });
    lines.insert(lines.end(), lessons.begin(), lessons.end());
    return lines;
}

}  // namespace

std::string Line::text() const {
    std::string text(indent, ' ');
    for (const Segment& segment : segments) text += (&segment == &segments.front() ? "" : "   ") + segment.text;
    return text;
}

Lines picture(const Snapshot& snapshot, const std::string& target, Size size) {
    size.columns = std::max<std::size_t>(size.columns, 20);  // a narrower picture cannot be read
    Lines lines;
    if (snapshot.server) {
        lines = picture_of(snapshot, size);
    } else {
        lines = wrap(waiting(snapshot, target), size.columns);
        for (Line& line : wrap(explanations(snapshot), size.columns)) lines.push_back(std::move(line));
    }
    lines.resize(std::min(lines.size(), size.lines));
    return lines;
}

}  // namespace xray
