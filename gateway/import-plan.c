#include "gateway/import-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <string.h>
#include <sys/mman.h>

/*
 * What an import would do, without doing it. The time of a picture stands near its beginning, so
 * that is all that is read of it.
 */
#define HEAD_SIZE (256 * 1024) /* bytes */

typedef struct {
    int fd;
    gsize size;
} Head;

/* What each call of the plan writes to. */
typedef struct {
    GVariantBuilder *entries; /* aa{sv} */
} Planning;

static gboolean take_head(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    Head *head = user_data;
    gsize part = MIN(size, HEAD_SIZE - head->size);
    if (!hearth_pwrite_all(head->fd, data, part, (off_t)head->size, "a picture's beginning", error))
        return FALSE;
    head->size += part;
    if (head->size < HEAD_SIZE)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT, "enough was read");
    return FALSE;
}

/* Best effort: without it the file's own time counts, as it would in an import. */
static void read_head(HearthImportRun *run, HearthImportMember *member)
{
    HearthMedia media = hearth_media_of_name(member->object.path, NULL);
    if (media != HEARTH_MEDIA_PHOTO && media != HEARTH_MEDIA_RAW && media != HEARTH_MEDIA_AUDIO)
        return;
    hearth_autofd int fd = memfd_create("hearth-head", MFD_CLOEXEC);
    Head head = {.fd = fd};
    if (fd < 0)
        return;
    hearth_shadow_fetch(run->import->shadow, &member->object, 0, take_head, &head, run->cancellable,
                        NULL);
    if (head.size > 0)
        hearth_import_read_facts(run, member, fd);
}

static void add_entry(Planning *planning, const HearthDeviceObject *object, const char *path,
                      const char *action, const char *reason)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "source", g_variant_new_bytestring(object->path));
    if (path)
        g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(path));
    g_variant_dict_insert(&dict, "action", "s", action);
    if (reason)
        g_variant_dict_insert(&dict, "reason", "s", reason);
    if (object->size >= 0)
        g_variant_dict_insert(&dict, "size", "t", (guint64)object->size);
    g_variant_builder_add_value(planning->entries, g_variant_dict_end(&dict));
}

/* Where the object of an earlier import is now. */
static void add_known(HearthImportRun *run, Planning *planning, const HearthListedObject *listed)
{
    HearthStore *store = run->import->store;
    HearthObject object;
    g_autofree char *path = NULL;
    if (listed->ino > 0 && hearth_store_get(store, listed->ino, &object, NULL) &&
        object.parent != 0)
        path = hearth_store_path(store, listed->ino, NULL);
    add_entry(planning, &listed->object, path, "skip",
              path ? "imported before" : "imported before, and deleted here since");
}

static gboolean names_are_free(HearthImportRun *run, const HearthPlan *plan, guint number)
{
    for (guint i = 0; i < plan->count; i++) {
        g_autofree char *name = hearth_plan_name(&plan->items[i], number);
        g_autofree char *path = g_build_path("/", plan->items[i].folder, name, NULL);
        HearthObject object;
        if (hearth_store_walk(run->import->store, path, &object, NULL))
            return FALSE;
    }
    return TRUE;
}

/* The members of one group that are new. */
static void plan_group(HearthImportRun *run, Planning *planning, HearthImportGroup *group)
{
    g_autofree HearthPlanInput *inputs = g_new0(HearthPlanInput, group->len);
    for (guint i = 0; i < group->len; i++) {
        HearthImportMember *member = g_ptr_array_index(group, i);
        read_head(run, member);
        inputs[i].object = &member->object;
        inputs[i].facts = member->has_facts ? &member->facts : NULL;
    }
    g_autoptr(HearthPlan) plan = hearth_plan_make(&run->rules, inputs, group->len);
    guint number = 1;
    while (number < G_MAXUINT16 && !names_are_free(run, plan, number))
        number++;
    for (guint i = 0; i < group->len; i++) {
        g_autofree char *name = hearth_plan_name(&plan->items[i], number);
        g_autofree char *path = g_build_path("/", plan->items[i].folder, name, NULL);
        add_entry(planning, inputs[i].object, path, "import",
                  plan->items[i].moment.known ? NULL : "without a time that could be");
    }
}

static gboolean plan_folder(HearthImportRun *run, GPtrArray *objects, const HearthPlan *plan,
                            gpointer data, GError **error)
{
    Planning *planning = data;
    g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < plan->groups; i++)
        g_ptr_array_add(groups, hearth_import_group_new());
    for (guint i = 0; i < plan->count; i++) {
        HearthListedObject *listed = g_ptr_array_index(objects, i);
        if (listed->ino != 0) {
            add_known(run, planning, listed);
        } else if (!plan->items[i].take) {
            add_entry(planning, &listed->object, NULL, "skip", plan->items[i].reason);
        } else {
            HearthImportMember *member = g_new0(HearthImportMember, 1);
            member->object = listed->object;
            listed->object = (HearthDeviceObject){0};
            g_ptr_array_add(g_ptr_array_index(groups, plan->items[i].group), member);
        }
    }
    for (guint i = 0; i < groups->len; i++) {
        HearthImportGroup *group = g_ptr_array_index(groups, i);
        if (g_cancellable_set_error_if_cancelled(run->cancellable, error))
            return FALSE;
        if (group->len > 0)
            plan_group(run, planning, group);
    }
    return TRUE;
}

static void add_refused(const HearthDeviceObject *object, gpointer data)
{
    add_entry(data, object, NULL, "skip", object->refusal);
}

GVariant *hearth_import_plan(const HearthImport *import, GCancellable *cancellable, GError **error)
{
    HearthImportRun run;
    GVariantBuilder entries;
    g_variant_builder_init(&entries, G_VARIANT_TYPE("aa{sv}"));
    Planning planning = {.entries = &entries};
    gboolean done = hearth_import_run_init(&run, import, cancellable, error);
    g_autoptr(HearthImportListing) listing =
        done ? hearth_import_list(&run, add_refused, &planning, error) : NULL;
    done = listing && hearth_import_each_folder(&run, listing, TRUE, plan_folder, &planning, error);
    hearth_import_run_clear(&run);
    hearth_shadow_rest(import->shadow);
    GVariant *result = g_variant_builder_end(&entries);
    if (done)
        return result;
    g_variant_unref(g_variant_ref_sink(result));
    return NULL;
}
