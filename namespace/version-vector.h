#pragma once

#include <glib.h>

/** Most nodes that one object's vector can name. */
#define HEARTH_VERSION_VECTOR_MAX 64
/** Bytes of one pair in the stored form. */
#define HEARTH_VERSION_VECTOR_ENTRY 16

/**
 * How far an object has got on each node that changed it: pairs (short id of the node, counter),
 * sorted by node, no counter 0. A plain value; no allocation, no threading.
 *
 * The stored form is a format for ever: for each pair 16 bytes, node then counter, both unsigned
 * 64-bit big-endian; no header. The counter a node writes is the value of its hybrid logical clock
 * (namespace/clock.h) at the change, so that a node whose database was lost still moves forward.
 */
typedef struct {
    guint64 node;
    guint64 counter;
} HearthVersionEntry;

typedef struct {
    guint count;
    HearthVersionEntry entries[HEARTH_VERSION_VECTOR_MAX];
} HearthVersionVector;

typedef enum {
    HEARTH_ORDER_EQUAL,
    HEARTH_ORDER_BEFORE,     /* the first is an ancestor of the second */
    HEARTH_ORDER_AFTER,      /* the second is an ancestor of the first */
    HEARTH_ORDER_CONCURRENT, /* neither saw the other */
} HearthOrder;

HearthOrder hearth_version_vector_compare(const HearthVersionVector *a,
                                          const HearthVersionVector *b);

/** The least vector that is not before either. FALSE, `into` unchanged, if it would name too many
 * nodes. */
gboolean hearth_version_vector_merge(HearthVersionVector *into, const HearthVersionVector *other);

/** Records a change by `node`: its counter becomes `at_least`, or one more than it was if that is
 * greater. FALSE, `vector` unchanged, if it would name too many nodes. */
gboolean hearth_version_vector_bump(HearthVersionVector *vector, guint64 node, guint64 at_least);

/** The counter of `node`, 0 if the vector does not name it. */
guint64 hearth_version_vector_get(const HearthVersionVector *vector, guint64 node);

/** Writes count * HEARTH_VERSION_VECTOR_ENTRY bytes to `data`; returns how many. */
gsize hearth_version_vector_encode(
    const HearthVersionVector *vector,
    guint8 data[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY]);

/** FALSE, `ret_vector` unchanged, unless `data` is exactly what encode writes for some vector. */
gboolean hearth_version_vector_decode(const guint8 *data, gsize size,
                                      HearthVersionVector *ret_vector);
