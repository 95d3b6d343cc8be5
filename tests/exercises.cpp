// The exercises in diagnose: messages, record and reports. `make test_exercises` tests how diagnose judges solutions.
#include "../tools/diagnose/exercises.hpp"

#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../tools/diagnose/exercise_probes.hpp"
#include "../tools/diagnose/grade.hpp"
#include "../tools/diagnose/utf8.hpp"
#include "../tools/diagnose/words.hpp"
#include "support.hpp"

namespace {

/// Makes an empty folder and changes into it. The destructor changes back and removes it.
class Folder {
public:
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "exercises.XXXXXX";
        CHECK(mkdtemp(name.data()) != nullptr);
        path_ = name;
        std::filesystem::current_path(path_);
    }
    ~Folder() {
        std::filesystem::current_path(before_);
        std::filesystem::remove_all(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

private:
    std::filesystem::path before_ = std::filesystem::current_path();
    std::filesystem::path path_;
};

void write(const std::string& file, const std::string& text) {
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder);
    std::ofstream(file, std::ios::binary) << text;
}

/// The rows of an exercise after a check: all hold, except in exercise 5, where none holds.
std::vector<Row> rows_of(const Exercise& exercise) {
    const Finding finding = exercise.number == 5 ? Finding{no, "evidence <1>", "rule"} : Finding{yes, "evidence"};
    std::vector<Row> rows;
    for (const std::string& name : exercise.kept) rows.push_back({name, finding, false});
    for (const std::string& name : exercise.goals) rows.push_back({name, finding, true});
    return rows;
}

std::string report_of(const char* number, const Command& command = {}) {
    const Exercise& listed = exercise(number);
    return report(listed, command.empty() ? listed.command() : command, rows_of(listed));
}

/// The findings of predictions() in a file with this text.
Findings found_in(const std::string& text) {
    write("mine.txt", text);
    return predictions({{}, "mine.txt"});
}

}  // namespace

TEST_CASE("exercises: no behaviour is listed twice, each has its source, and an unknown number is refused") {
    for (const Exercise& listed : exercises()) {
        CAPTURE(listed.name);
        std::set<std::string> names(listed.kept.begin(), listed.kept.end());
        names.insert(listed.goals.begin(), listed.goals.end());
        CHECK(names.size() == listed.kept.size() + listed.goals.size());
        CHECK(std::filesystem::exists(listed.source()));
    }
    CHECK(exercise("7").folder() == "exercises/07_burst");
    CHECK(exercise("12").command() ==
          Command{folder("BUILD", "build/") + "exercises/12_homework", "step_h_wsgi.hello:application"});
    CHECK_THROWS_AS(exercise("07"), std::invalid_argument);
    CHECK_THROWS_AS(exercise("13"), std::invalid_argument);
}

TEST_CASE("check: listens is undecided when diagnose has too few descriptors, and no when the server exits") {
    const pid_t checker = fork_child([] {
        const rlimit none = {3, 3};
        setrlimit(RLIMIT_NOFILE, &none);
        const std::vector<Row> rows = diagnose::check(exercise("7"), built("step_g").command, "");
        _exit(rows.size() == 1 && rows.front().name == "listens" && rows.front().finding == undecided ? 2 : 1);
    });
    int status = 0;
    waitpid(checker, &status, 0);
    CHECK(proc::describe_wait_status(status) == "exited with 2");
    const std::vector<Row> rows = diagnose::check(exercise("7"), {"sh", "-c", "exit 3"}, "");
    REQUIRE(rows.size() == 1);
    CHECK(rows.front().finding == no);
}

TEST_CASE("flask: does not apply when Flask is not installed, or when the command names no application") {
    const char* const python = std::getenv("PYTHON");
    const std::string before = python == nullptr ? "" : python;
    setenv("PYTHON", "false", 1);
    const Finding left_out = flask({{{"./step_h", "step_h_wsgi.hello:application"}}, ""}).at("Flask");
    if (python == nullptr) unsetenv("PYTHON");
    else setenv("PYTHON", before.c_str(), 1);
    CHECK(left_out == not_applicable);
    CHECK(left_out.evidence.starts_with("not tried: Flask is not installed"));
    const Finding other = flask({{{"python3", "mine.py"}}, ""}).at("Flask");
    CHECK(other == not_applicable);
    CHECK(other.evidence.starts_with("not tried: its command does not end with MODULE:CALLABLE"));
}

