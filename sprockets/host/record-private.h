#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The small typed format in which a result leaves a sprocket and parameters reach it.
 *
 * Part of hearth-sprocket and of the host, so: libc only, no allocation, no state but the caller's.
 * Both ends are the same build on the same machine, hence native byte order. A record is
 *
 *     u32 magic "SPR1" | u32 size of the whole | u32 count of values | values
 *
 * and a value
 *
 *     u8 type | u8 key bytes with NUL | u16 zero | u32 payload bytes | key NUL | payload
 *
 * with the payload of `s` text NUL, `u` 8 bytes, `d` 8 bytes, `b` one byte 0 or 1, and `a` a u32
 * count followed by that many of u32 bytes-with-NUL, text, NUL. Nothing is aligned or padded.
 *
 * The reader trusts nothing: it may be run on any bytes. It checks structure; that text is UTF-8,
 * keys are unique and values make sense is for the one who reads.
 */

#define HEARTH_RECORD_MAGIC 0x31525053u
#define HEARTH_RECORD_HEADER 12 /* bytes */

typedef enum {
    HEARTH_RECORD_STRING = 's',
    HEARTH_RECORD_UINT = 'u',
    HEARTH_RECORD_DOUBLE = 'd',
    HEARTH_RECORD_BOOL = 'b',
    HEARTH_RECORD_STRV = 'a',
} HearthRecordType;

/** Why a put was refused; the first reason stays. */
typedef enum {
    HEARTH_RECORD_GOOD,
    HEARTH_RECORD_FULL,      /* buffer or count of values */
    HEARTH_RECORD_BAD_VALUE, /* NULL, empty key, too long */
} HearthRecordProblem;

typedef struct {
    uint8_t *buffer; /* borrowed */
    size_t capacity;
    size_t used;
    uint32_t count;
    HearthRecordProblem problem;
} HearthRecordWriter;

/** Starts an empty record in `buffer`; a capacity below the header is FULL at once. */
void hearth_record_begin(HearthRecordWriter *writer, void *buffer, size_t capacity);
bool hearth_record_put_string(HearthRecordWriter *writer, const char *key, const char *value);
bool hearth_record_put_uint(HearthRecordWriter *writer, const char *key, uint64_t value);
bool hearth_record_put_double(HearthRecordWriter *writer, const char *key, double value);
bool hearth_record_put_bool(HearthRecordWriter *writer, const char *key, bool value);
bool hearth_record_put_strv(HearthRecordWriter *writer, const char *key, const char *const *values,
                            size_t count);
/** Writes the header; the size of the whole record, 0 if the buffer had no room for one. */
size_t hearth_record_end(HearthRecordWriter *writer);

typedef struct {
    const uint8_t *data; /* borrowed */
    size_t size;
    size_t offset;
    uint32_t left;
} HearthRecordReader;

/** One value as it stands in the record. */
typedef struct {
    HearthRecordType type;
    const char *key; /* ends with NUL, 1 to 63 bytes before it */
    const uint8_t *payload;
    size_t size; /* of the payload */
} HearthRecordValue;

/** False if `data` does not start with the header of a record of at most `size` bytes. */
bool hearth_record_open(HearthRecordReader *reader, const void *data, size_t size);

/** 1: `ret_value` is the next; 0: the record ended as it should; -1: it is malformed. */
int hearth_record_next(HearthRecordReader *reader, HearthRecordValue *ret_value);

/** The payload of a value of that type, which hearth_record_next has checked. */
const char *hearth_record_string(const HearthRecordValue *value);
uint64_t hearth_record_uint(const HearthRecordValue *value);
double hearth_record_double(const HearthRecordValue *value);
bool hearth_record_bool(const HearthRecordValue *value);

/** Strings of a list. */
uint32_t hearth_record_strv_count(const HearthRecordValue *value);
/** The string at *offset, which starts as 0 and moves on; call it as often as count says. */
const char *hearth_record_strv_next(const HearthRecordValue *value, size_t *offset);

/** The first value under `key` with that type; false also if the record is malformed before it. */
bool hearth_record_find(const void *data, size_t size, const char *key, HearthRecordType type,
                        HearthRecordValue *ret_value);
