"""Runs a command that students can influence, where it can change nothing except a folder of its own.

With bubblewrap (bwrap(1)) the command gets namespaces of its own. It sees the system's programs and the folder `tree`,
all of it read-only, no process but its own, and no network but loopback. It runs as a user without any rights: as root
we choose a user that runs nothing else. The command's first process is the first of its process namespace. When it
exits or is killed, the kernel kills all others there (pid_namespaces(7)).
"""

import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"]
SYSTEM += [f"/etc/{name}" for name in ["alternatives", "hosts", "ld.so.cache", "localtime", "nsswitch.conf"]]
FIRST_USER = 64000  # from the range that systemd gives to temporary users
MOST_USERS = 64
MOST_PROCESSES = 300
MEBIBYTE = 1 << 20
MOST_MEMORY_OF_ONE = 1024 * MEBIBYTE  # address space of each process
MOST_MEMORY = 1024 * MEBIBYTE  # of all processes of a command together
MOST_FILE = 64 * MEBIBYTE
MOST_OUTPUT = 1 * MEBIBYTE  # the part of it that is read
IS_ROOT = os.geteuid() == 0


@dataclass
class Ended:
    status: int
    out: str
    err: str
    fault: str = ""  # why we have killed it

    def __str__(self):
        return self.fault or f"it ended with status {self.status}"


def processes():
    """Of all processes that we see: the pid, the parent's pid, and the resident memory in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path("/proc", entry, "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has ended
            continue
        yield int(entry), int(fields[1]), int(fields[21]) * page


def memory_below(ancestor):
    parents, memory = {}, {}
    for pid, parent, resident in processes():
        parents[pid], memory[pid] = parent, resident
    below = {ancestor}
    while grown := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= grown
    return sum(memory.get(pid, 0) for pid in below)


def unused_users():
    in_use = set()
    for pid, _, _ in processes():
        try:
            in_use.add(Path("/proc", str(pid)).stat().st_uid)
        except OSError:
            pass
    return [user for user in range(FIRST_USER, FIRST_USER + MOST_USERS) if user not in in_use]


class Sandbox:
    def __init__(self, is_isolated=True):
        self.is_isolated = is_isolated
        self.stop = threading.Event()  # ends every command that runs
        self.users = queue.SimpleQueue()
        for user in unused_users() if IS_ROOT else [os.geteuid()] * MOST_USERS:
            self.users.put(user)

    def obstacle(self):
        """Why there is no sandbox here; empty when there is one."""
        if not self.is_isolated:
            return ""
        if not shutil.which("bwrap"):
            return "bubblewrap is missing (make deps)"
        with tempfile.TemporaryDirectory() as tree:
            os.chmod(tree, 0o755)
            # diagnose gives a server a user namespace: otherwise the server, of the same user, could trace diagnose.
            ended = self.run(tree, ["unshare", "--user", "true"], 10)
        return "" if ended.status == 0 else f"this system refuses it: {(ended.err or str(ended)).strip()}"

    def run(self, tree, command, seconds, writable=None):
        """Runs `command` in the folder `tree`; `writable` is a folder in it. Returns when all its processes have
        ended."""
        user = self.users.get()
        try:
            if writable and IS_ROOT:
                os.chown(Path(tree, writable), user, user)
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                process = subprocess.Popen(
                    self.full_command(tree, command, seconds, writable, user),
                    cwd="/" if self.is_isolated else tree,
                    env={"PATH": os.environ["PATH"], "BUILD": "build", "LC_ALL": "C.UTF-8", "HOME": "/tmp"},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,  # Ctrl-C reaches only us
                )
                fault = self.watch(process, seconds, user)
                texts = [(file.seek(0), file.read(MOST_OUTPUT).decode(errors="replace"))[1] for file in (out, err)]
            return Ended(process.returncode, *texts, fault)
        finally:
            self.users.put(user)

    def full_command(self, tree, command, seconds, writable, user):
        limits = [f"--as={MOST_MEMORY_OF_ONE}", f"--fsize={MOST_FILE}", f"--cpu={seconds}", "--core=0", "--nofile=1024"]
        if self.is_isolated or IS_ROOT:  # otherwise all processes of our user count
            limits.append(f"--nproc={MOST_PROCESSES}")
        inner = ["prlimit", *limits]
        if IS_ROOT:
            inner += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
            inner += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        inner += command
        if not self.is_isolated:
            return inner
        outer = ["bwrap", "--die-with-parent", "--as-pid-1", "--new-session", *([] if IS_ROOT else ["--unshare-user"])]
        outer += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--proc", "/proc", "--dev", "/dev"]
        for path in SYSTEM:
            outer += ["--ro-bind-try", path, path]
        outer += ["--perms", "1777", "--size", str(MOST_FILE), "--tmpfs", "/tmp", "--ro-bind", str(tree), "/grade"]
        if writable:
            outer += ["--bind", str(Path(tree, writable)), f"/grade/{writable}"]
        return [*outer, "--remount-ro", "/", "--chdir", "/grade", "--", *inner]

    def watch(self, process, seconds, user):
        deadline = time.monotonic() + seconds
        fault = ""
        while not fault:
            try:
                process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                pass
            if self.stop.is_set():
                fault = "interrupted"
            elif time.monotonic() > deadline:
                fault = f"it was ended after {seconds} s"
            elif memory_below(process.pid) > MOST_MEMORY:
                fault = f"it was ended: it took more than {MOST_MEMORY // MEBIBYTE} MiB of memory"
        self.end(process, user)
        return fault

    def end(self, process, user):
        """Kills the command. bwrap exits after its child, the first process of the namespace, which exits last."""
        if not self.is_isolated and IS_ROOT:  # all processes of this user, in any session
            kill_all = ["setpriv", f"--reuid={user}", "--clear-groups", "sh", "-c", "kill -KILL -1"]
            subprocess.run(kill_all, stderr=subprocess.DEVNULL, check=False)
        while process.poll() is None:
            first = [pid for pid, parent, _ in processes() if parent == process.pid] if self.is_isolated else []
            for pid in first or [process.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                pass
