// yhirose/cpp-httplib, issue 77: a write to a client that has left raises SIGPIPE, which ends the server.
// survives rude clients: no
#include "server.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

/* Waits until the client has received all that was sent, or its connection is broken. */
static void wait_until_received(int client_connection) {
    struct pollfd broken = {client_connection, 0, 0};
    int left = 0;
    while (ioctl(client_connection, SIOCOUTQ, &left) == 0 && left > 0 && poll(&broken, 1, 1) == 0) continue;
}

int main(void) {
    const int listen_socket = listen_on_port();
    if (IS_MENDED) signal(SIGPIPE, SIG_IGN);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        receive(client_connection);
        if (write(client_connection, PAGE, sizeof PAGE - 1) > 0) {
            wait_until_received(client_connection);  // before it computes the rest
            if (write(client_connection, "\n", 1) == -1) perror("write");
        }
        close(client_connection);
    }
}
