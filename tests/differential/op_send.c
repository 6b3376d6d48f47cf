/* Joining, leaving and the four multicasts. */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

/* body + 32 x groups: the limit of the classic library, and ours, which is what a daemon survives. */
#define CLASSIC_LIMIT 144000
#define OUR_LIMIT 143144

/*
 * After the daemon's close a TCP socket takes one more write. Our multicast is one write and the classic one two, so which
 * call reports the loss differs.
 */
static bool loss_unseen(const session *s)
{
    return s != NULL && s->tcp && s->closed && !s->dead && rule("send-after-close");
}

static void finish(session *s, int ret)
{
    out_add(" %d", ret);
    if (s != NULL && ret == CONNECTION_CLOSED)
        s->dead = true;
    if (s != NULL && !s->closed && !s->dead)
        peer_print_frames(s->peer, ret >= 0 ? 1 : 0);
    out_end();
}

static bool sending_differs(const session *s)
{
    return s != NULL && s->broken && rule("broken-frame");
}

void op_group(world *w, bool join)
{
    static const char *const odd[] = {"", "#x", "with blank", "tab\there", "\x7f", "high\xe9", "a-group-name-of-32-characters-xxx",
                                      "~", "$", "#u1#fake", "exactly-thirty-two-characters-xx"};
    int mbox;
    char name[32];
    session *s = pick_session(w, &mbox, name);
    const char *group = rng_chance(&w->r, 65) ? random_group(&w->r) : RNG_PICK(&w->r, odd);
    if (loss_unseen(s) || sending_differs(s))
        return;
    out_begin("%s %s ", join ? "join" : "leave", name);
    out_bytes(group, strlen(group), 99);
    out_add(" ->");
    finish(s, join ? SP_join(mbox, group) : SP_leave(mbox, group));
}

static service random_service(rng *r)
{
    static const service extra[] = {0x40, 0x40, 0x01000000, 0x4000, 0x200000, 0x1000, 0x2000, 0x100, 0x40000000, 0x80};
    static const service wrong[] = {0, 0x40, 0x1000, 0x01000000, (service)0x80000080u};
    if (rng_chance(r, 6))
        return RNG_PICK(r, wrong);
    service type = 1 << rng_below(r, 6);
    if (rng_chance(r, 20))
        type |= RNG_PICK(r, extra);
    if (!rule("service-bits") && rng_chance(r, 10))
        type |= 1 << rng_below(r, 6);
    return type;
}

static int random_group_count(rng *r)
{
    static const unsigned weights[] = {8, 40, 35, 12, 5};
    switch (rng_weighted(r, weights, 5)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return rng_range(r, 2, 6);
    case 3:
        return rng_range(r, 7, 43);
    default:
        return rng_range(r, 44, rule("number-of-groups") ? 100 : 300);
    }
}

static size_t random_send_len(rng *r, int groups)
{
    size_t taken = (size_t)groups * NAME_LEN;
    if (!rng_chance(r, 6))
        return random_body_len(r);
    switch (rng_below(r, 3)) {
    case 0:
        return OUR_LIMIT - taken;
    case 1:
        return CLASSIC_LIMIT - taken + (rule("message-limit") ? 1 : 0);
    default:
        return 150000 + rng_below(r, 100000);
    }
}

/* Cuts the body into elements, some of them empty. */
static void cut(rng *r, char *body, size_t len, scatter *scat)
{
    size_t elements = rng_chance(r, 5) ? 100 : rng_below(r, 7);
    memset(scat, 0, sizeof *scat);
    if (elements == 0 && len > 0)
        elements = 1;
    scat->num_elements = elements;
    for (size_t i = 0; i < elements; i++) {
        size_t share = i + 1 == elements ? len : rng_chance(r, 15) ? 0 : rng_below(r, (uint32_t)(len / 2 + 1));
        scat->elements[i] = (scat_element){.buf = body, .len = share};
        body += share;
        len -= share;
    }
}

void op_multicast(world *w, bool multigroup, bool scattered)
{
    static const char *const odd[] = {"", "#u1#fake", "with blank", "\x01\xff", "a-group-name-of-more-than-thirty-two-characters"};
    rng *r = &w->r;
    int mbox;
    char name[32];
    session *s = pick_session(w, &mbox, name);
    service type = random_service(r);
    int count = multigroup ? random_group_count(r) : 1;
    size_t len = random_send_len(r, count);
    short mess_type = (short)(rng_chance(r, 50) ? rng_range(r, -3, 10) : (int)rng_u32(r));
    const char *group = rng_chance(r, 85) ? random_group(r) : RNG_PICK(r, odd);
    char(*groups)[NAME_LEN] = must_alloc((size_t)count * NAME_LEN);
    for (int i = 0; i < count; i++) {
        const char *one = rng_chance(r, 85) ? random_group(r) : RNG_PICK(r, odd);
        memcpy(groups[i], one, strnlen(one, NAME_LEN));
        if (rng_chance(r, 3))
            groups[i][NAME_LEN - 1] = 'Z';
    }
    char *body = must_alloc(len);
    random_body(r, body, len);
    scatter scat;
    cut(r, body, len, &scat);

    if (!loss_unseen(s) && !sending_differs(s)) {
        out_begin("%s%smulticast %s type=%x", multigroup ? "multigroup_" : "", scattered ? "scat_" : "", name, (unsigned)type);
        if (multigroup) {
            out_add(" groups=%d:", count);
            out_bytes(groups, (size_t)count * NAME_LEN, 0);
        } else {
            out_add(" group=");
            out_bytes(group, strlen(group), 99);
        }
        out_add(" mess_type=%d len=%zu", mess_type, len);
        if (scattered)
            out_add(" elements=%zu", scat.num_elements);
        out_add(" ->");
        const char(*list)[MAX_GROUP_NAME] = (const char(*)[MAX_GROUP_NAME])groups;
        const char *data = len == 0 && rng_chance(r, 50) ? NULL : body;
        if (!rule("negative-length") && !scattered && rng_chance(r, 5))
            len = (size_t)-1;
        int ret;
        if (multigroup && scattered)
            ret = SP_multigroup_scat_multicast(mbox, type, count, list, mess_type, &scat);
        else if (multigroup)
            ret = SP_multigroup_multicast(mbox, type, count, count == 0 ? NULL : list, mess_type, (int)len, data);
        else if (scattered)
            ret = SP_scat_multicast(mbox, type, group, mess_type, &scat);
        else
            ret = SP_multicast(mbox, type, group, mess_type, (int)len, data);
        finish(s, ret);
    }
    free(body);
    free(groups);
}
