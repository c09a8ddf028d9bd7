#include "namespace/content-marks.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct HearthContentMarks {
    char *folder;        /* STATE/content/bad */
    GMutex lock;         /* guards `offsets`; never held over I/O */
    GHashTable *offsets; /* id as text (owned) -> gint64 (owned) */
    gint count;          /* of `offsets`, atomic: reads of whole contents take no lock */
};

static void remember(HearthContentMarks *marks, const char *text, gint64 offset)
{
    g_mutex_lock(&marks->lock);
    g_hash_table_insert(marks->offsets, g_strdup(text), g_memdup2(&offset, sizeof offset));
    g_atomic_int_set(&marks->count, (gint)g_hash_table_size(marks->offsets));
    g_mutex_unlock(&marks->lock);
}

static void load(HearthContentMarks *marks, GDir *dir)
{
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        HearthContentId id;
        g_autofree char *path = g_build_filename(marks->folder, name, NULL), *text = NULL;
        if (hearth_content_id_from_text(name, &id) && g_file_get_contents(path, &text, NULL, NULL))
            remember(marks, name, g_ascii_strtoll(text, NULL, 10));
    }
}

HearthContentMarks *hearth_content_marks_open(const char *state, GError **error)
{
    g_autoptr(HearthContentMarks) marks = g_new0(HearthContentMarks, 1);
    marks->folder = g_build_filename(state, "content", "bad", NULL);
    g_mutex_init(&marks->lock);
    marks->offsets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GError) reason = NULL;
    g_mkdir(marks->folder, 0750);
    g_autoptr(GDir) dir = g_dir_open(marks->folder, 0, &reason);
    /* A state that is read-only and has never had a mark has no folder: there is none to load. */
    if (dir == NULL && !g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IO, "cannot read the bad marks: %s",
                    reason->message);
        return NULL;
    }
    if (dir != NULL)
        load(marks, dir);
    return g_steal_pointer(&marks);
}

void hearth_content_marks_close(HearthContentMarks *marks)
{
    if (marks == NULL)
        return;
    g_hash_table_unref(marks->offsets);
    g_mutex_clear(&marks->lock);
    g_free(marks->folder);
    g_free(marks);
}

gboolean hearth_content_marks_set(HearthContentMarks *marks, const HearthContentId *id,
                                  gint64 offset, GError **error)
{
    char text[HEARTH_CONTENT_ID_TEXT], number[32];
    gint64 known;
    if (hearth_content_marks_get(marks, id, &known) && known == offset)
        return TRUE;
    /* In memory first: also when the disk is full or read-only, this process shall not hand out
     * what it knows to be damaged. */
    remember(marks, hearth_content_id_to_text(id, text), offset);
    g_autofree char *path = g_build_filename(marks->folder, text, NULL);
    int length = g_snprintf(number, sizeof number, "%" G_GINT64_FORMAT "\n", offset);
    return hearth_replace_file(path, number, (gsize)length, 0640, error);
}

gboolean hearth_content_marks_clear(HearthContentMarks *marks, const HearthContentId *id,
                                    GError **error)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    if (!hearth_content_marks_get(marks, id, NULL))
        return TRUE;
    g_autofree char *path =
        g_build_filename(marks->folder, hearth_content_id_to_text(id, text), NULL);
    if (g_unlink(path) != 0 && errno != ENOENT)
        return hearth_set_errno(error, errno, "cannot remove the bad mark of content %s", text);
    g_mutex_lock(&marks->lock);
    g_hash_table_remove(marks->offsets, text);
    g_atomic_int_set(&marks->count, (gint)g_hash_table_size(marks->offsets));
    g_mutex_unlock(&marks->lock);
    return TRUE;
}

gboolean hearth_content_marks_get(HearthContentMarks *marks, const HearthContentId *id,
                                  gint64 *ret_offset)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    if (g_atomic_int_get(&marks->count) == 0)
        return FALSE;
    hearth_content_id_to_text(id, text);
    g_mutex_lock(&marks->lock);
    const gint64 *offset = g_hash_table_lookup(marks->offsets, text);
    if (offset != NULL && ret_offset != NULL)
        *ret_offset = *offset;
    g_mutex_unlock(&marks->lock);
    return offset != NULL;
}
