// yesodweb/wai, issue 830: accept fails for want of a descriptor (EMFILE), and the server exits.
// descriptor limit: no
#include "server.h"

static void on_shortage(struct pollfd *listening) {
    if (IS_MENDED) listening->events = 0;  // until a client has left
    else die("accept");
}

int main(void) { serve_by_events(listen_with(SOCK_NONBLOCK, 1), on_shortage); }
