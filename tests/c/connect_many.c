/* More than a thousand sessions in one process, and mailbox numbers that stay as small as programs with FD_SET need them. */
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

#include "fake.h"

#define CLASSIC_LIMIT 1024

static struct fake fake;

/* Connects to the fake daemon, with its part of the handshake in a process of its own: that one has room for its descriptors. */
static pid_t serve(int sessions)
{
    pid_t child = fork_checked();
    int i;

    if (child != 0)
        return child;
    for (i = 0; i < sessions; i++) {
        struct visit visit;

        fake_start(&visit, &fake, usual_handshake);
        fake_finish(&visit);
        CHECK(!visit.ended_early);
    }
    /* Until the parent is done. */
    for (;;)
        pause();
}

static void more_than_classic(void)
{
    static mailbox mboxes[CLASSIC_LIMIT + 10];
    int number = COUNT_OF(mboxes);
    char private_group[MAX_GROUP_NAME];
    pid_t daemon;
    int i;

    check_case("more sessions than the classic library allows");
    if (!allow_descriptors(CLASSIC_LIMIT + 100)) {
        fprintf(stderr, "skipped: the limit of descriptors is too low for %d sessions\n", number);
        return;
    }
    daemon = serve(number);
    for (i = 0; i < number; i++) {
        mboxes[i] = -77;
        if (i >= CLASSIC_LIMIT && CLASSIC("sessions per process")) {
            CHECK_EQ(SP_connect(fake.unix_name, "me", 0, 1, &mboxes[i], private_group), REJECT_QUOTA);
            mboxes[i] = -77;
            continue;
        }
        CHECK_EQ(SP_connect(fake.unix_name, "me", 0, 1, &mboxes[i], private_group), ACCEPT_SESSION);
    }
    /* Each one is found by its number. */
    for (i = 0; i < number; i++)
        if (mboxes[i] != -77) {
            CHECK_EQ(SP_poll(mboxes[i]), 0);
            CHECK_EQ(SP_disconnect(mboxes[i]), 0);
            CHECK_EQ(SP_poll(mboxes[i]), ILLEGAL_SESSION);
        }
    kill_child(daemon);
}

static void small_numbers(const char *name)
{
    static mailbox mboxes[300];
    int number = COUNT_OF(mboxes);
    char private_group[MAX_GROUP_NAME];
    pid_t daemon;
    int i;

    check_case("%s: mailbox numbers stay small", name);
    if (!allow_descriptors(FD_SETSIZE + 4 * number)) {
        fprintf(stderr, "skipped: the limit of descriptors is too low for %d sessions on TCP\n", number);
        return;
    }
    daemon = serve(number);
    for (i = 0; i < number; i++) {
        int lowest = lowest_free_descriptor();

        CHECK_EQ(SP_connect(name, "me", 0, 1, &mboxes[i], private_group), ACCEPT_SESSION);
        /* Some descriptors may belong to the library, but not some for each session. */
        CHECK_BETWEEN(mboxes[i], lowest, lowest + 10);
        CHECK_BETWEEN(mboxes[i], 0, number + 40);
    }
    for (i = 0; i < number; i++)
        SP_kill(mboxes[i]);
    kill_child(daemon);
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "connect_many", 30);
    fake_open(&fake);
    more_than_classic();
    small_numbers(fake.unix_name);
    small_numbers(fake.tcp_name);
    fake_close(&fake);
    return check_done();
}
