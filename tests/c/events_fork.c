/* fork: both processes go on with timers and descriptors of their own. */
#include "events_check.h"

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

static void wait_for(pid_t child)
{
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static void a_child_inherits_everything(void)
{
    int fd = ready_pipe(0);
    pid_t child;
    E_init();
    handle_until_quiet(1000);
    E_queue(timer, 1, NULL, after_us(10000));
    E_attach_fd(fd, READ_FD, reads, 1, NULL, LOW_PRIORITY);
    child = SYS(fork());
    handle_until_quiet(30000);
    CHECK_LOG("t1");
    CHECK_INT(E_detach_fd(fd, READ_FD), 0);
    if (child == 0)
        _exit(0);
    wait_for(child);
}

static pid_t forked;

static void timer_forks(int code, void *data)
{
    (void)data;
    forked = SYS(fork());
    note(forked ? "parent" : "child", code);
    /* Due before the parent's other timer, however long the fork has taken. */
    if (!forked)
        E_queue(timer, 2, NULL, past(1));
}

static void a_fork_in_a_callback(void)
{
    E_init();
    E_queue(timer_forks, 1, NULL, after_us(0));
    E_queue(timer, 3, NULL, after_us(20000));
    handle_until_quiet(40000);
    if (forked == 0) {
        CHECK_LOG("child1 t2 t3");
        _exit(0);
    }
    CHECK_LOG("parent1 t3");
    wait_for(forked);
}

static void exit_loop(int number)
{
    (void)number;
    E_exit_events_async_safe();
}

static void tell(int code, void *data)
{
    (void)code;
    CHECK_INT(write(*(int *)data, "x", 1), 1);
}

/* Ends loops that wait for nothing else. */
static void signals_end_the_loop_that_they_are_for(void)
{
    int ready[2];
    E_init();
    handle_until_quiet(1000);
    CHECK(signal(SIGUSR1, exit_loop) != SIG_ERR);
    make_pipe(ready);
    for (int i = 0; i < 50; i++) {
        pid_t child = SYS(fork());
        if (child == 0) {
            E_queue(tell, 0, &ready[1], after_us(0));
            E_handle_events();
            /* And again: the second loop is another one than the first. */
            E_queue(tell, 0, &ready[1], after_us(0));
            E_handle_events();
            _exit(0);
        }
        for (int signals = 0; signals < 2; signals++) {
            take_byte(ready[0]);
            SYS(kill(child, SIGUSR1));
        }
        wait_for(child);
    }
    handle_until_quiet(1000);
}

/* The descriptors of the library do not get through an exec. */
static void nothing_is_left_open_in_an_exec(void)
{
    struct rlimit limit;
    char open_before[4096], fds = 0;
    for (int fd = 3; fd < 4096; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) != -1;
    E_init();
    handle_until_quiet(1000);
    for (int fd = 3; fd < 4096; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags != -1 && !open_before[fd]) {
            CHECK_INT(flags & FD_CLOEXEC, FD_CLOEXEC);
            fds++;
        }
    }
    /* Few, and out of the way of programs that use FD_SET, or of the next free numbers where the limit is that of FD_SET. */
    CHECK(fds <= 2);
    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    for (int fd = 3; fd < (limit.rlim_cur > 1024 ? 1024 : 512); fd++)
        CHECK_INT(fcntl(fd, F_GETFD) != -1, open_before[fd]);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void generations_pile_up_nothing(void)
{
    int before;
    E_init();
    handle_until_quiet(1000);
    before = open_descriptors();
    for (int generation = 0; generation < 20; generation++) {
        pid_t child = SYS(fork());
        if (child != 0) {
            wait_for(child);
            if (generation != 0)
                _exit(0);
            return;
        }
        handle_until_quiet(1000);
        CHECK_INT(open_descriptors(), before);
    }
    _exit(0);
}

static atomic_int stop;

static void *hammer(void *data)
{
    for (int i = 0; !stop; i++) {
        E_queue(timer, i % 100, data, after_us(1000000000));
        E_num_active(LOW_PRIORITY);
        E_dequeue(timer, i % 100, data);
    }
    return NULL;
}

/* The child has not the thread that may be in the middle of a call. */
static void a_fork_while_other_threads_are_in_calls(void)
{
#ifdef __SANITIZE_ADDRESS__
    /* The sanitizer's own allocator does not hold its locks over a fork: a child whose parent's other thread was in malloc
     * waits for one of them for ever, whatever it calls. */
    puts("left out: a fork beside busy threads, which AddressSanitizer's allocator does not survive");
    return;
#endif
    pthread_t threads[2];
    static int names[2];
    E_init();
    for (int i = 0; i < 2; i++)
        PTHREAD(pthread_create(&threads[i], NULL, hammer, &names[i]));
    for (int i = 0; i < 300; i++) {
        pid_t child = SYS(fork());
        if (child == 0) {
            E_queue(timer_exit, 0, NULL, after_us(0));
            E_handle_events();
            _exit(0);
        }
        wait_for(child);
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        PTHREAD(pthread_join(threads[i], NULL));
}

static int woken;

static void wakes(int code, void *data)
{
    (void)code;
    (void)data;
    woken++;
    CHECK_INT(write(*(int *)data, "x", 1), 1);
}

static void *wake_often(void *data)
{
    int *answer = data;
    for (int i = 0; i < 500; i++) {
        /* The loop waits for ever, but for this. */
        E_queue(wakes, i, &answer[1], after_us(0));
        take_byte(answer[0]);
    }
    E_exit_events();
    return NULL;
}

/* Each process would eat the other's wake-ups if they shared the descriptor. */
static void wake_ups_belong_to_one_process(void)
{
    pthread_t thread;
    int answer[2];
    pid_t child;
    E_init();
    handle_until_quiet(1000);
    child = SYS(fork());
    make_pipe(answer);
    PTHREAD(pthread_create(&thread, NULL, wake_often, answer));
    E_handle_events();
    PTHREAD(pthread_join(thread, NULL));
    CHECK_INT(woken, 500);
    if (child == 0)
        _exit(0);
    wait_for(child);
}

static const struct test_case tests[] = {
    CASE(a_child_inherits_everything),
    CASE(a_fork_in_a_callback),
    REPAIRED(signals_end_the_loop_that_they_are_for),
    REPAIRED(nothing_is_left_open_in_an_exec),
    CASE(generations_pile_up_nothing),
    REPAIRED(a_fork_while_other_threads_are_in_calls),
    REPAIRED(wake_ups_belong_to_one_process),
};

MAIN(tests)
