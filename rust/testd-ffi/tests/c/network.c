/* A network in a C program: started, changed, asked, stopped; and what cannot be. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sp_testnet.h"

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "line %d: %s is not so; %s\n", __LINE__, #what, SPT_error()); \
            exit(1); \
        } \
    } while (0)

/* Connects to a daemon by its Spread name; -1 if it refuses. */
static int dial(const char *name)
{
    struct sockaddr_in addr;
    struct timeval limit;
    const char *at = strchr(name, '@');
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && at != NULL);
    limit.tv_sec = 20;
    limit.tv_usec = 0;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    memset(&addr, 0, sizeof addr);
    addr.sin_family = AF_INET;
    addr.sin_port = htons((unsigned short)atoi(name));
    CHECK(inet_pton(AF_INET, at + 1, &addr.sin_addr) == 1);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Signals that the program blocks stay pending: the network's threads do not take them. */
static void check_signals(void)
{
    sigset_t set, pending;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    CHECK(sigwait(&set, &number) == 0 && number == SIGUSR1);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

int main(void)
{
    static const char hello[] = {5, 0, 1, 1, 2, 'm', 'e'};
    char answer[64];
    char tiny[6];
    int net, other, fd;

    CHECK(SPT_start("colour=red") == -1);
    CHECK(strstr(SPT_error(), "colour") != NULL);
    net = SPT_start("daemons=3&max_sessions=5");
    CHECK(net > 0);
    CHECK(strcmp(SPT_error(), "") == 0);
    other = SPT_start(NULL);
    CHECK(other > 0 && other != net);
    CHECK(SPT_daemons(net) == 3 && SPT_daemons(other) == 1);
    CHECK(strcmp(SPT_daemon_name(net, 2), "d3") == 0);
    CHECK(strstr(SPT_spread_name(net, 1), "@127.0.0.2") != NULL);
    CHECK(SPT_unix_name(net, 0) != NULL && strchr(SPT_unix_name(net, 0), '@') == NULL);
    CHECK(SPT_unix_name(net, 1) == NULL && strstr(SPT_error(), "unix") != NULL);

    check_signals();

    /* A connect message is answered with the list of methods. */
    fd = dial(SPT_spread_name(net, 0));
    CHECK(fd >= 0);
    CHECK(write(fd, hello, sizeof hello) == (ssize_t)sizeof hello);
    CHECK(recv(fd, answer, 6, MSG_WAITALL) == 6 && memcmp(answer, "\5NULL ", 6) == 0);
    CHECK(SPT_command(net, "sessions", answer, sizeof answer) == 9);
    CHECK(strcmp(answer, "#me#d1 0\n") == 0);
    CHECK(SPT_command(net, "sessions", tiny, sizeof tiny) == 9);
    CHECK(strcmp(tiny, "#me#d") == 0);
    CHECK(SPT_command(net, "sessions", NULL, 0) == 9);

    CHECK(SPT_kill(net, 0) == 0);
    CHECK(recv(fd, answer, 1, 0) <= 0);
    close(fd);
    CHECK(dial(SPT_spread_name(net, 0)) == -1);
    CHECK(SPT_restart(net, 0) == 0);
    fd = dial(SPT_spread_name(net, 0));
    CHECK(fd >= 0);
    close(fd);
    CHECK(SPT_freeze(net, 1) == 0 && SPT_thaw(net, 1) == 0);
    CHECK(SPT_partition(net, "d1,d2 d3") == 0 && SPT_heal(net) == 0);
    CHECK(SPT_partition(net, "d1 d1") == -1 && SPT_partition(net, "d9") == -1);
    CHECK(SPT_command(net, "refuse d1 1 -3", answer, sizeof answer) == 0);
    CHECK(SPT_command(net, "nonsense", answer, sizeof answer) == -1);
    CHECK(SPT_command(net, NULL, NULL, 0) == 0);
    CHECK(strstr(SPT_commands(), "partition") && strstr(SPT_options(), "daemons"));

    CHECK(SPT_kill(net, 3) == -1 && SPT_kill(net, -1) == -1);
    CHECK(SPT_spread_name(net, 3) == NULL);
    CHECK(SPT_stop(net) == 0);
    CHECK(SPT_stop(net) == -1 && SPT_kill(net, 0) == -1 && SPT_spread_name(net, 0) == NULL);
    CHECK(SPT_stop(other) == 0);
    CHECK(SPT_stop(0) == -1 && SPT_stop(-5) == -1);
    return 0;
}
