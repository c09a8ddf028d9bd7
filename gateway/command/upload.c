#include "gateway/command/upload.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "gateway/command/batch.h"
#include "gateway/command/call.h"
#include "gateway/command/client.h"
#include "gateway/command/format.h"
#include "gateway/command/listing.h"
#include "gateway/command/output.h"
#include "gateway/command/progress.h"
#include "web/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Connections that carry files at once. */
#define CONNECTIONS 2
/* Files up to this size go together in one request, up to so many files and bytes. */
#define SMALL_MAX (1024 * 1024)
#define TOGETHER_FILES 500
#define TOGETHER_BYTES (64 * 1024 * 1024)

typedef struct {
    const char *state; /* borrowed */
    HearthClient *client;
    GPtrArray *items; /* HearthUploadItem: files to be sent */
    HearthProgress *bar;
    GMutex lock; /* protects what follows, until the connections have ended */
    guint next;  /* index of the item to be taken next */
    HearthProgressState progress;
    HearthUploadResult result;
    guint failures;
    GError *stop; /* what no other file would survive either; nullable */
} Upload;

static void item_free(gpointer data)
{
    HearthUploadItem *item = data;
    g_free(item->local);
    g_free(item->path);
    g_free(item);
}

/* Without a daemon or space there is no point in going on. */
static gboolean is_fatal(const GError *error)
{
    return g_error_matches(error, HEARTH_COMMAND_ERROR, HEARTH_COMMAND_ERROR_UNREACHABLE) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_READ_ONLY);
}

/* Takes `failure`. */
static void note_failure(Upload *upload, GError *failure)
{
    g_autofree char *text = hearth_format_name(failure->message);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&upload->lock);
    upload->failures++;
    if (is_fatal(failure) && !upload->stop) {
        upload->stop = failure;
        return;
    }
    fprintf(stderr, "hearth: %s\n", text);
    g_error_free(failure);
}

/* --- Finding what to send ----------------------------------------------------------------------- */

static gint64 mtime_ns(const struct stat *status)
{
    return status->st_mtim.tv_sec * G_GINT64_CONSTANT(1000000000) + status->st_mtim.tv_nsec;
}

/* Entry name -> "SIZE MTIME" of the files that a folder in the tree has. */
static gboolean remember_entry(GVariant *entry, const char *path, gpointer data, GError **error)
{
    gint64 ns;
    if (hearth_listing_is(entry, "file") &&
        hearth_format_parse_moment(hearth_lookup_text(entry, "mtime", ""), &ns))
        g_hash_table_insert(data, g_strdup(strrchr(path, '/') + 1),
                            g_strdup_printf("%" G_GUINT64_FORMAT " %" G_GINT64_FORMAT,
                                            hearth_lookup_count(entry, "size"), ns));
    return TRUE;
}

static gboolean is_unchanged(GHashTable *there, const char *name, const struct stat *status)
{
    const char *known = g_hash_table_lookup(there, name);
    g_autofree char *ours = g_strdup_printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT,
                                            (gint64)status->st_size, mtime_ns(status));
    return known && strcmp(known, ours) == 0;
}

static void add_file(Upload *upload, const char *local, const char *path, const struct stat *status)
{
    HearthUploadItem *item = g_new0(HearthUploadItem, 1);
    item->local = g_strdup(local);
    item->path = g_strdup(path);
    item->size = status->st_size;
    item->mtime_ns = mtime_ns(status);
    item->mode = status->st_mode & 0777;
    g_ptr_array_add(upload->items, item);
    upload->progress.bytes_total += (guint64)status->st_size;
}

static gboolean post(Upload *upload, const char *path, GVariantDict *body, GError **error)
{
    g_autofree char *target = hearth_client_tree_target(path, NULL);
    return hearth_client_send(upload->client, "POST", target, g_variant_dict_end(body), NULL,
                              error);
}

static gboolean make_link(Upload *upload, const char *local, const char *path, GError **error)
{
    g_autofree char *target = g_file_read_link(local, NULL);
    g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GError) cause = NULL;
    if (!target)
        return hearth_set_errno(error, EIO, "cannot read the link %s", local);
    g_variant_dict_insert(&body, "action", "s", "symlink");
    g_variant_dict_insert_value(&body, "target", g_variant_new_bytestring(target));
    if (post(upload, path, &body, &cause) ||
        g_error_matches(cause, HEARTH_ERROR, HEARTH_ERROR_EXISTS))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

