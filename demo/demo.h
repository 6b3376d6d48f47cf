/* What the demo programs share. They use nothing of the library but sp.h. */
#ifndef DEMO_H
#define DEMO_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sp.h"

/* The application's own types of message. */
#define TYPE_TALK   1
#define TYPE_NUMBER 2
#define TYPE_LAST   3

/* Room for what SP_receive gives. */
#define MAX_MEMBERS 100
#define MAX_MESSAGE 100000

struct received {
    service type;
    char sender[MAX_GROUP_NAME];
    char groups[MAX_MEMBERS][MAX_GROUP_NAME];
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    int size;                   /* of the body, or an error code */
    char body[MAX_MESSAGE + 1]; /* ends with a NUL that was not sent */
};

/* Ends the program if a call has failed. */
static int need(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: ", what);
        fflush(stderr);
        SP_error(result);
        exit(1);
    }
    return result;
}

/* Waits for the next message, whatever it is. */
static int receive(mailbox mbox, struct received *r)
{
    r->type = 0;
    r->size = SP_receive(mbox, &r->type, r->sender, MAX_MEMBERS, &r->num_groups, r->groups, &r->mess_type,
                         &r->endian_mismatch, MAX_MESSAGE, r->body);
    if (r->size >= 0)
        r->body[r->size] = 0;
    return r->size;
}

/* Connects, and sets a limit to the program's life, so that a demo never hangs. */
static mailbox connect_to(const char *spread_name, const char *user, int membership, char *private_group)
{
    mailbox mbox;
    sp_time limit = {10, 0};
    int result;

    alarm(120);
    result = SP_connect_timeout(spread_name, user, 0, membership, &mbox, private_group, limit);
    if (result != ACCEPT_SESSION) {
        fprintf(stderr, "connecting to %s as %s: ", spread_name, user);
        fflush(stderr);
        SP_error(result);
        exit(1);
    }
    return mbox;
}

#endif
