/* The daemon's messages, and receiving them into buffers of every size. */
#include "ops.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DROP 0x01000000
#define GAP 24
#define MAX_ROOM 200000

static bool takes_frames(const session *s)
{
    if (s->closed || s->dead || s->broken || s->partial > 0 || s->queued + 6 > MAX_QUEUE)
        return false;
    return s->queued == 0 || !(s->queue[s->queued - 1].broken || s->queue[s->queued - 1].huge);
}

static size_t random_chunk(rng *r, size_t len)
{
    static const unsigned weights[] = {60, 20, 20};
    switch (rng_weighted(r, weights, 3)) {
    case 0:
        return 0;
    case 1: /* Borders inside the header. */
        return len / (size_t)rng_range(r, 2, 12) + 1;
    default:
        return (size_t)rng_range(r, 40, 60) + len / 12;
    }
}

void send_frames(rng *r, session *s, const char *name, unsigned count, int pause_ms)
{
    buffer all = {0};
    out_begin("daemon%s %s", pause_ms > 0 ? "-later" : "", name);
    for (unsigned i = 0; i < count && takes_frames(s); i++) {
        frame *f = &s->queue[s->queued++];
        frame_random(r, s->private_group, f);
        buffer_add(&all, f->wire.data, f->wire.len);
        s->pending += f->wire.len;
        frame_print(f);
    }
    out_end();
    peer_send(s->peer, all.data, all.len, random_chunk(r, all.len), pause_ms);
    buffer_free(&all);
}

void frames_arrived(session *s)
{
    if (session_expected(s) <= FIRST_UNCERTAIN && !s->dead && !s->broken) {
        peer_wait_sent(s->peer);
        session_settle(s);
    }
}

void op_daemon_send(world *w)
{
    rng *r = &w->r;
    int at = find_session(w, takes_frames);
    if (at < 0)
        return;
    session *s = &w->sessions[at];
    char name[32];
    snprintf(name, sizeof name, "m%d", at);
    unsigned count = rng_chance(r, 60) ? 1 : (unsigned)rng_range(r, 2, 4);
    int pause_ms = rng_chance(r, 20) ? rng_range(r, 1, 4) : 0;
    send_frames(r, s, name, count, pause_ms);
    /* Receives that begin before their message is there, or in the middle of it. */
    for (unsigned i = 0; pause_ms > 0 && i < count + 2 && s->queued > 0 && session_can_receive(s) && !s->dead; i++)
        receive_from(w, at, rng_chance(r, 30), false);
    frames_arrived(s);
}

static bool is_open(const session *s)
{
    return !s->closed && !s->dead && !s->broken;
}

/* What waits is little enough to be in the socket, so that the daemon can have closed when the next call is made. */
static bool can_close(const session *s)
{
    return is_open(s) && session_expected(s) <= FIRST_UNCERTAIN;
}

void op_daemon_close(world *w)
{
    rng *r = &w->r;
    int at = find_session(w, can_close);
    if (at < 0)
        return;
    session *s = &w->sessions[at];
    out_begin("daemon-close m%d", at);
    if (takes_frames(s) && rng_chance(r, 40)) {
        /* The start of a frame, then the end of the stream. */
        frame *f = &s->queue[s->queued];
        do {
            buffer_free(&f->wire);
            frame_random(r, s->private_group, f);
        } while (f->broken || f->huge);
        s->partial = 1 + rng_below(r, (uint32_t)(f->wire.len - 1));
        if (s->partial > FIRST_UNCERTAIN / 2)
            s->partial = FIRST_UNCERTAIN / 2;
        if (rng_chance(r, 50) && s->partial > HEADER_LEN + NAME_LEN)
            s->partial = 1 + rng_below(r, HEADER_LEN + NAME_LEN);
        peer_send(s->peer, f->wire.data, s->partial, random_chunk(r, s->partial), 0);
        frame_print(f);
        out_add(" cut at %zu", s->partial);
    }
    out_end();
    peer_wait_sent(s->peer);
    session_settle(s);
    /* Sometimes the end comes while the program waits in a receive. */
    bool waits = s->queued == 0 && rng_chance(r, 25);
    peer_close(s->peer, waits ? rng_range(r, 1, 4) : 0);
    s->closed = true;
    if (waits)
        receive_from(w, at, rng_chance(r, 30), false);
    peer_wait_end(s->peer);
}

