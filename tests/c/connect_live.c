/* Connecting to a daemon: private groups, refusals, and that the name is free again afterwards. */
#include <stdio.h>
#include <string.h>

#include "session.h"

static int connect_named(const char *name, const char *private_name, mailbox *mbox, char *private_group)
{
    *mbox = -77;
    return SP_connect(name, private_name, 0, 1, mbox, private_group);
}

static void refused(const char *name, const char *private_name, int code)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox;

    CHECK_EQ(connect_named(name, private_name, &mbox, private_group), code);
    CHECK_EQ(mbox, -77);
}

static void named_session(const char *name)
{
    char private_name[MAX_PRIVATE_NAME + 1];
    char private_group[MAX_GROUP_NAME];
    char start[MAX_GROUP_NAME];
    mailbox mbox;

    check_case("%s: the private group carries the private name", name);
    new_private_name(private_name);
    CHECK_EQ(connect_named(name, private_name, &mbox, private_group), ACCEPT_SESSION);
    snprintf(start, sizeof start, "#%s#", private_name);
    CHECK(strncmp(private_group, start, strlen(start)) == 0 && strlen(private_group) > strlen(start));

    check_case("%s: the name is taken meanwhile, also on other kinds of socket", name);
    refused(name, private_name, REJECT_NOT_UNIQUE);

    check_case("%s: the name is free after SP_disconnect", name);
    CHECK_EQ(SP_disconnect(mbox), 0);
    WAIT_UNTIL(connect_named(name, private_name, &mbox, private_group) == ACCEPT_SESSION);

    check_case("%s: the name is free after SP_kill", name);
    SP_kill(mbox);
    WAIT_UNTIL(connect_named(name, private_name, &mbox, private_group) == ACCEPT_SESSION);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void nameless_sessions(const char *name)
{
    static const char *const none[] = {NULL, ""};
    char groups[2][MAX_GROUP_NAME];
    mailbox mboxes[2];
    int i;

    check_case("%s: the daemon makes a name", name);
    for (i = 0; i < 2; i++) {
        CHECK_EQ(connect_named(name, none[i], &mboxes[i], groups[i]), ACCEPT_SESSION);
        CHECK(groups[i][0] == '#' && strlen(groups[i]) > 3);
    }
    CHECK(strcmp(groups[0], groups[1]) != 0);
    CHECK(mboxes[0] != mboxes[1]);
    for (i = 0; i < 2; i++)
        CHECK_EQ(SP_disconnect(mboxes[i]), 0);
}

static void illegal_names(const char *name)
{
    static const char *const illegal[] = {"a b", "a#b", "#", "\"", "!x", "\t", "x\177", "\200\201", "caf\351"};
    size_t i;

    for (i = 0; i < COUNT_OF(illegal); i++) {
        check_case("%s: illegal private name %zu", name, i);
        refused(name, illegal[i], REJECT_ILLEGAL_NAME);
    }
}

static void cut_name(const char *name)
{
    char private_name[2 * MAX_PRIVATE_NAME + 1];
    char private_group[MAX_GROUP_NAME];
    mailbox mbox;
    size_t size;

    check_case("%s: a name of more than 10 characters is cut", name);
    new_private_name(private_name);
    for (size = strlen(private_name); size < 2 * MAX_PRIVATE_NAME; size++)
        private_name[size] = 'z';
    private_name[size] = 0;
    CHECK_EQ(connect_named(name, private_name, &mbox, private_group), ACCEPT_SESSION);
    CHECK(strncmp(private_group + 1, private_name, MAX_PRIVATE_NAME) == 0 && private_group[1 + MAX_PRIVATE_NAME] == '#');
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static int yes(int fd, void *data)
{
    (void)fd;
    (void)data;
    return 1;
}

static void methods(const char *name)
{
    const char *names[2] = {"NULL", "IP"};
    int (*functions[2])(int, void *) = {yes, yes};
    void *data[2] = {NULL, NULL};

    check_case("%s: methods that the daemon does not allow", name);
    CHECK_EQ(SP_set_auth_method("IP", yes, NULL), 1);
    refused(name, "", REJECT_AUTH);
    CHECK_EQ(SP_set_auth_methods(2, names, functions, data), 1);
    refused(name, "", REJECT_AUTH);
    CHECK_EQ(SP_set_auth_methods(0, names, functions, data), 1);
    refused(name, "", REJECT_AUTH);
    CHECK_EQ(SP_set_auth_method("NULL", yes, NULL), 1);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "connect_live", 20);
    check_needs_names();
    for (i = 0; i < check_names; i++) {
        named_session(check_name(i));
        nameless_sessions(check_name(i));
        illegal_names(check_name(i));
        cut_name(check_name(i));
        methods(check_name(i));
    }
    return check_done();
}
