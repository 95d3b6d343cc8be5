#!/usr/bin/env python3
"""Types the commands of the pages as a reader would, and compares their output with what the pages show.

    run.py [PAGE…]     all English pages, when none is named; check.py sees that the Chinese ones have the same blocks

A page is typed into bash in pseudo terminals, one for each terminal that it names. The next line is typed when all
processes are idle. A block is done when all its output is there. A block without a command shows what else its terminal
has printed. A command that is followed by another one in its terminal must have ended by itself, and have printed
exactly what the page says. A command that is followed by a line `^C`, typed as Ctrl-C, must not have ended. A line `…`
leaves lines out. A diff is applied to the sources, and the page goes on in new terminals. It holds until the next diff
or the end.

Each page has a copy of the repository and namespaces of its own (unshare(1)). Port 8888 is free, and ps shows only the
processes that the page has started. At the end, none of them is left. Root becomes nobody first, since limits do not
bind it.
"""

import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pexpect

from page import Page, all_pages

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/
import edits  # noqa: E402

PATIENCE = 180  # seconds for a line that is expected
PROMPT = "<prompt>"
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]


class Unexpected(Exception):
    """Something has not happened as the page says."""


def squeezed(line):
    """The line without erased text (EL, `\\r\\x1b[K`) and the terminal's control sequences, and with single spaces:
    columns are as wide as their contents."""
    line = line.rpartition("\r\x1b[K")[2]
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).split())


def without_niceness(line):
    """The line without the N or < that ps adds to a process's state (`SN+`) to show niceness. All processes here have
    inherited our niceness. A user may not lower it (setpriority(2)), so it cannot be undone. At niceness 0 the line
    stays as it is: a server that changes its own niceness is seen."""
    if os.getpriority(os.PRIO_PROCESS, 0) == 0:
        return line
    return re.sub(r"(?<!\S)([DIRSTtZ])[N<](L?s?l?\+?)(?!\S)", r"\1\2", line)