void op_poll(world *w)
{
    int mbox;
    char name[32];
    session *s = pick_session(w, &mbox, name);
    if (s != NULL && s->broken && rule("broken-frame"))
        return;
    if (s != NULL)
        session_settle(s);
    out_begin("poll %s ->", name);
    int ret = SP_poll(mbox);
    if (s != NULL && session_expected(s) > FIRST_UNCERTAIN && ret > 0)
        out_add(" many");
    else if (s != NULL && session_expected(s) == 0 && s->closed && !s->dead && (ret == 0 || ret == 1) && rule("poll-at-the-end"))
        out_add(" end");
    else
        out_add(" %d", ret);
    out_end();
}

static int ready(int mbox, short events)
{
    struct pollfd p = {.fd = mbox, .events = events};
    int n = poll(&p, 1, 0);
    return n == 1 && (p.revents & (events | POLLHUP | POLLERR)) ? 1 : 0;
}

void wait_readable(session *s)
{
    int expected = session_expected(s) > 0 || s->closed || s->dead;
    int64_t deadline = now_ms() + SETTLE_MS;
    session_settle(s);
    while (ready(s->mbox, POLLIN) != expected && now_ms() < deadline) {
        struct pollfd wait = {.fd = -1};
        (void)poll(&wait, 1, 1);
    }
}

void print_readable(session *s)
{
    wait_readable(s);
    /* All of the message is in the header that a short receive has taken: nothing is left that could be readable. */
    if (s->refused && session_expected(s) == 0 && !s->closed && rule("refused-empty-message"))
        out_add(" readable=?");
    else
        out_add(" readable=%d", ready(s->mbox, POLLIN));
}

void op_readable(world *w)
{
    int at = rng_chance(&w->r, 50) ? find_session(w, session_can_receive) : find_session(w, takes_frames);
    if (at < 0)
        return;
    session *s = &w->sessions[at];
    out_begin("readable m%d ->", at);
    print_readable(s);
    if (is_open(s))
        out_add(" writable=%d", ready(s->mbox, POLLOUT));
    out_end();
}

/* What the receive offers. */
typedef struct {
    bool drop, null_groups, null_body;
    int max_groups;
    int room;                 /* plain receive */
    scatter scat;             /* scatter receive */
    size_t total;             /* room >= 0, or the sum of the elements */
} offer;

static int room_for(rng *r, int need, int most, bool may_be_negative)
{
    static const unsigned weights[] = {50, 14, 14, 8, 8, 6};
    int room;
    if (need < 0 || need > most)
        need = 20;
    switch (rng_weighted(r, weights, 6)) {
    case 0:
        room = need + rng_range(r, 0, 40);
        break;
    case 1:
        room = need;
        break;
    case 2:
        room = need - 1;
        break;
    case 3:
        room = need / 2;
        break;
    case 4:
        room = 0;
        break;
    default:
        room = -rng_range(r, 1, 5);
        break;
    }
    return room < 0 && !may_be_negative ? 0 : room;
}

