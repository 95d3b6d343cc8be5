// diagnose: which stage of the article has this server reached? It tries every behaviour on a server, in any language,
// and says which step answers alike.
#include <getopt.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../harness/process.hpp"
#include "../harness/server.hpp"
#include "behaviours.hpp"

namespace {

using namespace diagnose;
using harness::Server;
using Clock = std::chrono::steady_clock;

constexpr const char* USAGE =
    R"(usage: diagnose [--expect STEP] [--only BEHAVIOUR]… [--json] COMMAND [ARG…]

Starts the server COMMAND again and again, tries every behaviour on it, and says which step it behaves like.
The server is told nothing, but that PORT=0 is in its environment: its port is found.

  --expect STEP       a letter from a to h, or step_a to step_h: success is to behave like this one
  --only BEHAVIOUR    try this one alone, and those of the other --only: "reaps many", say
  --json              print one object instead of lines
  --help              print this

Each line: the behaviour; yes, no, – (does not apply) or ? (cannot be decided); the evidence.
Exit status: 0 recognised (as STEP, if given), 1 not, 2 wrong usage, 3 the server did not start or listen.
)";

enum Exit { RECOGNISED = 0, NOT_RECOGNISED = 1, WRONG_USAGE = 2, NO_SERVER = 3 };

struct Options {
    char expect = 0;  // 0: any step
    std::vector<const Behaviour*> rows;
    bool json = false;
    bool help = false;
    Program server;
};

char step_of(std::string name) {
    if (name.starts_with("step_")) name.erase(0, 5);
    if (name.size() == 1 && STEPS.find(name[0]) != std::string_view::npos) return name[0];
    throw std::invalid_argument("--expect takes a letter from a to h, got \"" + name + '"');
}

Options options_of(int argc, char* argv[]) {
    const option known[] = {{"expect", required_argument, nullptr, 'e'},
                            {"only", required_argument, nullptr, 'o'},
                            {"json", no_argument, nullptr, 'j'},
                            {"help", no_argument, nullptr, 'h'},
                            {nullptr, 0, nullptr, 0}};
    Options options;
    for (int one; (one = getopt_long(argc, argv, "+", known, nullptr)) != -1;) {  // +: the rest is the server's
        if (one == 'e') options.expect = step_of(optarg);
        else if (one == 'o') options.rows.push_back(&behaviour(optarg));
        else if (one == 'j') options.json = true;
        else if (one == 'h') options.help = true;
        else throw std::invalid_argument("diagnose --help tells the options");  // getopt_long has said which is wrong
    }
    if (options.help) return options;
    options.server.command.assign(argv + optind, argv + argc);
    if (options.server.command.empty()) throw std::invalid_argument("no server: diagnose [OPTION…] COMMAND [ARG…]");
    if (options.rows.empty()) {
        for (const Behaviour& row : behaviours()) options.rows.push_back(&row);
    }
    options.server.is_foreign = true;
    options.server.environment = {{"PYTHONDONTWRITEBYTECODE", "1"}};  // it leaves nothing behind
    return options;
}

// ---- what is printed ----------------------------------------------------------------------------

std::string word(Answer answer) {
    std::ostringstream text;
    text << answer;
    return answer == Answer::undecided ? "undecided" : text.str();
}

/// "step_c, step_d or step_f"
std::string steps_in_words(const std::string& letters) {
    std::string text;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        text += i == 0 ? "" : i + 1 == letters.size() ? " or " : ", ";
        text += std::string("step_") + letters[i];
    }
    return text;
}

/// The evidence, and the rule behind it where it is a fault.
std::string explained(const Tried& row) {
    const std::string rule = row.finding.answer == Answer::no ? row.explanation() : "";
    return row.finding.evidence + (rule.empty() ? "" : ": " + rule);
}

void print_line(const Tried& row) {
    std::ostringstream mark;
    mark << row.finding.answer;
    const std::size_t columns = mark.str() == "–" ? 1 : mark.str().size();
    const std::string name = row.behaviour->name;
    std::cout << name << std::string(20 - name.size(), ' ') << mark.str() << std::string(6 - columns, ' ')
              << explained(row) << std::endl;
}

std::string verdict(const Likeness& like) {
    if (!like.steps.empty()) return "behaves like " + steps_in_words(like.steps);
    std::string text = std::string("behaves like no step; nearest step_") + like.nearest + " (";
    for (const Tried& row : like.differences) {
        if (&row != &like.differences.front()) text += "; ";
        text += std::string(row.behaviour->name) + ": " + word(row.finding.answer);
    }
    return text + ')';
}

