#include "namespace/content-parts-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/block-hasher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A writer's spool file is hashed while it is written, as far as it is written in order:
 *
 *     0 ........ position of the hasher ........ size
 *     [   hashed, as the file has it   ][ to read ]
 *
 * A write at the position moves it on. A write below takes the hasher back to the block that is
 * touched; one above leaves it where it is. Finishing reads what is left. A program that writes in
 * order thus never has its bytes read again, and one that changes a tag at the end of a long file
 * has only the end of it read.
 */

/* Writing to the disk is started in steps of this many bytes, so that the flush finds little left.
 */
#define WRITEBACK_STEP (8 * 1024 * 1024)
/* Smaller files are left to the flush of their batch, which orders them better. */
#define WRITEBACK_MIN (1024 * 1024)
/* A gap no larger than this is read again at once when writing goes on at the end: requests that
 * overtook one another leave such gaps. */
#define CATCH_UP_MAX (8 * 1024 * 1024)
#define COPY_SIZE (256 * 1024) /* bytes */

struct HearthContentWriter {
    HearthContents *contents; /* borrowed */
    HearthBlockHasher *hasher;
    int fd;           /* -1 once spent */
    char *name;       /* in the spool */
    gint64 size;      /* of the file */
    gint64 scheduled; /* up to where writing to the disk was started */
};

/* Also asked of holes: they take no room, but are hashed like all else, which for one of terabytes
 * would keep a close waiting for hours. */
static gboolean check_room(HearthContents *contents, gint64 expected, GError **error)
{
    guint64 free_bytes, total;
    if (expected <= 0)
        return TRUE;
    if (!hearth_contents_space(contents, &free_bytes, &total, error))
        return FALSE;
    if ((guint64)expected <= free_bytes)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE,
                "no room for %" G_GINT64_FORMAT " bytes: %s has %" G_GUINT64_FORMAT " left",
                expected, contents->spool_name, free_bytes);
    return FALSE;
}

static gboolean open_spool_file(HearthContentWriter *writer, GError **error)
{
    HearthContents *contents = writer->contents;
    do {
        g_free(writer->name);
        writer->name = g_strdup_printf("%08x", (guint)g_atomic_int_add(&contents->serial, 1));
        writer->fd = openat(contents->spool, writer->name,
                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0440);
    } while (writer->fd < 0 && errno == EEXIST);
    if (writer->fd >= 0)
        return TRUE;
    hearth_set_errno(error, errno, "cannot create a file in %s", contents->spool_name);
    g_clear_pointer(&writer->name, g_free);
    return FALSE;
}

HearthContentWriter *hearth_content_writer_new(HearthContents *contents, gint64 expected,
                                               GError **error)
{
    if (!check_room(contents, expected, error))
        return NULL;
    g_autoptr(HearthContentWriter) writer = g_new0(HearthContentWriter, 1);
    writer->contents = contents;
    writer->hasher = hearth_block_hasher_new();
    if (!open_spool_file(writer, error))
        return NULL;
    return g_steal_pointer(&writer);
}

void hearth_content_writer_free(HearthContentWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->name != NULL)
        unlinkat(writer->contents->spool, writer->name, 0);
    hearth_close_at(&writer->fd);
    hearth_block_hasher_free(writer->hasher);
    g_free(writer->name);
    g_free(writer);
}

static void schedule_writeback(HearthContentWriter *writer)
{
    if (writer->size - writer->scheduled < WRITEBACK_STEP)
        return;
    sync_file_range(writer->fd, writer->scheduled, writer->size - writer->scheduled,
                    SYNC_FILE_RANGE_WRITE);
    writer->scheduled = writer->size;
}

static gboolean is_usable(HearthContentWriter *writer, GError **error)
{
    if (writer->fd >= 0)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "this content was finished before");
    return FALSE;
}

static gboolean catch_up(HearthContentWriter *writer, GError **error)
{
    return hearth_block_hasher_feed_fd(writer->hasher, writer->fd, writer->size, NULL, error);
}

