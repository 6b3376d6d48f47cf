/* Descriptors, threads and processes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

#include "../check.h"

/* ---- descriptors ---- */

int events_of(int fd, int events, int ms)
{
    struct pollfd one = {.fd = fd, .events = (short)events};
    int n;

    do
        n = poll(&one, 1, ms);
    while (n < 0 && errno == EINTR);
    SYS(n);
    return n == 0 ? 0 : one.revents;
}

bool is_readable(int fd)
{
    return events_of(fd, POLLIN, 0) != 0;
}

int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int number = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        number++;
    closedir(dir);
    /* Not counted: ".", ".." and the folder itself. */
    return number - 3;
}

bool allow_descriptors(int number)
{
    struct rlimit limit;

    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur >= (rlim_t)number)
        return true;
    if (limit.rlim_max < (rlim_t)number)
        return false;
    limit.rlim_cur = (rlim_t)number;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int lowest_free_descriptor(void)
{
    int fd = (int)SYS(open("/dev/null", O_RDONLY | O_CLOEXEC));

    SYS(close(fd));
    return fd;
}

void write_all(int fd, const void *bytes, size_t size)
{
    const char *from = bytes;

    while (size > 0) {
        ssize_t n = write(fd, from, size);

        if (n < 0 && errno == EINTR)
            continue;
        SYS(n);
        from += n;
        size -= (size_t)n;
    }
}

void read_all(int fd, void *bytes, size_t size)
{
    char *to = bytes;

    while (size > 0) {
        ssize_t n = read(fd, to, size);

        if (n < 0 && errno == EINTR)
            continue;
        SYS(n);
        if (n == 0)
            FAIL("the end of a stream, %zu bytes too early", size);
        to += n;
        size -= (size_t)n;
    }
}

/* ---- threads ---- */

int thread_number(void)
{
    return (int)syscall(SYS_gettid);
}

/* The state letter of a thread and how often it has gone to sleep; false if there is no such thread. */
static bool look_at(int thread, char *state, long *sleeps)
{
    char path[64];
    char line[256];
    FILE *status;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    status = fopen(path, "r");
    if (status == NULL)
        return false;
    *state = '?';
    *sleeps = -1;
    while (fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "State: %c", state) == 1)
            continue;
        if (sscanf(line, "voluntary_ctxt_switches: %ld", sleeps) == 1)
            break;
    }
    fclose(status);
    return true;
}

bool is_asleep(int thread)
{
    long before = -1;
    long sleeps;
    char state;
    int i;

    for (i = 0; i < 4; i++) {
        if (!look_at(thread, &state, &sleeps) || state != 'S' || (before >= 0 && sleeps != before))
            return false;
        before = sleeps;
        rest();
    }
    return true;
}

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    void *result;

    __atomic_store_n(&w->tid, thread_number(), __ATOMIC_SEQ_CST);
    result = w->run(w->argument);
    __atomic_store_n(&w->done, 1, __ATOMIC_SEQ_CST);
    return result;
}

void worker_start(struct worker *w, void *(*run)(void *), void *argument)
{
    memset(w, 0, sizeof *w);
    w->run = run;
    w->argument = argument;
    PTHREAD(pthread_create(&w->thread, NULL, worker_main, w));
    WAIT_UNTIL(__atomic_load_n(&w->tid, __ATOMIC_SEQ_CST) != 0);
}

void worker_blocks(struct worker *w)
{
    WAIT_UNTIL(is_asleep(w->tid));
    CHECK(!worker_done(w));
}

void *worker_join(struct worker *w)
{
    void *result;

    PTHREAD(pthread_join(w->thread, &result));
    return result;
}

bool worker_done(struct worker *w)
{
    return __atomic_load_n(&w->done, __ATOMIC_SEQ_CST) != 0;
}

/* ---- processes ---- */

pid_t fork_checked(void)
{
    pid_t child;

    fflush(stdout);
    fflush(stderr);
    child = (pid_t)SYS(fork());
    if (child == 0) {
        SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
        check_restart();
    }
    return child;
}

void child_done(void)
{
    fflush(stdout);
#ifdef RUNNING_ON_VALGRIND
    /* At an exit valgrind would look for leaks, and find the memory of threads that only the parent has. */
    if (RUNNING_ON_VALGRIND && VALGRIND_COUNT_ERRORS == 0)
        execl("/bin/true", "true", (char *)NULL);
#endif
    _exit(0);
}

void wait_for_child(pid_t child)
{
    pid_t ended;
    int status;

    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    SYS(ended);
    if (WIFSIGNALED(status))
        FAIL("a child process was killed by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        FAIL("a child process ended with code %d", WEXITSTATUS(status));
}

void kill_child(pid_t child)
{
    SYS(kill(child, SIGKILL));
    SYS(waitpid(child, NULL, 0));
}
