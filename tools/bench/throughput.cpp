// Measures requests per second. The servers run one after the other, never at the same time, in several rounds.
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../../net/socket.hpp"
#include "../harness/process.hpp"
#include "../harness/program.hpp"
#include "../harness/server.hpp"
#include "figures.hpp"

namespace bench {
namespace {

constexpr int ROUNDS = 7;
constexpr int AT_ONCE = 16;
constexpr int SECONDS = 1;  // for each server in each round

struct Contestant {
    std::string name;
    std::string path;
    std::unique_ptr<harness::Server> server;
    std::vector<double> rates = {};  // requests per second, of each round
};

/// A temporary folder with a page, for file servers. The destructor removes it.
class Site {
public:
    Site() {
        std::string name = std::filesystem::temp_directory_path() / "site.XXXXXX";
        if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder to be had");
        folder_ = name;
        std::ofstream(folder_ / "hello") << "Hello, World!\n";
    }
    ~Site() { std::filesystem::remove_all(folder_); }
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    std::string path() const { return folder_.string(); }

private:
    std::filesystem::path folder_;
};

bool succeeds(const harness::Program& program) {
    harness::Process process(program);
    return process.until_ended() && process.fate() == "exited with 0";
}

bool is_installed(const std::string& program) { return succeeds({{"sh", "-c", "command -v \"$0\"", program}}); }

/// How this project's servers were linked: "static" where that is possible.
std::string linked() {
    std::ifstream file("build/static");
    std::string option;
    file >> option;
    return option.empty() ? "dynamic" : "static";
}

/// Starts the contestants. Another project's server that cannot be started is named on stderr and left out.
class Contestants {
public:
    /// Throws std::exception when the server cannot be started.
    void add(const std::string& name, const harness::Program& program, const char* path = "/hello") {
        all_.push_back({name, path, std::make_unique<harness::Server>(program)});
    }
    void add_other(const std::string& name, const std::vector<std::string>& command, const char* path = "/hello") {
        try {
            if (is_installed(command.front())) add(name, silent(command), path);
            else throw std::runtime_error(command.front() + " is not installed (make deps_bench does)");
        } catch (const std::exception& error) {
            std::cerr << name << " is left out: " << error.what() << '\n';
        }
    }
    /// A port for a server that cannot let the kernel choose one.
    std::string free_port() {
        reserved_.push_back(harness::reserve_port());
        return std::to_string(reserved_.back().port());
    }
    std::vector<Contestant> take() { return std::move(all_); }

private:
    std::vector<Contestant> all_;
    std::vector<net::Socket> reserved_;
};

/// Servers that run a WSGI application, with two workers each. All of them log each request.
void add_wsgi_servers(Contestants& all, const std::string& what, const std::string& application, const char* path) {
    const std::string uwsgi_address = "127.0.0.1:" + all.free_port();
    const std::string gunicorn_address = "127.0.0.1:" + all.free_port();
    all.add("step_h" + what, silent({"./step_h", application}).with("MAX_CLIENTS", "2"), path);
    all.add_other(
        "uWSGI" + what,
        {"uwsgi", "--plugin", "python3", "--http-socket", uwsgi_address, "--pythonpath", ".", "--module", application,
         "--need-app", "--master", "--processes", "2", "--listen", "128", "--logto", "/dev/null"},
        path);
    all.add_other(
        "gunicorn" + what,
        {"gunicorn", "--bind", gunicorn_address, "--workers", "2", "--access-logfile", "/dev/null", application}, path);
}

/// This project's servers, and those of others that can be started here. Throws std::exception when one of this
/// project's cannot be started.
std::vector<Contestant> contestants(const std::string& site) {
    Contestants all;
    const std::string port[] = {all.free_port(), all.free_port()};
    all.add("floor, " + linked(), silent({"build/tools/bench/floor"}));
    all.add("step_g, " + linked(), silent({"./step_g"}));
    if (linked() == "static") {
        all.add("floor, dynamic", silent({"build/tools/bench/floor_dynamic"}));
        all.add("step_g, dynamic", silent({"build/tools/bench/step_g_dynamic"}));
    }
    all.add_other("busybox httpd", {"busybox", "httpd", "-f", "-p", "127.0.0.1:" + port[0], "-h", site});
    all.add_other("mini_httpd", {"mini_httpd", "-D", "-h", "127.0.0.1", "-p", port[1], "-d", site, "-u", "root"});
    all.add_other("Python's ForkingTCPServer", {"python3", "tools/bench/forking.py"});
    all.add("without fork", silent({"build/tools/bench/floor", "iterative"}));
    add_wsgi_servers(all, "", "step_h_wsgi.hello:application", "/hello");
    if (succeeds({{"sh", "-c", "\"${PYTHON:-python3}\" -c 'import flask'"}})) {
        add_wsgi_servers(all, ", Flask", "exercises.12_homework.flask_app:application", "/hello?name=World");
    } else {
        std::cerr << "Flask is left out: it is not installed (make deps_wsgi does)\n";
    }
    return all.take();
}

/// The value that ab prints after "`name`:".
double value_of(const std::string& text, const std::string& name) {
    const std::size_t found = text.find(name + ':');
    if (found == std::string::npos) throw std::runtime_error("ab says nothing of " + name + ":\n" + text);
    return std::strtod(text.c_str() + found + name.size() + 1, nullptr);
}

/// Throws std::runtime_error when a request fails.
double requests_per_second(const Contestant& contestant) {
    harness::Process ab(
        harness::Program{{"ab", "-q", "-t", std::to_string(SECONDS), "-n", "1000000", "-c", std::to_string(AT_ONCE),
                          "http://127.0.0.1:" + std::to_string(contestant.server->port()) + contestant.path}});
    ab.until_ended();
    const std::string text = ab.out() + ab.err();
    const bool has_failed =
        value_of(text, "Failed requests") > 0 || text.find("Non-2xx responses") != std::string::npos;
    if (has_failed) throw std::runtime_error("a request failed:\n" + text);
    return value_of(text, "Requests per second");
}

/// Runs one more round. A server that loses a request is removed, and the reason is printed.
void measure(Contestant& contestant) {
    try {
        contestant.rates.push_back(requests_per_second(contestant));
    } catch (const std::exception& error) {
        std::cerr << contestant.name << " is left out: " << error.what() << '\n';
        contestant.server = nullptr;
    }
}

const Contestant* find(const std::vector<Contestant>& all, const std::string& name) {
    for (const Contestant& contestant : all) {
        if (contestant.name == name) return &contestant;
    }
    return nullptr;
}

/// The ratio of each round: what disturbs a round disturbs both servers.
Spread ratio(const Contestant& contestant, const Contestant& other) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < contestant.rates.size(); ++round) {
        ratios.push_back(contestant.rates[round] / other.rates[round]);
    }
    return spread_of(ratios);
}

