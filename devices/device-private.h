#pragma once

#include "devices/device.h"

/* Helpers on devices and paths for this folder and its tests. */

/**
 * What a device said of itself as text for people: valid UTF-8, printable, at most 120 bytes.
 * `size` -1: up to the NUL. Free the result.
 */
char *hearth_device_clean_text(const char *text, gssize size);

/** An id of the non-empty `parts` (NULL-terminated), joined by '-'; other bytes become '-'. */
char *hearth_device_make_id(const char *const *parts);

/** Why `path` cannot be the path of an object; NULL if it can. */
const char *hearth_device_check_path(const char *path, gsize size);

/** Why `name` cannot be one part of a path; NULL if it can. */
const char *hearth_device_check_name(const char *name, gsize size);

/** The part of hearth_device_from_port() for "BUS,DEV". */
HearthDevice *hearth_device_from_usb(const char *place, GError **error);
