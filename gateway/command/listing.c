#include "gateway/command/listing.h"

#include "gateway/base/error.h"
#include "gateway/command/client.h"
#include "gateway/command/output.h"
#include "web/json.h"

#include <string.h>

gboolean hearth_listing_is(GVariant *entry, const char *kind)
{
    return strcmp(hearth_lookup_text(entry, "kind", ""), kind) == 0;
}

char *hearth_listing_join(const char *folder, const char *name)
{
    return g_strconcat(folder, g_str_has_suffix(folder, "/") ? "" : "/", name, NULL);
}

/* Entries of the first page, which someone may be waiting for, and of the others. */
#define PAGE_FIRST 100
#define PAGE_NEXT 1000

typedef struct {
    const char *folder;
    HearthListingFunc func;
    gpointer data;
} Reading;

static gboolean hand_on(GVariant *entry, gpointer data, GError **error)
{
    const Reading *reading = data;
    g_autofree char *name = hearth_json_lookup_bytes(entry, "name");
    if (!name || !*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL, "the daemon listed no name");
        return FALSE;
    }
    g_autofree char *path = hearth_listing_join(reading->folder, name);
    return reading->func(entry, path, reading->data, error);
}

gboolean hearth_listing_read(HearthClient *client, const char *path, HearthListingFunc func,
                             gpointer data, GError **error)
{
    Reading reading = {path, func, data};
    g_autofree char *query = g_strdup("?limit=" G_STRINGIFY(PAGE_FIRST));
    while (query) {
        g_autofree char *target = hearth_client_tree_target(path, query);
        g_autoptr(GVariant) page = hearth_client_get(client, target, error);
        if (!page || !hearth_for_each(page, "entries", hand_on, &reading, error))
            return FALSE;
        const char *next = hearth_lookup_text(page, "next", NULL);
        g_free(query);
        query = next ? g_strconcat("?limit=" G_STRINGIFY(PAGE_NEXT) "&after=", next, NULL) : NULL;
    }
    return TRUE;
}

typedef struct {
    HearthClient *client;
    HearthListingFunc func;
    gpointer data;
    GPtrArray *folders; /* paths still to be read, the next one last */
    guint first;        /* index of the first one that the folder being read has added */
} Walk;

static gboolean walk_entry(GVariant *entry, const char *path, gpointer data, GError **error)
{
    Walk *walk = data;
    if (hearth_listing_is(entry, "folder"))
        g_ptr_array_insert(walk->folders, (int)walk->first, g_strdup(path));
    return walk->func(entry, path, walk->data, error);
}

gboolean hearth_listing_walk(HearthClient *client, const char *path, HearthListingFunc func,
                             gpointer data, GError **error)
{
    g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);
    Walk walk = {client, func, data, folders, 0};
    g_ptr_array_add(folders, g_strdup(path));
    while (folders->len > 0) {
        g_autofree char *folder = g_ptr_array_steal_index(folders, folders->len - 1);
        walk.first = folders->len;
        if (!hearth_listing_read(client, folder, walk_entry, &walk, error))
            return FALSE;
    }
    return TRUE;
}

GVariant *hearth_listing_stat(HearthClient *client, const char *path, GError **error)
{
    g_autofree char *target = hearth_client_tree_target(path, "?stat=1");
    g_autoptr(GError) cause = NULL;
    GVariant *entry = hearth_client_get(client, target, &cause);
    if (!entry && !g_error_matches(cause, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&cause));
    return entry;
}
