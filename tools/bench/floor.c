/* The least that a server with a child for each client can do: accept, fork, receive, send, exit. It checks nothing but
   what would leave it without a socket, prints nothing, and ignores its children. With an argument it does not even
   fork: one client after the other. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nHello, World!\n";

static void handle_request(int client_connection) {
    char request[1024];
    if (recv(client_connection, request, sizeof request, 0) > 0) {
        send(client_connection, answer, sizeof answer - 1, MSG_NOSIGNAL);
    }
}

int main(int argc, char *argv[]) {
    const char *port = getenv("PORT");
    struct sockaddr_in address = {0};
    const int on = 1;
    int listen_socket = socket(AF_INET, SOCK_STREAM, 0);
    (void)argv;
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)atoi(port ? port : "8888"));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listen_socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listen_socket, (struct sockaddr *)&address, sizeof address) == -1 || listen(listen_socket, 1024) == -1) {
        perror("floor");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN); /* no zombies */
    while (1) {
        int client_connection = accept(listen_socket, NULL, NULL);
        if (argc > 1) {
            handle_request(client_connection);
        } else if (fork() == 0) {
            handle_request(client_connection);
            _exit(0);
        }
        close(client_connection);
    }
}
