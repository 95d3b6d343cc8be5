// oven-sh/bun, pull request 32705: accept fails for want of a descriptor (EMFILE), and poll reports the client again.
// descriptor limit: no
#include "server.h"

static void on_shortage(struct pollfd *listening) {
    if (IS_MENDED) listening->events = 0;  // until a client has left
}

int main(void) { serve_by_events(listen_with(SOCK_NONBLOCK, 1), on_shortage); }
