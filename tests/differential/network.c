/*
 * The calls on a network that orders messages: real daemons, or embedded ones.
 *
 * Nothing here depends on time. Every change and every message is waited for at every session that must get it before the next
 * call is made; a session called the witness is a member of all groups, so that no change goes unseen. What differs between
 * runs (group ids, names of daemons, the run's own names) is masked.
 */
#include "ops.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DAEMONS 3
#define SESSIONS 5
#define GROUPS 4
#define WITNESS 0
#define DROP 0x01000000

typedef struct {
    bool in_use, membership;
    int mbox, daemon;
    char private_group[NAME_LEN];
    char shown[16];        /* the name without what changes from run to run */
    bool member[GROUPS];
} member;

typedef struct {
    rng r;
    char daemons[MAX_DAEMONS][64];
    int daemon_count;
    char run[8];           /* begins every name of this run */
    member sessions[SESSIONS];
    char gone[64][2][NAME_LEN];  /* private groups of sessions that have ended, and how they are shown */
    int gone_count, connects;
} network;

/* Names, masked. */

static void group_name(const network *n, int group, char name[NAME_LEN])
{
    memset(name, 0, NAME_LEN);
    snprintf(name, NAME_LEN, "%sg%d", n->run, group);
}

static const char *shown(const network *n, const char name[NAME_LEN])
{
    static char text[2 * NAME_LEN];
    for (int i = 0; i < SESSIONS; i++)
        if (n->sessions[i].in_use && strncmp(n->sessions[i].private_group, name, NAME_LEN) == 0)
            return n->sessions[i].shown;
    for (int i = 0; i < n->gone_count; i++)
        if (strncmp(n->gone[i][0], name, NAME_LEN) == 0)
            return n->gone[i][1];
    for (int i = 0; i < GROUPS; i++) {
        char group[NAME_LEN];
        group_name(n, i, group);
        if (strncmp(group, name, NAME_LEN) == 0) {
            snprintf(text, sizeof text, "group%d", i);
            return text;
        }
    }
    snprintf(text, sizeof text, "other:%.31s", name);
    return text;
}

static void print_names(const network *n, char names[][NAME_LEN], int count)
{
    out_add("[");
    for (int i = 0; i < count; i++)
        out_add("%s%s", i > 0 ? "," : "", shown(n, names[i]));
    out_add("]");
}

/* Receiving. */

static bool wait_bytes(int mbox, int bytes)
{
    int64_t deadline = now_ms() + 4 * SETTLE_MS;
    while (SP_poll(mbox) < bytes) {
        struct pollfd p = {.fd = mbox, .events = POLLIN};
        if (now_ms() >= deadline)
            return false;
        (void)poll(&p, 1, SP_poll(mbox) > 0 ? 1 : 100);
        if (SP_poll(mbox) > 0 && SP_poll(mbox) < bytes) {
            struct pollfd pause = {.fd = -1};
            (void)poll(&pause, 1, 1);
        }
    }
    return true;
}

static void print_membership(const network *n, service type, const char *body, int len)
{
    membership_info info;
    vs_set_info sets[8];
    unsigned mine = PATTERN_INT;
    if (SP_get_memb_info(body, type, &info) != 1) {
        out_add(" info-failed");
        return;
    }
    if (len < 20)
        return;
    out_add(" changed=%s sets=%u", (type & 0x800) ? "" : shown(n, info.changed_member), info.num_vs_sets);
    int count = SP_get_vs_sets_info(body, sets, 8, &mine);
    out_add(" mine=%d", (int)mine);
    for (int i = 0; i < count; i++) {
        char names[16][NAME_LEN];
        int members = SP_get_vs_set_members(body, &sets[i], names, 16);
        out_add(" set");
        print_names(n, names, members > 0 ? members : 0);
    }
}

