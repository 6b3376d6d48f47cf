/* roundtrip NAME LENGTH COUNT HOW [PAUSE_US]: sends a message to its own private group (or to a source that echoes) and waits for it,
 * COUNT times. HOW: b(locking), s(elect), l (the E_ loop), h (a handler: select() tells of a first message, in whose handling a second is
 * sent and received). With a pause, the processor time is that of the library alone, as sleeping takes next to none. */
#include "bench.h"

static char body[ROOM];
static double *times;
static double began;
static double pause_us;
static long count;
static long done;
static int length;
static mailbox mbox;
static char group[MAX_GROUP_NAME];

static void put(void)
{
    int sent = SP_multicast(mbox, AGREED_MESS, group, 0, length, body);

    if (sent != length) {
        SP_error(sent);
        exit(1);
    }
}

static void next(void)
{
    struct timespec rest = {0, (long)(pause_us * 1e3)};

    if (pause_us > 0)
        nanosleep(&rest, NULL);
    began = now();
    put();
}

static void got(void)
{
    if (take(mbox, body) != length)
        fail("length");
    times[done++] = now() - began;
}

static void ready(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
    got();
    if (done == count)
        E_exit_events();
    else
        next();
}

int main(int argc, char **argv)
{
    double wall;
    double used;
    int result;
    char how;

    if (argc < 5)
        return 2;
    length = atoi(argv[2]);
    count = atol(argv[3]);
    how = argv[4][0];
    pause_us = argc > 5 ? atof(argv[5]) : 0;
    times = calloc((size_t)count, sizeof *times);
    result = SP_connect(argv[1], NULL, 0, 0, &mbox, group);
    if (result != ACCEPT_SESSION) {
        SP_error(result);
        return 1;
    }
    wall = now();
    used = cpu();
    switch (how) {
    case 'l':
        E_init();
        E_attach_fd(mbox, READ_FD, ready, 0, NULL, HIGH_PRIORITY);
        next();
        E_handle_events();
        break;
    case 'h':
        while (done < count) {
            next();
            wait_for('s', mbox, -1);
            if (take(mbox, body) != length)
                fail("length");
            put();
            got();
        }
        break;
    default:
        while (done < count) {
            next();
            wait_for(how, mbox, -1);
            got();
        }
    }
    wall = now() - wall;
    used = cpu() - used;
    tell("cpu_us", used / 1e3 / (double)count);
    tell("wall_us", wall / 1e3 / (double)count);
    tell_spread(times, count);
    SP_kill(mbox);
    return 0;
}
