/* sleeper SPREAD_NAME USER GROUP
 *
 * Joins a group and then does not receive until it reads a line from standard input. Then it receives everything up to the
 * last message of flood, and tells how much came and whether it was in order.
 *
 * Ends with 0 if all came in order, with 3 if the daemon has thrown it out. */
#include <sys/resource.h>

#include "demo.h"

int main(int argc, char **argv)
{
    static struct received r;
    char private_group[MAX_GROUP_NAME], line[80];
    mailbox mbox;
    sp_time start, took;
    double seconds;
    struct rusage usage;
    int waiting, got = 0, wrong = 0, expected = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: sleeper SPREAD_NAME USER GROUP\n");
        return 2;
    }
    mbox = connect_to(argv[1], argv[2], 1, private_group);
    need(SP_join(mbox, argv[3]), "SP_join");
    do
        need(receive(mbox, &r), "SP_receive");
    while (!Is_reg_memb_mess(r.type));
    printf("asleep\n");
    fflush(stdout);

    if (fgets(line, sizeof line, stdin) == NULL) {
        fprintf(stderr, "sleeper: nobody woke me\n");
        return 1;
    }

    waiting = SP_poll(mbox);
    start = E_get_time();
    for (;;) {
        if (receive(mbox, &r) < 0)
            break;
        if (r.mess_type == TYPE_LAST) {
            expected = atoi(r.body);
            break;
        }
        if (r.mess_type == TYPE_NUMBER && Is_regular_mess(r.type)) {
            got++;
            if (atoi(r.body) != got)
                wrong++;
        }
    }
    took = E_sub_time(E_get_time(), start);
    seconds = (double)took.sec + (double)took.usec / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    if (r.size < 0) {
        printf("awake: %d messages, then: %s (%d)\n", got, SP_strerror(r.size), r.size);
        SP_kill(mbox);
        return 3;
    }
    printf("awake: %d bytes were waiting (SP_poll)\n", waiting);
    printf("received %d of %d messages, %d out of order, in %.2f s (%.0f a second); memory at most %ld KiB\n", got,
           expected, wrong, seconds, got / seconds, usage.ru_maxrss);
    need(SP_disconnect(mbox), "SP_disconnect");
    return got == expected && wrong == 0 ? 0 : 1;
}
