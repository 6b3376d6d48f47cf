/* The end of the connection, as each call sees it; what had come before comes first. With a scripted daemon. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "flush/at_fake.h"

/* The session is gone, and so is its number. */
static void gone(mailbox mbox)
{
    CHECK_EQ(take(mbox, 0), ILLEGAL_SESSION);
    CHECK_EQ(take(mbox, DONT_BLOCK), ILLEGAL_SESSION);
    CHECK_EQ(FL_join(mbox, "other"), ILLEGAL_SESSION);
    CHECK_EQ(FL_flush(mbox, "room"), ILLEGAL_SESSION);
    CHECK_EQ(FL_leave(mbox, "room"), ILLEGAL_SESSION);
    CHECK_EQ(FL_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(FL_poll(mbox), ILLEGAL_SESSION);
    CHECK_EQ(FL_more_msgs(mbox), ILLEGAL_SESSION);
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
    CHECK_EQ(FL_disconnect(mbox), ILLEGAL_SESSION);
    CHECK_EQ(fcntl(mbox, F_GETFD), -1);
}

enum first { RECEIVES, RECEIVES_NOW, SENDS, JOINS, LEAVES, FLUSHES, FIRSTS };

static const char *const firsts[] = {"FL_receive", "FL_receive that does not wait", "FL_multicast", "FL_join", "FL_leave", "FL_flush"};

static int make(enum first first, mailbox mbox)
{
    switch (first) {
    case RECEIVES:
        return take(mbox, 0);
    case RECEIVES_NOW:
        return take(mbox, DONT_BLOCK);
    case SENDS:
        return FL_multicast(mbox, FIFO_MESS, "room", 0, 1, "x");
    case JOINS:
        return FL_join(mbox, "other");
    case LEAVES:
        return FL_leave(mbox, "room");
    default:
        return FL_flush(mbox, "room");
    }
}

static void first_call(const char *name, enum first first)
{
    mailbox mbox;
    int daemon = fake_member_in_group(&mbox, name);

    check_case("%s: a lost connection, seen by %s", name, firsts[first]);
    if (first == FLUSHES) {
        /* So that there is something to flush. */
        send_membership(daemon, 4, CAUSED_BY_JOIN, FAKE_PRIVATE_GROUP " #peer#fake", "#peer#fake");
        CHECK_EQ(take(mbox, 0), 0);
        CHECK_EQ(taken.type, FLUSH_REQ_MESS);
    }
    SYS(close(daemon));
    WAIT_READABLE(mbox);
    CHECK_EQ(FL_poll(mbox), 1);
    CHECK_EQ(make(first, mbox), CONNECTION_CLOSED);
    gone(mbox);
}

/* What had come before the loss is delivered before it is told; also what the library has to answer to nobody any more. */
static void first_what_came(const char *name)
{
    static const struct frame hello = {.type = FIFO_MESS, .sender = FAKE_PRIVATE_GROUP, .groups = "room", .body = "hello", .size = 5};
    mailbox mbox;
    int daemon = fake_member_in_group(&mbox, name);

    check_case("%s: what came before the loss", name);
    fake_send(daemon, &hello);
    fake_send(daemon, &(struct frame){.type = TRANSITION_MESS, .sender = "room", .body = "123456789012", .size = 12});
    fake_send(daemon, &hello);
    SYS(shutdown(daemon, SHUT_WR));
    CHECK_EQ(take(mbox, 0), 5);
    CHECK_EQ(take(mbox, DONT_BLOCK), 0);
    CHECK_EQ(taken.type, TRANSITION_MESS);
    CHECK_EQ(take(mbox, 0), 5);
    CHECK_EQ(take(mbox, 0), CONNECTION_CLOSED);
    gone(mbox);
    SYS(close(daemon));

    /* A part of a message. */
    daemon = fake_member_in_group(&mbox, name);
    fake_send_part(daemon, &hello, 0, 83);
    CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
    SYS(close(daemon));
    CHECK_EQ(take(mbox, 0), CONNECTION_CLOSED);
    gone(mbox);
}

/* The loss in the middle of a view: the view is there, and then the loss. */
static void loss_at_a_view(const char *name)
{
    mailbox mbox;
    int daemon = fake_member(&mbox, name);

    check_case("%s: a loss while a view is installed", name);
    CHECK_EQ(FL_join(mbox, "room"), 0);
    send_membership(daemon, 3, CAUSED_BY_JOIN, FAKE_PRIVATE_GROUP, FAKE_PRIVATE_GROUP);
    CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
    send_control(daemon, FAKE_PRIVATE_GROUP, FLUSH_OK, 3);
    SYS(close(daemon));
    WAIT_READABLE(mbox);
    CHECK_EQ(take(mbox, 0), 48);
    CHECK_EQ(take(mbox, DONT_BLOCK), CONNECTION_CLOSED);
    gone(mbox);
}

int main(int argc, char **argv)
{
    enum first first;
    int i;

    check_start(argc, argv, "fl_loss", 40);
    if (CLASSIC("a lost connection is not told to calls that do not wait"))
        return check_done();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        for (first = 0; first < FIRSTS; first++)
            first_call(name, first);
        first_what_came(name);
        loss_at_a_view(name);
    }
    fake_close(&fake);
    return check_done();
}
