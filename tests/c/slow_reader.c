/* A reader that does not come for a long time, while a hundred thousand messages are sent to it (or as many as --count says): all of
 * them are there when it comes, in order, and it is still connected. The reference library's session is dropped by the daemon. */
#include <fcntl.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "session.h"

#define BODY 100
/* The sender is at most so far ahead of its own messages, so that it is no slow reader itself. */
#define WINDOW 30

static int messages;

/* Sends to the group and to itself: when it has the last message, so has the daemon delivered it to the slow reader. */
static void send_and_follow(const char *name, const char *group)
{
    char targets[2][MAX_GROUP_NAME];
    char sender[MAX_GROUP_NAME];
    char groups[2][MAX_GROUP_NAME];
    char body[BODY];
    mailbox mbox;
    int received = 0;
    int sent;

    memcpy(targets[0], group, MAX_GROUP_NAME);
    mbox = session(name, false, targets[1]);
    for (sent = 0; received < messages; sent++) {
        if (sent < messages) {
            number_body(body, BODY, (unsigned)sent);
            CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 2, (const char(*)[MAX_GROUP_NAME])targets, 0, BODY, body), BODY);
        }
        if (sent >= WINDOW || sent >= messages) {
            service type = 0;
            int num_groups;
            int16 mess_type;
            int endian;

            CHECK_EQ(SP_receive(mbox, &type, sender, 2, &num_groups, groups, &mess_type, &endian, BODY, body), BODY);
            CHECK_EQ(NUMBER_OF_BODY(body, BODY), received);
            received++;
        }
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static int take(mailbox mbox, unsigned number, bool by_select)
{
    char sender[MAX_GROUP_NAME];
    char groups[2][MAX_GROUP_NAME];
    char body[BODY];
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian;
    int size;

    if (by_select) {
        struct timeval time = {scaled(10), 0};
        fd_set set;

        FD_ZERO(&set);
        FD_SET(mbox, &set);
        CHECK_EQ(select(mbox + 1, &set, NULL, NULL, &time), 1);
    }
    size = SP_receive(mbox, &type, sender, 2, &num_groups, groups, &mess_type, &endian, BODY, body);
    if (size == BODY)
        CHECK_EQ(NUMBER_OF_BODY(body, BODY), number);
    return size;
}

static void reader_that_sleeps(const char *name, bool by_select)
{
    char group[MAX_GROUP_NAME];
    char own[MAX_GROUP_NAME];
    char go = 'g';
    mailbox mbox;
    pid_t child;
    int start[2];
    int i;

    check_case("%s: %d messages%s", name, messages, by_select ? ", select" : "");
    new_group(group, "slow");
    SYS(pipe2(start, O_CLOEXEC));
    child = fork_checked();
    if (child == 0) {
        read_all(start[0], &go, 1);
        send_and_follow(name, group);
        child_done();
    }
    mbox = session(name, true, own);
    join(mbox, group);
    write_all(start[1], &go, 1);
    /* The reader does nothing until all has been sent and delivered. */
    wait_for_child(child);
    SYS(close(start[0]));
    SYS(close(start[1]));

    for (i = 0; i < messages; i++) {
        int size = take(mbox, (unsigned)i, by_select && i % 10 == 0);

        if (size < 0 && CLASSIC("D31: a slow reader is not dropped")) {
            CHECK_EQ(size, CONNECTION_CLOSED);
            SP_kill(mbox);
            return;
        }
        if (size != BODY) FAIL("size %d at message %d", size, i);
    }
    CHECK_EQ(SP_poll(mbox), 0);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, own, 1, 5, "alive"), 5);
    EXPECT_DATA(mbox, AGREED_MESS, own, own, 1, "alive", 5);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "slow_reader", 120);
    check_needs_names();
    messages = (int)check_count(is_slow() ? 10000 : 100000);
    for (i = 0; i < check_names; i++)
        reader_that_sleeps(check_name(i), i % 2 != 0);
    return check_done();
}
