#include "verdict.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace diagnose {
namespace {

constexpr std::string_view SLEEPS = "sleeps before closing";

/// Rows in which a no is no fault, since even the article's last server answers no.
bool is_a_lack(const Tried& row) { return row.behaviour->expected[STEPS.find('g')] == Answer::no; }

bool is_sleeping(const std::vector<Tried>& tried) {
    return std::any_of(tried.begin(), tried.end(),
                       [](const Tried& row) { return row.behaviour->name == SLEEPS && row.finding == Answer::yes; });
}

std::string name_of_step(char letter) { return std::string("step_") + letter; }

/// "step_c, step_d or step_f"
std::string steps_in_words(const std::string& letters) {
    std::string text;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        text += i == 0 ? "" : i + 1 == letters.size() ? " or " : ", ";
        text += name_of_step(letters[i]);
    }
    return text;
}

std::string names_of(const std::vector<Tried>& rows) {
    std::string text;
    for (const Tried& row : rows) text += (text.empty() ? "" : ", ") + std::string(row.behaviour->name);
    return text;
}

std::string faults_of(const std::vector<Tried>& rows) {
    std::string text;
    for (const Tried& row : rows) text += (text.empty() ? "" : "; ") + fault_of(row);
    return text;
}

/// Joins the parts that are not empty: "behaves like step_g", ", and better: …", "; but: …".
std::string joined(std::string text, const std::vector<std::string>& parts) {
    bool is_first = true;
    for (const std::string& part : parts) {
        if (part.empty()) continue;
        text += (is_first ? ", " : "; ") + part;
        is_first = false;
    }
    return text;
}

std::string labelled(const char* label, const std::string& text) { return text.empty() ? "" : label + text; }

/// The verdict on a server that serves its clients in a way that no step does.
std::string verdict_of_kind(const std::vector<Tried>& tried, Kind kind) {
    std::vector<Tried> faults;
    std::vector<Tried> lacks;
    std::vector<Tried> undecided;
    for (const Tried& row : tried) {
        if (row.finding == Answer::undecided) undecided.push_back(row);
        if (row.finding != Answer::no || row.behaviour->name == SLEEPS) continue;
        (is_a_lack(row) ? lacks : faults).push_back(row);
    }
    return joined(std::string("behaves like no step: it is ") + in_words(kind),
                  {faults.empty() ? "and no fault was found" : "but: " + faults_of(faults),
                   labelled("lacks, as step_g does: ", names_of(lacks)), labelled("undecided: ", names_of(undecided))});
}

}  // namespace

Comparison compare(const Tried& row, char step, bool sleeps) {
    const Answer found = row.finding.answer;
    const Answer expected = row.behaviour->expected[STEPS.find(step)];
    if (found == expected) return Comparison::equal;
    if (found == Answer::undecided) {
        return sleeps && row.finding.is_hidden_by_sleep ? Comparison::equal : Comparison::undecided;
    }
    if (row.behaviour->name == SLEEPS) return Comparison::worse;
    if (row.behaviour->is_reported && found == Answer::not_applicable) return Comparison::equal;
    if (found == Answer::yes) return Comparison::better;
    return found == Answer::no ? Comparison::worse : Comparison::does_not_apply;
}

std::vector<Tried> Likeness::compared(Comparison comparison) const {
    std::vector<Tried> rows;
    std::copy_if(differences.begin(), differences.end(), std::back_inserter(rows),
                 [&](const Tried& row) { return compare(row, nearest, sleeps) == comparison; });
    return rows;
}

Likeness likeness(const std::vector<Tried>& tried) {
    Likeness like;
    like.sleeps = is_sleeping(tried);
    const auto count = [&](char step, Comparison comparison) {
        return std::count_if(tried.begin(), tried.end(),
                             [&](const Tried& row) { return compare(row, step, like.sleeps) == comparison; });
    };
    const auto distance = [&](char step) {
        const auto worse = count(step, Comparison::worse) + count(step, Comparison::undecided);
        const auto other = count(step, Comparison::does_not_apply) + count(step, Comparison::better);
        return std::tuple(2 * worse + other, worse, -step);
    };
    like.nearest =
        *std::min_element(STEPS.begin(), STEPS.end(), [&](char a, char b) { return distance(a) < distance(b); });
    std::copy_if(tried.begin(), tried.end(), std::back_inserter(like.differences),
                 [&](const Tried& row) { return compare(row, like.nearest, like.sleeps) != Comparison::equal; });
    for (const char step : STEPS) {
        if (std::get<0>(distance(step)) == 0) like.steps += step;
    }
    return like;
}

bool is_as_good(const std::vector<Tried>& tried, char step) {
    const bool sleeps = is_sleeping(tried);
    return std::all_of(tried.begin(), tried.end(), [&](const Tried& row) {
        const Comparison comparison = compare(row, step, sleeps);
        const bool was_no = row.behaviour->expected[STEPS.find(step)] == Answer::no;
        return comparison == Comparison::equal || comparison == Comparison::better ||
               (comparison == Comparison::does_not_apply && was_no);
    });
}

std::string verdict(const Likeness& like, const std::vector<Tried>& tried, Kind kind) {
    if (!like.steps.empty()) return "behaves like " + steps_in_words(like.steps);
    if (kind == Kind::event_loop || kind == Kind::threads || kind == Kind::workers) return verdict_of_kind(tried, kind);
    return joined("behaves like " + name_of_step(like.nearest),
                  {labelled("and better: ", names_of(like.compared(Comparison::better))),
                   labelled("but: ", faults_of(like.compared(Comparison::worse))),
                   labelled("does not apply: ", names_of(like.compared(Comparison::does_not_apply))),
                   labelled("undecided: ", names_of(like.compared(Comparison::undecided)))});
}

}  // namespace diagnose
