/* send NAME LENGTH COUNT PIECES THREADS: sends COUNT messages of LENGTH bytes in PIECES pieces, from THREADS threads on one mailbox. */
#include <pthread.h>

#include "bench.h"

static mailbox mbox;
static int length;
static int pieces;
static long each;

static void *sender(void *unused)
{
    static char body[ROOM];
    scatter parts;
    long i;
    int k;

    parts.num_elements = pieces;
    for (k = 0; k < pieces; k++) {
        parts.elements[k].buf = body + (long)length * k / pieces;
        parts.elements[k].len = (int)((long)length * (k + 1) / pieces - (long)length * k / pieces);
    }
    for (i = 0; i < each; i++) {
        int sent = pieces > 1 ? SP_scat_multicast(mbox, AGREED_MESS, "room", 0, &parts)
                              : SP_multicast(mbox, AGREED_MESS, "room", 0, length, body);

        if (sent != length) {
            SP_error(sent);
            exit(1);
        }
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[16];
    double wall;
    double used;
    int number;
    int k;

    if (argc != 6)
        return 2;
    length = atoi(argv[2]);
    pieces = atoi(argv[4]);
    number = atoi(argv[5]);
    each = atol(argv[3]) / number;
    mbox = open_session(argv[1], "s");
    wall = now();
    used = cpu();
    if (number == 1) {
        sender(NULL);
    } else {
        for (k = 0; k < number; k++)
            pthread_create(&threads[k], NULL, sender, NULL);
        for (k = 0; k < number; k++)
            pthread_join(threads[k], NULL);
    }
    wall = now() - wall;
    used = cpu() - used;
    tell("wall_us", wall / 1e3 / (double)(each * number));
    tell("cpu_us", used / 1e3 / (double)(each * number));
    SP_kill(mbox);
    return 0;
}
