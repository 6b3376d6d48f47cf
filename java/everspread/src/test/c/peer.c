/* A member of a group in C, driven by lines on standard input; see programs.Peer, its twin in Java.
 *
 *     peer DAEMON NAME
 *
 * `join G`, `leave G`, `send G TYPE TEXT`, `quit`. Prints a line for what it receives:
 *
 *     data SENDER TYPE MISMATCH SERVICE GROUPS TEXT
 *     member GROUP SERVICE MEMBERS INDEX WHO
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sp.h"

#define GROUPS 100

static char groups[GROUPS][MAX_GROUP_NAME];
static char mess[150000];

static void print_names(int count)
{
    int i;

    for (i = 0; i < count; i++)
        printf("%s%s", i ? "," : "", groups[i]);
    if (count == 0)
        printf("-");
}

/* Who the change is about, as Java's getJoined and getLeft tell it. */
static void print_who(service type)
{
    membership_info info;

    if (SP_get_memb_info(mess, type, &info) < 0)
        printf("?");
    else if (Is_caused_join_mess(type) || Is_caused_leave_mess(type) || Is_caused_disconnect_mess(type))
        printf("%s", info.changed_member);
    else
        printf("-");
}

static int take(mailbox mbox)
{
    char sender[MAX_GROUP_NAME];
    service type = 0;
    int16 mess_type;
    int count, mismatch, size;

    size = SP_receive(mbox, &type, sender, GROUPS, &count, groups, &mess_type, &mismatch, sizeof mess, mess);
    if (size < 0) {
        printf("lost %d\n", size);
        return 0;
    }
    if (Is_regular_mess(type)) {
        printf("data %s %d %d %x ", sender, mess_type, mismatch, (unsigned) type);
        print_names(count);
        printf(" %.*s\n", size, mess);
    } else {
        printf("member %s %x ", sender, (unsigned) type);
        print_names(count);
        printf(" %d ", mess_type);
        if (Is_reg_memb_mess(type))
            print_who(type);
        else
            printf("-");
        printf("\n");
    }
    fflush(stdout);
    return 1;
}

/* 0: the end. */
static int obey(mailbox mbox)
{
    char line[1000], group[MAX_GROUP_NAME], text[900] = "";
    int type, result = 0;

    if (!fgets(line, sizeof line, stdin) || strncmp(line, "quit", 4) == 0)
        return 0;
    if (sscanf(line, "join %31s", group) == 1)
        result = SP_join(mbox, group);
    else if (sscanf(line, "leave %31s", group) == 1)
        result = SP_leave(mbox, group);
    else if (sscanf(line, "send %31s %d %899[^\n]", group, &type, text) >= 2)
        result = SP_multicast(mbox, AGREED_MESS, group, (int16) type, (int) strlen(text), text);
    if (result < 0) {
        printf("failed %d\n", result);
        fflush(stdout);
    }
    return 1;
}

int main(int argc, char **argv)
{
    char private_group[MAX_GROUP_NAME];
    struct pollfd fds[2] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
    mailbox mbox;
    int result;

    if (argc != 3 || (result = SP_connect(argv[1], argv[2], 0, 1, &mbox, private_group)) != ACCEPT_SESSION) {
        printf("no connection\n");
        return 1;
    }
    printf("connected %s\n", private_group);
    fflush(stdout);
    setvbuf(stdin, NULL, _IONBF, 0);
    fds[1].fd = mbox;
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            return 1;
        if (fds[1].revents && !take(mbox))
            return 1;
        if (fds[0].revents && !obey(mbox))
            break;
    }
    SP_disconnect(mbox);
    return 0;
}
