/* A program that keeps coming late: with messages from 180 to 143,000 bytes, at paces from none to 2 ms apart, the stream never stops,
 * whatever the kernel's buffers make of bytes that the library leaves in the socket; also if the program has made the receive buffer
 * small. The other side is a plain writer, or, with names on the command line, daemons and a sender that is a session of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define LARGEST 143000
#define SMALL_BUFFER 65536
/* Long enough for any machine; a stall is for ever. */
#define STALLED scaled(5000)

static struct fake fake;

static void wait_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};

    if (us > 0)
        nanosleep(&time, NULL);
}

struct writer {
    int daemon;
    int messages;
    int size;
    long pace_us;
    bool non_blocking;
};

/* As a program writes that waits for POLLOUT. */
static void write_when_possible(int socket, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
            CHECK(errno == EAGAIN || errno == EINTR);
            if (events_of(socket, POLLOUT, STALLED) == 0)
                FAIL("the writer finds no room for %zu bytes", size);
            continue;
        }
        bytes += n;
        size -= (size_t)n;
    }
}

static void *write_messages(void *argument)
{
    const struct writer *w = argument;
    char *body = malloc((size_t)w->size);
    unsigned char *bytes = malloc((size_t)w->size + 200);
    int i;

    CHECK(body != NULL && bytes != NULL);
    for (i = 0; i < w->messages; i++) {
        struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = body, .size = w->size};

        number_body(body, w->size, (unsigned)i);
        if (w->non_blocking)
            write_when_possible(w->daemon, (char *)bytes, frame_bytes(&frame, bytes));
        else
            fake_send(w->daemon, &frame);
        wait_us(w->pace_us);
    }
    free(bytes);
    free(body);
    return NULL;
}

/* The session that sends through a daemon. */
struct sender {
    mailbox mbox;
    const char *group;
    int messages;
    int size;
    long pace_us;
};

static void *multicast_messages(void *argument)
{
    const struct sender *s = argument;
    char *body = malloc((size_t)s->size);
    int i;

    CHECK(body != NULL);
    for (i = 0; i < s->messages; i++) {
        number_body(body, s->size, (unsigned)i);
        CHECK_EQ(SP_multicast(s->mbox, FIFO_MESS, s->group, 0, s->size, body), s->size);
        wait_us(s->pace_us);
    }
    free(body);
    return NULL;
}

static void make_buffer_small(mailbox mbox)
{
    int size = SMALL_BUFFER;

    SYS(setsockopt(mbox, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
}

/* One message for each time that select() says there is one, and late each time. */
static void take_late(mailbox mbox, int messages, int size)
{
    static char body[LARGEST];
    unsigned seed = (unsigned)size;
    int i;

    for (i = 0; i < messages; i++) {
        char sender[MAX_GROUP_NAME];
        char groups[1][MAX_GROUP_NAME];
        service type = 0;
        int num_groups;
        int16 mess_type;
        int endian;

        seed = seed * 1103515245 + 12345;
        wait_us((long)(seed >> 20) % 1500);
        if (events_of(mbox, POLLIN, STALLED) == 0)
            FAIL("no message after %d of %d, SP_poll gives %d", i, messages, SP_poll(mbox));
        CHECK_EQ(SP_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, sizeof body, body), size);
        CHECK_EQ(NUMBER_OF_BODY(body, size), i);
    }
    CHECK_EQ(SP_poll(mbox), 0);
}

static int messages_of_a_stream(void)
{
    return (int)check_count(is_slow() ? 20 : 60);
}

static void stream(const char *name, int size, long pace_us, bool non_blocking, bool small)
{
    struct writer writer;
    struct worker worker;
    mailbox mbox;

    check_case("%s: %d bytes every %ld us, %s%s", name, size, pace_us, non_blocking ? "written with POLLOUT" : "written blocking",
               small ? ", small receive buffer" : "");
    writer.daemon = fake_session(&fake, name, &mbox);
    if (small)
        make_buffer_small(mbox);
    writer.messages = messages_of_a_stream();
    writer.size = size;
    writer.pace_us = pace_us;
    writer.non_blocking = non_blocking;
    worker_start(&worker, write_messages, &writer);
    take_late(mbox, writer.messages, size);
    worker_join(&worker);
    SP_kill(mbox);
    SYS(close(writer.daemon));
}

/* As stream, through a daemon. */
static void stream_by_daemon(const char *name, int size, long pace_us, bool small)
{
    char group[MAX_GROUP_NAME];
    struct sender sender;
    struct worker worker;
    mailbox mbox;

    check_case("%s: %d bytes every %ld us%s", name, size, pace_us, small ? ", small receive buffer" : "");
    new_group(group, "late");
    mbox = session(name, true, NULL);
    join(mbox, group);
    if (small)
        make_buffer_small(mbox);
    sender = (struct sender){session(name, false, NULL), group, messages_of_a_stream(), size, pace_us};
    worker_start(&worker, multicast_messages, &sender);
    take_late(mbox, sender.messages, size);
    worker_join(&worker);
    CHECK_EQ(SP_disconnect(sender.mbox), 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static const int sizes[] = {180, 1400, 4000, 16000, 33000, 66000, LARGEST};
static const long paces[] = {0, 200, 2000};

static void all_by_a_plain_writer(void)
{
    size_t i;
    size_t k;

    fake_open(&fake);
    for (i = 0; i < COUNT_OF(sizes); i++)
        for (k = 0; k < COUNT_OF(paces); k++) {
            bool non_blocking = (i + k) % 2 != 0;
            bool small = k == 0;

            stream(fake.unix_name, sizes[i], paces[k], non_blocking, small);
            stream(fake.tcp_name, sizes[i], paces[k], non_blocking, small);
            if (k == 0) {
                stream(fake.unix_name, sizes[i], paces[k], non_blocking, false);
                stream(fake.tcp_name, sizes[i], paces[k], non_blocking, false);
            }
        }
    fake_close(&fake);
}

static void all_by_a_daemon(const char *name)
{
    size_t i;
    size_t k;

    for (i = 0; i < COUNT_OF(sizes); i++)
        for (k = 0; k < COUNT_OF(paces); k++) {
            stream_by_daemon(name, sizes[i], paces[k], false);
            if (k < 2)
                stream_by_daemon(name, sizes[i], paces[k], true);
        }
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "no_stall", 60);
    if (check_names == 0)
        all_by_a_plain_writer();
    for (i = 0; i < check_names; i++)
        all_by_a_daemon(check_name(i));
    return check_done();
}
