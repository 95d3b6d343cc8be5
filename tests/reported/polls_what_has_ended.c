// jcarreira/cirrus-kv, issue 110: a connection that has ended is still watched, and poll never waits again.
// idle when done: no
#include "server.h"

enum { MOST_CLIENTS = 1000 };

int main(void) {
    static struct pollfd events[MOST_CLIENTS];
    nfds_t count = 1;
    events[0] = (struct pollfd){listen_on_port(), POLLIN, 0};
    for (;;) {
        poll(events, count, -1);
        for (nfds_t i = 1; i < count; ++i) {
            if (events[i].revents == 0) continue;
            if (receive(events[i].fd) > 0) {
                answer(events[i].fd);
                shutdown(events[i].fd, SHUT_WR);
            } else if (IS_MENDED) {
                close(events[i].fd);
                events[i--] = events[--count];
            }
        }
        if (events[0].revents != 0) events[count++] = (struct pollfd){accept(events[0].fd, NULL, NULL), POLLIN, 0};
    }
}
