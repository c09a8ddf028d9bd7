#pragma once

#include "sprockets/host/record-private.h"
#include "sprockets/sdk/sprocket.h"

/**
 * A sprocket's table as a record: keys `id`, `version`, `description` (strings), `hooks`, `types`,
 * `extensions`, `magics` (in hexadecimal) and `offsets` (decimal), the last four with one string
 * for each type. libc only.
 *
 * Reads what the table points to, which may crash if the table is bad: called first in a child.
 */

#define HEARTH_DESCRIBE_TYPES_MAX 64
#define HEARTH_DESCRIBE_HOOKS_MAX 16
#define HEARTH_DESCRIBE_MAGIC_MAX 64   /* bytes */
#define HEARTH_DESCRIBE_MAGIC_END 4096 /* bytes: offset and length together */

/** NULL if `writer` holds the whole table, else what is wrong with it. */
const char *hearth_describe(const SprocketDescriptor *sprocket, HearthRecordWriter *writer);
