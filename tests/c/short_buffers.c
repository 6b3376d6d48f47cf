/* Receives with too little room for the groups or the body, without and with DROP_RECV: all outputs, for all sizes of the room
 * around what is needed, in one piece and as a scatter. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static mailbox mbox;
static int daemon_end;

/* A message, and what SP_receive says of it. */
struct message {
    const char *what;
    struct frame frame;
    const char *sender;
    int groups;
    service type;           /* once taken */
    service type_waiting;   /* while refused as too short */
    int mess_type;
    int mess_type_waiting;
    int mess_type_cut;      /* with DROP_RECV and too few groups */
    int endian_mismatch;
};

#define BODY_OF_JOIN \
    "\1\0\0\0\2\0\0\0\3\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0#z#fake\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct message messages[] = {
    {"data", {.type = FIFO_MESS, .groups = "g1 g2 g3", .mess_type = 7, .body = "0123456789", .size = 10}, "#peer#fake", 3, FIFO_MESS,
     FIFO_MESS, 7, 7, 7, 0},
    {"data of the other byte order",
     {.type = SAFE_MESS | SELF_DISCARD, .groups = "g1 g2", .mess_type = -7, .body = "01234", .size = 5, .big_endian = true,
      .big_endian_hint = true}, "#peer#fake", 2, SAFE_MESS | SELF_DISCARD, SAFE_MESS | SELF_DISCARD, -7, -7, -7, 1},
    {"data without a body", {.type = FIFO_MESS, .groups = "g1", .mess_type = 1}, "#peer#fake", 1, FIFO_MESS, FIFO_MESS, 1, 1, 1, 0},
    {"data without groups", {.type = FIFO_MESS, .mess_type = 1, .body = "xy", .size = 2}, "#peer#fake", 0, FIFO_MESS, FIFO_MESS, 1, 1,
     1, 0},
    {"a membership", {.type = REG_MEMB_MESS | CAUSED_BY_JOIN, .sender = "room", .groups = "#a#fake #me#fake #z#fake",
      .body = BODY_OF_JOIN, .size = 56}, "room", 3, REG_MEMB_MESS | CAUSED_BY_JOIN, REG_MEMB_MESS | CAUSED_BY_JOIN, 1, 0, -1, 0},
    {"a transitional message", {.type = TRANSITION_MESS, .sender = "room", .body = "0123456789ab", .size = 12}, "room", 0,
     TRANSITION_MESS, TRANSITION_MESS, -1, 0, -1, 0},
    {"a refused message", {.type = REJECT_MESS, .old_type = FIFO_MESS | MARKERS, .groups = "deny #me#fake", .mess_type = 5,
      .body = "refused", .size = 7}, "#peer#fake", 2, REJECT_MESS | FIFO_MESS, REJECT_MESS, 5, 5, 5, 0},
};

/* The room offered, and whether in one piece. */
struct room {
    int groups;
    int size;
    bool scattered;
};

static const char *group_at(const char *list, int index, char name[MAX_GROUP_NAME])
{
    size_t size;

    while (index-- > 0)
        list = strchr(list, ' ') + 1;
    size = strcspn(list, " ");
    memset(name, 0, MAX_GROUP_NAME);
    memcpy(name, list, size);
    return name;
}

/* As receive(), through SP_scat_receive with elements of growing sizes. */
static void receive_scattered(struct got *got, service type, int max_groups, int max_size)
{
    scatter pieces = {.num_elements = 0};
    struct got whole;
    int at = 0;

    receive(-1, &whole, type, max_groups, max_size);
    while (at < max_size && pieces.num_elements < 99) {
        scat_element *piece = &pieces.elements[pieces.num_elements++];

        piece->buf = whole.body + at;
        piece->len = pieces.num_elements;
        if ((int)piece->len > max_size - at)
            piece->len = (size_t)(max_size - at);
        at += (int)piece->len;
    }
    *got = whole;
    fill(got->sender, sizeof got->sender);
    got->result = SP_scat_receive(mbox, &got->type, got->sender, max_groups, &got->num_groups, got->groups, &got->mess_type,
                                  &got->endian_mismatch, &pieces);
}

static void take(struct got *got, service type, const struct room *room)
{
    if (room->scattered)
        receive_scattered(got, type, room->groups, room->size);
    else
        receive(mbox, got, type, room->groups, room->size);
}

