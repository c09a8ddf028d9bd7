#include "gateway/import-listing.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A record of the file: RecordHead, then path, media type and storage, each with its NUL. Objects
 * of a folder are mostly listed one after another; each such stretch is a run.
 */
typedef struct {
    gint64 size, mtime, ino;
    guint32 length;          /* bytes of the three strings */
    guint8 utc, type, where; /* mtime_is_utc; whether the two optional strings are there */
} RecordHead;

/* More would be no path, type and storage. */
#define MAX_STRINGS (HEARTH_DEVICE_MAX_PATH + 2048)

typedef struct {
    off_t offset;
    guint count;
} Run;

typedef struct {
    char *path;
    GArray *runs; /* element-type Run */
    gboolean has_new;
} Folder;

struct HearthImportListing {
    FILE *file;
    off_t end;          /* bytes written */
    GHashTable *index;  /* path of folder -> its number, plus one */
    GPtrArray *folders; /* element-type Folder */
    guint last;         /* folder of the newest record; G_MAXUINT: none */
    guint64 files, bytes;
};

static void folder_free(gpointer data)
{
    Folder *folder = data;
    g_array_unref(folder->runs);
    g_free(folder->path);
    g_free(folder);
}

HearthImportListing *hearth_import_listing_new(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "listing.XXXXXX", NULL);
    hearth_autofd int fd = mkostemp(path, O_CLOEXEC);
    FILE *file = NULL;
    if (fd >= 0) {
        unlink(path);
        file = fdopen(fd, "w+");
    }
    if (!file) {
        hearth_set_errno(error, errno, "cannot keep the listing in %s", folder);
        return NULL;
    }
    hearth_steal_fd(&fd);
    HearthImportListing *listing = g_new0(HearthImportListing, 1);
    listing->file = file;
    listing->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    listing->folders = g_ptr_array_new_with_free_func(folder_free);
    listing->last = G_MAXUINT;
    return listing;
}

void hearth_import_listing_free(HearthImportListing *listing)
{
    if (!listing)
        return;
    fclose(listing->file);
    g_hash_table_unref(listing->index);
    g_ptr_array_unref(listing->folders);
    g_free(listing);
}

static guint folder_number(HearthImportListing *listing, const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(listing->index, parent));
    if (found > 0)
        return found - 1;
    Folder *folder = g_new0(Folder, 1);
    folder->path = g_strdup(parent);
    folder->runs = g_array_new(FALSE, FALSE, sizeof(Run));
    g_ptr_array_add(listing->folders, folder);
    g_hash_table_insert(listing->index, g_steal_pointer(&parent),
                        GUINT_TO_POINTER(listing->folders->len));
    return listing->folders->len - 1;
}

static void count(HearthImportListing *listing, guint number, const HearthDeviceObject *object,
                  gint64 ino)
{
    Folder *folder = g_ptr_array_index(listing->folders, number);
    if (number != listing->last) {
        Run run = {.offset = listing->end};
        g_array_append_val(folder->runs, run);
    }
    listing->last = number;
    g_array_index(folder->runs, Run, folder->runs->len - 1).count++;
    if (ino != 0)
        return;
    folder->has_new = TRUE;
    listing->files++;
    listing->bytes += object->size > 0 ? (guint64)object->size : 0;
}

gboolean hearth_import_listing_add(HearthImportListing *listing, const HearthDeviceObject *object,
                                   gint64 ino, GError **error)
{
    const char *type = object->media_type ? object->media_type : "";
    const char *storage = object->storage ? object->storage : "";
    gsize sizes[] = {strlen(object->path) + 1, strlen(type) + 1, strlen(storage) + 1};
    RecordHead head = {.size = object->size,
                       .mtime = object->mtime,
                       .ino = ino,
                       .length = (guint32)(sizes[0] + sizes[1] + sizes[2]),
                       .utc = object->mtime_is_utc,
                       .type = object->media_type != NULL,
                       .where = object->storage != NULL};
    if (sizes[0] + sizes[1] + sizes[2] > MAX_STRINGS) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL, "%s: endless names", object->path);
        return FALSE;
    }
    count(listing, folder_number(listing, object->path), object, ino);
    if (fwrite(&head, sizeof head, 1, listing->file) != 1 ||
        fwrite(object->path, sizes[0], 1, listing->file) != 1 ||
        fwrite(type, sizes[1], 1, listing->file) != 1 ||
        fwrite(storage, sizes[2], 1, listing->file) != 1)
        return hearth_set_errno(error, errno, "cannot keep the listing");
    listing->end += (off_t)(sizeof head + head.length);
    return TRUE;
}

