/* One process sends and the other one receives, on one mailbox: against the letter of the manual, but it has always worked. */
#include <fcntl.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "session.h"

static int messages;

static void send_numbers(mailbox mbox, const char *group, int number)
{
    char body[200];
    int i;

    for (i = 0; i < number; i++) {
        number_body(body, sizeof body, (unsigned)i);
        CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 3, sizeof body, body), (int)sizeof body);
    }
}

static void take_numbers(mailbox mbox, bool by_select, int number)
{
    int i;

    for (i = 0; i < number; i++) {
        struct got got;

        if (by_select) {
            struct timeval time = {scaled(10), 0};
            fd_set set;

            FD_ZERO(&set);
            FD_SET(mbox, &set);
            CHECK_EQ(select(mbox + 1, &set, NULL, NULL, &time), 1);
        }
        receive_any(mbox, &got);
        CHECK_EQ(got.result, 200);
        CHECK_EQ(got.mess_type, 3);
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), i);
        got_free(&got);
    }
}

/* Its own messages come back to the session, to whichever process receives. */
static void split(const char *name, bool child_sends, bool by_select)
{
    char own[MAX_GROUP_NAME];
    mailbox mbox = session(name, true, own);
    pid_t child;

    check_case("%s: the %s sends, the other receives%s", name, child_sends ? "child" : "parent", by_select ? " with select" : "");
    child = fork_checked();
    if (child == 0) {
        if (child_sends)
            send_numbers(mbox, own, messages);
        else
            take_numbers(mbox, by_select, messages);
        child_done();
    }
    if (child_sends)
        take_numbers(mbox, by_select, messages);
    else
        send_numbers(mbox, own, messages);
    wait_for_child(child);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* A child that only sends takes nothing away, while the parent does not receive: also not what comes in the meantime. */
static void sender_takes_nothing(const char *name)
{
    char own[MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    struct got got;
    mailbox mbox = session(name, true, own);
    int report[2];
    pid_t child;

    check_case("%s: a child that only sends, joins and leaves", name);
    new_group(group, "send");
    SYS(pipe2(report, O_CLOEXEC));
    child = fork_checked();
    if (child == 0) {
        CHECK_EQ(SP_join(mbox, group), 0);
        send_numbers(mbox, own, 50);
        CHECK_EQ(SP_leave(mbox, group), 0);
        CHECK_EQ(SP_multicast(mbox, AGREED_MESS, own, 4, 4, "last"), 4);
        write_all(report[1], "s", 1);
        /* It stays, idle. */
        for (;;)
            pause();
    }
    {
        char what;

        read_all(report[0], &what, 1);
    }
    /* A join of one member, its self-leave and the last message beside the numbers. */
    WAIT_UNTIL(SP_poll(mbox) == 136 + 50 * 280 + 48 + 84);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    got_free(&got);
    take_numbers(mbox, true, 50);
    EXPECT_MEMBERSHIP(mbox, CAUSED_BY_LEAVE, group, &got);
    got_free(&got);
    EXPECT_DATA(mbox, AGREED_MESS, own, own, 4, "last", 4);
    CHECK_EQ(SP_poll(mbox), 0);
    kill_child(child);
    SYS(close(report[0]));
    SYS(close(report[1]));
    CHECK_EQ(SP_disconnect(mbox), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "fork_split", 30);
    check_needs_names();
    /* Fewer than a session may have waiting: the sender does not look whether the receiver follows. */
    messages = (int)check_count(500);
    for (i = 0; i < check_names; i++) {
        split(check_name(i), true, false);
        split(check_name(i), true, true);
        split(check_name(i), false, false);
        split(check_name(i), false, true);
        sender_takes_nothing(check_name(i));
    }
    return check_done();
}
