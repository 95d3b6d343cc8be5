// troglobit/xplugd, issue 1: the handler is reset when it has run, as by System V's signal(): it runs once.
// reaps one: no
#include "server.h"

int main(void) {
    handle(SIGCHLD, reap_all, IS_MENDED ? SA_RESTART : (int)(SA_RESTART | SA_RESETHAND));
    fork_for_each_client(listen_on_port(), serve);
}
