#include "devices/driver.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <gphoto2/gphoto2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Cameras through libgphoto2: on USB, in the network (ptpip:) and folders that play a camera
 * (disk:). What it does not say truly, and what is done about it:
 *
 * - Sizes of PTP have 32 bits. 0xFFFFFFFF means "this or more" and becomes unknown; the object is
 *   then read piece by piece until nothing comes. gp_camera_file_get() would cut it silently.
 * - Some cameras give the size of a large film modulo 2^32 instead. So after the last byte of what
 *   is no picture one more is asked for; if it comes, the fetch fails rather than file a torso.
 * - "File not found" is also said by a camera that froze or is gone; see set_failure().
 * - Lists come from a cache that sees no new file. The shadow therefore lists only in a session
 *   that was just opened.
 * - A folder's files of types the library does not know, and its hidden folders, are in no list.
 *   So the volume driver walks the folder too, and what only it saw it also fetches.
 */

#define PTP_SIZE_UNKNOWN 0xFFFFFFFFu
#define PTP_SIZE_LIMIT (G_GUINT64_CONSTANT(1) << 32) /* bytes: where sizes of 32 bits wrap */
#define PTPIP_NUMBER_SIZE 16                         /* bytes of the initiator's GUID */
#define DISK_PATH_MAX 1000 /* bytes: libgphoto2's "directory" cuts paths at 1024 */

struct HearthDriverSession {
    Camera *camera;
    GPContext *context;
    char *folder;               /* (nullable): of disk: */
    HearthDriverSession *plain; /* (nullable): of disk:, a session of the volume driver */
    gboolean partial;           /* the camera's driver reads pieces without fetching the whole */
    gboolean mtime_is_utc;      /* only folders know */
    guint8 *buffer;             /* HEARTH_DRIVER_PIECE bytes */
};

typedef struct {
    HearthDriverSession *session;
    HearthDriverListFunc func;
    gpointer user_data;
} Walk;

/* A listing of what another listing left out. */
typedef struct {
    GHashTable *listed; /* set of paths */
    HearthDriverListFunc func;
    gpointer user_data;
} Rest;

/* A whole fetch through a library that pushes bytes. */
typedef struct {
    HearthSink *sink;
    guint64 skip; /* bytes still to be dropped before the offset */
    GError *error;
} Push;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CameraList, gp_list_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CameraFile, gp_file_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CameraAbilitiesList, gp_abilities_list_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GPPortInfoList, gp_port_info_list_free)

/* The one place where libgphoto2's codes become ours. */
static HearthError code_of(int result)
{
    switch (result) {
    case GP_ERROR_BAD_PARAMETERS:
    case GP_ERROR_PATH_NOT_ABSOLUTE:
    case GP_ERROR_UNKNOWN_PORT:
        return HEARTH_ERROR_INVALID;
    case GP_ERROR_NOT_SUPPORTED:
    case GP_ERROR_IO_SUPPORTED_SERIAL:
    case GP_ERROR_IO_SUPPORTED_USB:
        return HEARTH_ERROR_UNSUPPORTED;
    case GP_ERROR_NO_MEMORY:
    case GP_ERROR_FIXED_LIMIT_EXCEEDED:
        return HEARTH_ERROR_LIMIT;
    case GP_ERROR_TIMEOUT:
        return HEARTH_ERROR_TIMED_OUT;
    case GP_ERROR_IO:
    case GP_ERROR_IO_INIT:
    case GP_ERROR_IO_READ:
    case GP_ERROR_IO_WRITE:
    case GP_ERROR_IO_UPDATE:
    case GP_ERROR_IO_SERIAL_SPEED:
    case GP_ERROR_IO_USB_CLEAR_HALT:
        return HEARTH_ERROR_IO;
    case GP_ERROR_IO_USB_FIND:
    case GP_ERROR_MODEL_NOT_FOUND:
        return HEARTH_ERROR_GONE;
    case GP_ERROR_IO_USB_CLAIM:
    case GP_ERROR_IO_LOCK:
    case GP_ERROR_CAMERA_BUSY:
        return HEARTH_ERROR_BUSY;
    case GP_ERROR_CORRUPTED_DATA:
        return HEARTH_ERROR_PROTOCOL;
    case GP_ERROR_FILE_EXISTS:
    case GP_ERROR_DIRECTORY_EXISTS:
        return HEARTH_ERROR_EXISTS;
    case GP_ERROR_DIRECTORY_NOT_FOUND:
    case GP_ERROR_FILE_NOT_FOUND:
        return HEARTH_ERROR_NOT_FOUND;
    case GP_ERROR_CANCEL:
        return HEARTH_ERROR_CANCELLED;
    case GP_ERROR_NO_SPACE:
        return HEARTH_ERROR_NO_SPACE;
    default:
        return HEARTH_ERROR_FAILED;
    }
}

