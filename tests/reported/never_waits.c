// fekberg/GoHttp, pull request 12: a child for each client, and the parent waits for none.
// reaps one: no
#include "server.h"

int main(void) {
    if (IS_MENDED) handle(SIGCHLD, reap_all, SA_RESTART);
    fork_for_each_client(listen_on_port(), serve);
}
