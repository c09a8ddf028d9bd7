#include "namespace/store-private.h"

#define FIND_CHUNK 256

static gboolean find_all(HearthStore *store, HearthFind *find, guint limit, HearthEntryFunc func,
                         gpointer data, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthMatchRow));
    g_array_set_clear_func(rows, (GDestroyNotify)hearth_match_row_clear);
    guint left = limit ? limit : G_MAXUINT;
    gboolean more = TRUE;
    while (more && left > 0) {
        g_array_set_size(rows, 0);
        if (!store->engine->find_next(find, MIN(left, FIND_CHUNK), rows, &more, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            const HearthMatchRow *row = &g_array_index(rows, HearthMatchRow, i);
            if (!func(&row->object, row->path, data))
                return TRUE;
        }
        left -= limit ? rows->len : 0;
    }
    return TRUE;
}

gboolean hearth_store_find(HearthStore *store, const char *query, guint limit, HearthEntryFunc func,
                           gpointer data, GError **error)
{
    g_autoptr(HearthQuery) parsed = hearth_query_parse(query, store->attribute_type, error);
    /* A search sees what is committed. */
    if (!parsed || !hearth_store_settle(store, error))
        return FALSE;
    HearthFind *find = store->engine->find_open(store->metadata, parsed, error);
    if (!find)
        return FALSE;
    gboolean done = find_all(store, find, limit, func, data, error);
    store->engine->find_close(find);
    return done;
}
