/* The functions that take a membership message apart. */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERSHIP_BITS 0x3f00u

/*
 * The scatter twins see the body as one element here, with nothing behind it: fields that cross the elements' borders are put
 * together wrongly by the classic library (rule scattered-membership).
 */
static void as_scatter(const char *body, size_t len, scatter *scat)
{
    memset(scat, 0, sizeof *scat);
    scat->num_elements = 1;
    scat->elements[0] = (scat_element){.buf = (char *)(uintptr_t)body, .len = len};
}

static void print_info(const membership_info *info)
{
    if (pattern_extent(info, sizeof *info, 0) == 0) {
        out_add(" info=~");
        return;
    }
    out_add(" gid=%x.%x.%x", (unsigned)info->gid.id[0], (unsigned)info->gid.id[1], (unsigned)info->gid.id[2]);
    char untouched[NAME_LEN];
    pattern_fill(untouched, NAME_LEN, offsetof(membership_info, changed_member));
    out_add(" changed=");
    if (memcmp(untouched, info->changed_member, NAME_LEN) == 0)
        out_add("~");
    else
        out_name(info->changed_member);
    out_add(" sets=%u mine=(%u,%u)", info->num_vs_sets, info->my_vs_set.num_members, info->my_vs_set.members_offset);
}

static void memb_info(const frame *f, const char *body, size_t len, bool scattered, service type, membership_info *info)
{
    scatter scat;
    as_scatter(body, len, &scat);
    pattern_fill(info, sizeof *info, 0);
    out_begin("%sget_memb_info type=%x ->", scattered ? "scat_" : "", (unsigned)type);
    int ret = scattered ? SP_scat_get_memb_info(&scat, type, info) : SP_get_memb_info(body, type, info);
    out_add(" %d", ret);
    /* The group id of a transition of the other byte order: swapped by us, not by the classic library. */
    if (f->type == 0x2000u && f->big_endian && rule("be-transition-body"))
        memset(&info->gid, 0, sizeof info->gid);
    print_info(info);
    out_end();
}

static unsigned sets_info(rng *r, const char *body, size_t len, bool scattered, unsigned sets, vs_set_info *out)
{
    scatter scat;
    as_scatter(body, len, &scat);
    int room = (int)sets;
    if (sets > 0 && rng_chance(r, 20))
        room = (int)rng_below(r, sets);
    else if (!scattered && rng_chance(r, 30))
        room = (int)sets + rng_range(r, 1, 3);
    if (!rule("scattered-membership") && rng_chance(r, 30))
        room = (int)sets + 3;
    if (rng_chance(r, 4))
        room = -1;
    vs_set_info found[10];
    unsigned mine = PATTERN_INT;
    pattern_fill(found, sizeof found, 0);
    out_begin("%sget_vs_sets_info room=%d ->", scattered ? "scat_" : "", room);
    int ret = scattered ? SP_scat_get_vs_sets_info(&scat, found, room, &mine) : SP_get_vs_sets_info(body, found, room, &mine);
    out_add(" %d", ret);
    for (int i = 0; i < ret && i < 10; i++)
        out_add(" (%u,%u)", found[i].num_members, found[i].members_offset);
    size_t used = ret > 0 ? (size_t)ret * sizeof found[0] : 0;
    size_t extent = pattern_extent(found, sizeof found, 0);
    if (extent > used)
        out_add(" written=%zu", extent);
    out_int("mine", (int)mine, PATTERN_INT);
    out_end();
    if (ret <= 0)
        return 0;
    memcpy(out, found, used);
    return (unsigned)ret;
}

static void set_members(rng *r, const char *body, size_t len, bool scattered, const vs_set_info *set)
{
    scatter scat;
    as_scatter(body, len, &scat);
    int room = (int)set->num_members + (rng_chance(r, 20) ? rng_range(r, -1, 2) : 0);
    size_t bytes = ((size_t)set->num_members + 3) * NAME_LEN;
    char(*names)[NAME_LEN] = must_alloc(bytes);
    pattern_fill(names, bytes, 0);
    out_begin("%sget_vs_set_members (%u,%u) room=%d ->", scattered ? "scat_" : "", set->num_members, set->members_offset, room);
    int ret = scattered ? SP_scat_get_vs_set_members(&scat, set, names, room) : SP_get_vs_set_members(body, set, names, room);
    out_add(" %d", ret);
    for (int i = 0; i < ret && i < (int)set->num_members; i++) {
        out_add(" ");
        out_name(names[i]);
    }
    size_t extent = pattern_extent(names, bytes, 0);
    if (ret < 0 || extent > (size_t)ret * NAME_LEN)
        out_add(" written=%zu", extent);
    out_end();
    free(names);
}

void op_membership(rng *r, const frame *f, const char *body, size_t len)
{
    membership_info info, other;
    bool scattered = rng_chance(r, 40);
    if (!(f->type & MEMBERSHIP_BITS)) {
        if (rng_chance(r, 15))
            memb_info(f, body, len, scattered, (service)f->type, &info);
        return;
    }
    /* Only bodies that are what their type says: the classic functions believe every count. */
    bool transition = f->type == 0x2000u && len == 12;
    if (!f->membership_ok && !transition)
        return;
    memb_info(f, body, len, scattered, (service)f->type, &info);
    if (transition)
        return;
    if (rng_chance(r, 10))
        memb_info(f, body, len, !scattered, (service)(f->type & ~MEMBERSHIP_BITS), &other);
    vs_set_info sets[10];
    unsigned found = sets_info(r, body, len, scattered, info.num_vs_sets, sets);
    for (unsigned i = 0; i < found; i++)
        if (sets[i].num_members > 0 || rng_chance(r, 30))
            set_members(r, body, len, rng_chance(r, 40), &sets[i]);
    if (rng_chance(r, 30) && info.my_vs_set.num_members > 0)
        set_members(r, body, len, scattered, &info.my_vs_set);
}
