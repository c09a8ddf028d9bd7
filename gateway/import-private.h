#pragma once

#include "gateway/import-listing.h"
#include "gateway/importer.h"
#include "gateway/plan.h"

/**
 * One run of the importer, shared by its parts: import-fetch (device to spool), import-facts (what
 * a file says of itself), import-file and import-place (spool to store), import-remove (off the device).
 */
typedef struct {
    const HearthImport *import;
    GCancellable *cancellable; /* of the run: the caller's, or a failure of the other thread */
    HearthPlanRules rules;
    HearthTemplate *template;
    HearthTemplate *music;
} HearthImportRun;

/** One file on its way, with all that came to be known of it. */
typedef struct {
    HearthDeviceObject object;
    gint64 ino;                  /* imported in an earlier run: the object it became; else 0 */
    HearthStagedContent *staged; /* (nullable): not fetched, or failed */
    GVariant *attributes;        /* (nullable): a{sv} */
    HearthPlanFacts facts;       /* strings are those of `attributes` */
    gboolean has_facts;
    HearthJobOutcome outcome; /* HEARTH_JOB_OUTCOMES: not through; else counted after the sync */
} HearthImportMember;

gboolean hearth_import_run_init(HearthImportRun *run, const HearthImport *import,
                                GCancellable *cancellable, GError **error);
void hearth_import_run_clear(HearthImportRun *run);

void hearth_import_member_free(HearthImportMember *member);

/** Files that stay together: element-type HearthImportMember. */
typedef GPtrArray HearthImportGroup;
HearthImportGroup *hearth_import_group_new(void);

/** TRUE if the failure of one file ends the run: the rest would fare no better. */
gboolean hearth_import_is_fatal(const GError *error);
/** The size that can be believed, or HEARTH_SIZE_UNKNOWN. */
gint64 hearth_import_size(const HearthDeviceObject *object);
/** A ledger entry of `object`; strings are borrowed. */
HearthLedgerEntry hearth_import_ledger_key(const HearthImport *import,
                                           const HearthDeviceObject *object);

/** Fetches an object into the spool, once more if the sizes do not agree. `ret_fatal` tells whether
 * our own side failed. */
HearthStagedContent *hearth_import_fetch(HearthImportRun *run, const HearthDeviceObject *object,
                                         gboolean *ret_fatal, GError **error);

/** Reads the metadata of `fd` into the member. A file that nobody understands has none. */
void hearth_import_read_facts(HearthImportRun *run, HearthImportMember *member, int fd);

/**
 * Files the members of a group whose contents are published: links what is in the tree already,
 * finds a place for the rest, makes the records. Sets the outcome of each member that is through.
 * FALSE when no other group would fare better.
 */
gboolean hearth_import_file_group(HearthImportRun *run, HearthImportGroup *group, GError **error);

/** The other thread. */
typedef struct HearthImportFiler HearthImportFiler;
HearthImportFiler *hearth_import_filer_start(HearthImportRun *run);
/** Takes the group over; waits while too much is on its way. FALSE when the filer has failed. */
gboolean hearth_import_filer_push(HearthImportFiler *filer, HearthImportGroup *group);
/** Files what is there still (unless the run is cancelled), ends the thread and frees. */
gboolean hearth_import_filer_finish(HearthImportFiler *filer, GError **error);

/** Told of an object that cannot be fetched. */
typedef void (*HearthImportRefusedFunc)(const HearthDeviceObject *object, gpointer data);
/** Lists the device and looks each file up in the ledger. */
HearthImportListing *hearth_import_list(HearthImportRun *run, HearthImportRefusedFunc refused,
                                        gpointer data, GError **error);

/** Takes what is stored off the device, group by group. */
gboolean hearth_import_remove_stored(HearthImportRun *run, HearthImportListing *listing,
                                     GError **error);

/** Called with the objects of one folder and their plan (from the listing alone); FALSE ends. */
typedef gboolean (*HearthImportFolderFunc)(HearthImportRun *run, GPtrArray *objects,
                                           const HearthPlan *plan, gpointer data, GError **error);
/** Goes over the folders of the listing; `all`: also those without anything new. */
gboolean hearth_import_each_folder(HearthImportRun *run, HearthImportListing *listing, gboolean all,
                                   HearthImportFolderFunc func, gpointer data, GError **error);
