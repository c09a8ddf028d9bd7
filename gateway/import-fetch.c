#include "gateway/import-private.h"

#include "gateway/base/error.h"

/* What PTP says of an object it cannot count: 32 bits, all set. */
#define SIZE_SATURATED G_GINT64_CONSTANT(0xFFFFFFFF)
#define FETCH_ATTEMPTS 2

typedef struct {
    HearthContentWriter *writer;
    HearthJob *job;
    gboolean store_failed; /* our disk, not the device */
} Sink;

gint64 hearth_import_size(const HearthDeviceObject *object)
{
    return object->size < 0 || object->size == SIZE_SATURATED ? HEARTH_SIZE_UNKNOWN : object->size;
}

static gboolean take_data(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    Sink *sink = user_data;
    if (!hearth_content_writer_write(sink->writer, data, size, error)) {
        sink->store_failed = TRUE;
        return FALSE;
    }
    hearth_job_add_bytes(sink->job, size);
    return TRUE;
}

static gboolean check_size(const HearthDeviceObject *object, gint64 got, GError **error)
{
    gint64 stated = hearth_import_size(object);
    if (stated == HEARTH_SIZE_UNKNOWN || stated == got)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                "%s: the device gave %" G_GINT64_FORMAT " bytes and says it has %" G_GINT64_FORMAT,
                object->path, got, stated);
    return FALSE;
}

static HearthStagedContent *fetch_once(HearthImportRun *run, const HearthDeviceObject *object,
                                       gboolean *ret_fatal, GError **error)
{
    const HearthImport *import = run->import;
    g_autoptr(HearthContentWriter) writer = hearth_content_writer_new(
        hearth_store_contents(import->store), hearth_import_size(object), error);
    if (!writer) {
        *ret_fatal = TRUE;
        return NULL;
    }
    Sink sink = {.writer = writer, .job = import->job};
    if (!hearth_shadow_fetch(import->shadow, object, 0, take_data, &sink, run->cancellable,
                             error)) {
        *ret_fatal = sink.store_failed;
        return NULL;
    }
    if (!check_size(object, hearth_content_writer_size(writer), error))
        return NULL;
    HearthStagedContent *staged = hearth_content_writer_finish(writer, error);
    *ret_fatal = staged == NULL;
    return staged;
}

HearthStagedContent *hearth_import_fetch(HearthImportRun *run, const HearthDeviceObject *object,
                                         gboolean *ret_fatal, GError **error)
{
    g_autoptr(GError) first = NULL;
    for (guint attempt = 1; attempt <= FETCH_ATTEMPTS; attempt++) {
        g_clear_error(&first);
        HearthStagedContent *staged = fetch_once(run, object, ret_fatal, &first);
        if (staged)
            return staged;
        /* Sizes that do not agree may be a bad moment of the cable; anything else was tried by the
         * shadow as often as makes sense. */
        if (*ret_fatal || !g_error_matches(first, HEARTH_ERROR, HEARTH_ERROR_CORRUPT))
            break;
    }
    g_propagate_error(error, g_steal_pointer(&first));
    return NULL;
}

/* --- Members and groups ------------------------------------------------------------------------ */

void hearth_import_member_free(HearthImportMember *member)
{
    hearth_device_object_clear(&member->object);
    hearth_staged_content_free(member->staged);
    g_clear_pointer(&member->attributes, g_variant_unref);
    g_free(member);
}

HearthImportGroup *hearth_import_group_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)hearth_import_member_free);
}

gboolean hearth_import_is_fatal(const GError *error)
{
    return hearth_error_to_errno(error) == ECANCELED ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_GONE);
}

HearthLedgerEntry hearth_import_ledger_key(const HearthImport *import,
                                           const HearthDeviceObject *object)
{
    HearthLedgerEntry key = {
        .source = import->device,
        .path = object->path,
        .size = object->size,
        .mtime = object->mtime,
    };
    return key;
}
