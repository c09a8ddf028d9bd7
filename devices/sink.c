#include "devices/sink.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* hearthd counts on each announced byte, unless END or ERROR says that fewer came. */
static gboolean announce(HearthSink *sink, gsize size, GError **error)
{
    return hearth_conversation_wanted(sink->conversation, sink->serial, error) &&
           hearth_message_send(sink->conversation->socket, HEARTH_MESSAGE_DATA, sink->serial,
                               g_variant_new(HEARTH_MESSAGE_TYPE_DATA, (guint32)size), NULL, 0, -1,
                               error);
}

static gboolean pipe_bytes(HearthSink *sink, const guint8 *data, gsize size, GError **error)
{
    while (size > 0) {
        gsize piece = MIN(size, (gsize)HEARTH_MESSAGE_PIECE);
        if (!announce(sink, piece, error) ||
            !hearth_write_all(sink->conversation->pipe, data, piece, "the pipe", error))
            return FALSE;
        sink->piped += piece;
        data += piece;
        size -= piece;
    }
    return TRUE;
}

/* From here on the fetch goes through the pipe. */
static gboolean pipe_kept(HearthSink *sink, GError **error)
{
    gsize size = sink->kept_size;
    sink->kept_size = 0;
    return pipe_bytes(sink, sink->kept, size, error);
}

gboolean hearth_sink_write(HearthSink *sink, const void *data, gsize size, GError **error)
{
    if (sink->piped == 0 && sink->kept_size + size <= HEARTH_MESSAGE_ATTACHED_MAX) {
        memcpy(sink->kept + sink->kept_size, data, size);
        sink->kept_size += size;
        return TRUE;
    }
    return pipe_kept(sink, error) && pipe_bytes(sink, data, size, error);
}

/* At most one announced piece. Not every file system can splice: those copy. */
static gssize splice_piece(HearthSink *sink, int fd, off64_t *offset, gsize size)
{
    ssize_t moved;
    while ((moved = splice(fd, offset, sink->conversation->pipe, NULL, size, SPLICE_F_MORE)) < 0)
        if (errno != EINTR)
            break;
    return moved;
}

static gboolean copy_rest(HearthSink *sink, int fd, guint64 offset, gsize size, gsize *ret_copied,
                          const char *name, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(size);
    gssize got = hearth_pread_up_to(fd, buffer, size, (off_t)offset, name, error);
    if (got < 0 ||
        !hearth_write_all(sink->conversation->pipe, buffer, (gsize)got, "the pipe", error))
        return FALSE;
    *ret_copied = (gsize)got;
    return TRUE;
}

static gboolean move_piece(HearthSink *sink, int fd, guint64 offset, gsize size, gsize *ret_moved,
                           const char *name, GError **error)
{
    off64_t at = (off64_t)offset;
    for (*ret_moved = 0; *ret_moved < size;) {
        gssize moved = splice_piece(sink, fd, &at, size - *ret_moved);
        if (moved == 0)
            break;
        if (moved < 0 && errno != EINVAL)
            return hearth_set_errno(error, errno, "cannot read %s", name);
        gsize copied = (gsize)moved;
        if (moved < 0 && !copy_rest(sink, fd, (guint64)at, size - *ret_moved, &copied, name, error))
            return FALSE;
        if (copied == 0)
            break;
        if (moved < 0)
            at += (off64_t)copied;
        sink->piped += copied;
        *ret_moved += copied;
    }
    return TRUE;
}

static gboolean keep_all(HearthSink *sink, int fd, guint64 offset, gsize size, guint64 *ret_moved,
                         const char *name, GError **error)
{
    gssize got = hearth_pread_up_to(fd, sink->kept, size, (off_t)offset, name, error);
    if (got < 0)
        return FALSE;
    sink->kept_size = (gsize)got;
    *ret_moved = (guint64)got;
    return TRUE;
}

gboolean hearth_sink_move(HearthSink *sink, int fd, guint64 offset, guint64 size,
                          guint64 *ret_moved, const char *name, GError **error)
{
    *ret_moved = 0;
    if (sink->piped == 0 && sink->kept_size == 0 && size <= HEARTH_MESSAGE_ATTACHED_MAX)
        return keep_all(sink, fd, offset, (gsize)size, ret_moved, name, error);
    if (!pipe_kept(sink, error))
        return FALSE;
    while (*ret_moved < size) {
        gsize piece = MIN(size - *ret_moved, (guint64)HEARTH_MESSAGE_PIECE), moved;
        if (!announce(sink, piece, error) ||
            !move_piece(sink, fd, offset + *ret_moved, piece, &moved, name, error))
            return FALSE;
        *ret_moved += moved;
        if (moved < piece)
            break;
    }
    return TRUE;
}

gboolean hearth_sink_finish(HearthSink *sink, GError **error)
{
    return hearth_message_send(sink->conversation->socket, HEARTH_MESSAGE_END, sink->serial,
                               g_variant_new(HEARTH_MESSAGE_TYPE_END, sink->piped), sink->kept,
                               sink->kept_size, -1, error);
}
