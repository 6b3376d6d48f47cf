/* What the library sends to other members, and what it makes of what they send, with a scripted daemon. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flush/at_fake.h"

#define PEER "#peer#fake"
#define BOTH FAKE_PRIVATE_GROUP " " PEER

static const char *name;
static mailbox mbox;
static int daemon_end;

static void expect_notice_now(service type)
{
    CHECK_EQ(take(mbox, DONT_BLOCK), 0);
    CHECK_EQ(taken.type, type);
    CHECK_STR(taken.sender, "room");
}

static void expect_text(const char *sender, int mess_type, const char *text)
{
    CHECK_EQ(take(mbox, DONT_BLOCK), (int)strlen(text));
    CHECK_STR(taken.sender, sender);
    CHECK_EQ(taken.mess_type, mess_type);
    CHECK_MEM(taken.body, text, strlen(text));
}

static void expect_view_now(service cause, int members)
{
    CHECK(take(mbox, DONT_BLOCK) > 0);
    CHECK_EQ(taken.type, REG_MEMB_MESS | cause);
    CHECK_EQ(taken.num_groups, members);
}

static void expect_nothing_now(void)
{
    CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
}

/* The client's next frame is this one of the layer, about the membership {1, 2, number}, to the group alone. */
static void sees_control(int mess_type, int number)
{
    struct sent sent = SEES(daemon_end, FIFO_MESS, mess_type);
    int gid[3] = {1, 2, number};

    CHECK_EQ(sent.num_groups, 1);
    CHECK_STR(sent.groups[0], "room");
    CHECK_EQ(sent.size, 12);
    CHECK_MEM(sent.body, gid, 12);
    sent_free(&sent);
}

/* The client has sent nothing more: a message of its own is the next. */
static void sees_nothing(void)
{
    struct sent sent;

    CHECK_EQ(FL_multicast(mbox, AGREED_MESS, "#no#body", 99, 0, NULL), 0);
    sent = SEES(daemon_end, AGREED_MESS, 99);
    CHECK_STR(sent.groups[0], "#no#body");
    sent_free(&sent);
}

static void ends(void)
{
    CHECK_EQ(FL_disconnect(mbox), 0);
    SYS(close(daemon_end));
}

/* Sends text and checks the frame: plain, or with the view's number and the own type behind the body. */
static void form(service type, bool vulnerable, int view)
{
    struct sent sent;

    CHECK_EQ(FL_multicast(mbox, type, "room", 0x1234, 4, "text"), 4);
    sent = SEES(daemon_end, (unsigned)type, vulnerable ? VULNERABLE : 0x1234);
    CHECK_EQ(sent.size, vulnerable ? 18 : 4);
    CHECK_MEM(sent.body, "text", 4);
    if (vulnerable) {
        int16 own_type = 0x1234;
        int gid[3] = {1, 2, view};

        CHECK_MEM(sent.body + 4, &own_type, 2);
        CHECK_MEM(sent.body + 6, gid, 12);
    }
    sent_free(&sent);
}

static void forms(int view, bool vulnerable)
{
    form(UNRELIABLE_MESS, vulnerable, view);
    form(RELIABLE_MESS, vulnerable, view);
    form(FIFO_MESS, vulnerable, view);
    form(CAUSAL_MESS, false, view);
    form(AGREED_MESS, false, view);
    form(SAFE_MESS, false, view);
}

static void forms_by_state(void)
{
    struct sent sent;
    char rows[2][MAX_GROUP_NAME] = {PEER, FAKE_PRIVATE_GROUP};

    check_case("%s: forms of messages by state", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    forms(4, false);
    /* A part of the group: the receivers are the destinations, and the group's name is behind the body. */
    CHECK_EQ(FL_subgroupcast(mbox, FIFO_MESS, "room", 2, rows, 7, 4, "text"), 4);
    sent = SEES(daemon_end, FIFO_MESS | SUBGROUP_CAST, 7);
    CHECK_EQ(sent.num_groups, 2);
    CHECK_STR(sent.groups[0], PEER);
    CHECK_STR(sent.groups[1], FAKE_PRIVATE_GROUP);
    CHECK_EQ(sent.size, 4 + 32);
    CHECK_STR(sent.body + 4, "room");
    sent_free(&sent);
    sees_nothing();

    /* Asked to flush. */
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, BOTH " #x#fake", "#x#fake");
    form(FIFO_MESS, false, 4); /* not taken in yet */
    expect_notice_now(FLUSH_REQ_MESS);
    forms(4, true);
    CHECK_EQ(FL_unicast(mbox, FIFO_MESS, "room", PEER, 7, 4, "text"), 4);
    sent = SEES(daemon_end, FIFO_MESS | SUBGROUP_CAST, VULNERABLE);
    CHECK_EQ(sent.size, 4 + 2 + 12 + 32);
    sent_free(&sent);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sees_control(FLUSH_OK, 5);
    CHECK_EQ(FL_flush(mbox, "room"), ILLEGAL_STATE);

    /* The view is there; the others may not have it. */
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    send_control(daemon_end, PEER, FLUSH_OK, 5);
    send_control(daemon_end, "#x#fake", FLUSH_OK, 5);
    expect_view_now(CAUSED_BY_JOIN, 3);
    sees_control(FLUSH_RECV, 5);
    forms(5, true);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_RECV, 5);
    send_control(daemon_end, PEER, FLUSH_RECV, 5);
    send_control(daemon_end, PEER, FLUSH_RECV, 5);
    send_control(daemon_end, "#x#fake", FLUSH_RECV, 4);
    expect_nothing_now();
    if (!CLASSIC("each vote counts once"))
        form(FIFO_MESS, true, 5);
    send_control(daemon_end, "#x#fake", FLUSH_RECV, 5);
    expect_nothing_now();
    form(FIFO_MESS, false, 5);
    ends();
}

