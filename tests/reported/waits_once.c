// AgentD/websrv, issue 1: the handler waits for one child, but one signal may stand for several.
// reaps many: no
#include "server.h"

static void reap(int number) {
    if (IS_MENDED) reap_all(number);
    else waitpid(-1, NULL, WNOHANG);
}

int main(void) {
    handle(SIGCHLD, reap, SA_RESTART);
    fork_for_each_client(listen_on_port(), serve);
}
