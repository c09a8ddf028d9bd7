#pragma once

#include <glib.h>

/**
 * The one error domain of Hearth.
 *
 * A code says what a caller can do about it, not where it came from: the message names file, device
 * and reason. Every code has one errno (for FUSE and exit paths) and one HTTP status; both are
 * given by the functions below, so that the command, the mount and the web agree.
 */
#define HEARTH_ERROR (hearth_error_quark())

typedef enum {
    HEARTH_ERROR_FAILED,        /* none of the below; a bug or a foreign library without a reason */
    HEARTH_ERROR_INVALID,       /* the request makes no sense: bad name, bad query, bad config */
    HEARTH_ERROR_NOT_FOUND,     /* no such object, device, version, job */
    HEARTH_ERROR_EXISTS,        /* the name is taken */
    HEARTH_ERROR_NOT_DIRECTORY, /* a folder was needed */
    HEARTH_ERROR_IS_DIRECTORY,  /* a file was needed */
    HEARTH_ERROR_NOT_EMPTY,     /* the folder has entries */
    HEARTH_ERROR_NAME_TOO_LONG, /* over 255 bytes */
    HEARTH_ERROR_LOOP,          /* a folder would become its own ancestor */
    HEARTH_ERROR_PERMISSION,    /* not allowed to the caller or to us */
    HEARTH_ERROR_READ_ONLY,     /* state or device cannot be written */
    HEARTH_ERROR_NO_SPACE,      /* disk or quota full; nothing was changed */
    HEARTH_ERROR_BUSY,          /* held by another; trying again later may work */
    HEARTH_ERROR_CONFLICT,      /* the object changed since it was read */
    HEARTH_ERROR_CORRUPT,       /* stored bytes or a database do not match their digest or schema */
    HEARTH_ERROR_IO,            /* the disk or the device said no */
    HEARTH_ERROR_GONE,          /* the device was unplugged or its process died */
    HEARTH_ERROR_TIMED_OUT,     /* a deadline passed */
    HEARTH_ERROR_CANCELLED,     /* stopped on request; can be taken up again */
    HEARTH_ERROR_UNSUPPORTED,   /* this build, device or format cannot */
    HEARTH_ERROR_LIMIT,         /* larger, deeper or more than a stated limit */
    HEARTH_ERROR_PROTOCOL,      /* a device, worker or peer sent what its protocol forbids */
    HEARTH_ERROR_LAST           /* count of the codes, not a code */
} HearthError;

GQuark hearth_error_quark(void);

/** A positive errno for `error`; EIO for a code of another domain that has none. */
int hearth_error_to_errno(const GError *error);

/** An HTTP status (400 to 599) for `error`. */
unsigned hearth_error_to_http(const GError *error);

/** A short stable word for `error` ("not-found"), used in JSON and the log. */
const char *hearth_error_word(const GError *error);

/** The code that stands for errno `number`. */
HearthError hearth_error_from_errno(int number);

/** Sets `error` to "MESSAGE: strerror(number)" with the code for `number`; always returns FALSE. */
gboolean hearth_set_errno(GError **error, int number, const char *format, ...) G_GNUC_PRINTF(3, 4);
