// indilib/indi, pull request 119: SIGCHLD is ignored, in the child too: system() cannot see how its command ended.
// answers: no
#include "server.h"

static void serve_by_command(int client_connection) {
    static const char FAILED[] = "HTTP/1.1 500 Internal Server Error\r\n\r\nthe command has failed\n";
    if (IS_MENDED) signal(SIGCHLD, SIG_DFL);
    if (receive(client_connection) > 0) {
        if (system("true") == 0) answer(client_connection);
        else send(client_connection, FAILED, sizeof FAILED - 1, MSG_NOSIGNAL);
    }
    close(client_connection);
}

int main(void) {
    signal(SIGCHLD, SIG_IGN);
    fork_for_each_client(listen_on_port(), serve_by_command);
}
