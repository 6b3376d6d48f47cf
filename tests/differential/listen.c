/*
 * Where the scripted daemon listens: a unix socket /tmp/<port>, a TCP port of 127.0.0.1 (and of ::1 where there is one), and
 * a port of each kind that refuses. The numbers never appear in the result.
 */
#include "ops.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_UNIX_PORT 20000
#define UNIX_PORTS 500

/* The paths in use, where the parent process sees them: a child that crashes leaves them behind. */
static int *paths_in_use;

void listeners_share(void)
{
    paths_in_use = mmap(NULL, 2 * sizeof *paths_in_use, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (paths_in_use == MAP_FAILED)
        exit(2);
}

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

/* A socket bound to a free /tmp/<port>. */
static int bind_unix(int *port)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("ops: socket");
    for (int i = 0; i < UNIX_PORTS; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int candidate = FIRST_UNIX_PORT + ((int)getpid() * 7 + i) % UNIX_PORTS;
        snprintf(address.sun_path, sizeof address.sun_path, "/tmp/%d", candidate);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            *port = candidate;
            return fd;
        }
        /* A path that a killed run has left behind is ours to remove: nobody listens there. */
        int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (probe >= 0 && i > UNIX_PORTS / 2 && connect(probe, (struct sockaddr *)&address, sizeof address) < 0)
            unlink(address.sun_path);
        if (probe >= 0)
            close(probe);
    }
    fprintf(stderr, "ops: no free unix socket in /tmp\n");
    exit(2);
}

static int bind_tcp(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        fail("ops: bind 127.0.0.1");
    *port = ntohs(address.sin_port);
    return fd;
}

/* The same port of ::1, for a host name that has both addresses; -1 where the machine has no IPv6. */
static int bind_tcp6(int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int only = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void unlink_port(int port)
{
    char path[32];
    snprintf(path, sizeof path, "/tmp/%d", port);
    unlink(path);
}

void listeners_clean_up(void)
{
    for (int i = 0; i < 2; i++)
        if (paths_in_use[i] != 0)
            unlink_port(paths_in_use[i]);
    paths_in_use[0] = paths_in_use[1] = 0;
}

static void open_listening(listeners *l)
{
    l->unix_fd = bind_unix(&l->unix_port);
    paths_in_use[0] = l->unix_port;
    l->tcp_fd = bind_tcp(&l->tcp_port);
    if (listen(l->unix_fd, 8) < 0 || listen(l->tcp_fd, 8) < 0)
        fail("ops: listen");
    l->tcp6_fd = bind_tcp6(l->tcp_port);
}

static void close_listening(listeners *l)
{
    close(l->unix_fd);
    close(l->tcp_fd);
    if (l->tcp6_fd >= 0)
        close(l->tcp6_fd);
    unlink_port(l->unix_port);
}

void listeners_open(listeners *l)
{
    open_listening(l);
    l->refused_fd = bind_tcp(&l->refused_tcp_port);
    /* Bound, then closed: the path stays and refuses, as after a stopped daemon. */
    close(bind_unix(&l->refused_unix_port));
    paths_in_use[1] = l->refused_unix_port;
}

void listeners_close(listeners *l)
{
    close_listening(l);
    close(l->refused_fd);
    listeners_clean_up();
}

void listeners_renew(listeners *l)
{
    close_listening(l);
    open_listening(l);
}
