// gd-arnold/tiny-nginx, issue 3: a client that sends nothing is waited for, for ever.
// drops silent clients: no
#include "server.h"

static void serve_in_time(int client_connection) {
    const double seconds = atof(getenv("TIMEOUT") ? getenv("TIMEOUT") : "10");
    const struct timeval timeout = {(time_t)seconds, (suseconds_t)((seconds - (time_t)seconds) * 1e6)};
    if (IS_MENDED) setsockopt(client_connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    serve(client_connection);
}

int main(void) {
    handle(SIGCHLD, reap_all, SA_RESTART);
    fork_for_each_client(listen_on_port(), serve_in_time);
}
