/* Programs that put a time limit on a call with a signal and siglongjmp. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const char *name;
static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};
static sigjmp_buf back;

static void jump(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

/* The alarm comes when the thread sleeps in its call, not before: a jump out of the library's own work would not do with any library. */
static pthread_t sleeper;
static int sleeper_tid;
static int going_to_sleep;

static void *give_alarm(void *unused)
{
    (void)unused;
    WAIT_UNTIL(__atomic_load_n(&going_to_sleep, __ATOMIC_SEQ_CST) && is_asleep(sleeper_tid));
    PTHREAD(pthread_kill(sleeper, SIGALRM));
    return NULL;
}

static struct worker alarm_clock;

static void set_alarm(void)
{
    struct sigaction action = {.sa_handler = jump};

    sigemptyset(&action.sa_mask);
    SYS(sigaction(SIGALRM, &action, NULL));
    sleeper = pthread_self();
    sleeper_tid = thread_number();
    going_to_sleep = 0;
    worker_start(&alarm_clock, give_alarm, NULL);
    __atomic_store_n(&going_to_sleep, 1, __ATOMIC_SEQ_CST);
}

/* Nothing on the stack of the one who jumps may be needed afterwards. */
static char sender[MAX_GROUP_NAME];
static char groups[5][MAX_GROUP_NAME];
static char body[100];

static int receive_once(mailbox mbox)
{
    static service type;
    static int num_groups;
    static int16 mess_type;
    static int endian;

    type = 0;
    return SP_receive(mbox, &type, sender, 5, &num_groups, groups, &mess_type, &endian, sizeof body, body);
}

/* True if the call was left by the jump. */
static bool receive_with_limit(mailbox mbox)
{
    if (sigsetjmp(back, 1) != 0) {
        worker_join(&alarm_clock);
        return true;
    }
    set_alarm();
    receive_once(mbox);
    return false;
}

static void out_of_receive(size_t part)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int i;

    check_case("%s: out of a receive, %zu bytes of a message there", name, part);
    if (part > 0)
        fake_send_part(daemon, &hello, 0, part);
    CHECK(receive_with_limit(mbox));
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello"), 5);
    if (!CLASSIC("siglongjmp out of a blocked receive")) {
        CHECK_EQ(SP_poll(mbox), (int)part);
        for (i = 0; i < 3; i++)
            CHECK(receive_with_limit(mbox));
        fake_send_part(daemon, &hello, part, frame_size(&hello));
        CHECK_EQ(receive_once(mbox), 5);
        CHECK_MEM(body, "hello", 5);

        /* Nobody calls again: the mailbox becomes readable by itself. */
        CHECK(receive_with_limit(mbox));
        fake_send(daemon, &hello);
        WAIT_READABLE(mbox);
        CHECK_EQ(receive_once(mbox), 5);
        CHECK(!is_readable(mbox));
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
    SYS(close(daemon));
}

/* ---- the other blocking calls ---- */

static bool connect_with_limit(mailbox *mbox)
{
    if (sigsetjmp(back, 1) != 0) {
        worker_join(&alarm_clock);
        return true;
    }
    set_alarm();
    SP_connect(name, "me", 0, 1, mbox, sender);
    return false;
}

static void out_of_connect(void)
{
    static const struct step silent[] = {HELLO, SEND("\005NULL "), CHOICE, SILENCE, END};
    static mailbox mbox;
    struct visit visit;
    int daemon;

    check_case("%s: out of a connect", name);
    mbox = -77;
    fake_start(&visit, &fake, silent);
    CHECK(connect_with_limit(&mbox));
    CHECK_EQ(mbox, -77);
    fake_abandon(&visit);
    daemon = fake_session(&fake, name, &mbox);
    fake_send(daemon, &hello);
    CHECK_EQ(receive_once(mbox), 5);
    CHECK_EQ(SP_disconnect(mbox), 0);
    SYS(close(daemon));
}

/* ---- out of a method's function ---- */

static int jump_back(int fd, void *data)
{
    (void)fd;
    (void)data;
    siglongjmp(back, 1);
}

static int yes(int fd, void *data)
{
    (void)fd;
    (void)data;
    return 1;
}

static bool connect_and_jump(mailbox *mbox)
{
    if (sigsetjmp(back, 1) != 0)
        return true;
    SP_connect(name, "me", 0, 1, mbox, sender);
    return false;
}

static void out_of_method(void)
{
    static mailbox mbox;
    struct visit visit;
    int daemon;
    int i;

    check_case("%s: out of a method", name);
    for (i = 0; i < 3; i++) {
        mbox = -77;
        CHECK_EQ(SP_set_auth_method("NULL", jump_back, NULL), 1);
        fake_start(&visit, &fake, usual_handshake);
        CHECK(connect_and_jump(&mbox));
        CHECK_EQ(mbox, -77);
        fake_abandon(&visit);
        CHECK_EQ(SP_set_auth_method("NULL", yes, NULL), 1);
        daemon = fake_session(&fake, name, &mbox);
        fake_send(daemon, &hello);
        CHECK_EQ(receive_once(mbox), 5);
        CHECK_EQ(SP_disconnect(mbox), 0);
        SYS(close(daemon));
    }
}

static bool send_with_limit(mailbox mbox)
{
    static char large[100000];

    if (sigsetjmp(back, 1) != 0) {
        worker_join(&alarm_clock);
        return true;
    }
    set_alarm();
    while (SP_multicast(mbox, FIFO_MESS, "room", 0, sizeof large, large) == (int)sizeof large)
        continue;
    return false;
}

/* Half a frame may be out, so nothing more can be sent. */
static void out_of_send(void)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: out of a send", name);
    CHECK(send_with_limit(mbox));
    if (!CLASSIC("siglongjmp out of a blocked send")) {
        CHECK_EQ(SP_join(mbox, "room"), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_disconnect(mbox), 0);
    } else {
        SP_kill(mbox);
    }
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    static const size_t parts[] = {0, 1, 48, 60, 83};
    size_t k;
    int i;

    check_start(argc, argv, "threads_longjmp", 30);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        for (k = 0; k < COUNT_OF(parts); k++)
            IN_CHILD(out_of_receive(parts[k]));
        IN_CHILD(out_of_connect());
        IN_CHILD(out_of_method());
        IN_CHILD(out_of_send());
    }
    fake_close(&fake);
    return check_done();
}
