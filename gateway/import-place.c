#include "gateway/import-private.h"

#include "gateway/base/error.h"
#include "gateway/crash-point.h"

#include <string.h>

/*
 * The place of a group in the tree, and its records there. A name that is taken is never
 * overwritten: the whole group gets the first number under which all of its names are free.
 */
#define MAX_NUMBER 100000 /* of a name's suffix; past it something is wrong */

/* A group while it is placed. */
typedef struct {
    HearthImportRun *run;
    HearthImportGroup *group;
    HearthPlan *plan; /* one item for each member */
    char *folder;     /* (nullable): where a member lies already */
    char *stem;       /* (nullable): and what it is called there, without its tail */
    char *old_stem;   /* (nullable): what the plan would have called it */
} Placing;

/* --- Where a group goes ------------------------------------------------------------------------ */

static void plan_group(Placing *placing)
{
    HearthImportGroup *group = placing->group;
    g_autofree HearthPlanInput *inputs = g_new0(HearthPlanInput, group->len);
    for (guint i = 0; i < group->len; i++) {
        const HearthImportMember *member = g_ptr_array_index(group, i);
        inputs[i].object = &member->object;
        inputs[i].facts = member->has_facts ? &member->facts : NULL;
    }
    placing->plan = hearth_plan_make(&placing->run->rules, inputs, group->len);
}

/* What was imported of the group before (or is in the tree from elsewhere) draws the rest to where
 * it is now, under the name that it has now. */
static void anchor(Placing *placing, guint index, gint64 ino)
{
    HearthObject object;
    const HearthPlanItem *item = &placing->plan->items[index];
    if (placing->folder || !item->take ||
        !hearth_store_get(placing->run->import->store, ino, &object, NULL) || object.parent == 0)
        return;
    g_autofree char *path = hearth_store_path(placing->run->import->store, ino, NULL);
    if (!path)
        return;
    g_autofree char *name = g_path_get_basename(path);
    gsize length = strlen(name), tail = strlen(item->tail);
    placing->folder = g_path_get_dirname(path);
    if (length > tail && g_ascii_strcasecmp(name + length - tail, item->tail) == 0) {
        placing->stem = g_strndup(name, length - tail);
        placing->old_stem = g_strdup(item->stem);
    }
}

static const char *folder_of(const Placing *placing, guint index)
{
    return placing->folder ? placing->folder : placing->plan->items[index].folder;
}

static char *name_of(const Placing *placing, guint index, guint number)
{
    const HearthPlanItem *item = &placing->plan->items[index];
    gboolean follows = placing->stem && g_str_equal(item->stem, placing->old_stem);
    return hearth_template_join(follows ? placing->stem : item->stem, number, item->tail);
}

/* TRUE without `error` if the name is free; `ret_error` for a failure other than its absence. */
static gboolean is_free(HearthStore *store, gint64 folder, const char *name, GError **error)
{
    g_autoptr(GError) reason = NULL;
    HearthObject object;
    if (folder == 0)
        return TRUE;
    if (hearth_store_lookup(store, folder, name, &object, &reason))
        return FALSE;
    if (!g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&reason));
    return TRUE;
}

static gboolean walk_folder(HearthStore *store, const char *path, gint64 *ret_ino, GError **error)
{
    g_autoptr(GError) reason = NULL;
    HearthObject object;
    *ret_ino = 0;
    if (hearth_store_walk(store, path, &object, &reason)) {
        *ret_ino = object.ino;
        return TRUE;
    }
    if (g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

/* Whether all members that are still to be filed find their names free under `number`. */
static gboolean number_fits(const Placing *placing, guint number, gboolean *ret_fits,
                            GError **error)
{
    HearthStore *store = placing->run->import->store;
    g_autoptr(GHashTable) own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GError) reason = NULL;
    gint64 folder = 0;
    const char *walked = NULL;
    *ret_fits = TRUE;
    for (guint i = 0; *ret_fits && i < placing->group->len; i++) {
        const HearthImportMember *member = g_ptr_array_index(placing->group, i);
        if (!member->staged || member->ino != 0)
            continue;
        const char *path = folder_of(placing, i);
        if (g_strcmp0(walked, path) != 0 && !walk_folder(store, path, &folder, error))
            return FALSE;
        walked = path;
        g_autofree char *name = name_of(placing, i, number);
        *ret_fits = is_free(store, folder, name, &reason) && !g_hash_table_contains(own, name);
        if (reason) {
            g_propagate_error(error, g_steal_pointer(&reason));
            return FALSE;
        }
        g_hash_table_add(own, g_steal_pointer(&name));
    }
    return TRUE;
}

/* 0 with `error` set. Two members of one group whose names come out the same can never fit: then
 * each goes its own way in file_member(). */
static guint choose_number(const Placing *placing, GError **error)
{
    for (guint number = 1; number < MAX_NUMBER; number++) {
        gboolean fits;
        if (!number_fits(placing, number, &fits, error))
            return 0;
        if (fits)
            return number;
    }
    return 1;
}

/* --- Filing ------------------------------------------------------------------------------------ */

/* Errors after which no other file would fare better. */
static gboolean ends_filing(const GError *error)
{
    return g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_READ_ONLY) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_IO) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_BUSY) ||
           g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_FAILED);
}

