/* Time values, the clocks and E_delay. */
#include "events_check.h"

#include <limits.h>
#include <sys/time.h>

static sp_time t(long sec, long usec)
{
    sp_time time;
    time.sec = sec;
    time.usec = usec;
    return time;
}

static void check_time(int line, sp_time actual, long sec, long usec)
{
    if (actual.sec != sec || actual.usec != usec)
        fail(__FILE__, line, "{%ld, %ld}, expected {%ld, %ld}", actual.sec, actual.usec, sec, usec);
}
#define CHECK_TIME(actual, sec, usec) check_time(__LINE__, actual, sec, usec)

static void sums(void)
{
    CHECK_TIME(E_add_time(t(1, 999999), t(0, 2)), 2, 1);
    CHECK_TIME(E_add_time(t(-1, -500000), t(1, 0)), 0, -500000);
    CHECK_TIME(E_add_time(t(-1, -500000), t(1, 900000)), 0, 400000);
    CHECK_TIME(E_add_time(t(1, -300000), t(0, 0)), 0, 700000);
    CHECK_TIME(E_add_time(t(0, 2500000), t(0, 0)), 1, 1500000);
    CHECK_TIME(E_add_time(t(0, 999999), t(0, 999999)), 1, 999998);
    CHECK_TIME(E_add_time(t(0, -2500000), t(0, 0)), -1, -1500000);
    CHECK_TIME(E_add_time(t(-1, 300000), t(0, 0)), 0, -700000);
    CHECK_TIME(E_add_time(t(0, 1000000), t(0, 0)), 1, 0);
    CHECK_TIME(E_add_time(t(0, -1000000), t(0, 0)), -1, 0);
    CHECK_TIME(E_add_time(t(5, 0), t(0, 0)), 5, 0);
}

static void differences_and_negation(void)
{
    CHECK_TIME(E_sub_time(t(0, 0), t(0, 500000)), 0, -500000);
    CHECK_TIME(E_sub_time(t(2, 1), t(0, 2)), 1, 999999);
    CHECK_TIME(E_sub_time(t(1, 0), t(1, 0)), 0, 0);
    CHECK_TIME(E_neg_time(t(3, -4)), -3, 4);
    CHECK_TIME(E_neg_time(t(0, 0)), 0, 0);
}

static void comparison(void)
{
    CHECK_INT(E_compare_time(t(1, 0), t(0, 999999)), 1);
    CHECK_INT(E_compare_time(t(0, 999999), t(1, 0)), -1);
    CHECK_INT(E_compare_time(t(1, 5), t(1, 6)), -1);
    CHECK_INT(E_compare_time(t(1, 6), t(1, 5)), 1);
    CHECK_INT(E_compare_time(t(1, 5), t(1, 5)), 0);
    CHECK_INT(E_compare_time(t(1, -900000), t(0, 999999)), 1);
    CHECK_INT(E_compare_time(t(-1, 0), t(0, -1)), -1);
}

static void extremes_wrap(void)
{
    CHECK_TIME(E_add_time(t(LONG_MAX, 999999), t(0, 1)), LONG_MIN, 0);
    CHECK_TIME(E_neg_time(t(LONG_MIN, LONG_MIN)), LONG_MIN, LONG_MIN);
    CHECK_INT(E_compare_time(t(LONG_MIN, LONG_MIN), t(LONG_MAX, LONG_MAX)), -1);
    E_sub_time(t(LONG_MIN, LONG_MIN), t(LONG_MAX, LONG_MAX));
}

static void wall_clock(void)
{
    struct timeval before, after;
    sp_time now;
    gettimeofday(&before, NULL);
    now = E_get_time();
    gettimeofday(&after, NULL);
    CHECK(E_compare_time(now, t(before.tv_sec, before.tv_usec)) >= 0);
    CHECK(E_compare_time(now, t(after.tv_sec, after.tv_usec)) <= 0);
    CHECK(now.usec >= 0 && now.usec < 1000000);
}

static void monotonic_clock(void)
{
    sp_time last = E_get_time_monotonic();
    long long before = now_us();
    sp_time now = E_get_time_monotonic();
    long long after = now_us();
    long long value = now.sec * 1000000LL + now.usec;
    /* Rounded to nearest where now_us cuts. */
    CHECK(value >= before && value <= after + 1);
    for (int i = 0; i < 100000; i++) {
        now = E_get_time_monotonic();
        CHECK(E_compare_time(E_sub_time(now, last), t(0, 0)) >= 0);
        last = now;
    }
}

static void monotonic_clock_is_normalised(void)
{
    long long end = now_us() + 50000;
    while (now_us() < end) {
        sp_time now = E_get_time_monotonic();
        CHECK(now.usec >= 0 && now.usec < 1000000);
    }
}

static void must_not_run(int code, void *data)
{
    (void)data;
    note("ran", code);
}

static void delay_lasts_and_serves_nothing(void)
{
    long long start = now_us();
    E_init();
    E_queue(must_not_run, 1, NULL, t(0, 0));
    E_delay(t(0, 60000));
    CHECK(now_us() - start >= 60000);
    CHECK_LOG("");
    CHECK_INT(E_dequeue(must_not_run, 1, NULL), 0);
}

static void delay_takes_microseconds_beyond_a_second(void)
{
    long long start = now_us();
    E_delay(t(0, 1100000));
    CHECK(now_us() - start >= 1100000);
}

static void negative_delays_return_at_once(void)
{
    /* Any of these would outlast the deadline of the case. */
    E_delay(t(-1000, 0));
    E_delay(t(1000, -1));
    E_delay(t(-1, 1000000000));
    E_delay(t(0, -1000000000));
    E_delay(t(0, 0));
}

static const struct test_case tests[] = {
    CASE(sums),
    CASE(differences_and_negation),
    CASE(comparison),
    REPAIRED(extremes_wrap),
    CASE(wall_clock),
    CASE(monotonic_clock),
    REPAIRED(monotonic_clock_is_normalised),
    CASE(delay_lasts_and_serves_nothing),
    CASE(delay_takes_microseconds_beyond_a_second),
    CASE(negative_delays_return_at_once),
};

MAIN(tests)
