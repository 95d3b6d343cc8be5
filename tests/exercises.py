#!/usr/bin/env python3
"""Tests the exercises with diagnose.

Each given program lacks the goals of its exercise and nothing else. Each solution has them all. For each wrong solution
in exercises.txt, diagnose reports what is wrong.

    exercises.py [NUMBER…]   all exercises, when none is named

It also lets make build a program that includes another file, and lets make watch a program that is saved.

It is Python, since it edits texts and starts programs in parallel. exercises.cpp tests what else diagnose does for the
exercises.
"""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import edits
import steps

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "exercises"
AT_ONCE = 8
PATIENCE = 120  # seconds
PARTS = os.environ.get("STEP_H_PARTS", "build/wsgi.o build/http.o").split()  # what the homework is linked with
PYTHON = os.environ.get("PYTHON") or ("/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


@dataclass
class Trial:
    """A solution, and the report that is expected: for each row that does not hold, a part of its evidence."""

    exercise: dict  # as `diagnose --exercises --json` describes it
    title: str
    text: str
    faults: dict = field(default_factory=dict)
    has_others: bool = False
    is_strict: bool = False  # it compiles without a warning


def said_by_diagnose(*arguments):
    said = subprocess.run([f"{steps.RUN}diagnose", "--json", *arguments], cwd=ROOT, capture_output=True, text=True)
    try:
        return json.loads(said.stdout)
    except json.JSONDecodeError:
        raise SystemExit(f"diagnose has failed: {said.stdout}{said.stderr}") from None


def given_file(exercise):
    return ROOT / exercise["folder"] / exercise["file"]


def solution_of(exercise):
    (file,) = (ROOT / "exercises" / "solutions").glob(f"{exercise['number']:02}_*")
    return file


def wrong_trial(entry, exercises):
    number, *base = entry.title.partition(":")[0].split()
    exercise = next(one for one in exercises if one["number"] == int(number))
    file = given_file(exercise) if base else solution_of(exercise)
    try:
        text = edits.edited(file.read_text(encoding="utf-8"), entry.edits)
    except edits.NotOnce as fault:
        raise SystemExit(f"exercises.txt: {fault}") from None
    expected = [line.partition(": ") for line in entry.expected if line != "…"]
    faults = {name: evidence for name, _, evidence in expected}
    return Trial(exercise, entry.title, text, faults, has_others="…" in entry.expected)


def right_trials(exercise):
    number = exercise["number"]
    given = given_file(exercise).read_text(encoding="utf-8")
    yield Trial(exercise, f"{number}: what is given", given, {name: "" for name in exercise["goals"]}, is_strict=True)
    solution = solution_of(exercise).read_text(encoding="utf-8")
    yield Trial(exercise, f"{number}: the solution", solution, is_strict=True)
    if number in (1, 6):  # diagnose reads their text
        begin = solution.find("\nbacklog") + 1  # the byte order mark stands before the text that is read
        windows = "\ufeff" + solution[begin:].replace("\n", "\r\n")
        yield Trial(exercise, f"{number}: the solution, as an editor of Windows leaves it", windows)


def all_trials():
    exercises = said_by_diagnose("--exercises")
    entries = edits.entries_of((ROOT / "tests" / "exercises.txt").read_text(encoding="utf-8"))
    wrong = [wrong_trial(entry, exercises) for entry in entries]
    for exercise in exercises:
        if sum(trial.exercise is exercise and (trial.has_others or trial.faults != {}) for trial in wrong) < 3:
            raise SystemExit(f"exercises.txt: fewer than three wrong solutions of exercise {exercise['number']}")
    return [trial for exercise in exercises for trial in right_trials(exercise)] + wrong


def libraries_of(text):
    """The libraries that a program needs, by the headers that it includes."""
    if "wsgi.hpp" not in text:
        return []
    said = subprocess.run([PYTHON + "-config", "--embed", "--ldflags"], capture_output=True, text=True, check=True)
    return [*PARTS, *said.stdout.split()]


def build(trial, name, compiler):
    """Makes the program of a trial. Returns the command to check, and the program's source file."""
    source = BUILD / (name + Path(trial.exercise["file"]).suffix)
    source.write_text(trial.text, encoding="utf-8")
    if source.suffix != ".cpp":
        return [str(source)], source
    sources = [source, *libraries_of(trial.text)]
    compiler.make(BUILD / name, sources, solution_of(trial.exercise).parent, STRICT if trial.is_strict else [])
    return [str(BUILD / name), *trial.exercise["command"][1:]], source


def fault_of(trial, name, compiler):
    """The report of diagnose, when it is not the expected one; otherwise None."""
    command, source = build(trial, name, compiler)
    rows = said_by_diagnose("--exercise", str(trial.exercise["number"]), "--source", str(source), *command)
    failed = {row["name"]: f"{row['evidence']}: {row['rule']}" for row in rows if not row["holds"]}
    left_out = {row["name"]: row["evidence"] for row in rows if row["evidence"].startswith("not tried")}
    for row, evidence in left_out.items():
        print(f"{trial.title}: {row}: {evidence}")
    faults = {row: part for row, part in trial.faults.items() if row not in left_out}
    as_expected = all(part in failed.get(row, "") and row in failed for row, part in faults.items())
    if as_expected and (trial.has_others or set(failed) == set(faults)):
        return None
    said = [f"  {row['answer']:<14} {row['name']:<17} {row['evidence']}: {row['rule']}" for row in rows]
    return "\n".join([trial.title, f"  expected: {trial.faults}", *said])


def fault_of_rule():
    """Builds a program that includes a student's own file, builds it again, and then builds it without that file.
    Returns the output of make when it fails to build; otherwise None. Works in a copy: the exercises of this repository
    stay as they are."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    with tempfile.TemporaryDirectory() as copy:
        folder = Path(copy, "exercises", "03_concurrent")
        folder.mkdir(parents=True)
        for name in ("Makefile", "net", "tests", "tools"):
            Path(copy, name).symlink_to(ROOT / name)
        Path(copy, "exercises", "rules.mk").symlink_to(ROOT / "exercises" / "rules.mk")
        given = (ROOT / "exercises" / "03_concurrent" / "server.cpp").read_text(encoding="utf-8")
        helper = folder / "helper.cpp"
        helper.write_text("int helper() { return 0; }\n", encoding="utf-8")
        for text in (f'#include "helper.cpp"\n{given}', f'#include "helper.cpp"\n{given}\n', given):
            (folder / "server.cpp").write_text(text, encoding="utf-8")
            if text == given:
                helper.unlink()
            command = ["make", "--silent", "BUILD=build", "build/exercises/03_concurrent"]
            said = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
            if said.returncode != 0:
                return f"a program that includes a file of its own, built by make:\n{said.stdout}{said.stderr}"
    return None


def copied_exercise(folder, name):
    """Makes `folder` a copy of this repository. One exercise is copied, everything else is a link; the record of the
    exercises that are done is left out. Returns the exercise's path."""
    (folder / "exercises").mkdir()
    for file in [*ROOT.iterdir(), *(ROOT / "exercises").iterdir()]:
        copy = folder / file.relative_to(ROOT)
        if not copy.exists() and file.name not in (name, ".done"):
            copy.symlink_to(file)
    return Path(shutil.copytree(ROOT / "exercises" / name, folder / "exercises" / name))


def read_in_time(terminal):
    """The next output of a program in a terminal; empty after PATIENCE silent seconds, or when the program has
    ended."""
    try:
        return os.read(terminal, 4096) if select.select([terminal], [], [], PATIENCE)[0] else b""
    except OSError:  # EIO: the program has ended
        return b""


def fault_of_watch():
    """Saves the solution while `make watch_1` runs. Returns the output when make does not check the exercise at its
    start and after the save; otherwise None."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment["TERM"] = "dumb"
    (exercise,) = [one for one in said_by_diagnose("--exercises") if one["number"] == 1]
    with tempfile.TemporaryDirectory() as folder:
        program = copied_exercise(Path(folder), Path(exercise["folder"]).name) / exercise["file"]
        child, terminal = pty.fork()  # entr needs a terminal
        if child == 0:
            os.chdir(folder)
            os.execvpe("make", ["make", "watch_1"], environment)
        said = b""
        try:
            for wanted in (b"not yet:", b"done"):
                while wanted not in said and (more := read_in_time(terminal)):
                    said += more
                if wanted not in said:
                    return f"make watch_1 does not say {wanted.decode()!r}:\n{said.decode()}"
                program.write_text(solution_of(exercise).read_text(encoding="utf-8"), encoding="utf-8")
        finally:
            os.write(terminal, b"\x03")  # Ctrl-C
            os.waitpid(child, 0)
            os.close(terminal)
    return None


def main():
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = {int(number) for number in sys.argv[1:]}
    chosen = [trial for trial in all_trials() if not wanted or trial.exercise["number"] in wanted]
    names = [f"trial_{number}" for number in range(len(chosen))]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        compiler = edits.Compiler(folder)
        reports = pool.map(lambda trial, name: fault_of(trial, name, compiler), chosen, names)
        faults = [fault for fault in reports if fault]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(chosen)} solutions, right and wrong: {len(chosen) - len(faults)} passed, {len(faults)} failed")
    others = [fault for fault in (fault_of_rule(), fault_of_watch()) if fault]
    print(*others, sep="\n", end="\n" if others else "")
    return 1 if faults or others else 0


if __name__ == "__main__":
    sys.exit(main())
