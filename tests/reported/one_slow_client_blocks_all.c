// 1bit-MONSTER, issue 708: the accept loop serves each client itself, and one that says nothing keeps all others out.
// concurrent: no
#include "server.h"

static void *serve_in_thread(void *client_connection) {
    serve((int)(long)client_connection);
    return NULL;
}

int main(void) {
    const int listen_socket = listen_on_port();
    for (;;) {
        pthread_t thread;
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        void *const argument = (void *)(long)client_connection;
        if (!IS_MENDED) serve(client_connection);
        else if (pthread_create(&thread, NULL, serve_in_thread, argument) == 0) pthread_detach(thread);
        else close(client_connection);
    }
}
