#include "devices/monitor.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
HearthDevice *hearth_device_from_usb(const char *place, GError **error)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "not yet");
    return NULL;
}
