/* What SP_connect makes of the answers of the resolver. The resolver is the program's own: the dynamic linker prefers it to that
 * of the C library. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"

static struct fake fake;
static char name[40];

/* What the resolver answers: a code, or addresses with one blank between each. */
static int answer_code;
static const char *answer_addresses;
static int held;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

struct entry {
    struct addrinfo info;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

static struct addrinfo *entry_of(const char *text, int port, int socktype)
{
    struct entry *entry = calloc(1, sizeof *entry);

    CHECK(entry != NULL);
    entry->info.ai_addr = (struct sockaddr *)&entry->address;
    entry->info.ai_socktype = socktype;
    entry->info.ai_protocol = IPPROTO_TCP;
    if (strcmp(text, "odd") == 0) {
        /* A family that neither side knows how to use. */
        entry->info.ai_family = AF_APPLETALK;
        entry->info.ai_addrlen = sizeof entry->address.v4;
        entry->address.v4.sin_family = AF_APPLETALK;
    } else if (strchr(text, ':') != NULL) {
        entry->info.ai_family = AF_INET6;
        entry->info.ai_addrlen = sizeof entry->address.v6;
        entry->address.v6.sin6_family = AF_INET6;
        entry->address.v6.sin6_port = htons((uint16_t)port);
        CHECK_EQ(inet_pton(AF_INET6, text, &entry->address.v6.sin6_addr), 1);
    } else {
        entry->info.ai_family = AF_INET;
        entry->info.ai_addrlen = sizeof entry->address.v4;
        entry->address.v4.sin_family = AF_INET;
        entry->address.v4.sin_port = htons((uint16_t)port);
        CHECK_EQ(inet_pton(AF_INET, text, &entry->address.v4.sin_addr), 1);
    }
    return &entry->info;
}

int getaddrinfo(const char *restrict node, const char *restrict service_name, const struct addrinfo *restrict hints,
                struct addrinfo **restrict result)
{
    struct addrinfo **end = result;
    char addresses[200];
    char *save = NULL;
    char *text;
    int code;

    CHECK_STR(node, "the-host");
    PTHREAD(pthread_mutex_lock(&lock));
    while (held)
        PTHREAD(pthread_cond_wait(&changed, &lock));
    code = answer_code;
    snprintf(addresses, sizeof addresses, "%s", answer_addresses);
    PTHREAD(pthread_mutex_unlock(&lock));
    if (code != 0) {
        errno = code == EAI_SYSTEM ? ECONNREFUSED : 0;
        return code;
    }
    *result = NULL;
    for (text = strtok_r(addresses, " ", &save); text != NULL; text = strtok_r(NULL, " ", &save)) {
        *end = entry_of(text, service_name != NULL ? atoi(service_name) : 0, hints != NULL ? hints->ai_socktype : 0);
        end = &(*end)->ai_next;
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;

        free((struct entry *)(void *)list);
        list = next;
    }
}

static int connect_now(void)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = -77;
    int result = SP_connect(name, "me", 0, 1, &mbox, private_group);

    if (result == ACCEPT_SESSION)
        SP_kill(mbox);
    else
        CHECK_EQ(mbox, -77);
    return result;
}

static void failures(void)
{
    static const struct {
        int code;
        int result;
    } codes[] = {
        {EAI_NONAME, ILLEGAL_SPREAD},      {EAI_AGAIN, COULD_NOT_CONNECT},  {EAI_FAIL, COULD_NOT_CONNECT},
        {EAI_FAMILY, COULD_NOT_CONNECT},   {EAI_MEMORY, COULD_NOT_CONNECT}, {EAI_SYSTEM, COULD_NOT_CONNECT},
        {EAI_SERVICE, COULD_NOT_CONNECT},  {EAI_NODATA, COULD_NOT_CONNECT}, {EAI_ADDRFAMILY, COULD_NOT_CONNECT},
    };
    size_t i;

    for (i = 0; i < COUNT_OF(codes); i++) {
        check_case("the resolver gives %d (%s)", codes[i].code, gai_strerror(codes[i].code));
        answer_code = codes[i].code;
        CHECK_EQ(connect_now(), codes[i].result);
    }
    answer_code = 0;
}

static void connects(const char *addresses)
{
    struct visit visit;

    check_case("addresses: %s", addresses);
    answer_addresses = addresses;
    fake_start(&visit, &fake, usual_handshake);
    CHECK_EQ(connect_now(), ACCEPT_SESSION);
    SYS(close(fake_finish(&visit)));
}

static void fails(const char *addresses)
{
    check_case("addresses: %s", addresses);
    answer_addresses = addresses;
    CHECK_EQ(connect_now(), COULD_NOT_CONNECT);
}

/* The fake daemon listens on 127.0.0.1 alone. */
static void several_addresses(void)
{
    int i;

    connects("127.0.0.1");
    fails("127.0.0.2");
    fails("::1");
    connects("odd 127.0.0.1");
    fails("odd");
    fails("127.0.0.2 127.0.0.3 ::1");
    if (CLASSIC("D4: all addresses are tried")) {
        connects("127.0.0.1 127.0.0.2");
        fails("127.0.0.2 127.0.0.1");
        fails("::1 127.0.0.1");
        return;
    }
    /* In whatever order they are tried. */
    for (i = 0; i < 20; i++) {
        connects("127.0.0.1 127.0.0.2");
        connects("127.0.0.2 127.0.0.1");
        connects("::1 127.0.0.1");
        connects("127.0.0.2 127.0.0.3 ::1 127.0.0.1");
    }
}

static void hold(int yes)
{
    PTHREAD(pthread_mutex_lock(&lock));
    held = yes;
    PTHREAD(pthread_cond_broadcast(&changed));
    PTHREAD(pthread_mutex_unlock(&lock));
}

static void *let_go_late(void *unused)
{
    (void)unused;
    events_of(-1, 0, 300);
    hold(0);
    return NULL;
}

/* The resolver takes longer than the program will wait. */
static void slow_resolver(void)
{
    char private_group[MAX_GROUP_NAME];
    sp_time limit = {0, 100000};
    struct worker releaser;
    mailbox mbox = -77;

    check_case("a slow resolver");
    answer_addresses = "127.0.0.1";
    hold(1);
    if (CLASSIC("time for the resolver"))
        worker_start(&releaser, let_go_late, NULL);
    CHECK_EQ(SP_connect_timeout(name, "me", 0, 1, &mbox, private_group, limit), CONNECTION_CLOSED);
    CHECK_EQ(mbox, -77);
    if (CLASSIC("time for the resolver"))
        worker_join(&releaser);
    else
        hold(0);
    while (fake_has_visitor(&fake))
        SYS(close(fake_accept(&fake)));
    connects("127.0.0.1");
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "connect_resolver", 20);
    fake_open(&fake);
    snprintf(name, sizeof name, "%d@the-host", fake.port);
    failures();
    several_addresses();
    slow_resolver();
    fake_close(&fake);
    return check_done();
}
