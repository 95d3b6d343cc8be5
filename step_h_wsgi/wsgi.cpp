#include "wsgi.hpp"

#include <pybind11/embed.h>
#include <pybind11/pybind11.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../net/socket.hpp"
#include "http.hpp"

namespace wsgi {
namespace {

namespace py = pybind11;

constexpr std::size_t BUFFER_SIZE = 64UL * 1024;  // bytes of a body that are received at once

/// Bytes that nobody has counted beforehand.
constexpr std::uint64_t UNKNOWN = UINT64_MAX;

[[noreturn]] void raise(PyObject* type, const char* text) {
    PyErr_SetString(type, text);
    throw py::error_already_set();
}

/// The object that the interpreter has returned. Throws when it is null: then the interpreter has raised an exception.
py::object checked(PyObject* object) {
    if (object == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(object);
}

py::object latin1(std::string_view text) {
    return checked(PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}

std::string_view bytes_in(py::handle block) {
    if (!PyBytes_Check(block.ptr())) raise(PyExc_TypeError, "a block of a response must be bytes");
    return {PyBytes_AS_STRING(block.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(block.ptr()))};
}

/// The bytes of a str, which may have no character beyond Latin-1 (PEP 3333, "A Note On String Types").
std::string from_latin1(py::handle text) {
    if (!PyUnicode_Check(text.ptr())) raise(PyExc_TypeError, "status, names and values of header fields must be str");
    return std::string(bytes_in(checked(PyUnicode_AsLatin1String(text.ptr()))));
}

/// Prints an exception with its traceback. SystemExit is one like any other here: PyErr_Print would exit.
void print_exception(const py::error_already_set& error) noexcept {
    try {
        const py::object trace = error.trace() ? error.trace() : py::none();  // none: no Python code was on the way
        py::module_::import("traceback").attr("print_exception")(error.type(), error.value(), trace);
    } catch (const std::exception&) {
        net::write_all(STDERR_FILENO, "step_h: an exception whose traceback cannot be printed\n");
    }
}

// ---- the request's body -------------------------------------------------------------------------

/// The raw file below wsgi.input: io.BufferedReader makes read, readline and the rest of its readinto.
class Body {
public:
    Body(const http::Request& request, std::uint64_t max_body, std::string_view received, Client& client)
        : parser_(request, max_body), client_(&client), received_(received) {}

    std::size_t readinto(const py::buffer& buffer) {
        const py::buffer_info to = buffer.request(true);
        try {
            return read(static_cast<char*>(to.ptr), static_cast<std::size_t>(to.size * to.itemsize));
        } catch (const http::Error& error) {
            error_ = error;
            raise(PyExc_OSError, error.what());
        }
    }

    /// Whether all of the request was received, and no byte more.
    bool is_complete() const { return parser_.is_complete() && received_.empty(); }
    const std::optional<http::Error>& error() const { return error_; }  ///< why the body could not be read
    void detach() { client_ = nullptr; }  ///< An application may keep the file longer than the request.

private:
    std::size_t read(char* to, std::size_t size) {
        if (error_) throw http::Error(*error_);
        while (client_ != nullptr && size > 0) {
            const http::BodyParser::Piece piece = parser_.next(received_, size);
            received_.remove_prefix(piece.taken);
            if (!piece.data.empty() || parser_.is_complete()) return piece.data.copy(to, size);
            if (buffer_ == nullptr) buffer_ = std::make_unique<char[]>(BUFFER_SIZE);
            const py::gil_scoped_release released;
            received_ = {buffer_.get(), client_->receive(buffer_.get(), BUFFER_SIZE)};
        }
        return 0;
    }

    http::BodyParser parser_;
    Client* client_;
    std::string_view received_;  // what nobody has read of it yet
    std::unique_ptr<char[]> buffer_;
    std::optional<http::Error> error_;
};

// ---- the response -------------------------------------------------------------------------------

/// A file of the kernel's, and where it stands.
struct OpenFile {
    int fd;
    std::uint64_t offset;
    std::uint64_t size;  ///< bytes from there to its end
};

/// The kernel's file behind Python's, for sendfile(2). Nothing when only `read` returns the right bytes, as for a file
/// that Python decompresses.
std::optional<OpenFile> open_file(const py::object& file) {
    try {
        const py::object raw = py::getattr(file, "raw", file);
        if (!py::isinstance(raw, py::module_::import("io").attr("FileIO"))) return std::nullopt;
        OpenFile open = {file.attr("fileno")().cast<int>(), file.attr("tell")().cast<std::uint64_t>(), 0};
        struct stat status = {};
        if (fstat(open.fd, &status) == -1 || !S_ISREG(status.st_mode)) return std::nullopt;
        const auto end = static_cast<std::uint64_t>(status.st_size);
        open.size = end - std::min(end, open.offset);
        return open;
    } catch (const std::exception&) {
        return std::nullopt;  // a pipe, for one, does not tell where it is
    }
}

/// The response to one request. It is start_response as well: what Python calls for it ends in start().
class Exchange {
public:
    Exchange(bool is_head, Client& client) : is_head_(is_head), client_(&client) {}

    void start(const py::object& status, const py::list& fields, const py::object& exc_info) {
        if (!exc_info.is_none() && has_begun_) raise_again(exc_info);
        if (exc_info.is_none() && response_) raise(PyExc_AssertionError, "start_response was called twice");
        http::Response response(from_latin1(status));
        for (const py::handle field : fields) {
            if (!PyTuple_Check(field.ptr()) || PyTuple_GET_SIZE(field.ptr()) != 2) {
                raise(PyExc_TypeError, "a header field must be a tuple (name, value)");
            }
            response.add(from_latin1(PyTuple_GET_ITEM(field.ptr(), 0)), from_latin1(PyTuple_GET_ITEM(field.ptr(), 1)));
        }
        response_ = std::move(response);
    }

    /// The function that start_response returns.
    void write(const py::object& block) {
        const std::string_view bytes = bytes_in(block);
        const std::uint64_t most = has_begun_ ? left_ : response_->content_length().value_or(UNKNOWN);
        if (has_body() && bytes.size() > most) raise(PyExc_ValueError, "more than the Content-Length");
        try {
            send(bytes, false);
        } catch (const http::Error& error) {
            is_client_gone_ = true;
            raise(PyExc_BrokenPipeError, error.what());
        }
    }

    /// `file_wrapper`: the type of an iterable that sends a file.
    void send_all(const py::object& iterable, const py::object& file_wrapper) {
        if (py::isinstance(iterable, file_wrapper)) {
            if (const auto file = open_file(iterable.attr("filelike"))) return send_file(*file);
        }
        const bool is_single = py::hasattr(iterable, "__len__") && py::len(iterable) == 1;
        for (const py::handle block : iterable) {
            const std::string_view bytes = bytes_in(block);
            if (is_single || !bytes.empty()) send(bytes, is_single);
            if (has_begun_ && left_ == 0) return;  // PEP 3333, "Handling the Content-Length Header"
        }
        if (!has_begun_) send("", true);
    }

    bool has_begun() const { return has_begun_; }
    bool is_client_gone() const { return is_client_gone_; }
    /// The answer when all blocks were sent. Says on stderr what is missing.
    Answer answer() const {
        if (is_client_gone_) return broken_off(http::CLIENT_IS_GONE);
        const bool is_whole = left_ == 0 || left_ == UNKNOWN;
        if (!is_whole) net::write_all(STDERR_FILENO, "step_h: a response that is shorter than its Content-Length\n");
        return {response_->status(), sent_, is_whole, true, true};
    }
    /// The answer when an exception has ended it. `status`: where nothing was sent yet.
    Answer broken_off(int status) const {
        if (!has_begun_) return {status, 0, false, false, true};
        return {response_->status(), sent_, false, true, true};
    }
    void detach() { client_ = nullptr; }  ///< An application may keep start_response longer than the request.

private:
    [[noreturn]] static void raise_again(const py::tuple& exc_info) {
        if (exc_info.size() != 3) raise(PyExc_TypeError, "exc_info must have three parts");
        PyErr_Restore(exc_info[0].cast<py::object>().release().ptr(), exc_info[1].cast<py::object>().release().ptr(),
                      exc_info[2].cast<py::object>().release().ptr());
        throw py::error_already_set();
    }

    bool has_body() const { return !is_head_ && response_->has_body(); }

    /// Returns the head, the first time. `size`: the body's, where it is known already.
    std::string begin(std::optional<std::uint64_t> size) {
        if (client_ == nullptr) raise(PyExc_RuntimeError, "the request is over");
        if (!response_) raise(PyExc_AssertionError, "start_response was not called");
        if (std::exchange(has_begun_, true)) return "";
        if (size && response_->has_body() && !response_->content_length()) response_->set_content_length(*size);
        left_ = has_body() ? response_->content_length().value_or(UNKNOWN) : 0;
        return response_->head();
    }

    /// `is_all`: there is no other block.
    void send(std::string_view block, bool is_all) {
        std::string head = begin(is_all ? std::optional(block.size()) : std::nullopt);
        block = block.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, block.size())));
        count(block.size());
        const py::gil_scoped_release released;
        if (!head.empty()) block = head.append(block);
        client_->send(block, left_ == 0);
    }

