// Fuzzes the parsers of a request's head and body, and the head of a response. No bytes may make them crash or hang.
// The result must not depend on how the bytes are cut into pieces.
#include "../../step_h_wsgi/http.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr int COMPLETE = 0;
constexpr int INCOMPLETE = -1;

void require(bool condition) {
    if (!condition) std::abort();
}

int status_of(const http::Error& error) {
    require(error.status() >= 400 && error.status() < 600 && !http::reason_phrase(error.status()).empty());
    return error.status();
}

/// COMPLETE, INCOMPLETE or the status of the error. Sets `taken` to the number of bytes in the head.
int head_outcome(http::RequestParser& parser, std::string_view bytes, std::size_t at_once, std::size_t& taken) {
    try {
        for (taken = 0; taken < bytes.size() && !parser.is_complete();) {
            taken += parser.feed(bytes.substr(taken, at_once));
        }
        return parser.is_complete() ? COMPLETE : INCOMPLETE;
    } catch (const http::Error& error) {
        return status_of(error);
    }
}

/// The same for a body, whose data is appended to `body`.
int body_outcome(const http::Request& request, std::string_view bytes, std::size_t at_once, std::string& body) {
    http::BodyParser parser(request);
    try {
        for (std::size_t taken = 0; taken < bytes.size() && !parser.is_complete();) {
            const http::BodyParser::Piece piece = parser.next(bytes.substr(taken, at_once), at_once);
            require(piece.taken > 0 && piece.data.size() <= at_once);
            taken += piece.taken;
            body += piece.data;
        }
        return parser.is_complete() ? COMPLETE : INCOMPLETE;
    } catch (const http::Error& error) {
        return status_of(error);
    }
}

void check_request(std::string_view bytes, std::size_t at_once) {
    http::RequestParser parser, other;
    std::size_t size = 0, other_size = 0;
    const int outcome = head_outcome(parser, bytes, bytes.size() + 1, size);
    require(outcome == head_outcome(other, bytes, at_once, other_size));
    if (outcome != COMPLETE) return;
    require(size == other_size);
    const http::Request& request = parser.request();
    require(request.path.empty() ? request.method == "OPTIONS" : request.path[0] == '/');
    require(request.content_length.value_or(0) <= http::MAX_BODY && !(request.content_length && request.is_chunked));
    std::string body, other_body;
    const int body_result = body_outcome(request, bytes.substr(size), bytes.size() + 1, body);
    require(body_result == body_outcome(request, bytes.substr(size), at_once, other_body));
    require(body == other_body &&
            (body_result != COMPLETE || request.is_chunked || body.size() == request.content_length.value_or(0)));
}

/// The bytes are a status and header fields, one a line, as an application might name them.
void check_response(std::string_view bytes) {
    const std::string status(bytes.substr(0, bytes.find('\n')));
    try {
        http::Response response(status);
        for (std::size_t begin = status.size() + 1; begin < bytes.size();) {
            const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
            const std::string_view line = bytes.substr(begin, end - begin);
            const std::size_t colon = std::min(line.find(':'), line.size());
            response.add(std::string(line.substr(0, colon)),
                         std::string(line.substr(std::min(colon + 1, line.size()))));
            begin = end + 1;
        }
        const std::string head = response.head();
        require(head.starts_with("HTTP/1.1 ") && head.find("\r\n\r\n") == head.size() - 4);
        for (std::size_t i = 0; i < head.size(); ++i) require((head[i] == '\n') == (i > 0 && head[i - 1] == '\r'));
    } catch (const std::invalid_argument&) {
        return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_request(bytes, data[0] % 32U + 1);
    check_response(bytes);
    return 0;
}
