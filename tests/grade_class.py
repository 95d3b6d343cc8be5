#!/usr/bin/env python3
"""Tests tools/grade: three clones, one of which does all it can to change its grade, to read what it may not, and to
run on. Its grade must be what its servers deserve, the others' must not change, and nothing of it may be left.

    grade_class.py [--no-sandbox]     without the sandbox these tests fail: that is how they are tested
"""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import classroom50  # noqa: E402

EXERCISES = ROOT / "exercises"
RUNAWAY = "grade_runaway"  # the name of the processes that must not be left; 15 bytes at most (prctl(2), PR_SET_NAME)
SECRET = "the_first_line_of_a_secret;"
NAMED = f'#include <sys/prctl.h>\n#include <unistd.h>\nstatic void be_named() {{ prctl(PR_SET_NAME, "{RUNAWAY}"); }}\n'

OVERWRITES = r"""
#include <filesystem>
#include <fstream>
static const bool overwritten = [] {
    const char* const rows = R"([{"name": "reaps many", "answer": "yes", "evidence": "", "rule": "", "holds": true}])";
    for (const char* file : {"./diagnose", "exercises/.done", "exercises/07_burst/server.cpp", "../stage/diagnose"}) {
        std::filesystem::remove(file, *new std::error_code);
        std::ofstream(file) << "#!/bin/sh\necho '" << rows << "'\n";
    }
    for (int pid = 1; pid < 100; ++pid) {
        if (pid != getpid()) std::ofstream("/proc/" + std::to_string(pid) + "/fd/1") << rows;
    }
    return true;
}();
"""
RUNS_AWAY = r"""
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
static const bool has_run_away = [] {
    if (fork() != 0) return true;
    be_named();
    setsid();
    clearenv();
    // It ends what could end it: the processes of diagnose above it.
    for (int pid = getppid(); pid > 0;) {
        std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
        std::string ignored, name, state;
        int parent = 0;
        stat >> ignored >> name >> state >> parent;
        if (name == "(diagnose)" || name == "(keeper)") kill(pid, SIGKILL);
        pid = parent;
    }
    while (true) pause();
}();
"""
CHAIN = r"""
int main() {
    be_named();
    while (true) {
        if (fork() != 0) _exit(0);
    }
}
"""
EATS_MEMORY = r"""
#include <cstring>
#include <string>
static const bool has_eaten = [] {
    for (int child = 0; child < 40; ++child) {
        if (fork() != 0) continue;
        be_named();
        std::string eaten(std::size_t{256} << 20, 'x');
        explicit_bzero(eaten.data(), eaten.size());  // the compiler may not leave it out
        while (true) pause();
    }
    return true;
}();
"""
NEVER_COMPILES = """
#include <utility>
constexpr int spin(int seed) {
    for (int i = 0; i < 100; ++i) {
        for (int j = 0; j < 10000; ++j) seed ^= j;
    }
    return seed;
}
template <int SEED>
constexpr int spun = spin(SEED);
template <int... SEEDS>
int spin_all(std::integer_sequence<int, SEEDS...>) { return (spun<SEEDS> + ...); }
int main() { return spin_all(std::make_integer_sequence<int, 1000>()); }
"""


def folder_of(number):
    (folder,) = EXERCISES.glob(f"{number:02}_*")
    return folder


def solution_of(number):
    (file,) = (EXERCISES / "solutions").glob(f"{number:02}_*")
    return file


def given(number):
    return (folder_of(number) / "server.cpp").read_text()


def write(clone, number, text):
    file = clone / "exercises" / folder_of(number).name / "server.cpp"
    file.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        file.write_text(text)
    return file


def make_hostile(clone, secret):
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    write(clone, 2, None).symlink_to(solution_of(2))
    os.mkfifo(write(clone, 3, None))
    write(clone, 4, "//" + "x" * (2 << 20))
    write(clone, 5, '#include "/dev/zero"\n' + given(5))
    write(clone, 6, f'#include "{secret}"\n' + given(6))
    write(clone, 7, NAMED + given(7) + OVERWRITES)
    write(clone, 8, NAMED + given(8) + RUNS_AWAY)
    write(clone, 9, NAMED + CHAIN)
    write(clone, 10, NAMED + given(10) + EATS_MEMORY)
    write(clone, 11, NEVER_COMPILES)
    (clone / "GNUmakefile").write_text("%:\n\t@echo done\n")
    (clone / "makefile").write_text("%:\n\t@echo done\n")
    (clone / "exercises" / "kernel").mkdir()
    (clone / "exercises" / "kernel" / "__init__.py").write_text("import sys\nsys.exit(0)\n")
    (clone / "build").mkdir()
    (clone / "build" / "x.d").write_text("exercise_7 grade_class:\n\t@echo done\n")


