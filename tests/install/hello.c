/* Sends itself a message over the daemon that is named and says so. C89 and C++. */
#include <stdio.h>
#include <string.h>

#include <sp.h>

int main(int argc, char **argv)
{
    char groups[4][MAX_GROUP_NAME], mess[64], private_group[MAX_GROUP_NAME], sender[MAX_GROUP_NAME];
    int num_groups, endian_mismatch, size;
    service type = 0;
    int16 mess_type;
    mailbox mbox;

    if (argc != 2) {
        fprintf(stderr, "usage: hello DAEMON\n");
        return 2;
    }
    size = SP_connect(argv[1], NULL, 0, 0, &mbox, private_group);
    if (size != ACCEPT_SESSION) {
        SP_error(size);
        return 1;
    }
    if (SP_multicast(mbox, AGREED_MESS, private_group, 7, 5, "hello") != 5)
        return 1;
    size = SP_receive(mbox, &type, sender, 4, &num_groups, groups, &mess_type, &endian_mismatch, sizeof mess, mess);
    if (size != 5 || memcmp(mess, "hello", 5) != 0 || mess_type != 7 || strcmp(sender, private_group) != 0)
        return 1;
    printf("hello from %s\n", sender);
    return SP_disconnect(mbox) != 0;
}
