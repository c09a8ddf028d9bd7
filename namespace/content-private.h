#pragma once

#include "namespace/block-list.h"
#include "namespace/content.h"

/**
 * The side of contents that only the namespace itself uses: writing anywhere in a spooled file (the
 * mount), and the upkeep of what is stored (gc, scrub and fsck of the store).
 */

/* --- Upkeep --- */

/** Size of a stored content in bytes; HEARTH_ERROR_NOT_FOUND if it is not stored. */
gboolean hearth_contents_stat(HearthContents *contents, const HearthContentId *id, gint64 *ret_size,
                              GError **error);

/** Gets one stored content; FALSE ends the listing early. No lock is held. */
typedef gboolean (*HearthContentFunc)(const HearthContentId *id, gint64 size, gpointer data);

/** Stored contents by ascending id, from those above `after` (NULL: all), at most `limit` (0: all).
 */
gboolean hearth_contents_enumerate(HearthContents *contents, const HearthContentId *after,
                                   guint limit, HearthContentFunc func, gpointer data,
                                   GError **error);

/** Says whether nothing refers to `id`. Called without a lock of the contents. */
typedef gboolean (*HearthContentUnusedFunc)(const HearthContentId *id, gpointer data);

/**
 * Deletes a content nobody needs. A content that is staged (from finish until the staged content is
 * freed, so through publish and commit) is never deleted. While `unused` runs, finishing a content
 * of this very id waits for the outcome, so that a "no" cannot be outrun; `unused` must therefore
 * not finish contents itself. TRUE also when it was kept or gone; `ret_deleted` says which.
 */
gboolean hearth_contents_delete(HearthContents *contents, const HearthContentId *id,
                                HearthContentUnusedFunc unused, gpointer data,
                                gboolean *ret_deleted, GError **error);

/**
 * Durable marks on contents that are known to be damaged. A read that touches the marked block
 * fails with HEARTH_ERROR_CORRUPT, and every other block of that content is checked again at each
 * read. Set by a reader or hearth_contents_verify() that finds a bad block, and by these; cleared
 * by a verify that finds the content whole, by storing the content anew, and by these.
 */
gboolean hearth_contents_mark_bad(HearthContents *contents, const HearthContentId *id,
                                  gint64 offset, GError **error);
gboolean hearth_contents_clear_bad(HearthContents *contents, const HearthContentId *id,
                                   GError **error);
/** `ret_offset`, when not NULL, is where the bad block begins. */
gboolean hearth_contents_is_bad(HearthContents *contents, const HearthContentId *id,
                                gint64 *ret_offset);

/** The block list of a stored content, recomputed and kept anew if it was lost; (transfer full). */
HearthBlockList *hearth_contents_blocks(HearthContents *contents, const HearthContentId *id,
                                        GError **error);

/* --- Writing anywhere (the mount) --- */

/**
 * A writer that begins with the first `size` bytes of `base` (checked as they are taken; shared
 * with it where the disk can).
 */
HearthContentWriter *hearth_content_writer_new_from(HearthContents *contents,
                                                    HearthContentReader *base, gint64 size,
                                                    GError **error);

/**
 * Writes at `offset`; a hole before it reads as zeros. Writing at the end is as cheap as
 * hearth_content_writer_write(); anything else makes finish read again from the block that was
 * touched first. After a failure (a full disk) the writer may be used further; some of the bytes may
 * have been written.
 */
gboolean hearth_content_writer_pwrite(HearthContentWriter *writer, const void *data, gsize size,
                                      gint64 offset, GError **error);
gboolean hearth_content_writer_truncate(HearthContentWriter *writer, gint64 size, GError **error);

/** Takes a staged content that was not published back into a writer, to change it further; `staged`
 * is still to be freed. HEARTH_ERROR_BUSY if it has no spool file of its own any more. */
HearthContentWriter *hearth_content_writer_resume(HearthStagedContent *staged, GError **error);
