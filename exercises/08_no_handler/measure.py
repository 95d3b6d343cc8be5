#!/usr/bin/env python3
"""measure.py [COMMAND…]: what the end of a child costs its parent while many other children are at work.

For 0, 1000 and 2000 silent clients, each of which keeps a child, 500 more are served: how many microseconds of processor
time the parent has used for each of these, its fork included.
"""

import resource
import socket
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "exercises"))

from kernel import Server, until  # noqa: E402

SERVED = 500


def processor_time(pid):
    """Nanoseconds (schedstat, in proc(5))."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


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
        until(lambda: children(server.pid) == silent)
        before = processor_time(server.pid)
        for _ in range(SERVED):
            serve(server.port)
        until(lambda: children(server.pid) == silent)
        after = processor_time(server.pid)
        for client in clients:
            client.close()
    return (after - before) // 1000 // SERVED


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    for silent in (0, 1000, 2000):
        print(f"{silent:>5} silent clients: {microseconds(sys.argv[1:], silent):>4} µs for each that is served", flush=True)


if __name__ == "__main__":
    main()
