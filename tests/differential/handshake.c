/* The handshakes that the scripted daemon can play. */
#include "ops.h"

#include <string.h>

static size_t random_chunk(rng *r)
{
    return rng_chance(r, 60) ? 0 : (size_t)rng_range(r, 1, 7);
}

/* Length byte and list of methods. */
static void send_list(rng *r, script *s, const char *list)
{
    unsigned char bytes[200];
    size_t len = strlen(list);
    bytes[0] = (unsigned char)len;
    memcpy(bytes + 1, list, len);
    script_send(s, bytes, len + 1, random_chunk(r));
}

/* A list that has all of the program's methods, perhaps among others. */
static void send_good_list(rng *r, script *s, const auth_state *auth)
{
    char list[128] = "";
    bool blank_at_end = rng_chance(r, 90);
    if (rng_chance(r, 15))
        strcat(list, "OTHER ");
    for (int i = 0; i < auth->count; i++) {
        strcat(list, auth->names[auth->count - 1 - i]);
        strcat(list, " ");
    }
    if (rng_chance(r, 15))
        strcat(list, "LAST ");
    size_t len = strlen(list);
    if (!blank_at_end && len > 0)
        list[len - 1] = 0;
    send_list(r, s, list);
}

/* The choice, and what the callbacks send and wait for. */
static void read_choice(script *s, const auth_state *auth)
{
    script_step(s, STEP_READ, 90 + (size_t)auth->sends);
    if (auth->waits > 0)
        script_send(s, "\1\1\1\1\1\1", (size_t)auth->waits, 0);
}

static void good_start(rng *r, script *s, const auth_state *auth)
{
    script_step(s, STEP_READ_CONNECT, 0);
    send_good_list(r, s, auth);
    read_choice(s, auth);
}

static void send_answer(rng *r, script *s, const unsigned char start[5], const char *name, size_t name_len)
{
    unsigned char bytes[64];
    memcpy(bytes, start, 5);
    memcpy(bytes + 5, name, name_len);
    script_send(s, bytes, 5 + name_len, random_chunk(r));
}

static handshake accept_session(rng *r, const auth_state *auth, const char *private_group, script *s)
{
    static const unsigned char versions[][3] = {{5, 0, 1}, {5, 0, 1}, {5, 0, 1}, {4, 4, 0}, {3, 17, 0}, {9, 0, 0}, {127, 127, 127}};
    const unsigned char *version = RNG_PICK(r, versions);
    size_t len = strlen(private_group);
    unsigned char start[5] = {1, version[0], version[1], version[2], (unsigned char)len};
    good_start(r, s, auth);
    send_answer(r, s, start, private_group, len);
    return (handshake){.name = "accept", .accepts = true};
}

/* A reject byte in place of the list's length. */
static handshake refuse_early(rng *r, script *s)
{
    static const signed char codes[] = {-3, -5, -6, -7, -9, -1, -2, -4, -8, -10, -50, -128};
    unsigned char code = (unsigned char)RNG_PICK(r, codes);
    script_step(s, STEP_READ_CONNECT, 0);
    script_send(s, &code, 1, 0);
    script_step(s, STEP_CLOSE, 0);
    return (handshake){.name = "refuse-early"};
}

static handshake bad_list(rng *r, script *s, const auth_state *auth)
{
    unsigned char bytes[1 + 127];
    memset(bytes, 'N', sizeof bytes);
    handshake h = {.name = "list-bad"};
    bool whole = true;
    script_step(s, STEP_READ_CONNECT, 0);
    switch (rng_below(r, 7)) {
    case 0:
        h.name = "list-empty-reject";
        script_send(s, "\0\xf7", 2, random_chunk(r));
        break;
    case 1:
        h.name = "list-empty";
        script_send(s, "\0", 1, 0);
        break;
    case 2: /* Longer than the 90 bytes that the client takes. */
        h.name = "list-long";
        whole = false;
        bytes[0] = (unsigned char)rng_range(r, 91, 127);
        script_send(s, bytes, 1 + (size_t)bytes[0], random_chunk(r));
        break;
    case 3:
        h.name = "list-cut";
        whole = false;
        script_send(s, "\5NUL", 4, random_chunk(r));
        break;
    case 4:
        h.name = "list-prefix";
        send_list(r, s, "NULLX XNULL ");
        break;
    case 5: /* What stands behind a NUL does not count. */
        h.name = "list-with-nul";
        script_send(s, "\7IP \0NULL", 9, random_chunk(r));
        break;
    default: {
        /* The longest that the classic library stores without writing past its array is 89 (rule auth-list-of-90). */
        char list[91] = "";
        size_t len = rule("auth-list-of-90") ? 89 : 90;
        h.name = "list-longest";
        memset(list, 'A', len);
        send_list(r, s, list);
        break;
    }
    }
    /* A program whose methods are all in the list, or that has none, goes on to its choice. */
    if (whole)
        script_step(s, STEP_READ, 90 + (size_t)auth->sends);
    script_step(s, STEP_CLOSE, 0);
    return h;
}

