#include "gateway/device-table.h"

#include "gateway/base/error.h"

typedef struct {
    HearthDevice *device; /* as its shadow last told */
    HearthShadow *shadow;
    gboolean by_hand;
} Entry;

struct HearthDeviceTable {
    HearthJobs *jobs;        /* borrowed */
    HearthWebEvents *events; /* borrowed */

    GMutex mutex; /* protects what follows; held for moments */
    HearthConfig *config;
    GHashTable *entries; /* id -> Entry */
    GHashTable *cut_off; /* id -> char **: paths (NULL: all) of an import that unplugging ended */
};

/* What the shadow's callback needs; freed with the shadow, which may outlive the entry. */
typedef struct {
    HearthDeviceTable *table;
    char *id;
} Watch;

static void entry_free(gpointer data)
{
    Entry *entry = data;
    hearth_device_free(entry->device);
    hearth_shadow_unref(entry->shadow);
    g_free(entry);
}

static void watch_free(gpointer data)
{
    Watch *watch = data;
    g_free(watch->id);
    g_free(watch);
}

HearthDeviceTable *hearth_device_table_new(HearthJobs *jobs, HearthWebEvents *events,
                                           HearthConfig *config)
{
    HearthDeviceTable *table = g_new0(HearthDeviceTable, 1);
    table->jobs = jobs;
    table->events = events;
    table->config = hearth_config_ref(config);
    g_mutex_init(&table->mutex);
    table->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
    table->cut_off =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
    return table;
}

void hearth_device_table_free(HearthDeviceTable *table)
{
    if (!table)
        return;
    g_hash_table_unref(table->entries);
    g_hash_table_unref(table->cut_off);
    hearth_config_unref(table->config);
    g_mutex_clear(&table->mutex);
    g_free(table);
}

void hearth_device_table_set_config(HearthDeviceTable *table, HearthConfig *config)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->mutex);
    hearth_config_unref(table->config);
    table->config = hearth_config_ref(config);
}

/* --- Saying how it is -------------------------------------------------------------------------- */

static const char *state_word(HearthDeviceState state)
{
    return state == HEARTH_DEVICE_ATTACHED ? "starting" : hearth_device_state_word(state);
}

/* `jobs` NULL: its job is just ending and is not told of any more. */
static GVariant *describe(const HearthDevice *device, const char *policy, gboolean by_hand,
                          HearthJobs *jobs)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autofree char *name = hearth_device_name(device);
    g_variant_dict_insert(&dict, "id", "s", device->id);
    g_variant_dict_insert(&dict, "name", "s", name);
    g_variant_dict_insert(&dict, "driver", "s", device->driver);
    g_variant_dict_insert_value(&dict, "port", g_variant_new_bytestring(device->port));
    g_variant_dict_insert(&dict, "state", "s", state_word(device->state));
    if (device->message)
        g_variant_dict_insert(&dict, "message", "s", device->message);
    g_variant_dict_insert(&dict, "manufacturer", "s", device->vendor);
    g_variant_dict_insert(&dict, "model", "s", device->model);
    g_variant_dict_insert(&dict, "serial", "s", device->serial);
    g_variant_dict_insert(&dict, "import", "s", policy);
    g_variant_dict_insert(&dict, "attached_by_hand", "b", by_hand);
    g_autoptr(HearthJob) job = jobs ? hearth_jobs_of_device(jobs, device->id) : NULL;
    if (job)
        g_variant_dict_insert(&dict, "job", "s", hearth_job_id(job));
    return g_variant_dict_end(&dict);
}

static const char *policy_word(HearthDeviceTable *table, const char *id)
{
    return hearth_import_policy_word(hearth_config_policy(table->config, id));
}

GVariant *hearth_device_table_describe(HearthDeviceTable *table, const char *id, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->mutex);
    const Entry *entry = g_hash_table_lookup(table->entries, id);
    if (entry)
        return describe(entry->device, policy_word(table, id), entry->by_hand, table->jobs);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no device %s", id);
    return NULL;
}

GVariant *hearth_device_table_list(HearthDeviceTable *table)
{
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->mutex);
    g_autoptr(GList) ids = g_hash_table_get_keys(table->entries);
    ids = g_list_sort(ids, (GCompareFunc)g_strcmp0);
    for (const GList *at = ids; at; at = at->next) {
        const Entry *entry = g_hash_table_lookup(table->entries, at->data);
        g_variant_builder_add_value(&builder, describe(entry->device, policy_word(table, at->data),
                                                       entry->by_hand, table->jobs));
    }
    return g_variant_builder_end(&builder);
}

guint hearth_device_table_count(HearthDeviceTable *table)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->mutex);
    return g_hash_table_size(table->entries);
}

static void tell(HearthDeviceTable *table, const char *id)
{
    GVariant *value = hearth_device_table_describe(table, id, NULL);
    if (value)
        hearth_web_events_add(table->events, "device", id, value);
}

/* --- Coming and going -------------------------------------------------------------------------- */

static gboolean waits_for_person(HearthDeviceState state)
{
    return state == HEARTH_DEVICE_BUSY || state == HEARTH_DEVICE_LOCKED ||
           state == HEARTH_DEVICE_NO_STORAGE;
}

