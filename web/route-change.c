#include "web/entry-private.h"
#include "web/file-private.h"
#include "web/json.h"
#include "web/route-private.h"

#include "gateway/base/error.h"

#include <string.h>
#include <unistd.h>

/* Changing the tree: upload, make, move, remove, bring back. */

#define FILE_MODE 0644
#define FOLDER_MODE 0755

/* --- Finding what a change is about --- */

/* The folder that holds the last name of `path`, which is not the root. `ret_name` borrows. */
static gboolean walk_parent(HearthStore *store, const char *path, HearthObject *ret_parent,
                            const char **ret_name, GError **error)
{
    const char *name = hearth_entry_name(path);
    if (!*name) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the root cannot be changed");
        return FALSE;
    }
    g_autofree char *folder = name - path > 1 ? g_strndup(path, (gsize)(name - path - 1)) : NULL;
    *ret_name = name;
    if (!hearth_store_walk(store, folder ? folder : "/", ret_parent, error))
        return FALSE;
    if (ret_parent->kind == HEARTH_KIND_FOLDER)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_DIRECTORY, "%s is not a folder", folder);
    return FALSE;
}

/* FALSE without `error` when the path is free. */
static gboolean walk_existing(HearthStore *store, const char *path, HearthObject *ret_object,
                              GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (hearth_store_walk(store, path, ret_object, &cause))
        return TRUE;
    if (!g_error_matches(cause, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

static gboolean refuse_precondition(GError **error, const char *why)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT, "%s", why);
    return FALSE;
}

/* `object` is NULL when nothing stands there. */
static gboolean check_preconditions(HearthRequest *request, const HearthObject *object,
                                    GError **error)
{
    const char *match = hearth_request_header(request, MHD_HTTP_HEADER_IF_MATCH);
    const char *none = hearth_request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    g_autofree char *etag = object ? hearth_entry_etag(object) : NULL;
    if (match && (!etag || !hearth_file_etag_listed(match, etag)))
        return refuse_precondition(error, "the file is not the one that If-Match names");
    if (none && etag && hearth_file_etag_listed(none, etag))
        return refuse_precondition(error,
                                   "the file is there already, and If-None-Match forbids it");
    return TRUE;
}

static gboolean reply_entry(HearthRequest *request, guint status, const HearthObject *object,
                            const char *path, HearthReply *reply, GError **error)
{
    if (!hearth_request_sync(request, error))
        return FALSE;
    hearth_reply_json(reply, status, hearth_entry_new(object, hearth_entry_name(path), path));
    if (object->kind == HEARTH_KIND_FILE) {
        g_autofree char *etag = hearth_entry_etag(object);
        hearth_reply_header(reply, MHD_HTTP_HEADER_ETAG, etag);
    }
    return TRUE;
}

/* --- PUT: one file of any size --- */

typedef struct {
    char *path;
    gint64 mtime_ns;
    mode_t mode;
    gboolean has_mode;
    HearthContentWriter *writer;
} Put;

static void put_end(HearthRequest *request)
{
    Put *put = request->upload_data;
    if (!put)
        return;
    g_free(put->path);
    hearth_content_writer_free(put->writer);
    g_free(put);
    request->upload_data = NULL;
}

static gboolean put_read_query(HearthRequest *request, Put *put, GError **error)
{
    const char *mode = hearth_request_query(request, "mode");
    const char *mtime = hearth_request_query(request, "mtime_ns");
    guint64 bits = FILE_MODE;
    put->mtime_ns = g_get_real_time() * 1000;
    if (mtime &&
        !g_ascii_string_to_signed(mtime, 10, G_MININT64, G_MAXINT64, &put->mtime_ns, NULL)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "mtime_ns must be a whole number of nanoseconds since 1970");
        return FALSE;
    }
    if (mode && !g_ascii_string_to_unsigned(mode, 8, 0, 07777, &bits, NULL)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "mode must be octal, as 644");
        return FALSE;
    }
    put->mode = (mode_t)bits;
    put->has_mode = mode != NULL;
    return TRUE;
}

static gboolean put_check_place(HearthRequest *request, const Put *put, GError **error)
{
    HearthStore *store = request->options->store;
    g_autoptr(GError) cause = NULL;
    HearthObject object, parent;
    const char *name;
    gboolean exists = walk_existing(store, put->path, &object, &cause);
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    if (exists && object.kind != HEARTH_KIND_FILE) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IS_DIRECTORY, "%s is not a file", put->path);
        return FALSE;
    }
    return check_preconditions(request, exists ? &object : NULL, error) &&
           (hearth_request_flag(request, "parents") ||
            walk_parent(store, put->path, &parent, &name, error));
}

