/* SPX_event_fd, SPX_next_event, SPX_set_event_cb, SPX_private_group, SPX_daemon, SPX_reconnect. Arguments: three daemons. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "events.h"
#include "network.h"

static char list[400];

/* At the first daemon of the list. */
static mailbox bob(const char *options)
{
    char name[600];
    char private_group[MAX_GROUP_NAME];
    mailbox mbox;

    snprintf(name, sizeof name, "%s?avoid_ms=0&%s", list, options);
    mbox = connected(name, "bob", private_group);
    CHECK_STR(private_group, "#bob#d1");
    return mbox;
}

static void bad_arguments(void)
{
    mailbox mbox = bob("failover=auto");
    SPX_event event = {sizeof event - 1};
    char group[MAX_GROUP_NAME];
    char text[8];

    check_case("bad arguments");
    CHECK_EQ(SPX_event_fd(-1), ILLEGAL_SESSION);
    CHECK_EQ(SPX_next_event(-1, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SPX_next_event(mbox, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SPX_next_event(mbox, &event), ILLEGAL_MESSAGE);
    event.size = sizeof event;
    CHECK_EQ(SPX_next_event(-1, &event), ILLEGAL_SESSION);
    CHECK_EQ(SPX_set_event_cb(-1, NULL, NULL), ILLEGAL_SESSION);
    CHECK_EQ(SPX_private_group(-1, group), ILLEGAL_SESSION);
    CHECK_EQ(SPX_private_group(mbox, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SPX_reconnect(-1), ILLEGAL_SESSION);
    CHECK_EQ(SPX_daemon(-1, 0, NULL), ILLEGAL_SESSION);
    CHECK_EQ(SPX_daemon(mbox, -1, text), ILLEGAL_MESSAGE);
    CHECK(SPX_daemon(mbox, 0, NULL) > 8);
    CHECK(SPX_daemon(mbox, sizeof text, text) > 8);
    CHECK_STR(text, "127.0.0");

    check_case("an event that was refused is still there");
    CHECK_EQ(SPX_next_event(mbox, &event), 1);
    CHECK_EQ(event.type, SPX_EVENT_CONNECTED);
    CHECK_STR(event.private_group, "#bob#d1");
    CHECK(strncmp(event.daemon, "127.0.0.1:", 10) == 0);
    CHECK_EQ(SPX_next_event(mbox, &event), 0);
    CHECK(!is_readable(SPX_event_fd(mbox)));
    SP_disconnect(mbox);
    CHECK_EQ(SPX_next_event(mbox, &event), ILLEGAL_SESSION);
}

static void events_in_order(void)
{
    mailbox mbox = bob("failover=auto");
    char group[MAX_GROUP_NAME];
    char daemon[SPX_MAX_DAEMON];
    SPX_event event;
    int fd = SPX_event_fd(mbox);

    check_case("a daemon dies");
    CHECK_EQ(SPX_event_fd(mbox), fd);
    join(mbox, "g");
    CHECK_EQ(next_event(mbox).type, SPX_EVENT_CONNECTED);
    network("kill 0");
    event = next_event(mbox);
    CHECK_EQ(event.type, SPX_EVENT_DAEMON_LOST);
    CHECK(strncmp(event.daemon, "127.0.0.1:", 10) == 0);
    event = next_event(mbox);
    CHECK_EQ(event.type, SPX_EVENT_RECONNECTED);
    CHECK_STR(event.old_private_group, "#bob#d1");
    CHECK_STR(event.private_group, "#bob#d2");
    CHECK(strncmp(event.daemon, "127.0.0.2:", 10) == 0);
    CHECK_EQ(event.groups, 1);
    CHECK_EQ(event.outages, 1);
    CHECK(event.attempts >= 1);
    CHECK(event.ms < 10000);
    CHECK_EQ(SPX_private_group(mbox, group), 0);
    CHECK_STR(group, "#bob#d2");
    CHECK_EQ(SPX_daemon(mbox, sizeof daemon, daemon), (int)strlen(event.daemon));
    CHECK_STR(daemon, event.daemon);

    check_case("a session is moved");
    network("restart 0");
    CHECK_EQ(SPX_reconnect(mbox), 0);
    CHECK_EQ(next_event(mbox).type, SPX_EVENT_DAEMON_LOST);
    event = next_event(mbox);
    CHECK_EQ(event.type, SPX_EVENT_RECONNECTED);
    CHECK(strcmp(event.private_group, "#bob#d2") != 0);

    check_case("the program shuts the number down");
    SYS(shutdown(mbox, SHUT_RDWR));
    event = next_event(mbox);
    CHECK_EQ(event.type, SPX_EVENT_CLOSED);
    CHECK_EQ(event.reason, SPX_CLOSED_BY_PROGRAM);
    CHECK_EQ(SPX_reconnect(mbox), NET_ERROR_ON_SESSION);
    SP_kill(mbox);
}

static void classic_session(void)
{
    mailbox mbox = bob("failover=connect");
    SPX_event event;

    check_case("a session that does not come back");
    CHECK_EQ(next_event(mbox).type, SPX_EVENT_CONNECTED);
    CHECK_EQ(SPX_reconnect(mbox), NET_ERROR_ON_SESSION);
    network("kill 0");
    CHECK_EQ(next_event(mbox).type, SPX_EVENT_DAEMON_LOST);
    event = next_event(mbox);
    CHECK_EQ(event.type, SPX_EVENT_CLOSED);
    CHECK_EQ(event.reason, SPX_CLOSED_DAEMON_GONE);
    CHECK_EQ(receive_to_the_end(mbox), CONNECTION_CLOSED);
    network("restart 0");
    SP_disconnect(mbox);
}

struct told {
    pthread_mutex_t lock;
    int types[20];
    int count;
    mailbox mbox;
    bool leave;
};

static void tell(mailbox mbox, const SPX_event *event, void *data)
{
    struct told *told = data;

    PTHREAD(pthread_mutex_lock(&told->lock));
    CHECK_EQ(event->size, sizeof *event);
    CHECK_EQ(mbox, told->mbox);
    CHECK(told->count < (int)COUNT_OF(told->types));
    told->types[told->count++] = event->type;
    PTHREAD(pthread_mutex_unlock(&told->lock));
    if (told->leave) {
        /* From the function itself: nothing to wait for. */
        CHECK_EQ(SPX_set_event_cb(mbox, NULL, NULL), 0);
        CHECK_EQ(SP_disconnect(mbox), 0);
    }
}

static int told_of(struct told *told)
{
    int count;

    PTHREAD(pthread_mutex_lock(&told->lock));
    count = told->count;
    PTHREAD(pthread_mutex_unlock(&told->lock));
    return count;
}

static void callbacks(void)
{
    struct told told = {PTHREAD_MUTEX_INITIALIZER, {0}, 0, 0, false};
    SPX_event event = {sizeof event};
    mailbox mbox = bob("failover=auto");

    check_case("a function is told");
    told.mbox = mbox;
    CHECK_EQ(SPX_set_event_cb(mbox, tell, &told), 0);
    WAIT_UNTIL(told_of(&told) == 1);
    network("kill 0");
    WAIT_UNTIL(told_of(&told) == 3);
    CHECK_EQ(told.types[0], SPX_EVENT_CONNECTED);
    CHECK_EQ(told.types[1], SPX_EVENT_DAEMON_LOST);
    CHECK_EQ(told.types[2], SPX_EVENT_RECONNECTED);
    CHECK_EQ(SPX_next_event(mbox, &event), 0);
    network("restart 0");

    check_case("and no longer");
    CHECK_EQ(SPX_set_event_cb(mbox, NULL, NULL), 0);
    network("kill 1");
    CHECK_EQ(next_event(mbox).type, SPX_EVENT_DAEMON_LOST);
    CHECK_EQ(next_event(mbox).type, SPX_EVENT_RECONNECTED);
    CHECK_EQ(told_of(&told), 3);
    network("restart 1");
    SP_disconnect(mbox);

    check_case("a function ends the session");
    mbox = bob("failover=auto");
    told.mbox = mbox;
    told.leave = true;
    CHECK_EQ(SPX_set_event_cb(mbox, tell, &told), 0);
    WAIT_UNTIL(told_of(&told) == 4);
    WAIT_UNTIL(SPX_next_event(mbox, &event) == ILLEGAL_SESSION);
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "events", 60);
    network_start();
    snprintf(list, sizeof list, "%s,%s,%s", check_name(0), check_name(1), check_name(2));
    bad_arguments();
    classic_session();
    callbacks();
    events_in_order();
    return check_done();
}
