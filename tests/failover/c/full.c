/* A program that does not receive: its inbox is full when its daemon dies. With failover=auto the session comes back all the same, without
 * it everything is delivered and then the loss. Arguments: two daemons. */
#include "events.h"
#include "network.h"

/* More than fits into the smallest inbox (64 KiB), less than fits into that and the socket. */
#define COUNT 100
#define BODY  1000
#define FRAME (48 + MAX_GROUP_NAME + BODY)

/* A session whose inbox is full. */
static mailbox full_session(const char *options, mailbox *sender)
{
    char name[400];
    char private_group[MAX_GROUP_NAME];
    char body[BODY];
    struct got got;
    mailbox mbox;
    int i;

    snprintf(name, sizeof name, "%s,%s?avoid_ms=0&recv_max_bytes=64K&%s", check_name(0), check_name(1), options);
    mbox = connected(name, "bob", private_group);
    snprintf(name, sizeof name, "%s?avoid_ms=0", check_name(1));
    *sender = connected(name, "sue", private_group);
    join(*sender, "g");
    CHECK_EQ(SP_join(mbox, "g"), 0);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, "g", &got);
    got_free(&got);
    for (i = 0; i < COUNT; i++) {
        number_body(body, BODY, (unsigned)i);
        CHECK_EQ(SP_multicast(*sender, AGREED_MESS, "g", 1, BODY, body), BODY);
    }
    until_event(mbox, SPX_EVENT_BLOCKED);
    WAIT_UNTIL(SP_poll(mbox) >= COUNT * FRAME);
    CHECK_EQ(SP_poll(mbox), COUNT * FRAME);
    return mbox;
}

/* Receives all of them, waiting for the mailbox before each. */
static void take_all(mailbox mbox)
{
    struct got got;
    int i;

    for (i = 0; i < COUNT; i++) {
        WAIT_READABLE(mbox);
        receive_any(mbox, &got);
        CHECK_EQ(got.result, BODY);
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), i);
        got_free(&got);
    }
}

static void comes_back(void)
{
    struct got got;
    SPX_event event;
    mailbox sender;
    mailbox mbox;

    check_case("failover=auto");
    mbox = full_session("failover=auto", &sender);
    network("kill 0");
    until_event(mbox, SPX_EVENT_DAEMON_LOST);
    event = until_event(mbox, SPX_EVENT_RECONNECTED);
    CHECK_STR(event.private_group, "#bob#d2");
    CHECK_EQ(event.groups, 1);
    CHECK(SP_poll(mbox) > COUNT * FRAME);
    take_all(mbox);
    EXPECT_MEMBERSHIP(mbox, TRANSITION_MESS, "g", &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, "g", &got);
    CHECK_EQ(got.num_groups, 2);
    got_free(&got);
    CHECK_EQ(SP_multicast(sender, AGREED_MESS, "g", 2, 5, "after"), 5);
    EXPECT_DATA(mbox, AGREED_MESS, "#sue#d2", "g", 2, "after", 5);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_EQ(SP_disconnect(sender), 0);
    network("restart 0");
}

static void ends_as_ever(void)
{
    struct got got;
    mailbox sender;
    mailbox mbox;

    check_case("without failover");
    mbox = full_session("failover=connect", &sender);
    network("kill 0");
    until_event(mbox, SPX_EVENT_CLOSED);
    CHECK_EQ(SP_poll(mbox), COUNT * FRAME);
    take_all(mbox);
    WAIT_READABLE(mbox);
    CHECK_EQ(SP_poll(mbox), 1);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 0);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
    got_free(&got);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, "g", 2, 5, "after"), NET_ERROR_ON_SESSION);
    SP_kill(mbox);
    CHECK_EQ(SP_disconnect(sender), 0);
    network("restart 0");
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "full", 60);
    network_start();
    comes_back();
    ends_as_ever();
    return check_done();
}
