/* SP_get_memb_info, SP_get_vs_sets_info, SP_get_vs_set_members and their SP_scat_ twins, on good and on broken bodies. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "session.h"

#define REG(cause) (REG_MEMB_MESS | (cause))
#define ROOM 1000

static const int gid[3] = {97615837, -1795379127, 5};

/* A body in memory of exactly its size, as a program may keep it. */
static char *exact(const unsigned char *bytes, size_t size)
{
    char *body = malloc(size > 0 ? size : 1);

    CHECK(body != NULL);
    memcpy(body, bytes, size);
    return body;
}

/* Cuts a body into pieces of this size, each in memory of its own. */
static void cut(scatter *pieces, const unsigned char *bytes, size_t size, size_t piece)
{
    size_t at;

    pieces->num_elements = 0;
    for (at = 0; at < size; at += piece) {
        scat_element *element = &pieces->elements[pieces->num_elements++];

        CHECK(pieces->num_elements <= MAX_CLIENT_SCATTER_ELEMENTS);
        element->len = size - at < piece ? size - at : piece;
        element->buf = exact(bytes + at, element->len);
    }
}

static void free_pieces(scatter *pieces)
{
    size_t i;

    for (i = 0; i < pieces->num_elements; i++)
        free(pieces->elements[i].buf);
}

/* The body under test, in one piece or (if `pieces` is set) as a scatter. */
struct under_test {
    const char *body;
    const scatter *pieces;
};

static int memb_info(const struct under_test *t, service type, membership_info *info)
{
    return t->pieces != NULL ? SP_scat_get_memb_info(t->pieces, type, info) : SP_get_memb_info(t->body, type, info);
}

static int vs_sets_info(const struct under_test *t, vs_set_info *sets, int number, unsigned *index)
{
    return t->pieces != NULL ? SP_scat_get_vs_sets_info(t->pieces, sets, number, index)
                             : SP_get_vs_sets_info(t->body, sets, number, index);
}

static int vs_set_members(const struct under_test *t, const vs_set_info *set, char names[][MAX_GROUP_NAME], int number)
{
    return t->pieces != NULL ? SP_scat_get_vs_set_members(t->pieces, set, names, number)
                             : SP_get_vs_set_members(t->body, set, names, number);
}

/* A good body with what must be read from it. */
struct good {
    const char *what;
    const char *sets;
    unsigned own_offset;
    int number;             /* of sets */
    int own;                /* index of the own set; -1: the offset is no set's start */
    int members[4];
    const char *first[4];   /* the first name of each set */
};

static const struct good goods[] = {
    {"one set of one", "#bob#wd2", 0, 1, 0, {1}, {"#bob#wd2"}},
    {"two sets, own is the first", "#a#wd1;#b#wd2", 0, 2, 0, {1, 1}, {"#a#wd1", "#b#wd2"}},
    {"two sets, own is the second", "#a#wd1 #b#wd1;#c#wd2", 68, 2, 1, {2, 1}, {"#a#wd1", "#c#wd2"}},
    {"three sets, own is the second", "#a#wd1;#b#wd1 #c#wd1;#d#wd2", 36, 3, 1, {1, 2, 1}, {"#a#wd1", "#b#wd1", "#d#wd2"}},
    {"four sets, own is the last", "#a#wd1;#b#wd1;#c#wd1;#d#wd2 #e#wd2 #f#wd2", 108, 4, 3, {1, 1, 1, 3},
     {"#a#wd1", "#b#wd1", "#c#wd1", "#d#wd2"}},
    {"an offset in the middle of a set", "#a#wd1;#b#wd1", 4, 2, -1, {1, 1}, {"#a#wd1", "#b#wd1"}},
};

