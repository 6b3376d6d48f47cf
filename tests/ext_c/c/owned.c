/* SPX_receive, SPX_interrupt, SPX_multicast, SPX_drain, SPX_state and the figures. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"
#include "sp_ext.h"

static SPX_message *must_receive(mailbox mbox)
{
    SPX_message *message = NULL;
    int size = SPX_receive(mbox, &message, scaled(10000));

    if (size < 0 || message == NULL || (size_t)size != message->mess_len)
        FAIL("SPX_receive gives %d: %s", size, SPX_last_error());
    return message;
}

static void figures(mailbox mbox, SPX_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->size = sizeof *stats;
    CHECK_EQ(SPX_get_stats(mbox, stats), 0);
    CHECK_EQ((long long)stats->size, (long long)sizeof *stats);
}

static void messages_of_any_size(const char *name)
{
    static const int sizes[] = {0, 1, 5, 4096, 65536, 100000, 140000};
    char own[MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    static char body[140000];
    mailbox mbox = session(name, true, own);
    SPX_message *message;
    SPX_stats stats;
    size_t i;

    check_case("%s: a membership message", name);
    new_group(group, "owned");
    CHECK_EQ(SP_join(mbox, group), 0);
    message = must_receive(mbox);
    CHECK(Is_reg_memb_mess(message->service_type));
    CHECK_STR(message->sender, group);
    CHECK_EQ(message->num_groups, 1);
    CHECK_STR(message->groups[0], own);
    CHECK_EQ(message->mess_type, 0);
    SPX_message_free(message);

    for (i = 0; i < COUNT_OF(sizes); i++) {
        check_case("%s: %d bytes", name, sizes[i]);
        memset(body, 'a' + (int)i, (size_t)sizes[i]);
        CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, (int16)i, sizes[i], body), sizes[i]);
        message = must_receive(mbox);
        CHECK(Is_agreed_mess(message->service_type));
        CHECK_STR(message->sender, own);
        CHECK_EQ(message->num_groups, 1);
        CHECK_STR(message->groups[0], group);
        CHECK_EQ(message->mess_type, (int)i);
        CHECK_EQ((long long)message->mess_len, sizes[i]);
        CHECK_MEM(message->mess, body, (size_t)sizes[i]);
        CHECK_EQ(message->mess[sizes[i]], 0);
        CHECK_EQ(message->endian_mismatch, 0);
        SPX_message_free(message);
    }
    SPX_message_free(NULL);

    check_case("%s: figures", name);
    figures(mbox, &stats);
    CHECK_EQ(stats.state, SPX_STATE_OPEN);
    CHECK_EQ((long long)stats.messages_out, (long long)COUNT_OF(sizes));
    CHECK_EQ((long long)stats.messages_in, (long long)COUNT_OF(sizes) + 1);
    CHECK_EQ((long long)stats.bytes_out, (48 + 32) * (long long)COUNT_OF(sizes) + 309638);
    CHECK_EQ((long long)stats.waiting_bytes, 0);
    CHECK_EQ(SPX_state(mbox), SPX_STATE_OPEN);

    check_case("%s: the end", name);
    CHECK_EQ(SP_leave(mbox, group), 0);
    message = must_receive(mbox);
    CHECK(Is_self_leave(message->service_type));
    CHECK_EQ(message->num_groups, 0);
    SPX_message_free(message);
    CHECK_EQ(SPX_drain(mbox, scaled(10000)), 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_EQ(SPX_receive(mbox, &message, 0), ILLEGAL_SESSION);
    CHECK_EQ(SPX_interrupt(mbox), ILLEGAL_SESSION);
    CHECK_EQ(SPX_state(mbox), ILLEGAL_SESSION);
    CHECK_EQ(SPX_drain(mbox, 0), ILLEGAL_SESSION);
    CHECK_EQ(SPX_get_stats(mbox, &stats), ILLEGAL_SESSION);
}

static void limits_of_time(const char *name)
{
    mailbox mbox = session(name, true, NULL);
    SPX_message *message = NULL;
    long long before = now_ms();

    check_case("%s: limits", name);
    CHECK_EQ(SPX_receive(mbox, &message, 0), SPX_TRY_AGAIN);
    CHECK_EQ(SPX_receive(mbox, &message, 50), SPX_TIMEOUT);
    CHECK_BETWEEN(now_ms() - before, 50, scaled(10000));
    CHECK(message == NULL);
    CHECK_EQ(SPX_receive(mbox, NULL, 0), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* ---- interrupts ---- */

