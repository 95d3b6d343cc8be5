// dlundquist/sniproxy, issue 53: when the first piece of a request has no Host yet, it is answered as a bad request.
// slow request: no
#include "server.h"

static void serve_host(int client_connection) {
    static const char BAD[] = "HTTP/1.1 400 Bad Request\r\n\r\nno host\n";
    char request[4096] = "";
    size_t size = 0;
    ssize_t more = 0;
    do {
        more = recv(client_connection, request + size, sizeof request - 1 - size, 0);
        if (more > 0) request[size += (size_t)more] = '\0';
    } while (IS_MENDED && more > 0 && strstr(request, "\r\n\r\n") == NULL);
    if (strstr(request, "\nHost:") != NULL) answer(client_connection);
    else if (size > 0) send(client_connection, BAD, sizeof BAD - 1, MSG_NOSIGNAL);
    shutdown(client_connection, SHUT_WR);
    while (receive(client_connection) > 0) continue;
    close(client_connection);
}

int main(void) {
    handle(SIGCHLD, reap_all, SA_RESTART);
    fork_for_each_client(listen_on_port(), serve_host);
}
