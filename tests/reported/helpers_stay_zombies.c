// pgexporter, issue 425: a helper is started now and then, and never waited for: zombies pile up, without any client.
// reaps one: no
#include "server.h"

#include <stdint.h>
#include <sys/timerfd.h>

static int listen_socket;

static void *start_helpers(void *nothing) {
    const struct itimerspec ten_a_second = {{0, 100000000}, {0, 100000000}};
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t expirations;
    (void)nothing;
    timerfd_settime(timer, 0, &ten_a_second, NULL);
    while (read(timer, &expirations, sizeof expirations) != 0) {
        if (fork() == 0) _exit(0);  // it collects some figures
    }
    return NULL;
}

int main(void) {
    pthread_t thread;
    listen_socket = listen_on_port();
    if (IS_MENDED) handle(SIGCHLD, reap_all, SA_RESTART);
    if (pthread_create(&thread, NULL, start_helpers, NULL) != 0) return 1;
    fork_for_each_client(listen_socket, serve);
}
