/* A thread waits in a receive while the program goes on with the same mailbox. */
#include "ops.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUPS 1000
#define ROOM 200000

typedef struct {
    pthread_t thread;
    int mbox;
    atomic_int tid;
    /* What the receive gave. */
    int ret, num_groups, endian;
    service type;
    short mess_type;
    char sender[NAME_LEN];
    char (*groups)[NAME_LEN];
    char *body;
} receiver;

static void *receive(void *arg)
{
    receiver *t = arg;
    atomic_store(&t->tid, (int)syscall(SYS_gettid));
    t->ret = SP_receive(t->mbox, &t->type, t->sender, GROUPS, &t->num_groups, t->groups, &t->mess_type, &t->endian, ROOM, t->body);
    return NULL;
}

/* What the system says of the thread in this file; empty if it says nothing. */
static void task_file(receiver *t, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", atomic_load(&t->tid), file);
    FILE *f = fopen(path, "r");
    size_t len = f ? fread(text, 1, size - 1, f) : 0;
    if (f)
        fclose(f);
    text[len] = 0;
}

/* Asleep, two looks in a row, and not for a lock: in the receive, as there is nothing else that it could sleep in for so long. */
static void wait_asleep(receiver *t)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    for (int seen = 0; seen < 2 && now_ms() < deadline; (void)poll(NULL, 0, 1)) {
        char stat[256], call[256];
        task_file(t, "stat", stat, sizeof stat);
        task_file(t, "syscall", call, sizeof call);
        const char *state = strrchr(stat, ')');
        bool asleep = state && strncmp(state, ") S", 3) == 0 && !(call[0] && strtol(call, NULL, 10) == SYS_futex);
        seen = asleep ? seen + 1 : 0;
    }
}

static receiver *start(int mbox)
{
    receiver *t = must_alloc(sizeof *t);
    t->mbox = mbox;
    t->groups = must_alloc(GROUPS * NAME_LEN);
    t->body = must_alloc(ROOM);
    if (pthread_create(&t->thread, NULL, receive, t) != 0)
        exit(2);
    wait_asleep(t);
    return t;
}

static int finish(receiver *t)
{
    pthread_join(t->thread, NULL);
    int ret = t->ret;
    out_add(" thread: %d", ret);
    if (ret >= 0) {
        out_add(" type=%x sender=", (unsigned)t->type);
        out_name(t->sender);
        out_add(" num_groups=%d mess_type=%d endian=%d mess=", t->num_groups, t->mess_type, t->endian);
        out_bytes(t->body, (size_t)ret, 40);
    }
    free(t->groups);
    free(t->body);
    free(t);
    return ret;
}

static bool quiet(const session *s)
{
    return !s->closed && !s->dead && !s->broken && !s->refused && s->queued == 0;
}

/* Other calls while it waits; then its message comes. */
static void calls_beside(rng *r, session *s, const char *name)
{
    receiver *t = start(s->mbox);
    for (int i = rng_range(r, 1, 3); i > 0; i--) {
        out_begin("beside-receive %s", name);
        if (rng_chance(r, 40)) {
            out_add(" join -> %d", SP_join(s->mbox, "room"));
            peer_print_frames(s->peer, 1);
        } else if (rng_chance(r, 40)) {
            out_add(" poll -> %d", SP_poll(s->mbox));
        } else {
            out_add(" multicast -> %d", SP_multicast(s->mbox, AGREED_MESS, "room", 1, 9, "some-data"));
            peer_print_frames(s->peer, 1);
        }
        out_end();
    }
    do {
        session_forget(s);
        frame_random(r, s->private_group, &s->queue[0]);
        s->queued = 1;
    } while (s->queue[0].huge || s->queue[0].broken || s->queue[0].type == 0x2000u);
    frame *f = &s->queue[0];
    peer_send(s->peer, f->wire.data, f->wire.len, rng_chance(r, 50) ? 0 : f->wire.len / 3 + 1, 0);
    out_begin("beside-receive %s", name);
    frame_print(f);
    out_add(" ->");
    (void)finish(t);
    out_end();
    peer_wait_sent(s->peer);
    session_forget(s);
    session_settle(s);
}

static void end_beside(session *s, const char *name, bool by_daemon)
{
    receiver *t = start(s->mbox);
    if (by_daemon) {
        out_begin("daemon-close-beside-receive %s ->", name);
        peer_close(s->peer, 0);
        peer_wait_end(s->peer);
        s->closed = true;
        s->dead = finish(t) == CONNECTION_CLOSED;
        out_end();
    } else {
        out_begin("disconnect-beside-receive %s ->", name);
        out_add(" %d", SP_disconnect(s->mbox));
        (void)finish(t);
        out_end();
        session_ended(s);
    }
}

void op_thread(world *w)
{
    rng *r = &w->r;
    int at = find_session(w, quiet);
    if (at < 0)
        return;
    char name[32];
    snprintf(name, sizeof name, "m%d", at);
    if (rng_chance(r, 70))
        calls_beside(r, &w->sessions[at], name);
    else
        end_beside(&w->sessions[at], name, rng_chance(r, 50));
}