/* Asks the device something that no cache can answer. */
static gboolean is_gone(HearthDriverSession *session)
{
    CameraStorageInformation *storages = NULL;
    int count = 0;
    if (session->folder)
        return access(session->folder, R_OK) != 0;
    int result = gp_camera_get_storageinfo(session->camera, &storages, &count, session->context);
    free(storages);
    return result < 0 && result != GP_ERROR_NOT_SUPPORTED;
}

/* `session` NULL: the device is being opened. */
static gboolean set_failure(HearthDriverSession *session, int result, const char *what,
                            const char *path, GError **error)
{
    HearthError code = code_of(result);
    if (code == HEARTH_ERROR_BUSY)
        return hearth_driver_set_busy(error);
    if (code == HEARTH_ERROR_GONE ||
        (session && (code == HEARTH_ERROR_NOT_FOUND || code == HEARTH_ERROR_IO) &&
         is_gone(session)))
        return hearth_driver_set_gone(error);
    g_set_error(error, HEARTH_ERROR, code, "cannot %s %s: %s", what, path,
                gp_result_as_string(result));
    return FALSE;
}

/* The camera's model by the library's own names; NULL if it knows none for this port. */
static char *find_model(const char *place, CameraAbilitiesList *abilities, GPPortInfoList *ports,
                        GPContext *context)
{
    g_autoptr(CameraList) found = NULL;
    if (g_str_has_prefix(place, "disk:"))
        return g_strdup("Mass Storage Camera");
    if (g_str_has_prefix(place, "ptpip:"))
        return g_strdup("PTP/IP Camera");
    if (gp_list_new(&found) < 0 || gp_abilities_list_detect(abilities, ports, found, context) < 0)
        return NULL;
    for (int i = 0; i < gp_list_count(found); i++) {
        const char *model = NULL, *at = NULL;
        if (gp_list_get_name(found, i, &model) >= 0 && gp_list_get_value(found, i, &at) >= 0 &&
            g_strcmp0(at, place) == 0)
            return g_strdup(model);
    }
    return NULL;
}

/* Sets what the camera is and where; a result of the library. */
static int choose(HearthDriverSession *session, const char *place)
{
    g_autoptr(CameraAbilitiesList) abilities = NULL;
    g_autoptr(GPPortInfoList) ports = NULL;
    GPPortInfo port;
    CameraAbilities ability;
    int result = gp_abilities_list_new(&abilities);
    if (result >= 0)
        result = gp_abilities_list_load(abilities, session->context);
    if (result >= 0)
        result = gp_port_info_list_new(&ports);
    if (result >= 0)
        result = gp_port_info_list_load(ports);
    if (result >= 0)
        result = gp_port_info_list_lookup_path(ports, place);
    if (result >= 0)
        result = gp_port_info_list_get_info(ports, result, &port);
    if (result < 0)
        return result;
    g_autofree char *model = find_model(place, abilities, ports, session->context);
    result = model ? gp_abilities_list_lookup_model(abilities, model) : GP_ERROR_MODEL_NOT_FOUND;
    if (result >= 0)
        result = gp_abilities_list_get_abilities(abilities, result, &ability);
    if (result >= 0)
        result = gp_camera_set_abilities(session->camera, ability);
    if (result >= 0)
        result = gp_camera_set_port_info(session->camera, port);
    session->partial = result >= 0 && strstr(ability.library, "ptp2") != NULL;
    return result;
}

