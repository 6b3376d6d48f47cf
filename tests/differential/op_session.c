/* Connecting and disconnecting. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The spread_name, and how the line shows it: P stands for the port of the unix socket, T for the TCP port. */
typedef struct {
    char name[160], shown[160];
    bool tcp;
    bool reaches;  /* a listening socket: the handshake begins */
} target;

static void target_set(target *t, const char *before, long port, const char *port_shown, const char *after)
{
    snprintf(t->name, sizeof t->name, "%s%ld%s", before, port, after);
    snprintf(t->shown, sizeof t->shown, "%s%s%s", before, port_shown, after);
}

static target good_target(world *w)
{
    static const char *const unix_after[] = {"", "", "", " ", " \t", "\n"};
    static const char *const unix_before[] = {"", "", "", " ", "\t", "+", "000"};
    static const char *const tcp_after[] = {"@127.0.0.1", "@127.0.0.1", "@127.0.0.1", " @127.0.0.1", "@127.0.0.1\n",
                                            "@127.0.0.1 2nd try", "  @127.0.0.1", "@127.1"};
    target t = {.reaches = true, .tcp = rng_chance(&w->r, 45)};
    if (!t.tcp) {
        const char *before = RNG_PICK(&w->r, unix_before);
        target_set(&t, before, w->listen.unix_port, "P", RNG_PICK(&w->r, unix_after));
        return t;
    }
    long port = w->listen.tcp_port;
    const char *shown = "T";
    if (rng_chance(&w->r, 8)) {
        port += 65536;
        shown = "(T+65536)";
    } else if (rng_chance(&w->r, 5)) {
        port -= 65536;
        shown = "(T-65536)";
    }
    const char *before = port > 0 && rng_chance(&w->r, 15) ? RNG_PICK(&w->r, unix_before) : "";
    target_set(&t, before, port, shown, RNG_PICK(&w->r, tcp_after));
    return t;
}

/* Forms that only our library takes. */
static target our_target(world *w)
{
    static const char *const after[] = {"@[127.0.0.1]", "@127.0.0.1,1@127.0.0.1", "@127.0.0.1?failover=off",
                                        "@127.0.0.1                                                           "};
    target t = {.tcp = true};
    target_set(&t, "", w->listen.tcp_port, "T", RNG_PICK(&w->r, after));
    return t;
}

static target bad_target(world *w)
{
    static const char *const after[] = {"@", "@ 127.0.0.1", ":127.0.0.1", "host", ".5@127.0.0.1", "x12@127.0.0.1", "@\t", "/"};
    static const char *const plain[] = {"host", "@127.0.0.1", " ", "abc@127.0.0.1", "-", "+", "x", "0@127.0.0.1", "@"};
    target t = {0};
    switch (rng_below(&w->r, 4)) {
    case 0:
        snprintf(t.name, sizeof t.name, "%s", RNG_PICK(&w->r, plain));
        memcpy(t.shown, t.name, sizeof t.shown);
        break;
    case 1:
        target_set(&t, "", w->listen.refused_tcp_port, "(refused)", "@127.0.0.1");
        break;
    case 2:
        target_set(&t, "", w->listen.refused_unix_port, "(refused)", "");
        break;
    default:
        target_set(&t, "", w->listen.tcp_port, "T", RNG_PICK(&w->r, after));
        break;
    }
    return t;
}

typedef struct {
    bool use;
    sp_time limit;
    bool attempts;   /* the call gets as far as trying */
} time_limit;

static time_limit random_limit(rng *r, bool needed)
{
    static const sp_time illegal[] = {{-1, 1}, {1, -1}, {0, 1000000}, {5, 1000000}, {0, -1000000}, {0, 0x7fffffff}, {-3, 999999}};
    static const sp_time expired[] = {{-1, 0}, {0, -1}, {-5, -5}, {0, -999999}};
    static const sp_time enough[] = {{0, 0}, {5, 0}, {4, 999999}, {1L << 40, 0}, {20, 1}};
    if (!rule("time-limit-overflow") && rng_chance(r, 10))
        return (time_limit){.use = true, .limit = {0x7fffffffffffffff, 0}, .attempts = true};
    if (needed)
        return (time_limit){.use = true, .limit = {0, rng_range(r, 10000, 30000)}, .attempts = true};
    if (rng_chance(r, 60))
        return (time_limit){.attempts = true};
    if (rng_chance(r, 75))
        return (time_limit){.use = true, .limit = RNG_PICK(r, enough), .attempts = true};
    if (rng_chance(r, 50))
        return (time_limit){.use = true, .limit = RNG_PICK(r, illegal)};
    return (time_limit){.use = true, .limit = RNG_PICK(r, expired)};
}

/* The number of a session that has ended must not come back as another file's while the program still tries it. */
static void keep_number(int mbox)
{
    if (fcntl(mbox, F_GETFD) >= 0 || errno != EBADF) {
        out_add(" still-open");
        return;
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0 && null != mbox) {
        (void)dup2(null, mbox);
        close(null);
    }
}

