/* Signals: they do not end a receive, SIGPIPE is ignored from the first connect on, and the library's own threads take none. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};
static volatile sig_atomic_t signals;
static volatile sig_atomic_t in_other_thread;
static pthread_t own;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
    if (!pthread_equal(pthread_self(), own))
        in_other_thread++;
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    sigemptyset(&action.sa_mask);
    SYS(sigaction(signal, &action, NULL));
}

static void (*handler_of(int signal))(int)
{
    struct sigaction action;

    SYS(sigaction(signal, NULL, &action));
    return action.sa_handler;
}

static void connect_to_nobody(void)
{
    char private_group[MAX_GROUP_NAME];
    struct fake gone;
    mailbox mbox;

    fake_open(&gone);
    fake_close(&gone);
    CHECK_EQ(SP_connect(gone.unix_name, "me", 0, 1, &mbox, private_group), COULD_NOT_CONNECT);
}

static int yes(int fd, void *data)
{
    (void)fd;
    (void)data;
    return 1;
}

static void ignored_by_connect(void)
{
    check_case("a connect ignores SIGPIPE, also one that fails");
    CHECK(handler_of(SIGPIPE) == SIG_DFL);
    connect_to_nobody();
    CHECK(handler_of(SIGPIPE) == SIG_IGN);
    /* Once: a program that wants it back may have it. */
    handle(SIGPIPE, count_signal);
    connect_to_nobody();
    CHECK(handler_of(SIGPIPE) == count_signal);
}

static void ignored_by_method(void)
{
    check_case("SP_set_auth_method ignores SIGPIPE");
    CHECK(handler_of(SIGPIPE) == SIG_DFL);
    CHECK_EQ(SP_set_auth_method("NULL", yes, NULL), 1);
    CHECK(handler_of(SIGPIPE) == SIG_IGN);
}

static void ignored_by_methods(void)
{
    const char *names[1] = {"NULL"};
    int (*functions[1])(int, void *) = {yes};
    void *data[1] = {NULL};

    check_case("SP_set_auth_methods ignores SIGPIPE");
    CHECK_EQ(SP_set_auth_methods(1, names, functions, data), 1);
    CHECK(handler_of(SIGPIPE) == SIG_IGN);
}

/* A program that has switched SIGPIPE on again is not killed by the library's sends. */
static void not_raised_by_sends(const char *name)
{
    mailbox mbox;

    check_case("%s: a send to a dead daemon raises no SIGPIPE", name);
    SYS(close(fake_session(&fake, name, &mbox)));
    signals = 0;
    handle(SIGPIPE, CLASSIC("SIGPIPE: MSG_NOSIGNAL always") ? SIG_IGN : count_signal);
    WAIT_UNTIL(SP_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello") < 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_EQ(signals, 0);
}

/* A receive goes on under a timer, whole messages come, and no thread of the library takes the signals. */
static void receive_under_signals(const char *name)
{
    struct itimerval often = {{0, 1000}, {0, 1000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    mailbox mbox;
    int daemon;
    int i;

    check_case("%s: a receive under signals", name);
    daemon = fake_session(&fake, name, &mbox);
    own = pthread_self();
    handle(SIGALRM, count_signal);
    signals = in_other_thread = 0;
    SYS(setitimer(ITIMER_REAL, &often, NULL));
    for (i = 0; i < 30; i++) {
        pid_t child = fork_checked();

        if (child == 0) {
            /* In two parts, with some signals before, between and after. */
            long long start = now_ms();

            WAIT_UNTIL(now_ms() - start > 4);
            fake_send_part(daemon, &hello, 0, (size_t)(1 + i * 2));
            WAIT_UNTIL(now_ms() - start > 8);
            fake_send_part(daemon, &hello, (size_t)(1 + i * 2), 85);
            child_done();
        }
        EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
        wait_for_child(child);
    }
    CHECK(signals > 30);
    SYS(setitimer(ITIMER_REAL, &never, NULL));
    CHECK_EQ(in_other_thread, 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

/* The program blocks a signal in all its threads to take it with sigwait: nobody else may get it. */
static void left_to_sigwait(const char *name)
{
    sigset_t set;
    sigset_t before;
    mailbox mbox;
    int daemon;
    int got;
    int i;

    check_case("%s: a signal left to sigwait", name);
    daemon = fake_session(&fake, name, &mbox);
    fake_send(daemon, &hello);
    WAIT_READABLE(mbox);
    handle(SIGUSR1, count_signal);
    signals = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    PTHREAD(pthread_sigmask(SIG_BLOCK, &set, &before));
    for (i = 0; i < 20; i++) {
        SYS(kill(getpid(), SIGUSR1));
        PTHREAD(sigwait(&set, &got));
        CHECK_EQ(got, SIGUSR1);
    }
    CHECK_EQ(signals, 0);
    PTHREAD(pthread_sigmask(SIG_SETMASK, &before, NULL));
    SP_kill(mbox);
    SYS(close(daemon));
}

/* The library leaves the mask of the calling thread as it was. */
static void mask_is_kept(const char *name)
{
    sigset_t before;
    sigset_t after;
    mailbox mbox;
    int daemon;
    int signal;

    check_case("%s: the mask of the calling thread", name);
    PTHREAD(pthread_sigmask(SIG_SETMASK, NULL, &before));
    daemon = fake_session(&fake, name, &mbox);
    fake_send(daemon, &hello);
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
    CHECK_EQ(SP_join(mbox, "room"), 0);
    SP_kill(mbox);
    SYS(close(daemon));
    PTHREAD(pthread_sigmask(SIG_SETMASK, NULL, &after));
    for (signal = 1; signal < SIGRTMAX; signal++)
        CHECK_EQ(sigismember(&after, signal), sigismember(&before, signal));
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "signals", 20);
    fake_open(&fake);
    IN_CHILD(ignored_by_connect());
    IN_CHILD(ignored_by_method());
    IN_CHILD(ignored_by_methods());
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        not_raised_by_sends(name);
        receive_under_signals(name);
        left_to_sigwait(name);
        mask_is_kept(name);
    }
    fake_close(&fake);
    return check_done();
}
