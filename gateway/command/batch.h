#pragma once

#include "gateway/command/client.h"

#include <sys/types.h>

/** A file of this machine on its way into the tree. */
typedef struct {
    char *local;
    char *path;
    gint64 size;
    gint64 mtime_ns;
    mode_t mode;
} HearthUploadItem;

/**
 * Sends `count` files in one request (web/frames.h). The answer tells those that could not be
 * stored. An error says that some may have been stored and some not: each is then to be sent alone,
 * which also tells which one was the reason.
 */
gboolean hearth_batch_send(HearthClient *client, const HearthUploadItem *const *items, guint count,
                           HearthClientFunc moved, gpointer data, GVariant **ret_answer,
                           GError **error);
