#include "devices/driver.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

G_DEFINE_QUARK(hearth - driver - state - error, hearth_driver_state_error)

static gboolean set_state(GError **error, HearthDeviceState state, const char *sentence)
{
    g_set_error_literal(error, HEARTH_DRIVER_STATE_ERROR, state, sentence);
    return FALSE;
}

gboolean hearth_driver_set_busy(GError **error)
{
    return set_state(error, HEARTH_DEVICE_BUSY,
                     "Another program holds the device. Close the desktop's photo window, or run: "
                     "gio mount -s gphoto2");
}

gboolean hearth_driver_set_locked(GError **error)
{
    return set_state(error, HEARTH_DEVICE_LOCKED,
                     "The device does not let anyone look at its files. Unlock the phone and "
                     "choose File transfer, or allow access when it asks.");
}

gboolean hearth_driver_set_no_storage(GError **error)
{
    return set_state(error, HEARTH_DEVICE_NO_STORAGE,
                     "The device shows no storage. Unlock the phone and choose File transfer, or "
                     "put a card into the camera.");
}

gboolean hearth_driver_set_gone(GError **error)
{
    return set_state(error, HEARTH_DEVICE_GONE, "the device does not answer any more");
}

gboolean hearth_driver_set_changed(GError **error, const char *path)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT,
                "%s is not the file that was listed any more", path);
    return FALSE;
}

gboolean hearth_driver_same(const HearthDeviceObject *listed, gint64 size, gint64 mtime)
{
    return listed->size == size && listed->mtime == mtime;
}

gboolean hearth_driver_refuse(const char *folder, const char *name, gboolean is_folder,
                              const char *reason, HearthDriverListFunc func, gpointer user_data,
                              GError **error)
{
    g_autofree char *base = hearth_device_clean_text(*name ? name : "?", -1);
    g_autofree char *above = g_utf8_make_valid(folder, -1);
    g_autofree char *path = g_strconcat(above, "/", base, NULL);
    if (strlen(path) > HEARTH_DEVICE_MAX_PATH) {
        g_free(path);
        path = g_strconcat("/.../", base, NULL);
    }
    HearthDeviceObject object = {.path = path,
                                 .size = HEARTH_SIZE_UNKNOWN,
                                 .mtime = HEARTH_MTIME_UNKNOWN,
                                 .is_folder = is_folder,
                                 .refusal = (char *)reason};
    return func(&object, user_data, error);
}

gboolean hearth_driver_emit(const char *folder, const char *name, const HearthDeviceObject *rest,
                            HearthDriverListFunc func, gpointer user_data, GError **error)
{
    g_autofree char *path = g_strconcat(folder, "/", name, NULL);
    const char *reason = hearth_device_check_name(name, strlen(name));
    if (!reason)
        reason = hearth_device_check_path(path, strlen(path));
    if (reason)
        return hearth_driver_refuse(folder, name, rest->is_folder, reason, func, user_data, error);
    HearthDeviceObject object = *rest;
    object.path = path;
    return func(&object, user_data, error);
}

gboolean hearth_driver_is_system_folder(const char *name)
{
    static const char *const NAMES[] = {
        "$RECYCLE.BIN",    "System Volume Information", "lost+found",
        ".Trashes",        ".Spotlight-V100",           ".fseventsd",
        ".TemporaryItems", ".DocumentRevisions-V100",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
        if (g_ascii_strcasecmp(name, NAMES[i]) == 0)
            return TRUE;
    /* .Trash-1000: the Linux desktops' bin of one user. */
    return g_str_has_prefix(name, ".Trash-");
}

gboolean hearth_driver_is_wall_clock(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 && status.f_type == MSDOS_SUPER_MAGIC;
}
