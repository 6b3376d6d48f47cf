/* Connects, does what its environment makes the library say something about, and ends. Driven by log.rs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "sp_ext.h"

#define GROUPS 44

int main(int argc, char **argv)
{
    static char groups[GROUPS][MAX_GROUP_NAME];
    const char *closed = getenv("CLOSE_STDERR");
    mailbox mbox;
    int i;

    check_start(argc, argv, "says", 30);
    check_needs_names();
    if (closed != NULL)
        SYS(close(2));
    for (i = 0; i < 2; i++) {
        mbox = session(unix_name(), true, NULL);
        /* With standard error closed the mailbox gets its number, and no warning may go to the daemon. */
        if (closed != NULL)
            CHECK_EQ(mbox, 2);
        for (int g = 0; g < GROUPS; g++)
            memset(groups[g], 'a', 5);
        CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, GROUPS, (const char(*)[MAX_GROUP_NAME])groups, 0, 2, "hi"), 2);
        join(mbox, "still-alive");
        CHECK_EQ(SP_disconnect(mbox), 0);
    }
    return check_done();
}
