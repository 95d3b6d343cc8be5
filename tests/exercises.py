#!/usr/bin/env python3
"""Tests the exercises: what is given lacks the goals and nothing else, the solution has them all, and the wrong solutions
of exercises.txt are told what is wrong.

    exercises.py [NUMBER…]   all exercises, when none is named
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "exercises"))
sys.dont_write_bytecode = True

import check  # noqa: E402

BUILD = ROOT / "build" / "exercises"


@dataclass
class Trial:
    """A solution, and what has to be said of it: for each row that does not hold, a part of its evidence."""

    exercise: check.Exercise
    title: str
    text: str
    faults: dict = field(default_factory=dict)
    has_others: bool = False
    is_strict: bool = False  # it compiles without a warning


def solution_of(exercise):
    if exercise.solution:
        return ROOT / exercise.solution
    (file,) = (ROOT / "exercises" / "solutions").glob(f"{exercise.number:02}_*")
    return file


def apply(lines, minus, plus):
    """Replaces the lines `minus`, which are there once."""
    places = [at for at in range(len(lines)) if [line.strip() for line in lines[at : at + len(minus)]] == minus]
    if len(places) != 1:
        raise SystemExit(f"exercises.txt: {minus[0]!r} is there {len(places)} times")
    lines[places[0] : places[0] + len(minus)] = plus


def edited(text, edits):
    lines, minus, plus = text.splitlines(), [], []
    for sign, line in [*edits, ("-", None)]:
        if sign == "-" and plus:
            apply(lines, minus, plus)
            minus, plus = [], []
        if sign == "-":
            minus.append(line)
        else:
            plus.append(line)
    return "\n".join(lines) + "\n"


def wrong_trials():
    for entry in (ROOT / "tests" / "exercises.txt").read_text(encoding="utf-8").split("\n= ")[1:]:
        title, *lines = entry.splitlines()
        number, *base = title.partition(":")[0].split()
        exercise = next(one for one in check.EXERCISES if one.number == int(number))
        file = ROOT / exercise.folder / exercise.file if base else solution_of(exercise)
        edits = [(line[0], line[1:].strip() if line[0] == "-" else line[2:]) for line in lines if line[:1] in ("-", "+")]
        trial = Trial(exercise, title, edited(file.read_text(encoding="utf-8"), edits))
        for line in lines:
            if line == "> …":
                trial.has_others = True
            elif line.startswith("> "):
                name, _, evidence = line[2:].partition(": ")
                trial.faults[name] = evidence
        yield trial


def trials():
    for exercise in check.EXERCISES:
        given = (ROOT / exercise.folder / exercise.file).read_text(encoding="utf-8")
        yield Trial(exercise, f"{exercise.number}: what is given", given, {name: "" for name in exercise.goals}, is_strict=True)
        solution = solution_of(exercise).read_text(encoding="utf-8")
        yield Trial(exercise, f"{exercise.number}: the solution", solution, is_strict=True)
        if exercise.number in (1, 6):  # whose text is read
            begin = solution.find("\nbacklog") + 1  # the mark is to stand before what is read
            windows = "\ufeff" + solution[begin:].replace("\n", "\r\n")
            yield Trial(exercise, f"{exercise.number}: the solution, as an editor of Windows leaves it", windows)
    wrong = list(wrong_trials())
    for exercise in check.EXERCISES:
        if sum(trial.exercise is exercise and (trial.has_others or trial.faults != {}) for trial in wrong) < 3:
            raise SystemExit(f"exercises.txt: fewer than three wrong solutions of exercise {exercise.number}")
    yield from wrong


def objects_of(exercise):
    """What is linked with the program: for the homework, step_h's other files."""
    return [ROOT / "build" / "step_h.o"] if exercise.solution else []


def build(trial, name):
    """The command that is to be checked, and the file that it was made of."""
    source = BUILD / (name + Path(trial.exercise.file).suffix)
    source.write_text(trial.text, encoding="utf-8")
    if source.suffix != ".cpp":
        return [str(source)], source
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"] if trial.is_strict else []
    compiler = [*os.environ.get("CXX", "g++").split(), "-std=c++20", "-O0", "-iquote", solution_of(trial.exercise).parent]
    subprocess.run([*compiler, *strict, source, *objects_of(trial.exercise), "-o", BUILD / name], check=True)
    return [str(BUILD / name), *trial.exercise.command[1:]], source


def fault_of(trial, name):
    """What is not said as it should be; None when all is."""
    rows = check.check(trial.exercise, *build(trial, name))
    failed = {row.name: f"{row.evidence}: {row.rule}" for row in rows if not row.holds}
    as_expected = all(part in failed.get(row, "") and row in failed for row, part in trial.faults.items())
    if as_expected and (trial.has_others or set(failed) == set(trial.faults)):
        return None
    return f"{trial.title}\n  expected: {trial.faults}\n" + "\n".join(map(str, rows))


