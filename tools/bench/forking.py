"""A server with a child for each client, from Python's standard library: socketserver.ForkingTCPServer."""

import os
import socketserver


class Hello(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1024)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\nHello, World!\n")


class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 1024


with Server(("127.0.0.1", int(os.environ.get("PORT", 8888))), Hello) as server:
    server.serve_forever()
