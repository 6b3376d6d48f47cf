/* floor PORT BODY COUNT: how fast any program could send one by one over TCP. Each message is ready, and is one sendmsg of header
 * with group, and body. The other side is Peer.java, a sink. Prints as Benchmark.java does. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void all(int s, char *room, size_t length)
{
    if (recv(s, room, length, MSG_WAITALL) != (ssize_t)length)
        fail("recv");
}

int main(int argc, char **argv)
{
    struct sockaddr_in place = {0};
    char head[80] = {0}, room[90] = {0};
    struct iovec parts[2];
    struct msghdr message = {0};
    long body, count, i, warm;
    double cpu = 0, start = 0;
    int s, on = 1;

    if (argc != 4)
        return 2;
    body = atol(argv[2]);
    count = atol(argv[3]);
    warm = count / 3;
    place.sin_family = AF_INET;
    place.sin_port = htons((unsigned short)atoi(argv[1]));
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0 || connect(s, (struct sockaddr *)&place, sizeof place))
        fail("connect");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* Connect message, choice of methods, answer. */
    if (send(s, "\5\0\1\0\1f", 6, 0) != 6)
        fail("send");
    all(s, head, 6);
    if (send(s, room, 90, 0) != 90)
        fail("send");
    all(s, head, 5 + 8);
    memset(head, 0, sizeof head);
    head[3] = 4;
    head[39] = 1;
    head[48] = 'r';
    *(unsigned int *)(void *)(head + 44) = htonl((unsigned int)body);
    parts[0].iov_base = head;
    parts[0].iov_len = sizeof head;
    parts[1].iov_base = calloc(1, (size_t)body + 1);
    parts[1].iov_len = (size_t)body;
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    for (i = 0; i < count; i++) {
        if (i == warm) {
            cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            start = now(CLOCK_MONOTONIC);
        }
        if (sendmsg(s, &message, MSG_NOSIGNAL) != (ssize_t)sizeof head + body)
            fail("sendmsg");
    }
    count -= warm;
    printf("%.0f messages/s, %.2f us CPU per message\n", count * 1e9 / (now(CLOCK_MONOTONIC) - start),
           (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3 / count);
    close(s);
    return 0;
}
