/* Messages that do not fit, and messages in pieces, on a daemon. */
#include <stdlib.h>
#include <string.h>

#include "flush/flush.h"

static char group[MAX_GROUP_NAME];
static struct member a;
static struct member b;

/* One receive with this room. The memory has exactly the size offered. */
static struct got got;

static int take(struct member *member, service type, int max_groups, int max_size)
{
    int more = -77;

    got_free(&got);
    fill(&got, sizeof got);
    got.type_before = type;
    got.type = type;
    got.max_groups = max_groups;
    got.max_size = max_size;
    got.groups = malloc(max_groups > 0 ? (size_t)max_groups * MAX_GROUP_NAME : 1);
    got.body = malloc(max_size > 0 ? (size_t)max_size : 1);
    CHECK(got.groups != NULL && got.body != NULL);
    if (max_groups > 0)
        fill(got.groups, (size_t)max_groups * MAX_GROUP_NAME);
    if (max_size > 0)
        fill(got.body, (size_t)max_size);
    got.result = FL_receive(member->mbox, &got.type, got.sender, max_groups, &got.num_groups, got.groups, &got.mess_type,
                            &got.endian_mismatch, max_size, got.body, &more);
    /* Told only with a message. */
    CHECK((more == -77) == (got.result < 0));
    return got.result;
}

static void two(const char *name)
{
    new_group(group, "room");
    member_open(&a, name);
    member_open(&b, name);
    found(&a, group);
    enter(&b, group, MEMBERS(&a));
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
}

/* The message is refused with these sizes, and stays. */
static void refused(int code, int max_groups, int max_size, service type, int mess_type, int num_groups, int endian)
{
    CHECK_EQ(take(&a, 0, max_groups, max_size), code);
    CHECK_EQ(got.type, type);
    CHECK_EQ(got.mess_type, mess_type);
    CHECK_EQ(got.num_groups, num_groups);
    CHECK_EQ(got.endian_mismatch, endian);
    CHECK_STR(got.sender, b.name);
    CHECK_UNTOUCHED_FROM(&got, 0, 0);
}

static void kept(const char *name)
{
    char rows[2][MAX_GROUP_NAME];

    check_case("%s: what does not fit is kept", name);
    CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 1, 10, "0123456789"), 10);
    refused(GROUPS_TOO_SHORT, 0, 5, FIFO_MESS | SELF_DISCARD, 1, -1, -10);
    refused(GROUPS_TOO_SHORT, 0, 10, FIFO_MESS | SELF_DISCARD, 1, -1, 0);
    if (!CLASSIC("a group that fits after a refusal"))
        refused(BUFFER_TOO_SHORT, 1, 9, FIFO_MESS | SELF_DISCARD, 1, 0, -10);
    CHECK_EQ(take(&a, 0, 1, 10), 10);
    CHECK_STR(got.groups[0], group);
    CHECK_MEM(got.body, "0123456789", 10);

    /* A part of a group: the group is one of the groups, and its name on the way counts. */
    memcpy(rows[0], a.name, MAX_GROUP_NAME);
    memcpy(rows[1], b.name, MAX_GROUP_NAME);
    CHECK_EQ(FL_subgroupcast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 2, rows, 2, 10, "0123456789"), 10);
    refused(GROUPS_TOO_SHORT, 2, 42, FIFO_MESS | SELF_DISCARD | SUBGROUP_CAST, 2, -3, 0);
    refused(BUFFER_TOO_SHORT, 3, 41, FIFO_MESS | SELF_DISCARD | SUBGROUP_CAST, 2, 0, -42);
    CHECK_EQ(take(&a, 0, 3, 42), 10);
    CHECK_EQ(got.num_groups, 3);
    CHECK_STR(got.groups[2], group);
    if (!CLASSIC("what is taken off is in the program's buffer"))
        CHECK_UNTOUCHED_FROM(&got, 3, 10);
    EXPECT_NOTHING(&a);

    /* Negative rooms. */
    CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 1, 0, NULL), 0);
    CHECK_EQ(take(&a, 0, -1, 10), ILLEGAL_PARAM);
    if (!CLASSIC("a negative length"))
        CHECK_EQ(take(&a, 0, 1, -1), BUFFER_TOO_SHORT);
    CHECK_EQ(take(&a, 0, 1, 0), 0);
}

static void dropped(const char *name)
{
    char rows[2][MAX_GROUP_NAME];

    check_case("%s: what does not fit is cut", name);
    memcpy(rows[0], a.name, MAX_GROUP_NAME);
    memcpy(rows[1], b.name, MAX_GROUP_NAME);
    CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 1, 10, "0123456789"), 10);
    CHECK_EQ(take(&a, DROP_RECV, 1, 4), BUFFER_TOO_SHORT);
    CHECK_EQ(got.num_groups, 1);
    CHECK_STR(got.groups[0], group);
    CHECK_EQ(got.endian_mismatch, 0);
    CHECK_MEM(got.body, "0123", 4);
    CHECK_EQ(FL_subgroupcast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 2, rows, 2, 10, "0123456789"), 10);
    CHECK_EQ(take(&a, DROP_RECV, 2, 10), GROUPS_TOO_SHORT);
    CHECK_EQ(got.num_groups, -3);
    CHECK_STR(got.groups[0], a.name);
    CHECK_STR(got.groups[1], group);
    CHECK_MEM(got.body, "0123456789", 10);
    CHECK_EQ(FL_subgroupcast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 2, rows, 2, 10, "0123456789"), 10);
    CHECK_EQ(take(&a, DROP_RECV, 0, 3), GROUPS_TOO_SHORT);
    CHECK_MEM(got.body, "012", 3);
    /* Room for the body is enough here. */
    CHECK_EQ(FL_subgroupcast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 2, rows, 2, 10, "0123456789"), 10);
    CHECK_EQ(take(&a, DROP_RECV, 3, 10), 10);
    EXPECT_NOTHING(&a);
}

