/*
 * ops: makes a random but repeatable sequence of library calls and prints one line for each.
 *
 *   ops script SEED [COUNT] [--raw RULE,...]             against the scripted daemon in this process
 *   ops network SEED [COUNT] --daemons NAME[,NAME...]    against a network: real daemons or embedded ones
 *
 * Every seed runs in a process of its own; a crash or a hang ends that seed with a line that says so.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* No single call takes as long, whatever the machine's load. */
#define HANG_MS 30000

typedef struct {
    bool network;
    const char *daemons;
    unsigned long first, count;
} options;

static void usage(void)
{
    fprintf(stderr, "usage: ops script SEED [COUNT] [--raw RULE,...]\n"
                    "       ops network SEED [COUNT] --daemons NAME[,NAME...] [--raw RULE,...]\n");
    exit(2);
}

static options parse(int argc, char **argv)
{
    options o = {.count = 1};
    int at = 3;
    if (argc < 3)
        usage();
    o.network = strcmp(argv[1], "network") == 0;
    if (!o.network && strcmp(argv[1], "script") != 0)
        usage();
    o.first = strtoul(argv[2], NULL, 10);
    if (at < argc && argv[at][0] != '-')
        o.count = strtoul(argv[at++], NULL, 10);
    for (; at + 1 < argc; at += 2) {
        if (strcmp(argv[at], "--raw") == 0)
            rules_switch_off(argv[at + 1]);
        else if (strcmp(argv[at], "--daemons") == 0)
            o.daemons = argv[at + 1];
        else
            usage();
    }
    if (at != argc || (o.network && o.daemons == NULL))
        usage();
    return o;
}

static void run_child(const options *o, unsigned long seed, int result)
{
    int null = open("/dev/null", O_RDWR);
    /* The classic library prints on standard output from inside connect and the event loop. */
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDIN_FILENO) < 0)
        exit(2);
    close(null);
    out_open(result);
    if (o->network)
        network_run(seed, o->daemons);
    else
        script_run(seed);
    fflush(NULL);
    _exit(0);
}

/* Copies the child's lines. False: it has stopped writing without ending. */
static bool copy_lines(int from, char *last)
{
    char chunk[65536];
    for (;;) {
        struct pollfd p = {.fd = from, .events = POLLIN};
        int n = poll(&p, 1, HANG_MS);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        ssize_t len = read(from, chunk, sizeof chunk);
        if (len <= 0)
            return true;
        fwrite(chunk, 1, (size_t)len, stdout);
        fflush(stdout);
        *last = chunk[len - 1];
    }
}

static void run_seed(const options *o, unsigned long seed)
{
    int ends[2], status = 0;
    char last = '\n';
    printf("# seed %lu\n", seed);
    fflush(stdout);
    if (pipe(ends) < 0)
        exit(2);
    pid_t child = fork();
    if (child < 0)
        exit(2);
    if (child == 0) {
        close(ends[0]);
        run_child(o, seed, ends[1]);
    }
    close(ends[1]);
    bool ended = copy_lines(ends[0], &last);
    if (!ended)
        kill(child, SIGKILL);
    close(ends[0]);
    waitpid(child, &status, 0);
    listeners_clean_up();
    const char *start = last == '\n' ? "" : "\n";
    if (!ended)
        printf("%s!hang\n", start);
    else if (WIFSIGNALED(status))
        printf("%s!signal %d\n", start, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        printf("%s!exit %d\n", start, WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    options o = parse(argc, argv);
    listeners_share();
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (unsigned long i = 0; i < o.count; i++)
        run_seed(&o, o.first + i);
    return fflush(stdout) == 0 ? 0 : 2;
}
