/* What the scripted daemon sends: frames of every kind, also those that a stock daemon never makes. */
#include "ops.h"

#include <string.h>

#define REG_MEMB 0x00001000u
#define TRANSITION 0x00002000u
#define BY_LEAVE 0x00000200u
#define BY_NETWORK 0x00000800u
#define REJECT 0x00400000u

static const char *const names[] = {"room", "g", "lobby", "a-group-name-of-31-characters-xx", "$low", "~high", "x.y/z", "0"};
static const char *const peers[] = {"#a#fake", "#b#fake", "#zed#other", "#0#fake", "#longname10#a-daemon-of-19-char"};

const char *random_group(rng *r)
{
    return RNG_PICK(r, names);
}

size_t random_body_len(rng *r)
{
    static const unsigned weights[] = {15, 40, 30, 12, 3};
    switch (rng_weighted(r, weights, 5)) {
    case 0:
        return 0;
    case 1:
        return (size_t)rng_range(r, 1, 20);
    case 2:
        return (size_t)rng_range(r, 21, 300);
    case 3:
        return (size_t)rng_range(r, 1000, 9000);
    default:
        return (size_t)rng_range(r, 60000, 120000);
    }
}

void random_body(rng *r, void *data, size_t len)
{
    char *p = data;
    for (size_t i = 0; i < len; i++)
        p[i] = (char)('a' + rng_below(r, 26));
    if (len > 0 && rng_chance(r, 20))
        p[rng_below(r, (uint32_t)len)] = (char)rng_u32(r);
}

/* A name field; sometimes 32 bytes without a NUL, sometimes with bytes behind the NUL. */
static void add_field(rng *r, buffer *b, const char *name)
{
    if (rng_chance(r, 2)) {
        buffer_add(b, "names-of-thirty-two-bytes-no-nul", NAME_LEN);
        return;
    }
    buffer_add_name(b, name);
    if (rng_chance(r, 2))
        b->data[b->len - 1] = 'Z';
}

static void header(frame *f, uint32_t type, const char *sender, int groups, uint32_t hint, bool hint_big, int data_len)
{
    f->type = type;
    f->num_groups = groups;
    f->data_len = data_len;
    buffer_add_u32(&f->wire, f->big_endian ? type & 0x7fffff7fu : type | 0x80000080u, f->big_endian);
    buffer_add_name(&f->wire, sender);
    buffer_add_u32(&f->wire, (uint32_t)groups, f->big_endian);
    hint &= 0x00ffff00u;
    buffer_add_u32(&f->wire, hint_big ? hint : hint | 0x80000080u, hint_big);
    buffer_add_u32(&f->wire, (uint32_t)data_len, f->big_endian);
}

static uint32_t random_hint(rng *r)
{
    static const uint16_t types[] = {0, 1, 7, 0x102, 0x7fff, 0x8000, 0xfffe, 0xffff};
    return (uint32_t)RNG_PICK(r, types) << 8;
}

static uint32_t random_service(rng *r)
{
    static const uint32_t extra[] = {0x40u, 0x40u, 0x4000u, 0x200000u, 0x40000000u, 0x00800000u};
    uint32_t type = 1u << rng_below(r, 6);
    return rng_chance(r, 20) ? type | RNG_PICK(r, extra) : type;
}

static int random_group_count(rng *r)
{
    static const unsigned weights[] = {10, 50, 33, 6, 1};
    switch (rng_weighted(r, weights, 5)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return rng_range(r, 2, 5);
    case 3:
        return rng_range(r, 6, 60);
    default:
        return rng_range(r, 101, 600);
    }
}

static void add_body(rng *r, frame *f, size_t len)
{
    unsigned char *body = must_alloc(len);
    random_body(r, body, len);
    buffer_add(&f->wire, body, len);
    buffer b = {.data = body};
    buffer_free(&b);
}

/* A data message; as a reject message it has the old type between header and groups. */
static void data_frame(rng *r, frame *f, uint32_t type, bool with_old_type, uint32_t old_type)
{
    size_t len = random_body_len(r);
    int groups = random_group_count(r);
    bool hint_big = rng_chance(r, 30);
    header(f, type, RNG_PICK(r, peers), groups, random_hint(r), hint_big, (int)len);
    if (rng_chance(r, 2))
        memcpy(f->wire.data + 4, "#sender-without-any-nul-in-it#xx", NAME_LEN);
    if (with_old_type)
        buffer_add_u32(&f->wire, f->big_endian ? old_type & 0x7fffff7fu : old_type | 0x80000080u, f->big_endian);
    for (int i = 0; i < groups; i++)
        add_field(r, &f->wire, i % 3 == 2 ? RNG_PICK(r, peers) : random_group(r));
    add_body(r, f, len);
}

static void gid(rng *r, frame *f)
{
    for (int i = 0; i < 3; i++)
        buffer_add_u32(&f->wire, i == 2 ? rng_below(r, 50) : rng_u32(r), f->big_endian);
}