def made_up(exercise, _command, _source):
    """Rows that fail for exercise 5 alone."""
    answer = "no" if exercise.number == 5 else "yes"
    return [check.Row(name, answer, "evidence <1>", "rule", True) for name in exercise.kept + exercise.goals]


def said(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        return function(*arguments), text.getvalue()


def reports(folder):
    """What check.py says, remembers and writes: whether it is right, and the text."""
    status, text = said(check.one, 7, [])
    yield status == 0 and text.endswith("done. Next: exercises/08_no_handler/README.md\n"), text
    status, text = said(check.one, 8, ["python3", "mine.py"])
    yield status == 0 and text.startswith("exercise 8, no handler: python3 mine.py\n"), text
    status, text = said(check.one, 5, [])
    yield status == 1 and "\n  not yet  reaps one         evidence <1>\n" in text and "\nnot yet: answers, " in text, text
    check.remember(check.EXERCISES[2], check.EXERCISES[2].command, "0" * 64)
    _, text = said(check.list_all)
    parts = "concurrent      changed since it was done\n", "burst           done\n", "done when it was checked (python3 mine.py)\n"
    yield all(part in text for part in (*parts, "\n2 of 12 done\n")), text
    _, text = said(check.grade, folder / "grade.xml")
    yield text.endswith(f"10 of 12 done; {folder}/grade.xml\n"), text
    cases = ElementTree.parse(folder / "grade.xml").getroot().iter("testcase")
    failed = {(case.get("classname"), case[0].get("message")) for case in cases if len(case)}
    yield failed == {("exercise_5", "evidence <1>"), ("exercise_6", "error: in line 1")}, str(failed)


def memories(folder):
    """What the list says of an exercise that is done by several servers: whether it is right, and the text."""
    burst, mine, other = check.EXERCISES[6], folder / "mine.py", folder / "other  one.py"
    commands = [burst.command, ["python3", str(mine)], ["python3", str(other)]]
    mine.write_text("1", encoding="utf-8")
    other.write_text("1", encoding="utf-8")
    for command in commands:
        check.remember(burst, command, check.digest_of(burst, command))
    check.remember(burst, commands[2], None)
    yield (text := check.state(burst, check.done())) == "done", text
    check.remember(burst, burst.command, None)
    yield (text := check.state(burst, check.done())) == f"done (python3 {mine})", text
    mine.write_text("2", encoding="utf-8")
    yield (text := check.state(burst, check.done())) == "changed since it was done", text
    check.remember(burst, commands[1], None)
    yield (text := check.state(burst, check.done())) == "", text


def reading_faults():
    """A reader of the list that has read enough."""
    command = f"{sys.executable} exercises/check.py list | true; exit ${{PIPESTATUS[0]}}"
    listed = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    yield (listed.returncode, listed.stderr) == (0, ""), listed.stderr


def obstacles(folder):
    """What is said when there is nothing to check: whether it is right, and the text."""
    queue, burst = check.EXERCISES[0], check.EXERCISES[6]
    text = check.obstacle(queue, ["python3", "mine.py"])
    yield text == "the answers are in exercises/01_queue/predictions.txt, and are no server's", text
    status, text = said(check.one, 7, [])
    yield status == 1 and "exercises/07_burst/server.cpp is not there; git restore " in text, text
    (folder / burst.folder).mkdir(parents=True)
    (folder / burst.folder / burst.file).touch()
    yield check.obstacle(burst, burst.command) == "it was not built", ""
    errors = folder / "build" / (burst.folder + ".errors")
    errors.parent.mkdir(parents=True)
    errors.write_text("In file included\nserver.cpp:4: error: no type\n", encoding="utf-8")
    yield check.obstacle(burst, burst.command) == "server.cpp:4: error: no type", ""
    (folder / burst.command[0]).touch()
    yield check.obstacle(burst, burst.command) is None, ""
    yield check.obstacle(burst, ["python3", "mine.py"]) is None, ""


def report_faults():
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(check, "ROOT", Path(folder)):
        faults = [f"check.py finds no obstacle: {text}" for is_right, text in obstacles(Path(folder)) if not is_right]
    with tempfile.TemporaryDirectory() as folder, mock.patch.multiple(
        check,
        check=made_up,
        obstacle=lambda exercise, _: "error: in line 1" if exercise.number == 6 else None,
        DONE=Path(folder) / "done",
    ):
        found = [*reports(Path(folder)), *memories(Path(folder)), *reading_faults()]
        return faults + [f"check.py says:\n{text}" for is_right, text in found if not is_right]


def main():
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = {int(number) for number in sys.argv[1:]}
    chosen = [trial for trial in trials() if not wanted or trial.exercise.number in wanted]
    names = [f"trial_{number}" for number in range(len(chosen))]
    with ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as pool:
        faults = report_faults() + [fault for fault in pool.map(fault_of, chosen, names) if fault]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(chosen)} solutions, right and wrong: {max(0, len(chosen) - len(faults))} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
