/* Options: every way to set them, which goes before which, and what is said of bad ones. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"
#include "sp_ext.h"

/* Whether the text has this part. */
static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void bad(SPX_conf *conf, const char *name, const char *value, const char *reason)
{
    CHECK_EQ(SPX_conf_set(conf, name, value), SPX_BAD_OPTION);
    if (!has(SPX_last_error(), reason))
        FAIL("the reason is \"%s\" and not \"%s\"", SPX_last_error(), reason);
}

static void bad_options_are_named(void)
{
    SPX_conf *conf = SPX_conf_new();
    char text[5000];

    check_case("bad options");
    CHECK(conf != NULL);
    CHECK_EQ(SPX_conf_set(conf, "disconnect_ms", "0"), 0);
    bad(conf, "nosuch", "1", "there is no option \"nosuch\"");
    bad(conf, "disconnect_ms", "60001", "disconnect_ms cannot be \"60001\"; it takes 0 to 60000");
    bad(conf, "disconnect_ms", "", "disconnect_ms");
    bad(conf, "mailbox", "Stable", "auto, socket, stable");
    bad(conf, "mailbox", "\xff", "not UTF-8");
    bad(conf, NULL, "1", "null");
    bad(conf, "mailbox", NULL, "null");
    bad(NULL, "mailbox", "auto", "null");
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = 0;
    bad(conf, "max_message", text, "longer than");
    SPX_conf_free(conf);
    SPX_conf_free(NULL);
}

/* An option that can be seen from outside: a stable mailbox is one end of a pair of sockets. */
static bool is_stable(mailbox mbox)
{
    int kind = 0;
    socklen_t size = sizeof kind;
    char peer[200];
    socklen_t length = sizeof peer;

    SYS(getsockopt(mbox, SOL_SOCKET, SO_TYPE, &kind, &size));
    SYS(getpeername(mbox, (struct sockaddr *)peer, &length));
    /* The pair has no names; a daemon's unix socket has one. */
    return length <= sizeof(sa_family_t);
}