static mailbox interrupted;

static void *receive_for_ever(void *unused)
{
    /* Not on the stack: AddressSanitizer guards what is there, and a cancelled thread leaves the guards behind. */
    static SPX_message *message;
    static int result;

    (void)unused;
    result = SPX_receive(interrupted, &message, -1);
    return &result;
}

static void interrupt_from_handler(int signal)
{
    (void)signal;
    SPX_interrupt(interrupted);
}

static void a_wait_is_ended(const char *name, bool by_signal)
{
    struct worker receiver;
    SPX_message *message = NULL;
    struct sigaction action = {.sa_handler = interrupt_from_handler};

    check_case("%s: interrupted by %s", name, by_signal ? "a signal's handler" : "a thread");
    interrupted = session(name, true, NULL);
    worker_start(&receiver, receive_for_ever, NULL);
    worker_blocks(&receiver);
    if (by_signal) {
        SYS(sigaction(SIGUSR1, &action, NULL));
        /* In the very thread that waits. */
        PTHREAD(pthread_kill(receiver.thread, SIGUSR1));
    } else {
        CHECK_EQ(SPX_interrupt(interrupted), 0);
    }
    CHECK_EQ(*(int *)worker_join(&receiver), SPX_INTERRUPTED);

    check_case("%s: interrupted before it waits, once", name);
    CHECK_EQ(SPX_interrupt(interrupted), 0);
    CHECK_EQ(SPX_interrupt(interrupted), 0);
    CHECK_EQ(SPX_receive(interrupted, &message, scaled(10000)), SPX_INTERRUPTED);
    CHECK_EQ(SPX_receive(interrupted, &message, 10), SPX_TIMEOUT);

    check_case("%s: what has come is delivered first", name);
    join(interrupted, "interrupted");
    CHECK_EQ(SP_multicast(interrupted, FIFO_MESS, "interrupted", 0, 2, "hi"), 2);
    WAIT_READABLE(interrupted);
    CHECK_EQ(SPX_interrupt(interrupted), 0);
    SPX_message_free(must_receive(interrupted));
    CHECK_EQ(SPX_receive(interrupted, &message, scaled(10000)), SPX_INTERRUPTED);

    check_case("%s: a disconnect ends it too", name);
    worker_start(&receiver, receive_for_ever, NULL);
    worker_blocks(&receiver);
    CHECK_EQ(SP_disconnect(interrupted), 0);
    CHECK_EQ(*(int *)worker_join(&receiver), CONNECTION_CLOSED);
}

static void a_cancelled_wait(const char *name)
{
    struct worker receiver;
    SPX_message *message;
    void *result;

    check_case("%s: cancelled", name);
    interrupted = session(name, true, NULL);
    worker_start(&receiver, receive_for_ever, NULL);
    worker_blocks(&receiver);
    PTHREAD(pthread_cancel(receiver.thread));
    PTHREAD(pthread_join(receiver.thread, &result));
    CHECK(result == PTHREAD_CANCELED);
    CHECK_EQ(SP_join(interrupted, "cancelled"), 0);
    message = must_receive(interrupted);
    CHECK_STR(message->sender, "cancelled");
    SPX_message_free(message);
    CHECK_EQ(SP_disconnect(interrupted), 0);
}

/* ---- sending ---- */

static struct fake fake;
static int taken;

/* Takes what has been sent at the daemon's end, to the end of the connection. */
static void *take_all(void *daemon)
{
    struct sent sent;

    for (taken = 0; fake_receive(*(int *)daemon, &sent); taken++)
        sent_free(&sent);
    return NULL;
}

