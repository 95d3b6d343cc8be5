#include "http.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace http {
namespace {

constexpr bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
constexpr bool is_letter(char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }
constexpr bool is_one_of(char byte, std::string_view set) { return set.find(byte) != set.npos; }
constexpr char lower_letter(char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
    const auto is_allowed = [](char byte) {
        return is_digit(byte) || is_letter(byte) || is_one_of(byte, "!#$%&'*+-.^_`|~");
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), is_allowed);
}

std::string_view without_blanks_around(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The value of a hexadecimal digit; -1 when it is none.
constexpr int hexadecimal(char byte) {
    if (is_digit(byte)) return byte - '0';
    const char letter = lower_letter(byte);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// RFC 3986, 2.1. A NUL is refused although it is encoded: in the name of a file it would end the name.
std::string percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        const int high = i + 1 < text.size() ? hexadecimal(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hexadecimal(text[i + 2]) : -1;
        if (high == -1 || low == -1) throw Error(400, "a percent sign without two hexadecimal digits");
        if (high == 0 && low == 0) throw Error(400, "NUL in the path");
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return decoded;
}

/// The host's name or address in `authority`, which is all before the port (RFC 3986, 3.2.2; no user is allowed).
std::string host_of(std::string_view authority) {
    const std::size_t bracket = authority.rfind(']');  // of an IPv6 address, which has colons of its own
    const std::size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
    const std::string_view host = authority.substr(0, colon);
    const std::string_view port = colon == authority.npos ? "" : authority.substr(colon + 1);
    const bool is_address = host.starts_with('[') && host.ends_with(']');
    const auto is_allowed = [&](char byte) {
        if (is_address) return hexadecimal(byte) != -1 || is_one_of(byte, "[:.]");
        return is_digit(byte) || is_letter(byte) || is_one_of(byte, "-._~!$&'()*+,;=%");
    };
    if (!std::all_of(host.begin(), host.end(), is_allowed) || !std::all_of(port.begin(), port.end(), is_digit)) {
        throw Error(400, "not a host");
    }
    percent_decoded(host);  // throws where a percent sign encodes nothing
    return std::string(host);
}

/// Takes a header line apart: its name, and its value without the blanks around it. Throws Error(400) when it is none:
/// a folded line (RFC 9112, 5.2), a line without a colon, a name that is no token.
std::pair<std::string, std::string> parse_field(const std::string& line) {
    if (line.starts_with(' ') || line.starts_with('\t')) throw Error(400, "folded header line");
    const std::size_t colon = line.find(':');
    if (colon == line.npos) throw Error(400, "header line without a colon");
    const std::string name = line.substr(0, colon);
    if (!is_token(name)) throw Error(400, "the name of a header field is no token");
    return {name, std::string(without_blanks_around(std::string_view(line).substr(colon + 1)))};
}

/// The number that the text is, in digits alone; nothing when it is none, or does not fit into 64 bits.
std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// The bytes that a request's Content-Length says: one number, or the same number several times, separated by commas
/// (RFC 9110, 8.6). Throws Error: 413 when it does not fit into 64 bits, otherwise 400.
std::uint64_t parse_content_length(const std::string& value) {
    std::optional<std::uint64_t> length;
    for (std::size_t begin = 0; begin <= value.size();) {
        const std::size_t comma = std::min(value.find(',', begin), value.size());
        const std::string_view text = without_blanks_around(std::string_view(value).substr(begin, comma - begin));
        if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) throw Error(400, "not a Content-Length");
        const std::optional<std::uint64_t> number = number_in(text);
        if (!number) throw Error(413, "Content-Length too large");
        if (length && *length != *number) throw Error(400, "two different Content-Lengths");
        length = number;
        begin = comma + 1;
    }
    return *length;
}

/// Whether the list, of names between blanks, has this one.
bool has_name(std::string_view list, const std::string& name) { return list.find(' ' + name + ' ') != list.npos; }

/// Fields whose value is no list: two of them cannot be joined (RFC 9110, 5.3), and two servers would take two values.
constexpr std::string_view SINGLE_FIELDS =
    " authorization content-location content-range content-type date from host if-modified-since if-range "
    "if-unmodified-since max-forwards proxy-authorization range referer user-agent ";

/// Fields about the connection, which is the server's alone (PEP 3333, "Other HTTP Features"; RFC 9110, 7.6.1).
constexpr std::string_view HOP_BY_HOP_FIELDS =
    " connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    "transfer-encoding upgrade ";

}  // namespace

std::string lower(std::string text) {
    for (char& byte : text) byte = lower_letter(byte);
    return text;
}

std::string Request::field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
}

bool Line::add(char byte) {
    if (has_return_ != (byte == '\n')) throw Error(400, has_return_ ? "CR without LF" : "LF without CR");
    has_return_ = byte == '\r';
    if (byte == '\r' || byte == '\n') return byte == '\n';
    if (is_control(byte)) throw Error(400, "control character");
    text_ += byte;
    return false;
}