/// A JSON string (RFC 8259, 7). What is not UTF-8 becomes U+FFFD, byte by byte.
std::string json(std::string_view text) {
    std::ostringstream out;
    out << '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const std::size_t size = byte < 0x80                   ? 1
                                 : byte >= 0xC2 && byte < 0xE0 ? 2
                                 : byte >> 4 == 0xE            ? 3
                                 : byte >> 3 == 0x1E           ? 4
                                                               : 0;
        const std::string_view rest = text.substr(i + 1, size == 0 ? 0 : size - 1);
        const bool is_utf8 = size > 0 && rest.size() + 1 == size &&
                             std::all_of(rest.begin(), rest.end(), [](char one) { return (one & 0xC0) == 0x80; });
        if (!is_utf8) out << "\\ufffd";
        else if (byte < ' ') out << "\\u00" << (byte >> 4) << "0123456789abcdef"[byte & 15];
        else out << (byte == '"' || byte == '\\' ? "\\" : "") << text.substr(i, size);
        i += is_utf8 ? size : 1;
    }
    return out.str() + '"';
}

template <class Sequence, class Convert> std::string json_list(const Sequence& all, Convert convert) {
    std::string text;
    for (const auto& one : all) text += (text.empty() ? "" : ", ") + convert(one);
    return '[' + text + ']';
}

std::string json_step(char letter) { return json(std::string("step_") + letter); }

std::string json_row(const Tried& row) {
    const std::string answer =
        row.finding.answer == Answer::not_applicable ? "not applicable" : word(row.finding.answer);
    return "\n  {\"name\": " + json(row.behaviour->name) + ", \"description\": " + json(row.behaviour->description) +
           ", \"answer\": " + json(answer) + ", \"evidence\": " + json(row.finding.evidence) +
           ", \"explanation\": " + json(row.explanation()) + '}';
}

std::string json_object(const Options& options, const std::vector<Tried>& tried, const Likeness& like) {
    const auto name = [](const Tried& row) { return json(row.behaviour->name); };
    return "{\"command\": " + json_list(options.server.command, json) +
           ",\n \"behaviours\": " + json_list(tried, json_row) +
           ",\n \"recognised\": " + (like.steps.empty() ? "false" : "true") +
           ",\n \"steps\": " + json_list(like.steps, json_step) + ",\n \"nearest\": " + json_step(like.nearest) +
           ",\n \"differences\": " + json_list(like.differences, name) + "}\n";
}

// ---- what is done -------------------------------------------------------------------------------

/// Tries all rows, within two minutes: what a server wins by doing nothing is that the rest is undecided.
std::vector<Tried> try_all(const Options& options) {
    const Clock::time_point deadline = Clock::now() + std::chrono::minutes(2);
    std::vector<Tried> tried;
    for (const Behaviour* row : options.rows) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        Program server = options.server;
        server.patience = std::min(left, std::chrono::milliseconds(20'000));
        const bool in_time = left > std::chrono::milliseconds(0);
        tried.push_back({row, in_time ? find(*row, server) : Finding{Answer::undecided, "the two minutes are over"}});
        if (!options.json) print_line(tried.back());
    }
    return tried;
}

int run(int argc, char* argv[]) {
    Options options;
    try {
        options = options_of(argc, argv);
    } catch (const std::invalid_argument& error) {
        std::cerr << "diagnose: " << error.what() << '\n';
        return WRONG_USAGE;
    }
    if (options.help) {
        std::cout << USAGE;
        return RECOGNISED;
    }
    try {
        const Server starts(options.server);
    } catch (const std::exception& error) {
        if (options.json) {
            std::cout << "{\"command\": " << json_list(options.server.command, json)
                      << ", \"error\": " << json(error.what()) << "}\n";
        }
        std::cerr << "diagnose: " << error.what() << '\n';
        return NO_SERVER;
    }
    const std::vector<Tried> tried = try_all(options);
    const Likeness like = likeness(tried);
    std::cout << (options.json ? json_object(options, tried, like) : verdict(like) + '\n');
    const bool is_expected = options.expect == 0 || like.steps.find(options.expect) != std::string::npos;
    return !like.steps.empty() && is_expected ? RECOGNISED : NOT_RECOGNISED;
}

}  // namespace

int main(int argc, char* argv[]) {
    return harness::guarded([=] { return run(argc, argv); });
}
