/* Signals. */
#include "events_check.h"

#include <setjmp.h>
#include <sys/time.h>

static volatile sig_atomic_t signals;

static void handle(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    SYS(sigaction(number, &action, NULL));
}

static void alarm_in_us(long first, long every)
{
    struct itimerval timer = {{0, every}, {0, first}};
    SYS(setitimer(ITIMER_REAL, &timer, NULL));
}

/* In a timer, so that the signal comes when the loop is under way: before, an exit is forgotten. */
static void arm(int code, void *data)
{
    (void)data;
    alarm_in_us(code, 0);
}

static void count(int number)
{
    (void)number;
    signals++;
}

static void exit_loop(int number)
{
    (void)number;
    signals++;
    E_exit_events_async_safe();
}

static long long due_at;

static void stamp(int code, void *data)
{
    (void)data;
    note("t", code);
    CHECK(now_us() + 1 >= due_at);
    alarm_in_us(0, 0);
    E_exit_events();
}

static void a_storm_keeps_the_times(void)
{
    E_init();
    handle(SIGALRM, count);
    alarm_in_us(10000, 10000);
    due_at = now_us() + 150000;
    E_queue(stamp, 1, NULL, after_us(150000));
    E_handle_events();
    CHECK_LOG("t1");
    CHECK(signals > 0);
}

static void reads(int fd, int code, void *data)
{
    char bytes[100];
    ssize_t got = read(fd, bytes, sizeof bytes);
    (void)data;
    if (got > 0)
        log_words += (int)got;
    (void)code;
    if (log_words >= 500)
        E_exit_events();
}

static int writing_end;

static void write_byte(int number)
{
    (void)number;
    signals++;
    if (write(writing_end, "x", 1) != 1)
        _exit(1);
}

static void descriptors_are_served_in_a_storm(void)
{
    int ends[2];
    E_init();
    make_pipe(ends);
    writing_end = ends[1];
    E_attach_fd(ends[0], READ_FD, reads, 1, NULL, LOW_PRIORITY);
    handle(SIGALRM, write_byte);
    alarm_in_us(1000, 1000);
    E_handle_events();
    alarm_in_us(0, 0);
    CHECK(signals >= 500);
}

static void a_handler_ends_a_loop_that_waits_for_ever(void)
{
    E_init();
    handle(SIGALRM, exit_loop);
    E_queue(arm, 50000, NULL, after_us(0));
    E_handle_events();
    CHECK_INT(signals, 1);
}

static void errno_is_kept(int number)
{
    (void)number;
    errno = 12345;
    E_exit_events_async_safe();
    if (errno != 12345)
        _exit(1);
    signals++;
}

static void a_handler_keeps_errno(void)
{
    E_init();
    errno_is_kept(0);
    handle(SIGALRM, errno_is_kept);
    for (int i = 0; i < 20; i++) {
        E_queue(arm, 5000, NULL, after_us(0));
        E_handle_events();
    }
    CHECK_INT(signals, 21);
}

/* Nobody takes the bytes that the calls may leave somewhere. */
static void exits_without_end_fill_nothing(void)
{
    E_init();
    handle_until_quiet(1000);
    for (int i = 0; i < 200000; i++)
        E_exit_events_async_safe();
    handle_until_quiet(1000);
}

/* The signal comes anywhere between the timer and the wait, or in the wait, which has no end. */
static void a_signal_just_before_the_wait_is_not_lost(void)
{
    E_init();
    handle(SIGALRM, exit_loop);
    for (int i = 0; i < 3000; i++) {
        E_queue(arm, 1 + i % 150, NULL, after_us(0));
        E_handle_events();
        CHECK_INT(signals, i + 1);
    }
}

/* The mask is the program's in callbacks and in the wait, and callbacks may change it. */
static void check_mask(int code, void *data)
{
    sigset_t mask;
    (void)data;
    SYS(sigprocmask(SIG_SETMASK, NULL, &mask));
    CHECK_INT(sigismember(&mask, SIGUSR1), code);
    CHECK_INT(sigismember(&mask, SIGUSR2), 1);
    CHECK_INT(sigismember(&mask, SIGALRM), 0);
    note("m", code);
}

