/* send_window: a session's own messages under way. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "fl.h"
#include "session.h"
#include "sp_ext.h"

#define WINDOW 3

static struct fake fake;

static char room[1][MAX_GROUP_NAME] = {"room"};

static unsigned long in_flight(mailbox mbox)
{
    SPX_stats stats;

    stats.size = sizeof stats;
    CHECK_EQ(SPX_get_stats(mbox, &stats), 0);
    CHECK_EQ((long long)stats.size, (long long)sizeof stats);
    return stats.in_flight;
}

/* A send that does not wait. */
static int put(mailbox mbox, service type)
{
    return SPX_multicast(mbox, type, 1, (const char (*)[MAX_GROUP_NAME])room, 0, 1, "x", 0);
}

/* A session in "room", with the window; the daemon has got the join. */
static int joined_with(const char *name, const char *more, mailbox *mbox)
{
    char with[200];
    struct sent sent;
    int daemon;

    snprintf(with, sizeof with, "%s?send_window=%d%s", name, WINDOW, more);
    daemon = fake_session(&fake, with, mbox);
    CHECK_EQ(SP_join(*mbox, "room"), 0);
    CHECK(fake_receive(daemon, &sent));
    sent_free(&sent);
    return daemon;
}

static int joined(const char *name, mailbox *mbox)
{
    return joined_with(name, "", mbox);
}

static void give_back(int daemon, service type)
{
    struct frame own = {.type = (unsigned)type, .sender = FAKE_PRIVATE_GROUP, .groups = "room", .body = "x", .size = 1};

    fake_send(daemon, &own);
}

static void show_view(int daemon)
{
    static const char body[16];
    struct frame view = {.type = REG_MEMB_MESS | CAUSED_BY_JOIN,
                         .sender = "room",
                         .groups = "#you#fake " FAKE_PRIVATE_GROUP,
                         .body = body,
                         .size = sizeof body};

    fake_send(daemon, &view);
}

static void fill_it(mailbox mbox)
{
    int i;

    for (i = 0; i < WINDOW; i++)
        CHECK_EQ(put(mbox, FIFO_MESS), 1);
}

/* ---- what counts ---- */

static void the_window_is_exact(const char *name)
{
    mailbox mbox;
    int daemon = joined(name, &mbox);
    int i;

    check_case("%s: exact", name);
    fill_it(mbox);
    CHECK_EQ((long long)in_flight(mbox), WINDOW);
    for (i = 0; i < 20; i++) {
        CHECK_EQ(put(mbox, SAFE_MESS), SPX_TRY_AGAIN);
        CHECK(strstr(SPX_last_error(), "send_window=3") != NULL);
        /* It comes back to the library, and the program does not receive it. */
        give_back(daemon, FIFO_MESS);
        WAIT_UNTIL(in_flight(mbox) == WINDOW - 1);
        CHECK_EQ(put(mbox, AGREED_MESS), 1);
        CHECK_EQ((long long)in_flight(mbox), WINDOW);
    }
    /* Waits for it, for longer than this takes. */
    give_back(daemon, FIFO_MESS);
    CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 1, (const char (*)[MAX_GROUP_NAME])room, 0, 1, "x", scaled(10000)), 1);
    CHECK_EQ((long long)in_flight(mbox), WINDOW);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void what_may_not_come_back_does_not_count(const char *name)
{
    char other[2][MAX_GROUP_NAME] = {"other", "#you#fake"};
    mailbox mbox;
    int daemon = joined(name, &mbox);
    int i;

    check_case("%s: not counted", name);
    for (i = 0; i < 2 * WINDOW; i++) {
        CHECK_EQ(put(mbox, FIFO_MESS | SELF_DISCARD), 1);
        CHECK_EQ(put(mbox, UNRELIABLE_MESS), 1);
        CHECK_EQ(put(mbox, RELIABLE_MESS), 1);
        CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 2, (const char (*)[MAX_GROUP_NAME])other, 0, 1, "x", 0), 1);
    }
    CHECK_EQ((long long)in_flight(mbox), 0);

    check_case("%s: reliable ones once the session has seen itself", name);
    show_view(daemon);
    WAIT_UNTIL(put(mbox, RELIABLE_MESS) == 1 && in_flight(mbox) == WINDOW);
    CHECK_EQ(put(mbox, RELIABLE_MESS), SPX_TRY_AGAIN);
    CHECK_EQ(put(mbox, UNRELIABLE_MESS), 1);
    give_back(daemon, UNRELIABLE_MESS);
    give_back(daemon, RELIABLE_MESS);
    WAIT_UNTIL(in_flight(mbox) == WINDOW - 1);

    check_case("%s: to oneself, and to several", name);
    strcpy(other[0], FAKE_PRIVATE_GROUP);
    CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 2, (const char (*)[MAX_GROUP_NAME])other, 0, 1, "x", 0), 1);
    CHECK_EQ((long long)in_flight(mbox), WINDOW);

    check_case("%s: after a leave", name);
    CHECK_EQ(SP_leave(mbox, "room"), 0);
    CHECK_EQ(put(mbox, FIFO_MESS), 1);
    CHECK_EQ((long long)in_flight(mbox), WINDOW);
    fake_send(daemon, &(struct frame){.type = CAUSED_BY_LEAVE, .sender = "room"});
    /* On a unix mailbox the last byte of all stays in the socket. */
    give_back(daemon, UNRELIABLE_MESS);
    WAIT_UNTIL(in_flight(mbox) == 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

/* A batch that is held back by nobody but us must not hold itself up. */
static void collected_messages_go_out(const char *name)
{
    struct sent sent;
    mailbox mbox;
    int daemon = joined(name, &mbox);
    int i;

    check_case("%s: corked", name);
    CHECK_EQ(SPX_cork(mbox), 0);
    fill_it(mbox);
    CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 1, (const char (*)[MAX_GROUP_NAME])room, 0, 1, "x", 20), SPX_TRY_AGAIN);
    for (i = 0; i < WINDOW; i++) {
        CHECK(fake_receive(daemon, &sent));
        sent_free(&sent);
    }
    SP_kill(mbox);
    SYS(close(daemon));
}

