/* The bytes that the four multicast calls send for their arguments, and which arguments they refuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

#define ALL_BITS_BUT_MARKERS 0x7fffff7fu

static struct fake fake;
static mailbox mbox;
static int daemon_end;

/* The next frame at the daemon is this one. */
static void is_sent(unsigned type, int mess_type, const char *group, const void *body, int size)
{
    char own[MAX_GROUP_NAME] = FAKE_PRIVATE_GROUP;
    char want[MAX_GROUP_NAME] = {0};
    struct sent sent;

    memcpy(want, group, strlen(group));
    CHECK(fake_receive(daemon_end, &sent));
    CHECK_EQ(sent.type, type | MARKERS);
    CHECK_MEM(sent.sender, own, sizeof own);
    CHECK_EQ(sent.num_groups, 1);
    CHECK_MEM(sent.groups[0], want, sizeof want);
    CHECK_EQ(sent.hint, ((unsigned)mess_type << 8 & 0xffff00) | MARKERS);
    CHECK_EQ(sent.size, size);
    CHECK_MEM(sent.body, body, (size_t)size);
    sent_free(&sent);
}

/* No byte has come, and the session is fit for use. */
static void nothing_is_sent(void)
{
    CHECK(!is_readable(daemon_end));
    CHECK_EQ(SP_multicast(mbox, SAFE_MESS, "marker", 9, 0, NULL), 0);
    is_sent(SAFE_MESS, 9, "marker", "", 0);
}

static void services(void)
{
    static const service one[] = {UNRELIABLE_MESS, RELIABLE_MESS, FIFO_MESS, CAUSAL_MESS, AGREED_MESS, SAFE_MESS};
    /* Bits that have a meaning elsewhere, or none, go out as they are. */
    static const service extra[] = {
        SELF_DISCARD,    DROP_RECV,       REG_MEMB_MESS, TRANSITION_MESS,   CAUSED_BY_JOIN, CAUSED_BY_LEAVE,
        CAUSED_BY_DISCONNECT, CAUSED_BY_NETWORK, 0x4000, 0x8000, 0x100000, 0x200000, 0x800000, 0x2000000, 0x10000000, 0x20000000,
        0x40000000,
    };
    /* A real daemon drops a sender of these, or dies of them. */
    static const service bad[] = {0x10000, 0x20000, 0x40000, 0x80000, REJECT_MESS, RELIABLE_MESS, SAFE_MESS, 0x3b};
    size_t i;

    for (i = 0; i < COUNT_OF(one); i++) {
        check_case("service %#x", (unsigned)one[i]);
        CHECK_EQ(SP_multicast(mbox, one[i], "room", 1, 1, "x"), 1);
        is_sent((unsigned)one[i], 1, "room", "x", 1);
    }
    for (i = 0; i < COUNT_OF(extra); i++) {
        check_case("service FIFO and %#x", (unsigned)extra[i]);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS | extra[i], "room", 1, 1, "x"), 1);
        is_sent((unsigned)(FIFO_MESS | extra[i]), 1, "room", "x", 1);
        CHECK_EQ(SP_multicast(mbox, extra[i], "room", 1, 1, "x"), ILLEGAL_SERVICE);
    }
    /* The marks of the byte order are the library's. */
    check_case("service with marks of byte order");
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS | 0x80, "room", 1, 1, "x"), 1);
    is_sent(FIFO_MESS, 1, "room", "x", 1);
    CHECK_EQ(SP_multicast(mbox, (service)(FIFO_MESS | 0x80000000u), "room", 1, 1, "x"), 1);
    is_sent(FIFO_MESS, 1, "room", "x", 1);

    for (i = 0; i < COUNT_OF(bad); i++) {
        check_case("service FIFO and %#x", (unsigned)bad[i]);
        if (CLASSIC("service type on send")) {
            CHECK_EQ(SP_multicast(mbox, FIFO_MESS | bad[i], "room", 1, 1, "x"), 1);
            is_sent((unsigned)(FIFO_MESS | bad[i]), 1, "room", "x", 1);
        } else {
            CHECK_EQ(SP_multicast(mbox, FIFO_MESS | bad[i], "room", 1, 1, "x"), ILLEGAL_SERVICE);
        }
    }
    check_case("service -1");
    if (CLASSIC("service type on send")) {
        CHECK_EQ(SP_multicast(mbox, -1, "room", 1, 1, "x"), 1);
        is_sent(ALL_BITS_BUT_MARKERS, 1, "room", "x", 1);
    } else {
        CHECK_EQ(SP_multicast(mbox, -1, "room", 1, 1, "x"), ILLEGAL_SERVICE);
    }
    nothing_is_sent();
}

