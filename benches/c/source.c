/* The daemon's side of the benchmarks, faster than any client: it knows just enough of the protocol to let a client in, and sends
 * frames that were made beforehand.
 *
 *   source PORT u|t MODE LENGTH COUNT [RATE]
 *
 * flood: COUNT messages of LENGTH bytes, as fast as they are taken.   echo: every message comes back.
 * pace: RATE messages a second, the time of sending in each.          sink: reads what comes, COUNT messages.
 * idle: lets COUNT sessions in and leaves them alone.                 Ends when its last client has gone. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEADER 48
#define NAME 32
/* Written at once, and the daemon's buffer for a client. */
#define CHUNK (256 * 1024)
#define BUFFER (400 * 1024)

static void fail(const char *what)
{
    fprintf(stderr, "source: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The end of the stream is the end of the program. */
static void read_all(int fd, char *to, size_t count)
{
    while (count > 0) {
        ssize_t got = read(fd, to, count);

        if (got <= 0)
            exit(0);
        to += got;
        count -= (size_t)got;
    }
}

static void write_all(int fd, const char *from, size_t count)
{
    while (count > 0) {
        ssize_t put = send(fd, from, count, MSG_NOSIGNAL);

        if (put <= 0)
            exit(0);
        from += put;
        count -= (size_t)put;
    }
}

static int listen_at(int port, char transport)
{
    int one = 1;
    int fd;

    if (transport == 't') {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail("bind");
    } else {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        snprintf(address.sun_path, sizeof address.sun_path, "/tmp/%d", port);
        unlink(address.sun_path);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail("bind");
    }
    if (listen(fd, 1000) < 0)
        fail("listen");
    return fd;
}

static int let_in(int listener, char transport)
{
    int fd = accept(listener, NULL, NULL);
    int size = BUFFER;
    int one = 1;
    char bytes[512];

    if (fd < 0)
        fail("accept");
    if (transport == 't')
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    /* Version, options, the length of the name; the name; the choice of a method. */
    read_all(fd, bytes, 5);
    read_all(fd, bytes, (size_t)(unsigned char)bytes[4]);
    write_all(fd, "\5NULL ", 6);
    read_all(fd, bytes, 90);
    /* Accepted by version 5.0.1; the private group. */
    write_all(fd, "\1\5\0\1\10#me#fake", 13);
    return fd;
}

/* An agreed message to "room". */
static void make_frame(char *at, int length)
{
    static const uint32_t type = 0x80000080 | 0x10;
    static const uint32_t hint = 0x80000080;
    static const uint32_t groups = 1;

    memset(at, 0, HEADER + NAME);
    memcpy(at, &type, 4);
    strcpy(at + 4, "#you#fake");
    memcpy(at + 36, &groups, 4);
    memcpy(at + 40, &hint, 4);
    memcpy(at + 44, &length, 4);
    strcpy(at + HEADER, "room");
}

static void flood(int fd, int length, long count)
{
    size_t frame = HEADER + NAME + (size_t)length;
    size_t many = CHUNK / frame > 0 ? CHUNK / frame : 1;
    char *frames = calloc(many, frame);
    size_t i;

    if (frames == NULL)
        fail("memory");
    for (i = 0; i < many; i++)
        make_frame(frames + i * frame, length);
    while (count > 0) {
        size_t now = (long)many < count ? many : (size_t)count;

        write_all(fd, frames, now * frame);
        count -= (long)now;
    }
}

static void pace(int fd, int length, long count, double rate)
{
    size_t frame = HEADER + NAME + (size_t)length;
    char *bytes = calloc(1, frame);
    struct timespec next;

    make_frame(bytes, length);
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (; count > 0; count--) {
        struct timespec time;

        next.tv_nsec += (long)(1e9 / rate);
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        clock_gettime(CLOCK_MONOTONIC, &time);
        memcpy(bytes + HEADER + NAME, &time, sizeof time);
        write_all(fd, bytes, frame);
    }
}

static void echo(int fd)
{
    static char bytes[CHUNK];

    for (;;) {
        ssize_t got = read(fd, bytes, sizeof bytes);

        if (got <= 0)
            exit(0);
        write_all(fd, bytes, (size_t)got);
    }
}

/* Says how much has come; without looking at it, which is quicker than any sender. */
static void sink(int fd)
{
    static char bytes[CHUNK];

    while (read(fd, bytes, sizeof bytes) > 0)
        ;
}

static void idle(int listener, char transport, long count)
{
    struct rlimit limit;
    int last = -1;
    char byte;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (; count > 0; count--)
        last = let_in(listener, transport);
    read_all(last, &byte, 1);
    while (read(last, &byte, 1) > 0)
        ;
}

int main(int argc, char **argv)
{
    char transport;
    const char *mode;
    int listener;
    int length;
    long count;
    char byte;
    int fd;

    if (argc < 6)
        return 2;
    transport = argv[2][0];
    mode = argv[3];
    length = atoi(argv[4]);
    count = atol(argv[5]);
    listener = listen_at(atoi(argv[1]), transport);
    puts("ready");
    fflush(stdout);
    if (strcmp(mode, "idle") == 0) {
        idle(listener, transport, count);
        return 0;
    }
    fd = let_in(listener, transport);
    if (strcmp(mode, "flood") == 0)
        flood(fd, length, count);
    else if (strcmp(mode, "pace") == 0)
        pace(fd, length, count, atof(argv[6]));
    else if (strcmp(mode, "echo") == 0)
        echo(fd);
    else
        sink(fd);
    while (read(fd, &byte, 1) > 0)
        ;
    return 0;
}
