// HTTP/1.1 as a careful server reads and writes it (RFC 9110, RFC 9112): bytes to a request, a response to bytes. Knows
// no sockets and no Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace http {

// The server refuses what is larger.
constexpr std::size_t MAX_REQUEST_LINE = 8UL * 1024;  ///< bytes, without the line's end: 414
constexpr std::size_t MAX_FIELDS_SIZE = 32UL * 1024;  ///< bytes of all header lines, without their ends: 431
constexpr std::size_t MAX_FIELDS = 100;  ///< header lines: 431
constexpr std::size_t MAX_CHUNK_LINE = 4UL * 1024;  ///< bytes of a chunk's size with its extensions: 400
constexpr std::uint64_t MAX_BODY = 100UL * 1024 * 1024;  ///< bytes, where no setting says otherwise: 413

/// The status in the log for a client that disconnected before its response began. The server never sends it.
constexpr int CLIENT_IS_GONE = 499;

/// Why the response is an error page: its status, and what was wrong.
class Error : public std::runtime_error {
public:
    Error(int status, const std::string& reason) : std::runtime_error(reason), status_(status) {}
    int status() const noexcept { return status_; }

private:
    int status_;
};

/// A line that comes byte by byte and ends with CR LF.
class Line {
public:
    /// Adds a byte. Returns whether the line is complete. Throws Error(400) for a control character, for CR without LF
    /// and for LF without CR. With those, two servers could see different requests in the same bytes (RFC 9112, 2.2).
    bool add(char byte);
    std::size_t size() const { return text_.size(); }
    /// Returns the line without its end, and begins another one.
    std::string take() { return std::exchange(text_, ""); }

private:
    std::string text_;
    bool has_return_ = false;
};

/// A request's head.
struct Request {
    std::string method;
    std::string version;  ///< "HTTP/1.1"
    std::string path;  ///< percent-decoded; starts with "/", or is empty for the target "*"
    std::string query;  ///< what follows the "?", as the client sent it
    std::string host;  ///< the client's name for the server, without the port; empty when it sent none
    /// The header fields. Names are in lower case, and the values of repeated fields are joined (RFC 9110, 5.3).
    std::map<std::string, std::string> fields;
    std::optional<std::uint64_t> content_length;
    bool is_chunked = false;  ///< the body is in chunks (RFC 9112, 7.1), and its length is not known before its end
    bool expects_continue = false;  ///< the client sends its body after "100 Continue" (RFC 9110, 10.1.1)

    /// Returns the value of the field `name` (lower case); empty when there is none.
    std::string field(const std::string& name) const;
    bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }
};

/// Reads a request's head from its bytes, in pieces of any size.
///
/// It is strict where a lenient parser would let two servers see different requests in the same bytes (RFC 9112, 11.2).
/// It accepts no folded lines, no blank before a colon, and only one way to find the end of the body.
class RequestParser {
public:
    /// `max_body`: the largest body, in bytes.
    explicit RequestParser(std::uint64_t max_body = MAX_BODY) : max_body_(max_body) {}

    /// Takes the head's part of `bytes` and returns its size, which is less than all when the body begins in them.
    /// Throws Error (400, 413, 414, 417, 431, 501, 505) as soon as it is certain; the parser must not be used after it.
    std::size_t feed(std::string_view bytes);

    bool is_complete() const { return is_complete_; }
    const Request& request() const { return request_; }  ///< whole once the parser is complete

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

    std::uint64_t max_body_;
    Request request_;
    std::string request_line_;
    Line line_;
    std::string authority_;  // of a target in absolute form
    std::size_t fields_size_ = 0;
    std::size_t field_count_ = 0;
    bool skipped_empty_line_ = false;
    bool has_request_line_ = false;
    bool is_complete_ = false;
};

/// Finds a request's body in the bytes behind its head, in pieces of any size.
class BodyParser {
public:
    /// `max_body`: the largest body, in bytes.
    explicit BodyParser(const Request& request, std::uint64_t max_body = MAX_BODY);

    /// A part of the bytes: the parser has taken `taken` of them, and `data`, which points into them, is body.
    struct Piece {
        std::size_t taken;
        std::string_view data;
    };

    /// Takes bytes up to the end of the next piece of the body, which has `most` bytes at most. Without data it has
    /// taken all of the bytes, and waits for more unless it is complete. Throws Error (400, 413, 431); the parser must
    /// not be used after it.
    Piece next(std::string_view bytes, std::size_t most = SIZE_MAX);

    bool is_complete() const { return state_ == State::COMPLETE; }

private:
    enum class State { SIZE, DATA, DATA_END, TRAILER, COMPLETE };
    void take_line(const std::string& line);
    void take_chunk_size(const std::string& line);

    bool is_chunked_;
    State state_;
    std::uint64_t left_;  // of the body, or of the chunk
    std::uint64_t allowed_;  // how many bytes more of body there may be
    std::size_t trailer_size_ = 0;
    Line line_;
};

/// A response's head. It takes status and fields from an application, and refuses those that would break the response's
/// framing.
class Response {
public:
    /// `status`: such as "200 OK". Throws std::invalid_argument when that is not three digits from 200 to 599, a blank
    /// and a reason without control characters.
    explicit Response(const std::string& status);

    /// Adds a header field. Throws std::invalid_argument when the name is not a token, or the value has a control
    /// character (RFC 9110, 5.5). Also for a hop-by-hop field: only the server may send those (PEP 3333; RFC 9110,
    /// 7.6.1). Also for a Content-Length that is not a number, or a second one.
    void add(const std::string& name, const std::string& value);

    int status() const { return status_; }
    bool has_body() const { return status_ != 204 && status_ != 304; }
    const std::optional<std::uint64_t>& content_length() const { return content_length_; }
    void set_content_length(std::uint64_t length) { content_length_ = length; }

    /// Returns the head with the blank line. Adds Date where it is missing, and Connection.
    std::string head() const;

private:
    int status_;
    std::string lines_;
    std::optional<std::uint64_t> content_length_;
    bool has_date_ = false;
};

/// Returns the text with ASCII letters in lower case: names of fields are compared so (RFC 9110, 5.1).
std::string lower(std::string text);

/// Whether a byte is a control character other than the tab: none may be in a header line (RFC 9110, 5.5).
constexpr bool is_control(char byte) {
    return (static_cast<unsigned char>(byte) < ' ' && byte != '\t') || byte == '\x7f';
}

/// Returns "Bad Request" for 400; empty for a status that no error page has.
std::string_view reason_phrase(int status);

/// Returns the time now, in the format of the field Date (RFC 9110, 5.6.7).
std::string date();

/// A whole response of the server's own: a line of plain text that says the status.
struct Page {
    explicit Page(int status, bool is_for_head = false);
    std::string text;
    std::size_t body_size;  ///< bytes; none for HEAD
};

}  // namespace http
