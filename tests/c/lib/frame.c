/* Frames as they are on the wire. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../fake.h"

void put_number(unsigned char *at, unsigned number, bool big_endian)
{
    int i;

    for (i = 0; i < 4; i++)
        at[big_endian ? 3 - i : i] = (unsigned char)(number >> (8 * i));
}

static unsigned number_at(const unsigned char *at)
{
    return at[0] | (unsigned)at[1] << 8 | (unsigned)at[2] << 16 | (unsigned)at[3] << 24;
}

/* Copies the names of a list, 32 bytes each, and gives their number. Without a place to copy to it only counts. A name of more than
 * 31 bytes is cut to 32, without a zero byte. */
static int put_names(unsigned char *at, const char *list)
{
    int number = 0;

    while (list != NULL && *list != 0) {
        size_t size = strcspn(list, " ");

        if (at != NULL) {
            memset(at, 0, MAX_GROUP_NAME);
            memcpy(at, list, size < MAX_GROUP_NAME ? size : MAX_GROUP_NAME);
            at += MAX_GROUP_NAME;
        }
        number++;
        list += size;
        list += *list == ' ';
    }
    return number;
}

size_t frame_size(const struct frame *frame)
{
    return HEADER_SIZE + (frame->old_type != 0 ? 4 : 0) + (size_t)put_names(NULL, frame->groups) * MAX_GROUP_NAME + (size_t)frame->size;
}

size_t frame_bytes(const struct frame *frame, unsigned char *buffer)
{
    int groups = put_names(NULL, frame->groups);
    unsigned char *at = buffer + HEADER_SIZE;

    put_number(buffer, frame->type | (frame->big_endian ? 0 : MARKERS), frame->big_endian);
    put_names(buffer + 4, frame->sender != NULL ? frame->sender : "#peer#fake");
    put_number(buffer + 36, (unsigned)(frame->lies ? frame->claimed_groups : groups), frame->big_endian);
    put_number(buffer + 40, ((unsigned)frame->mess_type << 8 & 0xffff00u) | (frame->big_endian_hint ? 0 : MARKERS),
               frame->big_endian_hint);
    put_number(buffer + 44, (unsigned)(frame->lies ? frame->claimed_size : frame->size), frame->big_endian);
    if (frame->old_type != 0) {
        put_number(at, frame->old_type, frame->big_endian);
        at += 4;
    }
    put_names(at, frame->groups);
    at += groups * MAX_GROUP_NAME;
    if (frame->size > 0)
        memcpy(at, frame->body, (size_t)frame->size);
    return frame_size(frame);
}

void fake_send_bytes(int daemon, const void *bytes, size_t size)
{
    const char *from = bytes;

    while (size > 0) {
        ssize_t n = send(daemon, from, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        SYS(n);
        from += n;
        size -= (size_t)n;
    }
}

void fake_send_part(int daemon, const struct frame *frame, size_t from, size_t to)
{
    unsigned char *bytes = malloc(frame_size(frame));

    CHECK(bytes != NULL);
    CHECK(to <= frame_bytes(frame, bytes));
    fake_send_bytes(daemon, bytes + from, to - from);
    free(bytes);
}

void fake_send(int daemon, const struct frame *frame)
{
    fake_send_part(daemon, frame, 0, frame_size(frame));
}

/* Reads so many bytes; false at the end of the stream. */
static bool take(int daemon, void *to, size_t size)
{
    char *at = to;

    while (size > 0) {
        ssize_t n = recv(daemon, at, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ECONNRESET)
            return false;
        SYS(n);
        if (n == 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool fake_receive(int daemon, struct sent *sent)
{
    unsigned char header[HEADER_SIZE];

    memset(sent, 0, sizeof *sent);
    if (!take(daemon, header, sizeof header))
        return false;
    sent->type = number_at(header);
    memcpy(sent->sender, header + 4, MAX_GROUP_NAME);
    sent->num_groups = (int)number_at(header + 36);
    sent->hint = number_at(header + 40);
    sent->size = (int)number_at(header + 44);
    CHECK_BETWEEN(sent->num_groups, 0, 1000);
    CHECK_BETWEEN(sent->size, 0, 144000);
    /* One byte more, as nothing may have the size 0. */
    sent->groups = malloc((size_t)sent->num_groups * MAX_GROUP_NAME + 1);
    sent->body = malloc((size_t)sent->size + 1);
    CHECK(sent->groups != NULL && sent->body != NULL);
    if (take(daemon, sent->groups, (size_t)sent->num_groups * MAX_GROUP_NAME) && take(daemon, sent->body, (size_t)sent->size))
        return true;
    sent_free(sent);
    return false;
}

void sent_free(struct sent *sent)
{
    free(sent->groups);
    free(sent->body);
    memset(sent, 0, sizeof *sent);
}

size_t membership_body(unsigned char *buffer, const int gid[3], unsigned own_offset, const char *sets, bool big_endian)
{
    unsigned char *at = buffer + 20;
    unsigned number = 0;
    int i;

    for (i = 0; i < 3; i++)
        put_number(buffer + 4 * i, (unsigned)gid[i], big_endian);
    while (*sets != 0) {
        size_t size = strcspn(sets, ";");
        char one[1000];
        int members;

        CHECK(size < sizeof one);
        memcpy(one, sets, size);
        one[size] = 0;
        members = put_names(at + 4, one);
        put_number(at, (unsigned)members, big_endian);
        at += 4 + members * MAX_GROUP_NAME;
        number++;
        sets += size;
        sets += *sets == ';';
    }
    put_number(buffer + 12, number, big_endian);
    put_number(buffer + 16, own_offset, big_endian);
    return (size_t)(at - buffer);
}
