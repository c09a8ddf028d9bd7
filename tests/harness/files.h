#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

/* Folders and files for tests. Each fails the test by itself. */

/** Removes `path` with all below it, not following symlinks. */
static inline void files_remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_SYMLINK) || !g_file_test(child, G_FILE_TEST_IS_DIR))
            g_unlink(child);
        else
            files_remove_tree(child);
    }
    g_rmdir(path);
}

/** Makes the file `name` below `folder`, with its folders, dated `mtime` (UTC). */
static inline void files_write_bytes(const char *folder, const char *name, gint64 mtime,
                                     const void *bytes, gsize size)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    struct utimbuf times = {.actime = mtime, .modtime = mtime};
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    /* Not by a temporary file: its name would be longer than the one that is tested. */
    g_file_set_contents_full(path, bytes, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0644, &error);
    g_assert_no_error(error);
    g_assert_cmpint(utime(path, &times), ==, 0);
}

static inline void files_write(const char *folder, const char *name, gint64 mtime, const char *text)
{
    files_write_bytes(folder, name, mtime, text, strlen(text));
}

/** `size` bytes that depend on `seed` alone; (transfer full). */
static inline guint8 *files_noise(guint32 seed, gsize size)
{
    guint8 *bytes = g_malloc(size + 8);
    guint64 x = seed * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) + 1;
    for (gsize i = 0; i < size; i += 8) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        memcpy(bytes + i, &x, 8);
    }
    return bytes;
}

/** Days over which the files of files_make_card() are spread: none is in the future. */
#define FILES_DAYS 300

/** A card of `count` pictures of `size` bytes, which no parser knows; file k has seed k, and is
 * dated k days (modulo FILES_DAYS) after 2026-01-01. */
static inline void files_make_card(const char *folder, guint count, gsize size)
{
    for (guint k = 0; k < count; k++) {
        g_autofree guint8 *bytes = files_noise(k, size);
        g_autofree char *name = g_strdup_printf("DCIM/100TESTS/IMG_%04u.JPG", k + 1);
        files_write_bytes(folder, name, 1767225600 + 86400 * (gint64)(k % FILES_DAYS), bytes, size);
    }
}
