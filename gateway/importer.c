#include "gateway/importer.h"

#include "gateway/base/error.h"
#include "gateway/crash-point.h"
#include "gateway/import-private.h"

#include <fnmatch.h>
#include <string.h>

/* Objects of one folder that are planned at once. Cameras begin a new folder long before. */
#define PLAN_MOST 65536
/* Objects that the device's process is told of ahead; more are told when these are through. */
#define EXPECT_AHEAD 256
/* Files in a row that the driver failed on before it is given up: it is not the files. */
#define MAX_BAD_IN_A_ROW 3

/* --- Listing ----------------------------------------------------------------------------------- */

typedef struct {
    HearthImportRun *run;
    HearthImportListing *listing;
    HearthImportRefusedFunc refused;
    gpointer data;
    GError *error; /* (nullable): why the listing was stopped */
} Lister;

static gboolean path_is_wanted(const char *const *paths, const char *path)
{
    if (!paths)
        return TRUE;
    for (; *paths; paths++) {
        gsize length = strlen(*paths);
        while (length > 1 && (*paths)[length - 1] == '/')
            length--;
        gboolean below = strncmp(path, *paths, length) == 0 &&
                         (path[length] == '\0' || path[length] == '/' || length == 1);
        if (below || fnmatch(*paths, path, 0) == 0)
            return TRUE;
    }
    return FALSE;
}

/* FALSE with `error` set, or with `ret_ino` what the object became (0: nothing yet). */
static gboolean look_up_ledger(const HearthImport *import, const HearthDeviceObject *object,
                               gint64 *ret_ino, GError **error)
{
    g_autoptr(GError) reason = NULL;
    HearthLedgerEntry key = hearth_import_ledger_key(import, object);
    HearthLedgerEntry entry = {0};
    *ret_ino = 0;
    if (hearth_store_ledger_has(import->store, &key, &entry, &reason))
        *ret_ino = entry.ino != 0 ? entry.ino : -1;
    if (!reason)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

static gboolean list_object(const HearthDeviceObject *object, gpointer user_data)
{
    Lister *lister = user_data;
    const HearthImport *import = lister->run->import;
    if (object->refusal) {
        lister->refused(object, lister->data);
        return TRUE;
    }
    if (object->is_folder || !path_is_wanted(import->paths, object->path))
        return TRUE;
    gint64 ino;
    if (!look_up_ledger(import, object, &ino, &lister->error))
        return FALSE;
    if (ino != 0 && import->job)
        hearth_job_count(import->job, HEARTH_JOB_KNOWN, NULL, NULL);
    return hearth_import_listing_add(lister->listing, object, ino, &lister->error);
}

static void count_refused(const HearthDeviceObject *object, gpointer data)
{
    hearth_job_count(data, HEARTH_JOB_BROKEN, object->path, object->refusal);
}

HearthImportListing *hearth_import_list(HearthImportRun *run, HearthImportRefusedFunc refused,
                                        gpointer data, GError **error)
{
    g_autoptr(HearthImportListing) listing = hearth_import_listing_new(run->import->spool, error);
    if (!listing)
        return NULL;
    Lister lister = {.run = run, .listing = listing, .refused = refused, .data = data};
    gboolean listed =
        hearth_shadow_list(run->import->shadow, list_object, &lister, run->cancellable, error);
    if (lister.error) {
        g_clear_error(error);
        g_propagate_error(error, lister.error);
        return NULL;
    }
    hearth_import_listing_end(listing);
    return listed ? g_steal_pointer(&listing) : NULL;
}

/* --- Folders ----------------------------------------------------------------------------------- */

static HearthPlan *plan_objects(HearthImportRun *run, const GPtrArray *objects)
{
    g_autofree HearthPlanInput *inputs = g_new0(HearthPlanInput, MAX(objects->len, 1));
    for (guint i = 0; i < objects->len; i++)
        inputs[i].object = &((HearthListedObject *)g_ptr_array_index(objects, i))->object;
    return hearth_plan_make(&run->rules, inputs, objects->len);
}

static gboolean each_chunk(HearthImportRun *run, HearthImportListing *listing, guint folder,
                           HearthImportFolderFunc func, gpointer data, GError **error)
{
    for (guint from = 0;; from += PLAN_MOST) {
        g_autoptr(GPtrArray) objects =
            hearth_import_listing_read(listing, folder, from, PLAN_MOST, error);
        if (!objects)
            return FALSE;
        g_autoptr(HearthPlan) plan = plan_objects(run, objects);
        if (!func(run, objects, plan, data, error))
            return FALSE;
        if (objects->len < PLAN_MOST)
            return TRUE;
    }
}

gboolean hearth_import_each_folder(HearthImportRun *run, HearthImportListing *listing, gboolean all,
                                   HearthImportFolderFunc func, gpointer data, GError **error)
{
    for (guint i = 0; i < hearth_import_listing_folders(listing); i++) {
        if (!all && !hearth_import_listing_has_new(listing, i))
            continue;
        if (!each_chunk(run, listing, i, func, data, error))
            return FALSE;
    }
    return TRUE;
}

/* --- Fetching ---------------------------------------------------------------------------------- */

typedef struct {
    HearthImportFiler *filer;
    guint bad_in_a_row;
    gboolean filer_failed;
    /* Of the folder at hand: indices of the objects to fetch, group after group. */
    GArray *order; /* element-type guint */
    guint at;      /* of `order` */
} Fetcher;

static void tell_ahead(HearthImportRun *run, Fetcher *fetcher, const GPtrArray *objects)
{
    const HearthDeviceObject *ahead[EXPECT_AHEAD];
    guint count = 0;
    for (guint i = fetcher->at; i < fetcher->order->len && count < EXPECT_AHEAD; i++) {
        guint index = g_array_index(fetcher->order, guint, i);
        ahead[count++] = &((HearthListedObject *)g_ptr_array_index(objects, index))->object;
    }
    hearth_shadow_expect(run->import->shadow, ahead, count);
}

/* Failures of the device's side, as against those of one object. */
static gboolean blames_driver(const GError *error)
{
    return g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_GONE) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_TIMED_OUT) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_IO);
}

