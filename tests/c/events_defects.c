/* What went wrong in the classic library with shared masks, closed descriptors and limits. */
#include "events_check.h"

#include <sys/stat.h>

static void reads(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    note("r", code);
}

static void detaching_one_priority_keeps_the_other(void)
{
    int fd = ready_pipe(1);
    E_init();
    E_attach_fd(fd, READ_FD, reads, 2, NULL, HIGH_PRIORITY);
    E_attach_fd(fd, READ_FD, reads, 1, NULL, MEDIUM_PRIORITY);
    CHECK_INT(E_detach_fd_priority(fd, READ_FD, HIGH_PRIORITY), 0);
    CHECK_INT(E_num_active(MEDIUM_PRIORITY), 1);
    handle_until_quiet(10000);
    CHECK_LOG("r1");
}

static void attaching_activates(void)
{
    int fd = ready_pipe(1);
    E_init();
    E_attach_fd(fd, READ_FD, reads, 1, NULL, HIGH_PRIORITY);
    E_deactivate_fd(fd, READ_FD);
    CHECK_INT(E_num_active(HIGH_PRIORITY), 0);
    CHECK_INT(E_attach_fd(fd, READ_FD, reads, 2, NULL, HIGH_PRIORITY), 1);
    CHECK_INT(E_num_active(HIGH_PRIORITY), 1);
    handle_until_quiet(10000);
    CHECK_LOG("r2");
}

static void reads_if_open(int fd, int code, void *data)
{
    char byte;
    ssize_t got = read(fd, &byte, 1);
    (void)data;
    note(got == 1 ? "r" : errno == EBADF ? "closed" : "?", code);
}

static void a_closed_descriptor_spoils_nothing(void)
{
    int closed = ready_pipe(0), open = ready_pipe(2);
    long long cpu;
    E_init();
    E_attach_fd(closed, READ_FD, reads_if_open, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(open, READ_FD, reads_if_open, 2, NULL, LOW_PRIORITY);
    SYS(close(closed));
    cpu = cpu_us();
    handle_until_quiet(500000);
    CHECK_LOG("closed1 r2 r2");
    CHECK(cpu_us() - cpu < 200000);
}

static int number;

static void reopen(int code, void *data)
{
    int ends[2];
    (void)data;
    note("reopen", code);
    make_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    if (ends[0] != number)
        SYS(dup2(ends[0], number));
}

static void a_closed_number_that_is_opened_again(void)
{
    number = ready_pipe(0);
    E_init();
    E_attach_fd(number, READ_FD, reads_if_open, 1, NULL, HIGH_PRIORITY);
    SYS(close(number));
    E_queue(reopen, 0, NULL, after_us(50000));
    handle_until_quiet(400000);
    CHECK_LOG("closed1 reopen0 r1");
}

static void a_hang_up_is_not_exceptional(void)
{
    int ends[2];
    long long cpu;
    E_init();
    SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    SYS(close(ends[1]));
    E_attach_fd(ends[0], EXCEPT_FD, reads, 1, NULL, HIGH_PRIORITY);
    cpu = cpu_us();
    handle_until_quiet(500000);
    CHECK_LOG("");
    CHECK(cpu_us() - cpu < 200000);
}

static void a_limit_below_what_is_attached(void)
{
    struct rlimit limit;
    long long cpu;
    E_init();
    E_attach_fd(ready_pipe(2), READ_FD, reads, 1, NULL, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("r1 r1");
    E_attach_fd(ready_pipe(2), READ_FD, reads, 2, NULL, HIGH_PRIORITY);
    E_attach_fd(ready_pipe(2), READ_FD, reads, 3, NULL, LOW_PRIORITY);
    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 0;
    SYS(setrlimit(RLIMIT_NOFILE, &limit));
    cpu = cpu_us();
    handle_until_quiet(300000);
    CHECK_LOG("r1 r1 r2 r3 r2 r3");
    CHECK(cpu_us() - cpu < 150000);
}

static void no_descriptors_from_the_start(void)
{
    struct rlimit limit;
    int fd = ready_pipe(2);
    long long cpu;
    E_init();
    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 0;
    SYS(setrlimit(RLIMIT_NOFILE, &limit));
    E_attach_fd(fd, READ_FD, reads, 1, NULL, HIGH_PRIORITY);
    cpu = cpu_us();
    handle_until_quiet(300000);
    CHECK_LOG("r1 r1");
    CHECK(cpu_us() - cpu < 150000);
}

static void a_closed_descriptor_below_the_limit(void)
{
    struct rlimit limit;
    int closed = ready_pipe(0), open = ready_pipe(2);
    long long cpu;
    E_init();
    E_attach_fd(closed, READ_FD, reads_if_open, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(open, READ_FD, reads_if_open, 2, NULL, LOW_PRIORITY);
    CHECK_INT(E_attach_fd(2000000000, READ_FD, reads_if_open, 3, NULL, HIGH_PRIORITY), 0);
    SYS(close(closed));
    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 0;
    SYS(setrlimit(RLIMIT_NOFILE, &limit));
    cpu = cpu_us();
    handle_until_quiet(500000);
    CHECK_LOG("closed1 closed3 r2 r2");
    CHECK(cpu_us() - cpu < 200000);
}

/* As a daemon does when it starts. */
static void close_all(void)
{
    for (int fd = 3; fd < 4096; fd++)
        close(fd);
}

static void a_program_that_closes_every_number(void)
{
    E_init();
    handle_until_quiet(1000);
    close_all();
    E_attach_fd(ready_pipe(2), READ_FD, reads, 1, NULL, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("r1 r1");
    E_exit_events_async_safe();
    handle_until_quiet(10000);
}

/* Whatever the library had open, these numbers are the program's files now: nothing is written to
 * them, read from them, or closed. */
static void numbers_that_were_the_library_s(void)
{
    int ends[2], taken = 0;
    char bytes[100];
    E_init();
    handle_until_quiet(1000);
    SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    CHECK_INT(write(ends[1], "mine", 4), 4);
    for (int fd = 3; fd < 4096; fd++) {
        if (fd != ends[0] && fd != ends[1] && fcntl(fd, F_GETFD) != -1) {
            SYS(dup2(ends[taken % 2], fd));
            taken++;
        }
    }
    E_exit_events();
    E_exit_events_async_safe();
    handle_until_quiet(10000);
    handle_until_quiet(10000);
    CHECK_INT(read(ends[1], bytes, sizeof bytes), -1);
    CHECK_INT(read(ends[0], bytes, sizeof bytes), 4);
    for (int fd = 3; fd < 4096; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0)
            taken -= fd != ends[0] && fd != ends[1] && fcntl(fd, F_GETFD) == 0;
    }
    CHECK_INT(taken, 0);
}

static const struct test_case tests[] = {
    REPAIRED(detaching_one_priority_keeps_the_other),
    REPAIRED(attaching_activates),
    REPAIRED(a_closed_descriptor_spoils_nothing),
    REPAIRED(a_closed_number_that_is_opened_again),
    CASE(a_hang_up_is_not_exceptional),
    CASE(a_limit_below_what_is_attached),
    CASE(no_descriptors_from_the_start),
    REPAIRED(a_closed_descriptor_below_the_limit),
    CASE(a_program_that_closes_every_number),
    CASE(numbers_that_were_the_library_s),
};

MAIN(tests)
