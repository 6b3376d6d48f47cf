/* A sender at full speed, and a reader that sleeps until all has been sent, then reads slowly.
 *
 *   behind SPREAD_NAME
 *
 * BEHIND_COUNT is the number of messages (20000), BEHIND_SIZE their size (100), BEHIND_REST how many seconds it sleeps on (0), SPREAD_OPTIONS the policy. Prints figures; fails unless all that comes is in
 * order, and unless all comes or (with BEHIND_LOSS set) the connection is lost in the end. Runs with the classic library too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "session.h"
#include "sp_ext.h"

/* Not there in the classic library. */
extern int SPX_get_stats(mailbox mbox, SPX_stats *stats) __attribute__((weak));
extern const char *SPX_last_error(void) __attribute__((weak));

static long size;

static long number_of(const char *variable, long usual)
{
    const char *text = getenv(variable);

    return text != NULL ? atol(text) : usual;
}

static void send_all(const char *name, const char *group, long count)
{
    char *body = calloc(1, (size_t)size);
    mailbox mbox = session(name, false, NULL);
    long i;

    CHECK(body != NULL);
    for (i = 0; i < count; i++) {
        memcpy(body, &i, sizeof i);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, group, 0, (int)size, body), size);
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
    free(body);
}

static void print_figures(mailbox mbox, const char *when)
{
    struct rusage usage;
    SPX_stats stats = {.size = sizeof stats};

    SYS(getrusage(RUSAGE_SELF, &usage));
    printf("%s: at most %ld KiB of memory", when, usage.ru_maxrss);
    if (SPX_get_stats != NULL && SPX_get_stats(mbox, &stats) == 0)
        printf("; waiting %lu messages, %lu bytes, %lu on disk; peak %lu messages, %lu bytes", stats.waiting_messages,
               stats.waiting_bytes, stats.spilled_bytes, stats.peak_messages, stats.peak_bytes);
    printf("\n");
    fflush(stdout);
}

static long now_ns(void)
{
    struct timespec now;

    SYS(clock_gettime(CLOCK_MONOTONIC, &now));
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a;
    long y = *(const long *)b;

    return (x > y) - (x < y);
}

/* How long single receives have taken. */
static void print_times(long *times, long count)
{
    if (count == 0)
        return;
    qsort(times, (size_t)count, sizeof *times, by_size);
    printf("a receive: median %ld ns, 99%% within %ld, 99.9%% within %ld, longest %ld us\n", times[count / 2], times[count - 1 - count / 100],
           times[count - 1 - count / 1000], times[count - 1] / 1000);
}

int main(int argc, char **argv)
{
    static char groups[10][MAX_GROUP_NAME];
    static char body[150000];
    char sender[MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    bool loss = getenv("BEHIND_LOSS") != NULL;
    long count;
    long got = 0;
    long *times;
    long long start;
    int code = 0;
    mailbox mbox;
    pid_t child;

    check_start(argc, argv, "behind", 900);
    check_needs_names();
    count = number_of("BEHIND_COUNT", 20000);
    size = number_of("BEHIND_SIZE", 100);
    CHECK_BETWEEN(size, (long)sizeof got, (long)sizeof body);
    times = calloc((size_t)count, sizeof *times);
    CHECK(times != NULL);
    new_group(group, "behind");
    /* Before there is a session, so that nothing of it is in two processes. */
    {
        int go[2];
        char byte = 'g';

        SYS(pipe(go));
        child = fork_checked();
        if (child == 0) {
            read_all(go[0], &byte, 1);
            send_all(check_name(0), group, count);
            child_done();
        }
        mbox = session(check_name(0), true, NULL);
        join(mbox, group);
        start = now_ms();
        write_all(go[1], &byte, 1);
    }
    wait_for_child(child);
    printf("%ld messages of %ld bytes sent in %lld ms, while nobody received\n", count, size, now_ms() - start);
    print_figures(mbox, "asleep");
    sleep((unsigned)number_of("BEHIND_REST", 0));

    start = now_ms();
    while (got < count) {
        service type = 0;
        int num_groups;
        int16 mess_type;
        int endian;
        long number;
        long begin = now_ns();

        code = SP_receive(mbox, &type, sender, 10, &num_groups, groups, &mess_type, &endian, sizeof body, body);
        times[got] = now_ns() - begin;
        if (code < 0)
            break;
        if (!Is_regular_mess(type))
            continue;
        memcpy(&number, body, sizeof number);
        if (number != got)
            FAIL("message %ld comes as number %ld", number, got);
        got++;
        if (got % 1000 == 0) {
            struct timespec moment = {.tv_nsec = 1000000};

            nanosleep(&moment, NULL);
        }
    }
    printf("%ld of %ld received, in order, in %lld ms with pauses", got, count, now_ms() - start);
    if (code < 0)
        printf("; then %d%s%s", code, SPX_last_error != NULL ? ": " : "", SPX_last_error != NULL ? SPX_last_error() : "");
    printf("\n");
    print_times(times, got);
    free(times);
    if (code >= 0)
        print_figures(mbox, "awake");
    if (loss)
        CHECK_EQ(code, CONNECTION_CLOSED);
    else
        CHECK_EQ(got, count);
    if (code < 0)
        SP_kill(mbox);
    else
        CHECK_EQ(SP_disconnect(mbox), 0);
    return check_done();
}
