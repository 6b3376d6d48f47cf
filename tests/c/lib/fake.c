/* The scripted daemon: listening, handshakes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../fake.h"

#define USUAL_BACKLOG 16
#define DAEMON_BUFFER (200 * 1024)

const struct step usual_handshake[] = {
    HELLO,
    SEND("\005NULL "),
    CHOICE,
    SEND("\001\005\000\001\010" FAKE_PRIVATE_GROUP),
    END,
};

/* A TCP port that is free and reserves the unix path of the same number, unless somebody else has that. */
static bool try_to_listen(struct fake *fake, int backlog)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t size = sizeof inet;

    fake->tcp_listener = (int)SYS(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SYS(bind(fake->tcp_listener, (struct sockaddr *)&inet, sizeof inet));
    SYS(listen(fake->tcp_listener, backlog));
    SYS(getsockname(fake->tcp_listener, (struct sockaddr *)&inet, &size));
    fake->port = ntohs(inet.sin_port);

    snprintf(fake->path, sizeof fake->path, "/tmp/%d", fake->port);
    memcpy(local.sun_path, fake->path, strlen(fake->path) + 1);
    fake->unix_listener = (int)SYS(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(fake->unix_listener, (struct sockaddr *)&local, sizeof local) != 0) {
        close(fake->unix_listener);
        close(fake->tcp_listener);
        return false;
    }
    SYS(listen(fake->unix_listener, backlog));
    return true;
}

void fake_open_backlog(struct fake *fake, int backlog)
{
    int tries = 0;

    while (!try_to_listen(fake, backlog))
        if (++tries > 20)
            FAIL("no free port for a unix socket in /tmp: %s", strerror(errno));
    snprintf(fake->unix_name, sizeof fake->unix_name, "%d", fake->port);
    snprintf(fake->tcp_name, sizeof fake->tcp_name, "%d@127.0.0.1", fake->port);
}

void fake_open(struct fake *fake)
{
    fake_open_backlog(fake, USUAL_BACKLOG);
}

void fake_close(struct fake *fake)
{
    SYS(close(fake->unix_listener));
    SYS(close(fake->tcp_listener));
    SYS(unlink(fake->path));
}

bool fake_has_visitor(struct fake *fake)
{
    return is_readable(fake->unix_listener) || is_readable(fake->tcp_listener);
}

int fake_accept(struct fake *fake)
{
    struct pollfd both[2] = {{.fd = fake->unix_listener, .events = POLLIN}, {.fd = fake->tcp_listener, .events = POLLIN}};
    int size = DAEMON_BUFFER;
    int on = 1;
    int client;

    if (SYS(poll(both, 2, scaled(10000))) == 0)
        FAIL("nobody connects");
    client = (int)SYS(accept4(both[0].revents != 0 ? fake->unix_listener : fake->tcp_listener, NULL, NULL, SOCK_CLOEXEC));
    SYS(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    SYS(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
    if (both[0].revents == 0)
        SYS(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    return client;
}

/* ---- handshakes ---- */

/* Reads so many bytes; false if the client closes first. */
static bool read_exactly(int socket, unsigned char *to, size_t size)
{
    while (size > 0) {
        ssize_t n = recv(socket, to, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_hello(struct visit *visit)
{
    if (!read_exactly(visit->socket, visit->hello, 5))
        return false;
    CHECK_BETWEEN(visit->hello[4], 0, 10);
    visit->hello_size = 5u + visit->hello[4];
    return read_exactly(visit->socket, visit->hello + 5, visit->hello[4]);
}

static bool send_all(int socket, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(socket, bytes, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static void wait_for_the_end(struct visit *visit)
{
    char byte;
    ssize_t n;

    do
        n = read(visit->stop[0], &byte, 1);
    while (n < 0 && errno == EINTR);
}

static bool take_and_compare(struct visit *visit, const struct step *step)
{
    unsigned char bytes[256];

    CHECK(step->size <= sizeof bytes);
    if (!read_exactly(visit->socket, bytes, step->size))
        return false;
    CHECK_MEM(bytes, step->bytes, step->size);
    return true;
}

static bool play(struct visit *visit, const struct step *step)
{
    switch (step->kind) {
    case STEP_SEND:
        return send_all(visit->socket, step->bytes, step->size);
    case STEP_HELLO:
        return read_hello(visit);
    case STEP_CHOICE:
        return read_exactly(visit->socket, visit->choice, sizeof visit->choice);
    case STEP_TAKE:
        return take_and_compare(visit, step);
    case STEP_SILENCE:
        wait_for_the_end(visit);
        return true;
    case STEP_CLOSE:
        SYS(close(visit->socket));
        visit->socket = -1;
        return true;
    case STEP_END:
        break;
    }
    FAIL("an unknown step in a script");
}

static void *serve(void *argument)
{
    struct visit *visit = argument;
    const struct step *step;

    __atomic_store_n(&visit->socket, fake_accept(visit->fake), __ATOMIC_SEQ_CST);
    for (step = visit->script; step->kind != STEP_END; step++)
        if (!play(visit, step)) {
            visit->ended_early = true;
            break;
        }
    return NULL;
}

void fake_start(struct visit *visit, struct fake *fake, const struct step *script)
{
    memset(visit, 0, sizeof *visit);
    visit->fake = fake;
    visit->script = script;
    visit->socket = -1;
    SYS(pipe2(visit->stop, O_CLOEXEC));
    worker_start(&visit->worker, serve, visit);
}

int fake_finish(struct visit *visit)
{
    SYS(close(visit->stop[1]));
    worker_join(&visit->worker);
    SYS(close(visit->stop[0]));
    return visit->socket;
}

void fake_abandon(struct visit *visit)
{
    WAIT_UNTIL(__atomic_load_n(&visit->socket, __ATOMIC_SEQ_CST) >= 0);
    /* The client may have closed all the same. */
    if (shutdown(visit->socket, SHUT_RDWR) != 0)
        CHECK_EQ(errno, ENOTCONN);
    SYS(close(fake_finish(visit)));
}

int fake_session(struct fake *fake, const char *name, mailbox *mbox)
{
    char private_group[MAX_GROUP_NAME];
    struct visit visit;
    int daemon;

    fake_start(&visit, fake, usual_handshake);
    CHECK_EQ(SP_connect(name, "me", 0, 1, mbox, private_group), ACCEPT_SESSION);
    daemon = fake_finish(&visit);
    CHECK(!visit.ended_early);
    CHECK_STR(private_group, FAKE_PRIVATE_GROUP);
    return daemon;
}