/* No empty element behind a filled one: the classic library takes it for the end of the stream. */
static void cut_room(rng *r, size_t room, scatter *scat)
{
    memset(scat, 0, sizeof *scat);
    size_t elements = rng_chance(r, 4) ? 100 : rng_below(r, 7);
    size_t leading = rng_chance(r, 10) ? rng_below(r, (uint32_t)elements + 1) : 0;
    bool empties = !rule("empty-scatter-element");
    if (elements == 0 && rng_chance(r, 70))
        elements = 1;
    for (size_t i = 0; i < elements; i++) {
        size_t share = i + 1 == elements ? room : rng_below(r, (uint32_t)(room / 2 + 1));
        if (i < leading)
            share = 0;
        else if (share == 0 && !empties) {
            if (i > leading) {
                elements = i;
                break;
            }
            leading++;
        }
        scat->elements[i].len = share;
        room -= share;
    }
    scat->num_elements = elements;
}

static offer random_offer(rng *r, const session *s, bool scattered, bool negative)
{
    offer o = {0};
    const frame *head = s != NULL && (s->queued > 0 || s->partial > 0) ? &s->queue[0] : NULL;
    int groups = head ? head->num_groups : (int)rng_below(r, 4);
    int len = head ? head->data_len : (int)rng_below(r, 100);
    o.drop = rng_chance(r, 25);
    if (head != NULL && head->huge && (!s->closed || head->num_groups > 1))
        o.drop = false;
    if (o.drop && rule("drop-with-negative-room"))
        negative = false;
    o.max_groups = room_for(r, groups, 5000, negative);
    o.room = room_for(r, len, MAX_ROOM, negative && !scattered);
    if (head != NULL && o.drop && len >= 0 && len <= MAX_ROOM && o.room < len) {
        bool header_kept = s->refused && rule("short-then-drop-short");
        bool swapped = head->big_endian && (head->type & 0x3f00u) && rule("be-membership-body");
        if (header_kept || swapped)
            o.room = len;
    }
    if (scattered) {
        cut_room(r, (size_t)o.room, &o.scat);
        o.total = 0;
        for (size_t i = 0; i < o.scat.num_elements; i++)
            o.total += o.scat.elements[i].len;
        /* The cut may have lost room that must be there. */
        if (o.total < (size_t)o.room) {
            o.scat.num_elements = 1;
            o.scat.elements[0].len = o.total = (size_t)o.room;
        }
    } else {
        o.total = o.room > 0 ? (size_t)o.room : 0;
    }
    o.null_groups = o.max_groups == 0 && rng_chance(r, 50);
    o.null_body = !scattered && o.room == 0 && rng_chance(r, 50);
    return o;
}

/* Buffers with gaps between them, all filled with the pattern. */
typedef struct {
    char *arena;
    size_t len;
    char(*groups)[NAME_LEN];
    size_t group_bytes;
} buffers;

static void lay_out(offer *o, bool scattered, buffers *b)
{
    size_t elements = scattered ? o->scat.num_elements : 1;
    b->len = o->total + (elements + 1) * GAP;
    b->arena = must_alloc(b->len);
    pattern_fill(b->arena, b->len, 0);
    size_t at = GAP;
    for (size_t i = 0; scattered && i < elements; i++) {
        o->scat.elements[i].buf = b->arena + at;
        at += o->scat.elements[i].len + GAP;
    }
    b->group_bytes = (size_t)(o->max_groups > 0 ? o->max_groups + 1 : 1) * NAME_LEN;
    b->groups = must_alloc(b->group_bytes);
    pattern_fill(b->groups, b->group_bytes, 0);
}

/* All bytes of the elements, one after the other; their gaps go back to the pattern, so that what is left was written outside. */
static size_t collect(const offer *o, bool scattered, buffers *b, char *body, size_t *extent)
{
    size_t elements = scattered ? o->scat.num_elements : 1, len = 0;
    *extent = 0;
    for (size_t i = 0; i < elements; i++) {
        char *from = scattered ? o->scat.elements[i].buf : b->arena + GAP;
        size_t part = scattered ? o->scat.elements[i].len : o->total;
        size_t offset = (size_t)(from - b->arena);
        size_t touched = pattern_extent(from, part, offset);
        if (touched > 0)
            *extent = len + touched;
        memcpy(body + len, from, part);
        pattern_fill(from, part, offset);
        len += part;
    }
    return len;
}

