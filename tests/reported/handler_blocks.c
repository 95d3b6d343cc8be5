// ysbaddaden/prax.cr, issue 82: the handler calls waitpid without WNOHANG, and blocks until all children have exited.
// survives SIGCHLD: no
#include "server.h"

static void reap(int number) {
    (void)number;
    while (waitpid(-1, NULL, IS_MENDED ? WNOHANG : 0) > 0) continue;
}

int main(void) {
    handle(SIGCHLD, reap, SA_RESTART);
    fork_for_each_client(listen_on_port(), serve);
}