/* The value after `label` in a text of lines; NULL if there is none. */
static char *value_after(const char *text, const char *label)
{
    const char *at = strstr(text, label);
    if (!at)
        return NULL;
    at += strlen(label);
    return g_strstrip(g_strndup(at, strcspn(at, "\r\n")));
}

/* On USB the machine knows these already. */
static void identify_network_camera(HearthDriverSession *session, HearthDriverIdentity *identity)
{
    g_autofree CameraText *summary = g_new0(CameraText, 1);
    if (gp_camera_get_summary(session->camera, summary, session->context) < 0)
        return;
    summary->text[sizeof summary->text - 1] = '\0';
    identity->vendor = value_after(summary->text, "Manufacturer: ");
    identity->model = value_after(summary->text, "Model: ");
    identity->serial = value_after(summary->text, "Serial Number: ");
}

/* A locked phone, and a camera without a card, open well and have nothing. */
static gboolean check_storage(HearthDriverSession *session, GError **error)
{
    CameraStorageInformation *storages = NULL;
    int count = 0;
    int result = gp_camera_get_storageinfo(session->camera, &storages, &count, session->context);
    free(storages);
    if (result == GP_ERROR_NOT_SUPPORTED || (result >= 0 && count > 0))
        return TRUE;
    if (result >= 0)
        return hearth_driver_set_no_storage(error);
    return set_failure(NULL, result, "ask for", "the storage", error);
}

static void gphoto2_close(HearthDriverSession *session)
{
    if (session->camera) {
        gp_camera_exit(session->camera, session->context);
        gp_camera_unref(session->camera);
    }
    if (session->context)
        gp_context_unref(session->context);
    if (session->plain)
        HEARTH_DRIVER_VOLUME.close(session->plain);
    g_free(session->folder);
    g_free(session->buffer);
    g_free(session);
}

/*
 * A camera in the network asks its owner once for each computer, which it knows by this number. The
 * library would draw a new one at each start, having nowhere to keep it.
 */
static void set_own_number(void)
{
    g_autofree char *text = g_strconcat("hearth ", g_get_host_name(), NULL);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    GString *number = g_string_new(NULL);
    for (guint i = 0; i < PTPIP_NUMBER_SIZE; i++)
        g_string_append_printf(number, "%s%.2s", i > 0 ? ":" : "", digest + (gsize)2 * i);
    gp_setting_set((char *)"ptp2_ip", (char *)"guid", number->str);
    g_string_free(number, TRUE);
}

static gboolean open_camera(HearthDriverSession *session, const char *place, GError **error)
{
    session->context = gp_context_new();
    if (g_str_has_prefix(place, "ptpip:"))
        set_own_number();
    int result = gp_camera_new(&session->camera);
    if (result >= 0)
        result = choose(session, place);
    if (result >= 0)
        result = gp_camera_init(session->camera, session->context);
    if (result < 0)
        return set_failure(NULL, result, "open", place, error);
    return session->folder ? TRUE : check_storage(session, error);
}

/* A folder that plays a camera has no one to say that it is gone. */
static gboolean open_folder(HearthDriverSession *session, const char *place, gboolean may_change,
                            HearthDriverIdentity *identity, GError **error)
{
    const char *path = place + strlen("disk:");
    hearth_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return hearth_driver_set_gone(error);
    if (fd < 0)
        return hearth_set_errno(error, errno, "cannot open %s", path);
    session->plain = HEARTH_DRIVER_VOLUME.open(path, may_change, identity, error);
    if (!session->plain)
        return FALSE;
    session->folder = g_strdup(path);
    session->mtime_is_utc = !hearth_driver_is_wall_clock(fd);
    return TRUE;
}

