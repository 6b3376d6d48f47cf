/* The outputs of SP_receive for every kind of message, in both byte orders. The daemon is a scripted one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static mailbox mbox;
static int daemon_end;

/* What must come out of a frame. Without a body here, the body is that of the frame. */
struct outputs {
    service type;
    const char *sender;
    int num_groups;
    int mess_type;
    int endian_mismatch;
    const void *body;
};

static void gives(const char *what, const struct frame *frame, const struct outputs *want)
{
    char names[20][MAX_GROUP_NAME];
    const char *list = frame->groups;
    struct got got;
    int i;

    check_case("%s", what);
    fake_send(daemon_end, frame);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, frame->size);
    CHECK_EQ(got.type, want->type);
    CHECK_STR(got.sender, want->sender);
    CHECK_EQ(got.num_groups, want->num_groups);
    CHECK_EQ(got.mess_type, want->mess_type);
    CHECK_EQ(got.endian_mismatch, want->endian_mismatch);
    if (frame->size > 0)
        CHECK_MEM(got.body, want->body != NULL ? want->body : frame->body, (size_t)frame->size);

    /* All 32 bytes of each group. */
    memset(names, 0, sizeof names);
    for (i = 0; i < want->num_groups; i++) {
        size_t size = strcspn(list, " ");

        memcpy(names[i], list, size);
        list += size + 1;
    }
    CHECK_MEM(got.groups, names, (size_t)want->num_groups * MAX_GROUP_NAME);
    /* The sender is filled up with zero bytes. */
    memset(names[0], 0, MAX_GROUP_NAME);
    memcpy(names[0], want->sender, strlen(want->sender));
    CHECK_MEM(got.sender, names[0], MAX_GROUP_NAME);
    CHECK_UNTOUCHED_FROM(&got, want->num_groups, frame->size);
    got_free(&got);
}

static void data(void)
{
    static const int mess_types[] = {0, 1, 258, 32767, -1, -32768};
    static const unsigned services[] = {UNRELIABLE_MESS, RELIABLE_MESS, FIFO_MESS, CAUSAL_MESS, AGREED_MESS, SAFE_MESS};
    char what[80];
    size_t i;
    int order;

    for (order = 0; order < 4; order++) {
        struct frame frame = {.groups = "g1 g2 #me#fake", .body = "0123456789", .size = 10};
        struct outputs want = {.sender = "#peer#fake", .num_groups = 3};

        frame.big_endian = order % 2 != 0;
        frame.big_endian_hint = order / 2 != 0;
        /* Only the hint is the sender's; the rest is written by the daemon. */
        want.endian_mismatch = frame.big_endian_hint;
        for (i = 0; i < 6; i++) {
            snprintf(what, sizeof what, "data, service %#x, mess_type %d, byte orders %d", services[i], mess_types[i], order);
            frame.type = services[i];
            want.type = (service)services[i];
            frame.mess_type = want.mess_type = mess_types[i];
            gives(what, &frame, &want);
            frame.type |= SELF_DISCARD;
            want.type |= SELF_DISCARD;
            gives(what, &frame, &want);
        }
        frame.size = 0;
        gives("an empty body", &frame, &want);
        frame.groups = NULL;
        want.num_groups = 0;
        gives("an empty body and no groups", &frame, &want);
    }
}

/* The same through SP_scat_receive: numbers are put in order wherever the borders of elements are. */
static void gives_in_pieces(const char *what, const struct frame *frame, const struct outputs *want, size_t piece)
{
    char body[2000];
    char sender[MAX_GROUP_NAME];
    char groups[20][MAX_GROUP_NAME];
    scatter pieces = {.num_elements = 0};
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    size_t at;

    check_case("%s, in pieces of %zu", what, piece);
    for (at = 0; at < (size_t)frame->size; at += piece) {
        pieces.elements[pieces.num_elements].buf = body + at;
        pieces.elements[pieces.num_elements++].len = piece;
    }
    fake_send(daemon_end, frame);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 20, &num_groups, groups, &mess_type, &endian_mismatch, &pieces), frame->size);
    CHECK_EQ(type, want->type);
    CHECK_STR(sender, want->sender);
    CHECK_EQ(num_groups, want->num_groups);
    CHECK_EQ(mess_type, want->mess_type);
    CHECK_EQ(endian_mismatch, want->endian_mismatch);
    CHECK_MEM(body, want->body, (size_t)frame->size);
}

