#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * Many small files in one body: for each a line of JSON, then as many bytes as it says.
 *
 *     {"path":"/a/b.jpg","size":3,"mtime_ns":1700000000000000000,"mode":"644"}\n
 *     abc{"path_bytes":"/a/caf%E9","size":0}\n
 *
 * `path` and `size` must be there. The reader is fed with pieces of any size and calls back as it
 * goes. It belongs to one thread.
 */
typedef struct HearthFrames HearthFrames;

/** Longest line, bytes: a path of the kernel's length, encoded, and the rest. */
#define HEARTH_FRAMES_LINE_MAX 16384

typedef struct {
    const char *path; /* exact bytes; begins with '/' */
    gint64 size;      /* bytes that follow */
    gint64 mtime_ns;  /* nanoseconds since 1970; now, if it was not given */
    mode_t mode;      /* 0644, if it was not given */
} HearthFrame;

/** FALSE with an error ends the reading. */
typedef struct {
    gboolean (*begin)(const HearthFrame *frame, gpointer data, GError **error);
    gboolean (*bytes)(const void *bytes, gsize size, gpointer data, GError **error);
    gboolean (*end)(gpointer data, GError **error);
} HearthFramesFuncs;

/** `funcs` is borrowed. */
HearthFrames *hearth_frames_new(const HearthFramesFuncs *funcs, gpointer data);
void hearth_frames_free(HearthFrames *frames);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthFrames, hearth_frames_free)

/** Reads on. HEARTH_ERROR_INVALID for what is no frame; nothing may be pushed after an error. */
gboolean hearth_frames_push(HearthFrames *frames, const void *bytes, gsize size, GError **error);

/** The body is over: HEARTH_ERROR_INVALID in the middle of a frame. */
gboolean hearth_frames_finish(HearthFrames *frames, GError **error);
