"""What the exercises ask that diagnose does not: of the kernel itself, and of what a server has printed.

Each of PROBES takes the repository and the command that is checked, and returns for each row that it decides: an answer
("yes", "no"), its evidence, and the rule behind a no.
"""

import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 10  # seconds for what should happen


def until(condition):
    """Waits for a result that counts as true; whether it came."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return result


class Server:
    """A server that was started and listens, with all that it starts: a session of its own, ended by `with`."""

    def __init__(self, root, command):
        self.printed = tempfile.TemporaryFile()
        settings = {"PORT": "0", "HOST": "127.0.0.1", "SLEEP": "0", "TIMEOUT": "600", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, cwd=root, env=os.environ | settings, stdout=self.printed, stderr=self.printed, start_new_session=True
        )
        self.pid, self.port = until(self.find) or (None, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while pids := list(self.pids()):
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.poll()
            time.sleep(0.005)
        self.process.wait()
        self.printed.close()

    def pids(self):
        """Who is of its session (proc_pid_stat(5)) and has not exited."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    yield int(entry.name)

    def find(self):
        """Who listens, and on which port; nothing yet: None."""
        ports = {}  # by the inode of a listening socket (proc_net(5): state 0A)
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
                fields = line.split()
                if fields[3] == "0A":
                    ports[f"socket:[{fields[9]}]"] = int(fields[1].rpartition(":")[2], 16)
        for pid in sorted(self.pids()):
            try:
                links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
            except OSError:
                continue
            for link in links:
                if link in ports:
                    return pid, ports[link]
        return None

    def output(self):
        return os.pread(self.printed.fileno(), 1 << 20, 0).decode(errors="replace")


# ---- exercise 1 ------------------------------------------------------------------------------------


def connected(backlog):
    """How many clients of a socket that listens, and from which nobody accepts, get connected: until the kernel says that
    the queue is full, and leaves a client without an answer. TCP_INFO (linux/tcp.h) tells a client's state, and for a
    socket that listens the length of the queue and its limit."""
    established, count, clients = 1, 0, []
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        while True:
            client = socket.socket()
            clients.append(client)
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            is_connected = None
            while is_connected is None:
                queue, limit = struct.unpack_from("II", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)
                state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0]
                is_connected = True if state == established else False if queue > limit else None
            if not is_connected:
                for client in clients:
                    client.close()
                return count
            count += 1


def compared(text, backlog):
    """What is predicted for this backlog, beside what the kernel does."""
    found = re.search(rf"^backlog {backlog}: *(\d+) *$", text, re.MULTILINE)
    if not found:
        return "no", "there is no number yet", ""
    number, actual = int(found[1]), connected(backlog)
    if number == actual:
        return "yes", f"{actual} connect, and the next one gets no answer", ""
    if number < actual:
        return "no", f"{number} are predicted, but then the next one connects as well", "the kernel's queue is full later"
    return "no", f"{number} are predicted, but fewer connect", "who finds the queue full is not refused, but gets no answer"


def predictions(root, command):
    text = (root / command[0]).read_text(encoding="utf-8")
    return {f"backlog {backlog}": compared(text, backlog) for backlog in (0, 1, 5)}


# ---- exercise 2 ------------------------------------------------------------------------------------

ENDS = re.compile(r"^local (\S+) peer (\S+) ephemeral (\S+)$", re.MULTILINE)


def text_of(address):
    return f"{address[0]}:{address[1]}"


def ask(port, address):
    """Has a client at this address served, and returns the ends of its connection: the server's, and its own. One that the
    server refuses, or leaves alone, has them as well."""
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        client.bind((address, 0))
        own = client.getsockname()
        try:
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while client.recv(1024):
                pass
        except OSError:
            pass
        return ("127.0.0.1", port), own


def conversation(root, command):
    """Three clients, one after the other, from different addresses. For each: its own ends, and the line about them."""
    talks = []
    with Server(root, command) as server:
        for count in range(1, 4):
            ends = ask(server.port, f"127.0.0.{count}")
            lines = until(lambda: (found := ENDS.findall(server.output())) and len(found) >= count and found)
            talks.append((*ends, lines[count - 1] if lines else None))
            if not lines:
                break
    return talks


def fault(printed, own, other):
    """What is wrong with an end, or with a port, that was printed; None when it is right."""
    if printed == own:
        return None
    address, _, port = own.rpartition(":")
    swapped = str(socket.ntohs(int(port)))
    if printed == other:
        return "that is the other end"
    if printed.rpartition(":")[2] == swapped:
        return "the bytes of a port come in network order (ntohs)"
    if address and printed.rpartition(":")[0] == ".".join(reversed(address.split("."))):
        return "the bytes of an address come in network order, and inet_ntop expects them so"
    return "the kernel knows: getsockname(2), getpeername(2)"


def printed_ends(root, command):
    """Of three connections, the first that is printed wrongly; or the last."""
    answers = {}
    for local, peer, line in conversation(root, command):
        right = {"local end": (text_of(local), text_of(peer)), "peer end": (text_of(peer), text_of(local))}
        right["ephemeral port"] = (str(peer[1]), str(local[1]))
        for (name, (own, other)), word in zip(right.items(), line or (None, None, None)):
            if word is None:
                found = "no", f"no line about the connection from {text_of(peer)}", "each connection has a socket pair of its own"
            elif rule := fault(word, own, other):
                found = "no", f"{word} was printed, and the client's own socket says {own}", rule
            else:
                found = "yes", f"{word}, as the client's own socket says", ""
            if answers.get(name, ("yes",))[0] == "yes":
                answers[name] = found
    return answers


# ---- exercise 8 ------------------------------------------------------------------------------------


def no_handler(root, command):
    with Server(root, command) as server:
        caught = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{server.pid}/status").read_text(), re.MULTILINE)[1]
    if int(caught, 16) >> (signal.SIGCHLD - 1) & 1:
        evidence = "SIGCHLD is among the signals that it catches (SigCgt in /proc/PID/status)"
        return {"no handler": ("no", evidence, "without a handler nobody has to look for who has exited")}
    return {"no handler": ("yes", "SIGCHLD is not among the signals that it catches", "")}


PROBES = {
    **dict.fromkeys(("backlog 0", "backlog 1", "backlog 5"), predictions),
    **dict.fromkeys(("local end", "peer end", "ephemeral port"), printed_ends),
    "no handler": no_handler,
}
