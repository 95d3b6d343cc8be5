"""What the exercises ask that diagnose does not: of the kernel itself, and of what a server has printed.

Each of PROBES takes the repository, the command that is checked and the student's file (None: the command is something
else), and returns for each row that it decides: an answer ("yes", "no", "not applicable"), its evidence, and the rule
behind a no.
"""

import codecs
import os
import platform
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

# The numbers of those system calls that evidence names (syscalls(2)).
CALLS = {
    "x86_64": {0: "read", 34: "pause", 35: "nanosleep", 45: "recvfrom", 61: "wait4", 230: "clock_nanosleep", 247: "waitid"},
    "aarch64": {63: "read", 95: "waitid", 101: "nanosleep", 115: "clock_nanosleep", 207: "recvfrom", 260: "wait4"},
}

# Root is exempt from the limit of processes. Who is nobody is not, and may still go wherever root may (capabilities(7)).
CAPABILITIES = "-all,+dac_override,+net_bind_service"
AS_NOBODY = ["setpriv", "--reuid=65534", f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}"]


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

    def __init__(self, root, command, is_limited=False, timeout=600):
        self.printed, self.complaints = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.mark = uuid.uuid4().hex
        self.user = AS_NOBODY if is_limited and os.geteuid() == 0 else []
        settings = {"PORT": "0", "HOST": "127.0.0.1", "SLEEP": "0", "TIMEOUT": str(timeout), "CHECKED_BY": self.mark}
        settings |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [*self.user, *command],
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

    def has_ended(self):
        return self.status("State") in (None, "Z", "X")

    def death(self):
        """How it has ended, and its last words."""
        if self.pid == self.process.pid:
            code = self.process.wait()
            fate = f"it exited with {code}" if code >= 0 else f"it was killed by signal {-code} ({signal.strsignal(-code)})"
        else:
            fate = "it has ended"
        return ": ".join([fate, *text_of_file(self.complaints).splitlines()[-1:]])

    def asleep_in(self):
        """The system call that it is asleep in (proc_pid_syscall(5)), out of which a signal would wake it; or ""."""
        if self.status("State") != "S":
            return ""
        try:
            number = int(Path(f"/proc/{self.pid}/syscall").read_text().split()[0])
        except (OSError, ValueError):  # it runs
            return ""
        return CALLS.get(platform.machine(), {}).get(number, f"system call {number}") if number >= 0 else ""

    def waits_for_a_child(self):
        return self.asleep_in() in ("wait4", "waitid")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def hold(self):
        """A client that is silent, once it has been accepted and the server is at rest again."""
        client = self.connect()
        ends = self.port, client.getsockname()[1]

        def is_accepted():  # what waits in the queue has no inode yet
            return any((one.port, one.peer) == ends and one.state == ESTABLISHED and one.inode for one in sockets())

        until(lambda: self.has_ended() or is_accepted() and self.asleep_in())
        return client


@dataclass
class TcpSocket:
    state: int
    port: int
    peer: int  # its port
    inode: int


ESTABLISHED, LISTEN = 0x01, 0x0A


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


def asked(client):
    """Sends the request, and hears what comes."""
    try:
        client.sendall(REQUEST)
    except OSError:
        return b"", "reset"
    return hear(client)


def is_page(said):
    return re.match(rb"HTTP/1\.[01] 200 .*?\r?\n\r?\n.", said, re.DOTALL) is not None


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
    found = re.search(rf"^ *backlog +{backlog}\b *(.*?) *$", text, re.MULTILINE)
    prediction = re.fullmatch(r"[:：] *(\d+)", found[1]) if found else None
    if not prediction:
        if found and re.fullmatch(r"[:：]? *[?？]?", found[1]):
            return "no", "there is no number yet", ""
        return "no", f'wanted: "backlog {backlog}: NUMBER"' + (f', and there is "{found[0].strip()[:60]}"' if found else ""), ""
    number, actual = int(prediction[1]), connected(backlog)
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
        return "that is the other end" if address else "that is the port that the server was bound to"
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


# ---- exercises 6 and 8 -----------------------------------------------------------------------------


