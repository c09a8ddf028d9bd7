#include "devices/device-private.h"
#include "devices/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path that got through must be one that leads nowhere else. */
static void check_entries(GVariant *body)
{
    gsize count = g_variant_n_children(body);
    for (gsize i = 0; i < count; i++) {
        g_auto(HearthDeviceObject) object = {0};
        if (!hearth_message_get_entry(body, i, &object, NULL))
            continue;
        if (!object.refusal && hearth_device_check_path(object.path, strlen(object.path)))
            abort();
        if (object.size < HEARTH_SIZE_UNKNOWN)
            abort();
    }
}

static void check_error(const HearthMessage *message)
{
    g_autoptr(GError) error = NULL;
    HearthDeviceState state;
    guint64 count;
    hearth_message_get_error(message, &state, &count, &error);
    if (!error || (guint)state >= HEARTH_DEVICE_STATE_LAST ||
        !g_utf8_validate(error->message, -1, NULL))
        abort();
}

static void check_path(GVariant *body)
{
    g_autoptr(GVariant) bytes = g_variant_get_child_value(body, 0);
    g_autofree char *path = hearth_message_dup_path(bytes, NULL);
    if (path && hearth_device_check_path(path, strlen(path)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* As the socket gives it: in a buffer aligned to 8, with nothing after its end. */
    g_autofree guint8 *bytes = g_memdup2(data, size);
    g_auto(HearthMessage) message = {.fd = -1};
    if (!bytes || !hearth_message_parse(bytes, size, &message, NULL))
        return 0;
    switch (message.kind) {
    case HEARTH_MESSAGE_ENTRIES_ARE:
        check_entries(message.body);
        break;
    case HEARTH_MESSAGE_ERROR:
        check_error(&message);
        break;
    case HEARTH_MESSAGE_FETCH:
    case HEARTH_MESSAGE_REMOVE:
    case HEARTH_MESSAGE_PUT:
        check_path(message.body);
        break;
    default:
        break;
    }
    return 0;
}
