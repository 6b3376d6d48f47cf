/* The bytes that SP_connect sends for its arguments. */
#include <string.h>
#include <unistd.h>

#include "fake.h"

static struct fake fake;

struct request {
    const char *private_name;
    int priority;
    int membership;
    int flags;
    const char *sent_name;
};

static const struct request requests[] = {
    {"me", 0, 1, 0x01, "me"},
    {"me", 0, 0, 0x00, "me"},
    {"me", 0, 2, 0x01, "me"},
    {"me", 0, -1, 0x01, "me"},
    {"me", 1, 1, 0x11, "me"},
    {"me", 1, 0, 0x10, "me"},
    {"me", 2, 1, 0x11, "me"},
    {"me", 100000, 0, 0x10, "me"},
    {"me", -1, 1, 0x01, "me"},
    {"", 0, 1, 0x01, ""},
    {NULL, 0, 1, 0x01, ""},
    {"x", 0, 1, 0x01, "x"},
    {"0123456789", 0, 1, 0x01, "0123456789"},
    /* Longer names are cut. */
    {"0123456789a", 0, 1, 0x01, "0123456789"},
    {"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz", 0, 1, 0x01, "0123456789"},
    /* Bytes are the daemon's business. */
    {"a b#c", 0, 1, 0x01, "a b#c"},
    {"\001\377", 0, 1, 0x01, "\001\377"},
};

static void sends(const struct request *request, const char *name)
{
    char private_group[MAX_GROUP_NAME];
    unsigned char choice[90] = "NULL";
    size_t size = strlen(request->sent_name);
    struct visit visit;
    mailbox mbox = -1;
    int daemon;

    check_case("private name \"%s\", priority %d, membership %d (%s)", request->private_name != NULL ? request->private_name : "(null)",
               request->priority, request->membership, is_tcp(name) ? "TCP" : "unix");
    fake_start(&visit, &fake, usual_handshake);
    CHECK_EQ(SP_connect(name, request->private_name, request->priority, request->membership, &mbox, private_group), ACCEPT_SESSION);
    daemon = fake_finish(&visit);

    CHECK_EQ(visit.hello[0], 5);
    CHECK_EQ(visit.hello[1], 0);
    CHECK_EQ(visit.hello[2], 1);
    CHECK_EQ(visit.hello[3], request->flags);
    CHECK_EQ(visit.hello[4], size);
    CHECK_EQ(visit.hello_size, 5 + size);
    CHECK_MEM(visit.hello + 5, request->sent_name, size);
    CHECK_MEM(visit.choice, choice, sizeof choice);
    /* And nothing else. */
    CHECK(!is_readable(daemon));

    SP_kill(mbox);
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    size_t i;

    check_start(argc, argv, "connect_request", 20);
    fake_open(&fake);
    for (i = 0; i < COUNT_OF(requests); i++) {
        sends(&requests[i], fake.unix_name);
        sends(&requests[i], fake.tcp_name);
    }
    fake_close(&fake);
    return check_done();
}