def catches_sigchld(root, command):
    """Whether it is among the signals that a server catches as long as it serves somebody; and this in words."""
    with Server(root, command) as server, server.hold():
        is_caught = bool(int(server.status("SigCgt") or "0", 16) >> (signal.SIGCHLD - 1) & 1)
    return is_caught, f"SIGCHLD is {'' if is_caught else 'not '}among the signals that it catches (SigCgt in /proc/PID/status)"


def handler(root, command, _source):
    is_caught, evidence = catches_sigchld(root, command)
    rule = "the task is to survive with a handler"
    return {"handler": ("yes", evidence, "") if is_caught else ("no", evidence, rule)}


def no_handler(root, command, _source):
    is_caught, evidence = catches_sigchld(root, command)
    rule = "without a handler nobody has to look for who has exited"
    return {"no handler": ("no", evidence, rule) if is_caught else ("yes", evidence, "")}


LOOP = """
    while (true) {
        net::Socket client_connection = listen_socket.accept();
        const pid_t pid = net::check("fork", fork());
        if (pid == 0) {  // child
            listen_socket.close();  // the child accepts nobody
            handle_request(client_connection);
            client_connection.close();
            _exit(0);
        } else {  // parent
            client_connection.close();  // the child has its own copy
        }
    }
"""


def code_in(text):
    """A program without its comments and blanks, and for each character the number of its line."""
    lines = [(number, "".join(line.partition("//")[0].split())) for number, line in enumerate(text.split("\n"), 1)]
    return "".join(code for _, code in lines), [number for number, code in lines for _ in code]


def accept_loop(_root, _command, source):
    """Whether the loop is still the one that was given: behaviour cannot show it."""
    if not source:
        return {"accept loop": ("not applicable", "seen only in the C++ program that was given", "")}
    text = text_in(source)
    code, numbers = code_in(text)
    given, _ = code_in(LOOP)
    begin = code.find(given[: given.index("{")])
    rule = "the task is to survive without touching the loop"
    if begin == -1:
        return {"accept loop": ("no", "the line while (true) is gone", rule)}
    for at, (expected, found) in enumerate(zip(given, code[begin:].ljust(len(given)))):
        if found != expected:
            number = (numbers + numbers[-1:])[min(begin + at, len(numbers))]
            line = text.split("\n")[number - 1].strip()
            return {"accept loop": ("no", f"line {number} is not as it was given: {line}", rule)}
    return {"accept loop": ("yes", "it is as it was given", "")}


# ---- exercise 9 ------------------------------------------------------------------------------------


def told(said, end):
    """Whether what a client has received is an error page: answer, evidence, rule."""
    head, _, page = said.replace(b"\r\n", b"\n").partition(b"\n\n")
    line = head.partition(b"\n")[0].decode(errors="replace")[:60]
    if not said:
        return "no", "the client that is too many was hung up on without a word", "503 is meant for it (RFC 9110, 15.6.4)"
    if not re.match(r"HTTP/1\.[01] 5\d\d\b", line):
        return "no", f'the client that is too many was told "{line}"', "that is no error of a server: its status is 5xx"
    if not page:
        return "no", f'the client that is too many was told "{line}", and no page came', "a head, an empty line, a page"
    if end == "reset":
        return "no", f'it was told "{line}", but by a connection that was reset', "close resets when there are unread bytes"
    if end == "nothing":
        return "no", f'it was told "{line}", but not the end', "a connection ends when its last descriptor is closed"
    return "yes", f'the client that is too many was told "{line}", and a page', ""


def error_page(root, command, _source):
    """What a client receives for whom no process is to be had: it has sent its request when it is accepted."""
    with Server(root, command, is_limited=True) as server, server.hold():
        if server.has_ended():
            return {"error page": ("no", f"with one client, {server.death()}", "")}
        subprocess.run([*server.user, "prlimit", "--nproc=0:", f"--pid={server.pid}"], check=True)
        os.kill(server.pid, signal.SIGSTOP)
        until(lambda: server.status("State") == "T")
        with server.connect() as client:
            client.sendall(REQUEST)
            os.kill(server.pid, signal.SIGCONT)
            said, end = hear(client)
        until(lambda: server.has_ended() or server.asleep_in())
        if server.has_ended():
            rule = "fork fails when there are too many (EAGAIN)"
            return {"error page": ("no", f"when no process was to be had, {server.death()}", rule)}
        if not said and end == "nothing":
            evidence = f"the client that is too many gets no answer: the server is asleep in {server.asleep_in()}"
            return {"error page": ("no", evidence, "while it waits there it accepts nobody, and lets all wait")}
    return {"error page": told(said, end)}


