#pragma once

#include <glib.h>

/** How things are written for people. All results are (transfer full). */

/** "4.8 MB", in decimal units as disks and cameras count. */
char *hearth_format_size(guint64 bytes);
/** "12,345". */
char *hearth_format_count(guint64 count);
/** "1:05", "2:03:04". */
char *hearth_format_seconds(double seconds);
/** An ISO 8601 moment as local time, "2026-11-20 14:03"; with `seconds` to the second. What is no
 * moment comes back as it is. */
char *hearth_format_moment(const char *iso, gboolean seconds);
/** Nanoseconds since 1970 of an ISO 8601 moment with up to nine digits of fraction. */
gboolean hearth_format_parse_moment(const char *iso, gint64 *ret_ns);

/** A name that cannot harm a terminal: control bytes and what is no UTF-8 as \xNN. */
char *hearth_format_name(const char *bytes);
/** The same when standard output is a terminal, else the bytes as they are. */
char *hearth_format_output_name(const char *bytes);

/** Columns that a text takes on a terminal. */
guint hearth_format_width(const char *text);
