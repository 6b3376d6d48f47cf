/* Timers. */
#include "events_check.h"

#include <limits.h>

static void timer(int code, void *data)
{
    (void)data;
    note("t", code);
}

static void other(int code, void *data)
{
    (void)data;
    note("o", code);
}

static void triples_name_timers(void)
{
    int a, b;
    E_init();
    CHECK_INT(E_in_queue(timer, 1, &a), 0);
    CHECK_INT(E_dequeue(timer, 1, &a), -1);
    CHECK_INT(E_queue(timer, 1, &a, after_us(1000000)), 0);
    CHECK_INT(E_in_queue(timer, 1, &a), 1);
    CHECK_INT(E_in_queue(timer, 2, &a), 0);
    CHECK_INT(E_in_queue(timer, 1, &b), 0);
    CHECK_INT(E_in_queue(other, 1, &a), 0);
    CHECK_INT(E_queue(timer, 2, &a, after_us(1000000)), 0);
    CHECK_INT(E_queue(timer, 1, &b, after_us(1000000)), 0);
    CHECK_INT(E_queue(other, 1, &a, after_us(1000000)), 0);
    CHECK_INT(E_dequeue(timer, 1, &a), 0);
    CHECK_INT(E_dequeue(timer, 1, &a), -1);
    CHECK_INT(E_in_queue(timer, 2, &a), 1);
    CHECK_INT(E_in_queue(timer, 1, &b), 1);
    CHECK_INT(E_in_queue(other, 1, &a), 1);
    CHECK_INT(E_init(), 0);
    CHECK_INT(E_in_queue(timer, 2, &a), 0);
}

static void the_newer_time_wins(void)
{
    E_init();
    E_queue(timer, 1, NULL, past(5));
    E_queue(timer, 1, NULL, past(1));
    E_queue(timer, 2, NULL, past(3));
    E_queue(timer, 1, NULL, past(4));
    handle_until_quiet(10000);
    CHECK_LOG("t2 t1");
}

static void order_of_times_then_of_queueing(void)
{
    E_init();
    E_queue(timer, 1, NULL, after_us(20000));
    E_queue(timer, 2, NULL, past(3));
    E_queue(timer, 3, NULL, after_us(20000));
    E_queue(timer, 4, NULL, past(1));
    E_queue(timer, 5, NULL, past(4));
    E_queue(timer, 6, NULL, past(2));
    E_queue(timer, 7, NULL, after_us(20000));
    handle_until_quiet(50000);
    CHECK_LOG("t4 t6 t2 t5 t1 t3 t7");
}

static long long due_at, ran_at;

static void stamp(int code, void *data)
{
    (void)code;
    (void)data;
    ran_at = now_us();
    E_exit_events();
}

static void no_timer_runs_early(void)
{
    E_init();
    for (long delay = 1; delay < 30000; delay = delay * 3 + 7) {
        due_at = now_us() + delay;
        E_queue(stamp, 0, NULL, after_us(delay));
        E_handle_events();
        /* The loop rounds its clock to nearest, now_us cuts. */
        CHECK(ran_at + 1 >= due_at);
    }
}

static void microseconds_beyond_a_second(void)
{
    sp_time delay = {0, 1100000};
    E_init();
    due_at = now_us() + 1100000;
    E_queue(stamp, 0, NULL, delay);
    E_handle_events();
    CHECK(ran_at + 1 >= due_at);
}

static void arguments(int code, void *data)
{
    CHECK_INT(code, INT_MIN);
    CHECK(data == (void *)0x1234567);
    note("called", -1);
    E_exit_events();
}

static void arguments_pass_untouched(void)
{
    E_init();
    E_queue(arguments, INT_MIN, (void *)0x1234567, after_us(0));
    E_handle_events();
    CHECK_LOG("called");
}

static void again(int code, void *data)
{
    CHECK_INT(E_in_queue(again, code, data), 0);
    CHECK_INT(E_dequeue(again, code, data), -1);
    note("a", code);
    if (log_words == 3) {
        E_exit_events();
        return;
    }
    CHECK_INT(E_queue(again, code, data, after_us(1000)), 0);
    CHECK_INT(E_in_queue(again, code, data), 1);
}

static void a_timer_may_queue_itself(void)
{
    E_init();
    E_queue(again, 9, NULL, after_us(0));
    E_handle_events();
    CHECK_LOG("a9 a9 a9");
}

static void take_away(int code, void *data)
{
    (void)data;
    note("take", code);
    CHECK_INT(E_dequeue(timer, 2, NULL), 0);
}

static void a_timer_may_take_another_due_one_away(void)
{
    E_init();
    E_queue(take_away, 1, NULL, past(1));
    E_queue(timer, 2, NULL, past(2));
    E_queue(timer, 3, NULL, past(3));
    handle_until_quiet(20000);
    CHECK_LOG("take1 t3");
}

static void exit_timer(int code, void *data)
{
    timer(code, data);
    E_exit_events();
}

static void exit_keeps_the_other_due_timers(void)
{
    E_init();
    E_queue(exit_timer, 1, NULL, past(1));
    E_queue(timer, 2, NULL, past(2));
    E_handle_events();
    CHECK_LOG("t1");
    CHECK_INT(E_in_queue(timer, 2, NULL), 1);
    handle_until_quiet(20000);
    CHECK_LOG("t1 t2");
}

