// ROCm/FastFlowLM, issue 680: a client that leaves early never gives back its place among those that are allowed.
// survives rude clients: no
#include "server.h"

enum { MOST_CLIENTS = 3 };

int main(void) {
    const int listen_socket = listen_on_port();
    int clients = 0;
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (clients < MOST_CLIENTS) {
            ++clients;
            const int has_asked = receive(client_connection) > 0;
            if (has_asked) answer(client_connection);
            if (has_asked || IS_MENDED) --clients;
        }
        close(client_connection);
    }
}
