/* SP_set_auth_method and SP_set_auth_methods: arguments, what is chosen, and the calls of the program's functions. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

#define THIRTY "012345678901234567890123456789"
#define TWENTY_NINE "01234567890123456789012345678"
#define ACCEPT SEND("\001\005\000\001\010" FAKE_PRIVATE_GROUP)

static struct fake fake;
static const char *name;

/* The calls of `note`, in order. */
static int noted[8];
static int calls;
static int noted_descriptor;

struct note {
    int number;
    int result;
};

static int note(int fd, void *data)
{
    const struct note *n = data;

    noted[calls++] = n->number;
    noted_descriptor = fd;
    return n->result;
}

static int yes(int fd, void *data)
{
    (void)fd;
    (void)data;
    return 1;
}

static void default_method(void)
{
    CHECK_EQ(SP_set_auth_method("NULL", yes, NULL), 1);
}

/* Connects while the script runs; the visit tells what the library has sent. */
static int connect_with(struct visit *visit, const struct step *script)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = -77;
    int result;

    fake_start(visit, &fake, script);
    result = SP_connect(name, "me", 0, 1, &mbox, private_group);
    if (result == ACCEPT_SESSION)
        SP_kill(mbox);
    else
        CHECK_EQ(mbox, -77);
    if (fake_finish(visit) >= 0)
        SYS(close(visit->socket));
    return result;
}

static const struct step offers_three[] = {HELLO, SEND("\015NULL IP THREE"), CHOICE, ACCEPT, END};

static void choice_is(const struct visit *visit, const char *first, const char *second, const char *third)
{
    char want[90] = {0};

    memcpy(want, first, strlen(first));
    memcpy(want + 30, second, strlen(second));
    memcpy(want + 60, third, strlen(third));
    CHECK_MEM(visit->choice, want, sizeof want);
}

static void arguments_of_one(void)
{
    struct note refused = {9, 0};
    struct visit visit;

    check_case("arguments of SP_set_auth_method");
    default_method();
    CHECK_EQ(SP_set_auth_method(THIRTY, note, &refused), 0);
    CHECK_EQ(SP_set_auth_method("IP", NULL, NULL), 0);
    if (!CLASSIC("NULL: the name of a method"))
        CHECK_EQ(SP_set_auth_method(NULL, yes, NULL), 0);

    /* What was refused has changed nothing. */
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    choice_is(&visit, "NULL", "", "");

    CHECK_EQ(SP_set_auth_method(TWENTY_NINE, yes, NULL), 1);
    CHECK_EQ(connect_with(&visit, usual_handshake), REJECT_AUTH);
    /* Nothing was sent, as the daemon does not know the method. */
    CHECK(visit.ended_early);
    default_method();
}

static void arguments_of_several(void)
{
    struct note n[4] = {{0, 1}, {1, 1}, {2, 1}, {3, 1}};
    const char *names[4] = {"NULL", "IP", "THREE", "FOUR"};
    int (*functions[4])(int, void *) = {note, note, note, note};
    void *data[4] = {&n[0], &n[1], &n[2], &n[3]};
    struct visit visit;
    int i;

    check_case("arguments of SP_set_auth_methods");
    default_method();
    CHECK_EQ(SP_set_auth_methods(-1, names, functions, data), 0);
    CHECK_EQ(SP_set_auth_methods(4, names, functions, data), 0);
    functions[2] = NULL;
    CHECK_EQ(SP_set_auth_methods(3, names, functions, data), 0);
    CHECK_EQ(SP_set_auth_methods(2, names, functions, data), 1);
    functions[2] = note;
    default_method();
    names[1] = THIRTY;
    CHECK_EQ(SP_set_auth_methods(2, names, functions, data), 0);
    names[1] = "IP";
    if (!CLASSIC("NULL: the arrays of methods")) {
        CHECK_EQ(SP_set_auth_methods(2, NULL, functions, data), 0);
        CHECK_EQ(SP_set_auth_methods(2, names, NULL, data), 0);
        names[1] = NULL;
        CHECK_EQ(SP_set_auth_methods(2, names, functions, data), 0);
        names[1] = "IP";
    }
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    choice_is(&visit, "NULL", "", "");
    CHECK_EQ(calls, 0);

    for (i = 1; i <= 3; i++) {
        check_case("%s: %d methods", name, i);
        calls = 0;
        CHECK_EQ(SP_set_auth_methods(i, names, functions, data), 1);
        CHECK_EQ(connect_with(&visit, offers_three), ACCEPT_SESSION);
        choice_is(&visit, "NULL", i > 1 ? "IP" : "", i > 2 ? "THREE" : "");
        CHECK_EQ(calls, i);
        CHECK_EQ(noted[0], 0);
        CHECK_EQ(noted[i - 1], i - 1);
        CHECK(noted_descriptor >= 0);
    }

    check_case("%s: all of the methods must be offered", name);
    calls = 0;
    CHECK_EQ(connect_with(&visit, usual_handshake), REJECT_AUTH);
    CHECK(visit.ended_early);
    CHECK_EQ(calls, 0);

    check_case("%s: every function is called though the first refuses", name);
    n[0].result = 0;
    CHECK_EQ(connect_with(&visit, offers_three), REJECT_AUTH);
    CHECK_EQ(calls, 3);
    CHECK_EQ(noted[2], 2);

    check_case("%s: any value but 0 is good", name);
    n[0].result = -1;
    CHECK_EQ(connect_with(&visit, offers_three), ACCEPT_SESSION);

    check_case("%s: the same method twice", name);
    names[1] = "NULL";
    calls = 0;
    CHECK_EQ(SP_set_auth_methods(2, names, functions, data), 1);
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    choice_is(&visit, "NULL", "NULL", "");
    CHECK_EQ(calls, 2);

    check_case("%s: no method at all", name);
    CHECK_EQ(SP_set_auth_methods(0, names, functions, data), 1);
    /* Whether that will do is for the daemon to say. */
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    choice_is(&visit, "", "", "");

    /* One method replaces the list. */
    default_method();
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    choice_is(&visit, "NULL", "", "");
}

