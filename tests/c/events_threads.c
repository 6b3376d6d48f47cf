/* Other threads. The classic library has no locks and wakes nobody. */
#include "events_check.h"

#include <sys/syscall.h>

static pid_t loop_thread;

/* Waits until the thread of the loop sleeps, so that what comes next has to wake it. */
static void wait_until_it_sleeps(void)
{
    char path[64], line[512];
    long long deadline = now_us() + 60000000;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)loop_thread);
    while (now_us() < deadline) {
        FILE *file = fopen(path, "r");
        CHECK(file != NULL);
        CHECK(fgets(line, sizeof line, file) != NULL);
        fclose(file);
        if (strstr(line, ") S ") != NULL)
            return;
        sched_yield();
    }
    fail(__FILE__, __LINE__, "the loop does not sleep");
}

static void release(int code, void *data)
{
    (void)code;
    CHECK_INT(write(((int *)data)[1], "x", 1), 1);
}

/* Runs the loop here, with nothing that would ever end its wait, and `other` in a thread, which
 * starts when the loop sleeps. */
static int gate[2];
static void (*other_thread_does)(void);

static void *after_gate(void *unused)
{
    take_byte(gate[0]);
    wait_until_it_sleeps();
    other_thread_does();
    return unused;
}

static void handle_with(void (*other)(void))
{
    pthread_t thread;
    loop_thread = (pid_t)syscall(SYS_gettid);
    other_thread_does = other;
    make_pipe(gate);
    CHECK_INT(E_queue(release, 0, gate, after_us(0)), 0);
    PTHREAD(pthread_create(&thread, NULL, after_gate, NULL));
    E_handle_events();
    PTHREAD(pthread_join(thread, NULL));
}

static void queue_now(void)
{
    E_queue(timer_exit, 0, NULL, after_us(0));
}

static void queue_wakes(void)
{
    E_init();
    handle_with(queue_now);
}

static void queue_wakes_before_a_late_timer(void)
{
    E_init();
    E_queue(timer_exit, 1, NULL, after_us(500000000));
    handle_with(queue_now);
    CHECK_INT(E_in_queue(timer_exit, 1, NULL), 1);
}

static void reads_and_exits(int fd, int code, void *data)
{
    (void)data;
    take_byte(fd);
    note("r", code);
    E_exit_events();
}

static int ready;

static void attach_now(void)
{
    E_attach_fd(ready, READ_FD, reads_and_exits, 1, NULL, LOW_PRIORITY);
}

static void attach_wakes(void)
{
    E_init();
    ready = ready_pipe(1);
    handle_with(attach_now);
    CHECK_LOG("r1");
}

static void activate_now(void)
{
    E_activate_fd(ready, READ_FD);
}

static void activate_wakes(void)
{
    E_init();
    ready = ready_pipe(1);
    attach_now();
    E_deactivate_fd(ready, READ_FD);
    handle_with(activate_now);
    CHECK_LOG("r1");
}

static void lower_threshold(void)
{
    E_set_active_threshold(LOW_PRIORITY);
}

static void a_lower_threshold_wakes(void)
{
    E_init();
    ready = ready_pipe(1);
    attach_now();
    E_set_active_threshold(HIGH_PRIORITY);
    handle_with(lower_threshold);
    CHECK_LOG("r1");
}

static void exit_wakes(void)
{
    E_init();
    handle_with(E_exit_events);
    handle_with(E_exit_events_async_safe);
}

/* What is detached while the loop waits is not called for. */
static int other_end;

static void detach_and_write(void)
{
    CHECK_INT(E_detach_fd(ready, READ_FD), 0);
    CHECK_INT(write(other_end, "x", 1), 1);
    queue_now();
}

static void detach_counts_at_once(void)
{
    int ends[2];
    E_init();
    make_pipe(ends);
    ready = ends[0];
    other_end = ends[1];
    attach_now();
    handle_with(detach_and_write);
    CHECK_LOG("");
}

/* A thread in a loop that ends: its place is taken by another one. */
static void *loop(void *data)
{
    E_handle_events();
    return data;
}

static void one_thread_after_another(void)
{
    E_init();
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        PTHREAD(pthread_create(&thread, NULL, loop, NULL));
        E_queue(timer_exit, i, NULL, after_us(0));
        PTHREAD(pthread_join(thread, NULL));
    }
}

static void count_down(int code, void *data)
{
    atomic_int *left = data;
    (void)code;
    if (atomic_fetch_sub(left, 1) == 1)
        E_exit_events();
}

static atomic_int left;

static void *queue_many(void *base)
{
    for (int i = 0; i < 5000; i++)
        CHECK_INT(E_queue(count_down, *(int *)base + i, &left, after_us(i % 3)), 0);
    return NULL;
}

