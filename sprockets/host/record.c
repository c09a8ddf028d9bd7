#include "sprockets/host/record-private.h"

#include <string.h>

#include "sprockets/sdk/sprocket.h"

#define VALUE_HEADER 8 /* bytes before the key */

static void put_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool fail(HearthRecordWriter *writer, HearthRecordProblem problem)
{
    if (writer->problem == HEARTH_RECORD_GOOD)
        writer->problem = problem;
    return false;
}

void hearth_record_begin(HearthRecordWriter *writer, void *buffer, size_t capacity)
{
    *writer = (HearthRecordWriter){buffer, capacity, HEARTH_RECORD_HEADER, 0, HEARTH_RECORD_GOOD};
    if (capacity < HEARTH_RECORD_HEADER)
        fail(writer, HEARTH_RECORD_FULL);
}

/* Room for a value of `size` payload bytes with header and key written; NULL when refused. */
static uint8_t *put_value(HearthRecordWriter *writer, HearthRecordType type, const char *key,
                          size_t size)
{
    size_t key_size = key ? strnlen(key, SPROCKET_KEY_MAX) + 1 : 0;
    if (key_size < 2 || key_size > SPROCKET_KEY_MAX) {
        fail(writer, HEARTH_RECORD_BAD_VALUE);
        return NULL;
    }
    if (writer->problem != HEARTH_RECORD_GOOD || writer->count >= SPROCKET_VALUES_MAX ||
        writer->capacity - writer->used < VALUE_HEADER + key_size ||
        writer->capacity - writer->used - VALUE_HEADER - key_size < size) {
        fail(writer, HEARTH_RECORD_FULL);
        return NULL;
    }
    uint8_t *at = writer->buffer + writer->used;
    memset(at, 0, VALUE_HEADER);
    at[0] = (uint8_t)type;
    at[1] = (uint8_t)key_size;
    put_u32(at + 4, (uint32_t)size);
    memcpy(at + VALUE_HEADER, key, key_size);
    writer->used += VALUE_HEADER + key_size + size;
    writer->count++;
    return at + VALUE_HEADER + key_size;
}

static bool put_plain(HearthRecordWriter *writer, HearthRecordType type, const char *key,
                      const void *value, size_t size)
{
    uint8_t *at = put_value(writer, type, key, size);
    if (!at)
        return false;
    memcpy(at, value, size);
    return true;
}

/* Bytes of `text` with its NUL; 0 if it is NULL or too long. */
static size_t text_size(const char *text)
{
    size_t length = text ? strnlen(text, SPROCKET_STRING_MAX) : SPROCKET_STRING_MAX;
    return length < SPROCKET_STRING_MAX ? length + 1 : 0;
}

bool hearth_record_put_string(HearthRecordWriter *writer, const char *key, const char *value)
{
    size_t size = text_size(value);
    if (size == 0)
        return fail(writer, HEARTH_RECORD_BAD_VALUE);
    return put_plain(writer, HEARTH_RECORD_STRING, key, value, size);
}

bool hearth_record_put_uint(HearthRecordWriter *writer, const char *key, uint64_t value)
{
    return put_plain(writer, HEARTH_RECORD_UINT, key, &value, sizeof value);
}

bool hearth_record_put_double(HearthRecordWriter *writer, const char *key, double value)
{
    return put_plain(writer, HEARTH_RECORD_DOUBLE, key, &value, sizeof value);
}

bool hearth_record_put_bool(HearthRecordWriter *writer, const char *key, bool value)
{
    uint8_t byte = value ? 1 : 0;
    return put_plain(writer, HEARTH_RECORD_BOOL, key, &byte, sizeof byte);
}

bool hearth_record_put_strv(HearthRecordWriter *writer, const char *key, const char *const *values,
                            size_t count)
{
    size_t total = sizeof(uint32_t);
    if (count > SPROCKET_STRV_MAX || (count > 0 && !values))
        return fail(writer, HEARTH_RECORD_BAD_VALUE);
    for (size_t i = 0; i < count; i++) {
        size_t size = text_size(values[i]);
        if (size == 0)
            return fail(writer, HEARTH_RECORD_BAD_VALUE);
        total += sizeof(uint32_t) + size;
    }
    uint8_t *at = put_value(writer, HEARTH_RECORD_STRV, key, total);
    if (!at)
        return false;
    put_u32(at, (uint32_t)count);
    at += sizeof(uint32_t);
    for (size_t i = 0; i < count; i++) {
        size_t size = text_size(values[i]);
        put_u32(at, (uint32_t)size);
        memcpy(at + sizeof(uint32_t), values[i], size);
        at += sizeof(uint32_t) + size;
    }
    return true;
}

