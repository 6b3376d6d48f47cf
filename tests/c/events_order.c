/* Who is called when, and what callbacks change on the way. */
#include "events_check.h"

static int fds[16], stop_after;

/* Attaches a pipe that is ready, under a number that its callback is given as code. */
static void attach_ready(int number, int bytes, void (*f)(int, int, void *), int priority)
{
    fds[number] = ready_pipe(bytes);
    CHECK_INT(E_attach_fd(fds[number], READ_FD, f, number, NULL, priority), 0);
}

static void called(const char *word, int code)
{
    note(word, code);
    if (log_words == stop_after)
        E_exit_events();
}

static void high(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    called("H", code);
}

static void medium(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    called("M", code);
}

static void low(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    called("L", code);
}

static void timer(int code, void *data)
{
    (void)data;
    called("t", code);
}

static void classes_of_priority(void)
{
    E_init();
    attach_ready(1, 1, low, LOW_PRIORITY);
    attach_ready(0, 1, medium, MEDIUM_PRIORITY);
    attach_ready(3, 1, high, HIGH_PRIORITY);
    attach_ready(4, 1, high, HIGH_PRIORITY);
    attach_ready(2, 1, low, LOW_PRIORITY);
    attach_ready(5, 1, high, HIGH_PRIORITY);
    E_queue(timer, 1, NULL, after_us(0));
    handle_until_quiet(10000);
    CHECK_LOG("H3 H4 H5 L1 M0 L2 t1");
}

static void timers_wait_for_a_quiet_round(void)
{
    E_init();
    attach_ready(0, 3, high, HIGH_PRIORITY);
    attach_ready(1, 1, low, LOW_PRIORITY);
    attach_ready(2, 1, low, LOW_PRIORITY);
    attach_ready(3, 1, medium, MEDIUM_PRIORITY);
    E_queue(timer, 1, NULL, after_us(0));
    handle_until_quiet(10000);
    CHECK_LOG("H0 L1 H0 L2 H0 M3 t1");
}

static void fill_and_queue(int code, void *data)
{
    timer(code, data);
    attach_ready(0, 2, high, HIGH_PRIORITY);
    E_queue(timer, 2, NULL, after_us(0));
    E_queue(timer, 3, NULL, past(1));
}

static void timers_come_first_afterwards(void)
{
    E_init();
    E_queue(fill_and_queue, 1, NULL, after_us(1000));
    handle_until_quiet(10000);
    /* The classic library runs the timers before it looks at descriptors again; here those queued
     * by a timer wait for the next round. */
    if (strcmp(log_text, "t1 t3 t2 H0 H0") != 0)
        CHECK_LOG("t1 H0 t3 t2 H0");
}

static void medium_starves_and_low_does_not(void)
{
    E_init();
    attach_ready(0, 100, high, HIGH_PRIORITY);
    attach_ready(1, 100, medium, MEDIUM_PRIORITY);
    attach_ready(2, 100, low, LOW_PRIORITY);
    stop_after = 6;
    E_handle_events();
    CHECK_LOG("H0 L2 H0 L2 H0 L2");
}

static void low_takes_turns(void)
{
    E_init();
    for (int i = 0; i < 4; i++)
        attach_ready(i, 100, low, LOW_PRIORITY);
    stop_after = 7;
    E_handle_events();
    CHECK_LOG("L0 L1 L2 L3 L0 L1 L2");
    stop_after = 9;
    E_handle_events();
    CHECK_LOG("L0 L1 L2 L3 L0 L1 L2 L3 L0");
}

static void low_and_detach(int fd, int code, void *data)
{
    CHECK_INT(E_detach_fd(fd, READ_FD), 0);
    low(fd, code, data);
}

static void low_takes_turns_when_one_goes(void)
{
    E_init();
    for (int i = 0; i < 4; i++)
        attach_ready(i, 100, i == 1 ? low_and_detach : low, LOW_PRIORITY);
    stop_after = 6;
    E_handle_events();
    CHECK_LOG("L0 L1 L2 L0 L3 L2");
}

static void low_takes_turns_when_the_last_goes(void)
{
    E_init();
    for (int i = 0; i < 4; i++)
        attach_ready(i, 100, i == 3 ? low_and_detach : low, LOW_PRIORITY);
    stop_after = 6;
    E_handle_events();
    CHECK_LOG("L0 L1 L2 L3 L0 L1");
}

static void high_and_detach_1(int fd, int code, void *data)
{
    high(fd, code, data);
    CHECK_INT(E_detach_fd(fds[1], READ_FD), 0);
}