    void send_file(const OpenFile& file) {
        const std::string head = begin(file.size);
        const py::gil_scoped_release released;
        client_->send(head, left_ == 0);
        if (left_ == 0) return;
        count(client_->send_file(file.fd, file.offset, std::min(left_, file.size)));
        client_->send("", left_ == 0);
    }

    void count(std::uint64_t size) {
        sent_ += size;
        if (left_ != UNKNOWN) left_ -= size;
    }

    bool is_head_;
    Client* client_;
    std::optional<http::Response> response_;
    bool has_begun_ = false;
    bool is_client_gone_ = false;
    std::uint64_t left_ = UNKNOWN;  // of the body, to be sent
    std::uint64_t sent_ = 0;  // of the body
};

PYBIND11_EMBEDDED_MODULE(_step_h, module) {
    const auto start_response = [](const py::object& self, const py::object& status, const py::list& fields,
                                   const py::object& exc_info) {
        self.cast<Exchange&>().start(status, fields, exc_info);
        return self.attr("write");
    };
    py::class_<Exchange, std::shared_ptr<Exchange>>(module, "Exchange")
        .def("__call__", start_response, py::arg("status"), py::arg("headers"), py::arg("exc_info") = py::none())
        .def("write", &Exchange::write);
}

/// The iterable that an application has returned. Its close() is called whatever happens (PEP 3333).
class Iterable {
public:
    explicit Iterable(py::object object) : object_(std::move(object)) {}
    Iterable(const Iterable&) = delete;
    Iterable& operator=(const Iterable&) = delete;
    ~Iterable() {
        try {
            if (PyList_CheckExact(object_.ptr()) != 0) return;  // it has no close(): to ask would cost an exception
            if (py::hasattr(object_, "close")) checked(PyObject_CallMethod(object_.ptr(), "close", nullptr));
        } catch (const py::error_already_set& error) {
            print_exception(error);
        }
    }
    const py::object& object() const { return object_; }

private:
    py::object object_;
};

// ---- the interpreter ----------------------------------------------------------------------------

/// Where the interpreter finds its library, and the packages: those of a virtual environment when one is active.
std::string python() {
    const char* const environment = std::getenv("VIRTUAL_ENV");
    return environment != nullptr ? std::string(environment) + "/bin/python3" : PYTHON_EXECUTABLE;
}

void start_interpreter() {
    const auto check = [](PyStatus status) {
        if (PyStatus_Exception(status) != 0) {
            throw std::runtime_error(std::string("Python: ") +
                                     (status.err_msg != nullptr ? status.err_msg : "no start"));
        }
    };
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.buffered_stdio = 0;  // fork would copy what is in a buffer, and _exit would lose it
    config.parse_argv = 0;
    static char* arguments[] = {const_cast<char*>("step_h")};
    check(PyConfig_SetBytesArgv(&config, 1, arguments));
    check(PyConfig_SetBytesString(&config, &config.program_name, python().c_str()));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

py::object import_application(const std::string& name) {
    py::module_::import("sys").attr("path").attr("insert")(0, py::module_::import("os").attr("getcwd")());
    const std::size_t colon = name.find(':');
    const py::object module = py::module_::import("importlib").attr("import_module")(name.substr(0, colon));
    py::object application = py::module_::import("operator").attr("attrgetter")(name.substr(colon + 1))(module);
    if (PyCallable_Check(application.ptr()) == 0) raise(PyExc_TypeError, (name + " is not callable").c_str());
    return application;
}

/// Gives all signals their defaults, but for those that Application::after_fork_in_child() names.
void reset_signals() {
    static constexpr int KEPT[] = {SIGKILL, SIGSTOP, SIGPIPE, SIGXFSZ, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    const py::module_ signals = py::module_::import("signal");
    for (const py::handle number : signals.attr("valid_signals")()) {
        const bool is_kept = std::find(std::begin(KEPT), std::end(KEPT), number.cast<int>()) != std::end(KEPT);
        if (!is_kept) signals.attr("signal")(number, signals.attr("SIG_DFL"));
    }
}

/// "HTTP_USER_AGENT" for "user-agent"; empty when the field does not become a variable. A name must consist of letters,
/// digits and hyphens: "X_User" would become the same variable as "X-User". "Proxy" would become HTTP_PROXY, and many
/// libraries send their own requests to the proxy that it names (httpoxy, CVE-2016-5385).
std::string variable_of(const std::string& field_name) {
    if (field_name == "content-type" || field_name == "content-length" || field_name == "proxy") return "";
    std::string variable = "HTTP_";
    for (const char byte : field_name) {
        if (byte >= 'a' && byte <= 'z') variable += static_cast<char>(byte - 'a' + 'A');
        else if (byte >= '0' && byte <= '9') variable += byte;
        else if (byte == '-') variable += '_';
        else return "";
    }
    return variable;
}

}  // namespace

// Its members are visible to this file alone, as those of pybind11 are.
struct __attribute__((visibility("hidden"))) Application::State {
    std::uint64_t max_body;
    py::object application;
    py::dict common;  // what is the same in every environ
    py::object raw_type;  // of the raw files below wsgi.input
    py::object buffered_reader;
    py::object bytes_io;
    py::object file_wrapper;

    py::object input_of(const std::shared_ptr<Body>& body) const;
    py::dict environ_of(const http::Request& request, const Ends& ends) const;
};

py::object Application::State::input_of(const std::shared_ptr<Body>& body) const {
    py::object raw = raw_type();
    raw.attr("readinto") = py::cpp_function([body](const py::buffer& buffer) { return body->readinto(buffer); });
    return buffered_reader(raw, BUFFER_SIZE);
}

py::dict Application::State::environ_of(const http::Request& request, const Ends& ends) const {
    auto environ = py::reinterpret_steal<py::dict>(checked(PyDict_Copy(common.ptr())).release());
    const auto set = [&](const char* name, const py::object& value) {
        if (PyDict_SetItemString(environ.ptr(), name, value.ptr()) == -1) throw py::error_already_set();
    };
    set("REQUEST_METHOD", latin1(request.method));
    set("PATH_INFO", latin1(request.path));
    set("QUERY_STRING", latin1(request.query));
    set("SERVER_PROTOCOL", latin1(request.version));
    set("SERVER_NAME", latin1(request.host.empty() ? ends.server.first : request.host));
    set("SERVER_PORT", latin1(ends.server.second));
    set("REMOTE_ADDR", latin1(ends.client.first));
    set("REMOTE_PORT", latin1(ends.client.second));
    if (request.content_length) set("CONTENT_LENGTH", latin1(std::to_string(*request.content_length)));
    if (request.fields.contains("content-type")) set("CONTENT_TYPE", latin1(request.field("content-type")));
    for (const auto& [name, value] : request.fields) {
        const std::string variable = variable_of(name);
        if (!variable.empty()) set(variable.c_str(), latin1(value));
    }
    set("wsgi.errors", py::reinterpret_borrow<py::object>(PySys_GetObject("stderr")));
    return environ;
}

Application::Application(const std::string& name, std::uint64_t max_body) {
    const std::size_t colon = name.find(':');
    if (colon == 0 || colon >= name.size() - 1) throw std::invalid_argument("usage: step_h MODULE:CALLABLE");
    start_interpreter();
    try {
        state_ = std::make_unique<State>();
        state_->max_body = max_body;
        state_->application = import_application(name);
        const py::module_ io = py::module_::import("io");
        py::dict methods;
        methods["readable"] = py::cpp_function([] { return true; });
        const py::handle type(reinterpret_cast<PyObject*>(&PyType_Type));
        state_->raw_type = type("Body", py::make_tuple(io.attr("RawIOBase")), methods);
        state_->buffered_reader = io.attr("BufferedReader");
        state_->bytes_io = io.attr("BytesIO");
        py::dict& common = state_->common;
        common["SCRIPT_NAME"] = "";
        common["GATEWAY_INTERFACE"] = "CGI/1.1";
        common["SERVER_SOFTWARE"] = "step_h";
        common["wsgi.version"] = py::make_tuple(1, 0);
        common["wsgi.url_scheme"] = "http";
        common["wsgi.multithread"] = false;
        common["wsgi.multiprocess"] = true;
        common["wsgi.run_once"] = false;
        py::module_::import("_step_h");
        state_->file_wrapper = py::module_::import("wsgiref.util").attr("FileWrapper");
        common["wsgi.file_wrapper"] = state_->file_wrapper;
        common["wsgi.input_terminated"] = true;  // it ends with the body: a chunked one needs no CONTENT_LENGTH
        const py::module_ gc = py::module_::import("gc");
        gc.attr("collect")();
        gc.attr("freeze")();  // a collection writes to each object that it visits, and so copies its page
    } catch (const py::error_already_set& error) {
        print_exception(error);
        throw std::runtime_error("cannot import " + name);
    }
    PyEval_SaveThread();
}

Application::~Application() {
    PyEval_RestoreThread(PyGILState_GetThisThreadState());
    state_.reset();
    PyEval_SaveThread();
}

void Application::before_fork() {
    PyEval_RestoreThread(PyGILState_GetThisThreadState());
    PyOS_BeforeFork();
}

void Application::after_fork_in_parent() {
    PyOS_AfterFork_Parent();
    PyEval_SaveThread();
}

void Application::after_fork_in_child() {
    PyOS_AfterFork_Child();
    py::module_::import("atexit").attr("_clear")();  // what the import has registered is the parent's to call
    reset_signals();
    PyEval_SaveThread();
}

void Application::run_exit_functions() {
    const py::gil_scoped_acquire locked;
    py::module_::import("atexit").attr("_run_exitfuncs")();
}

Answer Application::serve(const http::Request& request, const Ends& ends, std::string_view received, Client& client) {
    const py::gil_scoped_acquire locked;
    const auto body = std::make_shared<Body>(request, state_->max_body, received, client);
    const auto exchange = std::make_shared<Exchange>(request.method == "HEAD", client);
    Answer answer;
    try {
        py::dict environ = state_->environ_of(request, ends);
        environ["wsgi.input"] = request.has_body() ? state_->input_of(body) : state_->bytes_io();
        const Iterable iterable(state_->application(environ, py::cast(exchange)));
        exchange->send_all(iterable.object(), state_->file_wrapper);
        answer = exchange->answer();
    } catch (const http::Error&) {
        answer = exchange->broken_off(http::CLIENT_IS_GONE);
    } catch (const py::error_already_set& error) {
        const bool is_clients_fault = exchange->is_client_gone() || (body->error() && !exchange->has_begun());
        if (!is_clients_fault) print_exception(error);
        const int status = exchange->is_client_gone() ? http::CLIENT_IS_GONE
                           : body->error()            ? body->error()->status()
                                                      : 500;
        answer = exchange->broken_off(status);
    }
    answer.has_read_request = body->is_complete();
    body->detach();
    exchange->detach();
    return answer;
}

}  // namespace wsgi
