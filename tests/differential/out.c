/*
 * The lines of the result.
 *
 * The result goes to a descriptor of its own: the classic library prints on standard output from inside its calls.
 */
#include "ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *out;
static int line_number;

void out_open(int fd)
{
    out = fdopen(fd, "w");
    if (out == NULL) {
        fprintf(stderr, "ops: cannot write the result\n");
        exit(2);
    }
    line_number = 0;
}

void out_begin(const char *format, ...)
{
    va_list args;
    fprintf(out, "%03d ", line_number++);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fflush(out);
}

void out_add(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
}

void out_end(void)
{
    fputc('\n', out);
    fflush(out);
}

void out_line(const char *format, ...)
{
    va_list args;
    fprintf(out, "%03d ", line_number++);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    out_end();
}

static void escaped(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '"' || p[i] == '\\')
            fprintf(out, "\\%c", p[i]);
        else if (p[i] >= 0x20 && p[i] < 0x7f)
            fputc(p[i], out);
        else
            fprintf(out, "\\%02x", p[i]);
    }
}

static uint64_t fnv1a(const unsigned char *p, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

void out_bytes(const void *data, size_t len, size_t literal)
{
    if (len > literal) {
        fprintf(out, "<%zu:%016llx>", len, (unsigned long long)fnv1a(data, len));
        return;
    }
    fputc('"', out);
    escaped(data, len);
    fputc('"', out);
}

void out_name(const char field[NAME_LEN])
{
    const char *nul = memchr(field, 0, NAME_LEN);
    size_t len = nul ? (size_t)(nul - field) : NAME_LEN;
    size_t end = NAME_LEN;
    while (end > len && field[end - 1] == 0)
        end--;
    fputc('"', out);
    /* A drop-in always leaves a NUL in the last byte; the classic library copies what came. */
    if (len == NAME_LEN && rule("name-of-32-bytes"))
        len = end = NAME_LEN - 1;
    escaped((const unsigned char *)field, end);
    fputc('"', out);
}

void out_int(const char *key, int value, int before)
{
    if (value == before)
        fprintf(out, " %s=~", key);
    else
        fprintf(out, " %s=%d", key, value);
}

static unsigned char pattern_at(size_t i)
{
    return (unsigned char)(0xb5u ^ (unsigned char)(i * 29u));
}

void pattern_fill(void *data, size_t len, size_t offset)
{
    unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        p[i] = pattern_at(offset + i);
}

size_t pattern_extent(const void *data, size_t len, size_t offset)
{
    const unsigned char *p = data;
    while (len > 0 && p[len - 1] == pattern_at(offset + len - 1))
        len--;
    return len;
}