/* A well-formed regular membership, as wire-level members and vs sets. */
static void membership_frame(rng *r, frame *f, const char *own)
{
    static const uint32_t causes[] = {0x100u, 0x200u, 0x400u, BY_NETWORK, BY_NETWORK, 0};
    uint32_t cause = RNG_PICK(r, causes);
    unsigned sets = cause == BY_NETWORK || rng_chance(r, 15) ? 1 + rng_below(r, 4) : 1;
    unsigned counts[5], total = 0;
    size_t offset = 0, own_offset = 0, length = 20;
    unsigned own_set = rng_below(r, sets);
    for (unsigned i = 0; i < sets; i++) {
        counts[i] = cause == BY_NETWORK ? rng_below(r, 4) : 1;
        if (i == own_set) {
            own_offset = offset;
            counts[i] += counts[i] == 0;
        }
        offset += 4 + (size_t)counts[i] * NAME_LEN;
        total += counts[i];
    }
    length += offset;
    bool own_listed = rng_chance(r, 85);
    int groups = (int)(cause == BY_NETWORK ? total : rng_below(r, 6));
    header(f, REG_MEMB | cause, random_group(r), groups, 0, f->big_endian && rng_chance(r, 50), (int)length);
    int own_place = groups > 0 ? (int)rng_below(r, (uint32_t)groups) : -1;
    for (int i = 0; i < groups; i++)
        buffer_add_name(&f->wire, i == own_place && own_listed ? own : RNG_PICK(r, peers));
    gid(r, f);
    buffer_add_u32(&f->wire, sets, f->big_endian);
    buffer_add_u32(&f->wire, (uint32_t)own_offset, f->big_endian);
    for (unsigned i = 0; i < sets; i++) {
        buffer_add_u32(&f->wire, counts[i], f->big_endian);
        for (unsigned k = 0; k < counts[i]; k++)
            add_field(r, &f->wire, i == own_set && k == 0 ? own : RNG_PICK(r, peers));
    }
    f->membership_ok = true;
}

/*
 * A membership whose body cannot be right. Little-endian only: the classic library byte-swaps what the counts point at, in
 * memory that need not be the body's (rule be-membership-body).
 */
static void bad_membership_frame(rng *r, frame *f)
{
    f->big_endian = !rule("be-membership-body") && rng_chance(r, 50);
    size_t len = (size_t)rng_below(r, 60);
    header(f, REG_MEMB | BY_NETWORK, random_group(r), 1, 0, false, (int)len);
    buffer_add_name(&f->wire, "#a#fake");
    unsigned char body[64];
    for (size_t i = 0; i < len; i++)
        body[i] = rng_chance(r, 40) ? 0xff : (unsigned char)rng_u32(r);
    buffer_add(&f->wire, body, len);
}

static void transition_frame(rng *r, frame *f)
{
    header(f, TRANSITION, random_group(r), 0, 0, f->big_endian, 12);
    gid(r, f);
}

static void self_leave_frame(rng *r, frame *f)
{
    header(f, BY_LEAVE, random_group(r), 0, 0, f->big_endian, 0);
}

static void reject_frame(rng *r, frame *f)
{
    static const uint32_t olds[] = {0x4u, 0x8u, 0x10u, 0x20u, 0x100u, 0x200u, 0x1u};
    data_frame(r, f, REJECT | (rng_chance(r, 20) ? 0x40u : 0u), true, RNG_PICK(r, olds));
}

/* Types that no stock daemon makes. Those with membership bits are little-endian, as above. */
static void odd_type_frame(rng *r, frame *f)
{
    static const uint32_t odd[] = {0, 0x4000u, 0x00200000u, 0x100u, 0x800u, 0x3u, 0x3fu, REG_MEMB | 4u, REG_MEMB | 0x104u,
                                   TRANSITION | 8u, 0x10000u, 0x20000u, 0x40000u, 0x204u, 0x7e000000u};
    uint32_t type = RNG_PICK(r, odd);
    if ((type & (REG_MEMB | TRANSITION | 0xf00u)) && rule("be-membership-body"))
        f->big_endian = false;
    data_frame(r, f, type, false, 0);
}

static void broken_frame(rng *r, frame *f)
{
    static const int negative[] = {-1, -2, -100, -0x7fffffff - 1};
    f->broken = true;
    if (rng_chance(r, 50))
        header(f, 4, RNG_PICK(r, peers), RNG_PICK(r, negative), 0, false, rng_range(r, -3, 9));
    else
        header(f, 4, RNG_PICK(r, peers), rng_range(r, 0, 3), 0, false, RNG_PICK(r, negative));
}

static void huge_frame(rng *r, frame *f)
{
    static const int huge[] = {0x7fffffff, 0x40000000, 10000000};
    f->huge = true;
    bool groups = rng_chance(r, 50);
    header(f, 0x10u, RNG_PICK(r, peers), groups ? RNG_PICK(r, huge) : 1, 0x700, false, groups ? 5 : RNG_PICK(r, huge));
    if (!groups)
        buffer_add_name(&f->wire, "room");
    buffer_add(&f->wire, "only-this", (size_t)rng_range(r, 0, 9));
}

void frame_random(rng *r, const char *own_group, frame *f)
{
    static const char *const kinds[] = {"data", "membership", "bad-membership", "transition", "self-leave", "reject", "odd-type",
                                        "broken", "huge"};
    static const unsigned weights[] = {52, 20, 3, 5, 3, 6, 7, 2, 2};
    *f = (frame){.big_endian = rng_chance(r, 30)};
    size_t kind = rng_weighted(r, weights, 9);
    f->kind = kinds[kind];
    switch (kind) {
    case 0:
        data_frame(r, f, random_service(r), false, 0);
        break;
    case 1:
        membership_frame(r, f, own_group);
        break;
    case 2:
        bad_membership_frame(r, f);
        break;
    case 3:
        transition_frame(r, f);
        break;
    case 4:
        self_leave_frame(r, f);
        break;
    case 5:
        reject_frame(r, f);
        break;
    case 6:
        odd_type_frame(r, f);
        break;
    case 7:
        broken_frame(r, f);
        break;
    default:
        huge_frame(r, f);
        break;
    }
}

void frame_print(const frame *f)
{
    out_add(" %s%s(%x,%d,%d)", f->big_endian ? "be-" : "", f->kind, f->type, f->num_groups, f->data_len);
}

bool frame_is_reject(const frame *f)
{
    return (f->type & REJECT) != 0;
}
