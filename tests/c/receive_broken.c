/* Streams that end or go wrong inside a message: which outputs a failing receive has written, at each border. */
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const char *name;

/* A message to cut, with what comes out of its header. */
struct message {
    const char *what;
    struct frame frame;
    const char *sender;
    int groups;
    int mess_type;
    int endian_mismatch;
};

static const struct message messages[] = {
    {"data", {.type = FIFO_MESS, .groups = "g1 g2", .mess_type = 7, .body = "0123456789", .size = 10}, "#peer#fake", 2, 7, 0},
    {"data, big-endian", {.type = FIFO_MESS, .groups = "g1", .mess_type = 7, .body = "0123", .size = 4, .big_endian = true,
                          .big_endian_hint = true}, "#peer#fake", 1, 7, 1},
    {"data without groups", {.type = FIFO_MESS, .mess_type = 7, .body = "0123", .size = 4}, "#peer#fake", 0, 7, 0},
    {"a refused message", {.type = REJECT_MESS, .old_type = FIFO_MESS | MARKERS, .groups = "deny", .mess_type = 5, .body = "01",
                           .size = 2}, "#peer#fake", 1, 5, 0},
    {"a transitional message", {.type = TRANSITION_MESS, .sender = "room", .body = "0123456789ab", .size = 12}, "room", 0, -1, 0},
};

/* How the stream ends. */
enum ending { CLOSED, SHUT_DOWN, ENDINGS };

