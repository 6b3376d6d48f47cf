/* Leaving the loop by other ways than its exit: longjmp, pthread_exit, pthread_cancel. Afterwards
 * the loop works again, in whatever thread. */
#include "events_check.h"

#include <setjmp.h>
#include <sys/time.h>

static jmp_buf back;
static sigjmp_buf back_from_signal;

static void timer(int code, void *data)
{
    (void)data;
    note("t", code);
}

static void reads(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    note("r", code);
}

/* Timers, descriptors and an exit. */
static void check_the_loop_works(void)
{
    int fd = ready_pipe(2);
    forget_log();
    CHECK_INT(E_queue(timer, 99, NULL, after_us(1000)), 0);
    CHECK_INT(E_attach_fd(fd, READ_FD, reads, 98, NULL, MEDIUM_PRIORITY), 0);
    handle_until_quiet(20000);
    CHECK_LOG("r98 r98 t99");
    CHECK_INT(E_detach_fd(fd, READ_FD), 0);
    forget_log();
}

static void timer_jumps(int code, void *data)
{
    timer(code, data);
    longjmp(back, 1);
}

static void jump_out_of_a_timer(void)
{
    E_init();
    for (volatile int i = 0; i < 1000; i++) {
        E_queue(timer_jumps, 1, NULL, past(1));
        E_queue(timer, 2, NULL, past(2));
        if (setjmp(back) == 0) {
            E_handle_events();
            fail(__FILE__, __LINE__, "came back");
        }
        CHECK_LOG("t1");
        CHECK_INT(E_in_queue(timer_jumps, 1, NULL), 0);
        CHECK_INT(E_dequeue(timer, 2, NULL), 0);
        forget_log();
    }
    check_the_loop_works();
}

static void read_jumps(int fd, int code, void *data)
{
    reads(fd, code, data);
    longjmp(back, 1);
}