static gint64 mtime_of(const HearthPlanItem *item, const HearthDeviceObject *object)
{
    if (item->moment.known)
        return hearth_moment_to_ns(&item->moment);
    if (object->mtime > 0 && object->mtime < G_MAXINT64 / 1000000000)
        return object->mtime * 1000000000;
    return 0;
}

static gboolean file_member(const Placing *placing, guint index, guint number, GError **error)
{
    const HearthImport *import = placing->run->import;
    HearthImportMember *member = g_ptr_array_index(placing->group, index);
    HearthLedgerEntry ledger = hearth_import_ledger_key(import, &member->object);
    ledger.content = *hearth_staged_content_id(member->staged);
    HearthNewFile file = {
        .staged = hearth_staged_content_size(member->staged) > 0 ? member->staged : NULL,
        .mtime_ns = mtime_of(&placing->plan->items[index], &member->object),
        .mode = 0644,
        .attributes = member->attributes,
        .ledger = &ledger,
    };
    for (guint n = number; n < number + MAX_NUMBER; n++) {
        g_autofree char *name = name_of(placing, index, n);
        g_autofree char *path = g_build_path("/", folder_of(placing, index), name, NULL);
        g_autoptr(GError) reason = NULL;
        HearthObject object;
        file.path = path;
        if (hearth_store_add_file(import->store, &file, import->origin, &object, &reason)) {
            member->ino = object.ino;
            return TRUE;
        }
        if (g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_EXISTS))
            continue; /* taken by someone else since we looked */
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_EXISTS, "%s: no free name", member->object.path);
    return FALSE;
}

/* The same bytes are in the tree (or were thrown away by a person): a line in the ledger will do. */
static gboolean try_link(Placing *placing, guint index, GError **error)
{
    const HearthImport *import = placing->run->import;
    HearthImportMember *member = g_ptr_array_index(placing->group, index);
    const HearthContentId *content = hearth_staged_content_id(member->staged);
    if (hearth_staged_content_size(member->staged) == 0)
        return TRUE;
    g_autoptr(GError) reason = NULL;
    gint64 ino = hearth_store_find_content(import->store, content, &reason);
    if (reason) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    if (ino == 0)
        return TRUE;
    HearthLedgerEntry ledger = hearth_import_ledger_key(import, &member->object);
    ledger.content = *content;
    ledger.ino = ino;
    if (!hearth_store_ledger_add(import->store, &ledger, error))
        return FALSE;
    member->ino = ino;
    member->outcome = HEARTH_JOB_LINKED;
    return TRUE;
}

/* `sidecars`: the round of the sidecars, which are linked only if all else of the group was: two
 * pictures may well have equal sidecars, and each needs its own. */
static gboolean link_round(Placing *placing, gboolean sidecars, GError **error)
{
    gboolean others_stored = TRUE;
    for (guint i = 0; i < placing->group->len; i++) {
        HearthImportMember *member = g_ptr_array_index(placing->group, i);
        gboolean sidecar = placing->plan->items[i].media == HEARTH_MEDIA_SIDECAR;
        if (!sidecar && member->ino == 0)
            others_stored = FALSE;
    }
    if (sidecars && !others_stored)
        return TRUE;
    for (guint i = 0; i < placing->group->len; i++) {
        HearthImportMember *member = g_ptr_array_index(placing->group, i);
        if (!member->staged || member->ino != 0 ||
            (placing->plan->items[i].media == HEARTH_MEDIA_SIDECAR) != sidecars)
            continue;
        if (!try_link(placing, i, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean file_members(Placing *placing, GError **error)
{
    HearthJob *job = placing->run->import->job;
    guint number = choose_number(placing, error);
    if (number == 0)
        return FALSE;
    for (guint i = 0; i < placing->group->len; i++) {
        HearthImportMember *member = g_ptr_array_index(placing->group, i);
        g_autoptr(GError) reason = NULL;
        if (!member->staged || member->ino != 0)
            continue;
        if (file_member(placing, i, number, &reason)) {
            member->outcome = HEARTH_JOB_IMPORTED;
            hearth_crash_point("import-filed");
        } else if (ends_filing(reason)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                                       "%s: ", member->object.path);
            return FALSE;
        } else {
            hearth_job_count(job, HEARTH_JOB_BROKEN, member->object.path, reason->message);
        }
    }
    return TRUE;
}

static gboolean has_unfiled(const HearthImportGroup *group)
{
    for (guint i = 0; i < group->len; i++) {
        const HearthImportMember *member = g_ptr_array_index(group, i);
        if (member->staged && member->ino == 0)
            return TRUE;
    }
    return FALSE;
}

gboolean hearth_import_file_group(HearthImportRun *run, HearthImportGroup *group, GError **error)
{
    Placing placing = {.run = run, .group = group};
    plan_group(&placing);
    gboolean done = TRUE;
    if (hearth_config_dedupe(run->import->config))
        done = link_round(&placing, FALSE, error) && link_round(&placing, TRUE, error);
    for (guint i = 0; i < group->len; i++) {
        const HearthImportMember *member = g_ptr_array_index(group, i);
        if (member->ino > 0)
            anchor(&placing, i, member->ino);
    }
    done = done && (!has_unfiled(group) || file_members(&placing, error));
    hearth_plan_free(placing.plan);
    g_free(placing.folder);
    g_free(placing.stem);
    g_free(placing.old_stem);
    return done;
}