static void groups(void)
{
    static const char *const as_they_are[] = {
        "room", "", "#me#fake", "# ", " ", "a b", "\001\377\200", "\n", "abcdefghijklmnopqrstuvwxyz01234",
    };
    size_t i;

    for (i = 0; i < COUNT_OF(as_they_are); i++) {
        check_case("group \"%s\"", as_they_are[i]);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, as_they_are[i], 1, 1, "x"), 1);
        is_sent(FIFO_MESS, 1, as_they_are[i], "x", 1);
    }
    check_case("a long group is cut");
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "abcdefghijklmnopqrstuvwxyz0123456789", 1, 1, "x"), 1);
    is_sent(FIFO_MESS, 1, "abcdefghijklmnopqrstuvwxyz01234", "x", 1);
}

static void mess_types(void)
{
    static const int types[] = {0, 1, 258, 32767, -1, -2, -32768};
    size_t i;

    for (i = 0; i < COUNT_OF(types); i++) {
        check_case("mess_type %d", types[i]);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", (int16)types[i], 1, "x"), 1);
        is_sent(FIFO_MESS, types[i], "room", "x", 1);
    }
}

/* Body plus 32 for each group: what a real daemon survives, and what the reference library lets through. */
static int largest(void)
{
    return CLASSIC("message too large") ? 144000 : 143144;
}

static void sizes(void)
{
    static char body[144001];
    int most = largest() - MAX_GROUP_NAME;
    int i;

    for (i = 0; i < (int)sizeof body; i++)
        body[i] = (char)(i * 7);
    for (i = 0; i < 3; i++) {
        int size = i == 0 ? 0 : i == 1 ? 65537 : most;

        check_case("a body of %d bytes", size);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, size, body), size);
        is_sent(FIFO_MESS, 1, "room", body, size);
    }
    check_case("bodies that are too large");
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, most + 1, body), MESSAGE_TOO_LONG);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, sizeof body, body), MESSAGE_TOO_LONG);
    if (!CLASSIC("D17: sums that wrap"))
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, 0x7fffffff, body), MESSAGE_TOO_LONG);
    nothing_is_sent();

    check_case("negative sizes");
    if (CLASSIC("negative mess_len"))
        return;
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, -1, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, -32, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, -0x7fffffff - 1, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 1, -1, NULL), ILLEGAL_MESSAGE);
    nothing_is_sent();
}

static void several_groups(void)
{
    static const int numbers[] = {0, 1, 2, 43, 44, 99, 100};
    static char names[200][MAX_GROUP_NAME];
    static char body[144001];
    const char(*list)[MAX_GROUP_NAME] = (const char(*)[MAX_GROUP_NAME])names;
    struct sent sent;
    size_t i;
    int k;

    for (k = 0; k < (int)COUNT_OF(names); k++) {
        /* All 32 bytes go out, also what stands behind the end of the name. */
        memset(names[k], 'z', MAX_GROUP_NAME);
        snprintf(names[k], MAX_GROUP_NAME, "room%d", k);
    }
    for (i = 0; i < COUNT_OF(numbers); i++) {
        check_case("%d groups", numbers[i]);
        CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, numbers[i], list, 5, 5, "hello"), 5);
        CHECK(fake_receive(daemon_end, &sent));
        CHECK_EQ(sent.type, AGREED_MESS | MARKERS);
        CHECK_EQ(sent.num_groups, numbers[i]);
        CHECK_MEM(sent.groups, names, (size_t)numbers[i] * MAX_GROUP_NAME);
        CHECK_EQ(sent.hint, 0x500 | MARKERS);
        CHECK_EQ(sent.size, 5);
        CHECK_MEM(sent.body, "hello", 5);
        sent_free(&sent);
    }
    check_case("no groups, and no list of them");
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 0, NULL, 5, 2, "hi"), 2);
    CHECK(fake_receive(daemon_end, &sent));
    CHECK_EQ(sent.num_groups, 0);
    CHECK_EQ(sent.size, 2);
    sent_free(&sent);

    check_case("the size counts the groups");
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 100, list, 5, largest() - 3200, body), largest() - 3200);
    CHECK(fake_receive(daemon_end, &sent));
    CHECK_EQ(sent.size, largest() - 3200);
    sent_free(&sent);
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 100, list, 5, largest() - 3199, body), MESSAGE_TOO_LONG);
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 0, list, 5, largest() + 1, body), MESSAGE_TOO_LONG);
    nothing_is_sent();

    check_case("too many groups, and less than none");
    if (CLASSIC("number of groups")) {
        CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 101, list, 5, 5, "hello"), 5);
        CHECK(fake_receive(daemon_end, &sent));
        CHECK_EQ(sent.num_groups, 101);
        sent_free(&sent);
        return;
    }
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 101, list, 5, 5, "hello"), ILLEGAL_GROUP);
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, 200, list, 5, 5, "hello"), ILLEGAL_GROUP);
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, -1, list, 5, 5, "hello"), ILLEGAL_GROUP);
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, -100, list, 5, 5, "hello"), ILLEGAL_GROUP);
    CHECK_EQ(SP_multigroup_multicast(mbox, AGREED_MESS, -0x7fffffff - 1, list, 5, 5, "hello"), ILLEGAL_GROUP);
    nothing_is_sent();
}

