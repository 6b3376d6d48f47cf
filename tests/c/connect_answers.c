/* What SP_connect returns for every answer of a daemon, and which outputs it has written then. The daemon is a scripted one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"

#define OFFER SEND("\005NULL ")
#define CODE(byte) SEND(byte)
#define TEN_X "xxxxxxxxxx"

struct answer {
    const char *what;
    int result;
    const char *private_group;      /* on success */
    struct step script[8];
    int priority;
};

static const struct answer answers[] = {
    {"closed at once", CONNECTION_CLOSED, NULL, {HELLO, CLOSE, END}, 0},
    {"refused: -1", ILLEGAL_SPREAD, NULL, {HELLO, CODE("\377"), CLOSE, END}, 0},
    {"refused: -2", COULD_NOT_CONNECT, NULL, {HELLO, CODE("\376"), CLOSE, END}, 0},
    {"refused: too many", REJECT_QUOTA, NULL, {HELLO, CODE("\375"), CLOSE, END}, 0},
    {"refused: no name", REJECT_NO_NAME, NULL, {HELLO, CODE("\374"), CLOSE, END}, 0},
    {"refused: illegal name", REJECT_ILLEGAL_NAME, NULL, {HELLO, CODE("\373"), CLOSE, END}, 0},
    {"refused: name not unique", REJECT_NOT_UNIQUE, NULL, {HELLO, CODE("\372"), CLOSE, END}, 0},
    {"refused: version", REJECT_VERSION, NULL, {HELLO, CODE("\371"), CLOSE, END}, 0},
    {"refused: -8", CONNECTION_CLOSED, NULL, {HELLO, CODE("\370"), CLOSE, END}, 0},
    {"refused: authentication", REJECT_AUTH, NULL, {HELLO, CODE("\367"), CLOSE, END}, 0},
    {"refused: -50", -50, NULL, {HELLO, CODE("\316"), CLOSE, END}, 0},
    {"refused: -128", -128, NULL, {HELLO, CODE("\200"), CLOSE, END}, 0},

    {"no method offered", REJECT_AUTH, NULL, {HELLO, SEND("\0"), END}, 0},
    {"another method offered", REJECT_AUTH, NULL, {HELLO, SEND("\003IP "), END}, 0},
    {"a longer name offered", REJECT_AUTH, NULL, {HELLO, SEND("\006NULLX "), END}, 0},
    {"a shorter name offered", REJECT_AUTH, NULL, {HELLO, SEND("\004NUL "), END}, 0},
    {"a name in small letters offered", REJECT_AUTH, NULL, {HELLO, SEND("\005null "), END}, 0},
    {"a zero byte ends the offer", REJECT_AUTH, NULL, {HELLO, SEND("\007IP\0NULL"), END}, 0},
    {"the offer is cut", CONNECTION_CLOSED, NULL, {HELLO, SEND("\005NU"), CLOSE, END}, 0},
    {"an offer of 91 bytes", CONNECTION_CLOSED, NULL,
     {HELLO, SEND("\133NULL " TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X "xxxxxx"), END}, 0},
    {"an offer of 127 bytes", CONNECTION_CLOSED, NULL, {HELLO, CODE("\177"), END}, 0},
    {"an offer of 90 bytes", ACCEPT_SESSION, "#me#fake",
     {HELLO, SEND("\132NULL " TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X "xxxx "), CHOICE, SEND("\001\005\000\001\010#me#fake"),
      END}, 0},
    {"an offer without the last blank", ACCEPT_SESSION, "#me#fake",
     {HELLO, SEND("\004NULL"), CHOICE, SEND("\001\005\000\001\010#me#fake"), END}, 0},
    {"two methods offered", ACCEPT_SESSION, "#me#fake",
     {HELLO, SEND("\010IP NULL "), CHOICE, SEND("\001\005\000\001\010#me#fake"), END}, 0},

    {"closed instead of an answer", CONNECTION_CLOSED, NULL, {HELLO, OFFER, CHOICE, CLOSE, END}, 0},
    {"answered: too many", REJECT_QUOTA, NULL, {HELLO, OFFER, CHOICE, CODE("\375"), CLOSE, END}, 0},
    {"answered: authentication", REJECT_AUTH, NULL, {HELLO, OFFER, CHOICE, CODE("\367"), CLOSE, END}, 0},
    {"answered: -128", -128, NULL, {HELLO, OFFER, CHOICE, CODE("\200"), CLOSE, END}, 0},
    {"answered: 0", 0, NULL, {HELLO, OFFER, CHOICE, CODE("\000"), CLOSE, END}, 0},
    {"answered: 2", 2, NULL, {HELLO, OFFER, CHOICE, CODE("\002"), CLOSE, END}, 0},
    {"answered: 127", 127, NULL, {HELLO, OFFER, CHOICE, CODE("\177"), CLOSE, END}, 0},
    {"a refusal of five bytes", REJECT_NOT_UNIQUE, NULL, {HELLO, OFFER, CHOICE, SEND("\372\005\000\001\000"), END}, 0},
    {"an acceptance of one byte", CONNECTION_CLOSED, NULL, {HELLO, OFFER, CHOICE, CODE("\001"), CLOSE, END}, 0},
    {"an acceptance of two bytes", CONNECTION_CLOSED, NULL, {HELLO, OFFER, CHOICE, SEND("\001\005"), CLOSE, END}, 0},
    {"an acceptance of four bytes", CONNECTION_CLOSED, NULL, {HELLO, OFFER, CHOICE, SEND("\001\005\000\001"), CLOSE, END}, 0},
    {"the private group is cut", CONNECTION_CLOSED, NULL, {HELLO, OFFER, CHOICE, SEND("\001\005\000\001\010#me"), CLOSE, END}, 0},
    {"a private group of 32 bytes", CONNECTION_CLOSED, NULL,
     {HELLO, OFFER, CHOICE, SEND("\001\005\000\001\040" TEN_X TEN_X TEN_X "xx"), END}, 0},
    {"a private group of -1 bytes", CONNECTION_CLOSED, NULL, {HELLO, OFFER, CHOICE, SEND("\001\005\000\001\377"), END}, 0},
    {"a private group of 31 bytes", ACCEPT_SESSION, TEN_X TEN_X TEN_X "x",
     {HELLO, OFFER, CHOICE, SEND("\001\005\000\001\037" TEN_X TEN_X TEN_X "x"), END}, 0},
    {"a private group of no bytes", ACCEPT_SESSION, "", {HELLO, OFFER, CHOICE, SEND("\001\005\000\001\000"), END}, 0},
    {"a private group with a zero byte", ACCEPT_SESSION, "#me",
     {HELLO, OFFER, CHOICE, SEND("\001\005\000\001\010#me\0fake"), END}, 0},

    {"a daemon of version 2", REJECT_VERSION, NULL, {HELLO, OFFER, CHOICE, SEND("\001\002\011\011\010#me#fake"), END}, 0},
    {"a daemon of version 3.7", ACCEPT_SESSION, "#me#fake",
     {HELLO, OFFER, CHOICE, SEND("\001\003\007\000\010#me#fake"), END}, 0},
    {"a daemon of version 3.7 and a priority", REJECT_VERSION, NULL,
     {HELLO, OFFER, CHOICE, SEND("\001\003\007\000\010#me#fake"), END}, 1},
    {"a daemon of version 3.8 and a priority", ACCEPT_SESSION, "#me#fake",
     {HELLO, OFFER, CHOICE, SEND("\001\003\010\000\010#me#fake"), END}, 1},
    {"a daemon of version 9.9.9", ACCEPT_SESSION, "#me#fake",
     {HELLO, OFFER, CHOICE, SEND("\001\011\011\011\010#me#fake"), END}, 0},
    {"a daemon with a negative major version", CONNECTION_CLOSED, NULL,
     {HELLO, OFFER, CHOICE, SEND("\001\377\000\001\010#me#fake"), END}, 0},
    {"a daemon with a negative minor version", CONNECTION_CLOSED, NULL,
     {HELLO, OFFER, CHOICE, SEND("\001\005\377\001\010#me#fake"), END}, 0},
    {"a daemon with a negative patch version", CONNECTION_CLOSED, NULL,
     {HELLO, OFFER, CHOICE, SEND("\001\005\000\377\010#me#fake"), END}, 0},

    {"everything one byte at a time", ACCEPT_SESSION, "#me",
     {HELLO, SEND("\005"), SEND("NULL "), CHOICE, SEND("\001"), SEND("\005\000"), SEND("\001\003#m"), SEND("e")}, 0},
};

