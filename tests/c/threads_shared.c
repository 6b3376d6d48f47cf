/* One mailbox in several threads: a receiver beside a sender, two receivers, two senders. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define LARGE 30000

static struct fake fake;
static int messages;

static int size_of_message(unsigned number)
{
    return number % 20 == 0 ? LARGE : 4 + (int)(number % 200);
}

/* ---- a receiver beside a sender, through a daemon ---- */

struct talk {
    mailbox mbox;
    const char *group;
    /* How far the receiver is: a sender far ahead would be a slow reader's sender. */
    int received;
};

static void *send_all(void *argument)
{
    struct talk *talk = argument;
    static char body[LARGE];
    int i;

    for (i = 0; i < messages; i++) {
        int size = size_of_message((unsigned)i);

        WAIT_UNTIL(i - __atomic_load_n(&talk->received, __ATOMIC_SEQ_CST) < 50);
        number_body(body, size, (unsigned)i);
        CHECK_EQ(SP_multicast(talk->mbox, AGREED_MESS, talk->group, 0, size, body), size);
    }
    return NULL;
}

static void receiver_and_sender(const char *name)
{
    char own[MAX_GROUP_NAME];
    struct talk talk = {.group = own};
    struct worker sender;
    int i;

    check_case("%s: a receiver beside a sender", name);
    talk.mbox = session(name, true, own);
    worker_start(&sender, send_all, &talk);
    for (i = 0; i < messages; i++) {
        struct got got;

        receive(talk.mbox, &got, 0, 1, LARGE);
        CHECK_EQ(got.result, size_of_message((unsigned)i));
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), i);
        CHECK_STR(got.sender, own);
        got_free(&got);
        __atomic_store_n(&talk.received, i + 1, __ATOMIC_SEQ_CST);
    }
    worker_join(&sender);
    CHECK_EQ(SP_disconnect(talk.mbox), 0);
}

/* ---- several receivers ---- */

struct share {
    mailbox mbox;
    char *seen;
    int number;
};

static void *receive_until_end(void *argument)
{
    struct share *share = argument;
    int last = -1;

    for (;;) {
        struct got got;
        int number;

        receive(share->mbox, &got, 0, 1, LARGE);
        if (got.result < 0) {
            int result = got.result;

            got_free(&got);
            if (result != NET_ERROR_ON_SESSION)
                CHECK_EQ(result, CONNECTION_CLOSED);
            return NULL;
        }
        number = (int)NUMBER_OF_BODY(got.body, got.result);
        CHECK_EQ(got.result, size_of_message((unsigned)number));
        CHECK_STR(got.groups[0], "room");
        CHECK_STR(got.sender, "#peer#fake");
        got_free(&got);
        /* Each of them sees the order of the stream, with gaps. */
        CHECK_BETWEEN(number, last + 1, messages - 1);
        last = number;
        CHECK_EQ(__atomic_exchange_n(&share->seen[number], 1, __ATOMIC_SEQ_CST), 0);
        __atomic_fetch_add(&share->number, 1, __ATOMIC_SEQ_CST);
    }
}

static void several_receivers(const char *name)
{
    struct share share = {.number = 0};
    struct worker receivers[3];
    char *body = malloc(LARGE);
    size_t k;
    int daemon;
    int i;

    check_case("%s: several receivers", name);
    share.seen = calloc((size_t)messages, 1);
    CHECK(share.seen != NULL && body != NULL);
    daemon = fake_session(&fake, name, &share.mbox);
    for (k = 0; k < COUNT_OF(receivers); k++)
        worker_start(&receivers[k], receive_until_end, &share);
    for (i = 0; i < messages; i++) {
        struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = body, .size = size_of_message((unsigned)i)};

        number_body(body, frame.size, (unsigned)i);
        fake_send(daemon, &frame);
    }
    WAIT_UNTIL(__atomic_load_n(&share.number, __ATOMIC_SEQ_CST) == messages);
    SYS(close(daemon));
    for (k = 0; k < COUNT_OF(receivers); k++)
        worker_join(&receivers[k]);
    SP_kill(share.mbox);
    free(share.seen);
    free(body);
}

