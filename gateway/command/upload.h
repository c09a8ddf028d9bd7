#pragma once

#include <glib.h>

/**
 * Bringing files and folders of this machine into the tree.
 *
 * Folders are made first; then two connections carry the files, small ones many in a request, since
 * to make one file durable costs as much as to make a hundred. A file that is there already with the
 * same size and time is not sent again, so an upload that broke off goes on where it was.
 */
typedef struct {
    guint64 files;     /* sent */
    guint64 bytes;     /* of these */
    guint64 unchanged; /* not sent */
} HearthUploadResult;

/** Brings `local` (absolute) to `path`. What cannot be read is named on standard error and left out;
 * the rest is brought, and the call fails at the end. */
gboolean hearth_upload(const char *state, const char *local, const char *path,
                       HearthUploadResult *ret_result, GError **error);
