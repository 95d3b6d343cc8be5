"""What the exercises ask that diagnose does not: of the kernel itself, and of what a server has printed.

Each of PROBES takes the repository, the command that is checked and the student's file (None: the command is something
else), and returns for each row that it decides: an answer ("yes", "no", "not applicable"), its evidence, and the rule
behind a no.
"""

import codecs
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10  # seconds for what should happen
MOST_SAID = 1 << 20  # bytes of a server's output, or of its answer, that are looked at
REQUEST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


def until(condition):
    """Waits for a result that counts as true; whether it came."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return result


class DoesNotListen(Exception):
    """Nor would it if one waited for longer."""


class Server:
    """A server that was started and listens, with all that it starts, daemons too: `with` ends them. They are known by a
    variable in their environment."""

    def __init__(self, root, command):
        self.printed, self.complaints = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.mark = uuid.uuid4().hex
        settings = {"PORT": "0", "HOST": "127.0.0.1", "SLEEP": "0", "TIMEOUT": "600", "CHECKED_BY": self.mark}
        settings |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            command,
            cwd=root,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=self.printed,
            stderr=self.complaints,
            start_new_session=True,
        )
        found = until(self.find)
        if not found:
            self.__exit__()
            raise DoesNotListen
        self.pid, self.port = found

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
        self.complaints.close()

    def pids(self):
        """Who is of its making and has not exited: a zombie has no environment any more."""
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes():
                    yield int(entry.name)
            except OSError:
                continue

    def find(self):
        """Who listens, and on which port; nothing yet: None."""
        ports = {}  # by the inode of a listening socket
        for one in sockets():
            if one.state == LISTEN:
                ports[f"socket:[{one.inode}]"] = one.port
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
        return text_of_file(self.printed) + text_of_file(self.complaints)

    def status(self, field):
        """A line of /proc/PID/status; None when it has ended."""
        try:
            text = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        found = re.search(rf"^{field}:\s*(\w+)", text, re.MULTILINE)
        return found and found[1]


@dataclass
class TcpSocket:
    state: int
    port: int
    peer: int  # its port
    inode: int


LISTEN = 0x0A


def sockets():
    """All TCP sockets (proc_net(5))."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
            fields = line.split()
            port, peer = (int(fields[at].rpartition(":")[2], 16) for at in (1, 2))
            yield TcpSocket(int(fields[3], 16), port, peer, int(fields[9]))


def text_of_file(file):
    return os.pread(file.fileno(), MOST_SAID, 0).decode(errors="replace")


def hear(client):
    """What a client is told, and what comes then: the "end", a "reset", or "nothing" in time."""
    said, deadline = b"", time.monotonic() + PATIENCE
    try:
        while len(said) < MOST_SAID and time.monotonic() < deadline:
            data = client.recv(65536)
            if not data:
                return said, "end"
            said += data
    except TimeoutError:
        pass
    except OSError:
        return said, "reset"
    return said, "nothing"


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


def text_in(file):
    """A text as editors leave it, those of Windows too."""
    data = file.read_bytes()
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n")


def predictions(_root, _command, source):
    text = text_in(source)
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
            client.sendall(REQUEST)
            hear(client)
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


def printed_ends(root, command, _source):
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


def no_handler(root, command, _source):
    with Server(root, command) as server:
        caught = server.status("SigCgt") or "0"
    if int(caught, 16) >> (signal.SIGCHLD - 1) & 1:
        evidence = "SIGCHLD is among the signals that it catches (SigCgt in /proc/PID/status)"
        return {"no handler": ("no", evidence, "without a handler nobody has to look for who has exited")}
    return {"no handler": ("yes", "SIGCHLD is not among the signals that it catches", "")}


PROBES = {
    **dict.fromkeys(("backlog 0", "backlog 1", "backlog 5"), predictions),
    **dict.fromkeys(("local end", "peer end", "ephemeral port"), printed_ends),
    "no handler": no_handler,
}