/* Votes of outsiders and votes that come twice do not count, votes that come early do. */
static void votes(void)
{
    check_case("%s: votes", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    send_control(daemon_end, "#x#fake", FLUSH_OK, 5); /* early */
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, BOTH " #x#fake", "#x#fake");
    expect_notice_now(FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sees_control(FLUSH_OK, 5);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    send_control(daemon_end, "#x#fake", FLUSH_OK, 5);
    send_control(daemon_end, "#outsider#fake", FLUSH_OK, 5);
    send_control(daemon_end, PEER, FLUSH_OK, 4);
    send_control(daemon_end, PEER, FLUSH_OK, 6);
    expect_nothing_now();
    sees_nothing();
    send_control(daemon_end, PEER, FLUSH_OK, 5);
    expect_view_now(CAUSED_BY_JOIN, 3);
    sees_control(FLUSH_RECV, 5);
    sees_nothing();
    ends();
}

/* Messages that a member has sent in the next view wait for it; one that is gone by then has sent in vain. */
static void ahead(void)
{
    check_case("%s: messages of the next view", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, BOTH " #x#fake", "#x#fake");
    expect_notice_now(FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sees_control(FLUSH_OK, 5);
    send_control(daemon_end, PEER, FLUSH_OK, 5);
    send_vulnerable(daemon_end, PEER, 4, 1, "old");
    send_vulnerable(daemon_end, PEER, 5, 2, "new");
    send_vulnerable(daemon_end, "#x#fake", 5, 3, "newer");
    if (!CLASSIC("a message for the next view of somebody who is not in it"))
        send_vulnerable(daemon_end, "#outsider#fake", 5, 4, "never");
    send_vulnerable(daemon_end, PEER, 5, 5, "newest");
    expect_text(PEER, 1, "old");
    expect_nothing_now();
    CHECK_EQ(FL_more_msgs(mbox), 0);
    send_control(daemon_end, "#x#fake", FLUSH_OK, 5);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    expect_view_now(CAUSED_BY_JOIN, 3);
    CHECK_EQ(taken.more, 3);
    CHECK_EQ(FL_more_msgs(mbox), 3);
    expect_text(PEER, 2, "new");
    expect_text("#x#fake", 3, "newer");
    expect_text(PEER, 5, "newest");
    expect_nothing_now();
    sees_control(FLUSH_RECV, 5);

    /* A change that comes to nothing takes them along. */
    send_membership(daemon_end, 6, CAUSED_BY_JOIN, BOTH " #x#fake #y#fake", "#y#fake");
    expect_notice_now(FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sees_control(FLUSH_OK, 6);
    send_vulnerable(daemon_end, "#y#fake", 6, 1, "never");
    send_membership(daemon_end, 7, CAUSED_BY_DISCONNECT, BOTH " #x#fake", "#y#fake");
    expect_nothing_now();
    sees_control(FLUSH_OK, 7);
    if (!CLASSIC("a message for the next view of somebody who is gone"))
        send_vulnerable(daemon_end, "#y#fake", 7, 1, "never");
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 7);
    send_control(daemon_end, PEER, FLUSH_OK, 7);
    send_control(daemon_end, "#x#fake", FLUSH_OK, 7);
    expect_view_now(CAUSED_BY_NETWORK, 3);
    expect_nothing_now();
    sees_control(FLUSH_RECV, 7);
    sees_nothing();
    ends();
}

/* A change of the network: in the daemon's order the signal, then the request; the body lists who has come along. */
static void network(void)
{
    int number;

    if (CLASSIC("changes of the network"))
        return;
    check_case("%s: changes of the network", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    fake_send(daemon_end, &(struct frame){.type = TRANSITION_MESS, .sender = "room", .body = "123456789012", .size = 12});
    send_membership(daemon_end, 5, CAUSED_BY_NETWORK, FAKE_PRIVATE_GROUP, FAKE_PRIVATE_GROUP);
    expect_notice_now(TRANSITION_MESS);
    expect_notice_now(FLUSH_REQ_MESS);
    expect_nothing_now();
    send_plain(daemon_end, PEER, 1, "from the other side");
    send_plain(daemon_end, FAKE_PRIVATE_GROUP, 1, "own");
    expect_text(FAKE_PRIVATE_GROUP, 1, "own");
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sees_control(FLUSH_OK, 5);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    expect_view_now(CAUSED_BY_NETWORK, 1);
    sees_control(FLUSH_RECV, 5);
    /* Two sets merge; the own one is the first. */
    send_membership(daemon_end, 6, CAUSED_BY_NETWORK, BOTH, FAKE_PRIVATE_GROUP ";" PEER);
    expect_notice_now(FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sees_control(FLUSH_OK, 6);
    send_control(daemon_end, PEER, FLUSH_OK, 6);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 6);
    expect_view_now(CAUSED_BY_NETWORK, 2);
    CHECK_EQ(taken.result, 48);
    memcpy(&number, taken.body + 12, sizeof number);
    CHECK_EQ(number, 1);
    CHECK_STR(taken.body + 16, FAKE_PRIVATE_GROUP);
    expect_nothing_now();
    ends();
}

/* A session that was lost and restored below: the signal for the old view, then the own join. Nothing of the old change survives. */
static void restored(bool flushed)
{
    int number;

    if (CLASSIC("restored sessions"))
        return;
    check_case("%s: a restored session%s", name, flushed ? ", after a flush" : "");
    daemon_end = fake_member_with_peer(&mbox, name);
    if (flushed) {
        send_membership(daemon_end, 5, CAUSED_BY_JOIN, BOTH " #x#fake", "#x#fake");
        expect_notice_now(FLUSH_REQ_MESS);
        CHECK_EQ(FL_flush(mbox, "room"), 0);
        sees_control(FLUSH_OK, 5);
        send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
        send_vulnerable(daemon_end, PEER, 5, 1, "of a view that never comes");
    }
    fake_send(daemon_end, &(struct frame){.type = TRANSITION_MESS, .sender = "room", .body = "123456789012", .size = 12});
    send_membership(daemon_end, 7, CAUSED_BY_JOIN, BOTH, FAKE_PRIVATE_GROUP);
    expect_notice_now(TRANSITION_MESS);
    if (!flushed) {
        expect_notice_now(FLUSH_REQ_MESS);
        send_plain(daemon_end, PEER, 1, "of a view without me");
        expect_nothing_now();
        CHECK_EQ(FL_flush(mbox, "room"), 0);
    } else {
        /* The permission stands. */
        expect_nothing_now();
    }
    sees_control(FLUSH_OK, 7);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    send_control(daemon_end, PEER, FLUSH_OK, 7);
    expect_nothing_now();
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 7);
    expect_view_now(CAUSED_BY_NETWORK, 2);
    memcpy(&number, taken.body + 12, sizeof number);
    CHECK_EQ(number, 1);
    CHECK_STR(taken.body + 16, FAKE_PRIVATE_GROUP);
    sees_control(FLUSH_RECV, 7);
    send_plain(daemon_end, PEER, 1, "together again");
    expect_text(PEER, 1, "together again");
    expect_nothing_now();
    ends();
}

/* What no member sends, and what a daemon never does. */
static void nonsense(void)
{
    static const char bytes[60];
    static const int types[] = {FLUSH_OK, FLUSH_RECV, VULNERABLE};
    size_t i;
    int size;

    if (CLASSIC("messages that make no sense"))
        return;
    check_case("%s: messages that make no sense", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    for (i = 0; i < COUNT_OF(types); i++)
        for (size = 0; size < 14; size++)
            if (size < 12 || types[i] == VULNERABLE)
                fake_send(daemon_end, &(struct frame){.type = FIFO_MESS,
                                                      .sender = PEER,
                                                      .groups = "room",
                                                      .mess_type = types[i],
                                                      .body = bytes,
                                                      .size = size});
    for (size = 0; size < 32; size++)
        fake_send(daemon_end, &(struct frame){
                                  .type = FIFO_MESS | SUBGROUP_CAST, .sender = PEER, .groups = "room", .body = bytes, .size = size});
    /* Refused messages, a message to nobody, of another group, of several groups of which the first is another. */
    fake_send(daemon_end, &(struct frame){.type = REJECT_MESS, .sender = PEER, .groups = "room", .old_type = 0x80000084});
    fake_send(daemon_end, &(struct frame){.type = FIFO_MESS, .sender = PEER, .body = "x", .size = 1});
    fake_send(daemon_end, &(struct frame){.type = FIFO_MESS, .sender = PEER, .groups = "other", .body = "x", .size = 1});
    fake_send(daemon_end, &(struct frame){.type = FIFO_MESS, .sender = PEER, .groups = "other room", .body = "x", .size = 1});
    fake_send(daemon_end, &(struct frame){.type = 0, .sender = PEER, .groups = "room", .body = "x", .size = 1});
    fake_send(daemon_end, &(struct frame){.type = TRANSITION_MESS, .sender = "other", .body = bytes, .size = 12});
    /* To the own private group the library's messages are nobody's, others are the program's. */
    fake_send(daemon_end, &(struct frame){
                              .type = FIFO_MESS, .sender = PEER, .groups = FAKE_PRIVATE_GROUP, .mess_type = FLUSH_OK, .body = bytes, .size = 12});
    expect_nothing_now();
    fake_send(daemon_end, &(struct frame){.type = FIFO_MESS | FLUSH_REQ_MESS, .sender = PEER, .groups = "room", .body = "x", .size = 1});
    expect_text(PEER, 0, "x");
    CHECK_EQ(taken.type, FIFO_MESS);

    /* Memberships that contradict themselves are told, and passed over. */
    fake_send(daemon_end, &(struct frame){
                              .type = REG_MEMB_MESS | CAUSED_BY_JOIN, .sender = "room", .groups = BOTH, .body = bytes, .size = 11});
    CHECK_EQ(take(mbox, DONT_BLOCK), ILLEGAL_MESSAGE);
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, PEER, PEER);
    CHECK_EQ(take(mbox, DONT_BLOCK), ILLEGAL_MESSAGE);
    send_membership(daemon_end, 5, 0, BOTH, PEER);
    CHECK_EQ(take(mbox, DONT_BLOCK), ILLEGAL_MESSAGE);
    expect_nothing_now();
    send_plain(daemon_end, PEER, 3, "going on");
    expect_text(PEER, 3, "going on");
    sees_nothing();
    ends();
}

/* A peer whose machine has the other byte order. */
static void other_order(void)
{
    static const unsigned char body[] = {'t', 'e', 'x', 't', 0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5};

    check_case("%s: a peer of the other byte order", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, BOTH " #x#fake", "#x#fake");
    expect_notice_now(FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    fake_send(daemon_end, &(struct frame){.type = FIFO_MESS,
                                          .sender = PEER,
                                          .groups = "room",
                                          .mess_type = FLUSH_OK,
                                          .big_endian_hint = true,
                                          .body = body + 6,
                                          .size = 12});
    fake_send(daemon_end, &(struct frame){.type = FIFO_MESS,
                                          .sender = PEER,
                                          .groups = "room",
                                          .mess_type = VULNERABLE,
                                          .big_endian_hint = true,
                                          .body = body,
                                          .size = sizeof body});
    expect_nothing_now();
    send_control(daemon_end, "#x#fake", FLUSH_OK, 5);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    expect_view_now(CAUSED_BY_JOIN, 3);
    expect_text(PEER, 0x1234, "text");
    CHECK_EQ(taken.endian_mismatch, 1);
    ends();
}

/* What peers make a session keep has a bound. */
static void bounded(void)
{
    static char body[100014];
    int gid[3] = {1, 2, 5};
    int sent = 0;
    int result;

    if (CLASSIC("memory without bound"))
        return;
    check_case("%s: what is kept is bounded", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, BOTH " #x#fake", "#x#fake");
    expect_notice_now(FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    memcpy(body + 100002, gid, sizeof gid);
    do {
        fake_send(daemon_end, &(struct frame){.type = FIFO_MESS,
                                              .sender = PEER,
                                              .groups = "room",
                                              .mess_type = VULNERABLE,
                                              .body = body,
                                              .size = sizeof body});
        sent++;
        result = take(mbox, DONT_BLOCK);
    } while (result == WOULD_BLOCK);
    CHECK_EQ(result, CONNECTION_CLOSED);
    CHECK_BETWEEN(sent, 600, 700);
    CHECK_EQ(take(mbox, DONT_BLOCK), ILLEGAL_SESSION);
    SYS(close(daemon_end));
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "fl_wire", 60);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        forms_by_state();
        if (!CLASSIC("votes are counted without looking"))
            votes();
        ahead();
        network();
        restored(false);
        restored(true);
        nonsense();
        other_order();
        bounded();
    }
    fake_close(&fake);
    return check_done();
}
