#include "gateway/base/error.h"

#include <errno.h>
#include <gio/gio.h>
#include <stdarg.h>

typedef struct {
    const char *word;
    int number;    /* errno */
    unsigned http; /* status */
} ErrorRow;

static const ErrorRow ROWS[HEARTH_ERROR_LAST] = {
    [HEARTH_ERROR_FAILED] = {"failed", EIO, 500},
    [HEARTH_ERROR_INVALID] = {"invalid", EINVAL, 400},
    [HEARTH_ERROR_NOT_FOUND] = {"not-found", ENOENT, 404},
    [HEARTH_ERROR_EXISTS] = {"exists", EEXIST, 409},
    [HEARTH_ERROR_NOT_DIRECTORY] = {"not-directory", ENOTDIR, 409},
    [HEARTH_ERROR_IS_DIRECTORY] = {"is-directory", EISDIR, 409},
    [HEARTH_ERROR_NOT_EMPTY] = {"not-empty", ENOTEMPTY, 409},
    [HEARTH_ERROR_NAME_TOO_LONG] = {"name-too-long", ENAMETOOLONG, 400},
    [HEARTH_ERROR_LOOP] = {"loop", EINVAL, 409},
    [HEARTH_ERROR_PERMISSION] = {"permission", EACCES, 403},
    [HEARTH_ERROR_READ_ONLY] = {"read-only", EROFS, 403},
    [HEARTH_ERROR_NO_SPACE] = {"no-space", ENOSPC, 507},
    [HEARTH_ERROR_BUSY] = {"busy", EBUSY, 409},
    [HEARTH_ERROR_CONFLICT] = {"conflict", ESTALE, 412},
    [HEARTH_ERROR_CORRUPT] = {"corrupt", EIO, 500},
    [HEARTH_ERROR_IO] = {"io", EIO, 500},
    [HEARTH_ERROR_GONE] = {"gone", ENODEV, 410},
    [HEARTH_ERROR_TIMED_OUT] = {"timed-out", ETIMEDOUT, 504},
    [HEARTH_ERROR_CANCELLED] = {"cancelled", ECANCELED, 409},
    [HEARTH_ERROR_UNSUPPORTED] = {"unsupported", EOPNOTSUPP, 501},
    [HEARTH_ERROR_LIMIT] = {"limit", EFBIG, 413},
    [HEARTH_ERROR_PROTOCOL] = {"protocol", EPROTO, 502},
};

/* Not G_DEFINE_QUARK: its static is written by every thread that comes first. */
GQuark hearth_error_quark(void)
{
    static gsize quark;
    if (g_once_init_enter(&quark))
        g_once_init_leave(&quark, g_quark_from_static_string("hearth-error-quark"));
    return (GQuark)quark;
}

static const ErrorRow *error_row(const GError *error)
{
    if (error->domain == HEARTH_ERROR && error->code >= 0 && error->code < HEARTH_ERROR_LAST)
        return &ROWS[error->code];
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return &ROWS[HEARTH_ERROR_CANCELLED];
    return &ROWS[HEARTH_ERROR_FAILED];
}

int hearth_error_to_errno(const GError *error)
{
    return error_row(error)->number;
}

unsigned hearth_error_to_http(const GError *error)
{
    return error_row(error)->http;
}

const char *hearth_error_word(const GError *error)
{
    return error_row(error)->word;
}

HearthError hearth_error_from_errno(int number)
{
    switch (number) {
    case EPERM:
        return HEARTH_ERROR_PERMISSION;
    case EDQUOT:
        return HEARTH_ERROR_NO_SPACE;
    case ENXIO:
    case ESHUTDOWN:
    case EPIPE:
    case ECONNRESET:
        return HEARTH_ERROR_GONE;
    case EAGAIN:
    case ETXTBSY:
        return HEARTH_ERROR_BUSY;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return HEARTH_ERROR_LIMIT;
    default:
        break;
    }
    for (int code = HEARTH_ERROR_INVALID; code < HEARTH_ERROR_LAST; code++)
        if (ROWS[code].number == number && code != HEARTH_ERROR_CORRUPT)
            return (HearthError)code;
    return HEARTH_ERROR_FAILED;
}

gboolean hearth_set_errno(GError **error, int number, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, HEARTH_ERROR, hearth_error_from_errno(number), "%s: %s", message,
                g_strerror(number));
    return FALSE;
}
