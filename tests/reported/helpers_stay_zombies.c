// pgexporter, issue 425: a helper is started now and then, and never waited for: zombies pile up, without any client.
// reaps one: no
#include "server.h"

static int listen_socket;

static void *start_helpers(void *nothing) {
    (void)nothing;
    for (;;) {
        if (fork() == 0) _exit(0);  // it collects some figures
        usleep(100000);
    }
}

int main(void) {
    pthread_t thread;
    listen_socket = listen_on_port();
    if (IS_MENDED) handle(SIGCHLD, reap_all, SA_RESTART);
    if (pthread_create(&thread, NULL, start_helpers, NULL) != 0) return 1;
    fork_for_each_client(listen_socket, serve);
}
