#pragma once

#include <glib.h>

/**
 * From the bytes that a call left to values that may be used: decode, then validate by hook.
 *
 * Pure functions of their arguments; safe from any thread and on any bytes.
 */

/**
 * The record in `data` as an a{sv} of s, t (uint), d, b and as; transfer full, not floating. Errors
 * (INVALID) say what is malformed: structure, a key twice, text that is not UTF-8.
 */
GVariant *hearth_result_decode(const guint8 *data, gsize size, GError **error);

/** What a hook's result is checked against, besides itself. */
typedef struct {
    GBytes *emitted; /* nullable */
    guint edge;      /* preview: pixels asked for */
} HearthResultContext;

/** Whether the host knows the hook: "metadata", "preview". */
gboolean hearth_result_knows_hook(const char *hook);

/**
 * The validated form of `decoded`, a{sv}, transfer full: for `metadata` keys, types and ranges of
 * the vocabulary, for `preview` media.type, image.width and image.height as the emitted bytes have
 * them.
 */
GVariant *hearth_result_validate(const char *hook, GVariant *decoded,
                                 const HearthResultContext *context, GError **error);

/** Encodes `params` (a{sv} of s, u, t, d, b; nullable), name and media type into `buffer`. */
gboolean hearth_result_encode_params(GVariant *params, const char *name, const char *media_type,
                                     guint8 *buffer, gsize capacity, gsize *ret_size,
                                     GError **error);
