// apache/thrift, pull request 208: a child that has served its client does not exit, but loops.
// child exits: no
#include "server.h"

static void serve_and_loop(int client_connection) {
    serve(client_connection);
    while (!IS_MENDED) continue;
}

int main(void) {
    handle(SIGCHLD, reap_all, SA_RESTART);
    fork_for_each_client(listen_on_port(), serve_and_loop);
}
