/* The least that a server with a child for each client can do: accept, fork, receive, send, exit. It checks nothing but
   what would leave it without a socket, prints nothing, and ignores its children.
     floor iterative   does not even fork: one client after the other
     floor WORD...     does this of what step_g does as well: reap, close, print, poll, allocate */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nHello, World!\n";
static int reaps, closes, prints, polls, allocates, is_iterative;

static void handle_request(int client_connection) {
    char on_stack[1024];
    char *request = allocates ? calloc(1, sizeof on_stack) : on_stack;
    ssize_t size = recv(client_connection, request, sizeof on_stack, 0);
    if (size > 0) {
        if (prints && write(STDOUT_FILENO, request, (size_t)size) == -1) return;
        send(client_connection, answer, sizeof answer - 1, MSG_NOSIGNAL);
    }
    if (polls) {
        struct timespec now;
        struct pollfd more = {client_connection, POLLIN, 0};
        clock_gettime(CLOCK_MONOTONIC, &now);
        poll(&more, 1, 0);
    }
    if (allocates) free(request);
}

static void reap(int number) {
    const int saved_errno = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    errno = saved_errno;
}

static void handle_sigchld(void) {
    struct sigaction action = {0};
    action.sa_handler = reaps ? reap : SIG_IGN; /* ignored: no zombies */
    action.sa_flags = SA_NOCLDSTOP; /* not SA_RESTART: accept is interrupted (EINTR) */
    sigaction(SIGCHLD, &action, NULL);
}

static void take_words(char *words[]) {
    for (; *words; words++) {
        if (strcmp(*words, "iterative") == 0) is_iterative = 1;
        else if (strcmp(*words, "reap") == 0) reaps = 1;
        else if (strcmp(*words, "close") == 0) closes = 1;
        else if (strcmp(*words, "print") == 0) prints = 1;
        else if (strcmp(*words, "poll") == 0) polls = 1;
        else if (strcmp(*words, "allocate") == 0) allocates = 1;
        else fprintf(stderr, "floor: what is %s?\n", *words), exit(2);
    }
}

int main(int argc, char *argv[]) {
    const char *port = getenv("PORT");
    struct sockaddr_in address = {0};
    const int on = 1;
    int listen_socket = socket(AF_INET, SOCK_STREAM, 0);
    if (argc > 1) take_words(argv + 1);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)atoi(port ? port : "8888"));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listen_socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listen_socket, (struct sockaddr *)&address, sizeof address) == -1 || listen(listen_socket, 1024) == -1) {
        perror("floor");
        return 1;
    }
    handle_sigchld();
    while (1) {
        int client_connection = accept(listen_socket, NULL, NULL);
        if (client_connection == -1) continue;
        if (is_iterative) {
            handle_request(client_connection);
        } else if (fork() == 0) {
            if (closes) close(listen_socket);
            handle_request(client_connection);
            _exit(0);
        }
        close(client_connection);
    }
}