TEST_CASE("report: says what was learned, and names the next exercise, when all rows hold") {
    CHECK(report_of("7").starts_with("exercise 7, burst: exercises/07_burst/server.cpp\n"));
    CHECK(
        report_of("7").ends_with("\ndone: signals are not counted, so the handler waits until no exited child is left. "
                                 "More: step_g_waitpid/README.md\nNext: exercises/08_no_handler/README.md\n"));
    CHECK(report_of("12").ends_with(". More: step_h_wsgi/README.md\nThat was the last one.\n"));
    for (const Exercise& listed : exercises()) {
        const std::vector<Row> all_hold = {{"concurrent", {yes, "evidence"}, true}};
        const std::string text = report(listed, listed.command(), all_hold);
        const std::size_t at = text.find(". More: ") + 8;
        CHECK(std::filesystem::exists(text.substr(at, text.find('\n', at) - at)));
    }
    CHECK(report_of("8", {"python3", "mine.py"}).starts_with("exercise 8, no handler: python3 mine.py\n"));
}

TEST_CASE("report: lists what does not hold yet, with the rule behind it") {
    const std::string text = report_of("5");
    CHECK(text.find("\n  not yet  reaps one             evidence <1>\n                                 (rule)\n") !=
          std::string::npos);
    CHECK(text.ends_with(
        "\nnot yet: answers, concurrent, closes, child exits with 0, survives SIGCHLD, never blocks, reaps one. "
        "The task, and hints: exercises/05_reap/README.md\n"));
}

TEST_CASE("report: a row that does not apply counts as kept, but not as a goal reached") {
    const Exercise& listed = exercise("5");
    const std::vector<Row> rows = {{"survives SIGCHLD", {not_applicable, "no child"}, false},
                                   {"reaps one", {not_applicable, "no child"}, true}};
    const std::string text = report(listed, listed.command(), rows);
    CHECK(text.find("\n  –        survives SIGCHLD      no child\n  not yet  reaps one             no child\n") !=
          std::string::npos);
    CHECK(text.find("\nnot yet: reaps one. ") != std::string::npos);
}

TEST_CASE("record: an exercise is done while one of the servers that passed is unchanged") {
    const Folder folder;
    const Exercise& burst = exercise("7");
    const Command mine = {"python3", "mine.py"};
    const Command other = {"python3", "other  one.py"};
    write("mine.py", "1");
    write("other  one.py", "1");
    write(burst.source(), "int main() {}\n");
    for (const Command& command : {burst.command(), mine, other}) {
        Record(".done").remember(burst, command, digest_of(burst, command));
    }
    Record(".done").remember(burst, other, std::nullopt);
    CHECK(Record(".done").state_of(burst) == "done");
    Record(".done").remember(burst, burst.command(), std::nullopt);
    CHECK(Record(".done").state_of(burst) == "done (python3 mine.py)");
    write("mine.py", "2");
    CHECK(Record(".done").state_of(burst) == "changed since it was done");
    Record(".done").remember(burst, mine, std::nullopt);
    CHECK(Record(".done").state_of(burst) == "");
}

TEST_CASE("digest_of: is the SHA-256 of the files that the command names") {
    const Folder folder;
    write("mine.py", "abc");  // an example of FIPS 180-4
    CHECK(digest_of(exercise("7"), {"python3", "mine.py"}) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest_of(exercise("7"), {"nothing", "that is here"}) == "?");
}

