/* talk SPREAD_NAME USER GROUP MEMBERS
 *
 * Joins a group, waits until so many members are in it, says hello, and prints what everybody says. */
#include "demo.h"

int main(int argc, char **argv)
{
    static struct received r;
    char private_group[MAX_GROUP_NAME], text[80];
    mailbox mbox;
    int members, heard, i;

    if (argc != 5) {
        fprintf(stderr, "usage: talk SPREAD_NAME USER GROUP MEMBERS\n");
        return 2;
    }
    members = atoi(argv[4]);
    mbox = connect_to(argv[1], argv[2], 1, private_group);
    printf("connected to %s as %s\n", argv[1], private_group);
    need(SP_join(mbox, argv[3]), "SP_join");

    /* Every change of the group comes as a message with the list of its members. */
    do {
        need(receive(mbox, &r), "SP_receive");
        if (Is_reg_memb_mess(r.type)) {
            printf("members of %s:", r.sender);
            for (i = 0; i < r.num_groups; i++)
                printf(" %s", r.groups[i]);
            printf("\n");
        }
    } while (!Is_reg_memb_mess(r.type) || r.num_groups < members);

    sprintf(text, "hello from %.20s", argv[2]);
    need(SP_multicast(mbox, AGREED_MESS, argv[3], TYPE_TALK, (int)strlen(text), text), "SP_multicast");
    for (heard = 0; heard < members;) {
        need(receive(mbox, &r), "SP_receive");
        if (Is_regular_mess(r.type)) {
            printf("message: \"%s\", sent by %s\n", r.body, r.sender);
            heard++;
        }
    }

    need(SP_leave(mbox, argv[3]), "SP_leave");
    do
        need(receive(mbox, &r), "SP_receive");
    while (!Is_self_leave(r.type));
    need(SP_disconnect(mbox), "SP_disconnect");
    return 0;
}
