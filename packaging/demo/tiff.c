#include "packaging/demo/tiff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_SIZE = 8,  /* bytes: byte order, 42, offset of the first directory */
    FIELD_SIZE = 12,  /* bytes of one field in a directory */
    INLINE_SIZE = 4,  /* values up to this size stand in the field itself */
    VALUE_OFFSET = 8, /* where in a field its value stands */
};

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)value);
    put16(at + 2, (uint16_t)(value >> 16));
}

static uint8_t *grow(DemoTiff *tiff, size_t more)
{
    uint8_t *data = realloc(tiff->data, tiff->size + more);

    if (data == NULL) {
        fprintf(stderr, "hearth-demo: out of memory\n");
        exit(1);
    }
    tiff->data = data;
    memset(data + tiff->size, 0, more);
    tiff->size += more;
    return data + tiff->size - more;
}

void demo_tiff_init(DemoTiff *tiff)
{
    memset(tiff, 0, sizeof *tiff);
    uint8_t *header = grow(tiff, HEADER_SIZE);
    header[0] = header[1] = 'I'; /* Intel: little-endian */
    put16(header + 2, 42);
}

void demo_tiff_clear(DemoTiff *tiff)
{
    free(tiff->data);
    memset(tiff, 0, sizeof *tiff);
}

uint32_t demo_tiff_append(DemoTiff *tiff, const void *bytes, size_t size)
{
    if (tiff->size % 2 != 0)
        grow(tiff, 1);
    uint32_t offset = (uint32_t)tiff->size;
    memcpy(grow(tiff, size), bytes, size);
    return offset;
}

/* Bytes of one value of a type. */
static size_t value_size(DemoTiffType type)
{
    switch (type) {
    case DEMO_TIFF_BYTE:
    case DEMO_TIFF_ASCII:
    case DEMO_TIFF_UNDEFINED:
        return 1;
    case DEMO_TIFF_SHORT:
        return 2;
    case DEMO_TIFF_LONG:
        return 4;
    case DEMO_TIFF_RATIONAL:
        return 8;
    }
    abort();
}

/* The value of a field as bytes in `scratch` or in the field's own text; returns their number. */
static size_t field_bytes(const DemoTiffField *field, uint8_t scratch[8], const void **ret_bytes)
{
    if (field->text != NULL) {
        *ret_bytes = field->text;
        return field->count != 0 ? field->count : strlen(field->text) + 1;
    }
    *ret_bytes = scratch;
    put32(scratch, field->number); /* little-endian: a SHORT is the first half */
    put32(scratch + 4, field->divisor);
    return value_size(field->type);
}

/* `at` is an offset and not a pointer, since a long value moves the buffer. */
static void write_field(DemoTiff *tiff, size_t at, const DemoTiffField *field)
{
    uint8_t scratch[8];
    const void *bytes;
    size_t size = field_bytes(field, scratch, &bytes);

    put16(tiff->data + at, field->tag);
    put16(tiff->data + at + 2, (uint16_t)field->type);
    put32(tiff->data + at + 4, (uint32_t)(size / value_size(field->type)));
    if (size <= INLINE_SIZE) {
        memcpy(tiff->data + at + VALUE_OFFSET, bytes, size);
        return;
    }
    uint32_t offset = demo_tiff_append(tiff, bytes, size);
    put32(tiff->data + at + VALUE_OFFSET, offset);
}

uint32_t demo_tiff_append_directory(DemoTiff *tiff, const DemoTiffField *fields, size_t count)
{
    uint8_t number[2];

    put16(number, (uint16_t)count);
    uint32_t offset = demo_tiff_append(tiff, number, sizeof number);
    grow(tiff,
         count * FIELD_SIZE + sizeof(uint32_t)); /* the last four bytes: no further directory */
    for (size_t i = 0; i < count; i++)
        write_field(tiff, offset + sizeof number + i * FIELD_SIZE, &fields[i]);
    return offset;
}

void demo_tiff_finish(DemoTiff *tiff, uint32_t directory)
{
    put32(tiff->data + 4, directory);
}
