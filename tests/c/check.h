/* What every program in this folder shares: checks that say where and with which values they failed, a time limit for the whole
 * program, and deadlines for everything that is waited for.
 *
 * A program looks like this:
 *
 *     int main(int argc, char **argv)
 *     {
 *         check_start(argc, argv, "join_leave", 20);
 *         ...
 *         return check_done();
 *     }
 *
 * and is run as
 *
 *     join_leave [--classic] [--long] [--count N] [SPREAD_NAME ...]
 *
 * SPREAD_NAMEs are the daemons to talk to, a unix socket (`4803`) and a TCP one (`4803@host`) in that order. With --classic the
 * library under test is the reference one: see CLASSIC. The last line of a good run is "ok NAME". A failed check ends the
 * program, from whatever thread or child process, with exit code 1.
 */
#ifndef CHECK_H
#define CHECK_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sp.h"

/* ---- the run ---- */

/* Reads the arguments and arms the time limit, in seconds, multiplied by what TEST_TIMEOUT_FACTOR says. */
void check_start(int argc, char **argv, const char *program, int limit_s);

/* Prints the closing line. The value of main. */
int check_done(void);

/* Says what is being tried, for the messages of failed checks and of the time limit. */
void check_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The daemons that the command line names. */
extern int check_names;
const char *check_name(int index);

/* Fails where no name is given: for programs that try everything on each of them. */
void check_needs_names(void);

/* The first name of this kind; fails where none is given. */
const char *unix_name(void);
const char *tcp_name(void);

/* Whether a name is that of a TCP daemon. */
bool is_tcp(const char *spread_name);

/* The number that --count gives, or the usual one. */
long check_count(long usual);

extern bool check_long;
extern bool check_classic;

/* Whether the run is one on the reference library, at a place where Everspread decidedly does something else. The argument names
 * the row of the list of differences, so that each of them can be found here: grep for CLASSIC. */
#define CLASSIC(row) ((void)("" row), check_classic)

/* ---- checks ---- */

_Noreturn void check_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void check_number(const char *file, int line, const char *what, long long got, long long want);
void check_between(const char *file, int line, const char *what, long long got, long long low, long long high);
void check_text(const char *file, int line, const char *what, const char *got, const char *want);
void check_bytes(const char *file, int line, const char *what, const void *got, const void *want, size_t size);
void check_condition(const char *file, int line, const char *what, bool holds);

#define FAIL(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition) check_condition(__FILE__, __LINE__, #condition, (condition))
#define CHECK_EQ(got, want) check_number(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_BETWEEN(got, low, high) check_between(__FILE__, __LINE__, #got, (got), (low), (high))
#define CHECK_STR(got, want) check_text(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_MEM(got, want, size) check_bytes(__FILE__, __LINE__, #got, (got), (want), (size))

/* A system call that must work: fails with errno, gives the value. */
#define SYS(call) check_system(__FILE__, __LINE__, #call, (call))
long check_system(const char *file, int line, const char *what, long result);

/* A pthread call that must work. */
#define PTHREAD(call) check_pthread(__FILE__, __LINE__, #call, (call))
void check_pthread(const char *file, int line, const char *what, int result);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- time ---- */

/* Milliseconds of the monotonic clock. */
long long now_ms(void);

/* A time limit in milliseconds, multiplied for slow machines. */
int scaled(int ms);

/* Whether the program runs under valgrind or a sanitizer, or is told to be patient: exact upper limits of times mean little then. */
bool is_slow(void);

/* Looks at the condition again and again until it holds; fails after the time limit. The thread rests a little in between. */
#define WAIT_UNTIL(condition)                                                        \
    do {                                                                             \
        long long wait_end = now_ms() + scaled(10000);                               \
        while (!(condition)) {                                                       \
            if (now_ms() > wait_end)                                                 \
                FAIL("waited in vain for: %s", #condition);                          \
            rest();                                                                  \
        }                                                                            \
    } while (0)

/* Gives other threads and processes a moment. Only for loops that look at a condition. */
void rest(void);

/* ---- descriptors ---- */

/* poll() for these events: what came, or 0 after so many milliseconds. */
int events_of(int fd, int events, int ms);

/* Whether it is readable at this moment. */
bool is_readable(int fd);

/* Waits until it is readable. */
#define WAIT_READABLE(fd) check_condition(__FILE__, __LINE__, #fd " becomes readable", events_of((fd), POLLIN, scaled(10000)) != 0)

/* How many descriptors the process has open. */
int open_descriptors(void);

/* Allows so many descriptors; false where that is not allowed. */
bool allow_descriptors(int number);

/* The lowest number that is free. */
int lowest_free_descriptor(void);

/* Writes or reads exactly so many bytes of a pipe or file. */
void write_all(int fd, const void *bytes, size_t size);
void read_all(int fd, void *bytes, size_t size);

/* ---- threads ---- */

/* The kernel's number of the calling thread. */
int thread_number(void);

/* Whether a thread of this process sleeps in the kernel and goes on doing so: looks a few times. */
bool is_asleep(int thread);

/* A thread that makes one call; `tid` is set once it runs. */
struct worker {
    pthread_t thread;
    int tid;
    int done;
    void *(*run)(void *);
    void *argument;
};

void worker_start(struct worker *w, void *(*run)(void *), void *argument);

/* Waits until it sleeps in its call. */
void worker_blocks(struct worker *w);

/* Waits for its end, and gives its result. */
void *worker_join(struct worker *w);

/* Whether it has come to its end. */
bool worker_done(struct worker *w);

/* ---- processes ---- */

/* fork() with an armed time limit in the child, which dies with its parent. */
pid_t fork_checked(void);

/* Ends a child without the exit handlers of the parent. */
_Noreturn void child_done(void);

/* Arms the time limit in a process that was made otherwise (by daemon()). */
void check_restart(void);

/* Waits for a child; its exit code must be 0. */
void wait_for_child(pid_t child);

/* Makes a call in a process of its own, for what leaves the library (or the reference one) in a state that other cases may not see. */
#define IN_CHILD(call)                      \
    do {                                    \
        pid_t in_child = fork_checked();    \
        if (in_child == 0) {                \
            call;                           \
            child_done();                   \
        }                                   \
        wait_for_child(in_child);           \
    } while (0)

/* Ends a child that has nothing to say. */
void kill_child(pid_t child);

#endif