static session *free_slot(world *w, unsigned *index)
{
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < MAX_SESSIONS; i++) {
            session *s = &w->sessions[i];
            if (s->in_use || (pass == 0 && s->gone))
                continue;
            if (s->gone)
                close(s->mbox);
            *s = (session){0};
            *index = i;
            return s;
        }
    }
    return NULL;
}

static void print_private_group(const char *group, size_t len, bool success)
{
    if (!success) {
        if (!rule("outputs-of-failed-connect"))
            out_add(" private_group+%zu", pattern_extent(group, len, 0));
        return;
    }
    size_t name_len = strnlen(group, len);
    out_add(" private_group=");
    out_bytes(group, name_len, 64);
    size_t extent = pattern_extent(group, len, 0);
    if (extent > NAME_LEN)
        out_add("+%zu", extent);
}

static void print_time(sp_time t)
{
    out_add(" limit=(%ld,%ld)", t.sec, t.usec);
}

void op_connect(world *w)
{
    static const char *const private_names[] = {NULL, "", "me", "me", "user", "ten-chars-", "twelve-chars", "a b", "#x", "\xff"};
    static const int memberships[] = {1, 1, 1, 0, -1, 7};
    static const int priorities[] = {0, 0, 0, 1, 2, -1, 100};
    unsigned index = 0;
    session *s = free_slot(w, &index);
    if (s == NULL)
        return;
    rng *r = &w->r;
    target t = rng_chance(r, 90) ? good_target(w) : bad_target(w);
    if (!rule("spread-name-forms") && rng_chance(r, 20))
        t = our_target(w);
    char own[NAME_LEN];
    snprintf(own, sizeof own, "#u%u#fake", rng_below(r, 10));
    static script plan;
    handshake h = handshake_random(r, &w->auth, own, &plan);
    /* The addresses of the name differ between machines, and so does how many of them our library tries: only where all is well. */
    if (t.tcp && t.reaches && strcmp(h.name, "accept") == 0 && w->auth.count > 0 && !w->auth.refuses && rng_chance(r, 12))
        target_set(&t, "", w->listen.tcp_port, "T", "@localhost");
    time_limit limit = random_limit(r, h.needs_timeout && t.reaches);
    const char *private_name = RNG_PICK(r, private_names);
    int membership = RNG_PICK(r, memberships), priority = RNG_PICK(r, priorities);
    char group[2 * NAME_LEN];
    mailbox mbox = PATTERN_INT;
    pattern_fill(group, sizeof group, 0);

    out_begin("connect ");
    out_bytes(t.shown, strlen(t.shown), 99);
    if (private_name)
        out_bytes(private_name, strlen(private_name), 99);
    else
        out_add("NULL");
    out_add(" priority=%d membership=%d hs=%s", priority, membership, h.name);
    if (limit.use)
        print_time(limit.limit);
    out_add(" ->");
    peer *p = peer_start(&w->listen, &plan);
    int ret = limit.use ? SP_connect_timeout(t.name, private_name, priority, membership, &mbox, group, limit.limit)
                        : SP_connect(t.name, private_name, priority, membership, &mbox, group);
    /* A call with an illegal time limit returns before it does anything. */
    w->initialised |= ret != ILLEGAL_TIME;
    out_add(" %d", ret);
    if (ret == ACCEPT_SESSION && mbox >= 0 && peer_wait_script(p)) {
        out_add(" mbox=m%u", index);
        print_private_group(group, sizeof group, true);
        peer_print_handshake(p);
        *s = (session){.in_use = true, .mbox = mbox, .tcp = t.tcp, .peer = p};
        memcpy(s->private_group, group, strnlen(group, NAME_LEN));
        out_end();
        return;
    }
    if (ret == ACCEPT_SESSION)
        out_add(" without-session");
    if (mbox != PATTERN_INT)
        out_add(" mbox-written");
    print_private_group(group, sizeof group, false);
    /* How far a call comes before its time is over, or if it is over at the start, is left open. */
    bool expires = h.needs_timeout || !limit.attempts;
    if (t.reaches && (!expires || !rule("expired-time-limit"))) {
        peer_wait_end(p);
        peer_print_handshake(p);
    }
    peer_stop(p);
    /* The connection may be waiting still, accepted by nobody. */
    if (expires)
        listeners_renew(&w->listen);
    out_end();
}

void session_ended(session *s)
{
    peer_stop(s->peer);
    keep_number(s->mbox);
    session_forget(s);
    s->in_use = false;
    s->gone = true;
}

void close_session(session *s, const char *name, bool kill)
{
    out_begin("%s %s ->", kill ? "kill" : "disconnect", name);
    if (kill)
        SP_kill(s->mbox);
    else
        out_add(" %d", SP_disconnect(s->mbox));
    peer_wait_end(s->peer);
    /* After a broken frame our session is in the error state, and says no farewell. */
    if (!s->closed && !(s->broken && rule("broken-frame")))
        peer_print_frames(s->peer, 0);
    session_ended(s);
    out_end();
}

