#include "gateway/import-private.h"

#include "gateway/base/error.h"
#include "gateway/crash-point.h"

/*
 * Deleting from a card. Nothing is deleted on a memory of having stored it: for each file, now, the
 * ledger must name it, the object that it became must be in the tree and still have that content,
 * and every byte of the content must come back from the disk, past the page cache, and match. A
 * group goes as a whole or stays as a whole.
 */

static gboolean prove(HearthImportRun *run, const HearthListedObject *listed, GError **error)
{
    const HearthImport *import = run->import;
    HearthLedgerEntry key = hearth_import_ledger_key(import, &listed->object);
    HearthLedgerEntry entry = {0};
    HearthObject object;
    g_autoptr(GError) reason = NULL;
    if (!hearth_store_ledger_has(import->store, &key, &entry, &reason)) {
        if (reason)
            g_propagate_error(error, g_steal_pointer(&reason));
        else
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "it was not imported");
        return FALSE;
    }
    if (!hearth_store_get(import->store, entry.ino, &object, error))
        return FALSE;
    gint64 stated = hearth_import_size(&listed->object);
    if (object.parent == 0 || !hearth_content_id_equal(&object.content, &entry.content) ||
        (stated != HEARTH_SIZE_UNKNOWN && stated != object.size)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT, "%s",
                    object.parent == 0 ? "its copy here is in the trash"
                                       : "its copy here was changed since");
        return FALSE;
    }
    return object.size == 0 ||
           hearth_contents_verify(hearth_store_contents(import->store), &entry.content,
                                  run->cancellable, NULL, error);
}

static gboolean prove_group(HearthImportRun *run, const GPtrArray *objects, const GArray *members)
{
    for (guint i = 0; i < members->len; i++) {
        const HearthListedObject *listed =
            g_ptr_array_index(objects, g_array_index(members, guint, i));
        g_autoptr(GError) error = NULL;
        if (prove(run, listed, &error))
            continue;
        g_autofree char *why = g_strdup_printf("left on the device: %s", error->message);
        hearth_job_count(run->import->job, HEARTH_JOB_SKIPPED, listed->object.path, why);
        return FALSE;
    }
    return TRUE;
}

static gboolean remove_one(HearthImportRun *run, const HearthListedObject *listed, GError **error)
{
    const HearthImport *import = run->import;
    HearthLedgerEntry key = hearth_import_ledger_key(import, &listed->object);
    g_autoptr(GError) reason = NULL;
    hearth_crash_point("import-proven");
    if (!hearth_shadow_remove(import->shadow, &listed->object, run->cancellable, &reason)) {
        if (hearth_import_is_fatal(reason) || g_cancellable_is_cancelled(run->cancellable)) {
            g_propagate_error(error, g_steal_pointer(&reason));
            return FALSE;
        }
        hearth_job_count(import->job, HEARTH_JOB_BROKEN, listed->object.path, reason->message);
        return TRUE;
    }
    hearth_crash_point("import-removed");
    hearth_job_count(import->job, HEARTH_JOB_REMOVED, NULL, NULL);
    return hearth_store_ledger_mark_removed(import->store, &key, error);
}

static gboolean remove_group(HearthImportRun *run, const GPtrArray *objects, const GArray *members,
                             GError **error)
{
    if (members->len == 0 || !prove_group(run, objects, members))
        return !g_cancellable_set_error_if_cancelled(run->cancellable, error);
    for (guint i = 0; i < members->len; i++)
        if (!remove_one(run, g_ptr_array_index(objects, g_array_index(members, guint, i)), error))
            return FALSE;
    return TRUE;
}

static gboolean remove_folder(HearthImportRun *run, GPtrArray *objects, const HearthPlan *plan,
                              gpointer data, GError **error)
{
    g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (guint i = 0; i < plan->groups; i++)
        g_ptr_array_add(groups, g_array_new(FALSE, FALSE, sizeof(guint)));
    for (guint i = 0; i < plan->count; i++)
        if (plan->items[i].take)
            g_array_append_val((GArray *)g_ptr_array_index(groups, plan->items[i].group), i);
    for (guint i = 0; i < groups->len; i++)
        if (!remove_group(run, objects, g_ptr_array_index(groups, i), error))
            return FALSE;
    return TRUE;
}

gboolean hearth_import_remove_stored(HearthImportRun *run, HearthImportListing *listing,
                                     GError **error)
{
    guint copies = hearth_config_copies(run->import->config);
    if (copies > 1) {
        g_autofree char *why = g_strdup_printf(
            "nothing was deleted from the device: %u copies are asked for and this is the only "
            "node that holds one",
            copies);
        hearth_job_set_message(run->import->job, why, FALSE);
        return TRUE;
    }
    return hearth_store_sync(run->import->store, error) &&
           hearth_import_each_folder(run, listing, TRUE, remove_folder, NULL, error);
}