/* The membership body in the order of the frame, and as the program must find it. */
static void membership(const char *what, unsigned type, const char *groups, int number, int index, const char *sets, unsigned offset)
{
    static const int gid[3] = {97615837, -5, 0x01020304};
    unsigned char in_frame[2000];
    unsigned char in_program[2000];
    size_t piece;
    int big;

    for (big = 0; big < 2; big++) {
        struct frame frame = {.type = type, .sender = "room", .groups = groups, .body = in_frame, .big_endian = big != 0,
                              .big_endian_hint = big != 0};
        struct outputs want = {.type = (service)type, .sender = "room", .num_groups = number, .mess_type = index, .body = in_program};

        frame.size = (int)membership_body(in_frame, gid, offset, sets, big != 0);
        membership_body(in_program, gid, offset, sets, false);
        gives(what, &frame, &want);
        for (piece = 3; piece <= 40; piece += piece < 12 ? 1 : 7)
            if ((size_t)frame.size <= piece * MAX_CLIENT_SCATTER_ELEMENTS)
                gives_in_pieces(what, &frame, &want, piece);
    }
}

static void memberships(void)
{
    membership("join, alone", REG_MEMB_MESS | CAUSED_BY_JOIN, "#me#fake", 1, 0, "#me#fake", 0);
    membership("join, first of two", REG_MEMB_MESS | CAUSED_BY_JOIN, "#me#fake #z#fake", 2, 0, "#z#fake", 0);
    membership("join, last of three", REG_MEMB_MESS | CAUSED_BY_JOIN, "#a#fake #b#fake #me#fake", 3, 2, "#a#fake", 0);
    membership("leave", REG_MEMB_MESS | CAUSED_BY_LEAVE, "#a#fake #me#fake", 2, 1, "#z#fake", 0);
    membership("disconnect", REG_MEMB_MESS | CAUSED_BY_DISCONNECT, "#a#fake #me#fake", 2, 1, "#z#fake", 0);
    membership("network, two sets", REG_MEMB_MESS | CAUSED_BY_NETWORK, "#a#fake #me#fake #z#fake", 3, 1, "#z#fake;#a#fake #me#fake", 36);
    membership("network, three sets", REG_MEMB_MESS | CAUSED_BY_NETWORK, "#a#fake #b#fake #me#fake #z#fake", 4, 2,
               "#z#fake;#a#fake #b#fake;#me#fake", 104);
    membership("no member of it", REG_MEMB_MESS | CAUSED_BY_JOIN, "#a#fake #b#fake", 2, -1, "#b#fake", 0);
    membership("nearly the own name", REG_MEMB_MESS | CAUSED_BY_JOIN, "#me#fak #me#fakes #ME#fake", 3, -1, "#b#fake", 0);
    membership("the own name twice", REG_MEMB_MESS | CAUSED_BY_JOIN, "#a#fake #me#fake #me#fake", 3, 1, "#b#fake", 0);
    membership("nobody left", REG_MEMB_MESS | CAUSED_BY_LEAVE, NULL, 0, -1, "#b#fake", 0);
    membership("without a cause", REG_MEMB_MESS, "#me#fake", 1, 0, "#me#fake", 0);
    membership("no sets", REG_MEMB_MESS | CAUSED_BY_NETWORK, "#me#fake", 1, 0, "", 0);
}