void op_disconnect(world *w, bool kill)
{
    int mbox;
    char name[32];
    session *s = pick_session(w, &mbox, name);
    if (s != NULL) {
        close_session(s, name, kill);
        return;
    }
    out_begin("%s %s ->", kill ? "kill" : "disconnect", name);
    if (kill)
        SP_kill(mbox);
    else
        out_add(" %d", SP_disconnect(mbox));
    out_end();
}

static bool quiet(const session *s)
{
    return !s->closed && !s->dead && !s->broken && !s->refused && s->queued == 0;
}

static void short_receive(session *s)
{
    service type = 0;
    char sender[NAME_LEN], body[8];
    int groups = 0, endian = 0;
    short mess_type = 0;
    out_add(" receive=%d", SP_receive(s->mbox, &type, sender, 0, &groups, NULL, &mess_type, &endian, (int)sizeof body, body));
}

/* The program shuts its mailbox down (the usual way to wake a blocked receiver), or closes the number itself. */
void op_own_close(world *w)
{
    int at = find_session(w, quiet);
    if (at < 0)
        return;
    session *s = &w->sessions[at];
    char name[32];
    snprintf(name, sizeof name, "m%d", at);
    bool close_it = rng_chance(&w->r, 50) && (!s->tcp || !rule("closed-by-the-program"));
    bool first_send = close_it && rng_chance(&w->r, 40);
    out_begin("%s %s ->", close_it ? "own-close" : "own-shutdown", name);
    if (close_it)
        close(s->mbox);
    else if (shutdown(s->mbox, SHUT_RDWR) != 0)
        out_add(" shutdown-failed");
    if (close_it)
        out_add(" poll=%d", SP_poll(s->mbox));
    if (first_send)
        out_add(" join=%d", SP_join(s->mbox, "room"));
    short_receive(s);
    out_add(" leave=%d", SP_leave(s->mbox, "room"));
    short_receive(s);
    s->dead = true;
    out_end();
    close_session(s, name, rng_chance(&w->r, 30));
}

/* Authentication methods. */

typedef struct {
    int id, result, sends, waits;
} auth_data;

static int auth_callback(int fd, void *data)
{
    const auth_data *a = data;
    out_add(" [auth %d", a->id);
    for (int i = 0; i < a->sends; i++) {
        char c = (char)('0' + a->id);
        if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
            out_add(" send-failed");
    }
    for (int i = 0; i < a->waits; i++) {
        char c = 0;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, SETTLE_MS) != 1 || recv(fd, &c, 1, 0) != 1 || c != 1)
            out_add(" wait-failed");
    }
    out_add("]");
    return a->result;
}

void op_auth(world *w)
{
    static const char *const names[] = {"NULL", "NULL", "IP", "X", "a-method-name-of-29-character"};
    static const char *const long_names[] = {"a-method-name-of-30-characters", "a-method-name-of-more-than-thirty-characters"};
    static const int bad_counts[] = {-1, 4, 100, -0x7fffffff - 1};
    static auth_data data[3];
    rng *r = &w->r;
    const char *list[4];
    int (*functions[4])(int, void *);
    void *pointers[4];
    int count = rng_chance(r, 50) ? 1 : rng_range(r, 0, 3);
    bool single = count == 1 && rng_chance(r, 60);
    unsigned defect = rng_below(r, 12);
    auth_data next[3];
    for (int i = 0; i < 4; i++) {
        list[i] = RNG_PICK(r, names);
        functions[i] = auth_callback;
        if (i < 3)
            next[i] = (auth_data){.id = i, .result = rng_chance(r, 92) ? rng_range(r, 1, 3) : 0,
                                  .sends = rng_chance(r, 20), .waits = i == count - 1 && rng_chance(r, 20)};
        pointers[i] = &data[i < 3 ? i : 0];
    }
    if (defect == 0 && count > 0)
        list[rng_below(r, (uint32_t)count)] = RNG_PICK(r, long_names);
    if (defect == 1 && count > 0)
        functions[rng_below(r, (uint32_t)count)] = NULL;
    int given = defect == 2 ? RNG_PICK(r, bad_counts) : count;
    if (defect == 2)
        single = false;
    out_begin("%s %d", single ? "set_auth_method" : "set_auth_methods", given);
    for (int i = 0; i < count; i++)
        out_add(" %s%s%s", list[i], functions[i] ? "" : "(NULL)", next[i].result ? "" : "(refuses)");
    /* The library keeps the pointers, not what they point at: the data may change only if the call does not fail. */
    int ret = single ? SP_set_auth_method(list[0], functions[0], pointers[0])
                     : SP_set_auth_methods(given, list, functions, pointers);
    out_add(" -> %d", ret);
    out_end();
    w->initialised = true;
    if (ret != 1)
        return;
    memcpy(data, next, sizeof data);
    w->auth = (auth_state){.count = count};
    for (int i = 0; i < count; i++) {
        w->auth.names[i] = list[i];
        w->auth.sends += data[i].sends;
        w->auth.waits += data[i].waits;
        w->auth.refuses |= data[i].result == 0;
    }
}
