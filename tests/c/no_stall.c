/* A daemon that is a plain writer, and a program that keeps coming late: with messages from 180 to 143,000 bytes, written at paces from
 * none to 2 ms apart, the stream never stops, whatever the kernel's buffers make of bytes that the library leaves in the socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define LARGEST 143000
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

/* One message for each time that select() says there is one, and late each time. */
static void stream(const char *name, int size, long pace_us, bool non_blocking)
{
    static char body[LARGEST];
    struct writer writer;
    struct worker worker;
    unsigned seed = (unsigned)size;
    mailbox mbox;
    int i;

    check_case("%s: %d bytes every %ld us, %s", name, size, pace_us, non_blocking ? "written with POLLOUT" : "written blocking");
    writer.daemon = fake_session(&fake, name, &mbox);
    writer.messages = (int)check_count(is_slow() ? 20 : 60);
    writer.size = size;
    writer.pace_us = pace_us;
    writer.non_blocking = non_blocking;
    worker_start(&worker, write_messages, &writer);
    for (i = 0; i < writer.messages; i++) {
        char sender[MAX_GROUP_NAME];
        char groups[1][MAX_GROUP_NAME];
        service type = 0;
        int num_groups;
        int16 mess_type;
        int endian;

        seed = seed * 1103515245 + 12345;
        wait_us((long)(seed >> 20) % 1500);
        if (events_of(mbox, POLLIN, STALLED) == 0)
            FAIL("no message after %d of %d, SP_poll gives %d", i, writer.messages, SP_poll(mbox));
        CHECK_EQ(SP_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, sizeof body, body), size);
        CHECK_EQ(NUMBER_OF_BODY(body, size), i);
    }
    worker_join(&worker);
    CHECK_EQ(SP_poll(mbox), 0);
    SP_kill(mbox);
    SYS(close(writer.daemon));
}

int main(int argc, char **argv)
{
    static const int sizes[] = {180, 1400, 4000, 16000, 33000, 66000, LARGEST};
    static const long paces[] = {0, 200, 2000};
    size_t i;
    size_t k;

    check_start(argc, argv, "no_stall", 60);
    fake_open(&fake);
    for (i = 0; i < COUNT_OF(sizes); i++)
        for (k = 0; k < COUNT_OF(paces); k++) {
            stream(fake.unix_name, sizes[i], paces[k], (i + k) % 2 != 0);
            stream(fake.tcp_name, sizes[i], paces[k], (i + k) % 2 != 0);
        }
    fake_close(&fake);
    return check_done();
}
