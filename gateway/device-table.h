#pragma once

#include "devices/shadow.h"
#include "gateway/config.h"
#include "gateway/job.h"

/**
 * The devices that are here: those that the monitor announced and those that a person attached, a
 * shadow before each. Decides by the device's policy whether its arrival starts an import.
 *
 * Any thread may call. The mutex inside is never held during a call of a shadow or a job.
 */
typedef struct HearthDeviceTable HearthDeviceTable;

/** `jobs` and `events` are borrowed. */
HearthDeviceTable *hearth_device_table_new(HearthJobs *jobs, HearthWebEvents *events,
                                           HearthConfig *config);
/** No job may run any more. */
void hearth_device_table_free(HearthDeviceTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthDeviceTable, hearth_device_table_free)

void hearth_device_table_set_config(HearthDeviceTable *table, HearthConfig *config);

/**
 * A device is here. An unfinished job of it goes on; else its policy decides. `by_hand`: a person
 * named it, so that all of it is meant, not media alone. One that is here already is taken as asked
 * for anew.
 */
void hearth_device_table_arrive(HearthDeviceTable *table, const HearthDevice *device,
                                gboolean by_hand);
/** It was unplugged: its job ends, and goes on when it comes back. */
void hearth_device_table_leave(HearthDeviceTable *table, const char *id);
/** A person lets go of it: its job is cancelled. HEARTH_ERROR_NOT_FOUND. */
gboolean hearth_device_table_detach(HearthDeviceTable *table, const char *id, GError **error);

/** The shadow of `id` with a reference; NULL with HEARTH_ERROR_NOT_FOUND. */
HearthShadow *hearth_device_table_shadow(HearthDeviceTable *table, const char *id,
                                         gboolean *ret_by_hand, GError **error);
/** The last run of an import of `id` ended with `error` (NULL: well). */
void hearth_device_table_note_end(HearthDeviceTable *table, HearthJob *job, const GError *error);

guint hearth_device_table_count(HearthDeviceTable *table);
/** As web/server.h says: a{sv}, floating; NULL with HEARTH_ERROR_NOT_FOUND. */
GVariant *hearth_device_table_describe(HearthDeviceTable *table, const char *id, GError **error);
/** aa{sv}, floating. */
GVariant *hearth_device_table_list(HearthDeviceTable *table);