static void state_changed(const HearthDevice *device, gpointer user_data)
{
    const Watch *watch = user_data;
    HearthDeviceTable *table = watch->table;
    g_mutex_lock(&table->mutex);
    Entry *entry = g_hash_table_lookup(table->entries, watch->id);
    if (entry) {
        hearth_device_free(entry->device);
        entry->device = hearth_device_copy(device);
        /* The table knows it by the id that it came with. */
        g_free(entry->device->id);
        entry->device->id = g_strdup(watch->id);
    }
    g_mutex_unlock(&table->mutex);
    if (!entry)
        return;
    if (device->message)
        g_message("%s: %s", watch->id, device->message);
    g_autoptr(HearthJob) job = hearth_jobs_of_device(table->jobs, watch->id);
    if (job && device->state != HEARTH_DEVICE_GONE)
        hearth_job_set_message(job, device->message, waits_for_person(device->state));
    tell(table, watch->id);
}

static Entry *entry_new(HearthDeviceTable *table, const HearthDevice *device, gboolean by_hand)
{
    HearthShadowOptions options;
    hearth_shadow_options_init(&options);
    Watch *watch = g_new0(Watch, 1);
    watch->table = table;
    watch->id = g_strdup(device->id);
    options.state_changed = state_changed;
    options.user_data = watch;
    options.user_data_free = watch_free;
    Entry *entry = g_new0(Entry, 1);
    entry->device = hearth_device_copy(device);
    entry->shadow = hearth_shadow_new(device, &options);
    entry->by_hand = by_hand;
    return entry;
}

/* Starts what the arrival asks for: the rest of an import that was cut off, or what the policy
 * says. */
static void begin_import(HearthDeviceTable *table, const HearthDevice *device, gboolean by_hand)
{
    g_mutex_lock(&table->mutex);
    HearthImportPolicy policy = hearth_config_policy(table->config, device->id);
    g_autofree char *key = NULL;
    gpointer stolen = NULL;
    gboolean cut =
        g_hash_table_steal_extended(table->cut_off, device->id, (gpointer *)&key, &stolen);
    g_auto(GStrv) paths = stolen;
    g_mutex_unlock(&table->mutex);
    if (hearth_jobs_wake(table->jobs, device->id))
        return;
    if (!cut && policy != HEARTH_IMPORT_ON) {
        g_message("%s is here; by its settings it is not imported by itself", device->id);
        return;
    }
    HearthJobSpec spec = {.kind = "import",
                          .device = device->id,
                          .port = by_hand ? device->port : NULL,
                          .paths = (const char *const *)paths};
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthJob) job = hearth_jobs_start(table->jobs, &spec, &error);
    if (!job)
        g_warning("%s: the import did not start: %s", device->id, error->message);
}

void hearth_device_table_arrive(HearthDeviceTable *table, const HearthDevice *device,
                                gboolean by_hand)
{
    g_mutex_lock(&table->mutex);
    Entry *known = g_hash_table_lookup(table->entries, device->id);
    if (known)
        known->by_hand = known->by_hand || by_hand;
    else
        g_hash_table_insert(table->entries, g_strdup(device->id),
                            entry_new(table, device, by_hand));
    g_mutex_unlock(&table->mutex);
    if (!known)
        g_message("%s is here (%s, %s)", device->id, device->driver, device->port);
    begin_import(table, device, by_hand);
    tell(table, device->id);
}

static Entry *take_entry(HearthDeviceTable *table, const char *id)
{
    gpointer key = NULL, entry = NULL;
    g_mutex_lock(&table->mutex);
    g_hash_table_steal_extended(table->entries, id, &key, &entry);
    g_mutex_unlock(&table->mutex);
    g_free(key);
    return entry;
}

static void entry_gone(HearthDeviceTable *table, const char *id, Entry *entry)
{
    hearth_shadow_unplug(entry->shadow);
    entry_free(entry);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "id", "s", id);
    hearth_web_events_add(table->events, "device-gone", id, g_variant_dict_end(&dict));
}

void hearth_device_table_leave(HearthDeviceTable *table, const char *id)
{
    Entry *entry = take_entry(table, id);
    if (!entry)
        return;
    g_message("%s is gone", id);
    entry_gone(table, id, entry);
}

gboolean hearth_device_table_detach(HearthDeviceTable *table, const char *id, GError **error)
{
    g_autoptr(HearthJob) job = hearth_jobs_of_device(table->jobs, id);
    Entry *entry = take_entry(table, id);
    if (!entry) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no device %s", id);
        return FALSE;
    }
    if (job)
        hearth_jobs_cancel(table->jobs, hearth_job_id(job), NULL);
    entry_gone(table, id, entry);
    return TRUE;
}

HearthShadow *hearth_device_table_shadow(HearthDeviceTable *table, const char *id,
                                         gboolean *ret_by_hand, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&table->mutex);
    Entry *entry = g_hash_table_lookup(table->entries, id);
    if (!entry) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no device %s", id);
        return NULL;
    }
    *ret_by_hand = entry->by_hand;
    return hearth_shadow_ref(entry->shadow);
}

void hearth_device_table_note_end(HearthDeviceTable *table, HearthJob *job, const GError *error)
{
    const char *id = hearth_job_device(job);
    g_mutex_lock(&table->mutex);
    const Entry *entry = g_hash_table_lookup(table->entries, id);
    GVariant *value =
        entry ? describe(entry->device, policy_word(table, id), entry->by_hand, NULL) : NULL;
    if (!entry && g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_GONE))
        g_hash_table_replace(table->cut_off, g_strdup(id),
                             g_strdupv((char **)hearth_job_paths(job)));
    g_mutex_unlock(&table->mutex);
    if (value)
        hearth_web_events_add(table->events, "device", id, value);
}