void print_goals(const std::vector<Contestant>& all) {
    struct Goal {
        std::string name;
        std::string other;
        double least;
    };
    const std::vector<Goal> goals = {{"step_g, " + linked(), "floor, " + linked(), 0.9},
                                     {"step_g, " + linked(), "busybox httpd", 1.8},
                                     {"step_g, " + linked(), "Python's ForkingTCPServer", 8},
                                     {"step_h", "uWSGI", 1},
                                     {"step_h", "gunicorn", 2},
                                     {"step_h, Flask", "uWSGI, Flask", 1},
                                     {"step_h, Flask", "gunicorn, Flask", 1.4}};
    for (const Goal& goal : goals) {
        const Contestant* const contestant = find(all, goal.name);
        const Contestant* const other = find(all, goal.other);
        if (contestant == nullptr || other == nullptr) continue;
        const Spread measured = ratio(*contestant, *other);
        std::cout << "# goal: " << goal.name << ", at least " << std::fixed << std::setprecision(1) << goal.least
                  << " of " << goal.other << ": " << in_words(measured, 2)
                  << (measured.median >= goal.least ? ", reached\n" : ", not reached\n");
    }
}

bool is_ab_missing(const std::string& measurement) {
    if (is_installed("ab")) return false;
    std::cerr << measurement << " is left out: ab is not installed (make deps_bench does)\n";
    return true;
}

/// Measures all of them in `rounds` rounds, and returns those that have lost no request.
std::vector<Contestant> measured(std::vector<Contestant> all, int rounds) {
    for (int round = 0; round < rounds; ++round) {
        // Every second round runs backwards, so that no server always follows the same one.
        if (round % 2 == 0) std::for_each(all.begin(), all.end(), measure);
        else std::for_each(all.rbegin(), all.rend(), measure);
        std::erase_if(all, [](const Contestant& contestant) { return contestant.server == nullptr; });
    }
    return all;
}

}  // namespace

void measure_throughput() {
    if (is_ab_missing("throughput")) return;
    const Site site;
    const std::vector<Contestant> all = measured(contestants(site.path()), ROUNDS);
    print_heading("requests a second (ab -c " + std::to_string(AT_ONCE) + "), median, least and most of " +
                  std::to_string(ROUNDS) + " rounds of " + std::to_string(SECONDS) + " s each");
    for (const Contestant& contestant : all) {
        const Spread rate = spread_of(contestant.rates);
        std::cout << std::left << std::setw(28) << '"' + contestant.name + '"' << std::right << std::fixed
                  << std::setprecision(0) << std::setw(7) << rate.median << std::setw(7) << rate.least << std::setw(7)
                  << rate.most << '\n';
    }
    print_goals(all);
}

void measure_additions() {
    if (is_ab_missing("additions")) return;
    constexpr int MANY_ROUNDS = 3 * ROUNDS;  // some of the differences are small
    const std::vector<std::string> words = {"reap", "close", "print", "poll", "allocate"};
    std::vector<std::string> everything = {"build/tools/bench/floor"};
    Contestants additions;
    additions.add("floor", silent(everything));
    for (const std::string& word : words) {
        additions.add("floor " + word, silent({everything.front(), word}));
    }
    everything.insert(everything.end(), words.begin(), words.end());
    additions.add("floor, with all five", silent(everything));
    additions.add("step_g", silent({"./step_g"}));
    const std::vector<Contestant> all = measured(additions.take(), MANY_ROUNDS);
    print_heading("requests a second (ab -c " + std::to_string(AT_ONCE) +
                  ") in proportion to floor's, median, least and " + "most of " + std::to_string(MANY_ROUNDS) +
                  " rounds of " + std::to_string(SECONDS) + " s each");
    for (const Contestant& contestant : all) {
        std::cout << std::left << std::setw(24) << contestant.name << in_words(ratio(contestant, all.front()), 2)
                  << '\n';
    }
}

}  // namespace bench
