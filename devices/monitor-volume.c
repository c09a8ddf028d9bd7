#include "devices/monitor-private.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The kernel says by POLLPRI on mountinfo that a mount came or went. Looking into a new one may
 * hang (a dying card), so a thread does it, which nobody waits for.
 */

#define MOUNTINFO "/proc/self/mountinfo"

struct HearthVolumeWatch {
    gatomicrefcount references; /* the monitor's and the thread's */
    int stop;                   /* eventfd, readable when the thread shall end */
    HearthMonitorInbox *inbox;
    GHashTable *known; /* mount id → NULL, or place (owned) if reported; the thread's */
};

static void watch_unref(HearthVolumeWatch *watch)
{
    if (!g_atomic_ref_count_dec(&watch->references))
        return;
    hearth_close_at(&watch->stop);
    hearth_monitor_inbox_unref(watch->inbox);
    g_hash_table_unref(watch->known);
    g_free(watch);
}

/* Space, tab, newline and backslash stand as \ooo. */
static char *unescape(const char *text)
{
    GString *plain = g_string_new(NULL);
    for (const char *at = text; *at; at++) {
        gboolean escaped = at[0] == '\\' && strspn(at + 1, "01234567") >= 3;
        char digits[4] = {0};
        if (escaped)
            memcpy(digits, at + 1, 3);
        g_string_append_c(plain, escaped ? (char)strtoul(digits, NULL, 8) : *at);
        at += escaped ? 3 : 0;
    }
    return g_string_free(plain, FALSE);
}

/* File systems that cards and disks have. Others are of the kernel's own, or of the network. */
static gboolean may_be_card(const char *type)
{
    static const char *const TYPES[] = {"vfat", "msdos",   "exfat", "ntfs",    "ntfs3", "fuseblk",
                                        "hfs",  "hfsplus", "udf",   "iso9660", "ext2",  "ext3",
                                        "ext4", "xfs",     "btrfs", "f2fs",    "tmpfs"};
    for (gsize i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (strcmp(type, TYPES[i]) == 0)
            return TRUE;
    return FALSE;
}

void hearth_mount_clear(HearthMount *mount)
{
    g_clear_pointer(&mount->point, g_free);
    g_clear_pointer(&mount->type, g_free);
}

/* "36 35 98:0 /root /mnt/card rw,noatime optional... - vfat /dev/sda1 rw" */
gboolean hearth_mount_parse(const char *line, HearthMount *ret_mount)
{
    g_auto(GStrv) head = g_strsplit(line, " ", 6);
    const char *tail = strstr(line, " - ");
    if (g_strv_length(head) < 6 || !tail)
        return FALSE;
    g_autofree char *point = unescape(head[4]);
    g_autofree char *type = g_strndup(tail + 3, strcspn(tail + 3, " \n"));
    guint64 id;
    if (!g_ascii_string_to_unsigned(head[0], 10, 0, G_MAXUINT, &id, NULL) || point[0] != '/' ||
        point[1] == '\0' || !may_be_card(type))
        return FALSE;
    *ret_mount = (HearthMount){(guint)id, g_steal_pointer(&point), g_steal_pointer(&type)};
    return TRUE;
}

static gboolean has_dcim(const char *point)
{
    static const char *const NAMES[] = {"DCIM", "dcim"};
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autofree char *path = g_build_filename(point, NAMES[i], NULL);
        struct stat status;
        if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
            return TRUE;
    }
    return FALSE;
}

static void report_mount(HearthVolumeWatch *watch, const HearthMount *mount)
{
    g_autofree char *port = g_strconcat("volume:", mount->point, NULL);
    g_autofree char *place = g_strdup_printf("mount:%u", mount->id);
    HearthDevice *device = has_dcim(mount->point) ? hearth_device_from_port(port, NULL) : NULL;
    gboolean reported = device != NULL;
    if (reported)
        hearth_monitor_inbox_post(watch->inbox, place, device);
    g_hash_table_insert(watch->known, GUINT_TO_POINTER(mount->id),
                        reported ? g_steal_pointer(&place) : NULL);
}

static void report_unmounted(HearthVolumeWatch *watch, GHashTable *present)
{
    GHashTableIter iter;
    gpointer id, place;
    g_hash_table_iter_init(&iter, watch->known);
    while (g_hash_table_iter_next(&iter, &id, &place)) {
        if (g_hash_table_contains(present, id))
            continue;
        if (place)
            hearth_monitor_inbox_post(watch->inbox, place, NULL);
        g_hash_table_iter_remove(&iter);
    }
}

static void scan(HearthVolumeWatch *watch)
{
    g_autofree char *text = NULL;
    g_autoptr(GHashTable) present = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) fresh = g_ptr_array_new();
    if (!g_file_get_contents(MOUNTINFO, &text, NULL, NULL))
        return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(HearthMount) mount = {0};
        if (!hearth_mount_parse(*line, &mount))
            continue;
        g_hash_table_add(present, GUINT_TO_POINTER(mount.id));
        if (!g_hash_table_contains(watch->known, GUINT_TO_POINTER(mount.id)))
            g_ptr_array_add(fresh, *line);
    }
    /* First what went: a card taken out and put back is two events, in this order. */
    report_unmounted(watch, present);
    for (guint i = 0; i < fresh->len; i++) {
        g_auto(HearthMount) mount = {0};
        if (hearth_mount_parse(fresh->pdata[i], &mount))
            report_mount(watch, &mount);
    }
}

static gpointer watch_mounts(gpointer data)
{
    HearthVolumeWatch *watch = data;
    hearth_autofd int mounts = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
    struct pollfd fds[] = {{.fd = mounts, .events = POLLPRI},
                           {.fd = watch->stop, .events = POLLIN}};
    while (!fds[1].revents) {
        scan(watch);
        while (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno == EINTR)
            continue;
    }
    watch_unref(watch);
    return NULL;
}

HearthVolumeWatch *hearth_volume_watch_start(HearthMonitorInbox *inbox, GError **error)
{
    if (access(MOUNTINFO, R_OK) != 0) {
        hearth_set_errno(error, errno, "cannot watch the mounted volumes in %s", MOUNTINFO);
        return NULL;
    }
    HearthVolumeWatch *watch = g_new0(HearthVolumeWatch, 1);
    g_atomic_ref_count_init(&watch->references);
    g_atomic_ref_count_inc(&watch->references);
    watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch->inbox = hearth_monitor_inbox_ref(inbox);
    watch->known = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    GThread *thread = g_thread_try_new("hearth-mounts", watch_mounts, watch, error);
    if (thread) {
        g_thread_unref(thread);
        return watch;
    }
    watch_unref(watch);
    watch_unref(watch);
    return NULL;
}

void hearth_volume_watch_stop(HearthVolumeWatch *watch)
{
    const guint64 one = 1;
    if (!watch)
        return;
    if (write(watch->stop, &one, sizeof one) != (ssize_t)sizeof one)
        g_warn_if_reached();
    watch_unref(watch);
}
