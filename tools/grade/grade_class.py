#!/usr/bin/env python3
"""Checks the exercises of many clones: `make grade_class DIR=clones` starts it.

    grade_class.py [--only 'NUMBER…'] [--jobs N] [--limit SECONDS] [--out DIR] [--no-sandbox] DIR

DIR has a folder for each student. From it we take only the file that an exercise asks for. The file is compiled and
checked in a tree of our own, in a sandbox (sandbox.py). We never read the rest of a student's repository.

It writes grade_class.csv, .json and .xml into build/. The file build/grade_class.checked keeps each result, by the
digest of the student's file and of all that checks it. An interrupted run goes on from there.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from reports import DONE, FAILED, NOT_YET, print_clone, print_line, printable, show_progress, write_reports
from sandbox import MOST_FILE, Sandbox
from taking import Refused, read_bounded

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
DIAGNOSE = ROOT / os.environ.get("RUN", "./") / "diagnose"
PARTS = [BUILD / "wsgi.o", BUILD / "http.o"]  # what the homework is linked with
GIVEN = ["net/*.hpp", "step_h_wsgi/*.hpp", "step_h_wsgi/hello.py", "exercises/12_homework/flask_app.py"]
MOST_SOURCE = 1 << 20


def first_error(text):
    lines = [printable(line) for line in text.splitlines() if line]
    return next((line for line in lines if "error: " in line), lines[0] if lines else "the compiler says nothing")


class Grader:
    def __init__(self, sandbox, limit):
        self.sandbox = sandbox
        self.limit = limit
        self.work = Path(tempfile.mkdtemp(prefix="grade_class."))
        self.work.chmod(0o711)
        self.stage = self.work / "stage"
        given = [path for pattern in GIVEN for path in ROOT.glob(pattern)] + [path for path in PARTS if path.exists()]
        for path in given:
            self.copy(path, self.stage / path.relative_to(ROOT))
        self.copy(DIAGNOSE, self.stage / "diagnose", 0o755)
        self.compile = shlex.split(os.environ.get("COMPILE", "g++ -std=c++20 -iquote ."))
        self.static = shlex.split(os.environ.get("STATIC", ""))
        self.libraries = shlex.split(os.environ.get("LIBRARIES", ""))
        self.digest = hashlib.sha256(repr([self.compile, self.static, sandbox.is_isolated]).encode())
        for path in sorted(self.stage.rglob("*.*")) + [self.stage / "diagnose"]:
            self.digest.update(path.read_bytes())

    @staticmethod
    def copy(source, target, mode=0o644):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(mode)

    def key(self, exercise, source):
        digest = self.digest.copy()
        digest.update(f"{exercise['number']} {len(source)} ".encode() + source)
        return digest.hexdigest()

    def check(self, exercise, source):
        """The result of a check, as a dictionary that JSON can hold."""
        begin = time.monotonic()
        tree = Path(tempfile.mkdtemp(dir=self.work))
        found = {"state": FAILED, "reason": "", "rows": [], "is_certain": True}
        try:
            tree.chmod(0o755)
            shutil.copytree(self.stage, tree, copy_function=os.link, dirs_exist_ok=True)
            self.check_in(tree, exercise, source, found)
        except Refused as fault:
            found["reason"] = str(fault)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        return found | {"seconds": round(time.monotonic() - begin, 1)}

    def check_in(self, tree, exercise, source, found):
        file = f"{exercise['folder']}/{exercise['file']}"
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_bytes(source)
        (tree / file).chmod(0o644)
        if file.endswith(".cpp"):
            self.build(tree, exercise, file, found)
        command = ["./diagnose", "--json", "--exercise", str(exercise["number"]), "--source", file]
        ended = self.sandbox.run(tree, command + exercise["command"], self.limit)
        found["rows"] = rows_of(ended.out, exercise)
        if not found["rows"]:
            found["is_certain"] = False
            raise Refused(f"the check has no result: {ended.fault or printable(ended.err.strip()) or ended}")
        not_yet = [row for row in found["rows"] if not row["holds"]]
        found["is_certain"] = all(row["answer"] != "undecided" for row in found["rows"])
        found["reason"] = "; ".join(printable(f"{row['name']}: {row['evidence']}") for row in not_yet)
        is_started = [row["name"] for row in not_yet] != ["listens"]
        found["state"] = DONE if not not_yet else NOT_YET if is_started else FAILED

    def build(self, tree, exercise, file, found):
        (tree / "out").mkdir()
        needs_python = len(exercise["command"]) > 1
        parts = ["build/wsgi.o", "build/http.o", *self.libraries] if needs_python else self.static
        command = [*self.compile, "-Wfatal-errors", file, *parts, "-o", "out/program"]
        ended = self.sandbox.run(tree, command, self.limit // 2, writable="out")
        if ended.status != 0 or ended.fault:
            found["is_certain"] = not ended.fault
            raise Refused(f"it does not compile: {ended.fault or first_error(ended.err)}")
        program = tree / exercise["command"][0]
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_bytes(read_bounded(tree, "out/program", MOST_FILE))
        program.chmod(0o755)
        shutil.rmtree(tree / "out")


class Checked:
    """The results by key, kept in a file, a line for each. A file that many clones have is checked once."""

    def __init__(self, path, pool):
        self.path, self.pool, self.lock = path, pool, threading.Lock()
        self.futures = {}
        self.fresh = []
        for line in path.read_text().splitlines() if path.exists() else []:
            with contextlib.suppress(ValueError):  # the last line of a run that was killed
                key, found = json.loads(line)
                self.futures[key] = Future()
                self.futures[key].set_result(found)

    def ask(self, key, check, *arguments):
        if key not in self.futures:
            self.futures[key] = self.pool.submit(self.remember, key, check, arguments)
            self.fresh.append(self.futures[key])
        return self.futures[key]

    def remember(self, key, check, arguments):
        found = check(*arguments)
        if found["is_certain"]:
            with self.lock, self.path.open("a") as file:
                file.write(json.dumps([key, found]) + "\n")
        return found


def rows_of(text, exercise):
    """The rows that diagnose has found; empty when they are not all that the exercise asks for."""
    try:
        rows = json.loads(text)
        names = {row["name"] for row in rows}
    except (ValueError, TypeError, KeyError):
        return []
    return rows if names in ({"listens"}, {*exercise["kept"], *exercise["goals"]}) else []


def report_of(name, answers):
    exercises = []
    for exercise, future in answers:
        found = future.result()
        exercises.append({"number": exercise["number"], "name": exercise["name"], **found})
    done = sum(one["state"] == DONE for one in exercises)
    seconds = round(sum(one["seconds"] for one in exercises), 1)
    return {"clone": name, "done": done, "seconds": seconds, "exercises": exercises}


def ask_all(clone, exercises, grader, checked):
    for exercise in exercises:
        try:
            source = read_bounded(clone, f"{exercise['folder']}/{exercise['file']}", MOST_SOURCE)
        except Refused as fault:
            future = Future()
            future.set_result({"state": FAILED, "reason": printable(str(fault)), "rows": [], "seconds": 0})
        else:
            future = checked.ask(grader.key(exercise, source), grader.check, exercise, source)
        yield exercise, future


def grade(folders, exercises, grader, checked):
    """Prints each clone as soon as it and those before it are checked. Returns their reports."""
    asked = [(folder.name, list(ask_all(folder, exercises, grader, checked))) for folder in folders]
    show_progress(checked.fresh)
    width = max(len(printable(folder.name)) for folder in folders)
    print_line(" " * width + "".join(f"{one['number']:3}" for one in exercises))
    reports = []
    for name, answers in asked:
        reports.append(report_of(printable(name), answers))
        print_clone(reports[-1], width)
    return reports


def options_of():
    parser = argparse.ArgumentParser(description="Checks the exercises of many clones.")
    parser.add_argument("dir", type=Path, help="has a folder for each student")
    parser.add_argument("--only", default="", help="the numbers of the exercises, if not all: '5 6 7'")
    parser.add_argument("--jobs", type=int, default=2 * len(os.sched_getaffinity(0)), help="checks at once, 32 at most")
    parser.add_argument("--limit", type=int, default=120, help="seconds for each check")
    parser.add_argument("--out", type=Path, default=BUILD, help="the folder of what it writes")
    parser.add_argument("--no-sandbox", action="store_true", help="where the machine itself may be thrown away")
    return parser.parse_args()


def main():
    options = options_of()
    folders = sorted(path for path in options.dir.glob("[!.]*") if path.is_dir()) if options.dir.is_dir() else []
    if not folders:
        raise SystemExit(f"{options.dir}: there is no folder in it: wanted is one for each student")
    said = subprocess.run([DIAGNOSE, "--json", "--exercises"], capture_output=True, check=True).stdout
    wanted = options.only.split()
    exercises = [one for one in json.loads(said) if not wanted or str(one["number"]) in wanted]
    if len(exercises) < len(set(wanted)):
        raise SystemExit(f"ONLY takes numbers of exercises, got {options.only!r}")
    sandbox = Sandbox(is_isolated=not options.no_sandbox)
    if obstacle := sandbox.obstacle():
        raise SystemExit(f"There is no sandbox for the students' programs: {obstacle}\n"
                         "Be root, or use a machine that may be thrown away and SANDBOX=no: docs/classroom.md says more.")
    if options.no_sandbox:
        print("SANDBOX=no: the students' programs can read and change what their user can, and so their grade.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begin = time.monotonic()
    grader = Grader(sandbox, options.limit)
    pool = ThreadPoolExecutor(max(1, min(options.jobs, 32)))
    try:
        checked = Checked(options.out / "grade_class.checked", pool)
        reports = grade(folders, exercises, grader, checked)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    finally:
        sandbox.stop.set()
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(grader.work)
    write_reports(reports, options.out / "grade_class")
    done = sum(report["done"] for report in reports)
    sums = f"{done} of {len(reports) * len(exercises)} exercises done; {len(checked.fresh)} checks"
    seconds = time.monotonic() - begin
    print_line(f"{len(reports)} clones: {sums} in {seconds:.0f} s; {options.out.name}/grade_class.csv, .json, .xml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
