// unbit/uwsgi, issue 110: workers that were killed stay zombies, since the master never waits for them.
// reaps one: no
#include "server.h"

static int listen_socket;

static pid_t start_worker(void) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection != -1) serve(client_connection);
    }
}

int main(void) {
    listen_socket = listen_on_port();
    for (int i = 0; i < 4; ++i) start_worker();
    while (!IS_MENDED) pause();
    while (wait(NULL) > 0) start_worker();
}