static void print_groups(const buffers *b, int num_groups, int max_groups, bool cut)
{
    size_t extent = pattern_extent(b->groups, b->group_bytes, 0);
    size_t rows = (extent + NAME_LEN - 1) / NAME_LEN;
    size_t named = num_groups >= 0 ? (size_t)num_groups : (size_t)(max_groups > 0 ? max_groups : 0);
    if (num_groups == PATTERN_INT)
        named = 0;
    out_add(" groups=[");
    for (size_t i = 0; i < rows && i < named; i++) {
        out_add(i > 0 ? "," : "");
        if (i < 6)
            out_name(b->groups[i]);
        if (i == 6) {
            buffer rest = {0};
            size_t end = rows < named ? rows : named;
            for (size_t k = i; k < end; k++) {
                char field[NAME_LEN];
                memcpy(field, b->groups[k], NAME_LEN);
                if (memchr(field, 0, NAME_LEN) == NULL && rule("name-of-32-bytes"))
                    field[NAME_LEN - 1] = 0;
                buffer_add(&rest, field, NAME_LEN);
            }
            out_bytes(rest.data, rest.len, 0);
            buffer_free(&rest);
            break;
        }
    }
    out_add("]");
    if (extent > named * NAME_LEN && !(cut && rule("groups-of-a-cut-message")))
        out_add(" groups-written=%zu", extent);
}

/* The classic library leaves a group id of the other byte order as it came. */
static bool is_swapped_group_id(const frame *f, const char *body)
{
    const unsigned char *wire = f->wire.data + HEADER_LEN;
    if (memcmp(body, wire, 12) == 0)
        return true;
    for (size_t i = 0; i < 12; i++)
        if ((unsigned char)body[i] != wire[i / 4 * 4 + 3 - i % 4])
            return false;
    return true;
}

static void print_body(const frame *f, const char *body, size_t extent, int ret)
{
    bool transition = f != NULL && f->big_endian && f->type == 0x2000u && rule("be-transition-body");
    if (ret >= 0) {
        size_t len = (size_t)ret;
        out_add(" mess=");
        if (transition && len == 12 && is_swapped_group_id(f, body))
            out_add("<group-id>");
        else
            out_bytes(body, len, 48);
        if (extent > len)
            out_add(" mess-written=%zu", extent);
    } else if (extent > 0) {
        out_add(" mess-part=");
        if (transition)
            out_add("<group-id:%zu>", extent);
        else
            out_bytes(body, extent, 48);
    }
}

static void drop_head(session *s)
{
    s->pending -= s->queue[0].wire.len;
    buffer_free(&s->queue[0].wire);
    s->queued--;
    size_t left = s->queued + (s->partial > 0 ? 1 : 0);
    memmove(&s->queue[0], &s->queue[1], left * sizeof s->queue[0]);
    s->queue[left] = (frame){0};
    s->refused = false;
}

/* The session's state after the call, as the classic library's rules have it. */
static void note_result(session *s, bool drop, int ret)
{
    if (s->dead)
        return;
    if (ret >= 0 || (drop && ret == BUFFER_TOO_SHORT)) {
        if (s->queued > 0)
            drop_head(s);
    } else if (ret == BUFFER_TOO_SHORT || ret == GROUPS_TOO_SHORT) {
        s->refused = true;
    } else if (ret == ILLEGAL_MESSAGE) {
        s->broken = true;
    } else if (ret == CONNECTION_CLOSED) {
        s->dead = true;
        session_forget(s);
        s->refused = false;
    }
}

