/* Shared by the servers in this folder. Each has a fault that users of a real server have reported, made small; with
   MENDED defined it has not. The first line names the report (on GitHub), the second the row of diagnose that is no, and
   yes when the server is mended. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAYBE_UNUSED __attribute__((unused))
#ifdef MENDED
enum { IS_MENDED = 1 };
#else
enum { IS_MENDED = 0 };
#endif

static const char PAGE[] = "HTTP/1.1 200 OK\r\n\r\nHello, World!\n";

MAYBE_UNUSED static void die(const char *call) {
    perror(call);
    exit(1);
}

/* A socket that listens on 127.0.0.1, at the port that PORT names. `flags`: SOCK_CLOEXEC, SOCK_NONBLOCK. */
MAYBE_UNUSED static int listen_with(int flags, int reuse_address) {
    const char *port = getenv("PORT");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8888)};
    const int listen_socket = socket(AF_INET, SOCK_STREAM | flags, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listen_socket, SOL_SOCKET, SO_REUSEADDR, &reuse_address, sizeof reuse_address);
    if (bind(listen_socket, (struct sockaddr *)&address, sizeof address) == -1) die("bind");
    if (listen(listen_socket, 1024) == -1) die("listen");
    return listen_socket;
}

MAYBE_UNUSED static int listen_on_port(void) { return listen_with(0, 1); }

MAYBE_UNUSED static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}

MAYBE_UNUSED static void reap_all(int number) {
    const int saved_errno = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    errno = saved_errno;
}

/* Calls recv once. Returns 0 when the client has closed, -1 when it was reset, or a signal came. */
MAYBE_UNUSED static ssize_t receive(int client_connection) {
    char request[4096];
    return recv(client_connection, request, sizeof request, 0);
}

MAYBE_UNUSED static void answer(int client_connection) {
    send(client_connection, PAGE, sizeof PAGE - 1, MSG_NOSIGNAL);
}

/* Serves a client, and closes its connection. */
MAYBE_UNUSED static void serve(int client_connection) {
    if (receive(client_connection) > 0) answer(client_connection);
    close(client_connection);
}

/* Waits until a process sleeps (proc_pid_stat(5)). */
MAYBE_UNUSED static void wait_until_asleep(pid_t pid) {
    char path[64], state = 'R';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    while (state == 'R') {
        FILE *file = fopen(path, "r");
        if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1) return;
        fclose(file);
    }
}

/* One process for all clients: poll tells which of them can be served. `on_shortage` is called when accept fails for want
   of a descriptor; it may stop asking for clients until one has left. */
MAYBE_UNUSED static void serve_by_events(int listen_socket, void (*on_shortage)(struct pollfd *listening)) {
    enum { MOST_CLIENTS = 1000 };
    static struct pollfd events[MOST_CLIENTS];
    nfds_t count = 1;
    events[0] = (struct pollfd){listen_socket, POLLIN, 0};
    for (;;) {
        poll(events, count, -1);
        for (nfds_t i = 1; i < count; ++i) {
            if (events[i].revents == 0) continue;
            serve(events[i].fd);
            events[i--] = events[--count];
            events[0].events = POLLIN;
        }
        if (events[0].revents == 0) continue;
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection != -1) events[count++] = (struct pollfd){client_connection, POLLIN, 0};
        else if (errno == EMFILE) on_shortage(&events[0]);
    }
}

/* Forks a child for each client: it calls serve_client and exits. */
MAYBE_UNUSED static void fork_for_each_client(int listen_socket, void (*serve_client)(int)) {
    for (;;) {
        const int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (fork() == 0) {
            close(listen_socket);
            serve_client(client_connection);
            _exit(0);
        }
        close(client_connection);
    }
}