static void info_is_right(const struct under_test *t, const struct good *good, service type)
{
    unsigned offset = 24 + good->own_offset;
    membership_info info;
    char changed[MAX_GROUP_NAME];

    fill(&info, sizeof info);
    CHECK_EQ(memb_info(t, type, &info), 1);
    CHECK_MEM(&info.gid, gid, sizeof gid);
    CHECK_EQ(info.num_vs_sets, good->number);
    CHECK_EQ(info.my_vs_set.members_offset, offset);
    if (good->own >= 0)
        CHECK_EQ(info.my_vs_set.num_members, good->members[good->own]);
    if (type & CAUSED_BY_NETWORK) {
        memset(changed, 0, sizeof changed);
        CHECK_MEM(info.changed_member, changed, sizeof changed);
    } else if (type & (CAUSED_BY_JOIN | CAUSED_BY_LEAVE | CAUSED_BY_DISCONNECT)) {
        memset(changed, 0, sizeof changed);
        memcpy(changed, good->first[0], strlen(good->first[0]));
        CHECK_MEM(info.changed_member, changed, sizeof changed);
    } else {
        CHECK(untouched(info.changed_member, sizeof info.changed_member));
    }
}

static void sets_are_right(const struct under_test *t, const struct good *good)
{
    vs_set_info sets[6];
    char names[6][MAX_GROUP_NAME];
    unsigned index;
    unsigned offset = 24;
    int room;
    int i;

    for (room = good->number; room < 6; room++) {
        fill(sets, sizeof sets);
        fill(&index, sizeof index);
        if (room > good->number && t->pieces != NULL && CLASSIC("D9: SP_scat_get_vs_sets_info and a large array"))
            continue;
        CHECK_EQ(vs_sets_info(t, sets, room, &index), good->number);
        if (good->own >= 0)
            CHECK_EQ(index, good->own);
        else
            CHECK(untouched(&index, sizeof index));
        CHECK(untouched(&sets[good->number], (size_t)(6 - good->number) * sizeof sets[0]));
    }
    CHECK_EQ(vs_sets_info(t, sets, good->number, &index), good->number);
    for (i = 0; i < good->number; i++) {
        CHECK_EQ(sets[i].num_members, good->members[i]);
        CHECK_EQ(sets[i].members_offset, offset);
        offset += 4 + (unsigned)good->members[i] * MAX_GROUP_NAME;

        fill(names, sizeof names);
        CHECK_EQ(vs_set_members(t, &sets[i], names, good->members[i]), good->members[i]);
        CHECK_STR(names[0], good->first[i]);
        CHECK(untouched(names[good->members[i]], MAX_GROUP_NAME));
        CHECK_EQ(vs_set_members(t, &sets[i], names, 6), good->members[i]);
        fill(names, sizeof names);
        CHECK_EQ(vs_set_members(t, &sets[i], names, good->members[i] - 1), BUFFER_TOO_SHORT);
        CHECK_EQ(vs_set_members(t, &sets[i], names, 0), BUFFER_TOO_SHORT);
        CHECK_EQ(vs_set_members(t, &sets[i], names, -1), BUFFER_TOO_SHORT);
        CHECK(untouched(names, sizeof names));
    }

    /* Too little room: nothing is written. */
    fill(sets, sizeof sets);
    fill(&index, sizeof index);
    for (room = -1; room < good->number; room++)
        CHECK_EQ(vs_sets_info(t, sets, room, &index), BUFFER_TOO_SHORT);
    CHECK_EQ(vs_sets_info(t, sets, INT_MIN, &index), BUFFER_TOO_SHORT);
    CHECK(untouched(sets, sizeof sets) && untouched(&index, sizeof index));
}

static void good_bodies(void)
{
    static const service types[] = {
        REG(CAUSED_BY_JOIN), REG(CAUSED_BY_LEAVE), REG(CAUSED_BY_DISCONNECT), REG(CAUSED_BY_NETWORK), REG_MEMB_MESS,
    };
    unsigned char bytes[ROOM];
    size_t i;
    size_t k;

    for (i = 0; i < COUNT_OF(goods); i++) {
        size_t size = membership_body(bytes, gid, goods[i].own_offset, goods[i].sets, false);
        char *body = exact(bytes, size);
        struct under_test plain = {body, NULL};
        size_t piece;

        check_case("%s", goods[i].what);
        for (k = 0; k < COUNT_OF(types); k++)
            info_is_right(&plain, &goods[i], types[k]);
        sets_are_right(&plain, &goods[i]);
        free(body);

        for (piece = size; piece > size / 100; piece--) {
            scatter pieces;
            struct under_test scattered = {NULL, &pieces};

            if (piece < size && CLASSIC("D8: fields cut by the border of an element"))
                break;
            check_case("%s, in pieces of %zu", goods[i].what, piece);
            cut(&pieces, bytes, size, piece);
            for (k = 0; k < COUNT_OF(types); k++)
                info_is_right(&scattered, &goods[i], types[k]);
            sets_are_right(&scattered, &goods[i]);
            free_pieces(&pieces);
        }
    }
}

