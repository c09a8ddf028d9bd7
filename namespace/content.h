#pragma once

#include "namespace/object.h"

#include <gio/gio.h>

/**
 * Contents: immutable byte strings, each stored once under its content id.
 *
 * A content is written through a HearthContentWriter, which cuts it in blocks and hashes it while
 * it goes to the spool, so that bytes are read once and written once. Finishing gives a *staged*
 * content: whole in the spool, its id known, not yet durable. hearth_contents_publish() makes a
 * batch of staged contents durable and gives them their final names, in that order: a file under
 * its final name is complete and matches its name at any power cut. Only then may a metadata
 * record refer to it. What a killed process left in the spool is removed at the next open.
 *
 * HearthContents is safe from any thread; a writer or a staged content belongs to one thread at a
 * time.
 */
typedef struct HearthContents HearthContents;
typedef struct HearthContentWriter HearthContentWriter;
typedef struct HearthStagedContent HearthStagedContent;
typedef struct HearthContentReader HearthContentReader;

/** One block of a content. */
typedef struct {
    guint64 offset; /* bytes from the start of the content */
    guint32 length; /* bytes, 1 to 4 MiB */
    guint8 digest[HEARTH_CONTENT_ID_SIZE];
} HearthBlock;

/** Opens the folder engine under `state` (content/ and spool/), making what is missing. */
HearthContents *hearth_contents_open(const char *state, GError **error);
void hearth_contents_close(HearthContents *contents);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthContents, hearth_contents_close)

/**
 * Starts a content in the spool. `expected` is its size in bytes if known, else -1; a content known
 * not to fit fails at once with HEARTH_ERROR_NO_SPACE.
 */
HearthContentWriter *hearth_content_writer_new(HearthContents *contents, gint64 expected,
                                               GError **error);

/** Appends bytes. After a failure the writer can only be freed. */
gboolean hearth_content_writer_write(HearthContentWriter *writer, const void *data, gsize size,
                                     GError **error);

/** Appends the bytes of `fd` from its position to its end, or `limit` bytes when not negative. */
gboolean hearth_content_writer_write_fd(HearthContentWriter *writer, int fd, gint64 limit,
                                        GCancellable *cancellable, GError **error);

/** Bytes written so far. */
gint64 hearth_content_writer_size(const HearthContentWriter *writer);

/** A readable descriptor of the spooled bytes so far; borrowed, valid until finish or free. */
int hearth_content_writer_fd(const HearthContentWriter *writer);

/** Ends the content; the writer is then spent and still to be freed. */
HearthStagedContent *hearth_content_writer_finish(HearthContentWriter *writer, GError **error);

/** Frees a writer; bytes not finished are dropped. */
void hearth_content_writer_free(HearthContentWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthContentWriter, hearth_content_writer_free)

const HearthContentId *hearth_staged_content_id(const HearthStagedContent *staged);
gint64 hearth_staged_content_size(const HearthStagedContent *staged);
/** TRUE if a content of that id was already stored when it was staged. */
gboolean hearth_staged_content_was_known(const HearthStagedContent *staged);
/** A readable descriptor of the bytes (metadata and previews are read from it); borrowed. */
int hearth_staged_content_fd(const HearthStagedContent *staged);
/** Drops the staged content; its spooled bytes go unless they were published. */
void hearth_staged_content_free(HearthStagedContent *staged);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthStagedContent, hearth_staged_content_free)

/**
 * Makes `count` staged contents durable under their final names: data, then rename, then folders.
 * One call for many small files costs few flushes of the disk. On failure none may be referred to;
 * those that got their names already are garbage that gc finds. Contents of no bytes need nothing.
 */
gboolean hearth_contents_publish(HearthContents *contents, HearthStagedContent *const *staged,
                                 gsize count, GError **error);

/**
 * Opens a content for reading. Each block is checked against its digest the first time this
 * process reads it; reading a block that does not match fails with HEARTH_ERROR_CORRUPT.
 */
HearthContentReader *hearth_contents_read(HearthContents *contents, const HearthContentId *id,
                                          GError **error);
/** Reads up to `size` bytes at `offset`; count read, 0 at the end, -1 with `error` set.
 * Thread-safe. */
gssize hearth_content_reader_read(HearthContentReader *reader, void *data, gsize size,
                                  gint64 offset, GError **error);
/** Checks the blocks that cover the range, so that the caller may use the descriptor for it. */
gboolean hearth_content_reader_check(HearthContentReader *reader, gint64 offset, gsize size,
                                     GError **error);
/** The descriptor underneath, for splice and sendfile of ranges that were checked; borrowed. */
int hearth_content_reader_fd(const HearthContentReader *reader);
gint64 hearth_content_reader_size(const HearthContentReader *reader);
void hearth_content_reader_free(HearthContentReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthContentReader, hearth_content_reader_free)

/**
 * Reads every byte of a content past the page cache (the pages are dropped first) and checks it.
 * This is the proof that deletion from a card needs. `ret_bad`, when not NULL, is the offset of
 * the first bad block.
 */
gboolean hearth_contents_verify(HearthContents *contents, const HearthContentId *id,
                                GCancellable *cancellable, gint64 *ret_bad, GError **error);

/** Free and total bytes of the disk under the contents. */
gboolean hearth_contents_space(HearthContents *contents, guint64 *ret_free, guint64 *ret_total,
                               GError **error);
