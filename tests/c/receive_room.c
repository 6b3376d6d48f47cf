/* Unusual room for a receive: less than none, elements of no size, none at all, and more than a hundred. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static mailbox mbox;
static int daemon_end;

static const struct frame data = {.type = FIFO_MESS, .groups = "g1", .mess_type = 7, .body = "0123456789", .size = 10};
static const struct frame empty = {.type = FIFO_MESS, .groups = "g1", .mess_type = 7};
static const struct frame nameless = {.type = FIFO_MESS, .mess_type = 7, .body = "0123456789", .size = 10};
static const struct frame bare = {.type = FIFO_MESS, .mess_type = 7};

static void next_is(const struct frame *frame)
{
    struct got got;

    receive_any(mbox, &got);
    CHECK_EQ(got.result, frame->size);
    CHECK_EQ(got.mess_type, 7);
    CHECK_EQ(got.num_groups, frame->groups != NULL);
    if (frame->size > 0)
        CHECK_MEM(got.body, frame->body, (size_t)frame->size);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 0);
}

static void refused(const struct frame *frame, int max_groups, int max_size, int code, int num_groups, int endian_mismatch)
{
    struct got got;
    int i;

    check_case("a body of %d bytes%s, room for %d groups and %d bytes", frame->size, frame->groups != NULL ? " and a group" : "",
               max_groups, max_size);
    fake_send(daemon_end, frame);
    for (i = 0; i < 2; i++) {
        receive(mbox, &got, 0, max_groups, max_size);
        CHECK_EQ(got.result, code);
        CHECK_EQ(got.num_groups, num_groups);
        CHECK_EQ(got.endian_mismatch, endian_mismatch);
        CHECK_EQ(got.type, FIFO_MESS);
        CHECK_EQ(got.mess_type, 7);
        CHECK_STR(got.sender, "#peer#fake");
        CHECK_UNTOUCHED_FROM(&got, 0, 0);
        got_free(&got);
    }
    next_is(frame);
}

static void less_than_none(void)
{
    static const int below[] = {-1, -2, -1000, INT_MIN};
    size_t i;

    for (i = 0; i < COUNT_OF(below); i++) {
        refused(&data, 5, below[i], BUFFER_TOO_SHORT, 0, -10);
        refused(&empty, 5, below[i], BUFFER_TOO_SHORT, 0, 0);
        refused(&bare, 5, below[i], BUFFER_TOO_SHORT, 0, 0);
        refused(&data, below[i], 100, GROUPS_TOO_SHORT, -1, 0);
        refused(&data, below[i], 5, GROUPS_TOO_SHORT, -1, -10);
        refused(&nameless, below[i], 100, BUFFER_TOO_SHORT, 0, 0);
        refused(&nameless, below[i], below[i], BUFFER_TOO_SHORT, 0, -10);
        refused(&bare, below[i], below[i], BUFFER_TOO_SHORT, 0, 0);
    }
}

/* With DROP_RECV, less than none is none. */
static void less_than_none_and_drop(void)
{
    static const int below[] = {-1, -1000, INT_MIN};
    struct got got;
    size_t i;

    if (CLASSIC("negative room in a receive, D25"))
        return;
    for (i = 0; i < COUNT_OF(below); i++) {
        check_case("DROP_RECV and room for %d", below[i]);
        fake_send(daemon_end, &data);
        receive(mbox, &got, DROP_RECV, below[i], below[i]);
        CHECK_EQ(got.result, BUFFER_TOO_SHORT);
        CHECK_EQ(got.num_groups, -1);
        CHECK_EQ(got.endian_mismatch, 0);
        got_free(&got);
        fake_send(daemon_end, &bare);
        receive(mbox, &got, DROP_RECV, below[i], below[i]);
        CHECK_EQ(got.result, 0);
        CHECK_EQ(got.num_groups, 0);
        got_free(&got);
        fake_send(daemon_end, &data);
        next_is(&data);
    }
}

/* SP_scat_receive into pieces of these sizes, which lie in one piece of memory, each with a byte in between. */
struct pieces {
    scatter scatter;
    char memory[300];
    int result;
    int num_groups;
    int endian_mismatch;
};

static void receive_pieces(struct pieces *p, service type, const int sizes[], size_t number)
{
    char sender[MAX_GROUP_NAME];
    char groups[5][MAX_GROUP_NAME];
    int16 mess_type;
    char *at = p->memory;
    size_t i;

    fill(p->memory, sizeof p->memory);
    p->scatter.num_elements = number;
    for (i = 0; i < number; i++) {
        p->scatter.elements[i].buf = at;
        p->scatter.elements[i].len = (size_t)sizes[i];
        at += sizes[i] + 1;
    }
    p->result = SP_scat_receive(mbox, &type, sender, 5, &p->num_groups, groups, &mess_type, &p->endian_mismatch, &p->scatter);
    /* The structure stays as it was. */
    CHECK_EQ(p->scatter.num_elements, number);
    for (i = 0, at = p->memory; i < number; i++) {
        CHECK(p->scatter.elements[i].buf == at);
        CHECK_EQ(p->scatter.elements[i].len, sizes[i]);
        at += sizes[i] + 1;
    }
}

/* The body, in order, and nothing in between or behind. */
static void pieces_hold(const struct pieces *p, const char *body, int size)
{
    size_t i;

    for (i = 0; i < p->scatter.num_elements; i++) {
        const scat_element *piece = &p->scatter.elements[i];
        int here = (int)piece->len < size ? (int)piece->len : size;

        CHECK_MEM(piece->buf, body, (size_t)here);
        body += here;
        size -= here;
        CHECK(untouched(piece->buf + here, piece->len - (size_t)here + 1));
    }
    CHECK_EQ(size, 0);
}

