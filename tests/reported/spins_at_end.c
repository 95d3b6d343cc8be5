// tpm2-software/tpm2-tss, pull request 287: recv returns 0 when a client has closed, and is called again, for ever.
// survives rude clients: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_on_port();
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        ssize_t size = -1;
        if (client_connection == -1) continue;
        do size = receive(client_connection);
        while (size == 0 && !IS_MENDED);
        if (size > 0) answer(client_connection);
        close(client_connection);
    }
}