def login_environment(home):
    """The environment of a reader's login shell. Our own variables may be set for another server or another make, so
    they are left out. Those that the programs in the copy were built with stay: otherwise make would build them all
    again."""
    kept = ("PATH", "CC", "CXX", "CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS", "WERROR")
    ours = {name: os.environ[name] for name in kept if name in os.environ}
    user = {"HOME": str(home), "USER": "reader", "LOGNAME": "reader", "SHELL": "/bin/bash"}
    return ours | user | {"LANG": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"}


class Varying:
    """The declared words, and the text that each has stood for so far."""

    def __init__(self, words):
        self.words = sorted(words, key=len, reverse=True)
        self.found = {}
        self.finder = re.compile(r"(?<![\w])(" + "|".join(map(re.escape, self.words)) + r")(?![\w])") if words else None

    @staticmethod
    def any_other(word):
        """The pattern of the texts that a declared word can stand for."""
        return re.sub(rf"\b(?:{MONTHS})\b", f"(?:{MONTHS})", re.sub(r"\d+", r"\\d+", re.escape(word)))

    def matches(self, expected, actual):
        """Whether the lines are the same, apart from what varies. If so, remembers the text of each declared word."""
        if self.finder is None:
            return expected == actual
        pattern, names, last = "", {}, 0
        for hit in self.finder.finditer(expected):
            word = hit.group()
            pattern += re.escape(expected[last : hit.start()])
            if word in self.found:
                pattern += re.escape(self.found[word])
            elif word in names:
                pattern += f"(?P={names[word]})"
            else:
                names[word] = f"w{len(names)}"
                pattern += f"(?P<{names[word]}>" + self.any_other(word) + ")"
            last = hit.end()
        match = re.fullmatch(pattern + re.escape(expected[last:]), actual)
        if match:
            self.found.update({word: match[name] for word, name in names.items()})
        return match is not None


def processes():
    """All other processes of our namespace: their states and how often they have run (proc(5)).

    This process is the first one there, which inherits the orphans and has to reap them (pid_namespaces(7)).
    """
    seen = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                stat = (entry / "stat").read_text()
                state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
                if state == "Z" and int(parent) == os.getpid():
                    os.waitpid(int(entry.name), 0)
                else:
                    seen[int(entry.name)] = state, (entry / "schedstat").read_text()
            except OSError:
                pass
    return seen


def end_all():
    """Kills and reaps all other processes of our namespace."""
    while pids := processes():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def settle():
    """Waits until no process can run and none has run between two checks: then a command's effects are complete."""
    deadline = time.monotonic() + PATIENCE
    before = None
    while time.monotonic() < deadline:
        now = processes()
        if now == before and all(state in "SZT" for state, _ in now.values()):
            return
        before = now
        time.sleep(0.03)
    raise Unexpected(f"it does not come to rest: {before}")


def forget_ignored_signals():
    """Restores the default actions, as in a login shell. Python ignores SIGPIPE, a background process SIGINT, nohup
    SIGHUP."""
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """bash in a pseudo terminal."""

    def __init__(self, folder, number, varying):
        self.number = number
        self.varying = varying
        self.shell = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile", "--noediting"],
            cwd=folder,
            env=login_environment(folder) | {"PS1": PROMPT + "\n"},
            encoding="utf-8",
            echo=False,
            timeout=PATIENCE,
            dimensions=(50, 250),
            preexec_fn=forget_ignored_signals,
        )
        self.lines = []  # printed, and not yet compared
        self.past = []  # lines that were compared, for a message
        self.is_idle = False
        self.wait_for_prompt()

    def next_line(self, timeout=PATIENCE):
        """The next line that was printed, the prompt included; None when there is none in time."""
        if self.lines:
            return self.lines.pop(0)
        if self.shell.expect(["\r\n", pexpect.TIMEOUT], timeout=timeout) == 1:
            return None
        line = without_niceness(squeezed(self.shell.before))
        if line.endswith(PROMPT) and line != PROMPT:  # what was printed did not end with a newline
            self.lines.insert(0, PROMPT)
            line = line[: -len(PROMPT)]
        self.past.append(line)
        return line

    def fail(self, what):
        before = "\n".join("    " + line for line in self.past[-30:])
        raise Unexpected(f"{what}\n  terminal {self.number} has printed:\n{before}\n    {self.shell.before!r}")

    def wait_for_prompt(self):
        """Waits for the end of the command. Blank lines may be left over, nothing else."""
        while not self.is_idle:
            line = self.next_line()
            if line == PROMPT:
                self.is_idle = True
            elif line is None:
                self.fail("the command does not end")
            elif line and line != "^C":
                self.fail(f"the page does not say: {line}")

    def type(self, command):
        self.wait_for_prompt()
        self.shell.sendline(command)
        self.is_idle = False

    def interrupt(self):
        self.rest("there is nothing that Ctrl-C could end: the command has ended by itself")
        self.shell.sendintr()

    def finish(self):
        """Fails when the last command has ended with more output than the page says. A server may still run."""
        settle()
        more = []
        while not self.is_idle and (line := self.next_line(0)) is not None:
            if line == PROMPT:
                self.is_idle = True
            elif line and line != "^C":
                more.append(line)
        if self.is_idle and more:
            self.fail(f"the page does not say: {more[0]}")

    def expect(self, wanted, leaving_out):
        """Waits for this line. Lines before it are allowed only when the page leaves lines out."""
        while True:
            line = self.next_line()
            if line is None or (line == PROMPT and not wanted == PROMPT):
                self.fail(f"expected: {wanted}" + (" (the command has ended)" if line else ""))
            if self.varying.matches(wanted, line):
                return
            if line and line != "^C" and not leaving_out:
                self.fail(f"expected: {wanted}\n  but here is: {line}")

    def rest(self, fault=None):
        """Waits until nothing more happens, and skips what was printed. Fails with `fault`, if one is given, when the
        command has ended by then."""
        settle()
        while (line := self.next_line(0)) is not None:
            if line == PROMPT:
                self.is_idle = True
        if self.is_idle and fault:
            self.fail(fault)


def type_block(terminal, block):
    leaving_out = False
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if leaving_out:
                terminal.rest()
            settle()
            terminal.type(line[2:])
            leaving_out = False
        elif line == "^C":
            terminal.interrupt()
            leaving_out = False
        elif line == "…":
            leaving_out = True
        elif wanted := squeezed(line):
            terminal.expect(wanted, leaving_out)
            leaving_out = False
    if leaving_out:
        terminal.rest()


def finish(terminals):
    for terminal in terminals.values():
        terminal.finish()


def apply(diff, folder, page_folder):
    """Replaces the lines with a minus by those with a plus, in the one source of the page's folder, or of net, that has
    them. Lines that begin with a space stay as they are, and show where the others are."""
    files = sorted((folder / page_folder).glob("*.cpp")) + sorted((folder / "net").glob("*.hpp"))
    edit = edits.edit_of_diff(diff)
    texts = {file: file.read_text(encoding="utf-8").splitlines() for file in files}
    having = [file for file, lines in texts.items() if edits.places_of(edit.removed, lines)]
    if len(having) != 1:
        raise Unexpected(f"these lines are in {len(having)} sources:\n{diff}")
    (file,) = having
    try:
        edits.replace(texts[file], edit)
    except edits.NotOnce as fault:
        raise Unexpected(f"{file.name}: {fault}:\n{diff}") from None
    file.write_text("\n".join(texts[file]) + "\n", encoding="utf-8")


