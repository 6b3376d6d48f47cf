/* A program under load that starts helpers all the time with fork and exec: nothing is lost, and nobody falls asleep. A thousand
 * helpers with --long, or as many as --count says. */
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;

struct load {
    int daemon;
    int ended;
    unsigned sent;
};

static void *send_until_told(void *argument)
{
    struct load *load = argument;
    char body[100];
    struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = body, .size = sizeof body};
    unsigned i;

    for (i = 0; !__atomic_load_n(&load->ended, __ATOMIC_SEQ_CST); i++) {
        number_body(body, sizeof body, i);
        fake_send(load->daemon, &frame);
        if (i % 50 == 0)
            rest();
    }
    __atomic_store_n(&load->sent, i, __ATOMIC_SEQ_CST);
    frame.mess_type = 1;
    fake_send(load->daemon, &frame);
    return NULL;
}

static void *run_helpers(void *number)
{
    int i;

    for (i = 0; i < *(int *)number; i++) {
        pid_t helper = (pid_t)SYS(fork());

        if (helper == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        wait_for_child(helper);
    }
    return NULL;
}

/* Receives in turns of each style, up to the last message. */
static unsigned receive_all(mailbox mbox)
{
    unsigned next;

    for (next = 0;; next++) {
        struct got got;

        if (next / 100 % 2 == 0) {
            struct timeval time = {scaled(10), 0};
            fd_set set;

            FD_ZERO(&set);
            FD_SET(mbox, &set);
            CHECK_EQ(select(mbox + 1, &set, NULL, NULL, &time), 1);
        }
        receive(mbox, &got, 0, 1, 100);
        CHECK_EQ(got.result, 100);
        if (got.mess_type == 1) {
            got_free(&got);
            return next;
        }
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), next);
        got_free(&got);
    }
}

static void *receive_thread(void *argument)
{
    mailbox mbox = *(mailbox *)argument;

    return (void *)(unsigned long)receive_all(mbox);
}

static void under_load(const char *name, int helpers)
{
    struct load load = {.ended = 0};
    struct worker sender;
    struct worker receiver;
    unsigned received;
    mailbox mbox;

    check_case("%s: %d helpers", name, helpers);
    load.daemon = fake_session(&fake, name, &mbox);
    worker_start(&sender, send_until_told, &load);
    worker_start(&receiver, receive_thread, &mbox);
    run_helpers(&helpers);
    __atomic_store_n(&load.ended, 1, __ATOMIC_SEQ_CST);
    worker_join(&sender);
    received = (unsigned)(unsigned long)worker_join(&receiver);
    CHECK_EQ(received, load.sent);
    CHECK_EQ(SP_poll(mbox), 0);
    SP_kill(mbox);
    SYS(close(load.daemon));
}

int main(int argc, char **argv)
{
    int helpers;

    check_start(argc, argv, "fork_exec_load", 60);
    helpers = (int)check_count(check_long ? 1000 : 30);
    fake_open(&fake);
    under_load(fake.unix_name, helpers);
    under_load(fake.tcp_name, helpers);
    fake_close(&fake);
    return check_done();
}
