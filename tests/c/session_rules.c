/* Mailboxes that do not exist, and which of several wrong arguments a call complains about. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static char one_group[1][MAX_GROUP_NAME] = {"room"};

static void unknown(mailbox mbox)
{
    scatter nothing = {.num_elements = 0};
    service type = 0;
    char sender[MAX_GROUP_NAME];
    char groups[1][MAX_GROUP_NAME];
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    struct got got;

    check_case("mailbox %d", mbox);
    CHECK_EQ(SP_disconnect(mbox), ILLEGAL_SESSION);
    SP_kill(mbox);
    CHECK_EQ(SP_join(mbox, "room"), ILLEGAL_SESSION);
    CHECK_EQ(SP_leave(mbox, "room"), ILLEGAL_SESSION);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 0, &nothing), ILLEGAL_SESSION);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 1, (const char(*)[MAX_GROUP_NAME])one_group, 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(SP_multigroup_scat_multicast(mbox, FIFO_MESS, 1, (const char(*)[MAX_GROUP_NAME])one_group, 0, &nothing),
             ILLEGAL_SESSION);
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
    receive(mbox, &got, DROP_RECV, 3, 10);
    CHECK_EQ(got.result, ILLEGAL_SESSION);
    CHECK_UNTOUCHED(&got);
    got_free(&got);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian_mismatch, &nothing), ILLEGAL_SESSION);

    /* What is wrong with the service or the name of a group is said first. */
    CHECK_EQ(SP_multicast(mbox, 0, "room", 0, 1, "x"), ILLEGAL_SERVICE);
    CHECK_EQ(SP_join(mbox, "#"), ILLEGAL_GROUP);
}

static void never_valid(void)
{
    unknown(1000000);
    unknown(0x7fffffff);
    unknown(-2);
    unknown(-0x7fffffff - 1);
    if (!CLASSIC("mailbox -1 and other never-valid numbers"))
        unknown(-1);
}

/* Before the first connect. Mailbox 0 is standard input, and stays. */
static void before_the_first_connect(void)
{
    never_valid();
    if (CLASSIC("mailbox numbers: SP_disconnect(0) before any connect"))
        return;
    unknown(0);
    CHECK(fcntl(0, F_GETFD) >= 0);
}

/* Descriptors of the program that are no mailboxes. */
static void other_descriptors(void)
{
    int ends[2];

    SYS(pipe2(ends, O_CLOEXEC));
    unknown(ends[0]);
    unknown(ends[1]);
    unknown(0);
    CHECK(fcntl(0, F_GETFD) >= 0);
    CHECK(fcntl(ends[0], F_GETFD) >= 0);
    SYS(close(ends[0]));
    SYS(close(ends[1]));
}

/* Calls with several faults, on a good session: service, session, state, size, and then what the reference library does not refuse. */
static void order_of_checks(void)
{
    static char big[144001];
    static char groups[102][MAX_GROUP_NAME];
    const char(*names)[MAX_GROUP_NAME] = (const char(*)[MAX_GROUP_NAME])groups;
    mailbox mbox;
    size_t i;
    int daemon = fake_session(&fake, fake.unix_name, &mbox);

    check_case("order of checks");
    for (i = 0; i < COUNT_OF(groups); i++)
        memcpy(groups[i], "room", 5);
    CHECK_EQ(SP_multicast(mbox, 0, "room", 0, sizeof big, big), ILLEGAL_SERVICE);
    CHECK_EQ(SP_multicast(mbox, REG_MEMB_MESS, "room", 0, 1, big), ILLEGAL_SERVICE);
    CHECK_EQ(SP_multicast(mbox, SELF_DISCARD, "room", 0, 1, big), ILLEGAL_SERVICE);
    CHECK_EQ(SP_multicast(mbox, REJECT_MESS, "room", 0, 1, big), ILLEGAL_SERVICE);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, sizeof big, big), MESSAGE_TOO_LONG);
    /* Faults that only we refuse come after those. */
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS | SAFE_MESS, "room", 0, sizeof big, big), MESSAGE_TOO_LONG);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS | REJECT_MESS, "room", 0, sizeof big, big), MESSAGE_TOO_LONG);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 102, names, 0, sizeof big, big), MESSAGE_TOO_LONG);
    CHECK_EQ(SP_multicast(1000000, FIFO_MESS | SAFE_MESS, "room", 0, sizeof big, big), ILLEGAL_SESSION);
    CHECK_EQ(SP_multicast(1000000, FIFO_MESS, "room", 0, -1, big), ILLEGAL_SESSION);
    CHECK_EQ(SP_multigroup_multicast(1000000, FIFO_MESS, 102, names, 0, 1, big), ILLEGAL_SESSION);
    CHECK_EQ(SP_multigroup_multicast(1000000, 0, 102, names, 0, 1, big), ILLEGAL_SERVICE);
    /* Nothing was sent for any of that. */
    CHECK(!is_readable(daemon));

    /* On a session in error, that comes before the size. */
    SYS(close(daemon));
    CHECK_EQ(receive_to_the_end(mbox), CONNECTION_CLOSED);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, sizeof big, big), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_multicast(mbox, 0, "room", 0, sizeof big, big), ILLEGAL_SERVICE);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS | SAFE_MESS, "room", 0, 1, big), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, -1, big), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 102, names, 0, 1, big), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_join(mbox, "#"), ILLEGAL_GROUP);
    CHECK_EQ(SP_join(mbox, "room"), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_leave(mbox, "room"), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_disconnect(mbox), 0);
    unknown(mbox);
}

/* The number of an ended session is given to the next one, which must not inherit anything. */
static void reused_numbers(void)
{
    static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};
    int same = 0;
    int i;

    check_case("reused numbers");
    for (i = 0; i < 50; i++) {
        const char *name = i % 2 == 0 ? fake.unix_name : fake.tcp_name;
        struct got got;
        mailbox first;
        mailbox second;
        int daemon = fake_session(&fake, name, &first);

        /* Leave something behind: a message refused as too short, and one half there. */
        fake_send(daemon, &hello);
        fake_send_part(daemon, &hello, 0, 50);
        receive(first, &got, 0, 1, 1);
        CHECK_EQ(got.result, BUFFER_TOO_SHORT);
        got_free(&got);
        SP_kill(first);
        SYS(close(daemon));

        daemon = fake_session(&fake, name, &second);
        same += first == second;
        CHECK_EQ(SP_poll(second), 0);
        CHECK(!is_readable(second));
        fake_send(daemon, &hello);
        EXPECT_DATA(second, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
        CHECK_EQ(SP_disconnect(second), 0);
        SYS(close(daemon));
    }
    CHECK(same > 0);
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "session_rules", 20);
    fake_open(&fake);
    before_the_first_connect();
    order_of_checks();
    never_valid();
    other_descriptors();
    reused_numbers();
    fake_close(&fake);
    return check_done();
}
