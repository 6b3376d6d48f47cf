/* The network belongs to the test that runs the program: it is asked on standard output and answers on standard input. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdio.h>
#include <string.h>

#include "check.h"

/* Has it do something ("kill 0", "restart 1"), and waits until that is done. */
static void network(const char *command)
{
    static int number;
    char answer[100];

    printf("do %d %s\n", ++number, command);
    fflush(stdout);
    CHECK(fgets(answer, sizeof answer, stdin) != NULL);
    CHECK_STR(answer, "done\n");
}

#endif
