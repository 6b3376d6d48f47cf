/* A scripted daemon inside the test program: for everything that a real daemon never sends, and for looking at what the library
 * sends.
 *
 *     struct fake fake;
 *     mailbox mbox;
 *
 *     fake_open(&fake);
 *     int daemon = fake_session(&fake, fake.unix_name, &mbox);     the daemon's end of a session
 *     fake_send(daemon, &(struct frame){.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5});
 *     ...
 *     fake_close(&fake);
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

#define FAKE_PRIVATE_GROUP "#me#fake"
#define HEADER_SIZE 48
#define MARKERS 0x80000080u

/* ---- listening ---- */

struct fake {
    int port;
    int unix_listener;
    int tcp_listener;
    char unix_name[16];
    char tcp_name[32];
    char path[32];
};

/* Listens on a unix socket and on TCP 127.0.0.1, both of one free port. Works without any thread: connects wait in the backlog. */
void fake_open(struct fake *fake);
void fake_open_backlog(struct fake *fake, int backlog);
void fake_close(struct fake *fake);

/* The next connection of either kind, with the socket buffers that a real daemon has. Waits at most the usual time. */
int fake_accept(struct fake *fake);

/* Whether somebody waits to be accepted. */
bool fake_has_visitor(struct fake *fake);

/* ---- handshakes ---- */

enum step_kind {
    STEP_END,
    STEP_SEND,      /* these bytes */
    STEP_HELLO,     /* reads the connect message, of whatever length */
    STEP_CHOICE,    /* reads the 90 bytes of the methods that the client chooses */
    STEP_TAKE,      /* reads this many bytes and compares them */
    STEP_CLOSE,     /* closes */
    STEP_SILENCE    /* keeps the connection open and does nothing, until fake_finish */
};

struct step {
    enum step_kind kind;
    const void *bytes;
    size_t size;
};

#define SEND(text) {STEP_SEND, text, sizeof(text) - 1}
#define TAKE(text) {STEP_TAKE, text, sizeof(text) - 1}
#define HELLO {STEP_HELLO, NULL, 0}
#define CHOICE {STEP_CHOICE, NULL, 0}
#define CLOSE {STEP_CLOSE, NULL, 0}
#define SILENCE {STEP_SILENCE, NULL, 0}
#define END {STEP_END, NULL, 0}

/* The usual handshake: "NULL " offered, FAKE_PRIVATE_GROUP given, daemon version 5.0.1. */
extern const struct step usual_handshake[];

/* One connection that a thread serves after a script. */
struct visit {
    struct fake *fake;
    const struct step *script;
    struct worker worker;
    int socket;             /* -1 once closed */
    int stop[2];            /* closing the second ends a silence */
    unsigned char hello[64];
    size_t hello_size;
    unsigned char choice[90];
    bool ended_early;       /* the client has closed inside the script */
};

void fake_start(struct visit *visit, struct fake *fake, const struct step *script);

/* Waits for the end of the script and gives the daemon's end of the connection; -1 if it is closed. */
int fake_finish(struct visit *visit);

/* The same for a client that has gone without closing: the script may wait for bytes that never come. Closes the daemon's end. */
void fake_abandon(struct visit *visit);

/* A session with the usual handshake; the daemon's end of it. */
int fake_session(struct fake *fake, const char *name, mailbox *mbox);

/* ---- frames ---- */

/* A message on the wire. Zero fields have the usual meaning: sender "#peer#fake", little-endian, no groups, no body. */
struct frame {
    unsigned type;          /* without markers */
    const char *sender;
    const char *groups;     /* names, one blank between each */
    int mess_type;
    const void *body;
    int size;               /* of the body, and what the header says of it */
    bool big_endian;        /* the header's numbers */
    bool big_endian_hint;
    unsigned old_type;      /* of a refused message: four more bytes; with markers */
    bool lies;              /* the header says what the next two fields say */
    int claimed_groups;
    int claimed_size;
};

/* Writes a frame into the buffer, which has room enough, and gives its size. */
size_t frame_bytes(const struct frame *frame, unsigned char *buffer);

/* The size of a frame. */
size_t frame_size(const struct frame *frame);

void fake_send(int daemon, const struct frame *frame);

/* Sends only the first so many bytes of it. */
void fake_send_part(int daemon, const struct frame *frame, size_t from, size_t to);

/* Sends bytes as they are. */
void fake_send_bytes(int daemon, const void *bytes, size_t size);

/* What a client has sent. */
struct sent {
    unsigned type;          /* with markers */
    char sender[MAX_GROUP_NAME];
    int num_groups;
    unsigned hint;
    int size;
    char (*groups)[MAX_GROUP_NAME];
    char *body;
};

/* Reads one frame; the caller frees it with sent_free. False at the end of the stream. */
bool fake_receive(int daemon, struct sent *sent);
void sent_free(struct sent *sent);

/* Puts a number into four bytes, in one order of bytes or the other. */
void put_number(unsigned char *at, unsigned number, bool big_endian);

/* The body of a membership message: one set for each part between semicolons, of the names in it. Gives its size. */
size_t membership_body(unsigned char *buffer, const int gid[3], unsigned own_offset, const char *sets, bool big_endian);

#endif