/* ---- waiting ---- */

static void *multicast(void *mbox)
{
    return (void *)(long)SP_multicast(*(mailbox *)mbox, FIFO_MESS, "room", 0, 1, "x");
}

/* Several threads, and each that comes back lets one of them in. */
static void all_who_wait_get_their_turn(const char *name)
{
    enum { THREADS = 8 };
    struct worker senders[THREADS];
    mailbox mbox;
    int daemon = joined_with(name, "&send_window_ms=3600000", &mbox);
    int let_in;
    int i;

    check_case("%s: eight threads", name);
    fill_it(mbox);
    for (i = 0; i < THREADS; i++)
        worker_start(&senders[i], multicast, &mbox);
    for (i = 0; i < THREADS; i++)
        worker_blocks(&senders[i]);
    for (let_in = 0; let_in < THREADS; let_in++) {
        int done;

        give_back(daemon, FIFO_MESS);
        do {
            done = 0;
            for (i = 0; i < THREADS; i++)
                done += worker_done(&senders[i]);
            rest();
        } while (done <= let_in);
        CHECK_EQ(done, let_in + 1);
        CHECK_EQ((long long)in_flight(mbox), WINDOW);
    }
    for (i = 0; i < THREADS; i++)
        CHECK_EQ((long)worker_join(&senders[i]), 1);
    SP_kill(mbox);
    SYS(close(daemon));
}

/* Classic programs get no code that they do not know: the window is a brake then. */
static void after_the_time_it_is_sent_all_the_same(const char *name)
{
    mailbox mbox;
    int daemon = joined_with(name, "&send_window_ms=100", &mbox);
    SPX_stats stats;
    long long before;

    check_case("%s: a limit of time", name);
    fill_it(mbox);
    before = now_ms();
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), 1);
    CHECK_BETWEEN(now_ms() - before, 100, scaled(10000));
    CHECK_EQ((long long)in_flight(mbox), WINDOW + 1);
    before = now_ms();
    CHECK_EQ(SPX_multicast(mbox, FIFO_MESS, 1, (const char (*)[MAX_GROUP_NAME])room, 0, 1, "x", 300), SPX_TRY_AGAIN);
    CHECK_BETWEEN(now_ms() - before, 300, scaled(10000));
    stats.size = sizeof stats;
    CHECK_EQ(SPX_get_stats(mbox, &stats), 0);
    CHECK_BETWEEN((long long)stats.window_waited_ms, 390, scaled(20000));
    SP_kill(mbox);
    SYS(close(daemon));
}