static void transitional(void)
{
    struct frame frame = {.type = TRANSITION_MESS, .sender = "room", .body = "\1\2\3\4\5\6\7\10\11\12\13\14", .size = 12};
    struct outputs want = {.type = TRANSITION_MESS, .sender = "room", .mess_type = -1};

    gives("transitional", &frame, &want);
    frame.big_endian = frame.big_endian_hint = true;
    if (!CLASSIC("D14: the body of a transitional message of other byte order"))
        want.body = "\4\3\2\1\10\7\6\5\14\13\12\11";
    gives("transitional, big-endian", &frame, &want);
}

static void self_leave(void)
{
    struct frame frame = {.type = CAUSED_BY_LEAVE, .sender = "room"};
    struct outputs want = {.type = CAUSED_BY_LEAVE, .sender = "room", .mess_type = -1};

    gives("self-leave", &frame, &want);
    frame.big_endian = frame.big_endian_hint = true;
    gives("self-leave, big-endian", &frame, &want);
}

static void rejects(void)
{
    struct frame frame = {.type = REJECT_MESS, .sender = "#me#fake", .groups = "deny1 #me#fake", .mess_type = 77, .body = "refused",
                          .size = 7};
    struct outputs want = {.sender = "#me#fake", .num_groups = 2, .mess_type = 77};

    frame.old_type = FIFO_MESS | MARKERS;
    want.type = REJECT_MESS | FIFO_MESS;
    gives("a refused message", &frame, &want);
    frame.type = REJECT_MESS | SELF_DISCARD;
    frame.old_type = FIFO_MESS | SELF_DISCARD | MARKERS;
    want.type = REJECT_MESS | FIFO_MESS | SELF_DISCARD;
    gives("a refused message with SELF_DISCARD", &frame, &want);

    frame.type = REJECT_MESS;
    frame.big_endian = true;
    frame.old_type = SAFE_MESS;
    want.type = REJECT_MESS | SAFE_MESS;
    gives("a refused message, big-endian daemon", &frame, &want);
    frame.big_endian_hint = true;
    want.endian_mismatch = 1;
    gives("a refused message, big-endian", &frame, &want);

    frame.big_endian = frame.big_endian_hint = false;
    want.endian_mismatch = 0;
    frame.size = 0;
    frame.mess_type = want.mess_type = 0;
    frame.old_type = CAUSED_BY_JOIN | MARKERS;
    want.type = REJECT_MESS | CAUSED_BY_JOIN;
    gives("a refused join", &frame, &want);
    frame.old_type = CAUSED_BY_LEAVE | MARKERS;
    want.type = REJECT_MESS | CAUSED_BY_LEAVE;
    gives("a refused leave", &frame, &want);
}

static void odd_types(void)
{
    struct frame frame = {.groups = "room #me#fake", .mess_type = 5, .body = "odd", .size = 3};
    struct outputs want = {.sender = "#peer#fake", .num_groups = 2, .mess_type = -1};

    gives("type 0", &frame, &want);
    frame.type = 0x4000;
    want.type = 0x4000;
    gives("a type of unknown bits", &frame, &want);
    frame.type = SELF_DISCARD;
    want.type = SELF_DISCARD;
    gives("SELF_DISCARD alone", &frame, &want);

    /* Any client can send a message with a service and membership bits: a body of three bytes is not one of a membership. */
    frame.type = FIFO_MESS | CAUSED_BY_JOIN;
    want.type = FIFO_MESS | CAUSED_BY_JOIN;
    want.mess_type = 5;
    gives("data with a cause", &frame, &want);
    frame.type = FIFO_MESS | TRANSITION_MESS;
    want.type = FIFO_MESS | TRANSITION_MESS;
    gives("data that says transitional", &frame, &want);
    frame.type = FIFO_MESS | REG_MEMB_MESS;
    want.type = FIFO_MESS | REG_MEMB_MESS;
    want.mess_type = 1;
    gives("data that says membership: the own index", &frame, &want);
    frame.groups = "room hall";
    want.mess_type = 5;
    gives("data that says membership: no index", &frame, &want);
}

