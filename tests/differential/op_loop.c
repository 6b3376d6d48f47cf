/*
 * Small event loops whose order is fixed: every pipe is ready before the loop starts, every timer is due.
 *
 * Left out, as ours repairs it (docs/COMPATIBILITY.md): a due timer that queues itself again, one callback switching off another
 * descriptor that is ready, a descriptor registered again in the round in which it was ready, a descriptor in two priorities or
 * registered below the threshold.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPES 8
#define TIMERS 6

typedef enum { NOTHING, DETACH_SELF, DETACH_OTHER, ATTACH_OTHER, REPLACE_SELF, RAISE, LOWER, NEW_TIMER, DEACTIVATE_SELF, ACTIVATE_ALL,
               EXIT, NEST, ACTIONS } action;

typedef struct {
    int ends[2];
    int type, fd;          /* what is registered: the reading or the writing end */
    int priority;
    bool attached, was_attached, inactive, replaced;
    int bytes;             /* still to read */
    action act;
} source;

static struct {
    source pipes[PIPES];
    int count, threshold, timers, calls, nested;
    rng *r;
} loop;

static void on_source(int fd, int code, void *data);
static void on_replaced(int fd, int code, void *data);

static bool can_run(const source *s)
{
    return s->attached && !s->inactive && s->priority >= loop.threshold && (s->type == WRITE_FD || s->bytes > 0);
}

static bool work_left(void)
{
    bool more = loop.timers > 0;
    for (int i = 0; i < loop.count; i++)
        more |= can_run(&loop.pipes[i]);
    return more;
}

static void exit_when_done(void)
{
    /* Nothing would ever wake the loop again. */
    if (!work_left() || ++loop.calls > 60) {
        out_add(" exit");
        E_exit_events();
    }
}

static void queue(int code);

static void on_timer(int code, void *data)
{
    (void)data;
    loop.timers--;
    out_add(" t%d", code);
    if (!rule("events-due-timer-again") && ++loop.calls < 20 && rng_chance(loop.r, 50))
        queue(code);
    exit_when_done();
}

static void attach(int index, void (*function)(int, int, void *))
{
    source *s = &loop.pipes[index];
    int ret = E_attach_fd(s->fd, s->type, function, index, s, s->priority);
    s->attached = s->was_attached = true;
    s->inactive = false;
    if (ret != 0)
        out_add(" attach=%d", ret);
}

static void queue(int code)
{
    /* Each earlier than the one before: the order is theirs alone. */
    int ret = E_queue(on_timer, code, NULL, (sp_time){-10 * code, -code});
    loop.timers++;
    if (ret != 0)
        out_add(" queue=%d", ret);
}

static void act(source *s)
{
    int other = (int)rng_below(loop.r, (uint32_t)loop.count);
    source *o = &loop.pipes[other];
    switch (s->act) {
    case DETACH_SELF:
        out_add(" detach=%d", E_detach_fd(s->fd, s->type));
        s->attached = false;
        break;
    case DETACH_OTHER:
        if (o->attached && o != s) {
            out_add(" detach%d=%d", other, E_detach_fd(o->fd, o->type));
            o->attached = false;
        }
        break;
    case ATTACH_OTHER:
        if (o->was_attached && rule("events-stale-readiness"))
            break;
        if (!o->attached && (loop.threshold == LOW_PRIORITY || !rule("events-shared-sets"))) {
            out_add(" attach%d", other);
            attach(other, on_source);
        }
        break;
    case REPLACE_SELF:
        s->replaced = !s->replaced;
        out_add(" replace=%d", E_attach_fd(s->fd, s->type, s->replaced ? on_replaced : on_source, (int)(s - loop.pipes), s,
                                           s->priority));
        break;
    case RAISE:
        loop.threshold = MEDIUM_PRIORITY;
        out_add(" threshold=%d", E_set_active_threshold(MEDIUM_PRIORITY));
        break;
    case LOWER:
        loop.threshold = LOW_PRIORITY;
        out_add(" threshold=%d", E_set_active_threshold(LOW_PRIORITY));
        break;
    case NEW_TIMER:
        if (loop.timers < TIMERS)
            queue(10 + loop.timers);
        break;
    case DEACTIVATE_SELF:
        if (!rule("events-switched-off-in-a-round") && o->attached) {
            out_add(" deactivate%d=%d", other, E_deactivate_fd(o->fd, o->type));
            o->inactive = true;
            break;
        }
        out_add(" deactivate=%d", E_deactivate_fd(s->fd, s->type));
        s->inactive = true;
        break;
    case ACTIVATE_ALL:
        for (int i = 0; i < loop.count; i++) {
            if (loop.pipes[i].inactive && loop.pipes[i].attached) {
                out_add(" activate%d=%d", i, E_activate_fd(loop.pipes[i].fd, loop.pipes[i].type));
                loop.pipes[i].inactive = false;
            }
        }
        break;
    case EXIT:
        out_add(" exit!");
        E_exit_events();
        break;
    case NEST:
        if (work_left() && loop.nested++ == 0) {
            out_add(" (");
            E_handle_events();
            out_add(" )");
        }
        break;
    case NOTHING:
    case ACTIONS:
        break;
    }
}

