/* The forms of spread_name, with what SP_connect makes of each. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

static struct fake fake;

static int connect_as(const char *name)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = -77;
    int result = SP_connect(name, "me", 0, 1, &mbox, private_group);

    if (result == ACCEPT_SESSION)
        SP_kill(mbox);
    else
        CHECK_EQ(mbox, -77);
    return result;
}

static void connects(const char *name)
{
    struct visit visit;

    check_case("\"%s\" connects", name);
    fake_start(&visit, &fake, usual_handshake);
    CHECK_EQ(connect_as(name), ACCEPT_SESSION);
    SYS(close(fake_finish(&visit)));
}

static void fails(const char *name, int code)
{
    check_case("\"%s\" gives %d", name, code);
    CHECK_EQ(connect_as(name), code);
    CHECK(!fake_has_visitor(&fake));
}

/* Replaces each % by the port, and each ~ by a number that is the same modulo 65536. */
static const char *with_port(const char *form, int offset)
{
    static char name[400];
    char *to = name;

    for (; *form != 0; form++)
        if (*form == '%')
            to += sprintf(to, "%d", fake.port + offset);
        else
            *to++ = *form;
    *to = 0;
    return name;
}

static void every_form(void)
{
    static const char *const good[] = {
        "%", " %", "\t\n%", "\v\f\r%", "% ", "%\t", "+%", "00%", "000000000000%",
        "%@localhost", "%@127.0.0.1", "%@127.1", "%@2130706433", "%@0x7f000001", "%@::ffff:127.0.0.1",
        "% @localhost", "%\t\n@127.0.0.1", "%@127.0.0.1 junk", "%@127.0.0.1\n", "%@127.0.0.1 ",
    };
    static const char *const illegal[] = {
        "% @", "%@", "%@ localhost", "@localhost", "localhost", "localhost:%", "%:localhost", "%localhost", "%@@localhost", "abc",
        " ", "\t", "-", "+", "+ %", "0x12cb@localhost", "%.5@localhost", "%@127.0.0.1,127.0.0.1", "%x",
    };
    size_t i;

    for (i = 0; i < COUNT_OF(good); i++)
        connects(with_port(good[i], 0));
    for (i = 0; i < COUNT_OF(illegal); i++)
        fails(with_port(illegal[i], 0), ILLEGAL_SPREAD);

    /* The number wraps, and what is far too long for it becomes the largest one. */
    connects(with_port("%@127.0.0.1", 65536));
    connects(with_port("%@127.0.0.1", -65536));
    connects(with_port("%", 65536));
    connects(with_port("%", 1 << 20));
    fails("99999999999999999999@127.0.0.1", COULD_NOT_CONNECT);
    fails("0", COULD_NOT_CONNECT);
    fails("0@127.0.0.1", COULD_NOT_CONNECT);
}

static void lists(void)
{
    if (CLASSIC("names: lists of names are understood")) {
        fails(with_port("%,%@localhost", 0), ILLEGAL_SPREAD);
        fails(with_port("%;%", 0), ILLEGAL_SPREAD);
        return;
    }
    connects(with_port("%,%@localhost", 0));
    connects(with_port("%;%", 0));
}

static void brackets(void)
{
    if (CLASSIC("names longer than 70 characters, [v6] in brackets")) {
        fails(with_port("%@[::1]", 0), ILLEGAL_SPREAD);
        return;
    }
    /* The fake daemon has no IPv6: the name is understood, and nobody is there. */
    fails(with_port("%@[::1]", 0), COULD_NOT_CONNECT);
    connects(with_port("%@[::ffff:127.0.0.1]", 0));
}

static void long_names(void)
{
    char name[80];

    check_case("names of 70 and more characters");
    memset(name, ' ', sizeof name);
    memcpy(name, fake.unix_name, strlen(fake.unix_name));
    name[70] = 0;
    connects(name);
    name[70] = ' ';
    name[71] = 0;
    if (CLASSIC("names longer than 70 characters, [v6] in brackets"))
        fails(name, ILLEGAL_SPREAD);
    else
        connects(name);

    /* A host name that no resolver knows is illegal, but for a resolver that is out of order. */
    memset(name, 'a', sizeof name);
    memcpy(name, "4803@", 5);
    name[70] = 0;
    CHECK_BETWEEN(connect_as(name), COULD_NOT_CONNECT, ILLEGAL_SPREAD);
    CHECK_BETWEEN(connect_as("4803@no-such-host.invalid"), COULD_NOT_CONNECT, ILLEGAL_SPREAD);
}

static void the_empty_name(void)
{
    int usual = connect_as("4803");

    /* Somebody's daemon may or may not be there: the same answer is all that can be asked for. */
    check_case("no name is the usual port");
    if (usual == ACCEPT_SESSION || usual == COULD_NOT_CONNECT) {
        CHECK_EQ(connect_as(NULL), usual);
        CHECK_EQ(connect_as(""), usual);
    }
}

static void nobody_there(void)
{
    struct fake gone;

    fake_open(&gone);
    fake_close(&gone);
    fails(gone.unix_name, COULD_NOT_CONNECT);
    fails(gone.tcp_name, COULD_NOT_CONNECT);

    /* A daemon that has been killed leaves its unix socket behind. */
    fake_open(&gone);
    SYS(close(gone.unix_listener));
    fails(gone.unix_name, COULD_NOT_CONNECT);
    SYS(close(gone.tcp_listener));
    SYS(unlink(gone.path));
}

int main(int argc, char **argv)
{
    check_start(argc, argv, "connect_names", 20);
    fake_open(&fake);
    every_form();
    lists();
    brackets();
    long_names();
    the_empty_name();
    nobody_there();
    fake_close(&fake);
    return check_done();
}
