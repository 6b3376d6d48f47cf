/* The run of a program, its checks and its time limit. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"

#define CASE_ROOM 200

int check_names;
bool check_long;
bool check_classic;

static char **names;
static const char *program = "?";
static long count_given = -1;
static int factor = 1;
static int limit;
static timer_t watchdog;

/* Read by a signal handler, so plain memory that always has an end. */
static char case_text[CASE_ROOM];

static void put(const char *text)
{
    /* Nothing can be done about a closed standard error. */
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* A real-time signal: programs use SIGALRM, SIGUSR1 and the like themselves. */
static void time_is_over(int signal)
{
    (void)signal;
    put(program);
    put(": the time is over, at: ");
    put(case_text[0] != 0 ? case_text : "start");
    put("\n");
    _exit(1);
}

static void arm(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX - 1};
    struct itimerspec when = {.it_value.tv_sec = (time_t)limit * factor};

    SYS(timer_create(CLOCK_MONOTONIC, &event, &watchdog));
    SYS(timer_settime(watchdog, 0, &when, NULL));
}

static void usage(const char *wrong)
{
    fprintf(stderr, "%s: what is %s? Usage: %s [--classic] [--long] [--count N] [SPREAD_NAME ...]\n", program, wrong, program);
    exit(2);
}

static long number_of(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (*end != 0 || number < 1)
        usage(text);
    return number;
}

void check_start(int argc, char **argv, const char *name, int limit_s)
{
    const char *patience = getenv("TEST_TIMEOUT_FACTOR");
    struct sigaction action = {.sa_handler = time_is_over};
    int i;

    program = name;
    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] == '-'; i++) {
        if (strcmp(argv[i], "--classic") == 0)
            check_classic = true;
        else if (strcmp(argv[i], "--long") == 0)
            check_long = true;
        else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            count_given = number_of(argv[++i]);
        else
            usage(argv[i]);
    }
    names = argv + i;
    check_names = argc - i;

    if (patience != NULL && *patience != 0)
        factor = (int)number_of(patience);
    limit = limit_s;
    sigemptyset(&action.sa_mask);
    SYS(sigaction(SIGRTMAX - 1, &action, NULL));
    arm();
}

void check_restart(void)
{
    /* The timers of a process are not those of its child. */
    arm();
}

int check_done(void)
{
    printf("ok %s\n", program);
    return fflush(stdout) == 0 ? 0 : 1;
}

void check_case(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(case_text, sizeof case_text, format, arguments);
    va_end(arguments);
}

const char *check_name(int index)
{
    return names[index];
}

void check_needs_names(void)
{
    if (check_names == 0) {
        fprintf(stderr, "%s: needs the names of daemons\n", program);
        exit(2);
    }
}

bool is_tcp(const char *spread_name)
{
    return strchr(spread_name, '@') != NULL;
}

static const char *first_name(bool tcp)
{
    int i;

    for (i = 0; i < check_names; i++)
        if (is_tcp(names[i]) == tcp)
            return names[i];
    fprintf(stderr, "%s: needs the name of a daemon on a %s socket\n", program, tcp ? "TCP" : "unix");
    exit(2);
}

const char *unix_name(void)
{
    return first_name(false);
}

const char *tcp_name(void)
{
    return first_name(true);
}

long check_count(long usual)
{
    return count_given > 0 ? count_given : usual;
}

/* ---- checks ---- */

static void say_where(const char *file, int line)
{
    const char *base = strrchr(file, '/');

    fflush(stdout);
    fprintf(stderr, "%s:%d: ", base != NULL ? base + 1 : file, line);
}

static _Noreturn void end(void)
{
    if (case_text[0] != 0)
        fprintf(stderr, " [%s]", case_text);
    fprintf(stderr, "\n");
    fflush(stderr);
    _exit(1);
}

void check_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    say_where(file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    end();
}

void check_condition(const char *file, int line, const char *what, bool holds)
{
    if (!holds)
        check_fail(file, line, "does not hold: %s", what);
}

void check_number(const char *file, int line, const char *what, long long got, long long want)
{
    if (got != want)
        check_fail(file, line, "%s is %lld, should be %lld", what, got, want);
}

void check_between(const char *file, int line, const char *what, long long got, long long low, long long high)
{
    if (got < low || got > high)
        check_fail(file, line, "%s is %lld, should be between %lld and %lld", what, got, low, high);
}

void check_text(const char *file, int line, const char *what, const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        check_fail(file, line, "%s is \"%s\", should be \"%s\"", what, got, want);
}

void check_bytes(const char *file, int line, const char *what, const void *got, const void *want, size_t size)
{
    const unsigned char *have = got;
    const unsigned char *need = want;
    size_t i;

    for (i = 0; i < size; i++)
        if (have[i] != need[i])
            check_fail(file, line, "%s: byte %zu of %zu is %#x, should be %#x", what, i, size, have[i], need[i]);
}

long check_system(const char *file, int line, const char *what, long result)
{
    if (result < 0) {
        const char *why = strerror(errno);

        check_fail(file, line, "%s: %s", what, why);
    }
    return result;
}

void check_pthread(const char *file, int line, const char *what, int result)
{
    if (result != 0)
        check_fail(file, line, "%s: %s", what, strerror(result));
}

/* ---- time ---- */

long long now_ms(void)
{
    struct timespec now;

    SYS(clock_gettime(CLOCK_MONOTONIC, &now));
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int scaled(int ms)
{
    return ms * factor;
}

bool is_slow(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD");

    return factor > 1 || (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL);
#endif
}

void rest(void)
{
    struct timespec moment = {.tv_nsec = 500000};

    nanosleep(&moment, NULL);
}