static HearthDriverSession *gphoto2_open(const char *place, gboolean may_change,
                                         HearthDriverIdentity *ret_identity, GError **error)
{
    HearthDriverSession *session = g_new0(HearthDriverSession, 1);
    gboolean disk = g_str_has_prefix(place, "disk:");
    if ((disk && !open_folder(session, place, may_change, ret_identity, error)) ||
        !open_camera(session, place, error)) {
        gphoto2_close(session);
        return NULL;
    }
    session->buffer = g_malloc(HEARTH_DRIVER_PIECE);
    ret_identity->can_change = may_change || !disk;
    if (g_str_has_prefix(place, "ptpip:"))
        identify_network_camera(session, ret_identity);
    return session;
}

static HearthDeviceObject object_of(const HearthDriverSession *session, const CameraFileInfo *info)
{
    HearthDeviceObject object = {.size = HEARTH_SIZE_UNKNOWN,
                                 .mtime = HEARTH_MTIME_UNKNOWN,
                                 .mtime_is_utc = session->mtime_is_utc};
    gboolean wrapped = !session->folder && info->file.size >= PTP_SIZE_UNKNOWN;
    if (info->file.fields & GP_FILE_INFO_SIZE && !wrapped && info->file.size <= G_MAXINT64)
        object.size = (gint64)info->file.size;
    if (info->file.fields & GP_FILE_INFO_MTIME && info->file.mtime != 0)
        object.mtime = info->file.mtime;
    return object;
}

/* libgphoto2 follows links; a card has none, and a folder's may lead anywhere. */
static const char *refusal_of_disk(const HearthDriverSession *session, const char *folder,
                                   const char *name)
{
    if (!session->folder)
        return NULL;
    g_autofree char *path = g_strconcat(session->folder, folder, "/", name, NULL);
    struct stat status;
    if (strlen(path) > DISK_PATH_MAX)
        return "its path is too long";
    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode) ? "it is a link, not a file" : NULL;
}

static const char *root_or(const char *folder)
{
    return *folder ? folder : "/";
}

static gboolean refuse(const Walk *walk, const char *folder, const char *name, gboolean is_folder,
                       const char *reason, GError **error)
{
    return hearth_driver_refuse(folder, name, is_folder, reason, walk->func, walk->user_data,
                                error);
}

static gboolean walk_file(const Walk *walk, const char *folder, const char *name, GError **error)
{
    HearthDriverSession *session = walk->session;
    CameraFileInfo info = {0};
    const char *reason = refusal_of_disk(session, folder, name);
    if (!reason)
        reason = hearth_device_check_name(name, strlen(name));
    if (reason)
        return refuse(walk, folder, name, FALSE, reason, error);
    int result =
        gp_camera_file_get_info(session->camera, root_or(folder), name, &info, session->context);
    if (result < 0)
        return is_gone(session)
                   ? hearth_driver_set_gone(error)
                   : refuse(walk, folder, name, FALSE, gp_result_as_string(result), error);
    info.file.type[sizeof info.file.type - 1] = '\0';
    HearthDeviceObject object = object_of(session, &info);
    g_auto(GStrv) parts = session->folder ? NULL : g_strsplit(folder, "/", 3);
    object.storage = parts && parts[0] ? parts[1] : NULL;
    object.media_type = info.file.fields & GP_FILE_INFO_TYPE ? info.file.type : NULL;
    return hearth_driver_emit(folder, name, &object, walk->func, walk->user_data, error);
}

