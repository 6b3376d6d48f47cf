/* Attached descriptors: arguments, results, what makes them ready. */
#include "events_check.h"

#include <limits.h>
#include <netinet/in.h>

static void called(int fd, int code, void *data)
{
    (void)fd;
    (void)data;
    note("c", code);
    if (log_words % 3 == 0)
        E_exit_events();
}

static void reads(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    note("r", code);
}

static void never(int fd, int code, void *data)
{
    (void)fd;
    (void)data;
    note("never", code);
}

static void results(void)
{
    int a = ready_pipe(0), b = ready_pipe(0);
    E_init();
    CHECK_INT(E_num_active(LOW_PRIORITY), 0);
    CHECK_INT(E_attach_fd(a, READ_FD, never, 1, NULL, LOW_PRIORITY), 0);
    CHECK_INT(E_attach_fd(a, READ_FD, never, 2, NULL, LOW_PRIORITY), 1);
    CHECK_INT(E_attach_fd(a, EXCEPT_FD, never, 1, NULL, LOW_PRIORITY), 0);
    CHECK_INT(E_attach_fd(a, READ_FD, never, 1, NULL, MEDIUM_PRIORITY), 0);
    CHECK_INT(E_attach_fd(b, READ_FD, never, 1, NULL, LOW_PRIORITY), 0);
    CHECK_INT(E_num_active(LOW_PRIORITY), 3);
    CHECK_INT(E_num_active(MEDIUM_PRIORITY), 1);
    CHECK_INT(E_num_active(HIGH_PRIORITY), 0);

    CHECK_INT(E_deactivate_fd(a, READ_FD), 0);
    CHECK_INT(E_deactivate_fd(a, READ_FD), 0);
    CHECK_INT(E_num_active(LOW_PRIORITY), 2);
    CHECK_INT(E_num_active(MEDIUM_PRIORITY), 0);
    CHECK_INT(E_activate_fd(a, READ_FD), 0);
    CHECK_INT(E_num_active(LOW_PRIORITY), 3);
    CHECK_INT(E_activate_fd(b, WRITE_FD), -1);
    CHECK_INT(E_deactivate_fd(b, WRITE_FD), -1);

    CHECK_INT(E_detach_fd_priority(a, READ_FD, HIGH_PRIORITY), -1);
    CHECK_INT(E_detach_fd_priority(a, READ_FD, MEDIUM_PRIORITY), 0);
    CHECK_INT(E_detach_fd_priority(a, READ_FD, MEDIUM_PRIORITY), -1);
    CHECK_INT(E_detach_fd(a, READ_FD), 0);
    CHECK_INT(E_detach_fd(a, READ_FD), -1);
    CHECK_INT(E_detach_fd(a, WRITE_FD), -1);
    CHECK_INT(E_num_active(LOW_PRIORITY), 2);

    CHECK_INT(E_set_active_threshold(HIGH_PRIORITY), HIGH_PRIORITY);
    CHECK_INT(E_num_active(LOW_PRIORITY), 2);
    CHECK_INT(E_set_active_threshold(LOW_PRIORITY), LOW_PRIORITY);
    CHECK_INT(E_init(), 0);
    CHECK_INT(E_num_active(LOW_PRIORITY), 0);
    CHECK_INT(E_detach_fd(b, READ_FD), -1);
}

static void bad_arguments(void)
{
    int fd = ready_pipe(0);
    static const int bad[] = {-1, 3, INT_MAX, INT_MIN};
    E_init();
    for (int i = 0; i < 4; i++) {
        CHECK_INT(E_attach_fd(fd, bad[i], never, 0, NULL, LOW_PRIORITY), -1);
        CHECK_INT(E_attach_fd(fd, READ_FD, never, 0, NULL, bad[i]), -1);
        CHECK_INT(E_detach_fd(fd, bad[i]), -1);
        CHECK_INT(E_detach_fd_priority(fd, bad[i], LOW_PRIORITY), -1);
        CHECK_INT(E_activate_fd(fd, bad[i]), -1);
        CHECK_INT(E_deactivate_fd(fd, bad[i]), -1);
        CHECK_INT(E_set_active_threshold(bad[i]), -1);
        CHECK_INT(E_num_active(bad[i]), -1);
    }
    CHECK_INT(E_attach_fd(-1, READ_FD, never, 0, NULL, LOW_PRIORITY), -1);
    CHECK_INT(E_attach_fd(INT_MIN, READ_FD, never, 0, NULL, LOW_PRIORITY), -1);
    CHECK_INT(E_num_active(LOW_PRIORITY), 0);
}