/* With a full window and a sender that waits for the daemon alone. */
static int held_up(const char *name, const char *more, mailbox *mbox, struct worker *sender)
{
    char with[100];
    int daemon;

    snprintf(with, sizeof with, "&send_window_ms=3600000%s", more);
    daemon = joined_with(name, with, mbox);
    fill_it(*mbox);
    worker_start(sender, multicast, mbox);
    worker_blocks(sender);
    return daemon;
}

static void *disconnect(void *mbox)
{
    return (void *)(long)SP_disconnect(*(mailbox *)mbox);
}

static void the_end_of_the_session_ends_the_wait(const char *name)
{
    struct worker sender;
    struct worker other;
    mailbox mbox;
    int daemon;

    check_case("%s: lost while a sender waits", name);
    daemon = held_up(name, "", &mbox, &sender);
    SYS(close(daemon));
    CHECK_EQ((long)worker_join(&sender), CONNECTION_CLOSED);
    SP_kill(mbox);

    check_case("%s: disconnected while a sender waits", name);
    daemon = held_up(name, "&disconnect_ms=100", &mbox, &sender);
    worker_start(&other, disconnect, &mbox);
    CHECK_EQ((long)worker_join(&sender), CONNECTION_CLOSED);
    CHECK_EQ((long)worker_join(&other), 0);
    SYS(close(daemon));
}

/* A cancelled thread neither keeps its place nor ends the session. */
static void waiting_threads_can_be_cancelled(const char *name)
{
    struct worker sender;
    mailbox mbox;
    int daemon;

    check_case("%s: cancelled", name);
    daemon = held_up(name, "", &mbox, &sender);
    PTHREAD(pthread_cancel(sender.thread));
    CHECK(worker_join(&sender) == PTHREAD_CANCELED);
    CHECK_EQ((long long)in_flight(mbox), WINDOW);
    give_back(daemon, FIFO_MESS);
    WAIT_UNTIL(in_flight(mbox) == WINDOW - 1);
    CHECK_EQ(put(mbox, FIFO_MESS), 1);
    CHECK_EQ(put(mbox, FIFO_MESS), SPX_TRY_AGAIN);
    SP_kill(mbox);
    SYS(close(daemon));
}

static sigjmp_buf back;

static void jump(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static mailbox jumper_mbox;

/* Leaves its wait with a jump; then sends again. */
static void *jumper(void *unused)
{
    (void)unused;
    if (sigsetjmp(back, 1) == 0) {
        SP_multicast(jumper_mbox, FIFO_MESS, "room", 0, 1, "x");
        return (void *)1000L;
    }
    return (void *)(long)put(jumper_mbox, FIFO_MESS);
}

static void waiting_threads_may_jump_out(const char *name)
{
    struct sigaction action = {.sa_handler = jump};
    struct worker sender;
    int daemon = joined_with(name, "&send_window_ms=3600000", &jumper_mbox);

    check_case("%s: left with a jump", name);
    sigemptyset(&action.sa_mask);
    SYS(sigaction(SIGUSR1, &action, NULL));
    fill_it(jumper_mbox);
    worker_start(&sender, jumper, NULL);
    worker_blocks(&sender);
    PTHREAD(pthread_kill(sender.thread, SIGUSR1));
    CHECK_EQ((long)worker_join(&sender), SPX_TRY_AGAIN);
    give_back(daemon, FIFO_MESS);
    WAIT_UNTIL(in_flight(jumper_mbox) == WINDOW - 1);
    CHECK_EQ(put(jumper_mbox, FIFO_MESS), 1);
    CHECK_EQ(put(jumper_mbox, FIFO_MESS), SPX_TRY_AGAIN);
    SP_kill(jumper_mbox);
    SYS(close(daemon));
}

/* Another thread receives, and what it takes directly counts as well. */
static void *receive_all(void *mbox)
{
    struct got got;
    long count = -1;
    int result;

    do {
        receive_any(*(mailbox *)mbox, &got);
        result = got.result;
        got_free(&got);
        count++;
    } while (result >= 0);
    return (void *)count;
}

static void a_receiving_thread_lets_senders_in(const char *name)
{
    enum { ROUNDS = 300 };
    struct worker receiver;
    struct sent sent;
    mailbox mbox;
    int daemon = joined_with(name, "&send_window_ms=3600000", &mbox);
    int i;

    check_case("%s: with a thread that receives", name);
    worker_start(&receiver, receive_all, &mbox);
    fill_it(mbox);
    for (i = 0; i < ROUNDS; i++) {
        CHECK(fake_receive(daemon, &sent));
        sent_free(&sent);
        give_back(daemon, FIFO_MESS);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), 1);
        CHECK((long long)in_flight(mbox) <= WINDOW);
    }
    SYS(close(daemon));
    CHECK_EQ((long)worker_join(&receiver), ROUNDS);
    SP_kill(mbox);
}

