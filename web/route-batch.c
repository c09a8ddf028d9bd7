#include "web/frames.h"
#include "web/reply-private.h"
#include "web/route-private.h"

#include "gateway/base/error.h"

/*
 * POST /files: many small files in one request (frames.h).
 *
 * A file is durable when its bytes and its record have been flushed, which costs the same for one
 * file as for many. So the files of a request are made durable in groups; what one PUT for each
 * would flush a hundred times is flushed once. The answer says which files could not be stored, and
 * why; the others are stored, durably, when it comes. A request that breaks off has stored some
 * groups, each file whole.
 */

/* A group is stored when it holds so many files, which are open descriptors, or bytes. */
#define GROUP_FILES 100
#define GROUP_BYTES (32 * 1024 * 1024)

typedef struct {
    char *path;
    gint64 mtime_ns;
    mode_t mode;
    HearthStagedContent *staged; /* NULL: no bytes */
} Member;

typedef struct {
    const HearthWebOptions *options; /* borrowed */
    HearthFrames *frames;
    HearthContentWriter *writer; /* of the file that is coming; nullable */
    Member *coming;              /* nullable */
    GPtrArray *group;            /* Member */
    gint64 group_bytes;
    GVariantBuilder failures;
    guint64 files, bytes; /* stored */
} Batch;

static void member_free(gpointer data)
{
    Member *member = data;
    if (!member)
        return;
    hearth_staged_content_free(member->staged);
    g_free(member->path);
    g_free(member);
}

/* --- Storing a group --------------------------------------------------------------------------- */

static void note_failure(Batch *batch, const Member *member, const GError *failure)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autofree char *detail = g_utf8_make_valid(failure->message, -1);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(member->path));
    g_variant_dict_insert(&dict, "code", "s", hearth_error_word(failure));
    g_variant_dict_insert(&dict, "detail", "s", detail);
    g_variant_builder_add_value(&batch->failures, g_variant_dict_end(&dict));
}

static gboolean replace(Batch *batch, const Member *member, GError **error)
{
    const HearthWebOptions *options = batch->options;
    HearthObject object;
    if (!hearth_store_walk(options->store, member->path, &object, error))
        return FALSE;
    if (object.kind != HEARTH_KIND_FILE) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IS_DIRECTORY, "%s is not a file",
                    member->path);
        return FALSE;
    }
    return hearth_store_commit_content(options->store, object.ino, member->staged, member->mtime_ns,
                                       0, options->origin, &object, error);
}

static gboolean store_member(Batch *batch, const Member *member, GError **error)
{
    HearthNewFile file = {.path = member->path,
                          .staged = member->staged,
                          .mtime_ns = member->mtime_ns,
                          .mode = member->mode};
    HearthObject object;
    g_autoptr(GError) cause = NULL;
    if (hearth_store_add_file(batch->options->store, &file, batch->options->origin, &object,
                              &cause))
        return TRUE;
    if (g_error_matches(cause, HEARTH_ERROR, HEARTH_ERROR_EXISTS))
        return replace(batch, member, error);
    g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

static gboolean publish_group(Batch *batch, GError **error)
{
    g_autoptr(GPtrArray) staged = g_ptr_array_new();
    for (guint i = 0; i < batch->group->len; i++) {
        const Member *member = g_ptr_array_index(batch->group, i);
        if (member->staged)
            g_ptr_array_add(staged, member->staged);
    }
    return staged->len == 0 ||
           hearth_contents_publish(hearth_store_contents(batch->options->store),
                                   (HearthStagedContent *const *)staged->pdata, staged->len, error);
}

static gboolean store_group(Batch *batch, GError **error)
{
    if (!publish_group(batch, error))
        return FALSE;
    for (guint i = 0; i < batch->group->len; i++) {
        const Member *member = g_ptr_array_index(batch->group, i);
        g_autoptr(GError) failure = NULL;
        if (!store_member(batch, member, &failure)) {
            note_failure(batch, member, failure);
            continue;
        }
        batch->files++;
        batch->bytes += member->staged ? (guint64)hearth_staged_content_size(member->staged) : 0;
    }
    g_ptr_array_set_size(batch->group, 0);
    batch->group_bytes = 0;
    return TRUE;
}

/* --- Taking files in --------------------------------------------------------------------------- */

static gboolean begin_member(const HearthFrame *frame, gpointer data, GError **error)
{
    Batch *batch = data;
    batch->coming = g_new0(Member, 1);
    batch->coming->path = g_strdup(frame->path);
    batch->coming->mtime_ns = frame->mtime_ns;
    batch->coming->mode = frame->mode;
    if (frame->size == 0)
        return TRUE;
    batch->writer =
        hearth_content_writer_new(hearth_store_contents(batch->options->store), frame->size, error);
    return batch->writer != NULL;
}

static gboolean write_member(const void *bytes, gsize size, gpointer data, GError **error)
{
    Batch *batch = data;
    return hearth_content_writer_write(batch->writer, bytes, size, error);
}

static gboolean end_member(gpointer data, GError **error)
{
    Batch *batch = data;
    if (batch->writer) {
        batch->coming->staged = hearth_content_writer_finish(batch->writer, error);
        if (!batch->coming->staged)
            return FALSE;
        batch->group_bytes += hearth_staged_content_size(batch->coming->staged);
        g_clear_pointer(&batch->writer, hearth_content_writer_free);
    }
    g_ptr_array_add(batch->group, g_steal_pointer(&batch->coming));
    if (batch->group->len < GROUP_FILES && batch->group_bytes < GROUP_BYTES)
        return TRUE;
    return store_group(batch, error);
}

static const HearthFramesFuncs FUNCS = {begin_member, write_member, end_member};

/* --- The request ------------------------------------------------------------------------------- */

static gboolean batch_begin(HearthRequest *request, GError **error)
{
    Batch *batch = request->upload_data = g_new0(Batch, 1);
    batch->options = request->options;
    batch->frames = hearth_frames_new(&FUNCS, batch);
    batch->group = g_ptr_array_new_with_free_func(member_free);
    g_variant_builder_init(&batch->failures, G_VARIANT_TYPE("aa{sv}"));
    return TRUE;
}

static gboolean batch_write(HearthRequest *request, const void *bytes, gsize size, GError **error)
{
    Batch *batch = request->upload_data;
    return hearth_frames_push(batch->frames, bytes, size, error);
}

static void batch_end(HearthRequest *request)
{
    Batch *batch = request->upload_data;
    if (!batch)
        return;
    hearth_frames_free(batch->frames);
    hearth_content_writer_free(batch->writer);
    member_free(batch->coming);
    g_ptr_array_unref(batch->group);
    g_variant_builder_clear(&batch->failures);
    g_free(batch);
    request->upload_data = NULL;
}

static gboolean post_files(HearthRequest *request, HearthReply *reply, GError **error)
{
    Batch *batch = request->upload_data;
    if (!hearth_frames_finish(batch->frames, error) || !store_group(batch, error) ||
        !hearth_request_sync(request, error))
        return FALSE;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "files", "t", batch->files);
    g_variant_dict_insert(&dict, "bytes", "t", batch->bytes);
    g_variant_dict_insert_value(&dict, "failures", g_variant_builder_end(&batch->failures));
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

static const HearthUpload UPLOAD = {batch_begin, batch_write, batch_end};

const HearthRoute HEARTH_ROUTES_BATCH[] = {
    {"POST", "/api/v1/files", post_files, &UPLOAD},
    {NULL},
};
