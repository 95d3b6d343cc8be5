#include "page.hpp"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace replay {

// The Makefile generates it from page.html, page.css and page.js.
extern const char* const PAGE_HTML;
extern const char* const PAGE_CSS;
extern const char* const PAGE_JS;

namespace {

void fill(std::string& page, const std::string& mark, const std::string& text) {
    if (const std::size_t at = page.find(mark); at != std::string::npos) page.replace(at, mark.size(), text);
}

}  // namespace

std::string page(const std::vector<nlohmann::ordered_json>& recordings) {
    std::string data =
        nlohmann::ordered_json(recordings).dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
    for (std::size_t at = 0; (at = data.find("</", at)) != std::string::npos; at += 3) data.replace(at, 2, "<\\/");
    std::string text = PAGE_HTML;
    fill(text, "/*page.css*/", PAGE_CSS);
    fill(text, "/*page.js*/", PAGE_JS);
    fill(text, "/*recordings*/", data);
    return text;
}

}  // namespace replay