/* A method that talks with the daemon, written as for any blocking socket. */
static int talk(int fd, void *data)
{
    char answer[4];
    ssize_t n;

    (void)data;
    if (CLASSIC("auth callbacks, D11: the descriptor is blocking")) {
        CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        if (write(fd, "secret", 6) != 6 || events_of(fd, POLLIN, scaled(10000)) == 0)
            return 0;
    } else {
        CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
        if (write(fd, "secret", 6) != 6)
            return 0;
    }
    n = read(fd, answer, sizeof answer);
    return n == 4 && memcmp(answer, "good", 4) == 0;
}

static void method_with_bytes(void)
{
    static const struct step good[] = {HELLO, SEND("\006PWORD "), CHOICE, TAKE("secret"), SEND("good"), ACCEPT, END};
    static const struct step bad[] = {HELLO, SEND("\006PWORD "), CHOICE, TAKE("secret"), SEND("evil"), END};
    static const struct step gone[] = {HELLO, SEND("\006PWORD "), CHOICE, TAKE("secret"), CLOSE, END};
    struct visit visit;

    check_case("%s: a method that sends and reads", name);
    CHECK_EQ(SP_set_auth_method("PWORD", talk, NULL), 1);
    CHECK_EQ(connect_with(&visit, good), ACCEPT_SESSION);
    CHECK_EQ(connect_with(&visit, bad), REJECT_AUTH);
    CHECK_EQ(connect_with(&visit, gone), REJECT_AUTH);
    default_method();
}

/* The peer of the descriptor is the daemon itself. */
static int look_at_peer(int fd, void *data)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    SYS(getpeername(fd, (struct sockaddr *)&peer, &size));
    *(int *)data = peer.ss_family;
    return 1;
}

static void peer_of_descriptor(void)
{
    struct visit visit;
    int family = -1;

    check_case("%s: getpeername in a method", name);
    CHECK_EQ(SP_set_auth_method("NULL", look_at_peer, &family), 1);
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    CHECK_EQ(family, is_tcp(name) ? AF_INET : AF_UNIX);
    default_method();
}

static int be_slow(int fd, void *data)
{
    struct timespec work = {.tv_nsec = 200000000};

    (void)fd;
    (void)data;
    nanosleep(&work, NULL);
    calls++;
    return 1;
}

/* A method is not cut short, but its time counts. */
static void time_of_methods(void)
{
    char private_group[MAX_GROUP_NAME];
    sp_time limit = {0, 100000};
    struct visit visit;
    mailbox mbox = -77;

    check_case("%s: a method that takes longer than the time limit", name);
    calls = 0;
    CHECK_EQ(SP_set_auth_method("NULL", be_slow, NULL), 1);
    fake_start(&visit, &fake, usual_handshake);
    CHECK_EQ(SP_connect_timeout(name, "me", 0, 1, &mbox, private_group, limit), CONNECTION_CLOSED);
    CHECK_EQ(mbox, -77);
    CHECK_EQ(calls, 1);
    if (fake_finish(&visit) >= 0)
        SYS(close(visit.socket));
    default_method();
}

/* Another process, started from within a method. */
static int fork_in_method(int fd, void *data)
{
    pid_t child = fork();

    (void)fd;
    (void)data;
    if (child == 0)
        _exit(0);
    return waitpid(child, NULL, 0) == child;
}

/* Another session, connected from within a method. */
static int connect_in_method(int fd, void *data)
{
    static bool inside;
    struct visit visit;

    (void)fd;
    (void)data;
    if (inside)
        return 1;
    inside = true;
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    inside = false;
    return 1;
}

static void methods_that_do_a_lot(void)
{
    struct visit visit;

    check_case("%s: a method forks", name);
    CHECK_EQ(SP_set_auth_method("NULL", fork_in_method, NULL), 1);
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    check_case("%s: a method connects another session", name);
    CHECK_EQ(SP_set_auth_method("NULL", connect_in_method, NULL), 1);
    CHECK_EQ(connect_with(&visit, usual_handshake), ACCEPT_SESSION);
    default_method();
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "connect_auth", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        arguments_of_one();
        calls = 0;
        arguments_of_several();
        method_with_bytes();
        peer_of_descriptor();
        time_of_methods();
        methods_that_do_a_lot();
    }
    fake_close(&fake);
    return check_done();
}