std::size_t RequestParser::feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (!is_complete_ && taken < bytes.size()) take(bytes[taken++]);
    return taken;
}

void RequestParser::take(char byte) {
    if (!has_request_line_ && byte != '\r' && byte != '\n') request_line_ += byte;
    if (line_.add(byte)) return take_line(line_.take());
    if (!has_request_line_ && line_.size() > MAX_REQUEST_LINE) throw Error(414, "request line too long");
    if (has_request_line_ && byte != '\r' && ++fields_size_ > MAX_FIELDS_SIZE) throw Error(431, "header too large");
}

void RequestParser::take_line(const std::string& line) {
    if (has_request_line_) {
        if (line.empty()) complete();
        else take_field(line);
    } else if (line.empty() && !skipped_empty_line_) {
        skipped_empty_line_ = true;  // RFC 9112, 2.2: old clients send one behind a body
    } else {
        take_request_line(line);
        has_request_line_ = true;
    }
}

void RequestParser::take_request_line(const std::string& line) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == last) throw Error(400, "not a request line");  // npos both, when there is none
    request_.method = line.substr(0, first);
    request_.version = line.substr(last + 1);
    if (!is_token(request_.method)) throw Error(400, "the method is no token");
    const std::string& version = request_.version;
    const bool is_version = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.';
    if (!is_version || !is_digit(version[5]) || !is_digit(version[7])) throw Error(400, "not a version of HTTP");
    if (version[5] != '1') throw Error(505, "not HTTP/1");
    if (request_.method == "CONNECT") throw Error(501, "not a proxy");
    take_target(std::string_view(line).substr(first + 1, last - first - 1));
}

void RequestParser::take_target(std::string_view target) {
    const auto is_allowed = [](char byte) { return byte > ' ' && byte < '\x7f' && byte != '#'; };
    if (!std::all_of(target.begin(), target.end(), is_allowed)) throw Error(400, "not a target");
    if (target == "*" && request_.method == "OPTIONS") return;
    if (!target.starts_with('/')) {  // absolute form (RFC 9112, 3.2.2)
        const std::string begin = lower(std::string(target.substr(0, 8)));
        if (!begin.starts_with("http://") && begin != "https://") throw Error(400, "not a target");
        target.remove_prefix(target.find("//") + 2);
        authority_ = target.substr(0, target.find_first_of("/?"));
        if (host_of(authority_).empty()) throw Error(400, "no host in the target");
        target.remove_prefix(authority_.size());
    }
    const std::size_t question = target.find('?');
    request_.path = percent_decoded(target.substr(0, question));
    if (request_.path.empty()) request_.path = "/";
    if (question != target.npos) request_.query = target.substr(question + 1);
}

void RequestParser::take_field(const std::string& line) {
    if (++field_count_ > MAX_FIELDS) throw Error(431, "too many header lines");
    const auto [field_name, value] = parse_field(line);
    const std::string name = lower(field_name);
    const auto [found, is_new] = request_.fields.try_emplace(name, value);
    if (is_new) return;
    if (has_name(SINGLE_FIELDS, name)) throw Error(400, "two fields " + name);
    found->second += (name == "cookie" ? "; " : ", ") + value;
}

void RequestParser::complete() {
    take_host();
    take_body_size();
    if (request_.fields.contains("expect")) {
        if (lower(request_.field("expect")) != "100-continue") throw Error(417, "nothing else can be expected");
        request_.expects_continue = request_.version != "HTTP/1.0";
    }
    is_complete_ = true;
}

/// RFC 9112, 3.2: HTTP/1.1 requires a Host, even where the target in absolute form makes us ignore it.
void RequestParser::take_host() {
    const auto host = request_.fields.find("host");
    if (host == request_.fields.end() && request_.version != "HTTP/1.0") throw Error(400, "no Host");
    if (host != request_.fields.end()) request_.host = host_of(host->second);
    if (authority_.empty()) return;
    request_.fields["host"] = authority_;
    request_.host = host_of(authority_);
}

/// RFC 9112, 6.3.
void RequestParser::take_body_size() {
    const auto length = request_.fields.find("content-length");
    const auto coding = request_.fields.find("transfer-encoding");
    if (coding != request_.fields.end()) {
        if (length != request_.fields.end()) throw Error(400, "Content-Length and Transfer-Encoding");
        if (request_.version == "HTTP/1.0") throw Error(400, "Transfer-Encoding in HTTP/1.0");
        if (lower(coding->second) != "chunked") throw Error(501, "unknown Transfer-Encoding");
        request_.is_chunked = true;
    }
    if (length == request_.fields.end()) return;
    request_.content_length = parse_content_length(length->second);
    if (*request_.content_length > max_body_) throw Error(413, "body too large");
}

BodyParser::BodyParser(const Request& request, std::uint64_t max_body)
    : is_chunked_(request.is_chunked),
      state_(is_chunked_          ? State::SIZE
             : request.has_body() ? State::DATA
                                  : State::COMPLETE),
      left_(request.content_length.value_or(0)),
      allowed_(max_body) {}

