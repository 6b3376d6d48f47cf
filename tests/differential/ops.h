/*
 * The differential tester: shared declarations.
 *
 * One program, linked with nothing but libspread.so.3, makes a sequence of calls that depends on a seed alone and
 * prints one line per call. README.md says how the pieces fit together.
 */
#ifndef DIFFERENTIAL_OPS_H
#define DIFFERENTIAL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sp.h>

#define NAME_LEN MAX_GROUP_NAME
#define HEADER_LEN 48u
#define OLD_TYPE_LEN 4u

/* How long to wait for a state that must come (ms). Reached only where something is wrong. */
#define SETTLE_MS 4000

/*
 * Above so many waiting bytes the numbers of SP_poll depend on the kernel: the socket holds no more until the program reads.
 */
#define FIRST_UNCERTAIN 48000u

/* rng.c: everything that is random comes from here, so a seed names one sequence on every machine. */

typedef struct {
    uint64_t state;
} rng;

void rng_seed(rng *r, uint64_t seed);
uint32_t rng_u32(rng *r);
/* 0 .. n-1; n > 0. */
uint32_t rng_below(rng *r, uint32_t n);
/* lo .. hi, both included. */
int rng_range(rng *r, int lo, int hi);
bool rng_chance(rng *r, uint32_t percent);
/* An index, chosen with the given weights. */
size_t rng_weighted(rng *r, const unsigned *weights, size_t count);

#define RNG_PICK(r, array) ((array)[rng_below((r), (uint32_t)(sizeof(array) / sizeof((array)[0])))])

/* buffer.c: bytes that grow. */

typedef struct {
    unsigned char *data;
    size_t len, cap;
} buffer;

void buffer_add(buffer *b, const void *data, size_t len);
void buffer_add_u32(buffer *b, uint32_t value, bool big_endian);
/* A NUL-padded 32 byte name field; longer names are cut to 32. */
void buffer_add_name(buffer *b, const char *name);
void buffer_free(buffer *b);
void *must_alloc(size_t len);

/* out.c: the lines. Nothing but these functions writes to the result. */

