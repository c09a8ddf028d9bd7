#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/listing.h"
#include "gateway/command/output.h"
#include "gateway/command/progress.h"
#include "gateway/command/upload.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "web/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files in and out of the tree: get and put. */

/* --- get --------------------------------------------------------------------------------------- */

typedef struct {
    HearthClient *client;
    HearthProgress *bar;
    HearthProgressState state;
    const char *from; /* the folder in the tree */
    const char *to;   /* the folder here */
} Get;

static void count_bytes(gsize bytes, gpointer data)
{
    Get *get = data;
    get->state.bytes_done += bytes;
    hearth_progress_show(get->bar, &get->state);
}

static void set_times(int fd, GVariant *entry)
{
    gint64 ns;
    if (!hearth_format_parse_moment(hearth_lookup_text(entry, "mtime", ""), &ns))
        return;
    gint64 rest = ns % G_GINT64_CONSTANT(1000000000);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = ns / 1000000000, .tv_nsec = rest}};
    if (rest < 0) {
        times[1].tv_sec--;
        times[1].tv_nsec += 1000000000;
    }
    futimens(fd, times);
}

/* Under another name first: the name that was asked for is never half a file. */
static gboolean get_file(Get *get, GVariant *entry, const char *path, const char *local,
                         GError **error)
{
    g_autofree char *target = hearth_client_tree_target(path, NULL);
    g_autofree char *temporary = g_strconcat(local, ".XXXXXX", NULL);
    guint64 mode = g_ascii_strtoull(hearth_lookup_text(entry, "mode", "0644"), NULL, 8);
    hearth_autofd int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return hearth_set_errno(error, errno, "cannot create a file beside %s", local);
    gboolean done = hearth_client_download(get->client, target, fd, count_bytes, get, error);
    if (done) {
        fchmod(fd, (mode_t)mode & 0777);
        set_times(fd, entry);
    }
    if (done && rename(temporary, local) != 0)
        done = hearth_set_errno(error, errno, "cannot write %s", local);
    if (!done)
        unlink(temporary);
    get->state.files_done++;
    return done;
}

static gboolean get_symlink(GVariant *entry, const char *local, GError **error)
{
    g_autofree char *target = hearth_json_lookup_bytes(entry, "target");
    if (target && symlink(target, local) == 0)
        return TRUE;
    return hearth_set_errno(error, target ? errno : EINVAL, "cannot make the link %s", local);
}

static gboolean get_folder(const char *local, GError **error)
{
    if (mkdir(local, 0777) == 0 || errno == EEXIST)
        return TRUE;
    return hearth_set_errno(error, errno, "cannot make the folder %s", local);
}

static gboolean get_entry(GVariant *entry, const char *path, gpointer data, GError **error)
{
    Get *get = data;
    const char *below = path + strlen(get->from) + (g_str_has_suffix(get->from, "/") ? 0 : 1);
    g_autofree char *local = g_build_filename(get->to, below, NULL);
    if (hearth_listing_is(entry, "folder"))
        return get_folder(local, error);
    if (hearth_listing_is(entry, "file"))
        return get_file(get, entry, path, local, error);
    g_autofree char *target = hearth_client_tree_target(path, "?stat=1");
    g_autoptr(GVariant) full = hearth_client_get(get->client, target, error);
    return full && get_symlink(full, local, error);
}

static gboolean get_tree(Get *get, const char *path, const char *local, GError **error)
{
    get->from = path;
    get->to = local;
    return get_folder(local, error) &&
           hearth_listing_walk(get->client, path, get_entry, get, error);
}

static gboolean run_get(HearthCall *call, GError **error)
{
    const char *word = hearth_call_word(call, 1);
    g_autofree char *path = hearth_call_path(hearth_call_word(call, 0));
    g_autofree char *target = hearth_client_tree_target(path, "?stat=1");
    g_autoptr(HearthProgress) bar = hearth_progress_new("get");
    Get get = {.client = hearth_call_client(call), .bar = bar, .state = {.rate = -1}};
    g_autoptr(GVariant) entry = hearth_client_get(get.client, target, error);
    if (!entry)
        return FALSE;
    const char *name = strrchr(path, '/') + 1;
    gboolean into = g_file_test(word, G_FILE_TEST_IS_DIR);
    g_autofree char *local = into && *name ? g_build_filename(word, name, NULL) : g_strdup(word);
    if (hearth_listing_is(entry, "folder")) {
        if (!hearth_call_flag(call, "recursive"))
            return hearth_call_usage(error, "%s is a folder: get it with -r", path);
        return get_tree(&get, path, local, error);
    }
    if (hearth_listing_is(entry, "symlink"))
        return get_symlink(entry, local, error);
    get.state.files_total = 1;
    get.state.bytes_total = hearth_lookup_count(entry, "size");
    get.state.remaining = -1;
    return get_file(&get, entry, path, local, error);
}

/* --- put --------------------------------------------------------------------------------------- */

/* Into a folder that is there, under the local name; else to the name itself. */
static char *put_destination(HearthCall *call, const char *local, GError **error)
{
    const char *word = hearth_call_word(call, 1);
    g_autofree char *path = hearth_call_path(word);
    g_autofree char *name = g_path_get_basename(local);
    g_autoptr(GError) cause = NULL;
    g_autoptr(GVariant) there = hearth_listing_stat(hearth_call_client(call), path, &cause);
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return NULL;
    }
    if ((there && hearth_listing_is(there, "folder")) || g_str_has_suffix(word, "/"))
        return hearth_listing_join(path, name);
    return g_steal_pointer(&path);
}

static gboolean run_put(HearthCall *call, GError **error)
{
    g_autofree char *local = g_canonicalize_filename(hearth_call_word(call, 0), NULL);
    struct stat status;
    if (stat(local, &status) != 0)
        return hearth_set_errno(error, errno, "cannot read %s", local);
    if (S_ISDIR(status.st_mode) && !hearth_call_flag(call, "recursive"))
        return hearth_call_usage(error, "%s is a folder: put it with -r", local);
    g_autofree char *path = put_destination(call, local, error);
    HearthUploadResult result = {0};
    if (!path || !hearth_upload(hearth_call_state(call), local, path, &result, error))
        return FALSE;
    if (!hearth_call_json(call))
        return TRUE;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(path));
    g_variant_dict_insert(&dict, "files", "t", result.files);
    g_variant_dict_insert(&dict, "bytes", "t", result.bytes);
    g_variant_dict_insert(&dict, "unchanged", "t", result.unchanged);
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_dict_end(&dict));
    hearth_output_json(value);
    return TRUE;
}

static const HearthCallOption TRANSFER_OPTIONS[] = {
    {"recursive", 'r', NULL, "a folder with all below it"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_TRANSFER[] = {
    {"get", "PATH FILE", "Copy a file out of the tree", 2, 2, TRANSFER_OPTIONS, run_get},
    {"put", "FILE PATH", "Copy a file into the tree", 2, 2, TRANSFER_OPTIONS, run_put},
    {NULL},
};