static void no_timer_of_other_threads_is_lost(void)
{
    pthread_t threads[4];
    int bases[4];
    E_init();
    left = 4 * 5000;
    for (int i = 0; i < 4; i++) {
        bases[i] = i * 5000;
        PTHREAD(pthread_create(&threads[i], NULL, queue_many, &bases[i]));
    }
    E_handle_events();
    for (int i = 0; i < 4; i++)
        PTHREAD(pthread_join(threads[i], NULL));
    CHECK_INT(left, 0);
}

static void idle(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
}

static void *everything(void *number)
{
    int fd = ready_pipe(1), type;
    for (int i = 0; i < 3000; i++) {
        type = i % NUM_FDTYPES;
        E_attach_fd(fd, type, idle, i, number, i % NUM_PRIORITY);
        E_queue(count_down, i % 7, number, after_us(1000000));
        E_deactivate_fd(fd, type);
        E_activate_fd(fd, type);
        E_set_active_threshold(i % NUM_PRIORITY);
        E_num_active(i % NUM_PRIORITY);
        E_in_queue(count_down, i % 7, number);
        E_dequeue(count_down, i % 7, number);
        E_detach_fd_priority(fd, type, i % NUM_PRIORITY);
        E_detach_fd(fd, type);
    }
    SYS(close(fd));
    E_queue(count_down, -1 - *(int *)number, &left, after_us(0));
    return NULL;
}

static void everything_at_once(void)
{
    pthread_t threads[4];
    static int numbers[4];
    E_init();
    left = 4;
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        PTHREAD(pthread_create(&threads[i], NULL, everything, &numbers[i]));
    }
    E_handle_events();
    for (int i = 0; i < 4; i++)
        PTHREAD(pthread_join(threads[i], NULL));
    CHECK_INT(left, 0);
    for (int i = 0; i < NUM_PRIORITY; i++)
        CHECK_INT(E_num_active(i), 0);
}

/* Not what it is meant for, but it must not break anything. */
static void two_loops(void)
{
    pthread_t threads[2];
    E_init();
    left = 1000000;
    for (int i = 0; i < 2; i++)
        PTHREAD(pthread_create(&threads[i], NULL, loop, NULL));
    for (int i = 0; i < 2000; i++)
        E_queue(count_down, i, &left, after_us(0));
    while (left > 1000000 - 2000)
        sched_yield();
    /* A loop that has begun after the exit does not know of it. */
    for (int i = 0; i < 2; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) != 0) {
            E_exit_events();
            sched_yield();
        }
    }
}

/* A loop that one descriptor keeps busy does not sleep, so nobody wakes it. */
static atomic_int busy_calls;
static int second;

static void call_busy(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
    busy_calls++;
}

static void call_second(int fd, int code, void *data)
{
    (void)fd;
    (void)code;
    (void)data;
    E_exit_events();
}

static void timer_second(int code, void *data)
{
    call_second(-1, code, data);
}

static void attach_second(void)
{
    CHECK_INT(E_attach_fd(second, READ_FD, call_second, 0, NULL, HIGH_PRIORITY), 0);
}

static void queue_second(void)
{
    CHECK_INT(E_queue(timer_second, 0, NULL, after_us(0)), 0);
}

static void *once_it_is_busy(void *unused)
{
    int seen = busy_calls;

    while (busy_calls < seen + 1000)
        sched_yield();
    other_thread_does();
    return unused;
}

static void busy_until(void (*other)(void))
{
    pthread_t thread;
    int fd = ready_pipe(1);

    second = ready_pipe(1);
    E_init();
    other_thread_does = other;
    CHECK_INT(E_attach_fd(fd, READ_FD, call_busy, 0, NULL, LOW_PRIORITY), 0);
    PTHREAD(pthread_create(&thread, NULL, once_it_is_busy, NULL));
    E_handle_events();
    PTHREAD(pthread_join(thread, NULL));
}

static void other_threads_reach_a_busy_loop(void)
{
    busy_until(attach_second);
    busy_until(queue_second);
    busy_until(E_exit_events);
}

static const struct test_case tests[] = {
    REPAIRED(queue_wakes),
    REPAIRED(queue_wakes_before_a_late_timer),
    REPAIRED(attach_wakes),
    REPAIRED(activate_wakes),
    REPAIRED(a_lower_threshold_wakes),
    REPAIRED(exit_wakes),
    REPAIRED(detach_counts_at_once),
    REPAIRED(one_thread_after_another),
    REPAIRED(no_timer_of_other_threads_is_lost),
    REPAIRED(everything_at_once),
    REPAIRED(two_loops),
    REPAIRED(other_threads_reach_a_busy_loop),
};

MAIN(tests)
