// tio, issue 257: bind without SO_REUSEADDR fails as long as an old connection keeps the port.
// restarts at once: no
#include "server.h"

int main(void) {
    const int listen_socket = listen_with(0, IS_MENDED);
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection != -1) serve(client_connection);
    }
}
