/*
 * The scripted daemon's side of one connection.
 *
 * A thread accepts, plays the handshake and then moves bytes both ways: it records all that the client sends, writes what the
 * program has queued, and closes when it has read a KILL frame, as a daemon does. Pauses only make a call wait for its message; no result
 * depends on them.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KILL_TYPE 0x00040000u
/* What a real daemon asks for. A daemon that waits for room with a small buffer can stall on a reader that leaves bytes. */
#define SOCKET_BUFFER 204800

struct peer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int listening[3];
    int wake[2];
    script plan;
    /* Below: under lock. */
    int fd;
    bool accepted, script_over, ended, stop, close_when_sent;
    buffer received;   /* all of it */
    size_t taken;      /* how much of it the program has had */
    size_t parsed;     /* up to where frames have been looked at */
    buffer queued;
    size_t sent;
    buffer pieces;     /* how to write what is queued: struct piece */
    size_t next_piece;
    int close_pause;
};

struct piece {
    size_t end;
    int pause_ms;      /* before it is written */
};

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void script_step(script *s, step_kind kind, size_t count)
{
    step *next = &s->steps[s->count++];
    if (s->count > MAX_STEPS)
        abort();
    next->kind = kind;
    next->count = count;
    next->len = 0;
}

void script_send(script *s, const void *data, size_t len, size_t chunk)
{
    script_step(s, STEP_SEND, 0);
    step *added = &s->steps[s->count - 1];
    if (len > sizeof added->data)
        abort();
    memcpy(added->data, data, len);
    added->len = len;
    added->chunk = chunk;
}

static void wake(peer *p)
{
    char c = 0;
    while (write(p->wake[1], &c, 1) < 0 && errno == EINTR)
        continue;
}

