#include "namespace/version-vector.h"

#include <string.h>

HearthOrder hearth_version_vector_compare(const HearthVersionVector *a,
                                          const HearthVersionVector *b)
{
    gboolean a_ahead = FALSE, b_ahead = FALSE;
    guint i = 0, j = 0;
    while (i < a->count || j < b->count) {
        gboolean only_a =
            j == b->count || (i < a->count && a->entries[i].node < b->entries[j].node);
        gboolean only_b =
            i == a->count || (j < b->count && b->entries[j].node < a->entries[i].node);
        guint64 left = only_b ? 0 : a->entries[i++].counter;
        guint64 right = only_a ? 0 : b->entries[j++].counter;
        a_ahead |= left > right;
        b_ahead |= right > left;
    }
    if (a_ahead && b_ahead)
        return HEARTH_ORDER_CONCURRENT;
    if (a_ahead)
        return HEARTH_ORDER_AFTER;
    return b_ahead ? HEARTH_ORDER_BEFORE : HEARTH_ORDER_EQUAL;
}

/* Index of the first entry whose node is not below `node`. */
static guint vector_place(const HearthVersionVector *vector, guint64 node)
{
    guint at = 0;
    while (at < vector->count && vector->entries[at].node < node)
        at++;
    return at;
}

static gboolean vector_names(const HearthVersionVector *vector, guint at, guint64 node)
{
    return at < vector->count && vector->entries[at].node == node;
}

guint64 hearth_version_vector_get(const HearthVersionVector *vector, guint64 node)
{
    guint at = vector_place(vector, node);
    return vector_names(vector, at, node) ? vector->entries[at].counter : 0;
}

static gboolean vector_raise(HearthVersionVector *vector, guint64 node, guint64 counter)
{
    guint at = vector_place(vector, node);
    if (!vector_names(vector, at, node)) {
        if (vector->count == HEARTH_VERSION_VECTOR_MAX)
            return FALSE;
        memmove(&vector->entries[at + 1], &vector->entries[at],
                (vector->count - at) * sizeof vector->entries[0]);
        vector->entries[at] = (HearthVersionEntry){node, 0};
        vector->count++;
    }
    vector->entries[at].counter = MAX(vector->entries[at].counter, counter);
    return TRUE;
}

gboolean hearth_version_vector_merge(HearthVersionVector *into, const HearthVersionVector *other)
{
    HearthVersionVector merged = *into;
    for (guint i = 0; i < other->count; i++)
        if (!vector_raise(&merged, other->entries[i].node, other->entries[i].counter))
            return FALSE;
    *into = merged;
    return TRUE;
}

gboolean hearth_version_vector_bump(HearthVersionVector *vector, guint64 node, guint64 at_least)
{
    guint64 next = hearth_version_vector_get(vector, node) + 1;
    return vector_raise(vector, node, MAX(next, at_least));
}

static void put_number(guint8 *data, guint64 number)
{
    guint64 big = GUINT64_TO_BE(number);
    memcpy(data, &big, sizeof big);
}

static guint64 get_number(const guint8 *data)
{
    guint64 big;
    memcpy(&big, data, sizeof big);
    return GUINT64_FROM_BE(big);
}

gsize hearth_version_vector_encode(
    const HearthVersionVector *vector,
    guint8 data[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY])
{
    for (guint i = 0; i < vector->count; i++) {
        put_number(data + i * HEARTH_VERSION_VECTOR_ENTRY, vector->entries[i].node);
        put_number(data + i * HEARTH_VERSION_VECTOR_ENTRY + 8, vector->entries[i].counter);
    }
    return vector->count * HEARTH_VERSION_VECTOR_ENTRY;
}

gboolean hearth_version_vector_decode(const guint8 *data, gsize size,
                                      HearthVersionVector *ret_vector)
{
    HearthVersionVector vector = {0};
    if (size % HEARTH_VERSION_VECTOR_ENTRY != 0 ||
        size / HEARTH_VERSION_VECTOR_ENTRY > HEARTH_VERSION_VECTOR_MAX)
        return FALSE;
    for (; size > 0; size -= HEARTH_VERSION_VECTOR_ENTRY, data += HEARTH_VERSION_VECTOR_ENTRY) {
        HearthVersionEntry entry = {get_number(data), get_number(data + 8)};
        gboolean sorted = vector.count == 0 || vector.entries[vector.count - 1].node < entry.node;
        if (!sorted || entry.counter == 0)
            return FALSE;
        vector.entries[vector.count++] = entry;
    }
    *ret_vector = vector;
    return TRUE;
}