void out_open(int fd);
/* Starts a line ("017 text"), flushed, so that a hang or a crash shows where it happened. */
void out_begin(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_add(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_end(void);
/* A whole line at once. */
void out_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Escaped text in quotes; more than `literal` bytes become a hash and the length. */
void out_bytes(const void *data, size_t len, size_t literal);
/* A 32 byte name field: up to its NUL; what follows the NUL is shown only where it is not zero. */
void out_name(const char field[NAME_LEN]);
/* An int output, "~" where it still holds `before`. */
void out_int(const char *key, int value, int before);

/* Buffers are prefilled with a pattern, so that an output that was not written can be told. */
void pattern_fill(void *data, size_t len, size_t offset);
/* Length up to the last byte that differs from the pattern. */
size_t pattern_extent(const void *data, size_t len, size_t offset);
#define PATTERN_INT 0x2a5a3c1b
#define PATTERN_SHORT 0x2a5a

/* rules.c: the named differences, rules.txt. True: the rule holds here. False: it was switched off (--raw). */
bool rule(const char *name);
void rules_switch_off(const char *names);

/* peer.c: the scripted daemon's side of one connection, on a thread of its own. */

typedef enum { STEP_READ_CONNECT, STEP_READ, STEP_SEND, STEP_CLOSE } step_kind;

typedef struct {
    step_kind kind;
    size_t count;              /* STEP_READ: bytes to wait for */
    unsigned char data[8192];  /* STEP_SEND */
    size_t len;
    size_t chunk;              /* STEP_SEND: written in pieces of so many bytes; 0 = one write */
} step;

#define MAX_STEPS 12

typedef struct {
    step steps[MAX_STEPS];
    size_t count;
} script;

void script_step(script *s, step_kind kind, size_t count);
void script_send(script *s, const void *data, size_t len, size_t chunk);

typedef struct peer peer;

typedef struct {
    int unix_fd, tcp_fd, tcp6_fd;
    int unix_port, tcp_port;
    int refused_fd;                        /* bound and never listening */
    int refused_tcp_port, refused_unix_port;
} listeners;

void listeners_open(listeners *l);
void listeners_close(listeners *l);
/* New sockets in place of the listening ones: forgets connections nobody has accepted. */
void listeners_renew(listeners *l);
/* Before a fork: lets the parent clean up after a child that has crashed. */
void listeners_share(void);
void listeners_clean_up(void);

/* Accepts the next connection on any of the listeners and plays the script. */
peer *peer_start(const listeners *l, const script *s);
/* Queues bytes, to be written in pieces of `chunk` bytes (0: at once), each after a pause. */
void peer_send(peer *p, const void *data, size_t len, size_t chunk, int pause_ms);
/* Closes once everything queued is written, after a pause. */
void peer_close(peer *p, int pause_ms);
/* Waits until the script is over and the bytes are there; false: the connection has ended before. */
bool peer_wait_script(peer *p);
/* Waits until the client has closed (or the script has). */
void peer_wait_end(peer *p);
/* Waits until everything queued has been written. */
void peer_wait_sent(peer *p);
/* Waits until `count` bytes that have not been taken are there, or the end. What is there, not removed. */
size_t peer_available(peer *p, size_t count);
/* Copies and removes. The caller frees. */
buffer peer_take(peer *p, size_t count);
/* Ends the thread, closes everything. */
void peer_stop(peer *p);
/* Was there a connection at all? */
bool peer_accepted(peer *p);

/* Prints what the client has sent since the last call: waits for `frames` whole frames. */
void peer_print_frames(peer *p, size_t frames);
/* Prints connect message and authentication choice. */
void peer_print_handshake(peer *p);

/* frames.c: what the scripted daemon sends. */

typedef struct {
    buffer wire;
    uint32_t type;        /* without the marker bits */
    int num_groups;
    int data_len;
    bool big_endian;      /* header and membership body */
    bool membership_ok;   /* the body is a whole, well-formed membership */
    bool broken;          /* negative counts: the library cannot go on after it */
    bool huge;            /* counts that never come */
    const char *kind;
} frame;

void frame_random(rng *r, const char *own_group, frame *f);
/* Prints one word of description. */
void frame_print(const frame *f);
bool frame_is_reject(const frame *f);

/* Random names and bodies. */
const char *random_group(rng *r);
size_t random_body_len(rng *r);
void random_body(rng *r, void *data, size_t len);

/* handshake.c */

typedef struct {
    const char *name;
    bool accepts;          /* the script ends with a session */
    bool needs_timeout;    /* the script leaves the client waiting */
} handshake;

/* The methods that the program has registered, as the scripted daemon must know them. */
typedef struct {
    int count;
    const char *names[3];
    int sends;             /* bytes that all callbacks together send */
    int waits;             /* bytes that they wait for */
    bool refuses;          /* a callback returns 0 */
} auth_state;

handshake handshake_random(rng *r, const auth_state *auth, const char *private_group, script *s);

/* script.c and the op_*.c files: the calls on the scripted daemon. */

#define MAX_SESSIONS 3
#define MAX_QUEUE 24

typedef struct {
    bool in_use;           /* a mailbox that SP_connect has returned */
    bool gone;             /* disconnected: the number is kept out of use */
    int mbox;
    bool tcp;
    peer *peer;
    char private_group[NAME_LEN + 1];
    frame queue[MAX_QUEUE];
    size_t queued;         /* frames sent and not yet taken by the program */
    size_t pending;        /* their bytes */
    size_t partial;        /* bytes of a cut last frame, not counted as a frame */
    bool closed;           /* the daemon has closed */
    bool refused;          /* the head's header has been taken by a short receive */
    bool dead;             /* a call has reported CONNECTION_CLOSED */
    bool broken;           /* a broken frame was met */
    bool unsettled;        /* SP_poll has not come to what it should: it is not waited for again */
} session;

typedef struct {
    rng r;
    listeners listen;
    session sessions[MAX_SESSIONS];
    auth_state auth;
    bool initialised;      /* the classic library has filled its table of sessions */
} world;

void script_run(uint64_t seed);

/* What SP_poll must come to. */
size_t session_expected(const session *s);
/* Waits until it has. */
void session_settle(session *s);
void session_forget(session *s);
/* True if a receive would not block. */
bool session_can_receive(const session *s);
/* Any mailbox number and its name for the line. NULL session: none behind it. */
session *pick_session(world *w, int *mbox, char name[32]);
/* Index of a session to which `want` applies, or -1. */
int find_session(world *w, bool (*want)(const session *));

void op_connect(world *w);
void op_disconnect(world *w, bool kill);
void op_own_close(world *w);
void op_auth(world *w);
void op_daemon_send(world *w);
/* Queues random frames; with a pause they come while the program goes on. */
void send_frames(rng *r, session *s, const char *name, unsigned count, int pause_ms);
/* Waits until all that has been queued is there. */
void frames_arrived(session *s);
void op_daemon_close(world *w);
void op_receive(world *w, bool scattered);
void op_poll(world *w);
void op_readable(world *w);
void op_group(world *w, bool join);
void op_multicast(world *w, bool multigroup, bool scattered);
void op_misc(world *w);
void op_thread(world *w);
void op_membership(rng *r, const frame *f, const char *body, size_t len);
void op_events(world *w);
void op_loop(rng *r);
void op_mailbox_loop(world *w);
/* A receive on that session; real_room: without negative sizes. */
void receive_from(world *w, int index, bool scattered, bool real_room);

/* After its end: the peer goes, and the number is kept out of use. */
void session_ended(session *s);
void close_session(session *s, const char *name, bool kill);
/* Waits until the mailbox is as readable as it should be by what it has ahead. */
void wait_readable(session *s);
void print_readable(session *s);

/* network.c: the calls on a real or an embedded network. */
void network_run(uint64_t seed, const char *daemons);

int64_t now_ms(void);

#endif