static gboolean device_is_gone(HearthShadow *shadow)
{
    g_autoptr(HearthDevice) device = hearth_shadow_dup_device(shadow);
    return device->state == HEARTH_DEVICE_GONE;
}

/* TRUE when the import goes on without the file; else `error` is set. */
static gboolean pass_over(HearthImportRun *run, Fetcher *fetcher, const HearthDeviceObject *object,
                          GError *reason, GError **error)
{
    const HearthImport *import = run->import;
    gboolean driver = blames_driver(reason);
    fetcher->bad_in_a_row = driver ? fetcher->bad_in_a_row + 1 : 0;
    gboolean cancelled = g_cancellable_is_cancelled(run->cancellable);
    if (cancelled || (driver && device_is_gone(import->shadow))) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    hearth_job_count(import->job, HEARTH_JOB_BROKEN, object->path, reason->message);
    if (fetcher->bad_in_a_row < MAX_BAD_IN_A_ROW) {
        g_error_free(reason);
        return TRUE;
    }
    g_propagate_prefixed_error(error, reason,
                               "given up after %d files in a row that could not be had; the rest "
                               "can still be imported: ",
                               MAX_BAD_IN_A_ROW);
    return FALSE;
}

static gboolean fetch_member(HearthImportRun *run, Fetcher *fetcher, HearthImportMember *member,
                             GError **error)
{
    gboolean fatal = FALSE;
    GError *reason = NULL;
    hearth_job_set_current(run->import->job, member->object.path);
    member->staged = hearth_import_fetch(run, &member->object, &fatal, &reason);
    if (member->staged) {
        fetcher->bad_in_a_row = 0;
        hearth_crash_point("import-fetched");
        return TRUE;
    }
    if (fatal) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    return pass_over(run, fetcher, &member->object, reason, error);
}

static HearthImportMember *member_new(const HearthListedObject *listed)
{
    HearthImportMember *member = g_new0(HearthImportMember, 1);
    g_autoptr(HearthDeviceObject) copy = hearth_device_object_copy(&listed->object);
    member->object = *copy;
    *copy = (HearthDeviceObject){0};
    member->ino = listed->ino;
    member->outcome = HEARTH_JOB_OUTCOMES;
    return member;
}

/* `members` are indices into `objects`. */
static gboolean fetch_group(HearthImportRun *run, Fetcher *fetcher, const GPtrArray *objects,
                            const GArray *members, GError **error)
{
    g_autoptr(GPtrArray) group = hearth_import_group_new();
    gboolean any = FALSE;
    for (guint i = 0; i < members->len; i++) {
        const HearthListedObject *listed =
            g_ptr_array_index(objects, g_array_index(members, guint, i));
        HearthImportMember *member = member_new(listed);
        g_ptr_array_add(group, member);
        if (listed->ino != 0)
            continue;
        if (fetcher->at % EXPECT_AHEAD == 0)
            tell_ahead(run, fetcher, objects);
        fetcher->at++;
        if (!fetch_member(run, fetcher, member, error))
            return FALSE;
        any = any || member->staged != NULL;
    }
    if (!any)
        return TRUE;
    fetcher->filer_failed = !hearth_import_filer_push(fetcher->filer, g_steal_pointer(&group));
    if (fetcher->filer_failed)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "files cannot be stored");
    return !fetcher->filer_failed;
}

static void count_skipped(HearthImportRun *run, const GPtrArray *objects, const HearthPlan *plan)
{
    for (guint i = 0; i < plan->count; i++) {
        const HearthListedObject *listed = g_ptr_array_index(objects, i);
        if (!plan->items[i].take && listed->ino == 0)
            hearth_job_count(run->import->job, HEARTH_JOB_SKIPPED, listed->object.path,
                             plan->items[i].reason);
    }
}