static void detached_in_the_round(void)
{
    E_init();
    attach_ready(0, 1, high_and_detach_1, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    attach_ready(2, 1, high, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0 H2");
}

static void high_and_detach(int fd, int code, void *data)
{
    high(fd, code, data);
    CHECK_INT(E_detach_fd(fd, READ_FD), 0);
}

static void detaching_itself(void)
{
    E_init();
    attach_ready(0, 1, high_and_detach, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    attach_ready(2, 1, high, HIGH_PRIORITY);
    attach_ready(3, 1, low, LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0 H1 L3 H2");
}

static void high_and_attach(int fd, int code, void *data)
{
    high(fd, code, data);
    attach_ready(2, 1, high, HIGH_PRIORITY);
}

static void attached_in_the_round(void)
{
    E_init();
    attach_ready(0, 1, high_and_attach, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    attach_ready(3, 1, low, LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0 H1 L3 H2");
}

static void exit_leaves_the_others_for_later(void)
{
    E_init();
    attach_ready(0, 1, high, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    attach_ready(2, 1, low, LOW_PRIORITY);
    stop_after = 1;
    E_handle_events();
    CHECK_LOG("H0");
    handle_until_quiet(10000);
    CHECK_LOG("H0 H1 L2");
}

static void high_and_threshold(int fd, int code, void *data)
{
    high(fd, code, data);
    CHECK_INT(E_set_active_threshold(MEDIUM_PRIORITY), MEDIUM_PRIORITY);
}

static void a_threshold_in_the_round(void)
{
    E_init();
    attach_ready(0, 1, high_and_threshold, HIGH_PRIORITY);
    attach_ready(1, 1, medium, MEDIUM_PRIORITY);
    attach_ready(2, 1, low, LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0 M1");
}

static void medium_and_threshold(int fd, int code, void *data)
{
    medium(fd, code, data);
    CHECK_INT(E_set_active_threshold(HIGH_PRIORITY), HIGH_PRIORITY);
}

static void a_threshold_counts_at_once(void)
{
    E_init();
    attach_ready(0, 1, medium_and_threshold, MEDIUM_PRIORITY);
    attach_ready(1, 1, medium, MEDIUM_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("M0");
    E_set_active_threshold(LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("M0 M1");
}

static void high_and_deactivate_1(int fd, int code, void *data)
{
    high(fd, code, data);
    CHECK_INT(E_deactivate_fd(fds[1], READ_FD), 0);
}

static void deactivated_in_the_round(void)
{
    E_init();
    attach_ready(0, 1, high_and_deactivate_1, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0");
    E_activate_fd(fds[1], READ_FD);
    handle_until_quiet(10000);
    CHECK_LOG("H0 H1");
}

static void high_and_reopen_1(int fd, int code, void *data)
{
    int empty = ready_pipe(0);
    high(fd, code, data);
    if (code == 0)
        CHECK_INT(E_detach_fd(fds[1], READ_FD), 0);
    SYS(dup2(empty, fds[1]));
    CHECK_INT(E_attach_fd(fds[1], READ_FD, high, 9, NULL, HIGH_PRIORITY), code == 0 ? 0 : 1);
}

/* The callback would block in its read. */
static void a_new_descriptor_of_the_same_number(void)
{
    E_init();
    attach_ready(0, 1, high_and_reopen_1, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0");
}

static void a_new_descriptor_that_replaces_the_old_one(void)
{
    E_init();
    fds[3] = ready_pipe(1);
    CHECK_INT(E_attach_fd(fds[3], READ_FD, high_and_reopen_1, 3, NULL, HIGH_PRIORITY), 0);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H3");
}

static void high_and_replace_1(int fd, int code, void *data)
{
    high(fd, code, data);
    CHECK_INT(E_attach_fd(fds[1], READ_FD, high, 7, NULL, HIGH_PRIORITY), 1);
}

static void replaced_in_the_round(void)
{
    E_init();
    attach_ready(0, 1, high_and_replace_1, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0 H7");
}

static void one_byte_is_read_once(void)
{
    E_init();
    attach_ready(0, 1, high, HIGH_PRIORITY);
    /* A second callback for the byte that the first one takes would block. */
    CHECK_INT(E_attach_fd(fds[0], READ_FD, low, 1, NULL, LOW_PRIORITY), 0);
    attach_ready(2, 1, low, LOW_PRIORITY);
    handle_until_quiet(10000);
    CHECK_LOG("H0 L2");
}

static void idle_writer(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
    log_words++;
}

static void a_writer_that_is_always_ready(void)
{
    int ends[2];
    E_init();
    SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    E_attach_fd(ends[0], WRITE_FD, idle_writer, 0, NULL, HIGH_PRIORITY);
    E_queue(timer_exit, 0, NULL, after_us(0));
    E_handle_events();
    CHECK_INT(log_words, 100);
}

static void inner_loop(int fd, int code, void *data)
{
    high(fd, code, data);
    E_handle_events();
    note("out", -1);
}

static void a_loop_in_a_callback(void)
{
    E_init();
    attach_ready(0, 1, inner_loop, HIGH_PRIORITY);
    attach_ready(1, 1, high, HIGH_PRIORITY);
    attach_ready(2, 1, low, LOW_PRIORITY);
    attach_ready(3, 1, low, LOW_PRIORITY);
    stop_after = 3;
    E_handle_events();
    CHECK_LOG("H0 H1 L2 out");
    handle_until_quiet(10000);
    CHECK_LOG("H0 H1 L2 out L3");
}

static void high_and_init(int fd, int code, void *data)
{
    high(fd, code, data);
    E_init();
    E_queue(timer_exit, 0, NULL, after_us(1000));
}

static void init_in_a_callback(void)
{
    E_init();
    for (int i = 0; i < 3; i++)
        attach_ready(i, 1, high_and_init, HIGH_PRIORITY);
    attach_ready(4, 1, low, LOW_PRIORITY);
    E_handle_events();
    CHECK_LOG("H0");
}

static int busy_calls;
static int second;

static void in_between(int code, void *data)
{
    (void)data;
    note("t", code);
}

static void call_second(int fd, int code, void *data)
{
    (void)fd;
    (void)data;
    note("s", code);
    E_exit_events();
}

/* The only ready descriptor, hundreds of times; then it changes one thing after the other. */
static void call_busy(int fd, int code, void *data)
{
    (void)code;
    (void)data;
    busy_calls++;
    if (busy_calls > 500)
        note("b", busy_calls);
    switch (busy_calls) {
    case 501:
        E_queue(in_between, 1, NULL, after_us(0));
        break;
    case 503:
        E_queue(in_between, 2, NULL, after_us(0));
        break;
    case 504:
        E_attach_fd(second, READ_FD, call_second, 1, NULL, LOW_PRIORITY);
        E_detach_fd(fd, READ_FD);
        break;
    default:
        break;
    }
}

static void changes_count_at_once_in_a_busy_loop(void)
{
    int fd = ready_pipe(1);

    second = ready_pipe(1);
    E_init();
    E_attach_fd(fd, READ_FD, call_busy, 0, NULL, LOW_PRIORITY);
    E_handle_events();
    CHECK_INT(busy_calls, 504);
    CHECK_LOG("b501 t1 b502 b503 t2 b504 s1");
}

static int other_pipe[2], quiet_pipe[2];

static void call_other(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    note("o", code);
}

/* The only ready descriptor, hundreds of times; then another one is ready too, and then another file is under its number. */
static void call_crowded(int fd, int code, void *data)
{
    (void)code;
    (void)data;
    busy_calls++;
    if (busy_calls > 500)
        note("b", busy_calls);
    switch (busy_calls) {
    case 501:
        CHECK_INT(write(other_pipe[1], "x", 1), 1);
        break;
    case 503:
        SYS(dup2(quiet_pipe[0], fd));
        CHECK_INT(write(quiet_pipe[1], "x", 1), 1);
        break;
    case 504:
        take_byte(fd);
        CHECK_INT(write(second, "x", 1), 1);
        break;
    default:
        break;
    }
}

static void what_gets_ready_counts_at_once_in_a_busy_loop(void)
{
    int fd = ready_pipe(1);
    int last[2];

    make_pipe(other_pipe);
    make_pipe(quiet_pipe);
    make_pipe(last);
    second = last[1];
    E_init();
    E_attach_fd(fd, READ_FD, call_crowded, 0, NULL, LOW_PRIORITY);
    E_attach_fd(other_pipe[0], READ_FD, call_other, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(last[0], READ_FD, call_second, 1, NULL, LOW_PRIORITY);
    E_handle_events();
    CHECK_INT(busy_calls, 504);
    CHECK_LOG("b501 o1 b502 b503 b504 s1");
}

static const struct test_case tests[] = {
    CASE(classes_of_priority),
    CASE(timers_wait_for_a_quiet_round),
    CASE(timers_come_first_afterwards),
    CASE(medium_starves_and_low_does_not),
    CASE(low_takes_turns),
    CASE(low_takes_turns_when_one_goes),
    CASE(low_takes_turns_when_the_last_goes),
    CASE(detached_in_the_round),
    CASE(detaching_itself),
    CASE(attached_in_the_round),
    CASE(exit_leaves_the_others_for_later),
    CASE(a_threshold_in_the_round),
    REPAIRED(a_threshold_counts_at_once),
    REPAIRED(deactivated_in_the_round),
    REPAIRED(a_new_descriptor_of_the_same_number),
    REPAIRED(a_new_descriptor_that_replaces_the_old_one),
    CASE(replaced_in_the_round),
    REPAIRED(one_byte_is_read_once),
    REPAIRED(a_writer_that_is_always_ready),
    CASE(a_loop_in_a_callback),
    CASE(init_in_a_callback),
    CASE(changes_count_at_once_in_a_busy_loop),
    CASE(what_gets_ready_counts_at_once_in_a_busy_loop),
};

MAIN(tests)