/* Waits for the condition at most SETTLE_MS. With the lock held. */
static void wait_changed(peer *p, int64_t deadline)
{
    struct timespec until;
    int64_t left = deadline - now_ms();
    clock_gettime(CLOCK_REALTIME, &until);
    if (left < 0)
        left = 0;
    until.tv_sec += left / 1000;
    until.tv_nsec += (left % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

/* Waits for readiness or for a word from the program. */
static void wait_ready(peer *p, int fd, short events, int timeout)
{
    struct pollfd fds[2] = {{.fd = p->wake[0], .events = POLLIN}, {.fd = fd, .events = events}};
    if (poll(fds, 2, timeout) > 0 && fds[0].revents) {
        char drain[64];
        (void)!read(p->wake[0], drain, sizeof drain);
    }
}

static bool stopping(peer *p)
{
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return stop;
}

static void set(peer *p, bool *flag)
{
    pthread_mutex_lock(&p->lock);
    *flag = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static uint32_t wire_u32(const unsigned char *p, bool big)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)p[big ? 3 - i : i] << (8 * i);
    return v;
}

/* Length of the frame at the start, 0 while it is not whole. */
static size_t frame_len(const unsigned char *p, size_t len, uint32_t *type)
{
    if (len < HEADER_LEN)
        return 0;
    bool big = !(p[0] & 0x80);
    uint32_t groups = wire_u32(p + 36, big), data = wire_u32(p + 44, big);
    *type = wire_u32(p, big) & 0x7fffff7fu;
    size_t whole = HEADER_LEN + (size_t)groups * NAME_LEN + data;
    return len >= whole ? whole : 0;
}

/* Takes what is there. False: the client's end is closed, or it has sent KILL. */
static bool take_input(peer *p)
{
    unsigned char chunk[65536];
    ssize_t n = recv(p->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    pthread_mutex_lock(&p->lock);
    buffer_add(&p->received, chunk, (size_t)n);
    bool killed = false;
    if (p->script_over) {
        uint32_t type = 0;
        size_t len;
        while (!killed && (len = frame_len(p->received.data + p->parsed, p->received.len - p->parsed, &type)) > 0) {
            p->parsed += len;
            killed = (type & KILL_TYPE) != 0;
        }
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return !killed;
}

/* Writes one piece of what is queued. False: the client has closed. */
static bool give_output(peer *p)
{
    pthread_mutex_lock(&p->lock);
    size_t end = p->queued.len;
    struct piece *pieces = (struct piece *)(void *)p->pieces.data;
    size_t count = p->pieces.len / sizeof *pieces;
    while (p->next_piece < count && pieces[p->next_piece].end <= p->sent)
        p->next_piece++;
    if (p->next_piece < count) {
        struct piece *next = &pieces[p->next_piece];
        int pause = next->pause_ms;
        next->pause_ms = 0;
        if (pause > 0) {
            pthread_mutex_unlock(&p->lock);
            (void)poll(NULL, 0, pause);
            pthread_mutex_lock(&p->lock);
            next = (struct piece *)(void *)p->pieces.data + p->next_piece;
        }
        end = next->end;
    }
    bool writable = true;
    if (p->sent < end) {
        ssize_t n = send(p->fd, p->queued.data + p->sent, end - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            p->sent += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            writable = false;
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return writable;
}

/* Is the close due that the program has asked for? */
static bool closing(peer *p, bool writable)
{
    pthread_mutex_lock(&p->lock);
    bool due = p->close_when_sent && (!writable || p->sent == p->queued.len);
    int pause = p->close_pause;
    pthread_mutex_unlock(&p->lock);
    if (due && pause > 0)
        (void)poll(NULL, 0, pause);
    return due;
}

static bool accept_client(peer *p)
{
    struct pollfd fds[4] = {{.fd = p->wake[0], .events = POLLIN}};
    for (int i = 0; i < 3; i++)
        fds[i + 1] = (struct pollfd){.fd = p->listening[i], .events = POLLIN};
    while (!stopping(p)) {
        if (poll(fds, 4, -1) < 0)
            continue;
        for (int i = 1; i < 4; i++) {
            if (!(fds[i].revents & POLLIN))
                continue;
            int fd = accept4(fds[i].fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd < 0)
                continue;
            int size = SOCKET_BUFFER, on = 1;
            (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            pthread_mutex_lock(&p->lock);
            p->fd = fd;
            p->accepted = true;
            pthread_cond_broadcast(&p->changed);
            pthread_mutex_unlock(&p->lock);
            return true;
        }
    }
    return false;
}

static bool received_at_least(const peer *p, const step *s, size_t mark)
{
    const unsigned char *data = p->received.data + mark;
    size_t len = p->received.len - mark;
    if (s->kind == STEP_READ)
        return len >= s->count;
    return len >= 5 && len >= 5u + data[4];
}

/* One step of the handshake. False: the connection is over. */
static bool play(peer *p, const step *s, size_t *mark)
{
    switch (s->kind) {
    case STEP_READ_CONNECT:
    case STEP_READ:
        while (!received_at_least(p, s, *mark)) {
            wait_ready(p, p->fd, POLLIN, -1);
            if (stopping(p) || !take_input(p))
                return false;
        }
        *mark = s->kind == STEP_READ ? *mark + s->count : p->received.len;
        return true;
    case STEP_SEND:
        for (size_t at = 0; at < s->len;) {
            size_t piece = s->chunk && s->chunk < s->len - at ? s->chunk : s->len - at;
            ssize_t n = send(p->fd, s->data + at, piece, MSG_NOSIGNAL);
            if (n <= 0)
                return false;
            at += (size_t)n;
        }
        return true;
    case STEP_CLOSE:
        return false;
    }
    return false;
}

static void *run(void *arg)
{
    peer *p = arg;
    size_t mark = 0;
    bool alive = accept_client(p);
    bool was_accepted = alive;
    for (size_t i = 0; alive && i < p->plan.count; i++)
        alive = play(p, &p->plan.steps[i], &mark);
    pthread_mutex_lock(&p->lock);
    p->parsed = p->received.len;
    p->taken = 0;
    p->script_over = alive;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    while (alive && !stopping(p)) {
        bool writable = give_output(p);
        alive = take_input(p) && !closing(p, writable);
        if (!alive)
            break;
        pthread_mutex_lock(&p->lock);
        /* A client that has closed takes no more; what it has sent before is still read, up to its end. */
        if (!writable)
            p->sent = p->queued.len;
        bool full = p->sent < p->queued.len;
        pthread_mutex_unlock(&p->lock);
        /* A real daemon tries again every 100 ms as well. */
        wait_ready(p, p->fd, (short)(POLLIN | (full ? POLLOUT : 0)), full ? 100 : -1);
    }
    if (was_accepted)
        close(p->fd);
    set(p, &p->ended);
    return NULL;
}

peer *peer_start(const listeners *l, const script *s)
{
    peer *p = must_alloc(sizeof *p);
    p->listening[0] = l->unix_fd;
    p->listening[1] = l->tcp_fd;
    p->listening[2] = l->tcp6_fd;
    p->plan = *s;
    p->fd = -1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (pipe2(p->wake, O_CLOEXEC) < 0 || pthread_create(&p->thread, NULL, run, p) != 0) {
        perror("ops: peer");
        exit(2);
    }
    return p;
}

void peer_send(peer *p, const void *data, size_t len, size_t chunk, int pause_ms)
{
    pthread_mutex_lock(&p->lock);
    size_t at = p->queued.len;
    buffer_add(&p->queued, data, len);
    while (at < p->queued.len) {
        size_t rest = p->queued.len - at;
        at += chunk > 0 && chunk < rest ? chunk : rest;
        struct piece next = {.end = at, .pause_ms = pause_ms};
        buffer_add(&p->pieces, &next, sizeof next);
    }
    pthread_mutex_unlock(&p->lock);
    wake(p);
}

void peer_close(peer *p, int pause_ms)
{
    pthread_mutex_lock(&p->lock);
    p->close_pause = pause_ms;
    pthread_mutex_unlock(&p->lock);
    set(p, &p->close_when_sent);
    wake(p);
}

bool peer_wait_script(peer *p)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    pthread_mutex_lock(&p->lock);
    while (!p->script_over && !p->ended && now_ms() < deadline)
        wait_changed(p, deadline);
    bool over = p->script_over;
    pthread_mutex_unlock(&p->lock);
    return over;
}

void peer_wait_end(peer *p)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    pthread_mutex_lock(&p->lock);
    while (!p->ended && now_ms() < deadline)
        wait_changed(p, deadline);
    pthread_mutex_unlock(&p->lock);
}

void peer_wait_sent(peer *p)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    pthread_mutex_lock(&p->lock);
    while (p->sent < p->queued.len && !p->ended && now_ms() < deadline)
        wait_changed(p, deadline);
    pthread_mutex_unlock(&p->lock);
}

size_t peer_available(peer *p, size_t count)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    pthread_mutex_lock(&p->lock);
    while (p->received.len - p->taken < count && !p->ended && now_ms() < deadline)
        wait_changed(p, deadline);
    size_t available = p->received.len - p->taken;
    pthread_mutex_unlock(&p->lock);
    return available;
}

buffer peer_take(peer *p, size_t count)
{
    buffer taken = {0};
    pthread_mutex_lock(&p->lock);
    size_t available = p->received.len - p->taken;
    if (count > available)
        count = available;
    buffer_add(&taken, p->received.data + p->taken, count);
    p->taken += count;
    pthread_mutex_unlock(&p->lock);
    return taken;
}

bool peer_accepted(peer *p)
{
    pthread_mutex_lock(&p->lock);
    bool accepted = p->accepted;
    pthread_mutex_unlock(&p->lock);
    return accepted;
}

void peer_stop(peer *p)
{
    set(p, &p->stop);
    wake(p);
    pthread_join(p->thread, NULL);
    close(p->wake[0]);
    close(p->wake[1]);
    buffer_free(&p->received);
    buffer_free(&p->queued);
    buffer_free(&p->pieces);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p);
}

/* Printing what came from the client. */

static void print_frame(const unsigned char *f, size_t len)
{
    bool big = !(f[0] & 0x80);
    uint32_t groups = wire_u32(f + 36, big);
    const unsigned char *body = f + HEADER_LEN + (size_t)groups * NAME_LEN;
    uint32_t type = wire_u32(f, false);
    out_add(" sent{type=%08x from=", type);
    out_name((const char *)f + 4);
    out_add(" hint=%08x groups=[", wire_u32(f + 40, false));
    for (uint32_t i = 0; i < groups; i++) {
        char field[NAME_LEN];
        memcpy(field, f + HEADER_LEN + (size_t)i * NAME_LEN, NAME_LEN);
        /* The classic library leaves stack contents behind the NUL of this one name. */
        if ((type & KILL_TYPE) && rule("kill-frame-padding"))
            memset(field + strnlen(field, NAME_LEN), 0, NAME_LEN - strnlen(field, NAME_LEN));
        if (i > 0)
            out_add(",");
        if (i < 8)
            out_name(field);
        else if (i == 8)
            out_bytes(f + HEADER_LEN + (size_t)i * NAME_LEN, (size_t)(groups - i) * NAME_LEN, 0);
    }
    out_add("] body=");
    out_bytes(body, len - (size_t)(body - f), 48);
    out_add("}");
}

void peer_print_frames(peer *p, size_t frames)
{
    for (;;) {
        /* A frame that must come is waited for; after that only what is there already. */
        bool wanted = frames > 0;
        size_t have = peer_available(p, wanted ? HEADER_LEN : 0);
        uint32_t type = 0;
        size_t len = 0;
        if (have >= HEADER_LEN) {
            buffer head = {0};
            pthread_mutex_lock(&p->lock);
            buffer_add(&head, p->received.data + p->taken, HEADER_LEN);
            pthread_mutex_unlock(&p->lock);
            bool big = !(head.data[0] & 0x80);
            size_t whole = HEADER_LEN + (size_t)wire_u32(head.data + 36, big) * NAME_LEN + wire_u32(head.data + 44, big);
            buffer_free(&head);
            have = peer_available(p, wanted ? whole : 0);
            pthread_mutex_lock(&p->lock);
            len = frame_len(p->received.data + p->taken, p->received.len - p->taken, &type);
            pthread_mutex_unlock(&p->lock);
        }
        if (len == 0) {
            if (wanted)
                out_add(" sent-nothing");
            if (have > 0) {
                buffer rest = peer_take(p, have);
                out_add(" sent-part=");
                out_bytes(rest.data, rest.len, 64);
                buffer_free(&rest);
            }
            return;
        }
        buffer f = peer_take(p, len);
        print_frame(f.data, f.len);
        buffer_free(&f);
        if (frames > 0)
            frames--;
    }
}

void peer_print_handshake(peer *p)
{
    buffer all = peer_take(p, peer_available(p, 0));
    size_t connect_len = all.len >= 5 ? 5u + all.data[4] : all.len;
    if (connect_len > all.len)
        connect_len = all.len;
    out_add(" hello=");
    out_bytes(all.data, connect_len, 64);
    size_t at = connect_len;
    if (all.len - at >= 90) {
        out_add(" choice=[");
        for (int slot = 0; slot < 3; slot++, at += 30) {
            size_t len = 30;
            while (len > 0 && all.data[at + len - 1] == 0)
                len--;
            if (slot > 0)
                out_add(",");
            out_bytes(all.data + at, len, 64);
        }
        out_add("]");
    }
    if (at < all.len) {
        out_add(" more=");
        out_bytes(all.data + at, all.len - at, 64);
    }
    buffer_free(&all);
}