/* Members of each group that has something new: element-type GArray of guint, in listing order of
 * their first; a group of old files alone is NULL. */
static GPtrArray *collect_groups(const GPtrArray *objects, const HearthPlan *plan, GArray *order)
{
    GPtrArray *groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_autofree gboolean *fresh = g_new0(gboolean, MAX(plan->groups, 1));
    for (guint i = 0; i < plan->count; i++)
        if (plan->items[i].take && ((HearthListedObject *)g_ptr_array_index(objects, i))->ino == 0)
            fresh[plan->items[i].group] = TRUE;
    for (guint i = 0; i < plan->groups; i++)
        g_ptr_array_add(groups, g_array_new(FALSE, FALSE, sizeof(guint)));
    for (guint i = 0; i < plan->count; i++)
        if (plan->items[i].take && fresh[plan->items[i].group])
            g_array_append_val((GArray *)g_ptr_array_index(groups, plan->items[i].group), i);
    for (guint k = 0; k < groups->len; k++) {
        const GArray *members = g_ptr_array_index(groups, k);
        for (guint i = 0; i < members->len; i++) {
            guint index = g_array_index(members, guint, i);
            if (((HearthListedObject *)g_ptr_array_index(objects, index))->ino == 0)
                g_array_append_val(order, index);
        }
    }
    return groups;
}

static gboolean fetch_folder(HearthImportRun *run, GPtrArray *objects, const HearthPlan *plan,
                             gpointer data, GError **error)
{
    Fetcher *fetcher = data;
    count_skipped(run, objects, plan);
    fetcher->at = 0;
    g_array_set_size(fetcher->order, 0);
    g_autoptr(GPtrArray) groups = collect_groups(objects, plan, fetcher->order);
    for (guint i = 0; i < groups->len; i++) {
        const GArray *members = g_ptr_array_index(groups, i);
        if (members->len > 0 && !fetch_group(run, fetcher, objects, members, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean fetch_all(HearthImportRun *run, HearthImportListing *listing, GError **error)
{
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(guint));
    Fetcher fetcher = {.filer = hearth_import_filer_start(run), .order = order};
    g_autoptr(GError) fetch_error = NULL, file_error = NULL;
    gboolean fetched =
        hearth_import_each_folder(run, listing, FALSE, fetch_folder, &fetcher, &fetch_error);
    gboolean filed = hearth_import_filer_finish(fetcher.filer, &file_error);
    hearth_job_set_current(run->import->job, NULL);
    if (!filed && (fetched || fetcher.filer_failed ||
                   g_error_matches(fetch_error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED)))
        g_propagate_error(error, g_steal_pointer(&file_error));
    else if (!fetched)
        g_propagate_error(error, g_steal_pointer(&fetch_error));
    return fetched && filed;
}

/* --- A run ------------------------------------------------------------------------------------- */

gboolean hearth_import_run_init(HearthImportRun *run, const HearthImport *import,
                                GCancellable *cancellable, GError **error)
{
    const char *text = hearth_config_template(import->config, import->device);
    *run = (HearthImportRun){.import = import, .cancellable = cancellable};
    run->template = hearth_template_parse(text, error);
    run->music = hearth_template_parse(HEARTH_CONFIG_TEMPLATE_MUSIC, NULL);
    run->rules = (HearthPlanRules){
        .template = run->template,
        .music = run->music,
        .device = import->device,
        .filter = hearth_config_filter(import->config),
        .everything = import->everything,
    };
    return run->template != NULL;
}

void hearth_import_run_clear(HearthImportRun *run)
{
    hearth_template_free(run->template);
    hearth_template_free(run->music);
}

static gboolean import_device(HearthImportRun *run, GError **error)
{
    const HearthImport *import = run->import;
    g_autoptr(HearthImportListing) listing =
        hearth_import_list(run, count_refused, import->job, error);
    if (!listing)
        return FALSE;
    guint64 files, bytes;
    hearth_import_listing_totals(listing, &files, &bytes);
    hearth_job_set_total(import->job, files, bytes);
    hearth_crash_point("import-listed");
    if (files > 0 && !fetch_all(run, listing, error))
        return FALSE;
    if (!hearth_config_delete_after_import(import->config))
        return TRUE;
    return hearth_import_remove_stored(run, listing, error);
}

static void pass_on(GCancellable *outer, gpointer inner)
{
    g_cancellable_cancel(inner);
}

gboolean hearth_import_run(const HearthImport *import, GCancellable *cancellable, GError **error)
{
    HearthImportRun run;
    g_autoptr(GCancellable) inner = g_cancellable_new();
    gboolean done = hearth_import_run_init(&run, import, inner, error);
    gulong link = g_cancellable_connect(cancellable, G_CALLBACK(pass_on), inner, NULL);
    done = done && import_device(&run, error);
    g_cancellable_disconnect(cancellable, link);
    hearth_import_run_clear(&run);
    hearth_shadow_rest(import->shadow);
    hearth_crash_point("import-done");
    return done;
}