/* One message: first perhaps refused for want of room, perhaps in scattered pieces, perhaps cut by DROP_RECV. */
static void receive(network *n, int at)
{
    static char body[160000], groups[128][NAME_LEN];
    rng *r = &n->r;
    member *m = &n->sessions[at];
    unsigned way = rng_below(r, 10);
    for (int pass = 0; pass < 2; pass++) {
        bool refuse = pass == 0 && way < 3, drop = way == 9;
        int room = refuse ? 0 : drop ? (int)rng_below(r, 20) : (int)sizeof body;
        int max_groups = refuse && rng_chance(r, 50) ? 0 : 128;
        service type = drop ? DROP : 0;
        char sender[NAME_LEN] = {0};
        int num_groups = PATTERN_INT, endian = PATTERN_INT, ret;
        short mess_type = PATTERN_SHORT;
        scatter scat = {.num_elements = 3};
        size_t first = rng_below(r, 30) + 1;
        scat.elements[0] = (scat_element){body, first};
        scat.elements[1] = (scat_element){body + first, 40};
        scat.elements[2] = (scat_element){body + first + 40, sizeof body - first - 40};
        if (!wait_bytes(m->mbox, 1)) {
            out_begin("receive m%d -> nothing comes", at);
            out_end();
            return;
        }
        out_begin("%sreceive m%d%s ->", way == 4 ? "scat_" : "", at, drop ? " drop" : refuse ? " small" : "");
        if (way == 4)
            ret = SP_scat_receive(m->mbox, &type, sender, max_groups, &num_groups, groups, &mess_type, &endian, &scat);
        else
            ret = SP_receive(m->mbox, &type, sender, max_groups, &num_groups, groups, &mess_type, &endian, room, body);
        out_add(" %d type=%x sender=%s", ret, (unsigned)type, shown(n, sender));
        out_int("num_groups", num_groups, PATTERN_INT);
        out_int("mess_type", mess_type, PATTERN_SHORT);
        out_int("endian", endian, PATTERN_INT);
        if (ret >= 0 || (drop && ret == BUFFER_TOO_SHORT)) {
            out_add(" groups=");
            print_names(n, groups, num_groups > 0 ? num_groups : 0);
            if (Is_membership_mess(type) && ret >= 0) {
                print_membership(n, type, body, ret);
            } else if (!Is_membership_mess(type)) {
                out_add(" mess=");
                out_bytes(body, ret >= 0 ? (size_t)ret : (size_t)room, 40);
            }
        }
        out_end();
        if (ret >= 0 || drop || (ret != BUFFER_TOO_SHORT && ret != GROUPS_TOO_SHORT))
            return;
    }
}

/* Everything before it has come: what a session sends to itself arrives after what was ordered earlier. */
static void fence(network *n, int at)
{
    member *m = &n->sessions[at];
    int ret = SP_multicast(m->mbox, AGREED_MESS, m->private_group, 77, 5, "fence");
    char sender[NAME_LEN], groups[1][NAME_LEN], body[16] = {0};
    service type = 0;
    int num_groups = 0, endian = 0;
    short mess_type = 0;
    (void)wait_bytes(m->mbox, 85);
    int got = SP_receive(m->mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, (int)sizeof body, body);
    if (ret != 5 || got != 5 || mess_type != 77 || memcmp(body, "fence", 5) != 0 || SP_poll(m->mbox) != 0)
        out_line("fence m%d -> %d, then %d type=%x mess_type=%d, poll %d", at, ret, got, (unsigned)type, mess_type, SP_poll(m->mbox));
}

static void fence_all(network *n)
{
    for (int i = 0; i < SESSIONS; i++)
        if (n->sessions[i].in_use)
            fence(n, i);
}

/* All members that want to know receive one membership message. */
static void see_change(network *n, int group, int except)
{
    for (int i = 0; i < SESSIONS; i++)
        if (i != except && n->sessions[i].in_use && n->sessions[i].membership && n->sessions[i].member[group])
            receive(n, i);
}

/* The calls. */

static void connect_session(network *n, int at)
{
    member *m = &n->sessions[at];
    char name[16];
    mailbox mbox = -1;
    *m = (member){.membership = at == WITNESS || rng_chance(&n->r, 75), .daemon = (int)rng_below(&n->r, (uint32_t)n->daemon_count)};
    int number = n->connects++;
    snprintf(name, sizeof name, "%s%c", n->run, 'a' + number);
    bool invented = at != WITNESS && rng_chance(&n->r, 15);
    int ret = SP_connect(n->daemons[m->daemon], invented ? NULL : name, 0, m->membership, &mbox, m->private_group);
    m->mbox = mbox;
    m->in_use = ret == ACCEPT_SESSION;
    snprintf(m->shown, sizeof m->shown, "s%d#D%d", number, m->daemon);
    /* Members are listed by name: where an invented name comes among the others is not known, so it joins nothing. */
    if (invented)
        m->daemon = -1;
    out_line("connect m%d daemon=%d membership=%d%s -> %d %s", at, (int)(m->shown[strlen(m->shown) - 1] - '0'), m->membership,
             invented ? " invented" : "", ret, invented ? "" : strncmp(m->private_group + 1, name, strlen(name)) == 0 ? "named" : "other");
}