static void print_offer(const offer *o, bool scattered)
{
    if (o->drop)
        out_add(" drop");
    out_add(" groups=%s%d", o->null_groups ? "NULL:" : "", o->max_groups);
    if (!scattered) {
        out_add(" room=%s%d ->", o->null_body ? "NULL:" : "", o->room);
        return;
    }
    out_add(" room=");
    for (size_t i = 0; i < o->scat.num_elements && i < 12; i++)
        out_add("%s%zu", i > 0 ? "+" : "", o->scat.elements[i].len);
    out_add("%s ->", o->scat.num_elements > 12 ? "..." : o->scat.num_elements == 0 ? "none" : "");
}

static void receive_on(rng *r, session *s, int mbox, const char *name, bool scattered, bool real_room)
{
    offer o = random_offer(r, s, scattered, !real_room);
    buffers b;
    lay_out(&o, scattered, &b);
    service type = (service)((PATTERN_INT & ~DROP) | (o.drop ? DROP : 0));
    const int type_before = type;
    char sender[NAME_LEN + 8];
    short mess_type = PATTERN_SHORT;
    int num_groups = PATTERN_INT, endian = PATTERN_INT;
    pattern_fill(sender, sizeof sender, 0);

    out_begin("%sreceive %s", scattered ? "scat_" : "", name);
    print_offer(&o, scattered);
    char(*groups)[NAME_LEN] = o.null_groups ? NULL : b.groups;
    int ret;
    if (scattered)
        ret = SP_scat_receive(mbox, &type, sender, o.max_groups, &num_groups, groups, &mess_type, &endian, &o.scat);
    else
        ret = SP_receive(mbox, &type, sender, o.max_groups, &num_groups, groups, &mess_type, &endian, o.room,
                         o.null_body ? NULL : b.arena + GAP);
    out_add(" %d", ret);
    if (type == type_before)
        out_add(" type=~");
    else
        out_add(" type=%x", (unsigned)type);
    out_add(" sender=");
    if (pattern_extent(sender, sizeof sender, 0) == 0)
        out_add("~");
    else
        out_name(sender);
    if (pattern_extent(sender, sizeof sender, 0) > NAME_LEN)
        out_add(" sender-overrun");
    out_int("num_groups", num_groups, PATTERN_INT);
    print_groups(&b, num_groups, o.max_groups, ret == CONNECTION_CLOSED && num_groups == PATTERN_INT);
    out_int("mess_type", mess_type, PATTERN_SHORT);
    out_int("endian", endian, PATTERN_INT);
    char *body = must_alloc(o.total);
    size_t extent;
    const frame *head = s != NULL && s->queued + (s->partial > 0) > 0 ? &s->queue[0] : NULL;
    (void)collect(&o, scattered, &b, body, &extent);
    print_body(head, body, extent, ret <= (int)o.total ? ret : (int)o.total);
    if (pattern_extent(b.arena, b.len, 0) > 0)
        out_add(" written-outside");
    bool readable = s != NULL && rng_chance(r, 20);
    frame parsed = {0};
    bool parse = s != NULL && ret >= 0 && head != NULL && ret == head->data_len && rng_chance(r, 60);
    if (parse) {
        parsed = *head;
        parsed.wire = (buffer){0};
    }
    if (s != NULL)
        note_result(s, o.drop, ret);
    if (readable && !s->broken)
        print_readable(s);
    out_end();
    if (parse)
        op_membership(r, &parsed, body, (size_t)ret);
    free(body);
    free(b.groups);
    free(b.arena);
}

void op_receive(world *w, bool scattered)
{
    int mbox;
    char name[32];
    session *s = pick_session(w, &mbox, name);
    if (s != NULL && !session_can_receive(s)) {
        int at = find_session(w, session_can_receive);
        if (at >= 0)
            receive_from(w, at, scattered, false);
        return;
    }
    receive_on(&w->r, s, mbox, name, scattered, false);
}

void receive_from(world *w, int index, bool scattered, bool real_room)
{
    char name[32];
    snprintf(name, sizeof name, "m%d", index);
    receive_on(&w->r, &w->sessions[index], w->sessions[index].mbox, name, scattered, real_room);
}
