#!/usr/bin/env python3
"""Checks the exercises and says what still is wrong. The Makefile calls it:

    check.py NUMBER [COMMAND…]   one exercise: its file, or the server COMMAND
    check.py list                all of them, and which are done
    check.py grade FILE          checks them all: a table, and JUnit XML in FILE

What diagnose asks of a server is asked by ./diagnose; what else there is to ask, by kernel.py.
Exit status: of the first, 0 when it is done, 1 when not yet.
"""

import hashlib
import json
import os
import resource
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the pages

import kernel  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DONE = ROOT / "exercises" / ".done"  # a line for each that is: its number, the digest of what was checked, the server's command
SERVES = ["answers", "concurrent", "hangs up"]
MOST_OUTPUT = 64 << 20  # bytes that a program may write into a file
REAPS = ["survives SIGCHLD", "reaps one", "reaps many", "process limit"]


@dataclass
class Exercise:
    """`goals` are what the program that is given lacks; `kept` is what it has, and must not lose."""

    number: int
    name: str
    goals: list
    kept: list
    arguments: str = ""  # of the server
    file: str = "server.cpp"
    solution: str = ""  # where it is, if not in exercises/solutions

    @property
    def folder(self):
        return f"exercises/{self.number:02}_{self.name.replace(' ', '_')}"

    @property
    def command(self):
        return [f"build/{self.folder}", *shlex.split(self.arguments)] if self.is_program else [f"{self.folder}/{self.file}"]

    @property
    def source(self):
        return ROOT / self.folder / self.file

    @property
    def is_program(self):
        return self.file.endswith(".cpp")

    def is_own(self, command):
        return command == self.command


EXERCISES = [
    Exercise(1, "queue", ["backlog 0", "backlog 1", "backlog 5"], [], file="predictions.txt"),
    Exercise(2, "endpoints", ["local end", "peer end", "ephemeral port"], ["answers", "hangs up"]),
    Exercise(3, "concurrent", ["concurrent"], ["answers", "hangs up", "flat descriptors", "child lets go"]),
    Exercise(4, "let go", ["child lets go", "hangs up", "flat descriptors", "descriptor limit"], ["answers", "concurrent"]),
    Exercise(5, "reap", ["reaps one"], [*SERVES, "survives SIGCHLD"]),
    Exercise(6, "restart", ["survives SIGCHLD"], ["accept loop", "handler", *SERVES, "reaps one", "process limit"]),
    Exercise(7, "burst", ["reaps many"], [*SERVES, "survives SIGCHLD", "reaps one", "process limit"]),
    Exercise(8, "no handler", ["reaps one", "reaps many", "process limit"], [*SERVES, "survives SIGCHLD", "no handler"]),
    Exercise(9, "process limit", ["sheds load", "error page"], [*SERVES, *REAPS]),
    Exercise(10, "silent client", ["drops the silent"], [*SERVES, *REAPS]),
    Exercise(11, "graceful stop", ["stops gracefully", "waits for all"], [*SERVES, *REAPS]),
    Exercise(
        12,
        "homework",
        ["concurrent", "drops the silent", "drops the slow", "stops gracefully"],
        ["answers", "hangs up", "child lets go", *REAPS, "sheds load"],
        arguments="step_h_wsgi/hello.sh",
        solution="step_h_wsgi/webserver3h.cpp",
    ),
]


@dataclass
class Row:
    """What was asked, the answer (diagnose's words) and its evidence."""

    name: str
    answer: str
    evidence: str
    rule: str
    is_goal: bool

    @property
    def holds(self):
        """What cannot be asked ("not applicable") is not lost; but neither is a goal reached by it."""
        return self.answer == "yes" or (self.answer == "not applicable" and not self.is_goal)

    def __str__(self):
        word = "not yet" if not self.holds else "yes" if self.answer == "yes" else "–"
        return f"  {word:<8} {self.name:<17} {self.evidence}" + (f"\n{'':28} ({self.rule})" if self.rule else "")


def diagnosed(names, command):
    """What diagnose says of a server: name, answer, evidence, the rule behind a no. One row, "listens", if it does not."""
    options = [word for name in names for word in ("--only", name)]
    said = subprocess.run(["./diagnose", "--json", *options, *command], cwd=ROOT, capture_output=True, text=True)
    try:
        result = json.loads(said.stdout)
    except json.JSONDecodeError:
        raise SystemExit(f"diagnose has failed: {said.stdout}{said.stderr}") from None
    if "error" in result:
        return [("listens", "no", result["error"].replace("\n", " "), "")]
    keys = "name", "answer", "evidence", "explanation"
    rows = [tuple(row[key] for key in keys) for row in result["behaviours"]]
    return [(name, answer, evidence, rule if answer == "no" else "") for name, answer, evidence, rule in rows]


def check(exercise, command, source=None):
    """All rows of the exercise, the goals last; `source` is the student's file, if the command is made of it."""
    names = exercise.kept + exercise.goals
    asked = [name for name in names if name not in kernel.PROBES]
    rows = diagnosed(asked, command) if asked else []
    if rows and rows[0][0] == "listens":
        names = ["listens"]
    for probe in dict.fromkeys(kernel.PROBES[name] for name in names if name in kernel.PROBES):
        try:
            rows += [(name, *found) for name, found in probe(ROOT, command, source).items()]
        except (kernel.DoesNotListen, ConnectionRefusedError):
            never = "no", "started once more, it does not listen", ""
            rows += [(name, *never) for name in names if kernel.PROBES.get(name) is probe]
    found = {row[0]: Row(*row, row[0] in exercise.goals) for row in rows}
    return [found[name] for name in names]