TEST_CASE("list: prints a line for each exercise, counts those that are done, and names the next one") {
    const Folder folder;
    write(exercise("3").source(), "changed");
    write(exercise("7").source(), "done");
    const std::string digest = digest_of(exercise("7"), exercise("7").command());
    write(".done", "3 " + std::string(64, '0') + "\n7 " + digest + "\n8 ? python3 mine.py\n");
    const std::string text = list(Record(".done"));
    CHECK(text.starts_with("exercise_1   queue\n"));
    CHECK(text.find("\nexercise_3   concurrent      changed since it was done\n") != std::string::npos);
    CHECK(text.find("\nexercise_7   burst           done\n") != std::string::npos);
    CHECK(text.find(" no handler      done when it was checked (python3 mine.py)\n") != std::string::npos);
    CHECK(text.ends_with("\n2 of 12 done; next: make exercise_1, exercises/01_queue/README.md\n"));
}

TEST_CASE("grade: prints a line for each exercise") {
    CHECK(line_of(Graded{&exercise("7"), rows_of(exercise("7"))}) == " 7  burst            8 of 8   done");
    CHECK(line_of(Graded{&exercise("10"), rows_of(exercise("10"))}) == "10  silent client   10 of 10  done");
    CHECK(
        line_of(Graded{&exercise("5"), rows_of(exercise("5"))}) ==
        " 5  reap             0 of 7   not yet: answers, concurrent, closes, child exits with 0, survives SIGCHLD, never "
        "blocks, reaps one");
}

TEST_CASE("grade: an obstacle fails every row of its exercise") {
    const Folder folder;
    const Graded graded = grade(exercise("7"), exercise("7").command());
    CHECK(graded.failures() == 8);
    CHECK(
        line_of(graded).ends_with(" 0 of 8   exercises/07_burst/server.cpp is not there; git restore "
                                  "exercises/07_burst/server.cpp brings back what was given"));
}

TEST_CASE("junit: writes a suite for each exercise, and a case for each row") {
    const Finding fails = {no, "said \"<&>\"\n\x01\xFF", "a > b"};
    const std::vector<Row> rows = {
        {"answers", {yes, "fine"}, false}, {"closes", fails, false}, {"concurrent", {undecided, "unknown"}, true}};
    CHECK(junit({{&exercise("3"), rows}}) == R"(<?xml version='1.0' encoding='utf-8'?>
<testsuites>
  <testsuite name="exercise_3 concurrent" tests="3" failures="2" errors="0">
    <testcase classname="exercise_3" name="answers" />
    <testcase classname="exercise_3" name="closes">
      <failure message="said &quot;&lt;&amp;&gt;&quot;&#10;?)"
                                             "\xEF\xBF\xBD"
                                             R"(">a &gt; b</failure>
    </testcase>
    <testcase classname="exercise_3" name="concurrent">
      <failure message="unknown" />
    </testcase>
  </testsuite>
</testsuites>)");
}

TEST_CASE("obstacle: says why there is nothing to check") {
    const Folder folder;
    const Exercise& burst = exercise("7");
    CHECK(obstacle(exercise("1"), {"python3", "mine.py"}) ==
          "the answers are in exercises/01_queue/predictions.txt, and are no server's");
    CHECK(
        obstacle(burst, burst.command()) ==
        "exercises/07_burst/server.cpp is not there; git restore exercises/07_burst/server.cpp brings back what was given");
    write(burst.source(), "");
    CHECK(obstacle(burst, burst.command()) == "it was not built");
    write(burst.program() + ".errors", "In file included\nserver.cpp:4: error: no type\n");
    CHECK(obstacle(burst, burst.command()) == "server.cpp:4: error: no type");
    write(burst.program(), "");
    CHECK(obstacle(burst, burst.command()) == std::nullopt);
    CHECK(obstacle(burst, {"python3", "mine.py"}) == std::nullopt);
}

TEST_CASE("predictions: reads UTF-8, UTF-16, CR LF and full-width characters") {
    const Folder folder;
    const std::string right = "backlog 0: 1\nbacklog 1: 2\n";
    std::string wide = "\xFF\xFE";
    for (const char byte : right) (wide += byte) += '\0';
    for (const std::string& text :
         {right, "\xEF\xBB\xBF" + right, wide, std::string("backlog 0: 1 \r\n  backlog  1：２\r\n")}) {
        CAPTURE(text);
        Findings found = found_in(text);
        CHECK(found["backlog 0"] == yes);
        CHECK(found["backlog 0"].evidence == "1 connect, and the next one gets no answer");
        CHECK(found["backlog 1"] == yes);
        CHECK(found["backlog 5"].evidence == "wanted: \"backlog 5: NUMBER\"");
    }
}

