#include "source.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replay {
namespace {

char* no_path = nullptr;
const Dwfl_Callbacks CALLBACKS = {dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr, &no_path};

struct Walk {
    Dwfl* session;
    std::vector<std::pair<std::string, int>> lines;
};

void add(Walk& walk, const char* file, int line) {
    if (file && line > 0) walk.lines.emplace_back(file, line);
}

/// The compilation unit that contains `address`, and the bias to subtract from addresses in it; null when none has
/// debug information. Without a table of addresses (.debug_aranges), which clang does not write, all units are
/// searched.
Dwarf_Die* unit_at(Dwfl_Module* module, Dwarf_Addr address, Dwarf_Addr& bias) {
    if (Dwarf_Die* const unit = dwfl_module_addrdie(module, address, &bias)) return unit;
    Dwarf_Die* unit = nullptr;
    while ((unit = dwfl_module_nextcu(module, unit, &bias)) != nullptr) {
        if (dwarf_haspc(unit, address - bias) == 1) return unit;
    }
    return nullptr;
}

void add_own(Walk& walk, Dwarf_Die* unit, Dwarf_Addr address) {
    Dwarf_Line* const found = dwarf_getsrc_die(unit, address);
    int line = 0;
    if (found && dwarf_lineno(found, &line) == 0) add(walk, dwarf_linesrc(found, nullptr, nullptr), line);
}

/// The lines of the calls that were inlined at `address`, the innermost first.
void add_inlined(Walk& walk, Dwarf_Die* unit, Dwarf_Addr address) {
    // dwarf_getscopes goes from an inlined function to the scopes of its definition. The scopes of the innermost entry
    // are those in which it was inlined.
    Dwarf_Die* innermost = nullptr;
    const int depth = dwarf_getscopes(unit, address, &innermost);
    const std::unique_ptr<Dwarf_Die, decltype(&std::free)> innermost_owner(innermost, std::free);
    if (depth <= 0) return;
    Dwarf_Die* scopes = nullptr;
    const int count = dwarf_getscopes_die(innermost, &scopes);
    const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owner(scopes, std::free);
    Dwarf_Files* files = nullptr;
    if (count <= 0 || dwarf_getsrcfiles(unit, &files, nullptr) != 0) return;
    for (int i = 0; i < count; ++i) {
        if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine) continue;
        Dwarf_Attribute attribute;
        Dwarf_Word file = 0, line = 0;
        if (dwarf_formudata(dwarf_attr(&scopes[i], DW_AT_call_file, &attribute), &file) == 0 &&
            dwarf_formudata(dwarf_attr(&scopes[i], DW_AT_call_line, &attribute), &line) == 0) {
            add(walk, dwarf_filesrc(files, file, nullptr, nullptr), static_cast<int>(line));
        }
    }
}

/// A library of the system is not the program's own source. Its debug information may be large and compressed: to read
/// libc's takes longer than all the rest of a recording.
bool is_system_library(Dwfl_Module* module) {
    const char* const path = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    return path && (std::string_view(path).starts_with("/usr/lib") || std::string_view(path).starts_with("/lib"));
}

int visit(Dwfl_Frame* frame, void* argument) {
    Walk& walk = *static_cast<Walk*>(argument);
    Dwarf_Addr address = 0;
    bool is_activation = false;  // true: the address is the next instruction to run; false: it is a return address
    if (!dwfl_frame_pc(frame, &address, &is_activation)) return DWARF_CB_ABORT;
    if (!is_activation) --address;
    Dwfl_Module* const module = dwfl_addrmodule(walk.session, address);
    if (!module || is_system_library(module)) return DWARF_CB_OK;
    Dwarf_Addr bias = 0;
    if (Dwarf_Die* const unit = unit_at(module, address, bias)) {
        add_own(walk, unit, address - bias);
        add_inlined(walk, unit, address - bias);
    }
    return walk.lines.size() < 200 ? DWARF_CB_OK : DWARF_CB_ABORT;
}

}  // namespace

struct Sources::Session {
    explicit Session(pid_t process) : dwfl(dwfl_begin(&CALLBACKS)) {
        dwfl_linux_proc_report(dwfl, process);
        dwfl_report_end(dwfl, nullptr, nullptr);
        dwfl_linux_proc_attach(dwfl, process, true);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { dwfl_end(dwfl); }
    Dwfl* dwfl;
};

Sources::Sources() : folder_(std::filesystem::current_path().string() + '/') {}
Sources::~Sources() = default;

void Sources::forget(pid_t process) { sessions_.erase(process); }

std::vector<Place> Sources::places(pid_t process, pid_t thread) {
    std::unique_ptr<Session>& session = sessions_[process];
    if (!session) session = std::make_unique<Session>(process);
    Walk walk = {session->dwfl, {}};
    dwfl_getthread_frames(session->dwfl, thread, visit, &walk);
    std::vector<Place> own;
    for (const auto& [file, line] : walk.lines) {
        const std::string path = std::filesystem::path(file).lexically_normal().string();
        const bool is_below = path.starts_with(folder_);
        const bool is_relative = !path.empty() && path[0] != '/';
        if (!is_below && !is_relative) continue;
        Place place = {is_below ? path.substr(folder_.size()) : path, line};
        if (!std::filesystem::exists(place.file)) continue;
        if (own.empty() || own.back() != place) own.push_back(std::move(place));
    }
    return own;
}

}  // namespace replay