def copy_of_repository(folder):
    """Copies the sources, the programs, and build/ without the large files that only the tests need."""
    anywhere = shutil.ignore_patterns(".git", "__pycache__")
    in_build = shutil.ignore_patterns("logs.*", "lint.*", "tests*", "run_*", "fuzz*", "mermaid*", "sanitized")

    def ignore(directory, names):
        return (in_build if Path(directory) == ROOT / "build" else anywhere)(directory, names)

    shutil.copytree(ROOT, folder, ignore=ignore, symlinks=True)


def run_page(page, folder):
    terminals = {}
    varying = Varying(page.varying)

    for block in page.blocks:
        try:
            if block.kind == "diff":
                finish(terminals)
                end_all()
                terminals.clear()
                for source in [*ROOT.glob("*/*.cpp"), *ROOT.glob("net/*.hpp")]:
                    there = folder / source.relative_to(ROOT)
                    if there.read_bytes() != source.read_bytes():
                        shutil.copyfile(source, there)
                apply(block.text, folder, page.path.parent)
            elif block.kind == "console":
                if block.terminal not in terminals:
                    terminals[block.terminal] = Terminal(folder, block.terminal, varying)
                type_block(terminals[block.terminal], block)
            if block is page.blocks[-1]:
                finish(terminals)
        except Unexpected as what:
            raise Unexpected(f"{page.at(block)}: {what}") from None


def raise_loopback():
    """Brings the loopback interface up: in a new network namespace it is down (netdevice(7), SIOCSIFFLAGS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))


def become_user():
    """Changes from root of these namespaces to user 1000 of one more. Then limits are shown as a reader sees them
    (user_namespaces(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) == -1:  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), "unshare")
    for file, text in ("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1"):
        Path("/proc/self", file).write_text(text)


def inside(name):
    """Types one page. Runs in the namespaces."""
    raise_loopback()
    become_user()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        copy_of_repository(copy)
        try:
            run_page(Page(ROOT, Path(name)), copy)
        except Unexpected as what:
            print(what)
            return 1
    return 0


def start(page, root, output):
    """Starts the process that types this page in the copy in `root`. It writes to `output`, and is killed when we
    exit."""
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []

    def die_with_parent():
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL

    script = root / Path(__file__).resolve().relative_to(ROOT)
    command = [*become, *unshare, sys.executable, str(script), "--inside", str(page.path)]
    return subprocess.Popen(command, preexec_fn=die_with_parent, stdout=output, stderr=subprocess.STDOUT)


def type_all(pages, root):
    """Types the pages, two at once for each processor: they wait for sleeping servers as much as for the compiler.
    Begins with the longest pages. Returns how many failed."""
    failed = 0
    waiting = sorted(pages, key=lambda page: len(page.blocks))
    running = {}
    while waiting or running:
        while waiting and len(running) < 2 * (os.cpu_count() or 1):
            page, output = waiting.pop(), tempfile.TemporaryFile(mode="w+")
            process = start(page, root, output)
            running[process.pid] = process, page, output, time.monotonic()
        pid, status = os.wait()
        process, page, output, begin = running.pop(pid)
        process.returncode = os.waitstatus_to_exitcode(status)  # otherwise Popen would wait for it, too
        blocks = sum(block.kind == "console" for block in page.blocks)
        verdict = "not as written" if status else f"{blocks} blocks as written"
        print(f"{page.path}: {verdict}, {time.monotonic() - begin:.1f} s", flush=True)
        with output:
            if status:
                failed += 1
                output.seek(0)
                print(output.read(), end="")
    return failed


def main():
    if sys.argv[1:2] == ["--inside"]:
        return inside(sys.argv[2])
    pages = [Page(ROOT, Path(name)) for name in sys.argv[1:]] or [
        page for page in all_pages(ROOT) if not page.path.name.endswith(".zh-CN.md")
    ]
    pages = [page for page in pages if any(block.kind == "console" for block in page.blocks)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"  # the user nobody can read it, even if ours is private
        copy_of_repository(copy)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        failed = type_all(pages, copy)
    print(f"pages: {len(pages) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
