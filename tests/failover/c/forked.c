/* A session that is handed to a child: the process that goes on with it gets it back. Argument: the name. */
#include <unistd.h>

#include "events.h"
#include "network.h"

static char name[600];

static void goes_on(mailbox mbox, const char *group)
{
    struct got got;

    network("kill 0");
    EXPECT_MEMBERSHIP(mbox, TRANSITION_MESS, group, &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    CHECK_EQ(got.num_groups, 1);
    CHECK_EQ(got.mess_type, 0);
    CHECK_STR(got.groups[0], "#bob#d2");
    got_free(&got);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 1, 2, "on"), 2);
    EXPECT_DATA(mbox, AGREED_MESS, "#bob#d2", group, 1, "on", 2);
    network("restart 0");
}

/* The session is away from its home when it is handed over: the process that has lost it must not move it back. */
static void stays(mailbox mbox, const char *group)
{
    int i;

    network("restart 0");
    /* Fifty times the time after which it would go home. */
    for (i = 0; i < 100; i++) {
        CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 1, 2, "on"), 2);
        EXPECT_DATA(mbox, AGREED_MESS, "#bob#d2", group, 1, "on", 2);
        usleep(10000);
    }
}

static mailbox bob(void)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = connected(name, "bob", private_group);

    CHECK_STR(private_group, "#bob#d1");
    return mbox;
}

int main(int argc, char **argv)
{
    struct got got;
    mailbox mbox;
    pid_t child;

    check_start(argc, argv, "forked", 60);
    network_start();
    snprintf(name, sizeof name, "%s?failover=auto&avoid_ms=0", check_name(0));

    check_case("a child uses it, as after daemon()");
    mbox = bob();
    join(mbox, "g");
    child = fork_checked();
    if (child == 0) {
        goes_on(mbox, "g");
        CHECK_EQ(SP_disconnect(mbox), 0);
        child_done();
    }
    wait_for_child(child);
    SP_kill(mbox);

    check_case("the parent uses it, the child does something else");
    mbox = bob();
    join(mbox, "h");
    child = fork_checked();
    if (child == 0) {
        pause();
        child_done();
    }
    goes_on(mbox, "h");
    kill_child(child);
    CHECK_EQ(SP_disconnect(mbox), 0);

    check_case("a child uses it, away from its home");
    snprintf(name, sizeof name, "%s?failover=auto&avoid_ms=0&failback_ms=20", check_name(0));
    mbox = bob();
    join(mbox, "i");
    network("kill 0");
    EXPECT_MEMBERSHIP(mbox, TRANSITION_MESS, "i", &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, "i", &got);
    got_free(&got);
    child = fork_checked();
    if (child == 0) {
        stays(mbox, "i");
        CHECK_EQ(SP_disconnect(mbox), 0);
        child_done();
    }
    wait_for_child(child);
    SP_kill(mbox);
    return check_done();
}
