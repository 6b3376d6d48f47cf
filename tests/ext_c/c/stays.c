/* Joins a group, says so, and does what it reads from standard input, line by line. Driven by log.rs.
 *
 *   flood N    sends N messages of 1000 bytes to the group
 *   receive    receives to the end of the connection, and says how many came and why it has ended
 *   (end)      ends */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "sp_ext.h"

static char body[1000];

int main(int argc, char **argv)
{
    char line[100];
    mailbox mbox;
    SPX_message *message;

    check_start(argc, argv, "stays", 60);
    check_needs_names();
    mbox = session(unix_name(), true, NULL);
    join(mbox, "stays");
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        int count = 0;
        int code;

        if (sscanf(line, "flood %d", &count) == 1) {
            while (count-- > 0)
                CHECK_EQ(SP_multicast(mbox, FIFO_MESS | SELF_DISCARD, "stays", 0, sizeof body, body), sizeof body);
            printf("flooded\n");
        } else {
            while ((code = SPX_receive(mbox, &message, scaled(20000))) >= 0) {
                SPX_message_free(message);
                count++;
            }
            printf("%d messages, then %d: %s\n", count, code, SPX_last_error());
        }
        fflush(stdout);
    }
    SP_disconnect(mbox);
    return check_done();
}