static bool stable_with(const char *spread_name, const SPX_conf *conf)
{
    char name[MAX_PRIVATE_NAME + 1];
    char group[MAX_GROUP_NAME];
    mailbox mbox = -1;
    bool stable;

    new_private_name(name);
    CHECK_EQ(SPX_connect(spread_name, name, 1, conf, -1, &mbox, group), ACCEPT_SESSION);
    stable = is_stable(mbox);
    CHECK_EQ(SP_disconnect(mbox), 0);
    return stable;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

static void nearer_sources_go_first(void)
{
    SPX_conf *conf = SPX_conf_new();
    char name[200];
    char path[] = "/tmp/options-XXXXXX";

    SYS(close((int)SYS(mkstemp(path))));
    check_case("nothing set");
    CHECK(!stable_with(unix_name(), NULL));
    CHECK(!stable_with(unix_name(), conf));

    check_case("the file");
    write_file(path, "# a comment\n\n  mailbox = stable  \n");
    SYS(setenv("SPREAD_CLIENT_CONF", path, 1));
    CHECK(stable_with(unix_name(), NULL));

    check_case("the environment before the file");
    SYS(setenv("SPREAD_OPTIONS", "mailbox=auto", 1));
    CHECK(!stable_with(unix_name(), NULL));

    check_case("the environment");
    SYS(unsetenv("SPREAD_CLIENT_CONF"));
    SYS(setenv("SPREAD_OPTIONS", "disconnect_ms=500&mailbox=stable", 1));
    CHECK(stable_with(unix_name(), NULL));
    CHECK(stable_with(unix_name(), conf));

    check_case("the name before the environment");
    snprintf(name, sizeof name, "%s?mailbox=auto", unix_name());
    CHECK(!stable_with(name, NULL));

    check_case("the program before the name");
    snprintf(name, sizeof name, "%s?disconnect_ms=1&mailbox=auto", unix_name());
    CHECK_EQ(SPX_conf_set(conf, "mailbox", "stable"), 0);
    CHECK(stable_with(name, conf));

    check_case("the program before the environment");
    CHECK_EQ(SPX_conf_set(conf, "mailbox", "socket"), 0);
    CHECK(!stable_with(unix_name(), conf));
    CHECK_EQ(SPX_conf_set(conf, "mailbox", "stable"), 0);
    SYS(unsetenv("SPREAD_OPTIONS"));
    CHECK(stable_with(unix_name(), conf));
    SPX_conf_free(conf);
    SYS(unlink(path));
}

static void refused_with(const char *spread_name, const SPX_conf *conf, const char *reason)
{
    char group[MAX_GROUP_NAME];
    mailbox mbox = 47;

    CHECK_EQ(SPX_connect(spread_name, "r", 1, conf, -1, &mbox, group), ILLEGAL_SPREAD);
    CHECK_EQ(mbox, 47);
    if (!has(SPX_last_error(), reason))
        FAIL("the reason is \"%s\" and not \"%s\"", SPX_last_error(), reason);
}

/* The link's socket can be the mailbox neither over TCP nor where the link changes. */
static void a_socket_is_not_for_every_session(void)
{
    static const char with_auto[] = "mailbox=socket cannot be had together with failover=auto";
    static const char over_tcp[] = "mailbox=socket is for unix sockets only";
    SPX_conf *conf = SPX_conf_new();
    char name[400];

    check_case("asked for by the program");
    CHECK_EQ(SPX_conf_set(conf, "mailbox", "socket"), 0);
    CHECK(!stable_with(unix_name(), conf));
    refused_with(tcp_name(), conf, over_tcp);
    snprintf(name, sizeof name, "%s,%s", unix_name(), tcp_name());
    refused_with(name, conf, over_tcp);
    refused_with("srv:_spread._tcp.nowhere.invalid", conf, over_tcp);
    snprintf(name, sizeof name, "%s?failover=auto", unix_name());
    refused_with(name, conf, with_auto);
    snprintf(name, sizeof name, "%s?failover=auto&mailbox=socket", unix_name());
    refused_with(name, NULL, with_auto);
    snprintf(name, sizeof name, "%s?mailbox=socket", tcp_name());
    refused_with(name, NULL, over_tcp);

    check_case("asked for by the environment: stable is taken");
    SYS(setenv("SPREAD_OPTIONS", "mailbox=socket", 1));
    CHECK(!stable_with(unix_name(), NULL));
    CHECK(stable_with(tcp_name(), NULL));
    snprintf(name, sizeof name, "%s?failover=auto", unix_name());
    CHECK(stable_with(name, NULL));
    SYS(setenv("SPREAD_OPTIONS", "mailbox=socket&failover=auto", 1));
    CHECK(stable_with(unix_name(), NULL));

    check_case("failover=auto by the environment yields to a program that wants the socket");
    SYS(setenv("SPREAD_OPTIONS", "failover=auto", 1));
    CHECK(stable_with(unix_name(), NULL));
    CHECK(!stable_with(unix_name(), conf));
    SYS(unsetenv("SPREAD_OPTIONS"));
    SPX_conf_free(conf);
}

static void failures_have_reasons(void)
{
    char name[MAX_PRIVATE_NAME + 1];
    char group[MAX_GROUP_NAME];
    mailbox mbox = -1;
    char second[200];

    check_case("options in the name that cannot be");
    snprintf(second, sizeof second, "%s?mailbox=round", unix_name());
    CHECK_EQ(SP_connect(second, "r", 0, 1, &mbox, group), ILLEGAL_SPREAD);
    CHECK(has(SPX_last_error(), "mailbox cannot be \"round\""));

    check_case("nobody listens");
    CHECK_EQ(SPX_connect("1@127.0.0.1", "r", 1, NULL, -1, &mbox, group), COULD_NOT_CONNECT);
    CHECK(has(SPX_last_error(), "127.0.0.1:1"));
    CHECK(has(SPX_last_error(), "refused"));

    check_case("every candidate is told");
    CHECK_EQ(SP_connect("1@127.0.0.1,2@127.0.0.2", "r", 0, 1, &mbox, group), COULD_NOT_CONNECT);
    CHECK(has(SPX_last_error(), "127.0.0.1:1"));
    CHECK(has(SPX_last_error(), "127.0.0.2:2"));

    check_case("no time");
    CHECK_EQ(SPX_connect(tcp_name(), "r", 1, NULL, 0, &mbox, group), CONNECTION_CLOSED);
    CHECK(has(SPX_last_error(), "in time"));

    check_case("a name in use");
    new_private_name(name);
    CHECK_EQ(SPX_connect(unix_name(), name, 1, NULL, 10000, &mbox, group), ACCEPT_SESSION);
    CHECK_EQ(SPX_connect(unix_name(), name, 1, NULL, 10000, &mbox, group), REJECT_NOT_UNIQUE);
    CHECK(has(SPX_last_error(), "-6"));
    snprintf(second, sizeof second, "%s", SPX_last_error());

    check_case("a call that succeeds leaves the reason alone");
    CHECK_EQ(SP_poll(mbox), 0);
    CHECK_STR(SPX_last_error(), second);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_EQ(SP_disconnect(mbox), ILLEGAL_SESSION);
    CHECK(has(SPX_last_error(), "session"));
}

static void *reason_here(void *unused)
{
    (void)unused;
    CHECK_STR(SPX_last_error(), "");
    return NULL;
}

static void texts(void)
{
    struct worker other;

    check_case("texts");
    CHECK_STR(SPX_strerror(CONNECTION_CLOSED), SP_strerror(CONNECTION_CLOSED));
    CHECK_STR(SP_strerror(SPX_TIMEOUT), "Unrecognized error.");
    CHECK(strcmp(SPX_strerror(SPX_TIMEOUT), "Unrecognized error.") != 0);
    CHECK_BETWEEN((long long)strlen(SPX_version()), 5, 20);
    worker_start(&other, reason_here, NULL);
    worker_join(&other);
}

static void sigpipe_can_be_left(void)
{
    SPX_conf *conf = SPX_conf_new();
    struct sigaction action;
    mailbox mbox;
    char group[MAX_GROUP_NAME];

    SYS(signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0);
    CHECK_EQ(SPX_conf_set(conf, "sigpipe", "leave"), 0);
    CHECK_EQ(SPX_connect("1@127.0.0.1", "p", 1, conf, -1, &mbox, group), COULD_NOT_CONNECT);
    SYS(sigaction(SIGPIPE, NULL, &action));
    CHECK(action.sa_handler == SIG_DFL);
    SPX_conf_free(conf);
}

static void sigpipe_is_ignored(void)
{
    struct sigaction action;
    mailbox mbox;
    char group[MAX_GROUP_NAME];

    SYS(signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0);
    CHECK_EQ(SPX_connect("1@127.0.0.1", "p", 1, NULL, -1, &mbox, group), COULD_NOT_CONNECT);
    SYS(sigaction(SIGPIPE, NULL, &action));
    CHECK(action.sa_handler == SIG_IGN);
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "options", 60);
    check_needs_names();
    check_case("sigpipe");
    IN_CHILD(sigpipe_can_be_left());
    IN_CHILD(sigpipe_is_ignored());
    bad_options_are_named();
    nearer_sources_go_first();
    a_socket_is_not_for_every_session();
    failures_have_reasons();
    texts();
    return check_done();
}