static void in_error_now(mailbox mbox)
{
    struct got got;

    receive_any(mbox, &got);
    CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
    CHECK_UNTOUCHED(&got);
    got_free(&got);
    CHECK_EQ(SP_join(mbox, "room"), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void cut_at(const struct message *message, size_t cut, enum ending ending, service type, int room)
{
    int head = HEADER_SIZE + (message->frame.old_type != 0 ? 4 : 0);
    int body_at = head + message->groups * MAX_GROUP_NAME;
    struct got got;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: %s cut to %zu bytes, room %d%s", name, message->what, cut, room, type != 0 ? ", DROP_RECV" : "");
    fake_send_part(daemon, &message->frame, 0, cut);
    if (ending == CLOSED)
        SYS(close(daemon));
    else
        SYS(shutdown(daemon, SHUT_WR));
    receive(mbox, &got, type, 5, room);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    if (cut < HEADER_SIZE) {
        CHECK_UNTOUCHED(&got);
    } else {
        int came = (int)cut - body_at;
        bool surplus = came >= room && room < message->frame.size;

        CHECK_STR(got.sender, message->sender);
        CHECK_EQ(got.mess_type, message->mess_type);
        CHECK_EQ(got.endian_mismatch, message->endian_mismatch);
        if (came >= 0) {
            CHECK_EQ(got.num_groups, message->groups);
            if (message->groups > 0)
                CHECK_MEM(got.groups[0], message->frame.groups, 2);
            CHECK_MEM(got.body, message->frame.body, (size_t)(came < room ? came : room));
            CHECK_UNTOUCHED_FROM(&got, message->groups, came);
        } else {
            CHECK(untouched(&got.num_groups, sizeof got.num_groups));
            CHECK_UNTOUCHED_FROM(&got, message->groups, 0);
        }
        /* It is written once all has been handed over and only a surplus is being dropped. */
        CHECK_EQ(got.type, surplus ? (int)message->frame.type : type);
    }
    got_free(&got);
    in_error_now(mbox);
    if (ending != CLOSED)
        SYS(close(daemon));
}

static void truncated(void)
{
    enum ending ending;
    size_t i;
    size_t cut;

    for (i = 0; i < COUNT_OF(messages); i++)
        for (cut = 0; cut < frame_size(&messages[i].frame); cut++)
            for (ending = 0; ending < ENDINGS; ending++)
                cut_at(&messages[i], cut, ending, 0, 100);
    /* The surplus of a body being dropped. */
    for (cut = HEADER_SIZE; cut < frame_size(&messages[0].frame); cut++)
        cut_at(&messages[0], cut, CLOSED, DROP_RECV, 4);
}

/* The end comes behind a message that was refused as too short: it can still be taken, if it was whole. */
static void after_a_refusal(void)
{
    const struct message *message = &messages[0];
    size_t size = frame_size(&message->frame);
    size_t cut;

    for (cut = HEADER_SIZE; cut <= size; cut++) {
        struct got got;
        mailbox mbox;
        int daemon = fake_session(&fake, name, &mbox);

        check_case("%s: refused, then cut to %zu bytes", name, cut);
        fake_send_part(daemon, &message->frame, 0, cut);
        SYS(close(daemon));
        receive(mbox, &got, 0, 1, 3);
        CHECK_EQ(got.result, GROUPS_TOO_SHORT);
        got_free(&got);
        CHECK(is_readable(mbox));
        receive(mbox, &got, 0, 2, 3);
        CHECK_EQ(got.result, BUFFER_TOO_SHORT);
        got_free(&got);
        receive_any(mbox, &got);
        CHECK_EQ(got.result, cut == size ? message->frame.size : CONNECTION_CLOSED);
        CHECK_STR(got.sender, message->sender);
        got_free(&got);
        if (cut == size) {
            receive_any(mbox, &got);
            CHECK_EQ(got.result, CONNECTION_CLOSED);
            CHECK_UNTOUCHED(&got);
            got_free(&got);
        }
        in_error_now(mbox);
    }
}

/* Counts below zero. */
static void negative_counts(void)
{
    static const int pairs[][2] = {{-1, 5}, {1, -1}, {INT_MIN, 0}, {0, INT_MIN}, {-1, -1}};
    static const struct frame good = {.type = FIFO_MESS, .groups = "room", .body = "hi", .size = 2};
    size_t i;
    int service_in;

    for (i = 0; i < COUNT_OF(pairs); i++)
        for (service_in = 0; service_in < 2; service_in++) {
            struct frame frame = {.type = FIFO_MESS, .lies = true, .claimed_groups = pairs[i][0], .claimed_size = pairs[i][1]};
            struct got got;
            mailbox mbox;
            int daemon = fake_session(&fake, name, &mbox);

            check_case("%s: %d groups and %d bytes", name, pairs[i][0], pairs[i][1]);
            fake_send(daemon, &good);
            fake_send(daemon, &frame);
            fake_send(daemon, &good);
            EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hi", 2);
            receive(mbox, &got, service_in != 0 ? DROP_RECV : 0, 5, 100);
            CHECK_EQ(got.result, ILLEGAL_MESSAGE);
            CHECK_UNTOUCHED(&got);
            got_free(&got);
            if (CLASSIC("D15: a broken frame from the daemon")) {
                EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hi", 2);
                SP_kill(mbox);
                SYS(close(daemon));
                continue;
            }
            CHECK(is_readable(mbox));
            in_error_now(mbox);
            SYS(close(daemon));
        }
}

/* A surplus without end, that is being dropped until the stream ends. */
static void endless_surplus(void)
{
    struct frame frame = {.type = FIFO_MESS, .groups = "room", .mess_type = 1, .body = "aaaaaaaaaaaaaaaaaaaa", .size = 20,
                          .lies = true, .claimed_groups = 1, .claimed_size = INT_MAX};
    struct got got;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: a surplus of INT_MAX bytes", name);
    fake_send(daemon, &frame);
    SYS(close(daemon));
    receive(mbox, &got, DROP_RECV, 1, 8);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    CHECK_EQ(got.type, FIFO_MESS);
    CHECK_EQ(got.num_groups, 1);
    CHECK_EQ(got.mess_type, 1);
    CHECK_STR(got.groups[0], "room");
    CHECK_MEM(got.body, "aaaaaaaa", 8);
    got_free(&got);
    in_error_now(mbox);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "receive_broken", 30);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        truncated();
        after_a_refusal();
        negative_counts();
        endless_surplus();
    }
    fake_close(&fake);
    return check_done();
}