/* ---- processes ---- */

/* What comes back may go to the other process, so nothing is held up as long as there is one. */
static void a_forked_process_is_not_held_up(const char *name)
{
    mailbox mbox;
    int daemon = joined_with(name, "&send_window_ms=3600000", &mbox);
    pid_t child;
    int stop[2];
    char byte;
    int i;

    check_case("%s: forked", name);
    fill_it(mbox);
    SYS(pipe(stop));
    child = fork_checked();
    if (child == 0) {
        for (i = 0; i < 2 * WINDOW; i++)
            CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), 1);
        SYS(close(stop[1]));
        SYS(read(stop[0], &byte, 1));
        child_done();
    }
    SYS(close(stop[0]));
    for (i = 0; i < 2 * WINDOW; i++)
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), 1);
    SYS(close(stop[1]));
    wait_for_child(child);

    check_case("%s: alone again", name);
    WAIT_UNTIL(put(mbox, FIFO_MESS) == SPX_TRY_AGAIN);
    CHECK_EQ((long long)in_flight(mbox), WINDOW);
    SP_kill(mbox);
    SYS(close(daemon));
}

/* ---- a daemon ---- */

/* One thread that sends more than the window holds and receives only then. */
static void one_thread_does_not_lock_itself_up(const char *name)
{
    enum { MESSAGES = 2000 };
    char with[100];
    char group[MAX_GROUP_NAME];
    struct got got;
    char own[MAX_GROUP_NAME];
    char body[100];
    SPX_stats stats;
    mailbox mbox;
    int i;

    check_case("%s: one thread", name);
    snprintf(with, sizeof with, "%s?send_window=5&send_window_ms=3600000", name);
    mbox = session(with, true, own);
    new_group(group, "window");
    /* The message of the join is not waited for. */
    CHECK_EQ(SP_join(mbox, group), 0);
    for (i = 0; i < MESSAGES; i++) {
        number_body(body, sizeof body, (unsigned)i);
        CHECK_EQ(SP_multicast(mbox, i % 7 == 0 ? SAFE_MESS : AGREED_MESS, group, 0, sizeof body, body), (int)sizeof body);
        CHECK(in_flight(mbox) <= 5);
    }
    EXPECT_MEMBERSHIP(mbox, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    got_free(&got);
    for (i = 0; i < MESSAGES; i++) {
        receive_any(mbox, &got);
        CHECK_EQ(got.result, (int)sizeof body);
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), (unsigned)i);
        got_free(&got);
    }
    CHECK_EQ((long long)in_flight(mbox), 0);
    stats.size = sizeof stats;
    CHECK_EQ(SPX_get_stats(mbox, &stats), 0);
    CHECK_EQ((long long)stats.messages_out, MESSAGES);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* Join, message, leave, at once and again and again: what is counted comes back, so nothing stays. */