/* The length that was announced; -1 for none. */
static gint64 announced_length(const HearthRequest *request)
{
    const char *text = hearth_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    gint64 length = -1;
    if (text)
        g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &length, NULL);
    return length;
}

static gboolean put_begin(HearthRequest *request, GError **error)
{
    if (hearth_request_header(request, MHD_HTTP_HEADER_CONTENT_RANGE)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "a part of a file cannot be uploaded: send it whole");
        return FALSE;
    }
    Put *put = request->upload_data = g_new0(Put, 1);
    put->path = hearth_request_tree_path(request);
    if (!put_read_query(request, put, error) || !put_check_place(request, put, error))
        return FALSE;
    put->writer = hearth_content_writer_new(hearth_store_contents(request->options->store),
                                            announced_length(request), error);
    return put->writer != NULL;
}

static gboolean put_write(HearthRequest *request, const void *data, gsize size, GError **error)
{
    const Put *put = request->upload_data;
    return hearth_content_writer_write(put->writer, data, size, error);
}

/* What If-Match was compared with must be what is replaced. */
static gboolean put_commit_bytes(HearthRequest *request, const Put *put,
                                 HearthStagedContent *staged, HearthObject *object, GError **error)
{
    const HearthWebOptions *options = request->options;
    const HearthContentId expected = object->content;
    if (!hearth_request_header(request, MHD_HTTP_HEADER_IF_MATCH))
        return hearth_store_commit_content(options->store, object->ino, staged, put->mtime_ns, 0,
                                           options->origin, object, error);
    return hearth_store_replace_content(options->store, object->ino, &expected, staged,
                                        put->mtime_ns, options->origin, object, error);
}

static gboolean put_replace(HearthRequest *request, const Put *put, HearthStagedContent *staged,
                            HearthObject *object, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!check_preconditions(request, object, error) ||
        !put_commit_bytes(request, put, staged, object, error))
        return FALSE;
    HearthObject values = {.mode = put->mode};
    return !put->has_mode || hearth_store_set(options->store, object->ino, HEARTH_SET_MODE, &values,
                                              options->origin, object, error);
}

static gboolean put_add(HearthRequest *request, const Put *put, HearthStagedContent *staged,
                        HearthObject *ret_object, GError **error)
{
    const HearthWebOptions *options = request->options;
    HearthNewFile file = {
        .path = put->path, .staged = staged, .mtime_ns = put->mtime_ns, .mode = put->mode};
    if (staged &&
        !hearth_contents_publish(hearth_store_contents(options->store), &staged, 1, error))
        return FALSE;
    return hearth_store_add_file(options->store, &file, options->origin, ret_object, error);
}

/* Adds the file, or makes a new version of the one that is there, also when it came meanwhile. */
static gboolean put_commit(HearthRequest *request, const Put *put, HearthStagedContent *staged,
                           HearthObject *ret_object, guint *ret_status, GError **error)
{
    HearthStore *store = request->options->store;
    g_autoptr(GError) cause = NULL;
    *ret_status = MHD_HTTP_CREATED;
    if (!walk_existing(store, put->path, ret_object, &cause)) {
        if (!cause && check_preconditions(request, NULL, &cause) &&
            put_add(request, put, staged, ret_object, &cause))
            return TRUE;
        if (!g_error_matches(cause, HEARTH_ERROR, HEARTH_ERROR_EXISTS) ||
            !hearth_store_walk(store, put->path, ret_object, NULL)) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return FALSE;
        }
    }
    *ret_status = MHD_HTTP_OK;
    return put_replace(request, put, staged, ret_object, error);
}

static gboolean put_tree(HearthRequest *request, HearthReply *reply, GError **error)
{
    const Put *put = request->upload_data;
    g_autoptr(HearthStagedContent) staged = NULL;
    HearthObject object;
    guint status;
    if (hearth_content_writer_size(put->writer) > 0) {
        staged = hearth_content_writer_finish(put->writer, error);
        if (!staged)
            return FALSE;
    }
    return put_commit(request, put, staged, &object, &status, error) &&
           reply_entry(request, status, &object, put->path, reply, error);
}

static const HearthUpload PUT_UPLOAD = {put_begin, put_write, put_end};

/* --- POST: mkdir, symlink, move, restore --- */

static gboolean flag(GVariant *body, const char *key)
{
    gboolean value = FALSE;
    g_variant_lookup(body, key, "b", &value);
    return value;
}

static gboolean make_folder(HearthRequest *request, const char *path, GVariant *body,
                            HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    HearthNewObject folder = {
        .kind = HEARTH_KIND_FOLDER, .mode = FOLDER_MODE, .uid = geteuid(), .gid = getegid()};
    HearthObject object, parent;
    const char *name;
    gboolean done =
        flag(body, "parents")
            ? hearth_store_make_folders(options->store, path, options->origin, &object, error)
            : walk_parent(options->store, path, &parent, &name, error) &&
                  hearth_store_create(options->store, parent.ino, name, &folder, options->origin,
                                      &object, error);
    return done && reply_entry(request, MHD_HTTP_CREATED, &object, path, reply, error);
}