/* Messages that list nobody, and those that are none of membership. */
static void other_types(void)
{
    static const service none[] = {0, FIFO_MESS, SAFE_MESS | SELF_DISCARD, REJECT_MESS, REJECT_MESS | FIFO_MESS, 0x4000, (int)0x80000080};
    unsigned char zeros[ROOM] = {0};
    const char *body = (const char *)zeros;
    scatter whole = {.num_elements = 1, .elements = {{(char *)zeros, sizeof zeros}}};
    membership_info info;
    vs_set_info set;
    unsigned index;
    size_t i;

    for (i = 0; i < COUNT_OF(none); i++) {
        check_case("type %#x is not of membership", (unsigned)none[i]);
        fill(&info, sizeof info);
        CHECK_EQ(SP_get_memb_info(body, none[i], &info), ILLEGAL_MESSAGE);
        CHECK_EQ(SP_scat_get_memb_info(&whole, none[i], &info), ILLEGAL_MESSAGE);
        CHECK(untouched(&info, sizeof info));
    }
    for (i = 0; i < 2; i++) {
        service type = i == 0 ? CAUSED_BY_LEAVE : REJECT_MESS | CAUSED_BY_JOIN;

        check_case("type %#x lists nobody", (unsigned)type);
        fill(&info, sizeof info);
        CHECK_EQ(SP_get_memb_info(body, type, &info), 1);
        CHECK_MEM(&info.gid, zeros, sizeof info.gid);
        CHECK(untouched(info.changed_member, sizeof info.changed_member));
        CHECK_EQ(info.num_vs_sets, 0);
        CHECK_EQ(info.my_vs_set.num_members, 0);
        CHECK_EQ(info.my_vs_set.members_offset, 0);
    }

    check_case("transitional");
    membership_body(zeros, gid, 0, "", false);
    fill(&info, sizeof info);
    CHECK_EQ(SP_get_memb_info(body, TRANSITION_MESS, &info), 1);
    CHECK_MEM(&info.gid, gid, sizeof gid);
    CHECK(untouched(info.changed_member, sizeof info.changed_member));
    CHECK_EQ(info.num_vs_sets, 0);
    CHECK_EQ(info.my_vs_set.num_members, 0);
    CHECK_EQ(info.my_vs_set.members_offset, 0);
    whole.elements[0].len = 12;
    fill(&info, sizeof info);
    CHECK_EQ(SP_scat_get_memb_info(&whole, TRANSITION_MESS, &info), 1);
    CHECK_MEM(&info.gid, gid, sizeof gid);

    check_case("no sets");
    fill(&index, sizeof index);
    CHECK_EQ(SP_get_vs_sets_info(body, &set, 1, &index), 0);
    CHECK_EQ(SP_get_vs_sets_info(body, NULL, 0, &index), 0);
    CHECK(untouched(&index, sizeof index));
}

