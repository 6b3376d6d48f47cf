/* The network belongs to the test that runs the program: it is asked on standard output and answers on standard input. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

/* Counts the requests of all processes of the program. */
static int *network_requests;

/* To be called before any fork. */
static void network_start(void)
{
    network_requests = mmap(NULL, sizeof *network_requests, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(network_requests != MAP_FAILED);
}

/* Has it do something ("kill 0", "restart 1"), and waits until that is done. */
static void network(const char *command)
{
    char line[100];
    size_t length;

    snprintf(line, sizeof line, "do %d %s\n", ++*network_requests, command);
    write_all(STDOUT_FILENO, line, strlen(line));
    for (length = 0; length == 0 || line[length - 1] != '\n'; length++) {
        CHECK(length < sizeof line);
        read_all(STDIN_FILENO, line + length, 1);
    }
    CHECK_EQ(length, 5);
    CHECK_MEM(line, "done\n", 5);
}

#endif
