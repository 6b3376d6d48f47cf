/* backlog NAME LENGTH COUNT: lets COUNT messages pile up behind it, then takes them. What a queued message costs in memory, and how fast
 * a backlog is delivered. */
#include "bench.h"

static char body[ROOM];

int main(int argc, char **argv)
{
    double before;
    double wall;
    double used;
    int length;
    long count;
    long left;
    mailbox mbox;

    if (argc != 4)
        return 2;
    length = atoi(argv[2]);
    count = atol(argv[3]);
    mbox = open_session(argv[1], "b");
    before = resident();
    while (SP_poll(mbox) < (80 + length) * count)
        usleep(1000);
    tell("memory_bytes", (resident() - before) / (double)count);
    tell("memory_ratio", (resident() - before) / ((double)count * (80 + length)));
    wall = now();
    used = cpu();
    for (left = count; left > 0; left--)
        if (take(mbox, body) != length)
            fail("length");
    wall = now() - wall;
    used = cpu() - used;
    tell("wall_us", wall / 1e3 / (double)count);
    tell("cpu_us", used / 1e3 / (double)count);
    SP_kill(mbox);
    return 0;
}
