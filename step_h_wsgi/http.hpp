// HTTP/1.1 as a careful server reads it (RFC 9110, RFC 9112): bytes in, a request out, or the status that says what is
// wrong with it. Knows no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace http {

// What is larger is refused.
constexpr std::size_t MAX_REQUEST_LINE = 8UL * 1024;  ///< bytes, without the line's end: 414
constexpr std::size_t MAX_FIELDS_SIZE = 32UL * 1024;  ///< bytes of all header lines, without their ends: 431
constexpr std::size_t MAX_FIELDS = 100;  ///< header lines: 431
constexpr std::uint64_t MAX_BODY = 100UL * 1024 * 1024;  ///< bytes: 413

/// Why there is no answer but an error page: its status, and what was wrong.
class Error : public std::runtime_error {
public:
    Error(int status, const std::string& reason) : std::runtime_error(reason), status_(status) {}
    int status() const noexcept { return status_; }

private:
    int status_;
};

/// A request's head.
struct Request {
    std::string method;
    std::string version;  ///< "HTTP/1.1"
    std::string path;  ///< percent-decoded; starts with "/", or is empty for the target "*"
    std::string query;  ///< what follows the "?", as it was sent
    std::string host;  ///< the server as the client calls it, without the port; empty when it did not say
    /// The header fields, names in lower case, repeated ones joined (RFC 9110, 5.3).
    std::map<std::string, std::string> fields;
    std::optional<std::uint64_t> content_length;
    bool expects_continue = false;  ///< sends its body only when it is told to (RFC 9110, 10.1.1)

    /// The value of the field `name` (lower case); empty when there is none.
    std::string field(const std::string& name) const;
};

/// Reads a request's head from its bytes, in whatever pieces they come.
///
/// Strict where leniency lets two servers see two different requests in the same bytes (RFC 9112, 11.2): lines end with
/// CR LF, and there is no folding, no blank before a colon, no second opinion on where the body ends.
class RequestParser {
public:
    /// Takes the head's part of `bytes` and returns its size: less than all when the body begins in them. Throws Error
    /// (400, 411, 413, 414, 417, 431, 501, 505) as soon as it is certain. Afterwards it is of no more use.
    std::size_t feed(std::string_view bytes);

    bool is_complete() const { return is_complete_; }
    const Request& request() const { return request_; }  ///< All of it once it is complete.

    /// The request line, as far as it has come, good or bad: for the log.
    const std::string& request_line() const { return request_line_; }

private:
    void take(char byte);
    void take_line(const std::string& line);
    void take_request_line(const std::string& line);
    void take_target(std::string_view target);
    void take_field(const std::string& line);
    void complete();
    void take_host();
    void take_body_size();

    Request request_;
    std::string request_line_;
    std::string line_;  // the one that has begun
    std::string authority_;  // of a target in absolute form
    std::size_t fields_size_ = 0;
    std::size_t field_count_ = 0;
    bool skipped_empty_line_ = false;
    bool has_request_line_ = false;
    bool is_complete_ = false;
};

/// A header line: its name, and its value without the blanks around it.
struct Field {
    std::string name;
    std::string value;
};

/// Names of fields are compared without regard to case (RFC 9110, 5.1). ASCII alone is changed.
std::string lower(std::string text);

/// Takes a header line, without its end, apart. Throws Error(400) when it is none: a continuation (obs-fold, RFC 9112,
/// 5.2), a line without colon, a name that is no token. That no control character is in it is the caller's care.
Field parse_field(const std::string& line);

/// The number of bytes that a Content-Length tells: one number, or the same one several times, separated by commas (RFC
/// 9110, 8.6). Throws Error: 413 when it does not fit into 64 bits, otherwise 400.
std::uint64_t parse_content_length(const std::string& value);

/// All control characters but the tab: none of them has a place in a header line (RFC 9110, 5.5).
constexpr bool is_control(char byte) {
    return (static_cast<unsigned char>(byte) < ' ' && byte != '\t') || byte == '\x7f';
}

/// "Not Found" for 404; empty for a status that is not known here.
std::string_view reason_phrase(int status);

/// The time now, as the field Date has it (RFC 9110, 5.6.7).
std::string date();

/// A whole answer of the server's own: a line of plain text that says the status. `more_fields` are whole lines.
/// `body_size` is the size of that line; a HEAD request gets all but it.
struct Page {
    explicit Page(int status, bool is_for_head = false, const std::string& more_fields = "");
    std::string text;
    std::size_t body_size;
};

}  // namespace http
