// diagnose on servers from packages, where these are installed. The expected kinds and answers were established with
// ss(8), ps(1) and strace(1).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "../net/socket.hpp"
#include "support.hpp"

namespace {

bool is_installed(const std::string& command) {
    return Ended(Program{{"sh", "-c", "command -v \"$0\"", command}}).fate == "exited with 0";
}

/// Checks the kind of the server, and these rows. `options` follow the command; PORT in them stands for the port.
void check_server(const std::string& command, const std::vector<std::string>& options, Kind kind,
                  const std::map<std::string, Answer>& rows) {
    if (!is_installed(command)) {
        MESSAGE("not tried: " << command << " is not installed (make deps_bench)");
        return;
    }
    const net::Socket reserved = harness::reserve_port();
    const std::string port = std::to_string(reserved.port());
    Program server = foreign({command});
    for (std::string option : options) {
        if (const std::size_t at = option.find("PORT"); at != std::string::npos) option.replace(at, 4, port);
        server.command.push_back(option);
    }
    server.port = static_cast<std::uint16_t>(reserved.port());
    server.path = "/README.md";
    const Subject subject = learn(server);
    CHECK(in_words(subject.nature.kind) == std::string(in_words(kind)));
    CHECK(subject.nature.unanswered == "");
    for (const auto& row : rows) {  // CAPTURE takes no structured binding in clang 14
        CAPTURE(row.first);
        CHECK(find(behaviour(row.first), subject) == row.second);
    }
}

}  // namespace

TEST_CASE("diagnose: busybox httpd forks, and survives a failed fork") {
    check_server("busybox", {"httpd", "-f", "-p", "127.0.0.1:PORT", "-h", "."}, Kind::forks,
                 {{"answers", yes}, {"sheds load", yes}, {"reaps many", yes}, {"child exits", yes}});
}

TEST_CASE("diagnose: mini_httpd forks, and exits when fork fails") {
    check_server("mini_httpd", {"-D", "-p", "PORT", "-h", "127.0.0.1", "-d", "."}, Kind::forks,
                 {{"answers", yes}, {"sheds load", no}, {"reaps many", yes}, {"child exits", yes}});
}

TEST_CASE("diagnose: http.server uses threads, and spins when descriptors run out") {
    check_server("/usr/bin/python3", {"-m", "http.server", "PORT", "--bind", "127.0.0.1"}, Kind::threads,
                 {{"answers", yes}, {"descriptor limit", no}, {"closes", yes}, {"reaps one", not_applicable}});
}

// `make deps_bench` does not install it: the package would start a server on port 80.
TEST_CASE("diagnose: nginx preforks workers that serve many clients each") {
    if (!is_installed("nginx")) {
        MESSAGE("not tried: nginx is not installed");
        return;
    }
    std::string folder = std::filesystem::temp_directory_path() / "nginx.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const net::Socket reserved = harness::reserve_port();
    std::ofstream configuration(folder + "/conf");
    configuration << "worker_processes 2; pid pid; events {} http { access_log off; ";
    for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
        configuration << what << "_temp_path " << what << "; ";  // all below the folder (-p)
    }
    configuration << "server { listen 127.0.0.1:" << reserved.port() << "; return 200 \"Hello, World!\\n\"; } }\n";
    configuration.close();
    Program nginx = foreign({"nginx", "-p", folder, "-e", "/dev/null", "-c", "conf", "-g", "daemon off;"});
    nginx.port = static_cast<std::uint16_t>(reserved.port());
    const Subject subject = learn(nginx);
    CHECK(in_words(subject.nature.kind) == std::string(in_words(Kind::workers)));
    for (const char* row : {"answers", "concurrent", "descriptor limit", "reaps many", "process limit"}) {
        CAPTURE(row);
        CHECK(find(behaviour(row), subject) == yes);
    }
    CHECK(find(behaviour("sheds load"), subject) == not_applicable);
    std::filesystem::remove_all(folder);
}

TEST_CASE("diagnose: gunicorn preforks, replaces its workers, and stops gracefully") {
    check_server("gunicorn", {"-w", "2", "-b", "127.0.0.1:PORT", "--chdir", "tests/fixtures", "wsgi_hello:app"},
                 Kind::workers,
                 {{"concurrent", yes}, {"reaps many", yes}, {"process limit", yes}, {"stops gracefully", yes}});
}

TEST_CASE("diagnose: uWSGI preforks, and drops a client's response when SIGTERM stops it") {
    check_server("uwsgi_python3",
                 {"--master", "--processes", "2", "--http-socket", "127.0.0.1:PORT", "--chdir", "tests/fixtures",
                  "--wsgi-file", "wsgi_hello.py", "--callable", "app"},
                 Kind::workers, {{"concurrent", yes}, {"reaps many", yes}, {"stops gracefully", no}});
}
