#include "tests/rigs/simulator/store.h"

#include "gateway/base/io.h"
#include "tests/rigs/simulator/ptp-codes.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct SimStore {
    char *folder;       /* (nullable) */
    GPtrArray *objects; /* element-type SimObject, by index */
};

static void object_free(gpointer data)
{
    SimObject *object = data;

    sim_text_clear(&object->name);
    g_free(object->path);
    g_clear_pointer(&object->bytes, g_bytes_unref);
    g_free(object);
}

static guint16 format_of(const char *name)
{
    static const struct {
        const char *suffix;
        guint16 format;
    } formats[] = {
        {".jpg", PTP_FORMAT_JPEG}, {".jpeg", PTP_FORMAT_JPEG}, {".tif", PTP_FORMAT_TIFF},
        {".mp3", PTP_FORMAT_MP3},  {".wav", PTP_FORMAT_WAV},   {".mov", PTP_FORMAT_QUICKTIME},
        {".avi", PTP_FORMAT_AVI},  {".mpg", PTP_FORMAT_MPEG},  {".txt", PTP_FORMAT_TEXT},
    };
    g_autofree char *lower = g_ascii_strdown(name, -1);

    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        if (g_str_has_suffix(lower, formats[i].suffix))
            return formats[i].format;
    return PTP_FORMAT_UNDEFINED;
}

static SimObject *add(SimStore *store, guint parent, SimText name, SimContent content)
{
    SimObject *object = g_new0(SimObject, 1);
    g_autofree char *utf8 = sim_text_to_utf8(&name);

    object->index = store->objects->len;
    object->parent = parent;
    object->name = name;
    object->content = content;
    object->format = content == SIM_CONTENT_NONE ? PTP_FORMAT_FOLDER : format_of(utf8);
    /* 2026-07-14 10:15:00, a time in the summer of half the world's zones. */
    object->mtime = 1784024100;
    g_ptr_array_add(store->objects, object);
    return object;
}

static SimObject *find_in(SimStore *store, guint parent, const char *name)
{
    for (guint i = 0; i < store->objects->len; i++) {
        SimObject *object = g_ptr_array_index(store->objects, i);
        g_autofree char *utf8 = NULL;

        if (object->removed || object->parent != parent)
            continue;
        utf8 = sim_text_to_utf8(&object->name);
        if (strcmp(utf8, name) == 0)
            return object;
    }
    return NULL;
}

static void scan_entry(SimStore *store, guint parent, const char *path, const char *name,
                       GHashTable *known, GArray *added);

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void scan_folder(SimStore *store, guint parent, const char *folder, GHashTable *known,
                        GArray *added)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(names, g_strdup(name));
    /* In the order of their names, so that a run can be repeated. */
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(folder, names->pdata[i], NULL);

        scan_entry(store, parent, path, names->pdata[i], known, added);
    }
}

static void scan_entry(SimStore *store, guint parent, const char *path, const char *name,
                       GHashTable *known, GArray *added)
{
    SimObject *object = g_hash_table_lookup(known, path);
    struct stat status;

    if (lstat(path, &status) < 0 || !(S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)))
        return;
    if (object == NULL) {
        object = add(store, parent, sim_text_from_utf8(name),
                     S_ISDIR(status.st_mode) ? SIM_CONTENT_NONE : SIM_CONTENT_FILE);
        object->path = g_strdup(path);
        if (added != NULL)
            g_array_append_val(added, object->index);
    }
    object->size = S_ISDIR(status.st_mode) ? 0 : status.st_size;
    object->mtime = status.st_mtime;
    if (S_ISDIR(status.st_mode))
        scan_folder(store, object->index, path, known, added);
}

SimStore *sim_store_new(const char *folder)
{
    SimStore *store = g_new0(SimStore, 1);

    store->folder = g_strdup(folder);
    store->objects = g_ptr_array_new_with_free_func(object_free);
    sim_store_rescan(store, NULL, NULL);
    return store;
}

void sim_store_free(SimStore *store)
{
    if (store == NULL)
        return;
    g_free(store->folder);
    g_ptr_array_unref(store->objects);
    g_free(store);
}

void sim_store_rescan(SimStore *store, GArray *added, GArray *removed)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);

    if (store->folder == NULL)
        return;
    for (guint i = 0; i < store->objects->len; i++) {
        SimObject *object = g_ptr_array_index(store->objects, i);

        if (object->removed || object->path == NULL)
            continue;
        if (g_file_test(object->path, G_FILE_TEST_EXISTS)) {
            g_hash_table_insert(known, object->path, object);
        } else {
            object->removed = TRUE;
            if (removed != NULL)
                g_array_append_val(removed, object->index);
        }
    }
    scan_folder(store, SIM_ROOT, store->folder, known, added);
}

SimObject *sim_store_get(SimStore *store, guint index)
{
    SimObject *object;

    if (index >= store->objects->len)
        return NULL;
    object = g_ptr_array_index(store->objects, index);
    return object->removed ? NULL : object;
}

guint sim_store_count(SimStore *store)
{
    return store->objects->len;
}

SimObject *sim_store_find(SimStore *store, const char *name)
{
    for (guint i = 0; i < store->objects->len; i++) {
        SimObject *object = g_ptr_array_index(store->objects, i);
        g_autofree char *utf8 = sim_text_to_utf8(&object->name);

        if (!object->removed && strcmp(utf8, name) == 0)
            return object;
    }
    return NULL;
}