static void join_or_leave(network *n, int at, int group, bool join)
{
    member *m = &n->sessions[at];
    char name[NAME_LEN];
    group_name(n, group, name);
    int ret = join ? SP_join(m->mbox, name) : SP_leave(m->mbox, name);
    out_line("%s m%d group%d -> %d", join ? "join" : "leave", at, group, ret);
    bool changes = m->member[group] != join;
    m->member[group] = join;
    if (!changes) {
        fence(n, at);
        return;
    }
    if (!join && m->membership)
        receive(n, at);   /* its self-leave */
    see_change(n, group, -1);
    if (!m->membership)
        fence(n, at);
}

static void end_session(network *n, int at, bool kill)
{
    member *m = &n->sessions[at];
    int ret = 0;
    if (kill)
        SP_kill(m->mbox);
    else
        ret = SP_disconnect(m->mbox);
    out_line("%s m%d -> %d", kill ? "kill" : "disconnect", at, ret);
    memcpy(n->gone[n->gone_count][0], m->private_group, NAME_LEN);
    memcpy(n->gone[n->gone_count++][1], m->shown, sizeof m->shown);
    m->in_use = false;
    for (int group = 0; group < GROUPS; group++)
        if (m->member[group])
            see_change(n, group, at);
}

static bool gets(const member *m, bool sender, bool discards, const bool targets[GROUPS], bool to_private)
{
    if (!m->in_use || (sender && discards))
        return false;
    bool hit = to_private;
    for (int i = 0; i < GROUPS; i++)
        hit |= targets[i] && m->member[i];
    return hit;
}

static void multicast(network *n, int at)
{
    rng *r = &n->r;
    member *m = &n->sessions[at];
    bool targets[GROUPS] = {false};
    char names[8][NAME_LEN];
    static char body[120000];
    int count = 0, private_to = -1;
    for (int i = 0; i < GROUPS; i++) {
        if (!rng_chance(r, 35))
            continue;
        targets[i] = true;
        group_name(n, i, names[count++]);
    }
    int other = (int)rng_below(r, SESSIONS);
    if (rng_chance(r, 25) && n->sessions[other].in_use) {
        private_to = other;
        memcpy(names[count++], n->sessions[other].private_group, NAME_LEN);
    }
    if (count == 0) {
        targets[0] = true;
        group_name(n, 0, names[count++]);
    }
    if (rng_chance(r, 10)) {
        memset(names[count], 0, NAME_LEN);
        snprintf(names[count++], NAME_LEN, "nobody-is-here");
    }
    service type = 1 << rng_below(r, 6);
    bool discards = rng_chance(r, 20);
    type |= discards ? SELF_DISCARD : 0;
    short mess_type = (short)rng_u32(r);
    size_t len = random_body_len(r);
    random_body(r, body, len);
    scatter scat = {.num_elements = 3};
    scat.elements[0] = (scat_element){body, len / 3};
    scat.elements[1] = (scat_element){body + len / 3, 0};
    scat.elements[2] = (scat_element){body + len / 3, len - len / 3};
    bool scattered = rng_chance(r, 30);
    const char(*list)[MAX_GROUP_NAME] = (const char(*)[MAX_GROUP_NAME])names;
    int ret;
    if (count == 1 && rng_chance(r, 60))
        ret = scattered ? SP_scat_multicast(m->mbox, type, names[0], mess_type, &scat)
                        : SP_multicast(m->mbox, type, names[0], mess_type, (int)len, body);
    else
        ret = scattered ? SP_multigroup_scat_multicast(m->mbox, type, count, list, mess_type, &scat)
                        : SP_multigroup_multicast(m->mbox, type, count, list, mess_type, (int)len, body);
    out_begin("multicast m%d type=%x to=", at, (unsigned)type);
    print_names(n, names, count);
    out_add(" mess_type=%d len=%zu -> %d", mess_type, len, ret);
    out_end();
    bool received = false;
    for (int i = 0; i < SESSIONS; i++) {
        if (gets(&n->sessions[i], i == at, discards, targets, i == private_to)) {
            receive(n, i);
            received = true;
        }
    }
    /* Nobody has seen it: it must be ordered before the next change all the same. */
    if (!received)
        fence(n, at);
}