/* A write that failed may have left some of its bytes: they count, and are read again. */
static void take_partial_write(HearthContentWriter *writer, gint64 offset)
{
    struct stat status;
    if (fstat(writer->fd, &status) == 0)
        writer->size = MAX(writer->size, status.st_size);
    hearth_block_hasher_rewind(writer->hasher, offset);
}

gboolean hearth_content_writer_pwrite(HearthContentWriter *writer, const void *data, gsize size,
                                      gint64 offset, GError **error)
{
    if (!is_usable(writer, error))
        return FALSE;
    gint64 position = hearth_block_hasher_position(writer->hasher);
    if (!check_room(writer->contents, offset - writer->size, error))
        return FALSE;
    if (offset == writer->size && position < offset && offset - position <= CATCH_UP_MAX) {
        if (!catch_up(writer, error))
            return FALSE;
        position = offset;
    }
    if (!hearth_pwrite_all(writer->fd, data, size, offset, writer->contents->spool_name, error)) {
        take_partial_write(writer, offset);
        return FALSE;
    }
    if (offset == position)
        hearth_block_hasher_feed(writer->hasher, data, size);
    else
        hearth_block_hasher_rewind(writer->hasher, offset);
    writer->size = MAX(writer->size, offset + (gint64)size);
    schedule_writeback(writer);
    return TRUE;
}

gboolean hearth_content_writer_write(HearthContentWriter *writer, const void *data, gsize size,
                                     GError **error)
{
    return hearth_content_writer_pwrite(writer, data, size, writer->size, error);
}

gboolean hearth_content_writer_truncate(HearthContentWriter *writer, gint64 size, GError **error)
{
    if (!is_usable(writer, error))
        return FALSE;
    if (!check_room(writer->contents, size - writer->size, error))
        return FALSE;
    if (ftruncate(writer->fd, size) != 0)
        return hearth_set_errno(error, errno, "cannot change the length of a file in %s",
                                writer->contents->spool_name);
    hearth_block_hasher_rewind(writer->hasher, size);
    writer->size = size;
    writer->scheduled = MIN(writer->scheduled, size);
    return TRUE;
}