# ---- exercise 11 -----------------------------------------------------------------------------------


def goes_before(server, children):
    """Whether the server ends although a client is being served, when one of its children has gone. Where it is blocked
    until a child exits, the kernel says that it does not. Where it is not, nothing but time can tell whether it looks for
    its children or only sleeps: longer than diagnose believes in a sleep."""

    def has_come_to_wait():
        return any(not Path(f"/proc/{pid}").exists() for pid in children) and server.waits_for_a_child()

    until(lambda: server.has_ended() or has_come_to_wait())
    return server.has_ended()


def seen_off(server):
    """What becomes of two clients that are served when SIGTERM comes."""
    starters = set(server.pids())
    rule = "it ends when the last child has: not after a time, nor when one of them has"
    with server.hold() as first, server.hold() as second:
        children = set(server.pids()) - starters
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: server.has_ended() or server.asleep_in())
        if server.has_ended():
            return "no", f"while two clients were being served, {server.death()}", rule
        if not is_page(asked(first)[0]):
            return "no", "the first of two clients that were being served got no page", rule
        if goes_before(server, children):
            return "no", f"while the second of two clients was being served, {server.death()}", rule
        if not is_page(asked(second)[0]):
            return "no", "the second of two clients that were being served got no page", rule
        if not until(server.has_ended):
            return "no", "two clients that were being served are done, and it goes on", rule
        return "yes", "it ended when both of two clients had their page", ""


def waits_for_all(root, command, _source):
    with Server(root, command) as server:
        return {"waits for all": seen_off(server)}


# ---- exercise 12 -----------------------------------------------------------------------------------

HEAD_TIME = 0.3  # seconds: the TIMEOUT of a server whose client is slow
BYTE_TIME = 0.02  # seconds between two bytes


def drip(server):
    """Sends a head that does not end, a byte at a time. Returns for how long, the longest pause between two of
    them (seconds), and whether the server bears it: for ten times its TIMEOUT."""
    begin = last = time.monotonic()  # not after the server's clock, which runs when it has accepted
    with server.connect() as client:
        client.settimeout(BYTE_TIME)
        pause, head, is_held = 0, b"GET /hello HTTP/1.1\r\nSlow: ", True
        while is_held and last - begin < 10 * HEAD_TIME:
            try:
                client.sendall(head)
                head = b"x"
                pause, last = max(pause, time.monotonic() - last), time.monotonic()
                is_held = client.recv(65536) != b""
            except TimeoutError:
                pass
            except OSError:  # a reset
                is_held = False
        now = time.monotonic()
        return now - begin, max(pause, now - last), is_held


def drops_the_slow(root, command, _source):
    rule = "the time is for the whole head, and each recv may have what is left of it"
    for _ in range(5):
        with Server(root, command, timeout=HEAD_TIME) as server:
            taken, pause, is_held = drip(server)
        what = f"{taken:.1f} s, with TIMEOUT={HEAD_TIME}"
        if is_held:
            return {"drops the slow": ("no", "after ten times its TIMEOUT it still waits for a client that sends a byte at a time", rule)}
        if taken < HEAD_TIME:
            return {"drops the slow": ("no", f"a client that sends a byte at a time was let go after {what}", rule)}
        if pause < HEAD_TIME:
            return {"drops the slow": ("yes", f"a client that sends a byte at a time was let go after {what}", "")}
    evidence = f"this machine is too busy to send a byte every {HEAD_TIME} s"  # else a pause may have been the reason
    return {"drops the slow": ("undecided", evidence, "")}


PROBES = {
    **dict.fromkeys(("backlog 0", "backlog 1", "backlog 5"), predictions),
    **dict.fromkeys(("local end", "peer end", "ephemeral port"), printed_ends),
    "accept loop": accept_loop,
    "handler": handler,
    "no handler": no_handler,
    "error page": error_page,
    "waits for all": waits_for_all,
    "drops the slow": drops_the_slow,
}
