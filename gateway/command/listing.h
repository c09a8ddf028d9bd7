#pragma once

#include "gateway/command/call.h"

/** Reading folders of the tree, page by page. */

/** Gets each entry of a folder, with its path in the tree. */
typedef gboolean (*HearthListingFunc)(GVariant *entry, const char *path, gpointer data,
                                      GError **error);

/** Calls `func` for each entry of the folder at `path`, in the order of the names. */
gboolean hearth_listing_read(HearthClient *client, const char *path, HearthListingFunc func,
                             gpointer data, GError **error);

/** The same for all below; a folder comes before what is in it. */
gboolean hearth_listing_walk(HearthClient *client, const char *path, HearthListingFunc func,
                             gpointer data, GError **error);

/** What stands at `path`, an a{sv}; NULL without `error` if nothing does. */
GVariant *hearth_listing_stat(HearthClient *client, const char *path, GError **error);

/** TRUE if a{sv} is an entry of that kind ("folder", "file", "symlink"). */
gboolean hearth_listing_is(GVariant *entry, const char *kind);

/** FOLDER/NAME; (transfer full). */
char *hearth_listing_join(const char *folder, const char *name);
