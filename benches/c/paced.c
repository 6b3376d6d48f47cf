/* paced NAME LENGTH COUNT HOW: how long messages take that come one by one, from the source's write to the program, and what each
 * costs. */
#include "bench.h"

static char body[ROOM];
static double *times;
static long count;
static long done;

static void got(mailbox mbox)
{
    struct timespec sent;

    take(mbox, body);
    memcpy(&sent, body, sizeof sent);
    times[done++] = now() - ((double)sent.tv_sec * 1e9 + (double)sent.tv_nsec);
}

static void ready(int fd, int code, void *data)
{
    (void)code;
    (void)data;
    got(fd);
    if (done == count)
        E_exit_events();
}

int main(int argc, char **argv)
{
    mailbox mbox;
    double used;
    char how;
    int set;

    if (argc != 5)
        return 2;
    count = atol(argv[3]);
    how = argv[4][0];
    times = calloc((size_t)count, sizeof *times);
    mbox = open_session(argv[1], "p");
    set = how == 'e' ? epoll_of(mbox) : -1;
    used = cpu();
    if (how == 'l') {
        E_init();
        E_attach_fd(mbox, READ_FD, ready, 0, NULL, HIGH_PRIORITY);
        E_handle_events();
    } else {
        while (done < count) {
            wait_for(how, mbox, set);
            got(mbox);
        }
    }
    tell("cpu_us", (cpu() - used) / 1e3 / (double)count);
    tell_spread(times, count);
    SP_kill(mbox);
    return 0;
}
