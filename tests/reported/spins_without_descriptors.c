// oven-sh/bun, pull request 32705: accept fails for want of a descriptor (EMFILE), and poll reports the client again.
// descriptor limit: no
#include "server.h"

enum { MOST_CLIENTS = 1000 };

int main(void) {
    static struct pollfd events[MOST_CLIENTS];
    nfds_t count = 1;
    events[0] = (struct pollfd){listen_with(SOCK_NONBLOCK, 1), POLLIN, 0};
    for (;;) {
        poll(events, count, -1);
        for (nfds_t i = 1; i < count; ++i) {
            if (events[i].revents == 0) continue;
            serve(events[i].fd);
            events[i--] = events[--count];
            events[0].events = POLLIN;
        }
        if (events[0].revents == 0) continue;
        const int client_connection = accept(events[0].fd, NULL, NULL);
        if (client_connection != -1) events[count++] = (struct pollfd){client_connection, POLLIN, 0};
        else if (errno == EMFILE && IS_MENDED) events[0].events = 0;  // until a client has left
    }
}
