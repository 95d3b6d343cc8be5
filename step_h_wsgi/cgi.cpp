#include "cgi.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http.hpp"

namespace cgi {
namespace {

http::Error bad_header(const std::string& what) { return {502, "no valid header: " + what}; }

/// "HTTP_USER_AGENT" for "user-agent"; empty when the field does not become a variable.
std::string variable_of(const std::string& field_name) {
    for (const char* left_out : {"content-type", "content-length", "proxy"}) {
        if (field_name == left_out) return "";
    }
    std::string variable = "HTTP_";
    for (const char byte : field_name) {
        if (byte >= 'a' && byte <= 'z') variable += static_cast<char>(byte - 'a' + 'A');
        else if (byte >= '0' && byte <= '9') variable += byte;
        else if (byte == '-') variable += '_';
        else return "";
    }
    return variable;
}

/// Fields about the connection to the client, which is the server's alone (RFC 3875, 6.3.4; RFC 9110, 7.6.1).
bool is_about_connection(const std::string& name) {
    constexpr const char* NAMES[] = {"connection", "keep-alive",        "proxy-connection", "te",
                                     "trailer",    "transfer-encoding", "upgrade"};
    return std::find(std::begin(NAMES), std::end(NAMES), name) != std::end(NAMES);
}

/// Notes that a field is there which may be there but once (RFC 3875, 6.3).
void only_once(bool& is_there, const std::string& name) {
    if (std::exchange(is_there, true)) throw bad_header("two fields " + name);
}

}  // namespace

std::vector<std::string> environment(const http::Request& request, const Ends& ends) {
    std::vector<std::string> variables = {
        "GATEWAY_INTERFACE=CGI/1.1",
        "SERVER_SOFTWARE=step_h",
        "SERVER_PROTOCOL=" + request.version,
        "SERVER_NAME=" + (request.host.empty() ? ends.server_address : request.host),
        "SERVER_PORT=" + ends.server_port,
        "REMOTE_ADDR=" + ends.client_address,
        "REQUEST_METHOD=" + request.method,
        "SCRIPT_NAME=",
        "PATH_INFO=" + request.path,
        "QUERY_STRING=" + request.query,
    };
    if (request.content_length) variables.push_back("CONTENT_LENGTH=" + std::to_string(*request.content_length));
    if (request.fields.contains("content-type")) {
        variables.push_back("CONTENT_TYPE=" + request.field("content-type"));
    }
    for (const auto& [name, value] : request.fields) {
        std::string variable = variable_of(name);
        if (!variable.empty()) variables.push_back((variable += '=') += value);
    }
    for (const char* name : PASSED_ON) {
        const char* const value = std::getenv(name);
        if (value) variables.push_back(std::string(name) + '=' + value);
    }
    return variables;
}

std::size_t ResponseParser::feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (!is_complete_ && taken < bytes.size()) take(bytes[taken++]);
    return taken;
}

/// Lines may end with LF alone (RFC 3875, 6.2): they are written by scripts.
void ResponseParser::take(char byte) {
    if (++size_ > MAX_SIZE) throw bad_header("too large");
    if (byte == '\n') {
        if (line_.ends_with('\r')) line_.pop_back();
        if (line_.empty()) complete();
        else take_field(std::exchange(line_, ""));
        return;
    }
    if (line_.ends_with('\r') || (http::is_control(byte) && byte != '\r')) throw bad_header("control character");
    line_ += byte;
}

void ResponseParser::take_field(const std::string& line) {
    http::Field field;
    try {
        field = http::parse_field(line);
        const std::string name = http::lower(field.name);
        if (name == "status") return take_status(field.value);
        if (is_about_connection(name)) return;
        if (name == "content-length") {
            if (response_.content_length) throw bad_header("two fields Content-Length");
            response_.content_length = http::parse_content_length(field.value);
            return;
        }
        if (name == "content-type") only_once(has_content_type_, "Content-Type");
        if (name == "location") only_once(has_location_, "Location");
        if (name == "date") only_once(has_date_, "Date");
    } catch (const http::Error& error) {
        if (error.status() == 502) throw;
        throw bad_header(error.what());
    }
    fields_ += field.name + ": " + field.value + "\r\n";
}

void ResponseParser::take_status(const std::string& value) {
    if (response_.status != 0) throw bad_header("two fields Status");
    const auto is_digit = [](char byte) { return byte >= '0' && byte <= '9'; };
    const bool is_number = value.size() >= 3 && std::all_of(value.begin(), value.begin() + 3, is_digit);
    if (!is_number || value[0] < '2' || value[0] > '5' || (value.size() > 3 && value[3] != ' ')) {
        throw bad_header("Status \"" + value + '"');
    }
    response_.status = std::stoi(value.substr(0, 3));
    reason_ = value.size() > 3 ? value.substr(4) : http::reason_phrase(response_.status);
}

void ResponseParser::complete() {
    if (response_.status == 0) {
        response_.status = has_location_ ? 302 : 200;
        reason_ = http::reason_phrase(response_.status);
    }
    response_.has_body = response_.status != 204 && response_.status != 304;
    const bool may_lack_type = !response_.has_body || has_location_ || response_.content_length == 0;
    if (!has_content_type_ && !may_lack_type) throw bad_header("no Content-Type");
    if (response_.status == 204) response_.content_length.reset();  // RFC 9110, 8.6
    if (!has_date_) fields_ += "Date: " + http::date() + "\r\n";
    if (response_.content_length) {
        fields_ += "Content-Length: " + std::to_string(*response_.content_length) + "\r\n";
    }
    response_.head =
        "HTTP/1.1 " + std::to_string(response_.status) + ' ' + reason_ + "\r\n" + fields_ + "Connection: close\r\n\r\n";
    is_complete_ = true;
}

}  // namespace cgi
