/* Members of flush groups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flush.h"

static struct member *members[MAX_MEMBERS];

void member_open(struct member *member, const char *spread_name)
{
    char name[MAX_PRIVATE_NAME + 1];
    int result;
    int i;

    memset(member, 0, sizeof *member);
    member->last = &member->first;
    new_private_name(name);
    result = FL_connect(spread_name, name, 0, &member->mbox, member->name);
    if (result != ACCEPT_SESSION)
        FAIL("FL_connect to %s as %s gives %d", spread_name, name, result);
    for (i = 0; i < MAX_MEMBERS; i++)
        if (members[i] == NULL) {
            members[i] = member;
            return;
        }
    FAIL("too many members");
}

static void forget(struct member *member)
{
    int i;

    for (i = 0; i < MAX_MEMBERS; i++)
        if (members[i] == member)
            members[i] = NULL;
    while (member->first != NULL) {
        struct news *news = member->first;

        member->first = news->next;
        news_free(news);
    }
    member->last = &member->first;
}

void member_close(struct member *member)
{
    forget(member);
    CHECK_EQ(FL_disconnect(member->mbox), 0);
}

void members_close(void)
{
    int i;

    for (i = 0; i < MAX_MEMBERS; i++)
        if (members[i] != NULL)
            member_close(members[i]);
}

void news_free(struct news *news)
{
    free(news);
}

/* Receives what there is for one member, without waiting. */
static void take_in(struct member *member)
{
    for (;;) {
        struct news *news = malloc(sizeof *news);

        CHECK(news != NULL);
        fill(news, sizeof *news);
        news->next = NULL;
        news->type = DONT_BLOCK;
        news->result = FL_receive(member->mbox, &news->type, news->sender, 100, &news->num_groups, news->groups, &news->mess_type,
                                  &news->endian_mismatch, sizeof news->body, news->body, &news->more);
        if (news->result == WOULD_BLOCK) {
            free(news);
            return;
        }
        if (news->result < 0)
            FAIL("FL_receive of %s gives %d", member->name, news->result);
        *member->last = news;
        member->last = &news->next;
    }
}

struct news *next_news(struct member *member)
{
    long long end = now_ms() + scaled(10000);
    struct news *news;

    while (member->first == NULL) {
        int i;

        for (i = 0; i < MAX_MEMBERS; i++)
            if (members[i] != NULL)
                take_in(members[i]);
        if (member->first == NULL) {
            if (now_ms() > end)
                FAIL("%s waits in vain for a message", member->name);
            rest();
        }
    }
    news = member->first;
    member->first = news->next;
    if (member->first == NULL)
        member->last = &member->first;
    return news;
}

static int length(struct member *const *list)
{
    int count = 0;

    while (list[count] != NULL)
        count++;
    return count;
}

void expect_view(const char *file, int line, struct member *member, service cause, const char *group, struct member *const *list,
                 struct member *const *set)
{
    struct news *news = next_news(member);
    int count = length(list);
    int in_set = length(set);
    int number;
    int i;

    check_number(file, line, "the view's type", news->type, REG_MEMB_MESS | cause);
    check_text(file, line, "the view's group", news->sender, group);
    check_number(file, line, "members", news->num_groups, count);
    for (i = 0; i < count; i++) {
        check_text(file, line, "a member", news->groups[i], list[i]->name);
        if (list[i] == member)
            check_number(file, line, "own index", news->mess_type, i);
    }
    check_number(file, line, "endian_mismatch", news->endian_mismatch, 0);
    check_number(file, line, "size", news->result, FL_get_vs_set_offset_memb_mess() + 32 * in_set);
    memcpy(&number, news->body + FL_get_num_vs_offset_memb_mess(), sizeof number);
    check_number(file, line, "names in the body", number, in_set);
    for (i = 0; i < in_set; i++)
        check_text(file, line, "a name in the body", news->body + FL_get_vs_set_offset_memb_mess() + 32 * i, set[i]->name);
    news_free(news);
}

void expect_notice(const char *file, int line, struct member *member, service type, const char *group, int mess_type)
{
    struct news *news = next_news(member);

    check_number(file, line, "type", news->type, type);
    check_number(file, line, "size", news->result, 0);
    check_text(file, line, "group", news->sender, group);
    check_number(file, line, "num_groups", news->num_groups, 0);
    check_number(file, line, "mess_type", news->mess_type, mess_type);
    check_number(file, line, "endian_mismatch", news->endian_mismatch, 0);
    news_free(news);
}

void expect_group_data(const char *file, int line, struct member *member, service type, const char *sender, const char *group,
                       int mess_type, const char *text)
{
    struct news *news = next_news(member);

    check_number(file, line, "type", news->type, type);
    check_text(file, line, "sender", news->sender, sender);
    check_number(file, line, "num_groups", news->num_groups, 1);
    check_text(file, line, "group", news->groups[0], group);
    check_number(file, line, "mess_type", news->mess_type, mess_type);
    check_number(file, line, "endian_mismatch", news->endian_mismatch, 0);
    check_number(file, line, "size", news->result, (long long)strlen(text));
    check_bytes(file, line, "body", news->body, text, strlen(text));
    news_free(news);
}

void expect_nothing(const char *file, int line, struct member *member)
{
    check_number(file, line, "a private message", FL_multicast(member->mbox, SAFE_MESS, member->name, 77, 6, "marker"), 6);
    expect_group_data(file, line, member, SAFE_MESS, member->name, member->name, 77, "marker");
}

void found(struct member *member, const char *group)
{
    CHECK_EQ(FL_join(member->mbox, group), 0);
    EXPECT_VIEW(member, CAUSED_BY_JOIN, group, MEMBERS(member), MEMBERS(member));
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct member *const *)a)->name, (*(struct member *const *)b)->name);
}

void enter(struct member *member, const char *group, struct member *const *others)
{
    struct member *all[MAX_MEMBERS + 1] = {NULL};
    int count = length(others);
    int i;

    memcpy(all, others, (size_t)count * sizeof *all);
    all[count] = member;
    qsort(all, (size_t)count + 1, sizeof *all, by_name);
    CHECK_EQ(FL_join(member->mbox, group), 0);
    for (i = 0; i < count; i++) {
        EXPECT_REQUEST(others[i], group);
        CHECK_EQ(FL_flush(others[i]->mbox, group), 0);
    }
    for (i = 0; i <= count; i++)
        EXPECT_VIEW(all[i], CAUSED_BY_JOIN, group, all, MEMBERS(member));
}
