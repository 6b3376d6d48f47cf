/* Authentication methods run again when a session comes back: on a thread of the library, with the data and the socket that they had
 * before. Arguments: two daemons. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "network.h"
#include "session.h"
#include "sp_ext.h"

/* What the network sends, and is to get back mixed with the secret. */
#define CHALLENGE 16

struct known {
    const char *secret;
    atomic_int calls;
    atomic_bool leaves;
    pthread_t caller;
};

static int answer(int fd, void *data)
{
    struct known *known = data;
    char challenge[CHALLENGE];
    size_t i;

    CHECK((SYS(fcntl(fd, F_GETFL)) & O_NONBLOCK) == 0);
    read_all(fd, challenge, sizeof challenge);
    for (i = 0; i < sizeof challenge; i++)
        challenge[i] ^= known->secret[i % strlen(known->secret)];
    write_all(fd, challenge, sizeof challenge);
    known->caller = pthread_self();
    known->calls++;
    if (atomic_exchange(&known->leaves, false))
        pthread_exit(NULL);
    return 1;
}

int main(int argc, char **argv)
{
    struct known known = {.secret = "secret", .caller = pthread_self()};
    char name[400];
    char private_group[MAX_GROUP_NAME];
    struct got got;
    mailbox mbox;

    check_start(argc, argv, "auth", 60);
    network_start();
    CHECK_EQ(SP_set_auth_method("SAMPLE", answer, &known), 1);
    snprintf(name, sizeof name, "%s,%s?failover=auto&avoid_ms=0", check_name(0), check_name(1));
    CHECK_EQ(SP_connect(name, "bob", 0, 1, &mbox, private_group), ACCEPT_SESSION);
    CHECK_EQ(known.calls, 1);
    CHECK(pthread_equal(known.caller, pthread_self()));
    join(mbox, "g");

    check_case("the daemon dies");
    network("kill 0");
    EXPECT_MEMBERSHIP(mbox, TRANSITION_MESS, "g", &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, "g", &got);
    CHECK(has_group(&got, "#bob#d2"));
    got_free(&got);
    CHECK_EQ(known.calls, 2);
    CHECK(!pthread_equal(known.caller, pthread_self()));

    check_case("a secret that is right no more: the daemon is not gone to");
    network("restart 0");
    known.secret = "wrong";
    CHECK_EQ(SPX_reconnect(mbox), 0);
    WAIT_UNTIL(known.calls == 3);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, "g", 1, 5, "still"), 5);
    EXPECT_DATA(mbox, AGREED_MESS, "#bob#d2", "g", 1, "still", 5);

    check_case("a method that ends its thread: that attempt has failed, and no more");
    known.secret = "secret";
    known.leaves = true;
    network("kill 1");
    EXPECT_MEMBERSHIP(mbox, TRANSITION_MESS, "g", &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, "g", &got);
    CHECK(has_group(&got, "#bob#d1"));
    got_free(&got);
    CHECK_EQ(known.calls, 5);
    CHECK_EQ(SP_disconnect(mbox), 0);
    return check_done();
}
