/* Sessions and received messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../session.h"

#define PATTERN 0xa5
#define AMPLE_GROUPS 200
#define AMPLE_SIZE 150000

static unsigned next_number(void)
{
    static unsigned number;

    return __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED);
}

void new_private_name(char name[MAX_PRIVATE_NAME + 1])
{
    /* Process numbers have up to 22 bits, thus 6 digits, and a program makes at most 16^4 names. */
    snprintf(name, MAX_PRIVATE_NAME + 1, "%x%04x", (unsigned)getpid() & 0xffffff, next_number() & 0xffff);
}

void new_group(char group[MAX_GROUP_NAME], const char *stem)
{
    memset(group, 0, MAX_GROUP_NAME);
    snprintf(group, MAX_GROUP_NAME, "%.12s-%d-%u", stem, (int)getpid(), next_number());
}

mailbox session(const char *spread_name, bool membership, char private_group[MAX_GROUP_NAME])
{
    char name[MAX_PRIVATE_NAME + 1];
    char given[MAX_GROUP_NAME];
    mailbox mbox = -1;
    int result;

    new_private_name(name);
    result = SP_connect(spread_name, name, 0, membership, &mbox, given);
    if (result != ACCEPT_SESSION)
        FAIL("SP_connect to %s as %s gives %d", spread_name, name, result);
    if (private_group != NULL)
        memcpy(private_group, given, MAX_GROUP_NAME);
    return mbox;
}

void join(mailbox mbox, const char *group)
{
    struct got got;

    CHECK_EQ(SP_join(mbox, group), 0);
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    got_free(&got);
}

/* ---- receiving ---- */

void fill(void *output, size_t size)
{
    memset(output, PATTERN, size);
}

bool untouched(const void *output, size_t size)
{
    const unsigned char *bytes = output;
    size_t i;

    for (i = 0; i < size; i++)
        if (bytes[i] != PATTERN)
            return false;
    return true;
}

static void *exactly(int number, size_t size)
{
    size_t total = number > 0 ? (size_t)number * size : 0;
    void *memory = malloc(total);

    CHECK(memory != NULL || total == 0);
    if (total > 0)
        fill(memory, total);
    return memory;
}

void receive(mailbox mbox, struct got *got, service type, int max_groups, int max_size)
{
    fill(got, sizeof *got);
    got->type_before = type;
    got->type = type;
    got->max_groups = max_groups;
    got->max_size = max_size;
    got->groups = exactly(max_groups, MAX_GROUP_NAME);
    got->body = exactly(max_size, 1);
    got->result = SP_receive(mbox, &got->type, got->sender, max_groups, &got->num_groups, got->groups, &got->mess_type,
                             &got->endian_mismatch, max_size, got->body);
}

void receive_any(mailbox mbox, struct got *got)
{
    receive(mbox, got, 0, AMPLE_GROUPS, AMPLE_SIZE);
}

void got_free(struct got *got)
{
    free(got->groups);
    free(got->body);
    got->groups = NULL;
    got->body = NULL;
}

void check_untouched(const char *file, int line, const struct got *got)
{
    if (got->type != got->type_before)
        check_fail(file, line, "service_type was written: %#x", (unsigned)got->type);
    if (!untouched(got->sender, sizeof got->sender))
        check_fail(file, line, "sender was written");
    if (!untouched(&got->num_groups, sizeof got->num_groups))
        check_fail(file, line, "num_groups was written: %d", got->num_groups);
    if (!untouched(&got->mess_type, sizeof got->mess_type))
        check_fail(file, line, "mess_type was written: %d", got->mess_type);
    if (!untouched(&got->endian_mismatch, sizeof got->endian_mismatch))
        check_fail(file, line, "endian_mismatch was written: %d", got->endian_mismatch);
    check_untouched_from(file, line, got, 0, 0);
}

void check_untouched_from(const char *file, int line, const struct got *got, int group, int byte)
{
    int i;

    for (i = group; i < got->max_groups; i++)
        if (!untouched(got->groups[i], MAX_GROUP_NAME))
            check_fail(file, line, "group %d was written", i);
    if (byte < got->max_size && !untouched(got->body + byte, (size_t)(got->max_size - byte)))
        check_fail(file, line, "the body was written from byte %d on", byte);
}

int receive_to_the_end(mailbox mbox)
{
    struct got got;
    int result;

    do {
        receive_any(mbox, &got);
        result = got.result;
        got_free(&got);
    } while (result >= 0);
    return result;
}

void expect_data(const char *file, int line, mailbox mbox, service type, const char *sender, const char *group, int mess_type,
                 const void *body, int size)
{
    struct got got;

    receive_any(mbox, &got);
    check_number(file, line, "the result of SP_receive", got.result, size);
    check_number(file, line, "service_type", got.type, type);
    check_text(file, line, "sender", got.sender, sender);
    check_number(file, line, "num_groups", got.num_groups, 1);
    check_text(file, line, "the group", got.groups[0], group);
    check_number(file, line, "mess_type", got.mess_type, mess_type);
    check_number(file, line, "endian_mismatch", got.endian_mismatch, 0);
    check_bytes(file, line, "the body", got.body, body, (size_t)size);
    check_untouched_from(file, line, &got, 1, size);
    got_free(&got);
}

void expect_membership(const char *file, int line, mailbox mbox, service type, const char *group, struct got *got)
{
    receive_any(mbox, got);
    check_between(file, line, "the result of SP_receive", got->result, 0, AMPLE_SIZE);
    check_number(file, line, "service_type", got->type, type);
    check_text(file, line, "the group", got->sender, group);
    check_number(file, line, "endian_mismatch", got->endian_mismatch, 0);
    check_untouched_from(file, line, got, got->num_groups, got->result);
}

bool has_group(const struct got *got, const char *name)
{
    int i;

    for (i = 0; i < got->num_groups; i++)
        if (strcmp(got->groups[i], name) == 0)
            return true;
    return false;
}

/* ---- numbered messages ---- */

void number_body(char *body, int size, unsigned number)
{
    int i;

    memcpy(body, &number, 4);
    for (i = 4; i < size; i++)
        body[i] = (char)(number * 31 + (unsigned)i * 7);
}

unsigned number_of_body(const char *file, int line, const char *body, int size)
{
    unsigned number;
    int i;

    if (size < 4)
        check_fail(file, line, "a body of %d bytes has no number", size);
    memcpy(&number, body, 4);
    for (i = 4; i < size; i++)
        if (body[i] != (char)(number * 31 + (unsigned)i * 7))
            check_fail(file, line, "byte %d of body %u is wrong", i, number);
    return number;
}
