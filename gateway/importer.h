#pragma once

#include "devices/shadow.h"
#include "gateway/config.h"
#include "gateway/job.h"
#include "namespace/store.h"
#include "sprockets/host/host.h"

/**
 * Brings the files of a device into the store: list, plan, fetch, verify, dedupe, file, ledger,
 * and, where the configuration asks for it, delete what is proven to be stored.
 *
 * Two threads work hand in hand. The one that calls lists the device and fetches, each file through
 * a content writer that hashes it on its way to the spool. The other, the filer, reads the metadata
 * of what has come, and files it in batches: the contents of a batch are made durable together,
 * then each file gets its record, then the store is synced, and only then do files count as done.
 * So a crash at any point loses no more than the batch, which the next run fetches again.
 *
 * What was imported is known by the ledger, not by the job: the same import run again goes on where
 * the last one ended. Memory does not grow with the number of files: the listing is kept in a file
 * without a name, and read back one folder at a time.
 */
typedef struct {
    HearthStore *store;
    HearthShadow *shadow;
    HearthSprocketHost *sprockets; /* (nullable): nobody reads metadata */
    HearthConfig *config;
    const char *device;       /* id */
    gboolean everything;      /* not media alone: see HearthPlanRules */
    const char *const *paths; /* (nullable): files, folders or globs on the device */
    const char *spool;        /* folder for the listing */
    HearthOrigin origin;
    HearthJob *job; /* told of all that happens; NULL for hearth_import_plan() */
} HearthImport;

/** All is borrowed for the call. A file that cannot be had is counted and the rest goes on; FALSE
 * when the import as a whole had to end. */
gboolean hearth_import_run(const HearthImport *import, GCancellable *cancellable, GError **error);

/** What hearth_import_run() would do: aa{sv} of plan entries (web/server.h), floating. Reads the
 * beginning of each new picture for its time; changes nothing. */
GVariant *hearth_import_plan(const HearthImport *import, GCancellable *cancellable, GError **error);