/* Many messages before anybody receives one. */
static void burst(network *n, int at)
{
    rng *r = &n->r;
    bool targets[GROUPS] = {false};
    int group = (int)rng_below(r, GROUPS), count = rng_range(r, 3, 80), sent = 0;
    int len = rng_range(r, 0, 400);
    char name[NAME_LEN], body[512];
    targets[group] = true;
    group_name(n, group, name);
    for (int i = 0; i < count; i++) {
        memset(body, 'a' + i % 26, sizeof body);
        sent += SP_multicast(n->sessions[at].mbox, AGREED_MESS, name, (short)i, len, body) == len;
    }
    out_line("burst m%d group%d %d of %d bytes -> %d sent", at, group, count, len, sent);
    for (int i = 0; i < SESSIONS; i++) {
        member *m = &n->sessions[i];
        if (!gets(m, i == at, false, targets, false))
            continue;
        int bytes = count * (80 + len);
        if (!wait_bytes(m->mbox, bytes))
            out_line("burst m%d: poll says %d, %d have been sent", i, SP_poll(m->mbox), bytes);
        int good = 0;
        for (int k = 0; k < count; k++) {
            char sender[NAME_LEN], groups[2][NAME_LEN];
            service type = 0;
            int num_groups = 0, endian = 0;
            short mess_type = -1;
            int ret = SP_receive(m->mbox, &type, sender, 2, &num_groups, groups, &mess_type, &endian, (int)sizeof body, body);
            good += ret == len && mess_type == k && (len == 0 || (body[0] == 'a' + k % 26 && body[len - 1] == body[0])) &&
                    SP_poll(m->mbox) == bytes - (k + 1) * (80 + len);
        }
        out_line("burst m%d -> %d good, poll %d", i, good, SP_poll(m->mbox));
    }
}

static int random_session(network *n, bool joins)
{
    int at = (int)rng_below(&n->r, SESSIONS);
    for (int i = 0; i < SESSIONS; i++, at = (at + 1) % SESSIONS)
        if (n->sessions[at].in_use && (!joins || n->sessions[at].daemon >= 0))
            return at;
    return WITNESS;
}

static void step_once(network *n)
{
    static const unsigned weights[] = {12, 25, 10, 35, 8, 6, 4};
    rng *r = &n->r;
    size_t what = rng_weighted(r, weights, 7);
    int at = random_session(n, what == 1 || what == 2), group = (int)rng_below(r, GROUPS);
    switch (what) {
    case 0:
        for (int i = 1; i < SESSIONS; i++) {
            if (!n->sessions[i].in_use) {
                connect_session(n, i);
                break;
            }
        }
        break;
    case 1:
        join_or_leave(n, at, group, true);
        break;
    case 2:
        if (at != WITNESS)
            join_or_leave(n, at, group, false);
        break;
    case 3:
        multicast(n, at);
        break;
    case 4:
        burst(n, at);
        break;
    case 5:
        if (at != WITNESS)
            end_session(n, at, rng_chance(r, 30));
        break;
    default:
        fence_all(n);
        break;
    }
}

static void split_daemons(network *n, const char *names)
{
    while (*names && n->daemon_count < MAX_DAEMONS) {
        size_t len = strcspn(names, ",");
        snprintf(n->daemons[n->daemon_count++], sizeof n->daemons[0], "%.*s", (int)len, names);
        names += len + (names[len] == ',');
    }
}

void network_run(uint64_t seed, const char *daemons)
{
    static network n;
    memset(&n, 0, sizeof n);
    rng_seed(&n.r, seed);
    split_daemons(&n, daemons);
    /* Names of an earlier run may still be known for a moment. */
    snprintf(n.run, sizeof n.run, "%05x", (unsigned)(getpid() & 0xfffff));
    connect_session(&n, WITNESS);
    for (int group = 0; n.sessions[WITNESS].in_use && group < GROUPS; group++)
        join_or_leave(&n, WITNESS, group, true);
    for (int i = 1; i < 3; i++)
        connect_session(&n, i);
    for (int steps = rng_range(&n.r, 15, 35); steps > 0 && n.sessions[WITNESS].in_use && n.connects < 26; steps--)
        step_once(&n);
    fence_all(&n);
    for (int i = SESSIONS - 1; i >= 0; i--)
        if (n.sessions[i].in_use)
            end_session(&n, i, false);
}