#define TAKE_PIECES(...)                                                          \
    do {                                                                          \
        static const int sizes[] = {__VA_ARGS__};                                 \
        check_case("elements of " #__VA_ARGS__);                                  \
        fake_send(daemon_end, &data);                                             \
        receive_pieces(&p, 0, sizes, COUNT_OF(sizes));                            \
        CHECK_EQ(p.result, 10);                                                   \
        pieces_hold(&p, "0123456789", 10);                                        \
    } while (0)

static void elements(void)
{
    static const int nine[] = {4, 0, 5};
    struct pieces p;

    TAKE_PIECES(10);
    TAKE_PIECES(100);
    TAKE_PIECES(5, 5);
    TAKE_PIECES(4, 50);
    TAKE_PIECES(1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    TAKE_PIECES(10, 10, 10);
    TAKE_PIECES(0, 10);
    TAKE_PIECES(0, 4, 6);
    TAKE_PIECES(10, 0);
    if (!CLASSIC("D6: empty elements between others")) {
        TAKE_PIECES(0, 0, 10);
        TAKE_PIECES(4, 0, 50);
        TAKE_PIECES(0, 1, 0, 0, 2, 0, 3, 0, 4, 0);
        TAKE_PIECES(0, 10, 0, 0);

        check_case("DROP_RECV and empty elements between others");
        fake_send(daemon_end, &data);
        receive_pieces(&p, DROP_RECV, nine, 3);
        CHECK_EQ(p.result, BUFFER_TOO_SHORT);
        pieces_hold(&p, "012345678", 9);
    }

    check_case("elements that are too short together");
    fake_send(daemon_end, &data);
    receive_pieces(&p, 0, nine, 3);
    CHECK_EQ(p.result, BUFFER_TOO_SHORT);
    CHECK_EQ(p.endian_mismatch, -10);
    pieces_hold(&p, "", 0);
    next_is(&data);

    check_case("no elements");
    fake_send(daemon_end, &data);
    receive_pieces(&p, 0, NULL, 0);
    CHECK_EQ(p.result, BUFFER_TOO_SHORT);
    next_is(&data);
    fake_send(daemon_end, &empty);
    receive_pieces(&p, 0, NULL, 0);
    CHECK_EQ(p.result, 0);
    fake_send(daemon_end, &data);
    receive_pieces(&p, DROP_RECV, NULL, 0);
    CHECK_EQ(p.result, BUFFER_TOO_SHORT);
    CHECK_EQ(SP_poll(mbox), 0);
}

/* The structure ends after a hundred elements, but a program may have laid out more memory. */
static void many_elements(void)
{
    static char body[150];
    static char memory[150];
    struct frame frame = {.type = FIFO_MESS, .groups = "g1", .body = body, .size = sizeof body};
    scatter *longer = malloc(sizeof *longer + 50 * sizeof(scat_element));
    service type = 0;
    char sender[MAX_GROUP_NAME];
    char groups[1][MAX_GROUP_NAME];
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    size_t i;

    check_case("more than a hundred elements");
    CHECK(longer != NULL);
    longer->num_elements = 150;
    for (i = 0; i < 150; i++) {
        scat_element element = {memory + i, 1};

        memcpy((char *)longer + offsetof(scatter, elements) + i * sizeof element, &element, sizeof element);
        body[i] = (char)(i + 1);
    }
    fake_send(daemon_end, &frame);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian_mismatch, longer), 150);
    CHECK_MEM(memory, body, sizeof body);
    free(longer);
}

/* Sizes are asked for with room for nothing, and without any memory. */
static void asked_for_sizes(void)
{
    char sender[MAX_GROUP_NAME];
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian_mismatch;

    check_case("asking for the sizes without memory");
    fake_send(daemon_end, &data);
    CHECK_EQ(SP_receive(mbox, &type, sender, 0, &num_groups, NULL, &mess_type, &endian_mismatch, 0, NULL), GROUPS_TOO_SHORT);
    CHECK_EQ(num_groups, -1);
    CHECK_EQ(endian_mismatch, -10);
    next_is(&data);
    fake_send(daemon_end, &nameless);
    type = 0;
    CHECK_EQ(SP_receive(mbox, &type, sender, 0, &num_groups, NULL, &mess_type, &endian_mismatch, 0, NULL), BUFFER_TOO_SHORT);
    CHECK_EQ(num_groups, 0);
    CHECK_EQ(endian_mismatch, -10);
    next_is(&nameless);
    fake_send(daemon_end, &bare);
    type = 0;
    CHECK_EQ(SP_receive(mbox, &type, sender, 0, &num_groups, NULL, &mess_type, &endian_mismatch, 0, NULL), 0);
    fake_send(daemon_end, &data);
    type = DROP_RECV;
    CHECK_EQ(SP_receive(mbox, &type, sender, 0, &num_groups, NULL, &mess_type, &endian_mismatch, 0, NULL), BUFFER_TOO_SHORT);
    CHECK_EQ(num_groups, -1);
    CHECK_EQ(SP_poll(mbox), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "receive_room", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        daemon_end = fake_session(&fake, i == 0 ? fake.unix_name : fake.tcp_name, &mbox);
        less_than_none();
        less_than_none_and_drop();
        elements();
        many_elements();
        asked_for_sizes();
        SP_kill(mbox);
        SYS(close(daemon_end));
    }
    fake_close(&fake);
    return check_done();
}
