/* What the benchmark programs share: clocks, percentiles, a connected session. Against sp.h only, so that the same binary runs on
 * either library. Results are lines of "name value" on standard output. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include <sp.h>

#define ROOM 150000

static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

/* Nanoseconds. */
static inline double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Nanoseconds of processor time, of all threads. */
static inline double cpu(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return ((double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec) * 1e9 +
           ((double)use.ru_utime.tv_usec + (double)use.ru_stime.tv_usec) * 1e3;
}

/* Resident bytes. */
static inline double resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size;
    long pages;

    if (file == NULL || fscanf(file, "%ld %ld", &size, &pages) != 2)
        fail("/proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static inline void tell(const char *name, double value)
{
    printf("%s %.4f\n", name, value);
}

static inline int by_value(const void *one, const void *other)
{
    double a = *(const double *)one;
    double b = *(const double *)other;

    return (a > b) - (a < b);
}

/* Percentiles in microseconds of nanoseconds. */
static inline void tell_spread(double *times, long count)
{
    static const struct {
        const char *name;
        long of_1000;
    } wanted[] = {{"p50_us", 500}, {"p90_us", 900}, {"p99_us", 990}, {"p99.9_us", 999}};
    size_t i;

    qsort(times, (size_t)count, sizeof *times, by_value);
    for (i = 0; i < sizeof wanted / sizeof *wanted; i++)
        tell(wanted[i].name, times[count * wanted[i].of_1000 / 1000] / 1e3);
}

static inline mailbox open_session(const char *name, const char *user)
{
    char group[MAX_GROUP_NAME];
    mailbox mbox;
    int result = SP_connect(name, user, 0, 0, &mbox, group);

    if (result != ACCEPT_SESSION) {
        SP_error(result);
        exit(1);
    }
    return mbox;
}

/* Receives one message; its length, or the end of the program. */
static inline int take(mailbox mbox, char *body)
{
    static char groups[20][MAX_GROUP_NAME];
    char sender[MAX_GROUP_NAME];
    service type = 0;
    int16 mess_type;
    int num_groups;
    int endian;
    int size = SP_receive(mbox, &type, sender, 20, &num_groups, groups, &mess_type, &endian, ROOM, body);

    if (size < 0) {
        SP_error(size);
        exit(1);
    }
    return size;
}

/* How a program waits before a receive. */
static inline int epoll_of(mailbox mbox)
{
    struct epoll_event event = {.events = EPOLLIN};
    int set = epoll_create1(EPOLL_CLOEXEC);

    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, mbox, &event) < 0)
        fail("epoll");
    return set;
}

static inline void wait_for(char how, mailbox mbox, int set)
{
    struct pollfd one = {.fd = mbox, .events = POLLIN};
    struct epoll_event event;
    fd_set fds;

    switch (how) {
    case 's':
        FD_ZERO(&fds);
        FD_SET(mbox, &fds);
        if (select(mbox + 1, &fds, NULL, NULL, NULL) < 0)
            fail("select");
        break;
    case 'p':
        if (poll(&one, 1, -1) < 0)
            fail("poll");
        break;
    case 'e':
        if (epoll_wait(set, &event, 1, -1) < 0)
            fail("epoll_wait");
        break;
    default:
        break;
    }
}

#endif
