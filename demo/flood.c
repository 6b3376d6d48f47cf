/* flood SPREAD_NAME USER GROUP COUNT SIZE
 *
 * Sends so many numbered messages of so many bytes to a group, as fast as the daemon takes them, then one more that says
 * how many they were. Ends when the network has delivered that last one. */
#include "demo.h"

int main(int argc, char **argv)
{
    static struct received r;
    static char body[MAX_MESSAGE];
    char private_group[MAX_GROUP_NAME], last[2][MAX_GROUP_NAME];
    mailbox mbox;
    sp_time start, took;
    double seconds;
    int count, size, i;

    if (argc != 6) {
        fprintf(stderr, "usage: flood SPREAD_NAME USER GROUP COUNT SIZE\n");
        return 2;
    }
    count = atoi(argv[4]);
    size = atoi(argv[5]);
    if (count < 1 || size < 20 || size > MAX_MESSAGE) {
        fprintf(stderr, "flood: COUNT is at least 1, SIZE is from 20 to %d\n", MAX_MESSAGE);
        return 2;
    }
    mbox = connect_to(argv[1], argv[2], 0, private_group);

    start = E_get_time();
    for (i = 1; i <= count; i++) {
        sprintf(body, "%d", i);
        need(SP_multicast(mbox, AGREED_MESS, argv[3], TYPE_NUMBER, size, body), "SP_multicast");
    }
    /* To the group and to ourselves: when it comes back, everything before it has been ordered. */
    sprintf(last[0], "%.31s", argv[3]);
    sprintf(last[1], "%.31s", private_group);
    sprintf(body, "%d", count);
    need(SP_multigroup_multicast(mbox, AGREED_MESS, 2, (const char (*)[MAX_GROUP_NAME])last, TYPE_LAST, size, body),
         "SP_multigroup_multicast");
    do
        need(receive(mbox, &r), "SP_receive");
    while (r.mess_type != TYPE_LAST);
    took = E_sub_time(E_get_time(), start);
    seconds = (double)took.sec + (double)took.usec / 1e6;
    printf("sent %d messages of %d bytes in %.2f s (%.0f a second)\n", count, size, seconds, count / seconds);
    need(SP_disconnect(mbox), "SP_disconnect");
    return 0;
}
