// CGI/1.1 (RFC 3875), its words: the environment that tells an application its request, and the header in which the
// application tells its response. Knows no processes and no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http.hpp"

namespace cgi {

/// The two ends of a client's connection.
struct Ends {
    std::string client_address;
    std::string server_address;
    std::string server_port;
};

/// The variables that go from the server's environment to the application's, where they are set. No other does.
constexpr const char* PASSED_ON[] = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH"};

/// The application's whole environment, as execve(2) takes it: RFC 3875, 4.1, and PASSED_ON.
///
/// Of the client's fields, HTTP_*, those are left out whose name has anything but letters, digits and hyphens, since
/// "X_User" would become the same variable as "X-User"; and "Proxy", which would become HTTP_PROXY, the proxy that many
/// a library sends its own requests to (httpoxy, CVE-2016-5385).
std::vector<std::string> environment(const http::Request& request, const Ends& ends);

/// An application's response but for its body.
struct Response {
    int status = 0;
    std::string head;  ///< as the client gets it, with the blank line
    std::optional<std::uint64_t> content_length;
    bool has_body = true;  ///< false for a status that has none
};

/// Reads an application's header (RFC 3875, 6) from its bytes, in whatever pieces they come. Whatever it accepts
/// becomes lines of a HTTP header: no byte of it can begin another line, or another response.
class ResponseParser {
public:
    static constexpr std::size_t MAX_SIZE = 64UL * 1024;  ///< bytes of a header

    /// Takes the header's part of `bytes` and returns its size: less than all when the body begins in them. Throws
    /// http::Error (502) when it is no valid header. Afterwards it is of no more use.
    std::size_t feed(std::string_view bytes);

    bool is_complete() const { return is_complete_; }
    const Response& response() const { return response_; }  ///< All of it once it is complete.

private:
    void take(char byte);
    void take_field(const std::string& line);
    void take_status(const std::string& value);
    void complete();

    Response response_;
    std::string line_;  // the one that has begun
    std::string reason_;
    std::string fields_;  // what is passed on, as lines
    std::size_t size_ = 0;
    bool has_content_type_ = false;
    bool has_location_ = false;
    bool has_date_ = false;
    bool is_complete_ = false;
};

}  // namespace cgi
