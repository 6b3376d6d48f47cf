/* The calls on the scripted daemon: which one comes next, and what every session has ahead of it. */
#include "ops.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t session_expected(const session *s)
{
    size_t bytes = s->pending + s->partial;
    return s->refused ? bytes - HEADER_LEN : bytes;
}

void session_settle(session *s)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    size_t expected = session_expected(s);
    while (!s->unsettled) {
        int bytes = SP_poll(s->mbox);
        bool end = s->closed && expected == 0 && bytes == 1 && rule("poll-at-the-end");
        if (bytes == (int)expected || end || (expected > FIRST_UNCERTAIN && bytes > 0))
            return;
        s->unsettled = now_ms() >= deadline;
        (void)poll(NULL, 0, 1);
    }
}

bool session_can_receive(const session *s)
{
    if (s->dead)
        return true;
    if (s->broken)
        return false;
    return s->queued > 0 || s->closed;
}

void session_forget(session *s)
{
    for (size_t i = 0; i < s->queued; i++)
        buffer_free(&s->queue[i].wire);
    if (s->partial > 0)
        buffer_free(&s->queue[s->queued].wire);
    s->queued = s->pending = s->partial = 0;
    memset(s->queue, 0, sizeof s->queue);
}

int find_session(world *w, bool (*want)(const session *))
{
    unsigned first = rng_below(&w->r, MAX_SESSIONS);
    for (unsigned i = 0; i < MAX_SESSIONS; i++) {
        unsigned at = (first + i) % MAX_SESSIONS;
        if (w->sessions[at].in_use && want(&w->sessions[at]))
            return (int)at;
    }
    return -1;
}

static bool any_session(const session *s)
{
    (void)s;
    return true;
}

session *pick_session(world *w, int *mbox, char name[32])
{
    int at = rng_chance(&w->r, 93) ? find_session(w, any_session) : -1;
    if (at >= 0) {
        snprintf(name, 32, "m%d", at);
        *mbox = w->sessions[at].mbox;
        return &w->sessions[at];
    }
    unsigned stale = rng_below(&w->r, MAX_SESSIONS);
    if (w->sessions[stale].gone && rng_chance(&w->r, 70)) {
        snprintf(name, 32, "gone-m%u", stale);
        *mbox = w->sessions[stale].mbox;
        return NULL;
    }
    /* Numbers that are no mailbox. In the classic library a free slot of the table looks like one of them. */
    static const int numbers[] = {-2, 9999, 0x7fffffff, 0, -1};
    *mbox = RNG_PICK(&w->r, numbers);
    if (rule("no-such-mailbox") && *mbox == (w->initialised ? -1 : 0))
        *mbox = -2;
    snprintf(name, 32, "%d", *mbox);
    return NULL;
}

static void run_op(world *w)
{
    enum { CONNECT, SEND, RECEIVE, SCAT_RECEIVE, POLL, READABLE, JOIN, LEAVE, MULTICAST, SCAT_MULTICAST, GROUPS_MULTICAST,
           GROUPS_SCAT_MULTICAST, DISCONNECT, KILL, CLOSE, OWN_CLOSE, AUTH, MISC, IDLE, EVENTS, THREAD, COUNT };
    static const unsigned weights[COUNT] = {[CONNECT] = 9, [SEND] = 22, [RECEIVE] = 30, [SCAT_RECEIVE] = 16, [POLL] = 5,
        [READABLE] = 6, [JOIN] = 3, [LEAVE] = 2, [MULTICAST] = 4, [SCAT_MULTICAST] = 3, [GROUPS_MULTICAST] = 2,
        [GROUPS_SCAT_MULTICAST] = 2, [DISCONNECT] = 2, [KILL] = 1, [CLOSE] = 3, [OWN_CLOSE] = 1, [AUTH] = 2, [MISC] = 3,
        [IDLE] = 2, [EVENTS] = 6, [THREAD] = 3};
    switch (rng_weighted(&w->r, weights, COUNT)) {
    case CONNECT:
        op_connect(w);
        break;
    case SEND:
        op_daemon_send(w);
        break;
    case RECEIVE:
        op_receive(w, false);
        break;
    case SCAT_RECEIVE:
        op_receive(w, true);
        break;
    case POLL:
        op_poll(w);
        break;
    case READABLE:
        op_readable(w);
        break;
    case JOIN:
        op_group(w, true);
        break;
    case LEAVE:
        op_group(w, false);
        break;
    case MULTICAST:
        op_multicast(w, false, false);
        break;
    case SCAT_MULTICAST:
        op_multicast(w, false, true);
        break;
    case GROUPS_MULTICAST:
        op_multicast(w, true, false);
        break;
    case GROUPS_SCAT_MULTICAST:
        op_multicast(w, true, true);
        break;
    case DISCONNECT:
        op_disconnect(w, false);
        break;
    case KILL:
        op_disconnect(w, true);
        break;
    case CLOSE:
        op_daemon_close(w);
        break;
    case OWN_CLOSE:
        op_own_close(w);
        break;
    case AUTH:
        op_auth(w);
        break;
    case MISC:
        op_misc(w);
        break;
    case IDLE: {
        /* Time for a library that works in the background to do so: what follows must look the same. */
        struct pollfd wait = {.fd = -1};
        (void)poll(&wait, 1, rng_range(&w->r, 1, 8));
        break;
    }
    case THREAD:
        op_thread(w);
        break;
    case EVENTS:
        op_events(w);
        break;
    default:
        break;
    }
}

void script_run(uint64_t seed)
{
    static world w;
    memset(&w, 0, sizeof w);
    rng_seed(&w.r, seed);
    w.auth = (auth_state){.count = 1, .names = {"NULL"}};
    listeners_open(&w.listen);
    unsigned ops = (unsigned)rng_range(&w.r, 16, 40);
    for (unsigned i = 0; i < ops; i++) {
        /* With methods that let nobody in there is little to see. */
        if ((w.auth.refuses || w.auth.count == 0) && rng_chance(&w.r, 40))
            op_auth(&w);
        else if (find_session(&w, any_session) < 0 && rng_chance(&w.r, 75))
            op_connect(&w);
        else
            run_op(&w);
    }
    for (unsigned i = 0; i < MAX_SESSIONS; i++) {
        char name[32];
        snprintf(name, sizeof name, "m%u", i);
        if (w.sessions[i].in_use)
            close_session(&w.sessions[i], name, rng_chance(&w.r, 30));
    }
    listeners_close(&w.listen);
}