STATES = {  # how each exercise must end, and a part of the reason
    ("given", 7): ("not yet", "reaps many"),
    ("given", 8): ("failed", "is not there"),
    ("hostile", 2): ("failed", "cannot be taken"),
    ("hostile", 3): ("failed", "is no regular file"),
    ("hostile", 4): ("failed", "is larger than"),
    ("hostile", 5): ("failed", "it does not compile: cc1plus: out of memory"),
    ("hostile", 6): ("failed", "it does not compile"),
    ("hostile", 7): ("not yet", "reaps many: "),
    ("hostile", 8): ("failed", "the check has no result"),
    ("hostile", 9): ("failed", "listens"),
    ("hostile", 10): ("failed", "it took more than 1024 MiB of memory"),
    ("hostile", 11): ("failed", "it was ended after 30 s"),
    ("solved", 7): ("done", ""),
    ("solved", 8): ("done", ""),
}


def command_of(clones, out, *options):
    return [sys.executable, ROOT / "tools/grade/grade_class.py", "--out", out, *options, clones]


def runaways():
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == RUNAWAY:
                yield int(comm.parent.name)
        except OSError:  # it has ended
            pass


def test_grades(clones, out, options):
    command = command_of(clones, out, "--only", "2 3 4 5 6 7 8 9 10 11", "--limit", "60", *options)
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    left = list(runaways())
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    report = (out / "grade_class.json").read_text()
    found = {(clone["clone"], one["number"]): one for clone in json.loads(report) for one in clone["exercises"]}
    for key, (state, reason) in STATES.items():
        said_of_it = (found[key]["state"], found[key]["reason"])
        yield f"{key}: {state}, {reason}", said_of_it[0] == state and reason in said_of_it[1], said_of_it
    yield "no process is left", not left, left
    shown = [line for line in (said + report).splitlines() if SECRET.strip(";") in line]
    yield "no secret is shown", not shown, shown


def test_reports(out):
    """Of test_grades: ten exercises, and what it has found."""
    rows = {row["clone"]: row for row in csv.DictReader((out / "grade_class.csv").open())}
    counts = {name: (row["done"], row["of"], row["exercise_7"]) for name, row in rows.items()}
    wanted = {"given": ("0", "10", "not yet"), "hostile": ("0", "10", "not yet"), "solved": ("2", "10", "done")}
    yield "CSV", counts == wanted, counts
    suites = ET.parse(out / "grade_class.xml").getroot()
    failures = {suite.get("name"): (suite.get("failures"), len(suite.findall("testcase/failure"))) for suite in suites}
    yield "JUnit", failures == {"given": ("10", 10), "hostile": ("10", 10), "solved": ("8", 8)}, failures

    report = next(one for one in json.loads((out / "grade_class.json").read_text()) if one["clone"] == "solved")
    names = ["CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL"]
    result = classroom50.result_of(report, {name: name.lower() for name in names}, 0, 60)
    wanted = {"schema": "classroom50/result/v1", "classroom": "classroom", "assignment": "assignment"}
    wanted |= {"submission": "submission_tag", "commit": "commit_url", "release": "release_url", "review": "commit_url"}
    wanted |= {"datetime": "1970-01-01T00:00:00Z", "graded_at": "1970-01-01T00:01:00Z", "score": 2, "max-score": 10}
    yield "Classroom 50", {**result, "tests": []} == {**wanted, "tests": []}, result
    burst = {"test-name": "exercise_7 burst", "passed": True, "score": 1, "max-score": 1, "reason": ""}
    yield "Classroom 50: a test", burst in result["tests"], result


def test_goes_on(clones, out, options):
    """It is interrupted as soon as it has printed the first of two clones, which have three files."""
    command = command_of(clones, out, "--only", "7 8", "--jobs", "1", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as grading:
        lines = iter(grading.stdout.readline, "")
        next(line for line in lines if line.startswith("given"))
        grading.send_signal(signal.SIGINT)
        grading.communicate()
    yield "interrupted, it exits with 130", grading.returncode == 130, grading.returncode
    known = len((out / "grade_class.checked").read_text().splitlines())
    yield "interrupted, it knows some", 1 <= known < 3, known
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    yield "it goes on", f"{3 - known} checks in" in said, said
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    yield "it checks nothing twice", "0 checks in" in said and "solved" in said, said


def main():
    options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        clones = Path(folder, "clones")
        two_clones = Path(folder, "two_clones")
        for new in ("first", "second", "two_clones"):
            Path(folder, new).mkdir()
        write(clones / "given", 7, given(7))
        for number in (7, 8):
            write(clones / "solved", number, solution_of(number).read_text())
        make_hostile(clones / "hostile", Path(folder, "secret"))
        for name in ("given", "solved"):
            (two_clones / name).symlink_to(clones / name)
        results = [*test_grades(clones, Path(folder, "first"), options)]
        results += test_reports(Path(folder, "first"))
        results += test_goes_on(two_clones, Path(folder, "second"), options)
    faults = [f"{title}\n  but: {found}" for title, is_right, found in results if not is_right]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(results) - len(faults)} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