static gboolean make_folder(Upload *upload, const char *path, GHashTable *there, GError **error)
{
    g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GError) cause = NULL;
    g_variant_dict_insert(&body, "action", "s", "mkdir");
    if (post(upload, path, &body, &cause))
        return TRUE;
    if (g_error_matches(cause, HEARTH_ERROR, HEARTH_ERROR_EXISTS))
        return hearth_listing_read(upload->client, path, remember_entry, there, error);
    g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

typedef struct {
    char *local;
    char *path;
} Folder;

static void folder_free(gpointer data)
{
    Folder *folder = data;
    g_free(folder->local);
    g_free(folder->path);
    g_free(folder);
}

static void add_folder(GPtrArray *folders, const char *local, const char *path)
{
    Folder *folder = g_new0(Folder, 1);
    folder->local = g_strdup(local);
    folder->path = g_strdup(path);
    g_ptr_array_add(folders, folder);
}

static gboolean take_entry(Upload *upload, const Folder *folder, const char *name,
                           GHashTable *there, GPtrArray *folders, GError **error)
{
    g_autofree char *local = g_build_filename(folder->local, name, NULL);
    g_autofree char *path = hearth_listing_join(folder->path, name);
    struct stat status;
    if (lstat(local, &status) != 0)
        return hearth_set_errno(error, errno, "cannot read %s", local);
    if (S_ISDIR(status.st_mode)) {
        add_folder(folders, local, path);
    } else if (S_ISLNK(status.st_mode)) {
        return make_link(upload, local, path, error);
    } else if (!S_ISREG(status.st_mode)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED,
                    "%s is neither file, folder nor link: left out", local);
        return FALSE;
    } else if (is_unchanged(there, name, &status)) {
        upload->result.unchanged++;
    } else {
        add_file(upload, local, path, &status);
    }
    return TRUE;
}

static gboolean take_folder(Upload *upload, const Folder *folder, GPtrArray *folders,
                            GError **error)
{
    g_autoptr(GHashTable) there = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!make_folder(upload, folder->path, there, error))
        return FALSE;
    DIR *entries = opendir(folder->local);
    if (!entries)
        return hearth_set_errno(error, errno, "cannot read the folder %s", folder->local);
    const struct dirent *entry;
    while (!upload->stop && (entry = readdir(entries))) {
        GError *failure = NULL;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!take_entry(upload, folder, entry->d_name, there, folders, &failure))
            note_failure(upload, failure);
    }
    closedir(entries);
    return TRUE;
}

static void find_items(Upload *upload, const char *local, const char *path)
{
    g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(folder_free);
    add_folder(folders, local, path);
    while (folders->len > 0 && !upload->stop) {
        Folder *folder = g_ptr_array_steal_index(folders, folders->len - 1);
        GError *failure = NULL;
        if (!take_folder(upload, folder, folders, &failure))
            note_failure(upload, failure);
        folder_free(folder);
    }
    upload->progress.files_total = upload->items->len;
}

/* --- Sending ----------------------------------------------------------------------------------- */

static void count_bytes(gsize bytes, gpointer data)
{
    Upload *upload = data;
    g_mutex_lock(&upload->lock);
    upload->progress.bytes_done += bytes;
    HearthProgressState state = upload->progress;
    g_mutex_unlock(&upload->lock);
    hearth_progress_show(upload->bar, &state);
}

static gboolean send_item(Upload *upload, HearthClient *client, const HearthUploadItem *item,
                          GError **error)
{
    g_autofree char *query = g_strdup_printf("?mtime_ns=%" G_GINT64_FORMAT "&mode=%o",
                                             item->mtime_ns, (guint)item->mode);
    g_autofree char *target = hearth_client_tree_target(item->path, query);
    g_autoptr(GError) cause = NULL;
    hearth_autofd int fd = open(item->local, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return hearth_set_errno(error, errno, "cannot read %s", item->local);
    if (hearth_client_upload(client, target, fd, item->size, count_bytes, upload, &cause))
        return TRUE;
    g_propagate_prefixed_error(error, g_steal_pointer(&cause), "%s: ", item->local);
    return FALSE;
}

/* The next large file alone, or the next small ones together; their number. */
static guint take_items(Upload *upload, const HearthUploadItem **ret_items)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&upload->lock);
    gint64 bytes = 0;
    guint count = 0;
    while (!upload->stop && upload->next < upload->items->len && count < TOGETHER_FILES) {
        const HearthUploadItem *item = g_ptr_array_index(upload->items, upload->next);
        gboolean small = item->size <= SMALL_MAX;
        if (count > 0 && (!small || bytes + item->size > TOGETHER_BYTES))
            break;
        ret_items[count++] = item;
        bytes += item->size;
        upload->next++;
        if (!small)
            break;
    }
    return count;
}

