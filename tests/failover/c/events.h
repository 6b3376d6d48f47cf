/* Sessions whose events a program looks at. */
#ifndef EVENTS_H
#define EVENTS_H

#include "session.h"
#include "sp_ext.h"

/* Connects with membership messages. The session before may not be gone yet for the daemon. */
static inline mailbox connected(const char *name, const char *private_name, char private_group[MAX_GROUP_NAME])
{
    mailbox mbox;
    int result;

    WAIT_UNTIL((result = SP_connect(name, private_name, 0, 1, &mbox, private_group)) != REJECT_NOT_UNIQUE);
    CHECK_EQ(result, ACCEPT_SESSION);
    return mbox;
}

/* Waits for it. */
static inline SPX_event next_event(mailbox mbox)
{
    SPX_event event = {sizeof event};
    int fd = SPX_event_fd(mbox);

    CHECK(fd >= 0);
    WAIT_READABLE(fd);
    CHECK_EQ(SPX_next_event(mbox, &event), 1);
    return event;
}

/* The next one of this type; what comes before does not matter. */
static inline SPX_event until_event(mailbox mbox, int type)
{
    SPX_event event;

    do
        event = next_event(mbox);
    while (event.type != type);
    return event;
}

#endif