static void check_sender(const struct got *got, const struct message *message)
{
    char name[MAX_GROUP_NAME];

    CHECK_MEM(got->sender, group_at(message->sender, 0, name), MAX_GROUP_NAME);
}

static void check_contents(const struct got *got, const struct message *message, int groups, int size)
{
    char name[MAX_GROUP_NAME];
    int i;

    for (i = 0; i < groups; i++)
        CHECK_MEM(got->groups[i], group_at(message->frame.groups, i, name), MAX_GROUP_NAME);
    if (size > 0)
        CHECK_MEM(got->body, message->frame.body, (size_t)size);
    CHECK_UNTOUCHED_FROM(got, groups, size);
}

static bool fits(const struct message *message, const struct room *room)
{
    return message->groups <= room->groups && message->frame.size <= room->size;
}

/* One receive of a message for which there is not enough room: it stays, and both sizes are told. */
static void is_refused(const struct message *message, const struct room *room)
{
    bool groups_short = message->groups > room->groups;
    bool body_short = message->frame.size > room->size;
    struct got got;

    take(&got, 0, room);
    CHECK_EQ(got.result, groups_short ? GROUPS_TOO_SHORT : BUFFER_TOO_SHORT);
    CHECK_EQ(got.num_groups, groups_short ? -message->groups : 0);
    CHECK_EQ(got.endian_mismatch, body_short ? -message->frame.size : 0);
    CHECK_EQ(got.type, message->type_waiting);
    CHECK_EQ(got.mess_type, message->mess_type_waiting);
    check_sender(&got, message);
    check_contents(&got, message, 0, 0);
    got_free(&got);
    CHECK(is_readable(mbox));
}

static void is_taken(const struct message *message, const struct room *room, service type)
{
    struct got got;

    take(&got, type, room);
    CHECK_EQ(got.result, message->frame.size);
    CHECK_EQ(got.num_groups, message->groups);
    CHECK_EQ(got.endian_mismatch, message->endian_mismatch);
    CHECK_EQ(got.type, message->type);
    CHECK_EQ(got.mess_type, message->mess_type);
    check_sender(&got, message);
    check_contents(&got, message, message->groups, message->frame.size);
    got_free(&got);
}

/* One receive with DROP_RECV: the message is gone, whatever did not fit of it is lost. */
static void is_cut(const struct message *message, const struct room *room)
{
    bool groups_short = message->groups > room->groups;
    bool body_short = message->frame.size > room->size;
    struct got got;

    take(&got, DROP_RECV, room);
    CHECK_EQ(got.result, body_short ? BUFFER_TOO_SHORT : message->frame.size);
    CHECK_EQ(got.num_groups, groups_short ? -message->groups : message->groups);
    CHECK_EQ(got.endian_mismatch, message->endian_mismatch);
    CHECK_EQ(got.type, message->type);
    CHECK_EQ(got.mess_type, groups_short ? message->mess_type_cut : message->mess_type);
    check_sender(&got, message);
    check_contents(&got, message, groups_short ? room->groups : message->groups, body_short ? room->size : message->frame.size);
    got_free(&got);
}

/* The next message, for seeing that the one before was consumed exactly. */
static void marker(void)
{
    static const struct frame frame = {.type = CAUSAL_MESS, .groups = "gg", .mess_type = 8, .body = "next", .size = 4};

    fake_send(daemon_end, &frame);
    EXPECT_DATA(mbox, CAUSAL_MESS, "#peer#fake", "gg", 8, "next", 4);
    CHECK_EQ(SP_poll(mbox), 0);
}

static void every_room(const struct message *message, bool scattered)
{
    static const struct room ample = {20, 100, false};
    int most_groups = message->groups + 1;
    int most = message->frame.size + 2;
    int whole = (int)frame_size(&message->frame);
    int groups;
    int size;

    for (groups = 0; groups <= most_groups; groups++)
        for (size = 0; size <= most; size++) {
            struct room room = {groups, size, scattered};

            check_case("%s, room for %d groups and %d bytes%s", message->what, groups, size, scattered ? ", scattered" : "");
            fake_send(daemon_end, &message->frame);
            if (fits(message, &room)) {
                is_taken(message, &room, 0);
                fake_send(daemon_end, &message->frame);
                is_taken(message, &room, DROP_RECV);
            } else {
                /* Any number of times, and of both kinds. */
                is_refused(message, &room);
                CHECK_EQ(SP_poll(mbox), whole - HEADER_SIZE);
                is_refused(message, &room);
                CHECK_EQ(SP_poll(mbox), whole - HEADER_SIZE);
                is_taken(message, &ample, 0);
                fake_send(daemon_end, &message->frame);
                is_cut(message, &room);
                CHECK_EQ(SP_poll(mbox), 0);
                /* Refused first, then cut. */
                if (!CLASSIC("D7: a refused message that is then cut")) {
                    fake_send(daemon_end, &message->frame);
                    is_refused(message, &room);
                    is_cut(message, &room);
                }
            }
            marker();
        }
}

