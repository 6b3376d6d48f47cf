/* What the tests of the E_ event loop share: a table of cases, checks, a log of calls.
 *
 * Every case runs in a process of its own, with a deadline, so that a crash, a hang or what is
 * left attached touches no other case.
 *
 *     program              runs all cases
 *     program --classic    leaves out the cases that the classic library is known to fail
 *     program --only NAME  runs one case, in this process (for a debugger)
 */
#ifndef EVENTS_CHECK_H
#define EVENTS_CHECK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sp.h>

/* Multiplied by what TEST_TIMEOUT_FACTOR says. */
#define CASE_DEADLINE_SECONDS 60

struct test_case {
    const char *name;
    void (*run)(void);
    int repaired; /* the classic library fails it */
};

#define CASE(f) {#f, f, 0}
#define REPAIRED(f) {#f, f, 1}

static void fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(NULL);
    _exit(1);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail(__FILE__, __LINE__, "not true: %s", #condition);                                  \
    } while (0)

#define CHECK_INT(actual, expected)                                                                \
    do {                                                                                           \
        long long actual_ = (actual), expected_ = (expected);                                      \
        if (actual_ != expected_)                                                                  \
            fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #actual, actual_, expected_);    \
    } while (0)

/* For system calls: -1 is a failure of the test itself. */
static inline int sys_(const char *file, int line, const char *what, int result)
{
    if (result == -1)
        fail(file, line, "%s: %s", what, strerror(errno));
    return result;
}
#define SYS(call) sys_(__FILE__, __LINE__, #call, (call))

/* For pthread functions. */
#define PTHREAD(call)                                                                              \
    do {                                                                                           \
        int error_ = (call);                                                                       \
        if (error_ != 0)                                                                           \
            fail(__FILE__, __LINE__, "%s: %s", #call, strerror(error_));                           \
    } while (0)

/* The log of calls: words, separated by blanks. */
static char log_text[8192];
static int log_words;

static inline void note(const char *word, int number)
{
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, number < 0 ? "%s%s" : "%s%s%d",
             used ? " " : "", word, number);
    log_words++;
}

static inline void forget_log(void)
{
    log_text[0] = '\0';
    log_words = 0;
}

#define CHECK_LOG(expected)                                                                        \
    do {                                                                                           \
        if (strcmp(log_text, (expected)) != 0)                                                     \
            fail(__FILE__, __LINE__, "called: %s\n  expected: %s", log_text, (expected));          \
    } while (0)

/* Times. */
static inline long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static inline long long cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static inline sp_time after_us(long us)
{
    sp_time time;
    time.sec = us / 1000000;
    time.usec = us % 1000000;
    return time;
}

/* For timers that are due at once, in this order, however long it takes to queue them. */
static inline sp_time past(long order)
{
    sp_time time;
    time.sec = order - 1000000;
    time.usec = 0;
    return time;
}

/* Callbacks that many cases need. */
static inline void timer_exit(int code, void *data)
{
    (void)code;
    (void)data;
    E_exit_events();
}

static int quiet_words;

static inline void timer_quiet(int code, void *data)
{
    long *us = data;
    if (log_words == quiet_words) {
        E_exit_events();
        return;
    }
    quiet_words = log_words;
    CHECK_INT(E_queue(timer_quiet, code, data, after_us(*us)), 0);
}

/* Runs the loop until nothing has been logged for `us`. However slow the machine is, between two
 * looks the loop has been through a whole round, so what was ready has been called. */
static inline void handle_until_quiet(long us)
{
    quiet_words = log_words;
    CHECK_INT(E_queue(timer_quiet, 0, &us, after_us(us)), 0);
    E_handle_events();
    E_dequeue(timer_quiet, 0, &us);
}

/* A pipe; `ends[0]` is for reading. */
static inline void make_pipe(int ends[2])
{
    SYS(pipe(ends));
}

/* The reading end of a new pipe that holds `bytes` bytes. Its other end stays open. */
static inline int ready_pipe(int bytes)
{
    int ends[2];
    make_pipe(ends);
    for (int i = 0; i < bytes; i++)
        CHECK_INT(write(ends[1], "x", 1), 1);
    return ends[0];
}

static inline void take_byte(int fd)
{
    char byte;
    CHECK_INT(read(fd, &byte, 1), 1);
}

/* Where the threads of a process are: state, system call and its arguments. */
static void show_threads(pid_t pid)
{
    static const char *const what[] = {"stat", "syscall", "wchan"};
    char path[300], text[400];
    struct dirent *entry;
    DIR *tasks;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        for (int i = 0; i < 3 && entry->d_name[0] != '.'; i++) {
            FILE *file;
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/%s", (int)pid, entry->d_name, what[i]);
            file = fopen(path, "r");
            if (file != NULL && fgets(text, sizeof text, file) != NULL)
                fprintf(stderr, "  %s: %s\n", path, text);
            if (file != NULL)
                fclose(file);
        }
    }
    if (tasks != NULL)
        closedir(tasks);
}

static int run_case(const struct test_case *test)
{
    sigset_t child, before;
    const char *factor = getenv("TEST_TIMEOUT_FACTOR");
    struct timespec deadline = {CASE_DEADLINE_SECONDS, 0};
    int status;
    pid_t pid;

    if (factor != NULL && atoi(factor) > 1)
        deadline.tv_sec *= atoi(factor);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        test->run();
        fflush(NULL);
        _exit(0);
    }
    if (pid < 0) {
        perror("fork");
        return 1;
    }
    if (sigtimedwait(&child, NULL, &deadline) < 0) {
        fprintf(stderr, "%s: still running after %ld s\n", test->name, (long)deadline.tv_sec);
        show_threads(pid);
        kill(pid, SIGKILL);
    }
    if (waitpid(pid, &status, 0) != pid) {
        perror("waitpid");
        return 1;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: ended by signal %d\n", test->name, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "%s: failed\n", test->name);
    return status != 0;
}

static int run_cases(int argc, char **argv, const struct test_case *tests, size_t count)
{
    int classic = argc == 2 && strcmp(argv[1], "--classic") == 0;
    int failed = 0, ran = 0;

    if (argc == 3 && strcmp(argv[1], "--only") == 0) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(tests[i].name, argv[2]) == 0) {
                tests[i].run();
                return 0;
            }
        }
        fprintf(stderr, "no case %s\n", argv[2]);
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        if (classic && tests[i].repaired)
            continue;
        ran++;
        failed += run_case(&tests[i]);
    }
    printf("%d cases, %d failed\n", ran, failed);
    return failed != 0;
}

#define MAIN(tests)                                                                                \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return run_cases(argc, argv, tests, sizeof(tests) / sizeof((tests)[0]));                   \
    }

#endif