static int take_pieces(struct member *member, service type, scatter *pieces)
{
    int more;

    got_free(&got);
    fill(&got, sizeof got);
    got.type = type;
    got.groups = malloc(10 * MAX_GROUP_NAME);
    got.body = NULL;
    got.result = FL_scat_receive(member->mbox, &got.type, got.sender, 10, &got.num_groups, got.groups, &got.mess_type,
                                 &got.endian_mismatch, pieces, &more);
    return got.result;
}

static void in_pieces(const char *name)
{
    char memory[100];
    scatter pieces = {.num_elements = 3, .elements = {{memory, 3}, {memory + 10, 1}, {memory + 20, 80}}};
    scatter same = pieces;

    check_case("%s: in pieces", name);
    CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 1, 10, "0123456789"), 10);
    CHECK_EQ(take_pieces(&a, 0, &pieces), 10);
    CHECK_MEM(memory, "012", 3);
    CHECK_MEM(memory + 10, "3", 1);
    CHECK_MEM(memory + 20, "456789", 6);
    CHECK_MEM(&pieces, &same, sizeof pieces);
    if (!CLASSIC("an empty element")) {
        pieces.elements[1].len = 0;
        CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 1, 10, "0123456789"), 10);
        CHECK_EQ(take_pieces(&a, 0, &pieces), 10);
        CHECK_MEM(memory + 20, "3456789", 7);
        pieces.num_elements = 0;
        CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS | SELF_DISCARD, group, 1, 1, "x"), 1);
        CHECK_EQ(take_pieces(&a, 0, &pieces), BUFFER_TOO_SHORT);
        pieces.num_elements = 101;
        CHECK_EQ(take_pieces(&a, 0, &pieces), ILLEGAL_MESSAGE);
        CHECK_EQ(take_pieces(&a, 0, NULL), ILLEGAL_MESSAGE);
        pieces.num_elements = 1;
        CHECK_EQ(take_pieces(&a, 0, &pieces), 1);
    }
}

/* The daemon's memberships and the members' votes never meet the program's buffers. */
static void not_the_programs(const char *name)
{
    char memory[100];
    scatter pieces = {.num_elements = 2, .elements = {{memory, 12}, {memory + 50, 36}}};
    int number;

    check_case("%s: messages that are not the program's", name);
    if (CLASSIC("the daemon's memberships in the program's buffers"))
        return;
    new_group(group, "small");
    member_open(&a, name);
    member_open(&b, name);
    CHECK_EQ(FL_join(a.mbox, group), 0);
    /* A view is refused and kept like any message. */
    CHECK_EQ(take(&a, 0, 0, 0), GROUPS_TOO_SHORT);
    CHECK_EQ(got.type, REG_MEMB_MESS | CAUSED_BY_JOIN);
    CHECK_STR(got.sender, group);
    CHECK_EQ(got.num_groups, -1);
    CHECK_EQ(got.endian_mismatch, -48);
    CHECK_EQ(take(&a, 0, 1, 47), BUFFER_TOO_SHORT);
    CHECK_EQ(got.num_groups, 0);
    CHECK_EQ(FL_more_msgs(a.mbox), 1);
    CHECK_EQ(take_pieces(&a, 0, &pieces), 48);
    memcpy(&number, memory + 50, sizeof number);
    CHECK_EQ(number, 1);
    CHECK_STR(memory + 54, a.name);

    CHECK_EQ(FL_join(b.mbox, group), 0);
    CHECK_EQ(take(&b, DONT_BLOCK | DROP_RECV, 0, 0), WOULD_BLOCK);
    CHECK_UNTOUCHED_FROM(&got, 0, 0);
    CHECK_EQ(take(&a, DROP_RECV, 0, 0), 0);
    CHECK_EQ(got.type, FLUSH_REQ_MESS);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    /* The other one votes inside its calls. With DROP_RECV the view is cut, and gone. */
    WAIT_UNTIL(take(&b, DONT_BLOCK, 10, 100) == 48);
    CHECK_EQ(take(&a, DROP_RECV, 1, 20), GROUPS_TOO_SHORT);
    CHECK_EQ(got.type, REG_MEMB_MESS | CAUSED_BY_JOIN);
    CHECK_EQ(got.num_groups, -2);
    CHECK_STR(got.groups[0], a.name);
    CHECK_EQ(got.endian_mismatch, 0);
    EXPECT_NOTHING(&a);
    members_close();
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "fl_room", 60);
    check_needs_names();
    for (i = 0; i < check_names; i++) {
        two(check_name(i));
        kept(check_name(i));
        dropped(check_name(i));
        in_pieces(check_name(i));
        members_close();
        not_the_programs(check_name(i));
    }
    got_free(&got);
    return check_done();
}