/* Numbers that point out of any message. Nothing is read there, and nothing is written. */
static void wild_numbers(void)
{
    static const unsigned wild[] = {150000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
    /* As large as a message can be: a function that does not know the size may look that far. */
    static unsigned char bytes[144000];
    const char *body = (const char *)bytes;
    membership_info info;
    vs_set_info sets[4];
    vs_set_info set;
    char names[4][MAX_GROUP_NAME];
    unsigned index;
    size_t i;

    if (CLASSIC("D10: counts and offsets from the wire are trusted"))
        return;
    for (i = 0; i < COUNT_OF(wild); i++) {
        check_case("the number %#x", wild[i]);
        memset(bytes, 0, sizeof bytes);
        fill(&info, sizeof info);
        fill(sets, sizeof sets);
        fill(names, sizeof names);

        /* The own offset. */
        membership_body(bytes, gid, wild[i], "#a#wd1;#b#wd1", false);
        CHECK_EQ(SP_get_memb_info(body, REG(CAUSED_BY_JOIN), &info), ILLEGAL_MESSAGE);
        CHECK(untouched(&info, sizeof info));

        /* The number of sets: too many for the array, or for any message. */
        membership_body(bytes, gid, 0, "#a#wd1;#b#wd1", false);
        put_number(bytes + 12, wild[i], false);
        CHECK_BETWEEN(SP_get_vs_sets_info(body, sets, 4, &index), BUFFER_TOO_SHORT, ILLEGAL_MESSAGE);
        CHECK(untouched(sets, sizeof sets));

        /* The size of the first set, behind which the second one would be. */
        membership_body(bytes, gid, 0, "#a#wd1;#b#wd1", false);
        put_number(bytes + 20, wild[i], false);
        CHECK_EQ(SP_get_vs_sets_info(body, sets, 4, &index), ILLEGAL_MESSAGE);
        CHECK(untouched(sets, sizeof sets));

        /* A set as a program may make it up. */
        set.num_members = 1;
        set.members_offset = wild[i];
        CHECK_EQ(SP_get_vs_set_members(body, &set, names, 4), ILLEGAL_MESSAGE);
        set.num_members = wild[i];
        set.members_offset = 24;
        CHECK_BETWEEN(SP_get_vs_set_members(body, &set, names, 4), BUFFER_TOO_SHORT, ILLEGAL_MESSAGE);
        CHECK_BETWEEN(SP_get_vs_set_members(body, &set, names, INT_MAX), BUFFER_TOO_SHORT, ILLEGAL_MESSAGE);
        CHECK(untouched(names, sizeof names));
    }
}

/* A scatter tells how much there is: no field may lie beyond. */
static void cut_scatters(void)
{
    unsigned char bytes[ROOM];
    size_t size = membership_body(bytes, gid, 36, "#a#wd1;#b#wd1", false);
    membership_info info;
    vs_set_info sets[4];
    vs_set_info second = {1, 60};
    char names[4][MAX_GROUP_NAME];
    unsigned index;
    size_t at;

    if (CLASSIC("D10: counts and offsets from the wire are trusted"))
        return;
    for (at = 0; at <= size; at++) {
        scatter pieces;

        check_case("a scatter of %zu bytes", at);
        cut(&pieces, bytes, at, 40);
        fill(&info, sizeof info);
        fill(sets, sizeof sets);
        /* The last that is read is the count of the own set, or the changed member. */
        CHECK_EQ(SP_scat_get_memb_info(&pieces, REG(CAUSED_BY_JOIN), &info), at >= 60 ? 1 : ILLEGAL_MESSAGE);
        CHECK_EQ(SP_scat_get_vs_set_members(&pieces, &second, names, 4), at >= 92 ? 1 : ILLEGAL_MESSAGE);
        if (at < 60) {
            CHECK(untouched(&info, sizeof info));
            CHECK_EQ(SP_scat_get_vs_sets_info(&pieces, sets, 4, &index), ILLEGAL_MESSAGE);
            CHECK(untouched(sets, sizeof sets));
        }
        if (at == size)
            CHECK_EQ(SP_scat_get_vs_sets_info(&pieces, sets, 4, &index), 2);
        CHECK_EQ(SP_scat_get_memb_info(&pieces, TRANSITION_MESS, &info), at >= 12 ? 1 : ILLEGAL_MESSAGE);
        free_pieces(&pieces);
    }
}

static void group_ids(void)
{
    group_id a = {{1, -2, 3}};
    group_id b = {{1, -2, 3}};
    int i;

    check_case("SP_equal_group_ids");
    CHECK_EQ(SP_equal_group_ids(a, b), 1);
    for (i = 0; i < 3; i++) {
        b.id[i] ^= 1;
        CHECK_EQ(SP_equal_group_ids(a, b), 0);
        CHECK_EQ(SP_equal_group_ids(b, a), 0);
        b.id[i] ^= 1;
    }
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "membership_parse", 20);
    good_bodies();
    other_types();
    wild_numbers();
    cut_scatters();
    group_ids();
    return check_done();
}