# ---- what is done ----------------------------------------------------------------------------------


UNKNOWN = "?"  # the digest of a server whose command names no file


def digest_of(exercise, command):
    """Of what is checked: the exercise's file, or those that a server's command names."""
    files = [exercise.source] if exercise.is_own(command) else [ROOT / word for word in command]
    data = [Path(file).read_bytes() for file in files if os.path.isfile(file)]
    return hashlib.sha256(b"".join(data)).hexdigest() if data else UNKNOWN


def done():
    """The digests of what is done, by exercise and server; the server that is made of the exercise's file is ""."""
    lines = DONE.read_text(encoding="utf-8").splitlines() if DONE.exists() else []
    entries = [(*line.split(" ", 2), "")[:3] for line in lines]
    return {(int(number), server): digest for number, digest, server in entries}


def remember(exercise, command, digest):
    """Notes that it is done, or not (None), by this server; what others have done stays."""
    all_done = done()
    key = exercise.number, "" if exercise.is_own(command) else " ".join(shlex.join(command).split())
    all_done.pop(key, None)
    if digest is not None:
        all_done[key] = digest
    lines = [f"{number} {digest} {server}".rstrip() for (number, server), digest in sorted(all_done.items())]
    DONE.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def state(exercise, all_done):
    entries = [(server, digest) for (number, server), digest in sorted(all_done.items()) if number == exercise.number]
    for server, digest in entries:
        if digest == digest_of(exercise, shlex.split(server) or exercise.command):
            when = "done when it was checked" if digest == UNKNOWN else "done"
            return f"{when} ({server})" if server else when
    return "changed since it was done" if entries else ""


# ---- what is said ----------------------------------------------------------------------------------


def wrong(rows):
    return [row.name for row in rows if not row.holds]


def next_of(exercise):
    return next((other for other in EXERCISES if other.number > exercise.number), None)


def one(number, command):
    exercise = next(exercise for exercise in EXERCISES if exercise.number == number)
    command = command or exercise.command
    if fault := obstacle(exercise, command):
        print(f"exercise {number}, {exercise.name}: {fault}")
        return 1
    digest = digest_of(exercise, command)  # of what it was before: the check takes a while
    is_own = exercise.is_own(command)
    rows = check(exercise, command, exercise.source if is_own else None)
    remember(exercise, command, None if wrong(rows) else digest)
    print(f"exercise {number}, {exercise.name}: " + (f"{exercise.folder}/{exercise.file}" if is_own else shlex.join(command)))
    print(*rows, sep="\n")
    if wrong(rows):
        print(f"not yet: {', '.join(wrong(rows))}. The task, and hints: {exercise.folder}/README.md")
        return 1
    following = next_of(exercise)
    print("done. " + (f"Next: {following.folder}/README.md" if following else "That was the last one."))
    return 0


def list_all():
    all_done = done()
    for exercise in EXERCISES:
        print(f"{'exercise_' + str(exercise.number):<12} {exercise.name:<15} {state(exercise, all_done)}".rstrip())
    print(f"{sum(state(exercise, all_done).startswith('done') for exercise in EXERCISES)} of {len(EXERCISES)} done")
    return 0


def obstacle(exercise, command):
    """Why there is nothing to check, where that is so."""
    file = f"{exercise.folder}/{exercise.file}"
    if not exercise.is_own(command):
        return None if exercise.is_program else f"the answers are in {file}, and are no server's"
    if not exercise.source.exists():
        return f"{file} is not there; git restore {file} brings back what was given"
    if not exercise.is_program or (ROOT / exercise.command[0]).exists():
        return None
    errors = ROOT / f"build/{exercise.folder}.errors"
    lines = errors.read_text(encoding="utf-8", errors="replace").splitlines() if errors.exists() else []
    return next((line for line in lines if "error: " in line), lines[0] if lines else "it was not built")


def grade(path):
    """JUnit's XML as its readers take it: a suite for each exercise, a case for each behaviour."""
    suites = ElementTree.Element("testsuites")
    done_count = 0
    for exercise in EXERCISES:
        command = shlex.split(os.environ.get(f"SERVER_{exercise.number}", "")) or exercise.command
        fault = obstacle(exercise, command)
        names = exercise.kept + exercise.goals
        source = exercise.source if exercise.is_own(command) else None
        rows = [Row(name, "no", fault, "", True) for name in names] if fault else check(exercise, command, source)
        failed = wrong(rows)
        done_count += not failed
        suite = ElementTree.SubElement(suites, "testsuite", name=f"exercise_{exercise.number} {exercise.name}")
        suite.attrib |= {"tests": str(len(rows)), "failures": str(len(failed)), "errors": "0"}
        for row in rows:
            case = ElementTree.SubElement(suite, "testcase", classname=f"exercise_{exercise.number}", name=row.name)
            if not row.holds:
                ElementTree.SubElement(case, "failure", message=row.evidence).text = row.rule
        verdict = fault or ("not yet: " + ", ".join(failed) if failed else "done")
        print(f"{exercise.number:>2}  {exercise.name:<15} {len(rows) - len(failed):>2} of {len(rows):<2}  {verdict}", flush=True)
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    print(f"{done_count} of {len(EXERCISES)} done; {path}")
    return 0


def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_OUTPUT, MOST_OUTPUT))
    if sys.argv[1] == "list":
        return list_all()
    if sys.argv[1] == "grade":
        return grade(sys.argv[2])
    return one(int(sys.argv[1]), sys.argv[2:])


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # whoever reads has read enough: `make exercises | head -n 3`
        status = int(sys.argv[1] != "list")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
