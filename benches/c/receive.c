/* receive NAME LENGTH COUNT HOW: takes COUNT messages, waiting before each as HOW says: b (not at all), s(elect), p(oll), e(poll),
 * l (the E_ loop). */
#include "bench.h"

static char body[ROOM];
static long wanted;
static int length;

static void one(mailbox mbox)
{
    if (take(mbox, body) != length)
        fail("length");
    wanted--;
}

static void ready(int fd, int code, void *data)
{
    (void)code;
    (void)data;
    one(fd);
    if (wanted == 0)
        E_exit_events();
}

int main(int argc, char **argv)
{
    mailbox mbox;
    double wall;
    double used;
    long count;
    long waits;
    char how;
    int set;

    if (argc != 5)
        return 2;
    length = atoi(argv[2]);
    count = wanted = atol(argv[3]);
    how = argv[4][0];
    mbox = open_session(argv[1], "r");
    set = how == 'e' ? epoll_of(mbox) : -1;
    waits = how == 'b' ? 0 : count;
    wall = now();
    used = cpu();
    if (how == 'l') {
        E_init();
        E_attach_fd(mbox, READ_FD, ready, 0, NULL, HIGH_PRIORITY);
        E_handle_events();
    } else {
        while (wanted > 0) {
            wait_for(how, mbox, set);
            one(mbox);
        }
    }
    wall = now() - wall;
    used = cpu() - used;
    tell("wall_us", wall / 1e3 / (double)count);
    tell("cpu_us", used / 1e3 / (double)count);
    tell("waits", (double)waits / (double)count);
    SP_kill(mbox);
    return 0;
}