static void count_files(Upload *upload, guint64 files, guint64 bytes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&upload->lock);
    upload->result.files += files;
    upload->result.bytes += bytes;
    upload->progress.files_done += files;
}

static void send_alone(Upload *upload, HearthClient *client, const HearthUploadItem *item)
{
    GError *failure = NULL;
    if (send_item(upload, client, item, &failure))
        count_files(upload, 1, (guint64)item->size);
    else
        note_failure(upload, failure);
}

static gboolean note_refused(GVariant *refused, gpointer data, GError **error)
{
    g_autofree char *path = hearth_json_lookup_bytes(refused, "path");
    note_failure(data, g_error_new(HEARTH_ERROR, HEARTH_ERROR_FAILED, "%s: %s", path ? path : "?",
                                   hearth_lookup_text(refused, "detail", "refused")));
    return TRUE;
}

static gboolean send_together(Upload *upload, HearthClient *client,
                              const HearthUploadItem *const *items, guint count, GError **error)
{
    g_autoptr(GVariant) answer = NULL;
    if (!hearth_batch_send(client, items, count, count_bytes, upload, &answer, error))
        return FALSE;
    count_files(upload, hearth_lookup_count(answer, "files"), hearth_lookup_count(answer, "bytes"));
    return hearth_for_each(answer, "failures", note_refused, upload, error);
}

/* If files together fail for the sake of one, each is sent alone: then only that one fails. */
static void send_taken(Upload *upload, HearthClient *client, const HearthUploadItem *const *items,
                       guint count)
{
    g_autoptr(GError) failure = NULL;
    if (count > 1 && send_together(upload, client, items, count, &failure))
        return;
    if (failure && is_fatal(failure)) {
        note_failure(upload, g_steal_pointer(&failure));
        return;
    }
    for (guint i = 0; i < count && !upload->stop; i++)
        send_alone(upload, client, items[i]);
}

static gpointer carry(gpointer data)
{
    Upload *upload = data;
    g_autoptr(HearthClient) client = hearth_client_new(upload->state);
    g_autofree const HearthUploadItem **items = g_new(const HearthUploadItem *, TOGETHER_FILES);
    guint count;
    while ((count = take_items(upload, items)) > 0)
        send_taken(upload, client, items, count);
    return NULL;
}

static void send_items(Upload *upload)
{
    GThread *threads[CONNECTIONS];
    guint count = MIN(CONNECTIONS, upload->items->len);
    for (guint i = 0; i < count; i++)
        threads[i] = g_thread_new("upload", carry, upload);
    for (guint i = 0; i < count; i++)
        g_thread_join(threads[i]);
}

static gboolean conclude(Upload *upload, GError **error)
{
    if (upload->stop) {
        g_propagate_error(error, g_steal_pointer(&upload->stop));
        return FALSE;
    }
    if (upload->failures == 0)
        return TRUE;
    /* One file that was asked for by name has been reported already. */
    if (upload->failures == 1 && upload->items->len <= 1)
        g_set_error(error, HEARTH_COMMAND_ERROR, HEARTH_COMMAND_ERROR_SILENT, "failed");
    else
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_FAILED, "%u could not be brought",
                    upload->failures);
    return FALSE;
}

gboolean hearth_upload(const char *state, const char *local, const char *path,
                       HearthUploadResult *ret_result, GError **error)
{
    Upload upload = {.state = state, .progress = {.rate = -1, .remaining = -1}};
    struct stat status;
    if (stat(local, &status) != 0)
        return hearth_set_errno(error, errno, "cannot read %s", local);
    g_mutex_init(&upload.lock);
    upload.items = g_ptr_array_new_with_free_func(item_free);
    upload.client = hearth_client_new(state);
    if (S_ISDIR(status.st_mode))
        find_items(&upload, local, path);
    else
        add_file(&upload, local, path, &status);
    upload.bar = hearth_progress_new("put");
    send_items(&upload);
    hearth_progress_free(upload.bar);
    gboolean done = conclude(&upload, error);
    *ret_result = upload.result;
    hearth_client_free(upload.client);
    g_ptr_array_unref(upload.items);
    g_mutex_clear(&upload.lock);
    return done;
}
