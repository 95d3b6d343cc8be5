#include "json.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "behaviours.hpp"
#include "exercises.hpp"
#include "probes.hpp"

namespace diagnose {
namespace {

using Json = nlohmann::ordered_json;

/// In lines, as people look at it too.
std::string text_of(const Json& value) { return value.dump(1, ' ', false, Json::error_handler_t::replace) + '\n'; }

std::string name_of_step(char letter) { return std::string("step_") + letter; }

}  // namespace

std::string json_of(const std::vector<std::string>& command, const std::vector<Tried>& tried, const Likeness& like) {
    Json rows = Json::array();
    for (const Tried& row : tried) {
        rows.push_back({{"name", row.behaviour->name},
                        {"description", row.behaviour->description},
                        {"answer", in_words(row.finding.answer)},
                        {"evidence", row.finding.evidence},
                        {"explanation", row.explanation()}});
    }
    Json steps = Json::array();
    for (const char letter : like.steps) steps.push_back(name_of_step(letter));
    Json differences = Json::array();
    for (const Tried& row : like.differences) differences.push_back(row.behaviour->name);
    return text_of({{"command", command},
                    {"behaviours", rows},
                    {"recognised", !like.steps.empty()},
                    {"steps", steps},
                    {"nearest", name_of_step(like.nearest)},
                    {"differences", differences}});
}

std::string json_of_error(const std::vector<std::string>& command, const std::string& error) {
    return text_of({{"command", command}, {"error", error}});
}

std::string json_of_exercises() {
    Json all = Json::array();
    for (const Exercise& one : exercises()) {
        all.push_back({{"number", one.number},
                       {"name", one.name},
                       {"folder", one.folder()},
                       {"file", one.file},
                       {"command", one.command()},
                       {"goals", one.goals},
                       {"kept", one.kept}});
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