static void bad_priority_of_detach(void)
{
    int fd = ready_pipe(0);
    E_init();
    E_attach_fd(fd, READ_FD, never, 0, NULL, LOW_PRIORITY);
    CHECK_INT(E_detach_fd_priority(fd, READ_FD, -1), -1);
    CHECK_INT(E_detach_fd_priority(fd, READ_FD, 3), -1);
    CHECK_INT(E_detach_fd_priority(fd, READ_FD, INT_MAX), -1);
    CHECK_INT(E_num_active(LOW_PRIORITY), 1);
}

static void nothing_is_printed(void)
{
    char text[64];
    int out[2], stdout_copy = SYS(dup(1)), stderr_copy = SYS(dup(2));
    make_pipe(out);
    SYS(dup2(out[1], 1));
    SYS(dup2(out[1], 2));
    bad_arguments();
    bad_priority_of_detach();
    fflush(NULL);
    SYS(dup2(stdout_copy, 1));
    SYS(dup2(stderr_copy, 2));
    SYS(fcntl(out[0], F_SETFL, O_NONBLOCK));
    CHECK_INT(read(out[0], text, sizeof text), -1);
    CHECK_INT(errno, EAGAIN);
}

static void arguments(int fd, int code, void *data)
{
    CHECK_INT(fd, *(int *)data);
    CHECK_INT(code, INT_MIN);
    take_byte(fd);
    note("called", -1);
    E_exit_events();
}

static void arguments_pass_untouched(void)
{
    int fd = ready_pipe(1);
    E_init();
    E_attach_fd(fd, READ_FD, arguments, INT_MIN, &fd, HIGH_PRIORITY);
    E_handle_events();
    CHECK_LOG("called");
}

static void attaching_again_replaces(void)
{
    int fd = ready_pipe(1);
    E_init();
    CHECK_INT(E_attach_fd(fd, READ_FD, never, 1, NULL, LOW_PRIORITY), 0);
    CHECK_INT(E_attach_fd(fd, READ_FD, reads, 2, NULL, LOW_PRIORITY), 1);
    handle_until_quiet(10000);
    CHECK_LOG("r2");
}

static void readiness_is_a_state(void)
{
    E_init();
    E_attach_fd(ready_pipe(1), READ_FD, called, 1, NULL, MEDIUM_PRIORITY);
    E_handle_events();
    CHECK_LOG("c1 c1 c1");
    E_handle_events();
    CHECK_LOG("c1 c1 c1 c1 c1 c1");
}

static void until_the_end(int fd, int code, void *data)
{
    char byte;
    ssize_t got = read(fd, &byte, 1);
    (void)data;
    note(got > 0 ? "data" : "end", code);
    if (log_words == 4) {
        CHECK_INT(E_detach_fd(fd, READ_FD), 0);
        SYS(close(fd));
    }
}

