#!/usr/bin/env python3
"""measure.py COMMAND…: what the end of a child costs its parent while many other children are at work.

For 0, 1000 and 2000 silent clients, each of which keeps a child, 500 more are served: how many microseconds of processor
time the parent has used for each of these, its fork included. Who may not have so many processes is measured with fewer.
"""

import os
import resource
import socket
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "exercises"))

from kernel import DoesNotListen, Server, until  # noqa: E402

SERVED = 500
MOST = 2000  # silent clients
SPARE = 50  # processes that are left to whatever else this user does


def processor_time(pid):
    """Nanoseconds (schedstat, in proc(5))."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def possible():
    """How many silent clients there may be: root is exempt from the limit, which counts threads (RLIMIT_NPROC)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() == 0 or limit == resource.RLIM_INFINITY:
        return MOST
    running = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            running += len(list((entry / "task").iterdir())) if entry.stat().st_uid == os.geteuid() else 0
        except OSError:  # it has ended
            continue
    return min(MOST, max(0, limit - running - SPARE))


def children(pid):
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def serve(port):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while client.recv(1024):
            pass


def microseconds(command, silent):
    with Server(ROOT, command) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(silent)]
        if not until(lambda: children(server.pid) == silent):
            fate = server.death() if server.has_ended() else f"it has {children(server.pid)} children"
            raise SystemExit(f"{silent} silent clients are too many: {fate}")
        before = processor_time(server.pid)
        for _ in range(SERVED):
            serve(server.port)
        until(lambda: children(server.pid) == silent)
        after = processor_time(server.pid)
        for client in clients:
            client.close()
    return (after - before) // 1000 // SERVED


def main():
    if len(sys.argv) == 1:
        raise SystemExit("usage: measure.py COMMAND…, as in measure.py ./step_g")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    most = possible()
    if most < 100:
        raise SystemExit("this user may have too few processes: ulimit -u")
    for silent in (0, most // 2, most):
        until(lambda: possible() >= silent)  # those of the last server may not be gone yet
        print(f"{silent:>5} silent clients: {microseconds(sys.argv[1:], silent):>4} µs for each that is served", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (OSError, DoesNotListen) as error:
        sys.exit(f"{' '.join(sys.argv[1:])}: {str(error) or 'it does not listen'}")