static void block_usr1(int code, void *data)
{
    sigset_t mask;
    (void)code;
    (void)data;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    SYS(sigprocmask(SIG_BLOCK, &mask, NULL));
}

static void the_mask_is_the_program_s(void)
{
    sigset_t mask;
    E_init();
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    SYS(sigprocmask(SIG_SETMASK, &mask, NULL));
    E_queue(check_mask, 0, NULL, past(1));
    E_queue(block_usr1, 0, NULL, past(2));
    E_queue(check_mask, 1, NULL, past(3));
    handle_until_quiet(1000);
    CHECK_LOG("m0 m1");
    check_mask(1, NULL);
}

static void blocked(int number)
{
    (void)number;
    fail(__FILE__, __LINE__, "a blocked signal");
}

static void send_usr2(int code, void *data)
{
    (void)code;
    (void)data;
    SYS(kill(getpid(), SIGUSR2));
}

static void blocked_signals_stay_blocked_in_the_wait(void)
{
    sigset_t mask;
    E_init();
    handle(SIGUSR2, blocked);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    SYS(sigprocmask(SIG_SETMASK, &mask, NULL));
    E_queue(send_usr2, 0, NULL, after_us(0));
    handle_until_quiet(20000);
    SYS(sigpending(&mask));
    CHECK_INT(sigismember(&mask, SIGUSR2), 1);
}

static void timer(int code, void *data)
{
    (void)data;
    note("t", code);
}

static void loop_in_handler(int number)
{
    (void)number;
    signals++;
    E_queue(timer, 2, NULL, after_us(0));
    E_queue(timer_exit, 0, NULL, after_us(1000));
    E_handle_events();
}

/* Not that anybody should. */
static void a_loop_in_a_handler(void)
{
    int fd = ready_pipe(0);
    E_init();
    E_attach_fd(fd, READ_FD, reads, 1, NULL, LOW_PRIORITY);
    E_queue(timer, 1, NULL, after_us(0));
    handle(SIGALRM, loop_in_handler);
    E_queue(arm, 50000, NULL, after_us(0));
    E_handle_events();
    CHECK_INT(signals, 1);
    CHECK_LOG("t1 t2");
}

static void delay_ends_early(void)
{
    handle(SIGALRM, count);
    /* Again and again, in case the first one comes too early. */
    alarm_in_us(20000, 20000);
    /* Longer than the deadline of the case. */
    E_delay(after_us(500000000));
    alarm_in_us(0, 0);
    CHECK(signals > 0);
}

static sigjmp_buf away;

static void jump(int number)
{
    (void)number;
    siglongjmp(away, 1);
}

static volatile sig_atomic_t calls;

static void call(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
    calls++;
}

/* Out of whatever the loop is doing while a descriptor keeps it busy. */
static void a_handler_jumps_out_of_a_busy_loop(void)
{
    volatile int jumps = 0;
    int fd = ready_pipe(1);

    E_init();
    handle(SIGALRM, jump);
    E_attach_fd(fd, READ_FD, call, 0, NULL, LOW_PRIORITY);
    if (sigsetjmp(away, 1) != 0)
        jumps++;
    if (jumps < 100) {
        alarm_in_us(100 + 7 * jumps, 0);
        E_handle_events();
        fail(__FILE__, __LINE__, "the loop has returned");
    }
    CHECK(calls > 0);
    CHECK_INT(E_queue(stamp, 1, NULL, after_us(1000000)), 0);
    CHECK_INT(E_in_queue(stamp, 1, NULL), 1);
    CHECK_INT(E_dequeue(stamp, 1, NULL), 0);
    CHECK_INT(E_detach_fd(fd, READ_FD), 0);
}

static const struct test_case tests[] = {
    CASE(a_storm_keeps_the_times),
    CASE(descriptors_are_served_in_a_storm),
    CASE(a_handler_ends_a_loop_that_waits_for_ever),
    CASE(a_handler_keeps_errno),
    CASE(exits_without_end_fill_nothing),
    REPAIRED(a_signal_just_before_the_wait_is_not_lost),
    CASE(the_mask_is_the_program_s),
    CASE(blocked_signals_stay_blocked_in_the_wait),
    CASE(a_loop_in_a_handler),
    CASE(delay_ends_early),
    CASE(a_handler_jumps_out_of_a_busy_loop),
};

MAIN(tests)