static void the_end_of_a_stream_is_readable(void)
{
    int ends[2];
    E_init();
    make_pipe(ends);
    CHECK_INT(write(ends[1], "xx", 2), 2);
    SYS(close(ends[1]));
    E_attach_fd(ends[0], READ_FD, until_the_end, 1, NULL, LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("data1 data1 end1 end1");
}

static void writable(int fd, int code, void *data)
{
    (void)data;
    note("w", code);
    if (log_words == 2)
        CHECK_INT(E_detach_fd(fd, WRITE_FD), 0);
}

static void drain_other_end(int code, void *data)
{
    static char bytes[65536];
    note("drain", code);
    while (read(*(int *)data, bytes, sizeof bytes) > 0) {
    }
}

static void writing_waits_for_room(void)
{
    int ends[2];
    static char bytes[65536];
    E_init();
    SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    while (write(ends[0], bytes, sizeof bytes) > 0) {
    }
    E_attach_fd(ends[0], WRITE_FD, writable, 1, NULL, HIGH_PRIORITY);
    E_queue(drain_other_end, 0, &ends[1], after_us(30000));
    handle_until_quiet(60000);
    CHECK_LOG("drain0 w1");
}

static void a_broken_pipe_is_writable(void)
{
    int ends[2];
    E_init();
    make_pipe(ends);
    SYS(close(ends[0]));
    E_attach_fd(ends[1], WRITE_FD, writable, 1, NULL, LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("w1 w1");
}

static void urgent(int fd, int code, void *data)
{
    char byte;
    (void)data;
    note("u", code);
    CHECK_INT(recv(fd, &byte, 1, MSG_OOB), 1);
    CHECK_INT(E_detach_fd(fd, EXCEPT_FD), 0);
}

static void urgent_data_is_exceptional(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int listener = SYS(socket(AF_INET, SOCK_STREAM, 0)), ends[2];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SYS(bind(listener, (struct sockaddr *)&address, sizeof address));
    SYS(listen(listener, 1));
    SYS(getsockname(listener, (struct sockaddr *)&address, &length));
    ends[0] = SYS(socket(AF_INET, SOCK_STREAM, 0));
    SYS(connect(ends[0], (struct sockaddr *)&address, sizeof address));
    ends[1] = SYS(accept(listener, NULL, NULL));

    E_init();
    E_attach_fd(ends[1], EXCEPT_FD, urgent, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(ends[1], READ_FD, reads, 2, NULL, HIGH_PRIORITY);
    CHECK_INT(send(ends[0], "x", 1, 0), 1);
    handle_until_quiet(20000);
    CHECK_LOG("r2");
    CHECK_INT(send(ends[0], "!", 1, MSG_OOB), 1);
    handle_until_quiet(50000);
    CHECK_LOG("r2 u1");
}

static void types_are_independent(void)
{
    int ends[2];
    E_init();
    SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    CHECK_INT(write(ends[1], "x", 1), 1);
    E_attach_fd(ends[0], READ_FD, reads, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(ends[0], WRITE_FD, called, 2, NULL, HIGH_PRIORITY);
    E_handle_events();
    CHECK_LOG("r1 c2 c2");
    CHECK_INT(E_detach_fd(ends[0], WRITE_FD), 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    handle_until_quiet(10000);
    CHECK_LOG("r1 c2 c2 r1");
}

static void deactivated_is_silent(void)
{
    int fd = ready_pipe(1);
    E_init();
    E_attach_fd(fd, READ_FD, reads, 1, NULL, LOW_PRIORITY);
    CHECK_INT(E_deactivate_fd(fd, READ_FD), 0);
    handle_until_quiet(10000);
    CHECK_LOG("");
    CHECK_INT(E_activate_fd(fd, READ_FD), 0);
    handle_until_quiet(10000);
    CHECK_LOG("r1");
}

static void the_threshold_silences(void)
{
    E_init();
    E_attach_fd(ready_pipe(1), READ_FD, reads, 0, NULL, LOW_PRIORITY);
    E_attach_fd(ready_pipe(1), READ_FD, reads, 1, NULL, MEDIUM_PRIORITY);
    E_attach_fd(ready_pipe(1), READ_FD, reads, 2, NULL, HIGH_PRIORITY);
    E_set_active_threshold(HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("r2");
    E_set_active_threshold(MEDIUM_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("r2 r1");
    E_set_active_threshold(LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("r2 r1 r0");
}

static void attached_below_the_threshold(void)
{
    int fd = ready_pipe(1);
    E_init();
    E_set_active_threshold(MEDIUM_PRIORITY);
    CHECK_INT(E_attach_fd(fd, READ_FD, reads, 0, NULL, LOW_PRIORITY), 0);
    CHECK_INT(E_num_active(LOW_PRIORITY), 1);
    handle_until_quiet(10000);
    CHECK_LOG("");
    E_set_active_threshold(LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("r0");
}

static void works_without_init(void)
{
    CHECK_INT(E_attach_fd(ready_pipe(3), READ_FD, called, 1, NULL, LOW_PRIORITY), 0);
    E_handle_events();
    CHECK_LOG("c1 c1 c1");
}

static void no_function_is_no_call(void)
{
    int fd = ready_pipe(1);
    E_init();
    CHECK_INT(E_attach_fd(fd, READ_FD, NULL, 1, NULL, HIGH_PRIORITY), 0);
    CHECK_INT(E_num_active(HIGH_PRIORITY), 1);
    handle_until_quiet(10000);
    CHECK_INT(E_attach_fd(fd, READ_FD, reads, 1, NULL, HIGH_PRIORITY), 1);
    handle_until_quiet(10000);
    CHECK_LOG("r1");
}

/* Numbers up to `highest` must be possible. */
static void raise_limit(int highest)
{
    struct rlimit limit;
    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur <= (rlim_t)highest) {
        limit.rlim_cur = highest + 1;
        if (limit.rlim_cur > limit.rlim_max) {
            printf("skipped: no more than %llu descriptors\n", (unsigned long long)limit.rlim_max);
            exit(0);
        }
        SYS(setrlimit(RLIMIT_NOFILE, &limit));
    }
}

static void numbers_of_any_size(void)
{
    static const int numbers[] = {1023, 1024, 1025, 3000};
    raise_limit(3000);
    E_init();
    for (int i = 0; i < 4; i++) {
        CHECK_INT(dup2(ready_pipe(1), numbers[i]), numbers[i]);
        CHECK_INT(E_attach_fd(numbers[i], READ_FD, reads, i, NULL, HIGH_PRIORITY), 0);
    }
    handle_until_quiet(10000);
    CHECK_LOG("r0 r1 r2 r3");
}

static int counted[3100];

static void counts(int fd, int code, void *data)
{
    (void)data;
    counted[code]++;
    log_words++;
    CHECK_INT(E_detach_fd(fd, READ_FD), 0);
}

static void more_than_two_thousand(void)
{
    int ready, high[2];
    raise_limit(3200);
    ready = ready_pipe(1);
    make_pipe(high);
    E_init();
    for (int i = 0; i < 3100; i++) {
        int fd = SYS(dup(ready));
        CHECK_INT(E_attach_fd(fd, READ_FD, counts, i, NULL, LOW_PRIORITY), 0);
    }
    CHECK_INT(E_num_active(LOW_PRIORITY), 3100);
    handle_until_quiet(10000);
    for (int i = 0; i < 3100; i++)
        CHECK_INT(counted[i], 1);
    CHECK_INT(E_num_active(LOW_PRIORITY), 0);
}

static const struct test_case tests[] = {
    CASE(results),
    CASE(bad_arguments),
    REPAIRED(bad_priority_of_detach),
    REPAIRED(nothing_is_printed),
    CASE(arguments_pass_untouched),
    CASE(attaching_again_replaces),
    CASE(readiness_is_a_state),
    CASE(the_end_of_a_stream_is_readable),
    CASE(writing_waits_for_room),
    CASE(a_broken_pipe_is_writable),
    CASE(urgent_data_is_exceptional),
    CASE(types_are_independent),
    CASE(deactivated_is_silent),
    CASE(the_threshold_silences),
    CASE(attached_below_the_threshold),
    CASE(works_without_init),
    REPAIRED(no_function_is_no_call),
    REPAIRED(numbers_of_any_size),
    REPAIRED(more_than_two_thousand),
};

MAIN(tests)
