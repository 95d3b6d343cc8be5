#include "json.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "behaviours.hpp"
#include "exercises.hpp"
#include "nature.hpp"
#include "probes.hpp"
#include "verdict.hpp"

namespace diagnose {
namespace {

using Json = nlohmann::ordered_json;

/// Indented, since people read it too.
std::string text_of(const Json& value) { return value.dump(1, ' ', false, Json::error_handler_t::replace) + '\n'; }

std::string step_named(char letter) { return std::string("step_") + letter; }

}  // namespace

std::string json_of(const std::vector<std::string>& command, const std::vector<Tried>& tried, Kind kind,
                    bool is_interrupted) {
    const Likeness like = likeness(tried);
    Json rows = Json::array();
    for (const Tried& row : tried) {
        rows.push_back({{"name", row.behaviour->name},
                        {"description", row.behaviour->description},
                        {"group", row.behaviour->is_reported ? "reported" : "steps"},
                        {"answer", in_words(row.finding.answer)},
                        {"evidence", row.finding.evidence},
                        {"explanation", row.explanation()},
                        {"mend", row.finding == Answer::no ? mend_of(row) : ""}});
    }
    Json steps = Json::array();
    for (const char letter : like.steps) steps.push_back(step_named(letter));
    const auto names = [&](const std::vector<Tried>& some) {
        Json all = Json::array();
        for (const Tried& row : some) all.push_back(row.behaviour->name);
        return all;
    };
    Json object = {{"command", command},
                   {"kind", in_words(kind)},
                   {"behaviours", rows},
                   {"recognised", !is_interrupted && !like.steps.empty()},
                   {"steps", steps},
                   {"nearest", step_named(like.nearest)},
                   {"differences", names(like.differences)},
                   {"better", names(like.compared(Comparison::better))},
                   {"worse", names(like.compared(Comparison::worse))},
                   {"verdict", verdict(like, tried, kind)}};
    if (is_interrupted) object["interrupted"] = true;
    return text_of(object);
}

std::string json_of_error(const std::vector<std::string>& command, const std::string& error) {
    return text_of({{"command", command}, {"error", error}});
}

std::string json_of_exercises() {
    Json all = Json::array();
    for (const Exercise& exercise : exercises()) {
        all.push_back({{"number", exercise.number},
                       {"name", exercise.name},
                       {"folder", exercise.folder()},
                       {"file", exercise.file},
                       {"command", exercise.command()},
                       {"goals", exercise.goals},
                       {"kept", exercise.kept}});
    }
    return text_of(all);
}

std::string json_of_rows(const std::vector<Row>& rows) {
    Json all = Json::array();
    for (const Row& row : rows) {
        all.push_back({{"name", row.name},
                       {"answer", in_words(row.finding.answer)},
                       {"evidence", row.finding.evidence},
                       {"rule", row.finding.rule},
                       {"is goal", row.is_goal},
                       {"holds", row.holds()}});
    }
    return text_of(all);
}

}  // namespace diagnose
