#pragma once

#include "devices/device.h"

/**
 * The listing of a device, kept in an unnamed file and read back folder by folder: what stays in
 * memory is one entry per folder. One thread.
 */
typedef struct HearthImportListing HearthImportListing;

/** An object of the listing and what the ledger said of it. */
typedef struct {
    HearthDeviceObject object;
    gint64 ino; /* what it became; 0: it was not imported yet */
} HearthListedObject;

/** `folder`: where the file is made. */
HearthImportListing *hearth_import_listing_new(const char *folder, GError **error);
void hearth_import_listing_free(HearthImportListing *listing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthImportListing, hearth_import_listing_free)

gboolean hearth_import_listing_add(HearthImportListing *listing, const HearthDeviceObject *object,
                                   gint64 ino, GError **error);

/** All was added. Puts folders in the order of their paths: which of two equal files comes first,
 * and gets the name, must not hang on how a card happens to be laid out. */
void hearth_import_listing_end(HearthImportListing *listing);

/** Folders that have files. */
guint hearth_import_listing_folders(const HearthImportListing *listing);
/** Whether `folder` has a file that was not imported yet. */
gboolean hearth_import_listing_has_new(const HearthImportListing *listing, guint folder);
/** New files, and the bytes of those whose size is known. */
void hearth_import_listing_totals(const HearthImportListing *listing, guint64 *ret_files,
                                  guint64 *ret_bytes);

/** Files of `folder` from the `from`th, at most `most`, by path: element-type HearthListedObject,
 * freed with the array. */
GPtrArray *hearth_import_listing_read(HearthImportListing *listing, guint folder, guint from,
                                      guint most, GError **error);
