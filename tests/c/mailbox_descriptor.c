/* What else programs do with the mailbox's number: its modes, socket options, names of the ends, duplicates. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;

static void take_hello(mailbox mbox)
{
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
}

static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};

static int option(int fd, int which)
{
    int value = -1;
    socklen_t size = sizeof value;

    SYS(getsockopt(fd, SOL_SOCKET, which, &value, &size));
    return value;
}

static void modes(const char *name)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    struct stat before;
    struct stat after;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int i;

    check_case("%s: modes of the descriptor", name);
    CHECK_EQ(fcntl(mbox, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(fcntl(mbox, F_GETFL) & O_ACCMODE, O_RDWR);
    CHECK_EQ(fcntl(mbox, F_GETFD), CLASSIC("close-on-exec") ? 0 : FD_CLOEXEC);
    CHECK_EQ(option(mbox, SO_TYPE), SOCK_STREAM);
    CHECK_EQ(option(mbox, SO_ERROR), 0);

    check_case("%s: names of the ends", name);
    SYS(getsockname(mbox, (struct sockaddr *)&address, &size));
    size = sizeof address;
    SYS(getpeername(mbox, (struct sockaddr *)&address, &size));
    if (!is_tcp(name) || CLASSIC("mailbox kinds"))
        CHECK_EQ(address.ss_family, is_tcp(name) ? AF_INET : AF_UNIX);

    check_case("%s: one file for as long as the session lives", name);
    SYS(fstat(mbox, &before));
    for (i = 0; i < 20; i++) {
        fake_send(daemon, &hello);
        if (i % 2 == 0)
            WAIT_READABLE(mbox);
        take_hello(mbox);
        SYS(fstat(mbox, &after));
        CHECK(before.st_dev == after.st_dev && before.st_ino == after.st_ino);
    }
    SP_kill(mbox);
    SYS(close(daemon));
}

static void options(const char *name)
{
    static const int sizes[] = {65536, 4096, 1000000};
    static const int on = 1;
    char body[1000];
    struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = body, .size = sizeof body};
    struct timeval soon = {0, 20000};
    struct got got;
    mailbox mbox;
    size_t k;
    int daemon = fake_session(&fake, name, &mbox);
    unsigned i;

    check_case("%s: buffers", name);
    if (!is_tcp(name) || CLASSIC("SO_SNDBUF, SO_RCVBUF")) {
        CHECK_BETWEEN(option(mbox, SO_SNDBUF), 204800, 10000000);
        CHECK_BETWEEN(option(mbox, SO_RCVBUF), 204800, 10000000);
    }
    for (k = 0; k < COUNT_OF(sizes); k++) {
        check_case("%s: the program sets buffers of %d bytes", name, sizes[k]);
        SYS(setsockopt(mbox, SOL_SOCKET, SO_RCVBUF, &sizes[k], sizeof sizes[k]));
        SYS(setsockopt(mbox, SOL_SOCKET, SO_SNDBUF, &sizes[k], sizeof sizes[k]));
        for (i = 0; i < 100; i++) {
            int burst;

            for (burst = 0; burst < 3; burst++) {
                number_body(body, sizeof body, i * 3 + (unsigned)burst);
                fake_send(daemon, &frame);
            }
            for (burst = 0; burst < 3; burst++) {
                if (i % 2 == 0)
                    WAIT_READABLE(mbox);
                receive_any(mbox, &got);
                CHECK_EQ(got.result, (int)sizeof body);
                CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), i * 3 + (unsigned)burst);
                got_free(&got);
            }
        }
    }

    check_case("%s: other options", name);
    SYS(setsockopt(mbox, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
    /* No documented effect on receives; but they may not lose their place by it. */
    SYS(setsockopt(mbox, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon));
    fake_send(daemon, &hello);
    take_hello(mbox);
    CHECK_EQ(SP_join(mbox, "room"), 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void duplicates(const char *name)
{
    struct sent sent;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int copy;
    int i;

    check_case("%s: a duplicate is readable with the mailbox", name);
    copy = (int)SYS(dup(mbox));
    for (i = 0; i < 5; i++) {
        CHECK(!is_readable(copy));
        fake_send(daemon, &hello);
        WAIT_READABLE(copy);
        take_hello(mbox);
        CHECK(!is_readable(copy));
    }
    /* The session is over with SP_disconnect all the same. */
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK(fake_receive(daemon, &sent));
    sent_free(&sent);
    CHECK_EQ(SP_poll(copy), ILLEGAL_SESSION);
    SYS(close(copy));
    SYS(close(daemon));
}

/* The session keeps nothing open that is not its own: what it opens, it closes. */
static void no_descriptor_is_left(const char *name)
{
    mailbox mbox;
    int before;
    int i;

    check_case("%s: no descriptor is left", name);
    SYS(close(fake_session(&fake, name, &mbox)));
    SP_kill(mbox);
    before = open_descriptors();
    for (i = 0; i < 30; i++) {
        int daemon = fake_session(&fake, name, &mbox);

        if (i % 3 == 0) {
            SYS(close(daemon));
            CHECK_EQ(receive_to_the_end(mbox), CONNECTION_CLOSED);
            CHECK_EQ(SP_disconnect(mbox), 0);
        } else if (i % 3 == 1) {
            fake_send(daemon, &hello);
            SP_kill(mbox);
            SYS(close(daemon));
        } else {
            CHECK_EQ(SP_disconnect(mbox), 0);
            SYS(close(daemon));
        }
    }
    WAIT_UNTIL(open_descriptors() == before);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "mailbox_descriptor", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        modes(name);
        options(name);
        duplicates(name);
        no_descriptor_is_left(name);
    }
    fake_close(&fake);
    return check_done();
}
