#include "devices/device.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
#include "gateway/base/id.h"

#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ID_MAX 100         /* bytes of an id */
#define ID_HASH 12         /* hexadecimal digits that tell two places of one name apart */
#define NAME_TEXT_MAX 120  /* bytes kept of what a device says of itself */
#define PTPIP_HOST_MAX 255 /* bytes; the longest DNS name */

static const char *const STATE_WORDS[HEARTH_DEVICE_STATE_LAST] = {
    [HEARTH_DEVICE_ATTACHED] = "attached",
    [HEARTH_DEVICE_READY] = "ready",
    [HEARTH_DEVICE_BUSY] = "busy",
    [HEARTH_DEVICE_LOCKED] = "locked",
    [HEARTH_DEVICE_NO_STORAGE] = "no-storage",
    [HEARTH_DEVICE_FAILED] = "failed",
    [HEARTH_DEVICE_GONE] = "gone",
};

HearthDevice *hearth_device_copy(const HearthDevice *device)
{
    HearthDevice *copy = g_new0(HearthDevice, 1);
    *copy = (HearthDevice){.id = g_strdup(device->id),
                           .driver = g_strdup(device->driver),
                           .port = g_strdup(device->port),
                           .vendor = g_strdup(device->vendor),
                           .model = g_strdup(device->model),
                           .serial = g_strdup(device->serial),
                           .state = device->state,
                           .message = g_strdup(device->message)};
    return copy;
}

void hearth_device_free(HearthDevice *device)
{
    if (!device)
        return;
    g_free(device->id);
    g_free(device->driver);
    g_free(device->port);
    g_free(device->vendor);
    g_free(device->model);
    g_free(device->serial);
    g_free(device->message);
    g_free(device);
}

const char *hearth_device_state_word(HearthDeviceState state)
{
    g_return_val_if_fail((unsigned)state < HEARTH_DEVICE_STATE_LAST, "failed");
    return STATE_WORDS[state];
}

char *hearth_device_name(const HearthDevice *device)
{
    if (!*device->model)
        return g_strdup(*device->vendor ? device->vendor : device->id);
    /* Many a maker repeats its own name in the model's. */
    if (!*device->vendor || g_str_has_prefix(device->model, device->vendor))
        return g_strdup(device->model);
    return g_strdup_printf("%s %s", device->vendor, device->model);
}

char *hearth_device_clean_text(const char *text, gssize size)
{
    gsize length = size >= 0 ? strnlen(text, (gsize)size) : strlen(text);
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)length);
    GString *clean = g_string_new(NULL);
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        gsize bytes = (gsize)(g_utf8_next_char(at) - at);
        if (clean->len + bytes > NAME_TEXT_MAX)
            break;
        /* No line break and no change of direction gets into a message or a terminal. */
        g_string_append_len(clean, g_unichar_isprint(c) ? at : "?",
                            g_unichar_isprint(c) ? (gssize)bytes : 1);
    }
    g_strstrip(clean->str);
    return g_string_free(clean, FALSE);
}

char *hearth_device_make_id(const char *const *parts)
{
    GString *id = g_string_new(NULL);
    for (; *parts; parts++) {
        if (!**parts)
            continue;
        if (id->len)
            g_string_append_c(id, '-');
        for (const char *at = *parts; *at && id->len < ID_MAX; at++) {
            char c = g_ascii_tolower(*at);
            gboolean plain = g_ascii_isalnum(c) || ((c == '.' || c == '_') && id->len);
            if (plain)
                g_string_append_c(id, c);
            else if (id->len && id->str[id->len - 1] != '-')
                g_string_append_c(id, '-');
        }
    }
    while (id->len && id->str[id->len - 1] == '-')
        g_string_truncate(id, id->len - 1);
    return g_string_free(id, FALSE);
}

/* The digits differ for two places whose plain names agree. */
static char *place_id(const char *kind, const char *place)
{
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, place, -1);
    g_autofree char *base = g_path_get_basename(place);
    digest[ID_HASH] = '\0';
    base[MIN(strlen(base), (gsize)40)] = '\0';
    return hearth_device_make_id((const char *const[]){kind, base, digest, NULL});
}