static void grow(SimStore *store, SimObject *folder)
{
    SimObject *deeper = sim_store_add_folder(store, folder->index, sim_text_from_utf8("DEEPER"));

    folder->endless = FALSE;
    deeper->endless = TRUE;
    sim_store_add_pattern(store, folder->index, "ENDLESS.JPG", 1000, folder->index);
}

void sim_store_list(SimStore *store, guint parent, GArray *children)
{
    SimObject *folder = parent == SIM_ROOT ? NULL : sim_store_get(store, parent);

    if (folder != NULL && folder->endless)
        grow(store, folder);
    if (folder != NULL && folder->loop)
        g_array_append_val(children, parent);
    for (guint i = 0; i < store->objects->len; i++) {
        const SimObject *object = g_ptr_array_index(store->objects, i);

        if (!object->removed && object->parent == parent)
            g_array_append_val(children, i);
    }
}

SimObject *sim_store_folder(SimStore *store, guint parent, const char *name)
{
    SimObject *object = find_in(store, parent, name);

    return object ? object : sim_store_add_folder(store, parent, sim_text_from_utf8(name));
}

/** (transfer full) (nullable) Where a new object belongs on this machine. */
static char *path_for(SimStore *store, const SimObject *object)
{
    const SimObject *parent;
    g_autofree char *name = sim_text_to_utf8(&object->name);

    if (store->folder == NULL || strchr(name, '/') != NULL || name[0] == '\0')
        return NULL;
    if (object->parent == SIM_ROOT)
        return g_build_filename(store->folder, name, NULL);
    parent = sim_store_get(store, object->parent);
    if (parent == NULL || parent->path == NULL)
        return NULL;
    return g_build_filename(parent->path, name, NULL);
}

SimObject *sim_store_add_folder(SimStore *store, guint parent, SimText name)
{
    return add(store, parent, name, SIM_CONTENT_NONE);
}

SimObject *sim_store_add_bytes(SimStore *store, guint parent, SimText name, const void *data,
                               gsize size)
{
    SimObject *object = add(store, parent, name, SIM_CONTENT_BYTES);

    object->bytes = g_bytes_new(data, size);
    object->size = size;
    return object;
}

SimObject *sim_store_add_pattern(SimStore *store, guint parent, const char *name, guint64 size,
                                 guint32 seed)
{
    SimObject *object = add(store, parent, sim_text_from_utf8(name), SIM_CONTENT_PATTERN);

    object->size = size;
    object->seed = seed;
    return object;
}

gboolean sim_store_write(SimStore *store, SimObject *object, const void *data, gsize size)
{
    g_autofree char *path = path_for(store, object);

    g_clear_pointer(&object->bytes, g_bytes_unref);
    object->size = size;
    if (path != NULL && g_file_set_contents(path, data, size, NULL)) {
        object->content = SIM_CONTENT_FILE;
        g_free(object->path);
        object->path = g_steal_pointer(&path);
    } else {
        object->content = SIM_CONTENT_BYTES;
        object->bytes = g_bytes_new(data, size);
    }
    return TRUE;
}

void sim_store_remove(SimStore *store, SimObject *object)
{
    for (guint i = 0; i < store->objects->len; i++) {
        SimObject *child = g_ptr_array_index(store->objects, i);

        if (!child->removed && child->parent == object->index)
            sim_store_remove(store, child);
    }
    object->removed = TRUE;
    if (object->path != NULL)
        g_remove(object->path);
}

gsize sim_object_read(const SimObject *object, guint64 offset, void *buffer, gsize size)
{
    hearth_autofd int fd = -1;
    gssize got = 0;

    if (offset >= object->size)
        return 0;
    size = MIN(size, object->size - offset);
    switch (object->content) {
    case SIM_CONTENT_NONE:
        return 0;
    case SIM_CONTENT_BYTES:
        memcpy(buffer, (const guint8 *)g_bytes_get_data(object->bytes, NULL) + offset, size);
        return size;
    case SIM_CONTENT_PATTERN:
        sim_pattern_fill(object->seed, offset, buffer, size);
        return size;
    case SIM_CONTENT_FILE:
        fd = open(object->path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            got = hearth_pread_up_to(fd, buffer, size, offset, object->path, NULL);
        return MAX(got, 0);
    }
    return 0;
}

char *sim_object_date(const SimObject *object)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(object->mtime);

    return g_date_time_format(time, "%Y%m%dT%H%M%S");
}

static guint64 pattern_word(guint32 seed, guint64 number)
{
    guint64 word = (number + 1) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) ^ seed;

    word = (word ^ (word >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    return GUINT64_TO_LE(word ^ (word >> 31));
}

void sim_pattern_fill(guint32 seed, guint64 offset, guint8 *buffer, gsize size)
{
    while (size > 0) {
        guint64 word = pattern_word(seed, offset / sizeof word);
        gsize skip = offset % sizeof word;
        gsize take = MIN(size, sizeof word - skip);

        memcpy(buffer, (const guint8 *)&word + skip, take);
        buffer += take;
        offset += take;
        size -= take;
    }
}