static struct fake fake;

static void try(const struct answer *answer, const char *name)
{
    /* Of exactly the promised size: a byte too far is seen. */
    char *private_group = malloc(MAX_GROUP_NAME);
    struct step script[COUNT_OF(answer->script) + 1] = {END};
    struct visit visit;
    mailbox mbox = -77;
    int open_before = open_descriptors();
    int daemon;

    check_case("%s (%s)", answer->what, is_tcp(name) ? "TCP" : "unix");
    CHECK(private_group != NULL);
    memcpy(script, answer->script, sizeof answer->script);
    fake_start(&visit, &fake, script);
    CHECK_EQ(SP_connect(name, "me", answer->priority, 1, &mbox, private_group), answer->result);
    daemon = fake_finish(&visit);
    if (answer->result == ACCEPT_SESSION) {
        CHECK_STR(private_group, answer->private_group);
        CHECK(mbox >= 0);
        SP_kill(mbox);
    } else {
        CHECK_EQ(mbox, -77);
    }
    if (daemon >= 0) {
        char byte;

        /* The client's end is closed in any case. */
        CHECK(read(daemon, &byte, 1) <= 0);
        SYS(close(daemon));
    }
    WAIT_UNTIL(open_descriptors() == open_before);
    free(private_group);
}

/* The library's own output goes to a file while it must not print, and the program's is kept aside. */
static int output_to_file(void)
{
    FILE *file = tmpfile();
    int kept;

    CHECK(file != NULL);
    kept = (int)SYS(dup(STDOUT_FILENO));
    SYS(dup2(fileno(file), STDOUT_FILENO));
    fclose(file);
    return kept;
}

static void nothing_was_printed(int kept)
{
    struct stat file;

    fflush(stdout);
    SYS(fstat(STDOUT_FILENO, &file));
    if (!CLASSIC("D27: no output while connecting"))
        CHECK_EQ(file.st_size, 0);
    SYS(dup2(kept, STDOUT_FILENO));
    SYS(close(kept));
}

/* The first session of a process opens descriptors that stay. */
static void warm_up(const char *name)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    SP_kill(mbox);
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    size_t i;
    int kept;

    check_start(argc, argv, "connect_answers", 20);
    fake_open(&fake);
    warm_up(fake.unix_name);
    warm_up(fake.tcp_name);
    kept = output_to_file();
    for (i = 0; i < COUNT_OF(answers); i++) {
        try(&answers[i], fake.unix_name);
        try(&answers[i], fake.tcp_name);
    }
    nothing_was_printed(kept);
    fake_close(&fake);
    return check_done();
}
