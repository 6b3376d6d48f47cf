/* A program of the classic kind, which knows nothing of Everspread: it waits in select() and receives one message per wake-up. The
 * environment makes its session come back. Argument: the name that it has built in. */
#include <sys/select.h>

#include "network.h"
#include "session.h"

static char private_group[MAX_GROUP_NAME];

static void next(mailbox mbox, struct got *got)
{
    struct timeval limit = {20, 0};
    fd_set set;

    CHECK_BETWEEN(mbox, 0, 20);
    FD_ZERO(&set);
    FD_SET(mbox, &set);
    CHECK_EQ(SYS(select(mbox + 1, &set, NULL, NULL, &limit)), 1);
    receive_any(mbox, got);
    CHECK(got->result >= 0);
}

static void expect(mailbox mbox, service type, int members)
{
    struct got got;

    next(mbox, &got);
    CHECK_EQ(got.type, type);
    CHECK_STR(got.sender, "g");
    CHECK_EQ(got.num_groups, members);
    if (members > 0)
        CHECK_EQ(got.mess_type, 0);
    got_free(&got);
}

int main(int argc, char **argv)
{
    struct got got;
    mailbox mbox;
    int i;

    check_start(argc, argv, "plain", 60);
    network_start();
    CHECK_EQ(SP_connect(check_name(0), "bob", 0, 1, &mbox, private_group), ACCEPT_SESSION);
    CHECK_EQ(SP_join(mbox, "g"), 0);
    expect(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, 1);
    for (i = 0; i < 6; i++) {
        check_case("round %d", i);
        network(i % 2 == 0 ? "kill 0" : "kill 1");
        expect(mbox, TRANSITION_MESS, 0);
        expect(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, 1);
        CHECK_EQ(SP_multicast(mbox, AGREED_MESS, "g", 7, 5, "hello"), 5);
        next(mbox, &got);
        CHECK_EQ(got.result, 5);
        CHECK_STR(got.sender, i % 2 == 0 ? "#bob#d2" : "#bob#d1");
        got_free(&got);
        network(i % 2 == 0 ? "restart 0" : "restart 1");
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
    return check_done();
}