/* ---- several senders ---- */

struct part {
    mailbox mbox;
    int which;
};

static void *send_part(void *argument)
{
    const struct part *part = argument;
    char *body = malloc(LARGE);
    int i;

    CHECK(body != NULL);
    for (i = 0; i < messages; i++) {
        int size = size_of_message((unsigned)i);
        scatter pieces = {.num_elements = 2, .elements = {{body, 3}, {body + 3, (size_t)size - 3}}};

        number_body(body, size, (unsigned)i);
        if (i % 2 == 0)
            CHECK_EQ(SP_multicast(part->mbox, FIFO_MESS, "room", (int16)part->which, size, body), size);
        else
            CHECK_EQ(SP_scat_multicast(part->mbox, FIFO_MESS, "room", (int16)part->which, &pieces), size);
        if (i % 10 == 0)
            CHECK_EQ(SP_join(part->mbox, part->which == 0 ? "a" : "b"), 0);
    }
    free(body);
    return NULL;
}

/* No frame is cut by another one, and each sender's own order is kept. */
static void several_senders(const char *name)
{
    struct part parts[2];
    struct worker senders[2];
    int next[2] = {0, 0};
    int joins[2] = {0, 0};
    struct sent sent;
    mailbox mbox;
    int daemon;
    int k;

    check_case("%s: several senders", name);
    daemon = fake_session(&fake, name, &mbox);
    for (k = 0; k < 2; k++) {
        parts[k].mbox = mbox;
        parts[k].which = k;
        worker_start(&senders[k], send_part, &parts[k]);
    }
    while (next[0] + next[1] < 2 * messages || joins[0] + joins[1] < 2 * ((messages + 9) / 10)) {
        CHECK(fake_receive(daemon, &sent));
        CHECK_STR(sent.sender, FAKE_PRIVATE_GROUP);
        CHECK_EQ(sent.num_groups, 1);
        if (sent.type == (0x10000 | MARKERS)) {
            joins[sent.groups[0][0] - 'a']++;
        } else {
            k = (int)(sent.hint >> 8 & 0xffff);
            CHECK_EQ(sent.type, FIFO_MESS | MARKERS);
            CHECK_BETWEEN(k, 0, 1);
            CHECK_EQ(sent.size, size_of_message((unsigned)next[k]));
            CHECK_EQ(NUMBER_OF_BODY(sent.body, sent.size), next[k]);
            next[k]++;
        }
        sent_free(&sent);
    }
    for (k = 0; k < 2; k++)
        worker_join(&senders[k]);
    SP_kill(mbox);
    SYS(close(daemon));
}

/* ---- sessions made and ended in many threads at a time ---- */

static void *come_and_go(void *name)
{
    int i;

    for (i = 0; i < 20; i++) {
        char own[MAX_GROUP_NAME];
        mailbox mbox = session(name, true, own);

        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, own, 4, 3, "own"), 3);
        EXPECT_DATA(mbox, FIFO_MESS, own, own, 4, "own", 3);
        if (i % 2 == 0)
            CHECK_EQ(SP_disconnect(mbox), 0);
        else
            SP_kill(mbox);
    }
    return NULL;
}

static void many_threads(void)
{
    struct worker workers[8];
    size_t k;

    check_case("sessions in many threads");
    for (k = 0; k < COUNT_OF(workers); k++)
        worker_start(&workers[k], come_and_go, (void *)check_name((int)k % check_names));
    for (k = 0; k < COUNT_OF(workers); k++)
        worker_join(&workers[k]);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "threads_shared", 40);
    check_needs_names();
    messages = (int)check_count(is_slow() ? 300 : 3000);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        several_receivers(name);
        several_senders(name);
    }
    for (i = 0; i < check_names; i++)
        receiver_and_sender(check_name(i));
    many_threads();
    fake_close(&fake);
    return check_done();
}
