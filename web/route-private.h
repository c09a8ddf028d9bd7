#pragma once

#include "web/request-private.h"

/**
 * The routing table: one array for each resource, in a file of its own, ended by a NULL method.
 *
 * A pattern is words between slashes; "*" takes one segment and "**", at the end, any number. GET
 * also answers HEAD.
 */
extern const HearthRoute HEARTH_ROUTES_STATUS[];
extern const HearthRoute HEARTH_ROUTES_DEVICE[];
extern const HearthRoute HEARTH_ROUTES_JOB[];
extern const HearthRoute HEARTH_ROUTES_EVENT[];
extern const HearthRoute HEARTH_ROUTES_TREE[];
extern const HearthRoute HEARTH_ROUTES_CHANGE[];
extern const HearthRoute HEARTH_ROUTES_BATCH[];
extern const HearthRoute HEARTH_ROUTES_FIND[];
extern const HearthRoute HEARTH_ROUTES_TRASH[];
extern const HearthRoute HEARTH_ROUTES_LOG[];

/** The n-th route of all tables, or NULL behind the last. */
const HearthRoute *hearth_route_nth(guint n);

/** Sets the route that fits. Else 404, or 405 with the methods that would do in `ret_allow`
 * (transfer full). */
gboolean hearth_route_find(HearthRequest *request, char **ret_allow, GError **error);
