#include "web/frames.h"

#include "gateway/base/error.h"
#include "web/json.h"

#include <string.h>

#define DEFAULT_MODE 0644

struct HearthFrames {
    const HearthFramesFuncs *funcs; /* borrowed */
    gpointer data;
    GString *line; /* what there is of the next one */
    gint64 wanted; /* bytes of the file that are still to come; -1: a line is */
};

HearthFrames *hearth_frames_new(const HearthFramesFuncs *funcs, gpointer data)
{
    HearthFrames *frames = g_new0(HearthFrames, 1);
    frames->funcs = funcs;
    frames->data = data;
    frames->line = g_string_new(NULL);
    frames->wanted = -1;
    return frames;
}

void hearth_frames_free(HearthFrames *frames)
{
    if (!frames)
        return;
    g_string_free(frames->line, TRUE);
    g_free(frames);
}

static gboolean refuse(GError **error, const char *why)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the line before a file %s", why);
    return FALSE;
}

static gboolean read_mode(GVariant *line, mode_t *ret_mode, GError **error)
{
    const char *text = NULL;
    guint64 mode = DEFAULT_MODE;
    if (g_variant_lookup(line, "mode", "&s", &text) &&
        !g_ascii_string_to_unsigned(text, 8, 0, 07777, &mode, NULL))
        return refuse(error, "has a mode that is not octal");
    *ret_mode = (mode_t)mode;
    return TRUE;
}

static gboolean begin_file(HearthFrames *frames, GError **error)
{
    g_autoptr(GVariant) line =
        hearth_json_parse(frames->line->str, (gssize)frames->line->len, error);
    if (!line)
        return FALSE;
    if (!g_variant_is_of_type(line, G_VARIANT_TYPE_VARDICT))
        return refuse(error, "is no JSON object");
    g_autofree char *path = hearth_json_lookup_bytes(line, "path");
    HearthFrame frame = {.path = path, .size = -1, .mtime_ns = g_get_real_time() * 1000};
    g_variant_lookup(line, "size", "x", &frame.size);
    g_variant_lookup(line, "mtime_ns", "x", &frame.mtime_ns);
    if (!path || *path != '/')
        return refuse(error, "has no path from the root");
    if (frame.size < 0)
        return refuse(error, "has no size");
    if (!read_mode(line, &frame.mode, error) || !frames->funcs->begin(&frame, frames->data, error))
        return FALSE;
    g_string_truncate(frames->line, 0);
    frames->wanted = frame.size;
    return TRUE;
}

/* Bytes taken of `bytes`; -1 with `error` set. */
static gssize push_line(HearthFrames *frames, const char *bytes, gsize size, GError **error)
{
    const char *end = memchr(bytes, '\n', size);
    gsize length = end ? (gsize)(end - bytes) : size;
    if (frames->line->len + length > HEARTH_FRAMES_LINE_MAX) {
        refuse(error, "is too long");
        return -1;
    }
    g_string_append_len(frames->line, bytes, (gssize)length);
    if (!end)
        return (gssize)length;
    return begin_file(frames, error) ? (gssize)length + 1 : -1;
}

static gssize push_bytes(HearthFrames *frames, const char *bytes, gsize size, GError **error)
{
    gsize length = (gsize)MIN((guint64)frames->wanted, size);
    if (!frames->funcs->bytes(bytes, length, frames->data, error))
        return -1;
    frames->wanted -= (gint64)length;
    return (gssize)length;
}

static gboolean end_file(HearthFrames *frames, GError **error)
{
    frames->wanted = -1;
    return frames->funcs->end(frames->data, error);
}

gboolean hearth_frames_push(HearthFrames *frames, const void *bytes, gsize size, GError **error)
{
    const char *at = bytes, *end = at + size;
    while (at < end) {
        gssize taken = frames->wanted < 0 ? push_line(frames, at, (gsize)(end - at), error)
                                          : push_bytes(frames, at, (gsize)(end - at), error);
        if (taken < 0)
            return FALSE;
        at += taken;
        if (frames->wanted == 0 && !end_file(frames, error))
            return FALSE;
    }
    return TRUE;
}

gboolean hearth_frames_finish(HearthFrames *frames, GError **error)
{
    if (frames->wanted < 0 && frames->line->len == 0)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the body ends in the middle of a file");
    return FALSE;
}
