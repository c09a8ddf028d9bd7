#include "namespace/store-private.h"

#include "gateway/base/error.h"

gboolean hearth_store_ledger_has(HearthStore *store, const HearthLedgerEntry *key,
                                 HearthLedgerEntry *ret_entry, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    HearthLedgerEntry entry;
    HearthFetch fetch = store->engine->ledger_get(store->metadata, key, &entry, error);
    if (fetch == HEARTH_FETCH_ROW && ret_entry)
        *ret_entry = entry;
    return fetch == HEARTH_FETCH_ROW;
}

/* No record of the log: the ledger is about a device, not about the tree, and stays on this node. */
gboolean hearth_store_ledger_add(HearthStore *store, const HearthLedgerEntry *entry, GError **error)
{
    HearthLedgerEntry added = *entry;
    added.imported_ns = hearth_store_now_ns();
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = hearth_store_begin(store, error) &&
                    store->engine->ledger_put(store->metadata, &added, error);
    return hearth_store_leave(store, done, error);
}

static gboolean mark_removed(HearthStore *store, const HearthLedgerEntry *key, GError **error)
{
    HearthLedgerEntry entry;
    HearthFetch fetch = store->engine->ledger_get(store->metadata, key, &entry, error);
    if (fetch == HEARTH_FETCH_NONE)
        return hearth_store_refuse(error, HEARTH_ERROR_NOT_FOUND, "not in the ledger", key->path);
    entry.removed = TRUE;
    return fetch == HEARTH_FETCH_ROW && hearth_store_begin(store, error) &&
           store->engine->ledger_put(store->metadata, &entry, error);
}

gboolean hearth_store_ledger_mark_removed(HearthStore *store, const HearthLedgerEntry *key,
                                          GError **error)
{
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = mark_removed(store, key, error);
    return hearth_store_leave(store, done, error);
}