/* The name under /dev/disk/by-uuid whose block device is `device`; NULL if there is none. */
static char *uuid_of(dev_t device)
{
    static const char FOLDER[] = "/dev/disk/by-uuid";
    g_autoptr(GDir) folder = g_dir_open(FOLDER, 0, NULL);
    const char *name;
    while (folder && (name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(FOLDER, name, NULL);
        struct stat status;
        if (stat(path, &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == device)
            return g_strdup(name);
    }
    return NULL;
}

/* A folder is the root of a file system when its parent is on another one. */
static gboolean is_mount_point(const char *path, const struct stat *status)
{
    g_autofree char *parent = g_path_get_dirname(path);
    struct stat above;
    return stat(parent, &above) == 0 && above.st_dev != status->st_dev;
}

static HearthDevice *device_new(const char *driver, char *port, char *id, char *model)
{
    HearthDevice *device = g_new0(HearthDevice, 1);
    *device = (HearthDevice){.id = id,
                             .driver = g_strdup(driver),
                             .port = port,
                             .vendor = g_strdup(""),
                             .model = model,
                             .serial = g_strdup("")};
    return device;
}

static HearthDevice *device_from_folder(const char *scheme, const char *path, GError **error)
{
    g_autofree char *real = realpath(path, NULL);
    struct stat status;
    if (!real || stat(real, &status) != 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no folder %s", path);
        return NULL;
    }
    if (!S_ISDIR(status.st_mode) || !g_utf8_validate(real, -1, NULL)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    S_ISDIR(status.st_mode) ? "the name of folder %s is not UTF-8"
                                            : "%s is not a folder",
                    path);
        return NULL;
    }
    gboolean volume = g_str_equal(scheme, "volume");
    g_autofree char *uuid = is_mount_point(real, &status) ? uuid_of(status.st_dev) : NULL;
    g_autofree char *base = g_path_get_basename(real);
    char *id = uuid ? hearth_device_make_id((const char *const[]){scheme, uuid, NULL})
                    : place_id(scheme, real);
    HearthDevice *device =
        device_new(volume ? "volume" : "gphoto2", g_strdup_printf("%s:%s", scheme, real), id,
                   hearth_device_clean_text(base, -1));
    if (uuid) {
        g_free(device->serial);
        device->serial = g_steal_pointer(&uuid);
    }
    return device;
}

static HearthDevice *device_from_host(const char *host, GError **error)
{
    gsize size = strlen(host);
    gboolean plain = size > 0 && size <= PTPIP_HOST_MAX;
    for (const char *at = host; *at && plain; at++)
        plain = g_ascii_isalnum(*at) || strchr(".-:[]_%", *at);
    if (!plain) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "\"%s\" is not the name or address of a camera in the network", host);
        return NULL;
    }
    return device_new("gphoto2", g_strconcat("ptpip:", host, NULL), place_id("ptpip", host),
                      g_strdup_printf("camera at %s", host));
}

HearthDevice *hearth_device_from_port(const char *port, GError **error)
{
    const char *colon = strchr(port, ':');
    const char *place = colon ? colon + 1 : "";
    if (g_str_has_prefix(port, "volume:") && *place)
        return device_from_folder("volume", place, error);
    if (g_str_has_prefix(port, "disk:") && *place)
        return device_from_folder("disk", place, error);
    if (g_str_has_prefix(port, "ptpip:"))
        return device_from_host(place, error);
    if (g_str_has_prefix(port, "usb:"))
        return hearth_device_from_usb(place, error);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "\"%s\" is not a port: disk:PATH, volume:PATH, ptpip:HOST or usb:BUS,DEV", port);
    return NULL;
}

const char *hearth_device_check_path(const char *path, gsize size)
{
    if (size < 2 || path[0] != '/')
        return "it has no name";
    if (size > HEARTH_DEVICE_MAX_PATH)
        return "its path is too long";
    for (gsize at = 1, end; at <= size; at = end + 1) {
        const char *slash = memchr(path + at, '/', size - at);
        end = slash ? (gsize)(slash - path) : size;
        const char *reason = hearth_device_check_name(path + at, end - at);
        if (reason)
            return reason;
    }
    return NULL;
}

const char *hearth_device_check_name(const char *name, gsize size)
{
    if (size == 0)
        return "it has no name";
    if (size > HEARTH_DEVICE_MAX_NAME)
        return "its name is too long";
    if (memchr(name, '/', size) || memchr(name, '\0', size))
        return "its name has a slash or a zero byte";
    if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
        return "its name stands for a folder";
    return NULL;
}

HearthDeviceObject *hearth_device_object_copy(const HearthDeviceObject *object)
{
    HearthDeviceObject *copy = g_new(HearthDeviceObject, 1);
    *copy = *object;
    copy->path = g_strdup(object->path);
    copy->media_type = g_strdup(object->media_type);
    copy->storage = g_strdup(object->storage);
    copy->refusal = g_strdup(object->refusal);
    return copy;
}

void hearth_device_object_clear(HearthDeviceObject *object)
{
    g_free(object->path);
    g_free(object->media_type);
    g_free(object->storage);
    g_free(object->refusal);
    memset(object, 0, sizeof *object);
}

void hearth_device_object_free(HearthDeviceObject *object)
{
    if (!object)
        return;
    hearth_device_object_clear(object);
    g_free(object);
}