/* All the ways to cut a text into elements, empty ones included. */
static void scatters(void)
{
    static char text[] = "the body of the message";
    int size = (int)strlen(text);
    char names[2][MAX_GROUP_NAME] = {"room", "hall"};
    struct sent sent;
    scatter pieces;
    int step;
    int i;

    for (step = 0; step <= 3; step++) {
        check_case("a scatter of %d bytes in pieces of %d", size, step);
        memset(&pieces, 0, sizeof pieces);
        for (i = 0; i < size; i += step > 0 ? step : size) {
            scat_element *piece = &pieces.elements[pieces.num_elements];

            piece[1].buf = text + i;
            piece[1].len = (size_t)(step == 0 || size - i < step ? size - i : step);
            /* Each one behind an empty one, with and without a place. */
            piece[0].buf = i % 2 == 0 ? NULL : text;
            piece[0].len = 0;
            pieces.num_elements += 2;
        }
        CHECK_EQ(SP_scat_multicast(mbox, CAUSAL_MESS, "room", 7, &pieces), size);
        is_sent(CAUSAL_MESS, 7, "room", text, size);
        CHECK_EQ(SP_multigroup_scat_multicast(mbox, CAUSAL_MESS, 2, (const char(*)[MAX_GROUP_NAME])names, 7, &pieces), size);
        CHECK(fake_receive(daemon_end, &sent));
        CHECK_EQ(sent.num_groups, 2);
        CHECK_MEM(sent.groups, names, sizeof names);
        CHECK_EQ(sent.size, size);
        CHECK_MEM(sent.body, text, (size_t)size);
        sent_free(&sent);
    }

    check_case("an empty scatter");
    pieces.num_elements = 0;
    CHECK_EQ(SP_scat_multicast(mbox, CAUSAL_MESS, "room", 7, &pieces), 0);
    is_sent(CAUSAL_MESS, 7, "room", "", 0);
    pieces.num_elements = 1;
    pieces.elements[0].len = 0;
    pieces.elements[0].buf = NULL;
    CHECK_EQ(SP_scat_multicast(mbox, CAUSAL_MESS, "room", 7, &pieces), 0);
    is_sent(CAUSAL_MESS, 7, "room", "", 0);
}

static void full_scatters(void)
{
    static char body[144100];
    scatter pieces;
    scatter *longer;
    int each = largest() / 100;
    int size = each * 100 - MAX_GROUP_NAME;
    size_t i;

    check_case("a hundred elements, as large as a message may be");
    for (i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 5);
    pieces.num_elements = 100;
    for (i = 0; i < 100; i++) {
        pieces.elements[i].buf = body + i * (size_t)each;
        pieces.elements[i].len = (size_t)each - (i == 99 ? MAX_GROUP_NAME : 0);
    }
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, &pieces), size);
    is_sent(FIFO_MESS, 7, "room", body, size);
    pieces.elements[50].len += (size_t)(largest() - each * 100) + 1;
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, &pieces), MESSAGE_TOO_LONG);

    /* The structure ends after a hundred elements, but a program may have laid out more memory. */
    check_case("more than a hundred elements");
    longer = malloc(sizeof *longer + 50 * sizeof(scat_element));
    CHECK(longer != NULL);
    longer->num_elements = 150;
    for (i = 0; i < 150; i++) {
        scat_element element = {body + i, 1};

        memcpy((char *)longer + offsetof(scatter, elements) + i * sizeof element, &element, sizeof element);
    }
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, longer), 150);
    is_sent(FIFO_MESS, 7, "room", body, 150);
    free(longer);

    check_case("lengths that wrap when summed in an int");
    if (CLASSIC("D17: sums that wrap"))
        return;
    pieces.num_elements = 2;
    pieces.elements[0].buf = body;
    pieces.elements[0].len = 5;
    pieces.elements[1].buf = body;
    pieces.elements[1].len = (size_t)1 << 32;
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, &pieces), MESSAGE_TOO_LONG);
    pieces.elements[1].len = (size_t)1 << 31;
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, &pieces), MESSAGE_TOO_LONG);
    pieces.elements[1].len = (size_t)-5;
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, &pieces), MESSAGE_TOO_LONG);
    pieces.elements[1].len = (size_t)-1;
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 7, &pieces), MESSAGE_TOO_LONG);
    nothing_is_sent();
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "multicast_wire", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        daemon_end = fake_session(&fake, i == 0 ? fake.unix_name : fake.tcp_name, &mbox);
        services();
        groups();
        mess_types();
        sizes();
        several_groups();
        scatters();
        full_scatters();
        SP_kill(mbox);
        SYS(close(daemon_end));
    }
    fake_close(&fake);
    return check_done();
}
