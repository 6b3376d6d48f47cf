/* Looks into membership messages that lie in memory of exactly their size, in one piece and in a scatter of exact pieces, so
 * that a sanitizer or valgrind sees every byte read too far. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sp.h"

#define CHECK(condition)                                              \
    do                                                                \
        if (!(condition)) {                                           \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);   \
            exit(1);                                                  \
        }                                                             \
    while (0)

static char *body;
static size_t length;

static void add(const void *bytes, size_t n)
{
    body = realloc(body, length + n);
    CHECK(body != NULL);
    memcpy(body + length, bytes, n);
    length += n;
}

static void add_number(int number)
{
    add(&number, sizeof number);
}

static void add_name(const char *name)
{
    char field[MAX_GROUP_NAME] = {0};

    strcpy(field, name);
    add(field, sizeof field);
}

int main(void)
{
    membership_info info, again;
    vs_set_info sets[2];
    char names[2][MAX_GROUP_NAME];
    scatter pieces;
    unsigned int mine;
    size_t size, at;
    int i;

    add_number(1);
    add_number(2);
    add_number(3);
    add_number(2);      /* sets */
    add_number(68);     /* ours begins so far behind the two numbers before them */
    add_number(2);
    add_name("#a#one");
    add_name("#b#one");
    add_number(1);
    add_name("#c#two");

    CHECK(SP_get_memb_info(body, REG_MEMB_MESS | CAUSED_BY_NETWORK, &info) == 1);
    CHECK(info.gid.id[0] == 1 && info.gid.id[2] == 3 && info.changed_member[0] == 0);
    CHECK(info.num_vs_sets == 2 && info.my_vs_set.num_members == 1 && info.my_vs_set.members_offset == 92);
    CHECK(SP_get_vs_sets_info(body, sets, 2, &mine) == 2 && mine == 1);
    CHECK(sets[0].num_members == 2 && sets[0].members_offset == 24);
    CHECK(SP_get_vs_set_members(body, &sets[0], names, 2) == 2);
    CHECK(strcmp(names[0], "#a#one") == 0 && strcmp(names[1], "#b#one") == 0);
    CHECK(SP_get_vs_set_members(body, &sets[1], names, 2) == 1 && strcmp(names[0], "#c#two") == 0);
    CHECK(SP_get_vs_sets_info(body, sets, 1, &mine) == BUFFER_TOO_SHORT);

    for (size = 2; size <= length; size++) {
        pieces.num_elements = 0;
        for (at = 0; at < length; at += size) {
            scat_element *piece = &pieces.elements[pieces.num_elements++];

            piece->len = length - at < size ? length - at : size;
            piece->buf = malloc(piece->len);
            CHECK(piece->buf != NULL);
            memcpy(piece->buf, body + at, piece->len);
        }
        /* Not all of the structure is written: only what is read may be compared. */
        CHECK(SP_scat_get_memb_info(&pieces, REG_MEMB_MESS | CAUSED_BY_NETWORK, &again) == 1);
        CHECK(SP_equal_group_ids(info.gid, again.gid));
        CHECK(again.my_vs_set.members_offset == 92);
        CHECK(SP_scat_get_vs_sets_info(&pieces, sets, 2, &mine) == 2 && mine == 1);
        CHECK(SP_scat_get_vs_set_members(&pieces, &sets[0], names, 2) == 2);
        CHECK(strcmp(names[0], "#a#one") == 0 && strcmp(names[1], "#b#one") == 0);
        CHECK(SP_scat_get_vs_set_members(&pieces, &sets[1], names, 2) == 1 && strcmp(names[0], "#c#two") == 0);
        for (i = 0; i < (int)pieces.num_elements; i++)
            free(pieces.elements[i].buf);
    }

    /* A message cut short: in a scatter that can be seen, and nothing behind the end is read. */
    pieces.num_elements = 1;
    for (at = 0; at < length; at++) {
        pieces.elements[0].len = at;
        pieces.elements[0].buf = malloc(at + (at == 0));
        CHECK(pieces.elements[0].buf != NULL);
        memcpy(pieces.elements[0].buf, body, at);
        CHECK(SP_scat_get_vs_sets_info(&pieces, sets, 2, &mine) == ILLEGAL_MESSAGE);
        free(pieces.elements[0].buf);
    }
    free(body);
    return 0;
}
