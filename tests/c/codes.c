/* Codes and their texts, the version, and the functions that only answer. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* Exported by the classic libraries, though no header declares them. */
int SP_query_groups(void);
int SP_query_members(void);

static const struct {
    int code;
    const char *text;
} texts[] = {
    {ACCEPT_SESSION, "Unrecognized error."},
    {ILLEGAL_SPREAD, "Illegal spread name provided."},
    {COULD_NOT_CONNECT, "Could not connect."},
    {REJECT_QUOTA, "Connection rejected, too many users."},
    {REJECT_NO_NAME, "Connection rejected, no name was supplied."},
    {REJECT_ILLEGAL_NAME, "Connection rejected, illegal name."},
    {REJECT_NOT_UNIQUE, "Connection rejected, name not unique."},
    {REJECT_VERSION, "Connection rejected, client library incompatible with daemon."},
    {CONNECTION_CLOSED, "Connection closed by Spread."},
    {REJECT_AUTH, "Connection rejected, authentication failed."},
    {ILLEGAL_SESSION, "Illegal session was supplied."},
    {ILLEGAL_SERVICE, "Illegal service request."},
    {ILLEGAL_MESSAGE, "Illegal message."},
    {ILLEGAL_GROUP, "Illegal group."},
    {BUFFER_TOO_SHORT, "Buffer too short."},
    {GROUPS_TOO_SHORT, "Groups list too short."},
    {MESSAGE_TOO_LONG, "Message (body + group names) too large."},
    {NET_ERROR_ON_SESSION, "Network socket error. SP_kill() the mailbox."},
    {SP_BUG, "Internal Spread bug detected."},
    {ILLEGAL_TIME, "Illegal time."},
    {0, "Unrecognized error."},
    {2, "Unrecognized error."},
    {-10, "Unrecognized error."},
    {-21, "Unrecognized error."},
    {0x7fffffff, "Unrecognized error."},
    {-0x7fffffff - 1, "Unrecognized error."},
};

static void printed_is(int code, const char *text)
{
    char want[200];
    char got[200];
    int ends[2];
    int kept;
    ssize_t n;

    SYS(pipe(ends));
    fflush(stdout);
    kept = (int)SYS(dup(STDOUT_FILENO));
    SYS(dup2(ends[1], STDOUT_FILENO));
    SP_error(code);
    fflush(stdout);
    SYS(dup2(kept, STDOUT_FILENO));
    SYS(close(kept));
    SYS(close(ends[1]));
    n = SYS(read(ends[0], got, sizeof got - 1));
    got[n] = 0;
    SYS(close(ends[0]));
    snprintf(want, sizeof want, "SP_error: (%d) %s\n", code, text);
    CHECK_STR(got, want);
}

int main(int argc, char **argv)
{
    int major = 0;
    int minor = -1;
    int patch = 0;
    size_t i;

    check_start(argc, argv, "codes", 20);
    for (i = 0; i < COUNT_OF(texts); i++) {
        check_case("code %d", texts[i].code);
        CHECK_STR(SP_strerror(texts[i].code), texts[i].text);
        printed_is(texts[i].code, texts[i].text);
    }
    CHECK_EQ(SP_version(&major, &minor, &patch), 1);
    CHECK_EQ(major, 5);
    CHECK_EQ(minor, 0);
    CHECK_EQ(patch, 1);
    CHECK_EQ(SP_query_groups(), -1);
    CHECK_EQ(SP_query_members(), -1);
    return check_done();
}