BodyParser::Piece BodyParser::next(std::string_view bytes, std::size_t most) {
    std::size_t taken = 0;
    while (state_ != State::DATA && state_ != State::COMPLETE && taken < bytes.size()) {
        if (line_.add(bytes[taken++])) take_line(line_.take());
        if (state_ == State::SIZE && line_.size() > MAX_CHUNK_LINE) throw Error(400, "chunk's size too long");
        if (state_ == State::DATA_END && line_.size() > 0) throw Error(400, "chunk longer than its size");
        if (state_ == State::TRAILER && trailer_size_ + line_.size() > MAX_FIELDS_SIZE) {
            throw Error(431, "trailer too large");
        }
    }
    if (state_ != State::DATA) return {taken, {}};
    const std::string_view data = bytes.substr(taken, static_cast<std::size_t>(std::min<std::uint64_t>(left_, most)));
    left_ -= data.size();
    if (left_ == 0) state_ = is_chunked_ ? State::DATA_END : State::COMPLETE;
    return {taken + data.size(), data};
}

/// RFC 9112, 7.1: the line with a chunk's size, the end of its data, or a line of the trailer, which nobody reads.
void BodyParser::take_line(const std::string& line) {
    if (state_ == State::SIZE) return take_chunk_size(line);
    if (state_ == State::DATA_END) {
        state_ = State::SIZE;
    } else if (line.empty()) {
        state_ = State::COMPLETE;
    } else {
        parse_field(line);
        trailer_size_ += line.size() + 1;
    }
}

void BodyParser::take_chunk_size(const std::string& line) {
    const char* const end = line.data() + std::min(line.find(';'), line.size());
    const auto [stopped, error] = std::from_chars(line.data(), end, left_, 16);
    if (error == std::errc::result_out_of_range) throw Error(413, "body too large");
    if (error != std::errc() || stopped != end) throw Error(400, "not a chunk's size");
    if (left_ > allowed_) throw Error(413, "body too large");
    allowed_ -= left_;
    state_ = left_ == 0 ? State::TRAILER : State::DATA;
}

Response::Response(const std::string& status) : lines_("HTTP/1.1 " + status + "\r\n") {
    const bool is_number = status.size() > 3 && std::all_of(status.begin(), status.begin() + 3, is_digit);
    if (!is_number || status[0] < '2' || status[0] > '5' || status[3] != ' ' ||
        std::any_of(status.begin(), status.end(), is_control)) {
        throw std::invalid_argument("not a status: \"" + status + '"');
    }
    status_ = std::stoi(status.substr(0, 3));
}

void Response::add(const std::string& name, const std::string& value) {
    if (!is_token(name)) throw std::invalid_argument("not a name of a header field: \"" + name + '"');
    if (std::any_of(value.begin(), value.end(), is_control)) {
        throw std::invalid_argument("control character in the header field " + name);
    }
    const std::string lower_name = lower(name);
    if (has_name(HOP_BY_HOP_FIELDS, lower_name)) throw std::invalid_argument("hop-by-hop header field " + name);
    if (lower_name == "content-length") {
        if (content_length_) throw std::invalid_argument("two fields Content-Length");
        content_length_ = number_in(value);
        if (!content_length_) throw std::invalid_argument("not a Content-Length: \"" + value + '"');
        return;
    }
    has_date_ = has_date_ || lower_name == "date";
    lines_.append(name).append(": ").append(value).append("\r\n");
}

std::string Response::head() const {
    std::string text = lines_;
    if (!has_date_) text += "Date: " + date() + "\r\n";
    if (content_length_ && status_ != 204) {  // RFC 9110, 8.6
        text += "Content-Length: " + std::to_string(*content_length_) + "\r\n";
    }
    return text += "Connection: close\r\n\r\n";
}

std::string_view reason_phrase(int status) {
    static const std::map<int, std::string_view> PHRASES = {
        {400, "Bad Request"},     {408, "Request Timeout"},       {413, "Content Too Large"},
        {414, "URI Too Long"},    {417, "Expectation Failed"},    {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"}, {500, "Internal Server Error"}, {505, "HTTP Version Not Supported"},
        {504, "Gateway Timeout"}, {503, "Service Unavailable"}};
    const auto found = PHRASES.find(status);
    return found == PHRASES.end() ? "" : found->second;
}

std::string date() {
    thread_local std::time_t last = -1;
    thread_local char text[40];
    const std::time_t now = std::time(nullptr);
    if (std::exchange(last, now) == now) return text;
    std::tm parts = {};
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
    return text;
}

Page::Page(int status, bool is_for_head) {
    const std::string line = std::to_string(status) + ' ' + std::string(reason_phrase(status));
    Response response(line);
    response.add("Content-Type", "text/plain");
    response.set_content_length(line.size() + 1);
    text = response.head();
    body_size = is_for_head ? 0 : line.size() + 1;
    if (!is_for_head) text += line + '\n';
}

}  // namespace http
