// Both parsers against whatever comes: no crash, no hang, and an answer that does not depend on how the bytes are cut.
#include "../../step_h_wsgi/http.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

#include "../../step_h_wsgi/cgi.hpp"

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

/// What a parser makes of the bytes: 0 when it is complete, -1 when it waits for more, or the error's status.
template <class Parser>
int outcome_of(Parser& parser, std::string_view bytes, std::size_t at_once, std::size_t& taken) {
    try {
        for (taken = 0; taken < bytes.size() && !parser.is_complete();) {
            taken += parser.feed(bytes.substr(taken, at_once));
        }
        return parser.is_complete() ? 0 : -1;
    } catch (const http::Error& error) {
        require(error.status() >= 400 && error.status() < 600 && !http::reason_phrase(error.status()).empty());
        return error.status();
    }
}

template <class Parser> int same_outcome(Parser& parser, std::string_view bytes, std::size_t at_once) {
    Parser other;
    std::size_t taken = 0;
    std::size_t other_taken = 0;
    const int outcome = outcome_of(parser, bytes, bytes.size() + 1, taken);
    require(outcome == outcome_of(other, bytes, at_once, other_taken));
    require(outcome != 0 || taken == other_taken);
    return outcome;
}

void check_request(std::string_view bytes, std::size_t at_once) {
    http::RequestParser parser;
    if (same_outcome(parser, bytes, at_once) != 0) return;
    const http::Request& request = parser.request();
    require(request.path.empty() ? request.method == "OPTIONS" : request.path[0] == '/');
    require(request.content_length.value_or(0) <= http::MAX_BODY);
    for (const std::string& variable : cgi::environment(request, {"192.0.2.1", "192.0.2.2", "8888"})) {
        require(variable.find('\0') == variable.npos && !variable.starts_with("HTTP_PROXY="));
    }
}

void check_response(std::string_view bytes, std::size_t at_once) {
    cgi::ResponseParser parser;
    if (same_outcome(parser, bytes, at_once) != 0) return;
    const std::string& head = parser.response().head;
    require(head.starts_with("HTTP/1.1 ") && head.find("\r\n\r\n") == head.size() - 4);
    for (std::size_t i = 0; i < head.size(); ++i) {
        require(head[i] != '\0');
        require((head[i] == '\n') == (i > 0 && head[i - 1] == '\r'));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_request(bytes, data[0] % 32U + 1);
    check_response(bytes, data[0] % 32U + 1);
    return 0;
}
