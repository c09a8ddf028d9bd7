#pragma once

#include "namespace/content-private.h"

#include <glib/gstdio.h>
#include <string.h>

/** What the tests of contents share: a private state folder and bytes that are always the same. */
typedef struct {
    char *state;
    HearthContents *contents;
} ContentFixture;

static inline void fixture_remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_SYMLINK) || !g_file_test(child, G_FILE_TEST_IS_DIR))
            g_unlink(child);
        else
            fixture_remove_tree(child);
    }
    g_rmdir(path);
}

static inline void fixture_set_up(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    f->state = g_dir_make_tmp("hearth-content-XXXXXX", NULL);
    f->contents = hearth_contents_open(f->state, &error);
    g_assert_no_error(error);
}

static inline void fixture_tear_down(ContentFixture *f, gconstpointer data)
{
    hearth_contents_close(f->contents);
    fixture_remove_tree(f->state);
    g_free(f->state);
}

/** `size` bytes that depend on `seed` alone (xorshift64*); (transfer full). */
static inline guint8 *fixture_bytes(guint64 seed, gsize size)
{
    guint8 *bytes = g_malloc(size + 8);
    guint64 x = seed * 0x9e3779b97f4a7c15u + 1;
    for (gsize i = 0; i < size; i += 8) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        guint64 word = GUINT64_TO_LE(x * 0x2545f4914f6cdd1du);
        memcpy(bytes + i, &word, 8);
    }
    return bytes;
}

static inline HearthStagedContent *fixture_stage(HearthContents *contents, const void *bytes,
                                                 gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthContentWriter) writer =
        hearth_content_writer_new(contents, (gint64)size, &error);
    g_assert_no_error(error);
    g_assert_true(hearth_content_writer_write(writer, bytes, size, &error));
    HearthStagedContent *staged = hearth_content_writer_finish(writer, &error);
    g_assert_no_error(error);
    return staged;
}

static inline HearthContentId fixture_store(HearthContents *contents, const void *bytes, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthStagedContent) staged = fixture_stage(contents, bytes, size);
    g_assert_true(hearth_contents_publish(contents, &staged, 1, &error));
    g_assert_no_error(error);
    return *hearth_staged_content_id(staged);
}

/** Path of a content's file; (transfer full). */
static inline char *fixture_path(ContentFixture *f, const HearthContentId *id)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    hearth_content_id_to_text(id, text);
    return g_strdup_printf("%s/content/%.2s/%s", f->state, text, text + 2);
}