/* A daemon that reads nothing, until somebody else reads in its name. */
static void sending_does_not_wait_too_long(const char *name)
{
    static const char room[1][MAX_GROUP_NAME] = {"room"};
    static char body[30000];
    struct worker daemon_reads;
    SPX_stats stats;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int sent = 0;
    int result;

    check_case("%s: the daemon does not take more", name);
    while ((result = SPX_multicast(mbox, FIFO_MESS, 1, room, 0, sizeof body, body, 0)) == sizeof body)
        sent++;
    CHECK_EQ(result, SPX_TRY_AGAIN);
    CHECK_BETWEEN(sent, 1, 1000);
    CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 1, room, 0, sizeof body, body, 1), SPX_TRY_AGAIN);
    CHECK_EQ(SPX_drain(mbox, 1), SPX_TIMEOUT);

    check_case("%s: it goes on", name);
    worker_start(&daemon_reads, take_all, &daemon);
    CHECK_EQ(SPX_drain(mbox, scaled(10000)), 0);
    CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 1, room, 4, 5, "again", scaled(10000)), 5);
    figures(mbox, &stats);
    CHECK_EQ((long long)stats.messages_out, sent + 1);
    SP_kill(mbox);
    worker_join(&daemon_reads);
    CHECK_EQ(taken, sent + 1);
    SYS(close(daemon));
}

static void sends_and_figures(const char *name)
{
    static char groups[1][MAX_GROUP_NAME];
    char own[MAX_GROUP_NAME];
    mailbox mbox = session(name, true, own);
    SPX_stats stats;
    char json[2048];
    int result;

    check_case("%s: a multicast", name);
    memcpy(groups[0], own, MAX_GROUP_NAME);
    CHECK_EQ(SPX_multicast(mbox, AGREED_MESS, 1, (const char(*)[MAX_GROUP_NAME])groups, 3, 5, "hello", 0), 5);
    EXPECT_DATA(mbox, AGREED_MESS, own, own, 3, "hello", 5);
    CHECK_EQ(SPX_multicast(mbox, AGREED_MESS, 1, NULL, 3, 5, "hello", 0), ILLEGAL_GROUP);
    CHECK_EQ(SPX_multicast(mbox, 0, 1, (const char(*)[MAX_GROUP_NAME])groups, 3, 5, "hello", 0), ILLEGAL_SERVICE);
    CHECK_EQ(SPX_multicast(mbox, AGREED_MESS, 1, (const char(*)[MAX_GROUP_NAME])groups, 4, 5, "again", scaled(10000)), 5);
    EXPECT_DATA(mbox, AGREED_MESS, own, own, 4, "again", 5);
    figures(mbox, &stats);
    CHECK_EQ((long long)stats.messages_out, 2);

    check_case("%s: figures as text", name);
    result = SPX_stats_json(mbox, sizeof json, json);
    CHECK_EQ((long long)strlen(json), result);
    CHECK(strstr(json, "\"state\":\"open\",\"daemon\":\"") != NULL);
    CHECK(strstr(json, "\"messages_in\":2,") != NULL);
    CHECK_EQ(SPX_stats_json(mbox, 10, json), result);
    CHECK_EQ((long long)strlen(json), 9);
    CHECK_EQ(SPX_stats_json(mbox, 0, NULL), result);
    CHECK_EQ(SPX_stats_json(mbox, -1, json), ILLEGAL_MESSAGE);
    stats.size = 8;
    CHECK_EQ(SPX_get_stats(mbox, &stats), ILLEGAL_MESSAGE);
    CHECK_EQ(SPX_get_stats(mbox, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "owned", 90);
    check_needs_names();
    for (i = 0; i < check_names; i++) {
        messages_of_any_size(check_name(i));
        limits_of_time(check_name(i));
        a_wait_is_ended(check_name(i), false);
        a_wait_is_ended(check_name(i), true);
        a_cancelled_wait(check_name(i));
        sends_and_figures(check_name(i));
    }
    fake_open(&fake);
    sending_does_not_wait_too_long(fake.unix_name);
    sending_does_not_wait_too_long(fake.tcp_name);
    fake_close(&fake);
    return check_done();
}
