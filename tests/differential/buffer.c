/* Bytes that grow. */
#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_alloc(size_t len)
{
    void *p = calloc(1, len ? len : 1);
    if (p == NULL) {
        fprintf(stderr, "ops: out of memory\n");
        exit(2);
    }
    return p;
}

void buffer_add(buffer *b, const void *data, size_t len)
{
    if (b->len + len > b->cap) {
        size_t cap = (b->len + len) * 2 + 64;
        unsigned char *grown = must_alloc(cap);
        if (b->len > 0)
            memcpy(grown, b->data, b->len);
        free(b->data);
        b->data = grown;
        b->cap = cap;
    }
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buffer_add_u32(buffer *b, uint32_t value, bool big_endian)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[big_endian ? 3 - i : i] = (unsigned char)(value >> (8 * i));
    buffer_add(b, bytes, sizeof bytes);
}

void buffer_add_name(buffer *b, const char *name)
{
    char field[NAME_LEN] = {0};
    size_t len = strlen(name);
    memcpy(field, name, len > NAME_LEN ? NAME_LEN : len);
    buffer_add(b, field, sizeof field);
}

void buffer_free(buffer *b)
{
    free(b->data);
    *b = (buffer){0};
}