static handshake refuse_late(rng *r, script *s, const auth_state *auth)
{
    static const signed char codes[] = {-9, -9, -3, -6, 0, 2, 127, -50, -128};
    unsigned char bytes[5] = {(unsigned char)RNG_PICK(r, codes), 5, 0, 1, 3};
    good_start(r, s, auth);
    script_send(s, bytes, (size_t)rng_range(r, 1, 5), random_chunk(r));
    script_step(s, STEP_CLOSE, 0);
    return (handshake){.name = "refuse-late"};
}

static handshake bad_answer(rng *r, script *s, const auth_state *auth)
{
    static const struct {
        const char *name;
        unsigned char start[5];
        size_t start_len, name_len;
        bool accepts;
    } cases[] = {
        {"answer-none", {0}, 0, 0, false},
        {"answer-cut", {1, 5, 0, 1, 8}, 1, 0, false},
        {"answer-cut", {1, 5, 0, 1, 8}, 4, 0, false},
        {"answer-name-cut", {1, 5, 0, 1, 8}, 5, 4, false},
        {"answer-name-32", {1, 5, 0, 1, 32}, 5, 32, false},
        {"answer-name-negative", {1, 5, 0, 1, 0x88}, 5, 8, false},
        {"answer-version-negative", {1, 0x85, 0, 1, 8}, 5, 8, false},
        {"answer-version-negative", {1, 5, 0x80, 1, 8}, 5, 8, false},
        {"answer-version-negative", {1, 5, 0, 0xff, 8}, 5, 8, false},
        {"answer-version-2", {1, 2, 9, 0, 8}, 5, 8, false},
        {"answer-name-empty", {1, 5, 0, 1, 0}, 5, 0, true},
        {"answer-name-31", {1, 5, 0, 1, 31}, 5, 31, true},
        {"answer-name-with-nul", {1, 5, 0, 1, 9}, 5, 9, true},
        {"answer-version-3.8", {1, 3, 8, 0, 8}, 5, 8, true},
    };
    size_t i = rng_below(r, sizeof cases / sizeof cases[0]);
    handshake h = {.name = cases[i].name, .accepts = cases[i].accepts};
    const char *name = strcmp(h.name, "answer-name-with-nul") == 0 ? "#me\0#fake" : "#longname10#a-daemon-of-19-chars";
    good_start(r, s, auth);
    if (cases[i].start_len < 5) {
        if (cases[i].start_len > 0)
            script_send(s, cases[i].start, cases[i].start_len, random_chunk(r));
    } else {
        send_answer(r, s, cases[i].start, name, cases[i].name_len);
    }
    if (!h.accepts)
        script_step(s, STEP_CLOSE, 0);
    return h;
}

/* Version 3.7: too old for a client that asks for a priority. Whether it did decides. */
static handshake old_daemon(rng *r, script *s, const auth_state *auth)
{
    unsigned char start[5] = {1, 3, (unsigned char)rng_range(r, 0, 7), 0, 8};
    good_start(r, s, auth);
    send_answer(r, s, start, "#me#fake", 8);
    return (handshake){.name = "answer-version-3.7", .accepts = true};
}

static handshake closed(rng *r, script *s)
{
    if (rng_chance(r, 60))
        script_step(s, STEP_READ_CONNECT, 0);
    script_step(s, STEP_CLOSE, 0);
    return (handshake){.name = s->count == 1 ? "close-at-once" : "close"};
}

static handshake silent(rng *r, script *s, const auth_state *auth)
{
    handshake h = {.name = "silent", .needs_timeout = true};
    script_step(s, STEP_READ_CONNECT, 0);
    if (rng_chance(r, 60)) {
        h.name = "silent-after-list";
        send_good_list(r, s, auth);
        read_choice(s, auth);
        if (rng_chance(r, 50)) {
            h.name = "silent-in-answer";
            script_send(s, "\1\5\0\1\10#me", 8, random_chunk(r));
        }
    }
    script_step(s, STEP_READ, 1000000);
    return h;
}

handshake handshake_random(rng *r, const auth_state *auth, const char *private_group, script *s)
{
    static const unsigned weights[] = {66, 6, 8, 6, 8, 2, 2, 2};
    s->count = 0;
    switch (rng_weighted(r, weights, 8)) {
    case 0:
        return accept_session(r, auth, private_group, s);
    case 1:
        return refuse_early(r, s);
    case 2:
        return bad_list(r, s, auth);
    case 3:
        return refuse_late(r, s, auth);
    case 4:
        return bad_answer(r, s, auth);
    case 5:
        return old_daemon(r, s, auth);
    case 6:
        return closed(r, s);
    default:
        return silent(r, s, auth);
    }
}