/* A refused message keeps its place in front of the others, and only the room decides. */
static void in_front_of_others(void)
{
    static const struct room none = {0, 0, false};
    static const struct room ample = {20, 100, false};
    size_t i;

    for (i = 0; i < COUNT_OF(messages); i++) {
        check_case("%s, in front of others", messages[i].what);
        fake_send(daemon_end, &messages[i].frame);
        fake_send(daemon_end, &messages[0].frame);
        fake_send(daemon_end, &messages[4].frame);
        is_refused(&messages[i], &none);
        is_refused(&messages[i], &none);
        is_taken(&messages[i], &ample, DROP_RECV);
        is_refused(&messages[0], &none);
        is_taken(&messages[0], &ample, 0);
        is_cut(&messages[4], &none);
        marker();
    }
}

/* While the rest of a refused message is on its way, its header alone decides. */
static void before_the_rest_is_there(void)
{
    static const struct room none = {0, 0, false};
    static const struct room ample = {20, 100, false};
    size_t i;

    for (i = 0; i < COUNT_OF(messages); i++) {
        size_t size = frame_size(&messages[i].frame);

        if (size == HEADER_SIZE)
            continue;
        check_case("%s, with only its header there", messages[i].what);
        fake_send_part(daemon_end, &messages[i].frame, 0, HEADER_SIZE);
        {
            struct got got;

            take(&got, 0, &none);
            CHECK_BETWEEN(got.result, GROUPS_TOO_SHORT, BUFFER_TOO_SHORT);
            got_free(&got);
        }
        CHECK_EQ(SP_poll(mbox), 0);
        fake_send_part(daemon_end, &messages[i].frame, HEADER_SIZE, size);
        WAIT_UNTIL(SP_poll(mbox) == (int)size - HEADER_SIZE);
        is_refused(&messages[i], &none);
        is_taken(&messages[i], &ample, 0);
        marker();
    }
}

/* Sizes that no message can have: told as they are, as often as asked. */
static void huge_sizes(const char *name)
{
    struct frame frame = {.type = FIFO_MESS, .groups = "room", .mess_type = 1, .body = "aaaaaaaaaa", .size = 10, .lies = true,
                          .claimed_groups = 1, .claimed_size = INT_MAX};
    struct got got;
    int i;

    check_case("%s: a body of INT_MAX bytes", name);
    fake_send(daemon_end, &frame);
    for (i = 0; i < 3; i++) {
        receive(mbox, &got, 0, 5, 1000);
        CHECK_EQ(got.result, BUFFER_TOO_SHORT);
        CHECK_EQ(got.endian_mismatch, -INT_MAX);
        CHECK_EQ(got.num_groups, 0);
        got_free(&got);
    }
    SP_kill(mbox);
    SYS(close(daemon_end));

    check_case("%s: INT_MAX groups", name);
    daemon_end = fake_session(&fake, name, &mbox);
    frame.claimed_groups = INT_MAX;
    frame.claimed_size = 1;
    fake_send(daemon_end, &frame);
    for (i = 0; i < 3; i++) {
        receive(mbox, &got, 0, 5, 1000);
        CHECK_EQ(got.result, GROUPS_TOO_SHORT);
        CHECK_EQ(got.endian_mismatch, 0);
        CHECK_EQ(got.num_groups, -INT_MAX);
        got_free(&got);
    }
}

int main(int argc, char **argv)
{
    size_t k;
    int i;

    check_start(argc, argv, "short_buffers", 30);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        daemon_end = fake_session(&fake, name, &mbox);
        for (k = 0; k < COUNT_OF(messages); k++) {
            every_room(&messages[k], false);
            every_room(&messages[k], true);
        }
        in_front_of_others();
        before_the_rest_is_there();
        huge_sizes(name);
        SP_kill(mbox);
        SYS(close(daemon_end));
    }
    fake_close(&fake);
    return check_done();
}
