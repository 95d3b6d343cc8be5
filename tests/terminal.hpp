// A terminal for a program under test: a pseudoterminal (pty(7)) and a screen that libvterm draws.
#pragma once

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>
#include <vterm.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "support.hpp"

/// The screen of a terminal.
class Screen {
public:
    Screen(int rows, int columns) : screen_(vterm_new(rows, columns)), rows_(rows), columns_(columns) {
        vterm_set_utf8(screen_, 1);
        vterm_screen_enable_altscreen(cells(), 1);
        vterm_screen_reset(cells(), 1);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen() { vterm_free(screen_); }

    void write(const std::string& bytes) { vterm_input_write(screen_, bytes.data(), bytes.size()); }
    void resize(int rows, int columns) {
        rows_ = rows;
        columns_ = columns;
        vterm_set_size(screen_, rows, columns);
    }
    winsize window_size() const {
        return {static_cast<unsigned short>(rows_), static_cast<unsigned short>(columns_), 0, 0};
    }

    /// The text of a row, without the blanks at its end.
    std::string row(int number) const {
        char line[2048];
        const VTermRect rect = {number, number + 1, 0, columns_};
        const std::size_t size = vterm_screen_get_text(cells(), line, sizeof line, rect);
        const std::string text(line, size);
        return text.substr(0, text.find_last_not_of(' ') + 1);
    }
    std::string text() const {
        std::string all;
        for (int number = 0; number < rows_; ++number) all += row(number) + '\n';
        return all;
    }
    /// The cell of the row's first visible character, with its colours.
    VTermScreenCell first_cell(int row_number) const {
        VTermScreenCell cell = {};
        VTermPos at = {row_number, 0};
        do vterm_screen_get_cell(cells(), at, &cell);
        while (cell.chars[0] <= ' ' && ++at.col < columns_);
        return cell;
    }

private:
    VTermScreen* cells() const { return vterm_obtain_screen(screen_); }

    VTerm* screen_;
    int rows_;
    int columns_;
};

/// Runs a program in a terminal of its own. The destructor ends it.
class Terminal {
public:
    /// The screen shows "before" when the program starts.
    Terminal(int rows, int columns, const Program& program) : screen_(rows, columns) {
        screen_.write("before\r\n");
        const winsize size = screen_.window_size();
        REQUIRE(openpty(&master_, &slave_, nullptr, nullptr, &size) == 0);
        for (const int fd : {master_, slave_}) fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(master_, F_SETFL, O_NONBLOCK);
        before_ = modes();
        pid_ = fork_child([&] { become(program); });
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        if (!status_) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        close(master_);
        close(slave_);
    }

    pid_t pid() const { return pid_; }
    void type(const char* keys) const { CHECK(write(master_, keys, std::strlen(keys)) > 0); }

    void resize(int rows, int columns) {
        screen_.resize(rows, columns);
        const winsize size = screen_.window_size();
        ioctl(master_, TIOCSWINSZ, &size);
    }
    std::string row(int number) const { return screen_.row(number); }
    std::string text() const { return screen_.text(); }
    VTermScreenCell first_cell(int row_number) const { return screen_.first_cell(row_number); }

    /// Waits until `condition` holds for the screen. Returns whether it does.
    template <class Condition> bool until(Condition condition) {
        return eventually([&] {
            update();
            return condition();
        });
    }
    bool until_shows(const std::string& wanted) {
        return until([&] { return text().find(wanted) != std::string::npos; });
    }
    /// Waits until the program exits, and returns its wait status (waitpid(2)); -1 when it does not exit.
    int until_ended() {
        until([&] {
            int status = 0;
            if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
            return status_.has_value();
        });
        update();
        return status_.value_or(-1);
    }

    /// Whether the modes of the terminal are what they were before the program.
    bool is_restored() const {
        const termios now = modes();
        return now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag && now.c_cflag == before_.c_cflag &&
               now.c_lflag == before_.c_lflag && std::memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) == 0;
    }

private:
    termios modes() const {
        termios now = {};
        tcgetattr(slave_, &now);
        return now;
    }
    void become(const Program& program) const {
        login_tty(fcntl(slave_, F_DUPFD, 0));
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        unsetenv("NO_COLOR");
        for (const auto& [variable, value] : program.environment) setenv(variable.c_str(), value.c_str(), 1);
        std::vector<char*> arguments;
        for (const std::string& argument : program.command) arguments.push_back(const_cast<char*>(argument.c_str()));
        arguments.push_back(nullptr);
        execvp(arguments[0], arguments.data());
    }
    void update() {
        char bytes[4096];
        for (ssize_t size; (size = read(master_, bytes, sizeof bytes)) > 0;) {
            screen_.write(std::string(bytes, static_cast<std::size_t>(size)));
        }
    }

    Screen screen_;
    int master_ = -1;
    int slave_ = -1;
    termios before_ = {};
    pid_t pid_ = -1;
    std::optional<int> status_;
};