static int compare_folders(gconstpointer a, gconstpointer b)
{
    const Folder *x = *(const Folder *const *)a, *y = *(const Folder *const *)b;
    return strcmp(x->path, y->path);
}

void hearth_import_listing_end(HearthImportListing *listing)
{
    g_hash_table_remove_all(listing->index);
    g_ptr_array_sort(listing->folders, compare_folders);
}

guint hearth_import_listing_folders(const HearthImportListing *listing)
{
    return listing->folders->len;
}

gboolean hearth_import_listing_has_new(const HearthImportListing *listing, guint folder)
{
    return ((const Folder *)g_ptr_array_index(listing->folders, folder))->has_new;
}

void hearth_import_listing_totals(const HearthImportListing *listing, guint64 *ret_files,
                                  guint64 *ret_bytes)
{
    *ret_files = listing->files;
    *ret_bytes = listing->bytes;
}

/* --- Reading back ------------------------------------------------------------------------------ */

static void listed_free(gpointer data)
{
    HearthListedObject *listed = data;
    hearth_device_object_clear(&listed->object);
    g_free(listed);
}

static gboolean read_failed(HearthImportListing *listing, GError **error)
{
    return hearth_set_errno(error, ferror(listing->file) ? errno : EIO,
                            "cannot read the listing back");
}

static gboolean read_record(HearthImportListing *listing, GPtrArray *into, GError **error)
{
    RecordHead head;
    char strings[MAX_STRINGS];
    if (fread(&head, sizeof head, 1, listing->file) != 1 || head.length > sizeof strings ||
        fread(strings, head.length, 1, listing->file) != 1)
        return read_failed(listing, error);
    if (!into)
        return TRUE;
    const char *type = strings + strlen(strings) + 1;
    const char *storage = type + strlen(type) + 1;
    HearthListedObject *listed = g_new0(HearthListedObject, 1);
    listed->ino = head.ino;
    listed->object.path = g_strdup(strings);
    listed->object.size = head.size;
    listed->object.mtime = head.mtime;
    listed->object.mtime_is_utc = head.utc;
    listed->object.media_type = head.type ? g_strdup(type) : NULL;
    listed->object.storage = head.where ? g_strdup(storage) : NULL;
    g_ptr_array_add(into, listed);
    return TRUE;
}

static int compare_objects(gconstpointer a, gconstpointer b)
{
    const HearthListedObject *x = *(const HearthListedObject *const *)a,
                             *y = *(const HearthListedObject *const *)b;
    return strcmp(x->object.path, y->object.path);
}

GPtrArray *hearth_import_listing_read(HearthImportListing *listing, guint folder, guint from,
                                      guint most, GError **error)
{
    const Folder *entry = g_ptr_array_index(listing->folders, folder);
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(listed_free);
    if (fflush(listing->file) != 0) {
        hearth_set_errno(error, errno, "cannot keep the listing");
        return NULL;
    }
    guint at = 0;
    for (guint i = 0; i < entry->runs->len && objects->len < most; i++) {
        const Run *run = &g_array_index(entry->runs, Run, i);
        if (at + run->count <= from) {
            at += run->count;
            continue;
        }
        if (fseeko(listing->file, run->offset, SEEK_SET) != 0) {
            read_failed(listing, error);
            return NULL;
        }
        for (guint k = 0; k < run->count && objects->len < most; k++, at++)
            if (!read_record(listing, at < from ? NULL : objects, error))
                return NULL;
    }
    g_ptr_array_sort(objects, compare_objects);
    return g_steal_pointer(&objects);
}