static gboolean make_symlink(HearthRequest *request, const char *path, GVariant *body,
                             HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    g_autofree char *target = hearth_json_lookup_bytes(body, "target");
    HearthNewObject link = {.kind = HEARTH_KIND_SYMLINK,
                            .mode = 0777,
                            .uid = geteuid(),
                            .gid = getegid(),
                            .target = target};
    HearthObject object, parent;
    const char *name;
    if (!target || !*target) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "\"target\" must say where it leads");
        return FALSE;
    }
    return walk_parent(options->store, path, &parent, &name, error) &&
           hearth_store_create(options->store, parent.ino, name, &link, options->origin, &object,
                               error) &&
           reply_entry(request, MHD_HTTP_CREATED, &object, path, reply, error);
}

static gboolean move(HearthRequest *request, const char *path, GVariant *body, HearthReply *reply,
                     GError **error)
{
    const HearthWebOptions *options = request->options;
    HearthRename how = flag(body, "replace") ? HEARTH_RENAME_REPLACE : HEARTH_RENAME_NO_REPLACE;
    g_autofree char *to = hearth_json_lookup_bytes(body, "to");
    HearthObject from_parent, to_parent, object;
    const char *from_name, *to_name;
    if (!to || *to != '/') {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "\"to\" must be a path from the root");
        return FALSE;
    }
    if (!walk_parent(options->store, path, &from_parent, &from_name, error) ||
        !walk_parent(options->store, to, &to_parent, &to_name, error) ||
        !hearth_store_rename(options->store, from_parent.ino, from_name, to_parent.ino, to_name,
                             how, options->origin, error) ||
        !hearth_store_lookup(options->store, to_parent.ino, to_name, &object, error))
        return FALSE;
    return reply_entry(request, MHD_HTTP_OK, &object, to, reply, error);
}

static gboolean restore(HearthRequest *request, const char *path, GVariant *body,
                        HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    HearthObject object;
    gint64 version = 0;
    if (!g_variant_lookup(body, "version", "x", &version) || version < 1) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "\"version\" must be a number from the history");
        return FALSE;
    }
    return hearth_store_walk(options->store, path, &object, error) &&
           hearth_store_restore(options->store, object.ino, (guint64)version, options->origin,
                                &object, error) &&
           reply_entry(request, MHD_HTTP_OK, &object, path, reply, error);
}

typedef struct {
    const char *word;
    gboolean (*run)(HearthRequest *request, const char *path, GVariant *body, HearthReply *reply,
                    GError **error);
} Action;

static const Action ACTIONS[] = {
    {"mkdir", make_folder}, {"symlink", make_symlink}, {"move", move}, {"restore", restore}};

static gboolean post_tree(HearthRequest *request, HearthReply *reply, GError **error)
{
    g_autofree char *path = hearth_request_tree_path(request);
    g_autoptr(GVariant) body = hearth_request_json(request, error);
    const char *word = "";
    if (!body)
        return FALSE;
    g_variant_lookup(body, "action", "&s", &word);
    for (gsize i = 0; i < G_N_ELEMENTS(ACTIONS); i++)
        if (strcmp(ACTIONS[i].word, word) == 0)
            return ACTIONS[i].run(request, path, body, reply, error);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "\"action\" must be mkdir, symlink, move or restore");
    return FALSE;
}

/* --- DELETE --- */

static gboolean delete_tree(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    g_autofree char *path = hearth_request_tree_path(request);
    HearthObject parent, object;
    const char *name;
    if (!walk_parent(options->store, path, &parent, &name, error) ||
        !hearth_store_lookup(options->store, parent.ino, name, &object, error) ||
        !check_preconditions(request, &object, error))
        return FALSE;
    gboolean whole = object.kind == HEARTH_KIND_FOLDER && hearth_request_flag(request, "recursive");
    gboolean done =
        whole ? hearth_store_remove_tree(options->store, object.ino, options->origin, error)
              : hearth_store_remove(options->store, parent.ino, name, 0, options->origin, &object,
                                    error);
    return done && hearth_request_sync(request, error) &&
           hearth_reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

const HearthRoute HEARTH_ROUTES_CHANGE[] = {
    {"PUT", "/api/v1/tree/**", put_tree, &PUT_UPLOAD},
    {"POST", "/api/v1/tree/**", post_tree, NULL},
    {"DELETE", "/api/v1/tree/**", delete_tree, NULL},
    {NULL},
};
