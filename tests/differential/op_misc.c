/* Texts, versions, group ids, and what the library does to the process. */
#include "ops.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool alive(const session *s)
{
    return !s->closed && !s->dead && !s->broken;
}

static void error_text(rng *r)
{
    int code = rng_chance(r, 80) ? rng_range(r, -30, 5) : (int)rng_u32(r);
    const char *text = SP_strerror(code);
    out_begin("strerror %d -> ", code);
    if (text)
        out_bytes(text, strlen(text), 200);
    else
        out_add("NULL");
    out_end();
}

/* SP_error prints on standard output. */
static void error_printed(rng *r)
{
    int code = rng_range(r, -30, 5);
    int ends[2], saved;
    char text[512];
    out_begin("error %d -> ", code);
    fflush(stdout);
    if (pipe(ends) < 0 || (saved = dup(STDOUT_FILENO)) < 0)
        return;
    (void)dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    SP_error(code);
    fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    close(saved);
    ssize_t len = read(ends[0], text, sizeof text);
    close(ends[0]);
    out_bytes(text, len > 0 ? (size_t)len : 0, 200);
    out_end();
}

static void version(rng *r)
{
    int major = PATTERN_INT, minor = PATTERN_INT, patch = PATTERN_INT;
    unsigned missing = rng_below(r, 6);
    int ret = SP_version(missing == 0 ? NULL : &major, missing == 1 ? NULL : &minor, missing == 2 ? NULL : &patch);
    out_begin("version -> %d", ret);
    out_int("major", major, PATTERN_INT);
    out_int("minor", minor, PATTERN_INT);
    out_int("patch", patch, PATTERN_INT);
    out_end();
}

static void equal_ids(rng *r)
{
    group_id a, b;
    for (int i = 0; i < 3; i++) {
        a.id[i] = rng_range(r, -1, 1);
        b.id[i] = rng_chance(r, 80) ? a.id[i] : rng_range(r, -1, 1);
    }
    out_line("equal_group_ids %d.%d.%d %d.%d.%d -> %d", a.id[0], a.id[1], a.id[2], b.id[0], b.id[1], b.id[2],
             SP_equal_group_ids(a, b));
}

static void broken_pipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0)
        out_line("SIGPIPE -> %s", action.sa_handler == SIG_IGN ? "ignored" : action.sa_handler == SIG_DFL ? "default" : "handler");
}

void op_misc(world *w)
{
    rng *r = &w->r;
    switch (rng_below(r, 6)) {
    case 0:
        error_text(r);
        break;
    case 1:
        error_printed(r);
        break;
    case 2:
        version(r);
        break;
    case 3:
        equal_ids(r);
        break;
    case 4:
        broken_pipe();
        break;
    default: {
        int at = find_session(w, alive);
        if (at >= 0)
            out_line("blocking m%d -> %d", at, (fcntl(w->sessions[at].mbox, F_GETFL) & O_NONBLOCK) == 0);
        break;
    }
    }
}
