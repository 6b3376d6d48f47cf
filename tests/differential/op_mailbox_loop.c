/* A mailbox in the event loop: one receive for each callback, and the loop must come back while there is more. */
#include "ops.h"

#include <stdio.h>

static struct {
    world *w;
    int index, rounds;
} mailbox_loop;

/* Can it take part: the loop ends when it has nothing more to receive. */
static bool suits(const session *s)
{
    return !s->dead && !s->broken && !(s->queued > 0 && s->queue[0].huge) && !(s->refused && session_expected(s) == 0);
}

static void on_mailbox(int fd, int code, void *data)
{
    session *s = data;
    (void)code;
    if (fd != s->mbox)
        out_line("wrong mailbox");
    receive_from(mailbox_loop.w, mailbox_loop.index, rng_chance(&mailbox_loop.w->r, 40), true);
    if (!session_can_receive(s) || !suits(s) || ++mailbox_loop.rounds > 12)
        E_exit_events();
}

static void on_first_timer(int code, void *data)
{
    (void)code, (void)data;
    out_line("timer");
}

void op_mailbox_loop(world *w)
{
    rng *r = &w->r;
    int at = find_session(w, suits);
    if (at < 0)
        return;
    session *s = &w->sessions[at];
    char name[32];
    snprintf(name, sizeof name, "m%d", at);
    bool later = !session_can_receive(s);
    mailbox_loop.w = w;
    mailbox_loop.index = at;
    mailbox_loop.rounds = 0;
    /* A timer comes before the descriptor only where the descriptor is not ready at once. */
    if (!later)
        wait_readable(s);
    (void)E_init();
    int priority = (int)rng_below(r, NUM_PRIORITY);
    out_line("mailbox-loop %s priority=%d attach=%d", name, priority, E_attach_fd(s->mbox, READ_FD, on_mailbox, 0, s, priority));
    if (later)
        send_frames(r, s, name, (unsigned)rng_range(r, 1, 3), rng_range(r, 1, 4));
    else if (rng_chance(r, 50) && session_expected(s) <= FIRST_UNCERTAIN && !(s->tcp && rule("readable-a-moment-later")))
        (void)E_queue(on_first_timer, 0, NULL, (sp_time){-1, 0});
    E_handle_events();
    out_line("mailbox-loop end detach=%d", E_detach_fd(s->mbox, READ_FD));
    (void)E_init();
    frames_arrived(s);
}