static void handle(int fd, int code, source *s)
{
    char c;
    if (s->type == READ_FD) {
        if (read(fd, &c, 1) == 1)
            s->bytes--;
        else
            out_add(" empty!");
    }
    if (code != (int)(s - loop.pipes) || fd != s->fd)
        out_add(" wrong-arguments");
    act(s);
    s->act = rng_chance(loop.r, 80) ? NOTHING : (action)rng_below(loop.r, ACTIONS);
    /* A writing end is ready for ever. */
    if (s->type == WRITE_FD && s->attached) {
        (void)E_detach_fd(s->fd, s->type);
        s->attached = false;
    }
    exit_when_done();
}

static void on_source(int fd, int code, void *data)
{
    out_add(" f%d", code);
    handle(fd, code, data);
}

static void on_replaced(int fd, int code, void *data)
{
    out_add(" F%d", code);
    handle(fd, code, data);
}

static void open_source(rng *r, source *s)
{
    *s = (source){.priority = (int)rng_below(r, NUM_PRIORITY), .type = rng_chance(r, 15) ? WRITE_FD : READ_FD};
    if (pipe2(s->ends, O_NONBLOCK) < 0)
        exit(2);
    s->fd = s->ends[s->type == WRITE_FD];
    s->bytes = s->type == READ_FD ? rng_range(r, 0, 3) : 0;
    if (s->bytes > 0 && write(s->ends[1], "xyz", (size_t)s->bytes) != s->bytes)
        exit(2);
    s->act = rng_chance(r, 50) ? NOTHING : (action)rng_below(r, ACTIONS);
}

void op_loop(rng *r)
{
    memset(&loop, 0, sizeof loop);
    loop.r = r;
    loop.count = rng_range(r, 1, PIPES);
    out_begin("loop init=%d", E_init());
    for (int i = 0; i < loop.count; i++) {
        open_source(r, &loop.pipes[i]);
        out_add(" %c%c%d", loop.pipes[i].type == WRITE_FD ? 'w' : 'r', "lmh"[loop.pipes[i].priority], loop.pipes[i].bytes);
        if (rng_chance(r, 85))
            attach(i, on_source);
    }
    for (int i = 0; !rule("events-shared-sets") && i < loop.count; i++) {
        /* In a second priority, and out of it again. */
        int other = (loop.pipes[i].priority + 1) % NUM_PRIORITY;
        if (loop.pipes[i].attached && rng_chance(r, 30)) {
            (void)E_attach_fd(loop.pipes[i].fd, loop.pipes[i].type, on_source, i, &loop.pipes[i], other);
            (void)E_detach_fd_priority(loop.pipes[i].fd, loop.pipes[i].type, other);
        }
    }
    for (int i = (int)rng_below(r, 4); i > 0; i--)
        queue(i);
    out_add(" ->");
    for (int pass = rng_range(r, 1, 2); pass > 0; pass--) {
        if (work_left()) {
            E_handle_events();
            out_add(" end");
        }
    }
    for (int i = 0; i < loop.count; i++) {
        close(loop.pipes[i].ends[0]);
        close(loop.pipes[i].ends[1]);
    }
    for (int priority = 0; priority < NUM_PRIORITY; priority++)
        out_add(" active(%d)=%d", priority, E_num_active(priority));
    (void)E_init();
    out_end();
}