static gboolean walk_files(const Walk *walk, const char *folder, GError **error)
{
    g_autoptr(CameraList) files = NULL;
    int result = gp_list_new(&files);
    if (result >= 0)
        result = gp_camera_folder_list_files(walk->session->camera, root_or(folder), files,
                                             walk->session->context);
    if (result < 0 && is_gone(walk->session))
        return hearth_driver_set_gone(error);
    if (result < 0)
        return refuse(walk, folder, "...", TRUE,
                      result == GP_ERROR_FILE_EXISTS
                          ? "two of its files have one name, which libgphoto2 cannot list"
                          : gp_result_as_string(result),
                      error);
    int count = gp_list_count(files);
    for (int i = 0; i < count; i++) {
        const char *name;
        if (gp_list_get_name(files, i, &name) >= 0 && !walk_file(walk, folder, name, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean walk_folder(const Walk *walk, const char *folder, guint depth, GError **error);

static gboolean walk_into(const Walk *walk, const char *folder, const char *name, guint depth,
                          GError **error)
{
    HearthDeviceObject object = {
        .size = HEARTH_SIZE_UNKNOWN, .mtime = HEARTH_MTIME_UNKNOWN, .is_folder = TRUE};
    const char *reason = refusal_of_disk(walk->session, folder, name);
    if (!reason)
        reason = hearth_device_check_name(name, strlen(name));
    if (!reason && depth >= HEARTH_DEVICE_MAX_DEPTH)
        reason = "it is too deep inside other folders";
    if (reason)
        return refuse(walk, folder, name, TRUE, reason, error);
    if (hearth_driver_is_system_folder(name))
        return TRUE;
    if (!hearth_driver_emit(folder, name, &object, walk->func, walk->user_data, error))
        return FALSE;
    g_autofree char *path = g_strconcat(folder, "/", name, NULL);
    return strlen(path) > HEARTH_DEVICE_MAX_PATH || walk_folder(walk, path, depth + 1, error);
}

/* `folder` is "" for the root. */
static gboolean walk_folder(const Walk *walk, const char *folder, guint depth, GError **error)
{
    g_autoptr(CameraList) folders = NULL;
    if (!walk_files(walk, folder, error))
        return FALSE;
    int result = gp_list_new(&folders);
    if (result >= 0)
        result = gp_camera_folder_list_folders(walk->session->camera, root_or(folder), folders,
                                               walk->session->context);
    if (result < 0 && is_gone(walk->session))
        return hearth_driver_set_gone(error);
    if (result < 0)
        return refuse(walk, folder, "...", TRUE, gp_result_as_string(result), error);
    int count = gp_list_count(folders);
    for (int i = 0; i < count; i++) {
        const char *name;
        if (gp_list_get_name(folders, i, &name) >= 0 &&
            !walk_into(walk, folder, name, depth, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean list_and_note(const HearthDeviceObject *object, gpointer user_data, GError **error)
{
    Rest *rest = user_data;
    g_hash_table_add(rest->listed, g_strdup(object->path));
    return rest->func(object, rest->user_data, error);
}

static gboolean list_unless_noted(const HearthDeviceObject *object, gpointer user_data,
                                  GError **error)
{
    Rest *rest = user_data;
    return g_hash_table_contains(rest->listed, object->path) ||
           rest->func(object, rest->user_data, error);
}

static gboolean list_disk(HearthDriverSession *session, HearthDriverListFunc func,
                          gpointer user_data, GError **error)
{
    g_autoptr(GHashTable) listed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Rest rest = {listed, func, user_data};
    Walk walk = {session, list_and_note, &rest};
    return walk_folder(&walk, "", 0, error) &&
           HEARTH_DRIVER_VOLUME.list(session->plain, list_unless_noted, &rest, error);
}

static gboolean gphoto2_list(HearthDriverSession *session, HearthDriverListFunc func,
                             gpointer user_data, GError **error)
{
    Walk walk = {session, func, user_data};
    return session->plain ? list_disk(session, func, user_data, error)
                          : walk_folder(&walk, "", 0, error);
}

/* Splits a path into the library's folder and name. */
static char *split(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash + 1;
    return slash == path ? g_strdup("/") : g_strndup(path, (gsize)(slash - path));
}

/* TRUE for what is in the folder, perhaps, and in no list of the library's. */
static gboolean is_plain(HearthDriverSession *session, const char *folder, const char *name)
{
    CameraFileInfo info;
    if (!session->plain)
        return FALSE;
    int result = gp_camera_file_get_info(session->camera, folder, name, &info, session->context);
    return result == GP_ERROR_FILE_NOT_FOUND || result == GP_ERROR_DIRECTORY_NOT_FOUND;
}

static gboolean check_listed(HearthDriverSession *session, const HearthDeviceObject *object,
                             const char *folder, const char *name, CameraFileInfo *ret_info,
                             GError **error)
{
    memset(ret_info, 0, sizeof *ret_info);
    int result = gp_camera_file_get_info(session->camera, folder, name, ret_info, session->context);
    if (result < 0)
        return set_failure(session, result, "look at", object->path, error);
    HearthDeviceObject now = object_of(session, ret_info);
    return hearth_driver_same(object, now.size, now.mtime) ||
           hearth_driver_set_changed(error, object->path);
}

static gboolean set_too_large(GError **error, const char *path)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT,
                "%s is larger than the camera can say, and cannot be fetched whole over this "
                "connection; put its card into a reader",
                path);
    return FALSE;
}

/* One byte after the last: a film whose size wrapped round has it. */
static gboolean check_nothing_follows(HearthDriverSession *session, const CameraFileInfo *info,
                                      const char *folder, const char *name, const char *path,
                                      GError **error)
{
    uint64_t got = 1;
    gboolean picture =
        info->file.fields & GP_FILE_INFO_TYPE && g_str_has_prefix(info->file.type, "image/");
    if (picture || session->folder)
        return TRUE;
    int result =
        gp_camera_file_read(session->camera, folder, name, GP_FILE_TYPE_NORMAL, info->file.size,
                            (char *)session->buffer, &got, session->context);
    return result < 0 || got == 0 || set_too_large(error, path);
}

/* TRUE with *ret_done FALSE: the camera cannot read pieces. */
static gboolean fetch_pieces(HearthDriverSession *session, const HearthDeviceObject *object,
                             const char *folder, const char *name, guint64 offset, HearthSink *sink,
                             gboolean *ret_done, GError **error)
{
    guint64 end = object->size >= 0 ? (guint64)object->size : G_MAXUINT64;
    for (guint64 at = offset; at < end;) {
        uint64_t got = MIN(end - at, (guint64)HEARTH_DRIVER_PIECE);
        int result = gp_camera_file_read(session->camera, folder, name, GP_FILE_TYPE_NORMAL, at,
                                         (char *)session->buffer, &got, session->context);
        if (result == GP_ERROR_NOT_SUPPORTED && at == offset && object->size >= 0)
            return TRUE;
        if (result < 0 && object->size < 0 && at >= PTP_SIZE_LIMIT - HEARTH_DRIVER_PIECE)
            return set_too_large(error, object->path);
        if (result < 0)
            return set_failure(session, result, "read", object->path, error);
        /* The library itself stops there, whatever follows. */
        if (got == 0 && object->size < 0 && at >= PTP_SIZE_UNKNOWN)
            return set_too_large(error, object->path);
        if (got == 0)
            break;
        if (got > HEARTH_DRIVER_PIECE ||
            !hearth_sink_write(sink, session->buffer, (gsize)got, error))
            return FALSE;
        at += got;
    }
    *ret_done = TRUE;
    return TRUE;
}

static int push_bytes(void *user_data, unsigned char *data, uint64_t *size)
{
    Push *push = user_data;
    guint64 skipped = MIN(*size, push->skip);
    push->skip -= skipped;
    return hearth_sink_write(push->sink, data + skipped, (gsize)(*size - skipped), &push->error)
               ? GP_OK
               : GP_ERROR_CANCEL;
}

static int push_size(void *user_data, uint64_t *size)
{
    return GP_OK;
}

static int push_read(void *user_data, unsigned char *data, uint64_t *size)
{
    return GP_ERROR_NOT_SUPPORTED;
}

static gboolean fetch_whole(HearthDriverSession *session, const HearthDeviceObject *object,
                            const char *folder, const char *name, guint64 offset, HearthSink *sink,
                            GError **error)
{
    CameraFileHandler handler = {.size = push_size, .read = push_read, .write = push_bytes};
    Push push = {.sink = sink, .skip = offset};
    g_autoptr(CameraFile) file = NULL;
    int result = gp_file_new_from_handler(&file, &handler, &push);
    if (result >= 0)
        result = gp_camera_file_get(session->camera, folder, name, GP_FILE_TYPE_NORMAL, file,
                                    session->context);
    if (push.error) {
        g_propagate_error(error, push.error);
        return FALSE;
    }
    return result >= 0 || set_failure(session, result, "read", object->path, error);
}

static gboolean gphoto2_fetch(HearthDriverSession *session, const HearthDeviceObject *object,
                              guint64 offset, HearthSink *sink, GError **error)
{
    CameraFileInfo info;
    const char *name;
    gboolean done = FALSE;
    g_autofree char *folder = split(object->path, &name);
    if (is_plain(session, folder, name))
        return HEARTH_DRIVER_VOLUME.fetch(session->plain, object, offset, sink, error);
    if (!check_listed(session, object, folder, name, &info, error))
        return FALSE;
    if (session->partial &&
        !fetch_pieces(session, object, folder, name, offset, sink, &done, error))
        return FALSE;
    if (done)
        return object->size < 0 ||
               check_nothing_follows(session, &info, folder, name, object->path, error);
    if (object->size < 0)
        return set_too_large(error, object->path);
    return fetch_whole(session, object, folder, name, offset, sink, error);
}

static gboolean gphoto2_remove(HearthDriverSession *session, const HearthDeviceObject *object,
                               GError **error)
{
    CameraFileInfo info;
    const char *name;
    g_autofree char *folder = split(object->path, &name);
    if (is_plain(session, folder, name))
        return HEARTH_DRIVER_VOLUME.remove(session->plain, object, error);
    if (!check_listed(session, object, folder, name, &info, error))
        return FALSE;
    int result = gp_camera_file_delete(session->camera, folder, name, session->context);
    return result >= 0 || set_failure(session, result, "delete", object->path, error);
}

/* Makes each folder of `path` that is missing; one that is there answers with an error. */
static void make_folders(HearthDriverSession *session, const char *path)
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        g_autofree char *whole = g_strndup(path, (gsize)(slash - path));
        const char *name;
        g_autofree char *parent = split(whole, &name);
        gp_camera_folder_make_dir(session->camera, parent, name, session->context);
    }
}

static gboolean gphoto2_put(HearthDriverSession *session, const char *path, int fd, guint64 size,
                            GError **error)
{
    CameraFileInfo info = {0};
    g_autoptr(CameraFile) file = NULL;
    const char *name;
    g_autofree char *folder = split(path, &name);
    if (gp_camera_file_get_info(session->camera, folder, name, &info, session->context) >= 0)
        return set_failure(NULL, GP_ERROR_FILE_EXISTS, "create", path, error);
    make_folders(session, path);
    /* The library closes what it is given. */
    hearth_autofd int copy = dup(fd);
    if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0)
        return hearth_set_errno(error, errno, "cannot read the file to send to %s", path);
    int result = gp_file_new_from_fd(&file, copy);
    if (result < 0)
        return set_failure(NULL, result, "send", path, error);
    hearth_steal_fd(&copy);
    result = gp_camera_folder_put_file(session->camera, folder, name, GP_FILE_TYPE_NORMAL, file,
                                       session->context);
    return result >= 0 || set_failure(session, result, "send", path, error);
}

static gboolean gphoto2_space(HearthDriverSession *session, guint64 *ret_free, guint64 *ret_total,
                              GError **error)
{
    CameraStorageInformation *storages = NULL;
    int count = 0;
    int result = gp_camera_get_storageinfo(session->camera, &storages, &count, session->context);
    if (result < 0)
        return set_failure(session, result, "measure", "the storage", error);
    *ret_free = *ret_total = 0;
    for (int i = 0; i < count; i++) {
        if (storages[i].fields & GP_STORAGEINFO_FREESPACEKBYTES)
            *ret_free += storages[i].freekbytes * 1024;
        if (storages[i].fields & GP_STORAGEINFO_MAXCAPACITY)
            *ret_total += storages[i].capacitykbytes * 1024;
    }
    free(storages);
    return TRUE;
}

const HearthDriver HEARTH_DRIVER_GPHOTO2 = {
    .name = "gphoto2",
    .open = gphoto2_open,
    .list = gphoto2_list,
    .fetch = gphoto2_fetch,
    .remove = gphoto2_remove,
    .put = gphoto2_put,
    .space = gphoto2_space,
    .close = gphoto2_close,
};
