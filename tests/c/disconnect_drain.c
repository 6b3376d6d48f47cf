/* A program that sends, disconnects and exits at once loses none of its messages. The hard case is a member of its own group, which
 * has its own messages unread then: a plain close of such a connection makes the kernel drop what the daemon has not read yet. */
#include <string.h>
#include <unistd.h>

#include "session.h"

#define BODY 1000

enum shape { MEMBER, STRANGER, READER };

static const char *const shapes[] = {"member of the group", "not a member", "member that reads"};

/* The process that sends, and ends. */
static void send_and_exit(const char *name, enum shape shape, const char *group, int number)
{
    mailbox mbox = session(name, true, NULL);
    char body[BODY];
    int i;

    if (shape != STRANGER)
        join(mbox, group);
    for (i = 0; i < number; i++) {
        number_body(body, BODY, (unsigned)i);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, group, 0, BODY, body), BODY);
        if (shape == READER) {
            struct got got;

            receive(mbox, &got, 0, 5, BODY);
            CHECK_EQ(got.result, BODY);
            got_free(&got);
        }
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
    child_done();
}

static void nothing_is_lost(const char *name, enum shape shape, int number)
{
    char group[MAX_GROUP_NAME];
    mailbox watcher;
    pid_t child;
    int next = 0;

    check_case("%s: %d messages, %s", name, number, shapes[shape]);
    new_group(group, "drain");
    watcher = session(name, true, NULL);
    join(watcher, group);
    child = fork_checked();
    if (child == 0)
        send_and_exit(name, shape, group, number);

    for (;;) {
        struct got got;

        receive(watcher, &got, 0, 5, BODY);
        if (got.result < 0 && CLASSIC("D31: a slow reader is not dropped")) {
            got_free(&got);
            break;
        }
        CHECK(got.result >= 0);
        if (Is_regular_mess(got.type)) {
            CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), next);
            next++;
        }
        if (Is_caused_disconnect_mess(got.type) || (shape == STRANGER && next == number)) {
            got_free(&got);
            break;
        }
        got_free(&got);
    }
    if (!CLASSIC("SP_disconnect waits for the daemon's close"))
        CHECK_EQ(next, number);
    wait_for_child(child);
    CHECK_EQ(SP_disconnect(watcher), 0);
}

int main(int argc, char **argv)
{
    int number;
    int i;

    check_start(argc, argv, "disconnect_drain", 30);
    check_needs_names();
    number = (int)check_count(1000);
    for (i = 0; i < check_names; i++) {
        nothing_is_lost(check_name(i), MEMBER, number);
        nothing_is_lost(check_name(i), STRANGER, number);
        nothing_is_lost(check_name(i), READER, number);
    }
    return check_done();
}
