/* A member at a scripted daemon. */
#include <string.h>

#include "at_fake.h"

struct fake fake;
struct taken taken;

int fake_member(mailbox *mbox, const char *name)
{
    char private_group[MAX_GROUP_NAME];
    struct visit visit;
    int daemon;

    fake_start(&visit, &fake, usual_handshake);
    CHECK_EQ(FL_connect(name, "me", 0, mbox, private_group), ACCEPT_SESSION);
    daemon = fake_finish(&visit);
    CHECK_STR(private_group, FAKE_PRIVATE_GROUP);
    return daemon;
}

static void gid_of(int number, int gid[3])
{
    gid[0] = 1;
    gid[1] = 2;
    gid[2] = number;
}

void send_membership(int daemon, int number, unsigned cause, const char *members, const char *set)
{
    unsigned char body[1000];
    struct frame frame = {.type = REG_MEMB_MESS | cause, .sender = "room", .groups = members, .body = body};
    int gid[3];

    gid_of(number, gid);
    frame.size = (int)membership_body(body, gid, 0, set, false);
    fake_send(daemon, &frame);
}

void send_control(int daemon, const char *sender, int mess_type, int number)
{
    int gid[3];

    gid_of(number, gid);
    fake_send(daemon, &(struct frame){.type = FIFO_MESS,
                                      .sender = sender,
                                      .groups = "room",
                                      .mess_type = mess_type,
                                      .body = gid,
                                      .size = sizeof gid});
}

void send_vulnerable(int daemon, const char *sender, int number, int own_type, const char *text)
{
    char body[200];
    size_t size = strlen(text);
    int16 in_body = (int16)own_type;
    int gid[3];

    CHECK(size + sizeof in_body + sizeof gid <= sizeof body);
    gid_of(number, gid);
    memcpy(body, text, size);
    memcpy(body + size, &in_body, sizeof in_body);
    memcpy(body + size + sizeof in_body, gid, sizeof gid);
    fake_send(daemon, &(struct frame){.type = FIFO_MESS,
                                      .sender = sender,
                                      .groups = "room",
                                      .mess_type = VULNERABLE,
                                      .body = body,
                                      .size = (int)(size + sizeof in_body + sizeof gid)});
}

void send_plain(int daemon, const char *sender, int mess_type, const char *text)
{
    fake_send(daemon, &(struct frame){.type = FIFO_MESS,
                                      .sender = sender,
                                      .groups = "room",
                                      .mess_type = mess_type,
                                      .body = text,
                                      .size = (int)strlen(text)});
}

struct sent sees(const char *file, int line, int daemon, unsigned type, int mess_type)
{
    struct sent sent;

    check_condition(file, line, "the client sends", fake_receive(daemon, &sent));
    check_number(file, line, "type", sent.type & ~MARKERS, type);
    check_number(file, line, "mess_type", (int16)(sent.hint >> 8), mess_type);
    return sent;
}

int take(mailbox mbox, service how)
{
    fill(&taken, sizeof taken);
    taken.type = how;
    taken.result = FL_receive(mbox, &taken.type, taken.sender, 10, &taken.num_groups, taken.groups, &taken.mess_type,
                              &taken.endian_mismatch, sizeof taken.body, taken.body, &taken.more);
    return taken.result;
}

static void sees_and_drops(int daemon, unsigned type, int mess_type)
{
    struct sent sent = SEES(daemon, type, mess_type);

    sent_free(&sent);
}

int fake_member_in_group(mailbox *mbox, const char *name)
{
    int daemon = fake_member(mbox, name);

    CHECK_EQ(FL_join(*mbox, "room"), 0);
    sees_and_drops(daemon, 0x10000, 0);
    send_membership(daemon, 3, CAUSED_BY_JOIN, FAKE_PRIVATE_GROUP, FAKE_PRIVATE_GROUP);
    CHECK_EQ(take(*mbox, DONT_BLOCK), WOULD_BLOCK);
    sees_and_drops(daemon, FIFO_MESS, FLUSH_OK);
    send_control(daemon, FAKE_PRIVATE_GROUP, FLUSH_OK, 3);
    CHECK_EQ(take(*mbox, 0), 48);
    CHECK_EQ(taken.type, REG_MEMB_MESS | CAUSED_BY_JOIN);
    sees_and_drops(daemon, FIFO_MESS, FLUSH_RECV);
    send_control(daemon, FAKE_PRIVATE_GROUP, FLUSH_RECV, 3);
    CHECK_EQ(take(*mbox, DONT_BLOCK), WOULD_BLOCK);
    return daemon;
}

int fake_member_with_peer(mailbox *mbox, const char *name)
{
    int daemon = fake_member_in_group(mbox, name);

    send_membership(daemon, 4, CAUSED_BY_JOIN, FAKE_PRIVATE_GROUP " #peer#fake", "#peer#fake");
    CHECK_EQ(take(*mbox, 0), 0);
    CHECK_EQ(taken.type, FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(*mbox, "room"), 0);
    sees_and_drops(daemon, FIFO_MESS, FLUSH_OK);
    send_control(daemon, FAKE_PRIVATE_GROUP, FLUSH_OK, 4);
    send_control(daemon, "#peer#fake", FLUSH_OK, 4);
    CHECK_EQ(take(*mbox, 0), 48);
    sees_and_drops(daemon, FIFO_MESS, FLUSH_RECV);
    send_control(daemon, FAKE_PRIVATE_GROUP, FLUSH_RECV, 4);
    send_control(daemon, "#peer#fake", FLUSH_RECV, 4);
    CHECK_EQ(take(*mbox, DONT_BLOCK), WOULD_BLOCK);
    return daemon;
}
