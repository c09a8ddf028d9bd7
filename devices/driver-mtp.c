#include "devices/driver.h"
#include "gateway/base/error.h"
static HearthDriverSession *x_open(const char *place, gboolean may_change, HearthDriverIdentity *i,
                                   GError **error)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "not yet");
    return NULL;
}
const HearthDriver HEARTH_DRIVER_MTP = {.name = "mtp", .open = x_open};
