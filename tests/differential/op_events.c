/* The E_ functions outside a running loop: times, timers, registrations. */
#include "ops.h"

#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define PIPES 4

static sp_time random_time(rng *r)
{
    static const long seconds[] = {0, 0, 1, -1, 2, -3, 1000000, -1000000};
    static const long micros[] = {0, 0, 1, -1, 999999, -999999, 500000, -500000, 2500000, -2500000, 1000000};
    sp_time t = {RNG_PICK(r, seconds), RNG_PICK(r, micros)};
    if (rng_chance(r, 40))
        t.usec = rng_range(r, -999999, 999999);
    return t;
}

static void print_time(const char *name, sp_time t)
{
    out_add(" %s=(%ld,%ld)", name, t.sec, t.usec);
}

static void arithmetic(rng *r)
{
    sp_time a = random_time(r), b = random_time(r);
    out_begin("time");
    print_time("a", a);
    print_time("b", b);
    out_add(" ->");
    print_time("add", E_add_time(a, b));
    print_time("sub", E_sub_time(a, b));
    print_time("neg", E_neg_time(a));
    out_add(" compare=%d", E_compare_time(a, b));
    out_end();
}

static void clocks(void)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    sp_time wall = E_get_time(), first = E_get_time_monotonic(), second = E_get_time_monotonic();
    long off = wall.sec - now.tv_sec;
    E_delay((sp_time){-1, 0});
    E_delay((sp_time){0, 0});
    E_delay((sp_time){0, 1000});
    sp_time later = E_get_time_monotonic();
    out_line("clocks -> wall=%d steady=%d delayed=%d", off >= -1 && off <= 1, E_compare_time(second, first) >= 0,
             E_compare_time(E_sub_time(later, second), (sp_time){0, 1000}) >= 0);
}

static void timer_a(int code, void *data)
{
    (void)code, (void)data;
}

static void timer_b(int code, void *data)
{
    (void)code, (void)data;
    out_add(" ran");
}

/* None of these timers runs: no loop is entered. */
static void timers(rng *r)
{
    static int data[2];
    static void (*const functions[])(int, void *) = {timer_a, timer_b};
    out_begin("timers init=%d", E_init());
    for (int i = rng_range(r, 3, 9); i > 0; i--) {
        unsigned f = rng_below(r, 2), d = rng_below(r, 3);
        int code = rng_range(r, -1, 1);
        void *pointer = d == 2 ? NULL : (void *)&data[d];
        switch (rng_below(r, 3)) {
        case 0:
            out_add(" queue(%u,%d,%u)=%d", f, code, d, E_queue(functions[f], code, pointer, random_time(r)));
            break;
        case 1:
            out_add(" in_queue(%u,%d,%u)=%d", f, code, d, E_in_queue(functions[f], code, pointer));
            break;
        default:
            out_add(" dequeue(%u,%d,%u)=%d", f, code, d, E_dequeue(functions[f], code, pointer));
            break;
        }
    }
    out_add(" init=%d", E_init());
    out_add(" left=%d", E_in_queue(timer_a, 0, NULL));
    out_end();
}

static void on_fd(int fd, int code, void *data)
{
    (void)fd, (void)code, (void)data;
}

static int random_fd(rng *r, const int fds[PIPES], int *index)
{
    *index = (int)rng_below(r, PIPES);
    if (rng_chance(r, 8)) {
        *index = -1;
        return rule("events-descriptor-range") || rng_chance(r, 50) ? -1 : 5000;
    }
    return fds[*index];
}

static int random_type(rng *r)
{
    return rng_chance(r, 8) ? (rng_chance(r, 50) ? -1 : NUM_FDTYPES) : (int)rng_below(r, NUM_FDTYPES);
}

static int random_priority(rng *r)
{
    return rng_chance(r, 8) ? (rng_chance(r, 50) ? -1 : NUM_PRIORITY) : (int)rng_below(r, NUM_PRIORITY);
}

static void registration(rng *r, const int fds[PIPES])
{
    int index, fd = random_fd(r, fds, &index), type = random_type(r), priority = random_priority(r);
    switch (rng_below(r, 8)) {
    case 0:
    case 1:
    case 2:
        out_add(" attach(%d,%d,%d)=%d", index, type, priority, E_attach_fd(fd, type, on_fd, 1, NULL, priority));
        break;
    case 3:
        out_add(" detach(%d,%d)=%d", index, type, E_detach_fd(fd, type));
        break;
    case 4:
        /* Out of range, the classic function reads outside its table. */
        if (priority >= 0 && priority < NUM_PRIORITY)
            out_add(" detach(%d,%d,%d)=%d", index, type, priority, E_detach_fd_priority(fd, type, priority));
        break;
    case 5:
        out_add(" threshold(%d)=%d", priority, E_set_active_threshold(priority));
        break;
    case 6:
        out_add(" deactivate(%d,%d)=%d", index, type, E_deactivate_fd(fd, type));
        break;
    default:
        out_add(" activate(%d,%d)=%d", index, type, E_activate_fd(fd, type));
        break;
    }
}

static void attachments(rng *r)
{
    int fds[PIPES];
    for (int i = 0; i < PIPES; i += 2)
        if (pipe(&fds[i]) < 0)
            exit(2);
    (void)E_init();
    out_begin("registrations");
    for (int i = rng_range(r, 4, 12); i > 0; i--)
        registration(r, fds);
    for (int priority = -1; priority <= NUM_PRIORITY; priority++)
        out_add(" active(%d)=%d", priority, E_num_active(priority));
    out_add(" init=%d", E_init());
    out_add(" active=%d", E_num_active(LOW_PRIORITY));
    out_end();
    for (int i = 0; i < PIPES; i++)
        close(fds[i]);
}

void op_events(world *w)
{
    static const unsigned weights[] = {25, 5, 20, 20, 40, 30};
    rng *r = &w->r;
    switch (rng_weighted(r, weights, 6)) {
    case 0:
        for (int i = rng_range(r, 1, 3); i > 0; i--)
            arithmetic(r);
        break;
    case 1:
        clocks();
        break;
    case 2:
        timers(r);
        break;
    case 3:
        attachments(r);
        break;
    case 4:
        op_loop(r);
        break;
    default:
        op_mailbox_loop(w);
        break;
    }
}