size_t hearth_record_end(HearthRecordWriter *writer)
{
    if (writer->capacity < HEARTH_RECORD_HEADER)
        return 0;
    put_u32(writer->buffer, HEARTH_RECORD_MAGIC);
    put_u32(writer->buffer + 4, (uint32_t)writer->used);
    put_u32(writer->buffer + 8, writer->count);
    return writer->used;
}

bool hearth_record_open(HearthRecordReader *reader, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (size < HEARTH_RECORD_HEADER || get_u32(bytes) != HEARTH_RECORD_MAGIC)
        return false;
    uint32_t whole = get_u32(bytes + 4), count = get_u32(bytes + 8);
    if (whole < HEARTH_RECORD_HEADER || whole > size || count > SPROCKET_VALUES_MAX)
        return false;
    *reader = (HearthRecordReader){bytes, whole, HEARTH_RECORD_HEADER, count};
    return true;
}

/* Whether `size` bytes at `text` are one text: a NUL at the end and nowhere else. */
static bool is_text(const uint8_t *text, size_t size)
{
    return size > 0 && size <= SPROCKET_STRING_MAX && memchr(text, 0, size) == text + size - 1;
}

static bool is_strv(const uint8_t *payload, size_t size)
{
    if (size < sizeof(uint32_t))
        return false;
    uint32_t count = get_u32(payload);
    size_t offset = sizeof(uint32_t);
    if (count > SPROCKET_STRV_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (size - offset < sizeof(uint32_t))
            return false;
        uint32_t text = get_u32(payload + offset);
        offset += sizeof(uint32_t);
        if (text > size - offset || !is_text(payload + offset, text))
            return false;
        offset += text;
    }
    return offset == size;
}

static bool payload_fits(int type, const uint8_t *payload, size_t size)
{
    switch (type) {
    case HEARTH_RECORD_STRING:
        return is_text(payload, size);
    case HEARTH_RECORD_UINT:
    case HEARTH_RECORD_DOUBLE:
        return size == 8;
    case HEARTH_RECORD_BOOL:
        return size == 1 && payload[0] <= 1;
    case HEARTH_RECORD_STRV:
        return is_strv(payload, size);
    default:
        return false;
    }
}

int hearth_record_next(HearthRecordReader *reader, HearthRecordValue *ret_value)
{
    const uint8_t *at = reader->data + reader->offset;
    size_t left = reader->size - reader->offset;
    if (reader->left == 0)
        return left == 0 ? 0 : -1;
    if (left < VALUE_HEADER || at[2] != 0 || at[3] != 0)
        return -1;
    size_t key_size = at[1], size = get_u32(at + 4);
    left -= VALUE_HEADER;
    if (key_size < 2 || key_size > SPROCKET_KEY_MAX || key_size > left || size > left - key_size)
        return -1;
    const uint8_t *key = at + VALUE_HEADER, *payload = key + key_size;
    if (!is_text(key, key_size) || !payload_fits(at[0], payload, size))
        return -1;
    *ret_value = (HearthRecordValue){at[0], (const char *)key, payload, size};
    reader->offset += VALUE_HEADER + key_size + size;
    reader->left--;
    return 1;
}

const char *hearth_record_string(const HearthRecordValue *value)
{
    return (const char *)value->payload;
}

uint64_t hearth_record_uint(const HearthRecordValue *value)
{
    uint64_t number;
    memcpy(&number, value->payload, sizeof number);
    return number;
}

double hearth_record_double(const HearthRecordValue *value)
{
    double number;
    memcpy(&number, value->payload, sizeof number);
    return number;
}

bool hearth_record_bool(const HearthRecordValue *value)
{
    return value->payload[0] == 1;
}

uint32_t hearth_record_strv_count(const HearthRecordValue *value)
{
    return get_u32(value->payload);
}

const char *hearth_record_strv_next(const HearthRecordValue *value, size_t *offset)
{
    const uint8_t *at = value->payload + sizeof(uint32_t) + *offset;
    *offset += sizeof(uint32_t) + get_u32(at);
    return (const char *)at + sizeof(uint32_t);
}

bool hearth_record_find(const void *data, size_t size, const char *key, HearthRecordType type,
                        HearthRecordValue *ret_value)
{
    HearthRecordReader reader;
    HearthRecordValue value;
    if (!hearth_record_open(&reader, data, size))
        return false;
    while (hearth_record_next(&reader, &value) == 1) {
        if (value.type == type && strcmp(value.key, key) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}