gboolean hearth_content_writer_write_fd(HearthContentWriter *writer, int fd, gint64 limit,
                                        GCancellable *cancellable, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(COPY_SIZE);
    while (limit != 0) {
        gsize wanted = limit < 0 ? COPY_SIZE : (gsize)MIN(limit, COPY_SIZE);
        if (g_cancellable_set_error_if_cancelled(cancellable, error))
            return FALSE;
        ssize_t got = read(fd, buffer, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hearth_set_errno(error, errno, "cannot read what is to be stored");
        if (got == 0)
            return TRUE;
        if (!hearth_content_writer_write(writer, buffer, (gsize)got, error))
            return FALSE;
        limit = limit < 0 ? limit : limit - got;
    }
    return TRUE;
}

/* Copies by reference where the file system can. */
static gboolean copy_base(HearthContentWriter *writer, int base, gint64 size, GError **error)
{
    while (writer->size < size) {
        loff_t from = writer->size, to = writer->size;
        ssize_t done = copy_file_range(base, &from, writer->fd, &to, (gsize)(size - from), 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return hearth_set_errno(error, errno, "cannot copy a content to %s",
                                    writer->contents->spool_name);
        if (done == 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                        "a content ended early while it was copied");
            return FALSE;
        }
        writer->size += done;
    }
    return TRUE;
}

HearthContentWriter *hearth_content_writer_new_from(HearthContents *contents,
                                                    HearthContentReader *base, gint64 size,
                                                    GError **error)
{
    size = MIN(size, hearth_content_reader_size(base));
    g_autoptr(HearthContentWriter) writer = hearth_content_writer_new(contents, size, error);
    if (writer == NULL || size == 0)
        return g_steal_pointer(&writer);
    /* A damaged block must not get a new, valid name. */
    if (!hearth_content_reader_check(base, 0, (gsize)size, error) ||
        !copy_base(writer, hearth_content_reader_fd(base), size, error))
        return NULL;
    const HearthBlockList *list = hearth_content_reader_list(base);
    if (list != NULL)
        hearth_block_hasher_adopt(writer->hasher, list, size);
    return g_steal_pointer(&writer);
}

gint64 hearth_content_writer_size(const HearthContentWriter *writer)
{
    return writer->size;
}

int hearth_content_writer_fd(const HearthContentWriter *writer)
{
    return writer->fd;
}

/* --- Staged contents --- */

static gboolean is_stored_whole(const HearthStagedContent *staged)
{
    gint64 size;
    return hearth_contents_stat(staged->contents, &staged->id, &size, NULL) &&
           size == staged->size && !hearth_contents_is_bad(staged->contents, &staged->id, NULL);
}

static void drop_spool_file(HearthStagedContent *staged)
{
    if (staged->name == NULL)
        return;
    unlinkat(staged->contents->spool, staged->name, 0);
    if (staged->list != NULL) {
        /* Beside it if publishing failed on its way. */
        g_autofree char *list = g_strconcat(staged->name, ".blocks", NULL);
        unlinkat(staged->contents->spool, list, 0);
    }
    g_clear_pointer(&staged->name, g_free);
}

HearthStagedContent *hearth_content_writer_finish(HearthContentWriter *writer, GError **error)
{
    if (!is_usable(writer, error) || !catch_up(writer, error))
        return NULL;
    const HearthBlockList *list = hearth_block_hasher_finish(writer->hasher);
    HearthStagedContent *staged = g_new0(HearthStagedContent, 1);
    staged->contents = writer->contents;
    staged->id = hearth_block_list_id(list);
    staged->size = list->size;
    staged->fd = hearth_steal_fd(&writer->fd);
    staged->name = g_steal_pointer(&writer->name);
    if (hearth_block_list_count(list) > 1)
        staged->list = hearth_block_list_encode(list);
    if (!hearth_content_id_is_none(&staged->id)) {
        hearth_content_pins_take(staged->contents->pins, &staged->id);
        staged->known = is_stored_whole(staged);
    }
    if (staged->known || staged->size == 0)
        drop_spool_file(staged);
    else if (staged->size >= WRITEBACK_MIN)
        sync_file_range(staged->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return staged;
}

/* Publishing that failed half-way may have given the file its final name. */
static gboolean is_in_spool(const HearthStagedContent *staged)
{
    struct stat ours, named;
    return staged->name != NULL && staged->fd >= 0 && fstat(staged->fd, &ours) == 0 &&
           fstatat(staged->contents->spool, staged->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == named.st_ino;
}

HearthContentWriter *hearth_content_writer_resume(HearthStagedContent *staged, GError **error)
{
    if (!is_in_spool(staged)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY, "a stored content cannot be changed");
        return NULL;
    }
    HearthContentWriter *writer = g_new0(HearthContentWriter, 1);
    writer->contents = staged->contents;
    writer->hasher = hearth_block_hasher_new();
    writer->fd = hearth_steal_fd(&staged->fd);
    writer->name = g_steal_pointer(&staged->name);
    writer->size = staged->size;
    writer->scheduled = staged->size;
    return writer;
}

void hearth_staged_content_free(HearthStagedContent *staged)
{
    if (staged == NULL)
        return;
    drop_spool_file(staged);
    if (!hearth_content_id_is_none(&staged->id))
        hearth_content_pins_drop(staged->contents->pins, &staged->id);
    hearth_close_at(&staged->fd);
    g_clear_pointer(&staged->list, g_byte_array_unref);
    g_free(staged);
}

const HearthContentId *hearth_staged_content_id(const HearthStagedContent *staged)
{
    return &staged->id;
}

gint64 hearth_staged_content_size(const HearthStagedContent *staged)
{
    return staged->size;
}

gboolean hearth_staged_content_was_known(const HearthStagedContent *staged)
{
    return staged->known;
}

int hearth_staged_content_fd(const HearthStagedContent *staged)
{
    return staged->fd;
}