static void joins_and_leaves_are_ordered_with_messages(const char *name, bool membership)
{
    static const service types[] = {FIFO_MESS, CAUSAL_MESS, AGREED_MESS, SAFE_MESS, RELIABLE_MESS};
    char with[100];
    char group[MAX_GROUP_NAME];
    mailbox mbox;
    int i;

    check_case("%s: joins, messages, leaves, %s memberships", name, membership ? "with" : "without");
    snprintf(with, sizeof with, "%s?send_window=4&send_window_ms=3600000", name);
    mbox = session(with, membership, NULL);
    new_group(group, "window");
    for (i = 0; i < 300; i++) {
        CHECK_EQ(SP_join(mbox, group), 0);
        CHECK_EQ(SP_multicast(mbox, types[i % 5], group, 0, 1, "x"), 1);
        CHECK_EQ(SP_multicast(mbox, types[i % 5], group, 0, 1, "x"), 1);
        CHECK_EQ(SP_leave(mbox, group), 0);
    }
    WAIT_UNTIL(in_flight(mbox) == 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static int flush_receive(mailbox mbox, service *type, char sender[MAX_GROUP_NAME])
{
    static char groups[5][MAX_GROUP_NAME];
    static char body[1000];
    int more;
    int num_groups;
    int16 mess_type;
    int endian;

    *type = 0;
    return FL_receive(mbox, type, sender, COUNT_OF(groups), &num_groups, groups, &mess_type, &endian, sizeof body, body, &more);
}

/* The layer's own messages come back as well. */
static void flush_groups_have_the_window_too(const char *name)
{
    enum { MESSAGES = 300 };
    char private_name[MAX_PRIVATE_NAME + 1];
    char own[MAX_GROUP_NAME];
    char sender[MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    char with[100];
    mailbox mbox;
    service type;
    int round;
    int i;

    check_case("%s: a flush group", name);
    snprintf(with, sizeof with, "%s?send_window=3&send_window_ms=3600000", name);
    new_private_name(private_name);
    new_group(group, "window");
    CHECK_EQ(FL_connect(with, private_name, 0, &mbox, own), 1);
    for (round = 0; round < 2; round++) {
        CHECK_EQ(FL_join(mbox, group), 0);
        do {
            CHECK(flush_receive(mbox, &type, sender) >= 0);
            if (type == FLUSH_REQ_MESS)
                CHECK_EQ(FL_flush(mbox, group), 0);
        } while (!Is_reg_memb_mess(type));
        for (i = 0; i < MESSAGES; i++) {
            CHECK_EQ(FL_multicast(mbox, i % 2 ? RELIABLE_MESS : SAFE_MESS, group, 0, 5, "hello"), 5);
            CHECK(in_flight(mbox) <= 3);
        }
        CHECK(FL_multicast(mbox, AGREED_MESS, "not joined", 0, 5, "hello") < 0);
        for (i = 0; i < MESSAGES; i++) {
            CHECK_EQ(flush_receive(mbox, &type, sender), 5);
            CHECK_STR(sender, own);
        }
        CHECK_EQ((long long)in_flight(mbox), 0);
        CHECK_EQ(FL_leave(mbox, group), 0);
        do
            CHECK(flush_receive(mbox, &type, sender) >= 0);
        while (!Is_self_leave(type));
    }
    CHECK_EQ(FL_disconnect(mbox), 0);
}

/* A program that was compiled when there were fewer figures. */
static void fewer_figures_are_all_right(const char *name)
{
    union {
        SPX_stats stats;
        unsigned char bytes[sizeof(SPX_stats)];
    } room_for;
    size_t first = offsetof(SPX_stats, in_flight);
    mailbox mbox = session(name, true, NULL);

    check_case("%s: figures of an older header", name);
    memset(&room_for, 0x5a, sizeof room_for);
    room_for.stats.size = first;
    CHECK_EQ(SPX_get_stats(mbox, &room_for.stats), 0);
    CHECK_EQ((long long)room_for.stats.size, (long long)first);
    CHECK_EQ(room_for.stats.state, SPX_STATE_OPEN);
    CHECK_EQ(room_for.bytes[first], 0x5a);
    room_for.stats.size = first - 1;
    CHECK_EQ(SPX_get_stats(mbox, &room_for.stats), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "window", 120);
    check_needs_names();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        the_window_is_exact(name);
        what_may_not_come_back_does_not_count(name);
        collected_messages_go_out(name);
        all_who_wait_get_their_turn(name);
        after_the_time_it_is_sent_all_the_same(name);
        the_end_of_the_session_ends_the_wait(name);
        waiting_threads_can_be_cancelled(name);
        waiting_threads_may_jump_out(name);
        a_receiving_thread_lets_senders_in(name);
        a_forked_process_is_not_held_up(name);
    }
    fake_close(&fake);
    for (i = 0; i < check_names; i++) {
        one_thread_does_not_lock_itself_up(check_name(i));
        joins_and_leaves_are_ordered_with_messages(check_name(i), true);
        joins_and_leaves_are_ordered_with_messages(check_name(i), false);
        flush_groups_have_the_window_too(check_name(i));
        fewer_figures_are_all_right(check_name(i));
    }
    return check_done();
}
