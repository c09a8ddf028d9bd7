#include <stdint.h>

#include "web/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    gint64 wanted; /* bytes that the file under way still needs; -1: none is */
} Heard;

static gboolean on_begin(const HearthFrame *frame, gpointer data, GError **error)
{
    Heard *heard = data;
    if (heard->wanted >= 0 || frame->size < 0 || frame->path[0] != '/')
        g_error("a file begins where it should not");
    heard->wanted = frame->size;
    return TRUE;
}

static gboolean on_bytes(const void *bytes, gsize size, gpointer data, GError **error)
{
    Heard *heard = data;
    if (heard->wanted < 0 || (guint64)heard->wanted < size)
        g_error("a file has more bytes than it said");
    heard->wanted -= (gint64)size;
    return TRUE;
}

static gboolean on_end(gpointer data, GError **error)
{
    Heard *heard = data;
    if (heard->wanted != 0)
        g_error("a file ends where it should not");
    heard->wanted = -1;
    return TRUE;
}

static const HearthFramesFuncs FUNCS = {on_begin, on_bytes, on_end};

/* The first byte is the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Heard heard = {-1};
    g_autoptr(HearthFrames) frames = hearth_frames_new(&FUNCS, &heard);
    gsize piece = size > 0 ? (gsize)data[0] + 1 : 1;
    for (gsize at = 1; at < size; at += piece) {
        gsize length = MIN(piece, size - at);
        g_autofree guint8 *part = g_memdup2(data + at, length);
        if (!hearth_frames_push(frames, part, length, NULL))
            return 0;
    }
    hearth_frames_finish(frames, NULL);
    return 0;
}
