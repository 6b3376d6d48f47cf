/* chat SPREAD_NAME USER GROUP
 *
 * Says to a group what comes in lines, and prints what the others say. demo/java/Chat.java is the same in Java. */
#include <poll.h>
#include <unistd.h>

#include "demo.h"

/* What has come: a message or a new list of members. */
static void take(mailbox mbox)
{
    static struct received r;
    int i;

    need(receive(mbox, &r), "SP_receive");
    if (Is_regular_mess(r.type))
        printf("message: \"%s\", sent by %s\n", r.body, r.sender);
    else if (Is_reg_memb_mess(r.type)) {
        printf("members of %s:", r.sender);
        for (i = 0; i < r.num_groups; i++)
            printf(" %s", r.groups[i]);
        printf("\n");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char private_group[MAX_GROUP_NAME], line[500];
    struct pollfd fds[2];
    mailbox mbox;

    if (argc != 4) {
        fprintf(stderr, "usage: chat SPREAD_NAME USER GROUP\n");
        return 2;
    }
    mbox = connect_to(argv[1], argv[2], 1, private_group);
    need(SP_join(mbox, argv[3]), "SP_join");
    /* So that poll knows of every line. */
    setvbuf(stdin, NULL, _IONBF, 0);
    for (;;) {
        fds[0].fd = STDIN_FILENO;
        fds[1].fd = mbox;
        fds[0].events = fds[1].events = POLLIN;
        if (poll(fds, 2, -1) < 0)
            return 1;
        if (fds[1].revents)
            take(mbox);
        if (fds[0].revents) {
            if (!fgets(line, sizeof line, stdin))
                break;
            line[strcspn(line, "\n")] = '\0';
            need(SP_multicast(mbox, AGREED_MESS, argv[3], TYPE_TALK, (int)strlen(line), line), "SP_multicast");
        }
    }
    need(SP_leave(mbox, argv[3]), "SP_leave");
    need(SP_disconnect(mbox), "SP_disconnect");
    return 0;
}