TEST_CASE("predictions: says what is wrong with a line that is missing, malformed or too large") {
    const Folder folder;
    Findings found = found_in("backlog 0： ？\nbacklog 1 = 2\nbacklog 5: 99999999999999999999999\n");
    CHECK(found["backlog 0"].evidence == "there is no number yet");
    CHECK(found["backlog 1"].evidence == "wanted: \"backlog 1: NUMBER\", and there is \"backlog 1 = 2\"");
    CHECK(found["backlog 5"].evidence == "99999999999999999999999 are predicted, but fewer connect");
    CHECK(found_in("backlog 10: 1\n")["backlog 1"].evidence == "wanted: \"backlog 1: NUMBER\"");
}

TEST_CASE("utf8: replaces bytes that are not text by U+FFFD") {
    constexpr std::string_view PAIR("\xFE\xFF\xD8\x3D\xDE\x00\x00\x41", 8);  // U+1F600 is two units (RFC 2781, 2.2)
    CHECK(decoded(PAIR) == std::string("\xF0\x9F\x98\x80") + 'A');
    CHECK(decoded(std::string_view("\xFF\xFE\x00\xD8", 4)) == "\xEF\xBF\xBD");
    CHECK(valid_utf8("a\xFF\xC3\xA4\xC3") == "a\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD");
    CHECK(valid_utf8("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // half of a surrogate pair
    CHECK(first_characters("\xC3\xA4\xC3\xB6\xC3\xBC", 2) == "\xC3\xA4\xC3\xB6");
}

TEST_CASE("words: splits and joins a command as a shell does") {
    const Command words = {"python3", "my server.py", "it's", "\"", "", "--port=0"};
    CHECK(line_of(words) == "python3 'my server.py' 'it'\"'\"'s' '\"' '' --port=0");
    CHECK(words_in(line_of(words)) == words);
    CHECK(words_in("  a\\ b \"c \\\" d\"'e'  ") == Command{"a b", "c \" de"});
    CHECK(words_in("") == Command{});
}

TEST_CASE("diagnose --exercises: succeeds when the reader of its output has exited") {
    const std::string diagnose = std::filesystem::absolute(built("diagnose").command.front());
    const Folder folder;  // the check keeps a record there
    const auto unread = [&](const std::string& arguments) {
        return Ended({{"bash", "-c", "exec 5> >(true); wait $!; \"$0\" " + arguments + " >&5", diagnose}});
    };
    const Ended list = unread("--exercises");
    CHECK(list.fate == "exited with 0");
    CHECK(list.err == "");
    CHECK(unread("--exercise 7 ./no_such_server").fate == "exited with 1");
}

TEST_CASE("diagnose --exercise: says what is missing, and exits with 1") {
    const std::string diagnose = std::filesystem::absolute(built("diagnose").command.front());
    const Folder folder;
    const Ended missing({{diagnose, "--exercise", "7"}});
    CHECK(missing.fate == "exited with 1");
    CHECK(missing.out.starts_with("exercise 7, burst: exercises/07_burst/server.cpp is not there; git restore "));
    const Ended unknown({{diagnose, "--exercise", "13"}});
    CHECK(unknown.fate == "exited with 2");
    CHECK(unknown.err == "diagnose: no exercise has the number \"13\"\n");
    write("exercises/.done", "7 ? ./no_such_server\n");
    const Ended fails({{diagnose, "--exercise", "7", "./no_such_server"}});
    CHECK(fails.fate == "exited with 1");
    CHECK(fails.out.ends_with("not yet: listens. The task, and hints: exercises/07_burst/README.md\n"));
    CHECK(list(Record()).find("no_such_server") == std::string::npos);
}
