/* raw NAME LENGTH COUNT: the floor of a receive. The same bytes as for "receive", read in bulk with recv and copied once more, as any
 * library must that hands out single messages. NAME as for SP_connect. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench.h"

static char bytes[64 * 1024];
static char body[ROOM];

int main(int argc, char **argv)
{
    char answer[256];
    size_t frame;
    double wall;
    double used;
    long count;
    long left;
    int size = 409600;
    int port;
    int fd;

    if (argc != 4)
        return 2;
    port = atoi(argv[1]);
    frame = 80 + (size_t)atoi(argv[2]);
    count = atol(argv[3]);
    left = (long)frame * count;
    if (strchr(argv[1], '@') != NULL) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail("connect");
    } else {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        snprintf(address.sun_path, sizeof address.sun_path, "/tmp/%d", port);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail("connect");
    }
    if (write(fd, "\5\0\1\0\0", 5) != 5 || recv(fd, answer, 6, MSG_WAITALL) != 6)
        fail("handshake");
    memset(answer, 0, 90);
    strcpy(answer, "NULL");
    if (write(fd, answer, 90) != 90 || recv(fd, answer, 13, MSG_WAITALL) != 13)
        fail("handshake");
    wall = now();
    used = cpu();
    while (left > 0) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        ssize_t at;

        if (got <= 0)
            fail("recv");
        left -= got;
        for (at = 0; at < got; at += (ssize_t)frame) {
            size_t part = frame - 80 < (size_t)(got - at) ? frame - 80 : (size_t)(got - at);

            memcpy(body, bytes + at, part);
            __asm__ volatile("" : : "r"(body) : "memory");
        }
    }
    wall = now() - wall;
    used = cpu() - used;
    tell("wall_us", wall / 1e3 / (double)count);
    tell("cpu_us", used / 1e3 / (double)count);
    close(fd);
    return 0;
}
