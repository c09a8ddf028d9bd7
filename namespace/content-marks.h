#pragma once

#include "namespace/object.h"

/**
 * The durable marks on damaged contents: one small file STATE/content/bad/ID for each, holding the
 * offset of its first bad block as text. They are few, so all are in memory. Any thread.
 */
typedef struct HearthContentMarks HearthContentMarks;

HearthContentMarks *hearth_content_marks_open(const char *state, GError **error);
void hearth_content_marks_close(HearthContentMarks *marks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthContentMarks, hearth_content_marks_close)

gboolean hearth_content_marks_set(HearthContentMarks *marks, const HearthContentId *id,
                                  gint64 offset, GError **error);
gboolean hearth_content_marks_clear(HearthContentMarks *marks, const HearthContentId *id,
                                    GError **error);
/** `ret_offset` may be NULL. */
gboolean hearth_content_marks_get(HearthContentMarks *marks, const HearthContentId *id,
                                  gint64 *ret_offset);
