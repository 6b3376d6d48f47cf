/* failover DAEMONS SENDER_AT USER GROUP CONTROL
 *
 * A session with failover=auto that loses its daemon in the middle of a stream. DAEMONS is a list of daemons; SENDER_AT is the daemon
 * of another process that sends numbers; CONTROL is the control socket of the embedded network, which is told to kill the daemon that the
 * session is at. Says what the session saw. */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>

#include "demo.h"
#include "sp_ext.h"

/* Messages before the daemon is killed, and after the session has come back. */
#define BEFORE 300
#define AFTER  300

static void fail(const char *what)
{
    fprintf(stderr, "failover: %s\n", what);
    exit(1);
}

/* Sends numbers until it is killed. */
static void send_numbers(const char *spread_name, const char *user, const char *group)
{
    char private_group[MAX_GROUP_NAME], name[MAX_PRIVATE_NAME + 1], body[20];
    mailbox mbox;
    int number;

    sprintf(name, "s%.9s", user);
    mbox = connect_to(spread_name, name, 0, private_group);
    for (number = 1;; number++) {
        sprintf(body, "%d", number);
        need(SP_multicast(mbox, AGREED_MESS, group, TYPE_NUMBER, (int)strlen(body), body), "SP_multicast");
        usleep(1000);
    }
}

/* Tells the embedded network something. */
static void tell_network(const char *control, const char *command)
{
    struct sockaddr_un place;
    char answer[200];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    long size;

    memset(&place, 0, sizeof place);
    place.sun_family = AF_UNIX;
    strncpy(place.sun_path, control, sizeof place.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&place, sizeof place) < 0)
        fail("the network's control socket is not there");
    if (write(fd, command, strlen(command)) != (long)strlen(command))
        fail("the network does not listen");
    size = read(fd, answer, sizeof answer - 1);
    if (size < 2 || strncmp(answer, "ok", 2) != 0)
        fail("the network does not do what it is told");
    close(fd);
}

/* What the library tells of the session; 1 once it has gone on at another daemon. */
static int look_at_events(mailbox mbox)
{
    SPX_event event;
    int back = 0;

    event.size = sizeof event;
    while (need(SPX_next_event(mbox, &event), "SPX_next_event") == 1) {
        if (event.type == SPX_EVENT_DAEMON_LOST)
            printf("the daemon at %s is lost\n", event.daemon);
        if (event.type == SPX_EVENT_RECONNECTED) {
            printf("on the daemon at %s after %lu ms, %u groups joined again; %s is now %s\n", event.daemon, event.ms, event.groups,
                   event.old_private_group, event.private_group);
            back = 1;
        }
        if (event.type == SPX_EVENT_CLOSED)
            fail("the session has ended");
    }
    return back;
}

int main(int argc, char **argv)
{
    static struct received r;
    char name[1000], private_group[MAX_GROUP_NAME], command[100];
    int before = 0, after = 0, last = 0, missed = 0, views = 0, transitions = 0, number, killed = 0;
    mailbox mbox;
    pid_t sender;

    if (argc != 6 || strlen(argv[1]) > 900) {
        fprintf(stderr, "usage: failover DAEMONS SENDER_AT USER GROUP CONTROL\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sender = fork();
    if (sender == 0)
        send_numbers(argv[2], argv[3], argv[4]);
    sprintf(name, "%s?failover=auto", argv[1]);
    mbox = connect_to(name, argv[3], 1, private_group);
    need(SP_join(mbox, argv[4]), "SP_join");
    need(SP_join(mbox, "another-group"), "SP_join");
    while (after < AFTER) {
        need(receive(mbox, &r), "SP_receive");
        if (Is_transition_mess(r.type)) {
            printf("transition of %s: what was promised ends here\n", r.sender);
            transitions++;
        } else if (Is_membership_mess(r.type)) {
            printf("view of %s: %d members\n", r.sender, r.num_groups);
            views++;
        } else if (r.mess_type == TYPE_NUMBER) {
            number = atoi(r.body);
            if (last != 0 && number <= last)
                fail("a number came twice, or out of order");
            if (last != 0)
                missed += number - last - 1;
            last = number;
            if (!killed)
                before++;
            else if (look_at_events(mbox) || after > 0)
                after++;
        }
        if (before == BEFORE && !killed) {
            /* #user#daemon */
            sprintf(command, "kill %.30s\n", strrchr(private_group, '#') + 1);
            printf("%d numbers have come; now the daemon is killed\n", before);
            tell_network(argv[5], command);
            killed = 1;
        }
    }
    kill(sender, SIGTERM);
    waitpid(sender, NULL, 0);
    printf("%d numbers before the loss, %d after it, %d in the gap; %d transitions, %d views\n", before, after, missed, transitions, views);
    need(SP_disconnect(mbox), "SP_disconnect");
    return transitions == 2 ? 0 : 1;
}