static void exit_outside_is_forgotten(void)
{
    E_init();
    E_exit_events();
    E_exit_events_async_safe();
    E_queue(timer, 1, NULL, after_us(20000));
    handle_until_quiet(40000);
    CHECK_LOG("t1");
}

static void drop_all(int code, void *data)
{
    timer(code, data);
    E_init();
    E_queue(timer, 3, NULL, after_us(1000));
    E_queue(timer_exit, 0, NULL, after_us(20000));
}

static void init_drops_all_timers(void)
{
    E_init();
    E_queue(timer, 1, NULL, after_us(0));
    E_init();
    E_queue(drop_all, 2, NULL, past(1));
    E_queue(timer, 4, NULL, past(2));
    E_handle_events();
    CHECK_LOG("t2 t3");
}

static void inner(int code, void *data)
{
    (void)data;
    note("in", code);
    E_queue(exit_timer, 2, NULL, past(1));
    E_handle_events();
    note("out", code);
}

static void the_exit_of_an_inner_loop_ends_the_outer_one(void)
{
    E_init();
    E_queue(inner, 1, NULL, after_us(0));
    E_queue(timer, 3, NULL, after_us(30000));
    E_handle_events();
    CHECK_LOG("in1 t2 out1");
    handle_until_quiet(60000);
    CHECK_LOG("in1 t2 out1 t3");
}

static void for_ever(int code, void *data)
{
    CHECK_INT(E_queue(for_ever, code, data, after_us(0)), 0);
}

/* Only now there is something to read: from the start, descriptors come before all timers. */
static void for_ever_and_write(int code, void *data)
{
    int *fds = data;
    for (int i = 0; i < 4; i++)
        CHECK_INT(write(fds[i % 2], "x", 1), 1);
    for_ever(code, NULL);
    E_queue(for_ever, code, fds, after_us(-1000000));
}

static void readable(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    note("r", code);
    if (log_words == 4)
        E_exit_events();
}

static void a_timer_without_delay_leaves_room(void)
{
    int high[2], low[2], writing[2];
    E_init();
    make_pipe(high);
    make_pipe(low);
    writing[0] = high[1];
    writing[1] = low[1];
    E_attach_fd(high[0], READ_FD, readable, 1, NULL, HIGH_PRIORITY);
    E_attach_fd(low[0], READ_FD, readable, 2, NULL, LOW_PRIORITY);
    E_queue(for_ever_and_write, 0, writing, after_us(1000));
    E_handle_events();
    CHECK_LOG("r1 r2 r1 r2");
}

static void works_without_init(void)
{
    CHECK_INT(E_queue(timer, 1, NULL, after_us(0)), 0);
    handle_until_quiet(10000);
    CHECK_LOG("t1");
}

static void no_function_is_no_call(void)
{
    E_init();
    CHECK_INT(E_queue(NULL, 1, NULL, after_us(0)), 0);
    CHECK_INT(E_in_queue(NULL, 1, NULL), 1);
    E_queue(timer, 2, NULL, after_us(1000));
    handle_until_quiet(20000);
    CHECK_INT(E_in_queue(NULL, 1, NULL), 0);
    CHECK_LOG("t2");
}

static void delays_beyond_all_bounds(void)
{
    sp_time never = {LONG_MAX, LONG_MAX}, long_ago = {LONG_MIN, LONG_MIN};
    E_init();
    CHECK_INT(E_queue(timer, 1, NULL, never), 0);
    CHECK_INT(E_queue(timer, 2, NULL, long_ago), 0);
    handle_until_quiet(10000);
    CHECK_LOG("t2");
    CHECK_INT(E_in_queue(timer, 1, NULL), 1);
    /* And to wait for such a one alone. */
    E_queue(timer, 3, NULL, after_us(5000));
    handle_until_quiet(10000);
    CHECK_LOG("t2 t3");
}

#define TIMERS 5000

static int fired;

static void count(int code, void *data)
{
    CHECK_INT(code, fired);
    (void)data;
    if (++fired == TIMERS)
        E_exit_events();
}

static void thousands_of_timers(void)
{
    E_init();
    /* In a scattered order, far apart, all of them in the past. */
    for (int i = 0; i < TIMERS; i++) {
        int place = (i * 7919) % TIMERS;
        sp_time delay = {(place - 2 * TIMERS) * 1000L, 0};
        CHECK_INT(E_queue(count, place, NULL, delay), 0);
    }
    E_handle_events();
    CHECK_INT(fired, TIMERS);
}

static const struct test_case tests[] = {
    CASE(triples_name_timers),
    CASE(the_newer_time_wins),
    CASE(order_of_times_then_of_queueing),
    CASE(no_timer_runs_early),
    CASE(microseconds_beyond_a_second),
    CASE(arguments_pass_untouched),
    CASE(a_timer_may_queue_itself),
    CASE(a_timer_may_take_another_due_one_away),
    CASE(exit_keeps_the_other_due_timers),
    CASE(exit_outside_is_forgotten),
    CASE(init_drops_all_timers),
    CASE(the_exit_of_an_inner_loop_ends_the_outer_one),
    REPAIRED(a_timer_without_delay_leaves_room),
    REPAIRED(works_without_init),
    REPAIRED(no_function_is_no_call),
    REPAIRED(delays_beyond_all_bounds),
    CASE(thousands_of_timers),
};

MAIN(tests)