/* Names that fill all of their 32 bytes. */
static void full_names(void)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz012345";
    struct frame frame = {.type = FIFO_MESS, .sender = name, .groups = name, .body = "x", .size = 1};
    struct got got;

    check_case("names of 32 bytes");
    fake_send(daemon_end, &frame);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, 1);
    CHECK_MEM(got.sender, name, 31);
    CHECK_MEM(got.groups[0], name, 31);
    if (CLASSIC("D26: names without an end")) {
        CHECK_EQ(got.sender[31], name[31]);
        CHECK_EQ(got.groups[0][31], name[31]);
    } else {
        CHECK_EQ(got.sender[31], 0);
        CHECK_EQ(got.groups[0][31], 0);
    }
    got_free(&got);
}

/* Membership bodies of the other byte order whose counts do not fit: what is there is delivered, and nothing beyond it touched. */
static void broken_bodies(void)
{
    static const int gid[3] = {1, 2, 3};
    unsigned char body[2000];
    size_t size = membership_body(body, gid, 0, "#a#fake #b#fake;#me#fake", true);
    struct frame frame = {.type = REG_MEMB_MESS | CAUSED_BY_NETWORK, .sender = "room", .groups = "#me#fake", .body = body,
                          .big_endian = true, .big_endian_hint = true};
    struct got got;
    int i;

    if (CLASSIC("D10: counts and offsets from the wire are trusted"))
        return;
    for (i = 0; i <= (int)size; i++) {
        check_case("a membership body cut to %d bytes", i);
        frame.size = i;
        fake_send(daemon_end, &frame);
        receive(mbox, &got, 0, 5, i);
        CHECK_EQ(got.result, i);
        CHECK_EQ(got.type, REG_MEMB_MESS | CAUSED_BY_NETWORK);
        CHECK_EQ(got.mess_type, 0);
        got_free(&got);
    }
    for (i = 12; i < 24; i += 4) {
        static const unsigned wild[] = {0x7fffffff, 0xffffffff, 0x80000000, 1000000};
        size_t k;

        for (k = 0; k < COUNT_OF(wild); k++) {
            check_case("the number at %d is %#x", i, wild[k]);
            membership_body(body, gid, 0, "#a#fake #b#fake;#me#fake", true);
            put_number(body + i, wild[k], true);
            frame.size = (int)size;
            fake_send(daemon_end, &frame);
            receive(mbox, &got, 0, 5, (int)size);
            CHECK_EQ(got.result, (int)size);
            got_free(&got);
        }
    }
}

/* One byte at a time, so that no part comes together with another. */
static void in_single_bytes(void)
{
    struct frame frame = {.type = AGREED_MESS, .groups = "g1 g2", .mess_type = 9, .body = "slow", .size = 4};
    size_t size = frame_size(&frame);
    struct got got;
    size_t i;

    check_case("in single bytes");
    for (i = 0; i < size; i++) {
        CHECK_EQ(SP_poll(mbox), (int)i);
        fake_send_part(daemon_end, &frame, i, i + 1);
        WAIT_UNTIL(SP_poll(mbox) == (int)i + 1);
    }
    receive_any(mbox, &got);
    CHECK_EQ(got.result, 4);
    CHECK_EQ(got.num_groups, 2);
    CHECK_STR(got.groups[1], "g2");
    CHECK_MEM(got.body, "slow", 4);
    got_free(&got);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "receive_kinds", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        daemon_end = fake_session(&fake, i == 0 ? fake.unix_name : fake.tcp_name, &mbox);
        data();
        memberships();
        transitional();
        self_leave();
        rejects();
        odd_types();
        full_names();
        broken_bodies();
        in_single_bytes();
        SP_kill(mbox);
        SYS(close(daemon_end));
    }
    fake_close(&fake);
    return check_done();
}
