/* Programs that close or shut down the mailbox's number by themselves, as if it were any socket of theirs. The library must notice,
 * and may never touch the file that gets the number next. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define ROUNDS 60

static struct fake fake;
static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};

static void calls_after_close(const char *name)
{
    struct got got;
    mailbox mbox;
    int daemon;

    check_case("%s: a receive after the program's own close", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(close(mbox));
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
    got_free(&got);
    CHECK_EQ(SP_join(mbox, "room"), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_EQ(SP_disconnect(mbox), ILLEGAL_SESSION);
    SYS(close(daemon));

    check_case("%s: a send after the program's own close", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(close(mbox));
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), CONNECTION_CLOSED);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), NET_ERROR_ON_SESSION);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
    got_free(&got);
    SP_kill(mbox);
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
    SYS(close(daemon));
}

static void daemon_sees_close(const char *name)
{
    struct sent sent;
    mailbox mbox;
    int daemon;

    check_case("%s: the daemon sees the program's own close", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(close(mbox));
    CHECK(!fake_receive(daemon, &sent));
    SP_kill(mbox);
    SYS(close(daemon));

    check_case("%s: the daemon sees the program's own shutdown", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(shutdown(mbox, SHUT_RDWR));
    CHECK(!fake_receive(daemon, &sent));
    CHECK_EQ(SP_join(mbox, "room"), CONNECTION_CLOSED);
    CHECK_EQ(SP_disconnect(mbox), 0);
    SYS(close(daemon));
}

/* What the number stands for afterwards: a pipe or a socket, full of the program's bytes. */
struct next {
    int far;
    int bytes;
};

static void take_number(mailbox mbox, bool socket, struct next *next)
{
    char bytes[5000];
    int ends[2];

    if (socket)
        SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    else
        SYS(pipe2(ends, O_CLOEXEC));
    /* As the lowest free number mostly is the one just closed, a program gets this by itself. */
    if (ends[0] != mbox) {
        if (ends[1] == mbox) {
            ends[1] = (int)SYS(dup(mbox));
            SYS(close(mbox));
        }
        SYS(dup2(ends[0], mbox));
        SYS(close(ends[0]));
    }
    memset(bytes, 'n', sizeof bytes);
    write_all(ends[1], bytes, sizeof bytes);
    next->far = ends[1];
    next->bytes = sizeof bytes;
}

static void nothing_is_taken(mailbox mbox, const struct next *next)
{
    int waiting;

    SYS(ioctl(mbox, FIONREAD, &waiting));
    CHECK_EQ(waiting, next->bytes);
}

/* The number goes to another file while messages come. With a child that holds the old connection, the daemon can go on sending,
 * and the kernel goes on reporting it under the number to whoever waits for it. */
static void next_file_is_safe(const char *name, bool socket, bool child_holds, bool receive_before)
{
    struct next next;
    struct sent sent;
    mailbox mbox;
    pid_t child = 0;
    int daemon;
    int i;

    check_case("%s: the number goes to a %s%s%s", name, socket ? "socket" : "pipe", child_holds ? ", a child holds the connection" : "",
               receive_before ? ", after a receive" : "");
    daemon = fake_session(&fake, name, &mbox);
    if (receive_before) {
        fake_send(daemon, &hello);
        EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
    }
    if (child_holds) {
        child = fork_checked();
        if (child == 0)
            for (;;)
                pause();
    }
    fake_send(daemon, &hello);
    SYS(close(mbox));
    take_number(mbox, socket, &next);
    for (i = 0; i < ROUNDS; i++) {
        if (send(daemon, "more bytes", 10, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            CHECK(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
        rest();
        nothing_is_taken(mbox, &next);
    }
    if (child != 0)
        kill_child(child);
    /* Now the connection has no holder. */
    while (fake_receive(daemon, &sent))
        sent_free(&sent);
    nothing_is_taken(mbox, &next);
    SYS(close(daemon));
    for (i = 0; i < ROUNDS / 3; i++) {
        rest();
        nothing_is_taken(mbox, &next);
    }
    SYS(close(next.far));
    /* The session is still in the table under this number: the reference library then closes whatever has the number now. */
    SP_kill(mbox);
    if (check_classic)
        CHECK(fcntl(mbox, F_GETFD) == -1);
}

static void *receive_one(void *mbox)
{
    struct got got;
    long result;

    receive_any(*(mailbox *)mbox, &got);
    result = got.result;
    got_free(&got);
    return (void *)result;
}

/* A receiver is inside when another thread closes the number. Whether it wakes is the kernel's business, but it may not turn to
 * the next file. */
static void closed_under_a_receiver(const char *name)
{
    struct worker receiver;
    struct next next;
    mailbox mbox;
    long result;
    int daemon;

    check_case("%s: closed while another thread receives", name);
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&receiver, receive_one, &mbox);
    worker_blocks(&receiver);
    SYS(close(mbox));
    take_number(mbox, true, &next);
    SYS(shutdown(daemon, SHUT_RDWR));
    result = (long)worker_join(&receiver);
    CHECK_EQ(result, CONNECTION_CLOSED);
    nothing_is_taken(mbox, &next);
    SYS(close(next.far));
    SYS(close(daemon));
    SP_kill(mbox);
}

/* A program that has just received, so that its own thread was the one to read, receives from the number after it has closed it. The
 * reference library takes the next file's bytes for a message then. */
static void receive_from_the_next_file(const char *name, bool refused_before)
{
    struct next next;
    struct got got;
    mailbox mbox;
    int daemon;

    check_case("%s: a receive from a number that is a socket of the program's own by now%s", name,
               refused_before ? ", in the middle of a message" : "");
    daemon = fake_session(&fake, name, &mbox);
    if (refused_before) {
        /* Not all of it: a message that is complete may be with the library before the number is closed, and is then delivered. */
        fake_send_part(daemon, &hello, 0, HEADER_SIZE + 3);
        receive(mbox, &got, 0, 0, 0);
        CHECK_EQ(got.result, GROUPS_TOO_SHORT);
        got_free(&got);
    } else {
        fake_send(daemon, &hello);
        EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
    }
    SYS(close(mbox));
    take_number(mbox, true, &next);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    nothing_is_taken(mbox, &next);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
    got_free(&got);
    nothing_is_taken(mbox, &next);
    SYS(close(next.far));
    SYS(close(daemon));
    SP_kill(mbox);
    CHECK(fcntl(mbox, F_GETFD) != -1);
}

static void all_cases(void)
{
    int i;
    int k;

    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        calls_after_close(name);
        daemon_sees_close(name);
        for (k = 0; k < 8; k++)
            next_file_is_safe(name, (k & 1) != 0, (k & 2) != 0, (k & 4) != 0);
        closed_under_a_receiver(name);
        if (!check_classic) {
            receive_from_the_next_file(name, false);
            receive_from_the_next_file(name, true);
        }
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit;

    check_start(argc, argv, "own_close", 40);
    fake_open(&fake);
    all_cases();
    /* The library's own numbers are among the program's where the limit leaves it no others. */
    SYS(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max < 600 ? limit.rlim_max : 600;
    SYS(setrlimit(RLIMIT_NOFILE, &limit));
    all_cases();
    fake_close(&fake);
    return check_done();
}