static void jump_out_of_a_descriptor(void)
{
    int first = ready_pipe(1), second = ready_pipe(1);
    E_init();
    E_attach_fd(first, READ_FD, read_jumps, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(second, READ_FD, reads, 2, NULL, HIGH_PRIORITY);
    if (setjmp(back) == 0)
        E_handle_events();
    CHECK_LOG("r1");
    handle_until_quiet(10000);
    CHECK_LOG("r1 r2");
    check_the_loop_works();
}

static void inner_jumps(int code, void *data)
{
    (void)data;
    note("in", code);
    E_queue(timer_jumps, 2, NULL, past(1));
    if (setjmp(back) == 0)
        E_handle_events();
    note("back", code);
}

static void jump_out_of_an_inner_loop(void)
{
    E_init();
    E_queue(inner_jumps, 1, NULL, past(1));
    E_queue(timer, 3, NULL, after_us(30000));
    handle_until_quiet(60000);
    CHECK_LOG("in1 t2 back1 t3");
    check_the_loop_works();
}

static void signal_jumps(int number)
{
    (void)number;
    siglongjmp(back_from_signal, 1);
}

static void start_alarm(int code, void *data)
{
    struct itimerval alarm = {{0, 0}, {0, 20000}};
    (void)code;
    (void)data;
    SYS(setitimer(ITIMER_REAL, &alarm, NULL));
}

static void jump_out_of_the_wait(void)
{
    E_init();
    CHECK(signal(SIGALRM, signal_jumps) != SIG_ERR);
    E_attach_fd(ready_pipe(0), READ_FD, reads, 1, NULL, LOW_PRIORITY);
    for (volatile int i = 0; i < 20; i++) {
        E_queue(start_alarm, 0, NULL, after_us(0));
        if (sigsetjmp(back_from_signal, 1) == 0) {
            E_handle_events();
            fail(__FILE__, __LINE__, "came back");
        }
    }
    check_the_loop_works();
}

static void idle(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
}

/* The signal comes anywhere: in the wait, in a callback, between the two. */
static void jump_out_of_a_busy_loop(void)
{
    struct itimerval alarm = {{0, 0}, {0, 0}};
    int fd = ready_pipe(1);
    E_init();
    CHECK(signal(SIGALRM, signal_jumps) != SIG_ERR);
    E_attach_fd(fd, READ_FD, idle, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(ready_pipe(1), READ_FD, idle, 2, NULL, LOW_PRIORITY);
    for (volatile int i = 0; i < 5000; i++) {
        alarm.it_value.tv_usec = 1 + i % 97;
        if (sigsetjmp(back_from_signal, 1) == 0) {
            SYS(setitimer(ITIMER_REAL, &alarm, NULL));
            E_handle_events();
            fail(__FILE__, __LINE__, "came back");
        }
    }
    E_init();
    check_the_loop_works();
}

static void *in_a_thread(void *result)
{
    E_handle_events();
    return result;
}

/* Runs the loop in a thread and returns what the thread has returned. */
static void *result_of_thread(void)
{
    pthread_t thread;
    void *result;
    PTHREAD(pthread_create(&thread, NULL, in_a_thread, (void *)1));
    PTHREAD(pthread_join(thread, &result));
    return result;
}

static void timer_exits_thread(int code, void *data)
{
    timer(code, data);
    pthread_exit((void *)2);
}

static void read_exits_thread(int fd, int code, void *data)
{
    reads(fd, code, data);
    pthread_exit((void *)3);
}

static void thread_exit_in_callbacks(void)
{
    int fd = ready_pipe(100);
    E_init();
    for (int i = 0; i < 100; i++) {
        E_queue(timer_exits_thread, 1, NULL, after_us(0));
        CHECK(result_of_thread() == (void *)2);
        E_attach_fd(fd, READ_FD, read_exits_thread, 2, NULL, HIGH_PRIORITY);
        CHECK(result_of_thread() == (void *)3);
        E_detach_fd(fd, READ_FD);
        CHECK_LOG("t1 r2");
        forget_log();
    }
    check_the_loop_works();
}

/* A thread that blocks in the loop, or in a callback of it, until it is cancelled. */
static int started[2];

static void tell_started(int code, void *data)
{
    (void)code;
    (void)data;
    CHECK_INT(write(started[1], "x", 1), 1);
}

static void tell_started_and_block(int code, void *data)
{
    tell_started(code, data);
    for (;;)
        pause();
}

static void *cancel_when_started(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    void *result;
    make_pipe(started);
    PTHREAD(pthread_create(&thread, NULL, run, argument));
    take_byte(started[0]);
    PTHREAD(pthread_cancel(thread));
    PTHREAD(pthread_join(thread, &result));
    SYS(close(started[0]));
    SYS(close(started[1]));
    return result;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void cancel_in_the_wait(void)
{
    int before;
    E_init();
    E_attach_fd(ready_pipe(0), READ_FD, reads, 1, NULL, LOW_PRIORITY);
    check_the_loop_works();
    before = open_descriptors();
    for (int i = 0; i < 200; i++) {
        E_queue(tell_started, 0, NULL, after_us(0));
        CHECK(cancel_when_started(in_a_thread, NULL) == PTHREAD_CANCELED);
    }
    CHECK_INT(open_descriptors(), before);
    check_the_loop_works();
}

static void cancel_in_a_callback(void)
{
    E_init();
    for (int i = 0; i < 100; i++) {
        E_queue(tell_started_and_block, 0, NULL, after_us(0));
        CHECK(cancel_when_started(in_a_thread, NULL) == PTHREAD_CANCELED);
    }
    check_the_loop_works();
}

/* Cleanup handlers of the program run, above and below the loop. */
static int cleaned;

static void clean(void *data)
{
    (void)data;
    cleaned++;
}

static void *with_cleanup(void *result)
{
    pthread_cleanup_push(clean, NULL);
    E_handle_events();
    pthread_cleanup_pop(0);
    return result;
}

static void block_with_cleanup(int code, void *data)
{
    pthread_cleanup_push(clean, NULL);
    tell_started_and_block(code, data);
    pthread_cleanup_pop(0);
}

static void cleanup_handlers_run(void)
{
    E_init();
    E_queue(tell_started, 0, NULL, after_us(0));
    CHECK(cancel_when_started(with_cleanup, NULL) == PTHREAD_CANCELED);
    CHECK_INT(cleaned, 1);
    E_queue(block_with_cleanup, 0, NULL, after_us(0));
    CHECK(cancel_when_started(with_cleanup, NULL) == PTHREAD_CANCELED);
    CHECK_INT(cleaned, 3);
    check_the_loop_works();
}

static void *asynchronously(void *result)
{
    int old;
    PTHREAD(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
    E_handle_events();
    return result;
}

static void spin(int code, void *data)
{
    static volatile int for_ever = 1;
    tell_started(code, data);
    while (for_ever) {
    }
}

static void cancel_of_the_asynchronous_kind(void)
{
    E_init();
    for (int i = 0; i < 100; i++) {
        E_queue(i % 2 ? tell_started : spin, 0, NULL, after_us(0));
        CHECK(cancel_when_started(asynchronously, NULL) == PTHREAD_CANCELED);
    }
    check_the_loop_works();
}

static void *delays(void *result)
{
    tell_started(0, NULL);
    E_delay(after_us(500000000));
    return result;
}

static void cancel_in_a_delay(void)
{
    CHECK(cancel_when_started(delays, NULL) == PTHREAD_CANCELED);
}

/* The cancellation state is the caller's in callbacks, and theirs to change. */
static void check_state(int code, void *data)
{
    int old, ignored;
    (void)data;
    PTHREAD(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    CHECK_INT(old, code);
    PTHREAD(pthread_setcancelstate(old, &ignored));
    note("s", -1);
}

static void set_state(int code, void *data)
{
    int old;
    (void)data;
    PTHREAD(pthread_setcancelstate(code, &old));
}

static void the_cancellation_state_is_the_program_s(void)
{
    int fd[2], old;
    E_init();
    make_pipe(fd);
    E_queue(check_state, PTHREAD_CANCEL_ENABLE, NULL, after_us(0));
    E_queue(set_state, PTHREAD_CANCEL_DISABLE, NULL, after_us(1000));
    E_queue(check_state, PTHREAD_CANCEL_DISABLE, NULL, after_us(2000));
    handle_until_quiet(20000);
    CHECK_LOG("s s");
    PTHREAD(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    CHECK_INT(old, PTHREAD_CANCEL_DISABLE);
    PTHREAD(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old));
    E_queue(check_state, PTHREAD_CANCEL_ENABLE, NULL, after_us(0));
    handle_until_quiet(20000);
    CHECK_LOG("s s s");
}

static void *uncancelled(void *result)
{
    int old;
    PTHREAD(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
    E_handle_events();
    return result;
}

static void no_cancel_where_it_is_switched_off(void)
{
    E_init();
    E_queue(tell_started, 0, NULL, after_us(0));
    E_queue(timer_exit, 0, NULL, after_us(100000));
    CHECK(cancel_when_started(uncancelled, (void *)5) == (void *)5);
    check_the_loop_works();
}

/* A cancel that is pending does not act in calls that are no cancellation points. */
static void *calls_with_a_cancel_pending(void *fd)
{
    PTHREAD(pthread_cancel(pthread_self()));
    E_init();
    CHECK_INT(E_queue(timer, 1, NULL, after_us(0)), 0);
    CHECK_INT(E_in_queue(timer, 1, NULL), 1);
    CHECK_INT(E_attach_fd(*(int *)fd, READ_FD, reads, 1, NULL, LOW_PRIORITY), 0);
    CHECK_INT(E_detach_fd(*(int *)fd, READ_FD), 0);
    CHECK_INT(E_dequeue(timer, 1, NULL), 0);
    E_exit_events();
    E_exit_events_async_safe();
    note("passed", -1);
    E_handle_events();
    return NULL;
}

static void other_calls_are_no_cancellation_points(void)
{
    pthread_t thread;
    void *result;
    int fd = ready_pipe(0);
    E_init();
    check_the_loop_works();
    PTHREAD(pthread_create(&thread, NULL, calls_with_a_cancel_pending, &fd));
    PTHREAD(pthread_join(thread, &result));
    CHECK(result == PTHREAD_CANCELED);
    CHECK_LOG("passed");
    check_the_loop_works();
}

static const struct test_case tests[] = {
    CASE(jump_out_of_a_timer),
    CASE(jump_out_of_a_descriptor),
    CASE(jump_out_of_an_inner_loop),
    CASE(jump_out_of_the_wait),
    CASE(jump_out_of_a_busy_loop),
    CASE(thread_exit_in_callbacks),
    CASE(cancel_in_the_wait),
    CASE(cancel_in_a_callback),
    CASE(cleanup_handlers_run),
    CASE(cancel_of_the_asynchronous_kind),
    CASE(cancel_in_a_delay),
    CASE(the_cancellation_state_is_the_program_s),
    CASE(no_cancel_where_it_is_switched_off),
    CASE(other_calls_are_no_cancellation_points),
};

MAIN(tests)
