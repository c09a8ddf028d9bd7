#include "devices/driver.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"

#include <libmtp.h>
#include <libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Phones and players through libmtp, uncached: folder by folder, so that the first object comes at
 * once and nothing is held that is not needed. Paths begin with the storage, as libgphoto2 writes
 * it: /store_00010001/DCIM/... Handles are kept for the session alone, in `folders`.
 */

#define PTP_SIZE_UNKNOWN 0xFFFFFFFFu
#define PTP_OFFSET_LIMIT                                                                           \
    (G_GUINT64_CONSTANT(1) << 32) /* bytes; offsets of plain PTP have 32 bits */
#define STORE_FORMAT "store_%08x"

/* Answers of PTP and of libmtp's own layer below, of which only texts come through. */
#define PTP_INVALID_STORAGE 0x2008
#define PTP_INVALID_HANDLE 0x2009
#define PTP_STORE_FULL 0x200c
#define PTP_WRITE_PROTECTED 0x200d
#define PTP_STORE_READ_ONLY 0x200e
#define PTP_ACCESS_DENIED 0x200f
#define PTP_STORE_NOT_AVAILABLE 0x2013
#define PTP_DEVICE_BUSY 0x2019
#define PTP_LAYER_TIMEOUT 0x02fa
#define PTP_LAYER_IO 0x02ff

/* One object of a folder, as listed in this session. */
typedef struct {
    char *name;
    guint32 handle;
    gint64 size, mtime;
    gboolean is_folder;
} Entry;

struct HearthDriverSession {
    LIBMTP_mtpdevice_t *device;
    gboolean partial;    /* GetPartialObject works */
    GHashTable *folders; /* path (owned) → GPtrArray of Entry: what this session listed */
};

typedef struct {
    HearthDriverSession *session;
    HearthDriverListFunc func;
    gpointer user_data;
} Walk;

/* A whole fetch through a library that pushes bytes. */
typedef struct {
    HearthSink *sink;
    guint64 skip; /* bytes still to be dropped before the offset */
    GError *error;
} Push;

/* The place of a folder on the device. */
typedef struct {
    guint32 storage;
    guint32 handle;
} Folder;

static void entry_free(gpointer data)
{
    Entry *entry = data;
    g_free(entry->name);
    g_free(entry);
}

/* The code in "PTP Layer error 02ff: ..."; 0 if no error of the stack has one. */
static guint ptp_code(LIBMTP_error_t *errors)
{
    guint code = 0;
    for (; errors; errors = errors->next)
        if (errors->error_text && sscanf(errors->error_text, "PTP Layer error %4x", &code) == 1)
            return code;
    return 0;
}

static HearthError code_of_number(LIBMTP_error_number_t number)
{
    switch (number) {
    case LIBMTP_ERROR_MEMORY_ALLOCATION:
        return HEARTH_ERROR_LIMIT;
    case LIBMTP_ERROR_NO_DEVICE_ATTACHED:
        return HEARTH_ERROR_GONE;
    case LIBMTP_ERROR_STORAGE_FULL:
        return HEARTH_ERROR_NO_SPACE;
    case LIBMTP_ERROR_CANCELLED:
        return HEARTH_ERROR_CANCELLED;
    case LIBMTP_ERROR_PTP_LAYER:
    case LIBMTP_ERROR_USB_LAYER:
    case LIBMTP_ERROR_CONNECTING:
        return HEARTH_ERROR_IO;
    case LIBMTP_ERROR_NONE:
    case LIBMTP_ERROR_GENERAL:
        break;
    }
    return HEARTH_ERROR_FAILED;
}

/* The one place where libmtp's errors become ours; takes them off the device's stack. */
static gboolean set_failure(HearthDriverSession *session, const char *what, const char *path,
                            GError **error)
{
    LIBMTP_error_t *errors = LIBMTP_Get_Errorstack(session->device);
    HearthError code = errors ? code_of_number(errors->errornumber) : HEARTH_ERROR_FAILED;
    guint answer = ptp_code(errors);
    g_autofree char *text = hearth_device_clean_text(
        errors && errors->error_text ? errors->error_text : "no reason given", -1);
    LIBMTP_Clear_Errorstack(session->device);
    switch (answer) {
    case PTP_ACCESS_DENIED:
        return hearth_driver_set_locked(error);
    case PTP_STORE_NOT_AVAILABLE:
    case PTP_INVALID_STORAGE:
        return hearth_driver_set_no_storage(error);
    case PTP_INVALID_HANDLE:
        code = HEARTH_ERROR_NOT_FOUND;
        break;
    case PTP_STORE_FULL:
        code = HEARTH_ERROR_NO_SPACE;
        break;
    case PTP_WRITE_PROTECTED:
    case PTP_STORE_READ_ONLY:
        code = HEARTH_ERROR_READ_ONLY;
        break;
    case PTP_LAYER_TIMEOUT:
        code = HEARTH_ERROR_TIMED_OUT;
        break;
    case PTP_LAYER_IO:
        code = HEARTH_ERROR_IO;
        break;
    default:
        break;
    }
    if (code == HEARTH_ERROR_GONE)
        return hearth_driver_set_gone(error);
    g_set_error(error, HEARTH_ERROR, code, "cannot %s %s: %s", what, path, text);
    return FALSE;
}

/* The kernel's and libusb's word on a device that libmtp would not open. */
static gboolean set_open_failure(libusb_device *device, GError **error)
{
    libusb_device_handle *handle = NULL;
    int result = libusb_open(device, &handle);
    if (result == 0) {
        result = libusb_claim_interface(handle, 0);
        if (result == 0)
            libusb_release_interface(handle, 0);
        libusb_close(handle);
    }
    switch (result) {
    case LIBUSB_ERROR_BUSY:
        return hearth_driver_set_busy(error);
    case LIBUSB_ERROR_NO_DEVICE:
    case LIBUSB_ERROR_NOT_FOUND:
        return hearth_driver_set_gone(error);
    case LIBUSB_ERROR_ACCESS:
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_PERMISSION,
                            "Hearth may not open the device's USB node");
        return FALSE;
    default:
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_TIMED_OUT,
                            "the device does not answer; unplug it and plug it in again");
        return FALSE;
    }
}

/* The device at BUS,DEV; a reference, or NULL. */
static libusb_device *find_usb(libusb_context *usb, const char *place)
{
    guint bus, number;
    libusb_device **devices, *found = NULL;
    if (sscanf(place, "usb:%u,%u", &bus, &number) != 2)
        return NULL;
    ssize_t count = libusb_get_device_list(usb, &devices);
    for (ssize_t i = 0; i < count && !found; i++)
        if (libusb_get_bus_number(devices[i]) == bus &&
            libusb_get_device_address(devices[i]) == number)
            found = libusb_ref_device(devices[i]);
    if (count >= 0)
        libusb_free_device_list(devices, 1);
    return found;
}

/* What libmtp knows of the model: its many quirks. An unknown one has none. */
static LIBMTP_device_entry_t entry_of(libusb_device *device)
{
    struct libusb_device_descriptor descriptor = {0};
    LIBMTP_device_entry_t *known;
    int count = 0;
    libusb_get_device_descriptor(device, &descriptor);
    if (LIBMTP_Get_Supported_Devices_List(&known, &count) == 0)
        for (int i = 0; i < count; i++)
            if (known[i].vendor_id == descriptor.idVendor &&
                known[i].product_id == descriptor.idProduct)
                return known[i];
    return (LIBMTP_device_entry_t){.vendor_id = descriptor.idVendor,
                                   .product_id = descriptor.idProduct};
}

static gboolean open_device(HearthDriverSession *session, const char *place, GError **error)
{
    libusb_context *usb;
    if (libusb_init(&usb) != 0) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "there is no USB here");
        return FALSE;
    }
    libusb_device *device = find_usb(usb, place);
    if (device) {
        LIBMTP_raw_device_t raw = {.device_entry = entry_of(device),
                                   .bus_location = libusb_get_bus_number(device),
                                   .devnum = libusb_get_device_address(device)};
        session->device = LIBMTP_Open_Raw_Device_Uncached(&raw);
        if (!session->device)
            set_open_failure(device, error);
        libusb_unref_device(device);
    } else {
        hearth_driver_set_gone(error);
    }
    libusb_exit(usb);
    return session->device != NULL;
}

/* A locked phone opens well and shows no storage. */
static gboolean check_storage(HearthDriverSession *session, GError **error)
{
    int result = LIBMTP_Get_Storage(session->device, LIBMTP_STORAGE_SORTBY_NOTSORTED);
    guint answer = ptp_code(LIBMTP_Get_Errorstack(session->device));
    if (session->device->storage) {
        LIBMTP_Clear_Errorstack(session->device);
        return TRUE;
    }
    if (result < 0 && (answer == PTP_LAYER_IO || answer == PTP_LAYER_TIMEOUT))
        return set_failure(session, "ask for", "the storage", error);
    LIBMTP_Clear_Errorstack(session->device);
    return hearth_driver_set_no_storage(error);
}

static void mtp_close(HearthDriverSession *session)
{
    if (session->device)
        LIBMTP_Release_Device(session->device);
    g_hash_table_unref(session->folders);
    g_free(session);
}

/* Takes text that libmtp allocated. */
static char *take_text(char *text)
{
    char *copy = g_strdup(text);
    free(text);
    return copy;
}

static HearthDriverSession *mtp_open(const char *place, gboolean may_change,
                                     HearthDriverIdentity *ret_identity, GError **error)
{
    HearthDriverSession *session = g_new0(HearthDriverSession, 1);
    session->folders =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    LIBMTP_Init();
    if (!open_device(session, place, error) || !check_storage(session, error)) {
        mtp_close(session);
        return NULL;
    }
    session->partial =
        LIBMTP_Check_Capability(session->device, LIBMTP_DEVICECAP_GetPartialObject) != 0;
    ret_identity->can_change = TRUE;
    ret_identity->vendor = take_text(LIBMTP_Get_Manufacturername(session->device));
    ret_identity->model = take_text(LIBMTP_Get_Modelname(session->device));
    ret_identity->serial = take_text(LIBMTP_Get_Serialnumber(session->device));
    LIBMTP_Clear_Errorstack(session->device);
    return session;
}

static Entry *entry_new(const LIBMTP_file_t *file)
{
    Entry *entry = g_new0(Entry, 1);
    *entry = (Entry){.name = g_strdup(file->filename ? file->filename : ""),
                     .handle = file->item_id,
                     .size = HEARTH_SIZE_UNKNOWN,
                     .mtime = HEARTH_MTIME_UNKNOWN,
                     .is_folder = file->filetype == LIBMTP_FILETYPE_FOLDER};
    if (!entry->is_folder && file->filesize != PTP_SIZE_UNKNOWN && file->filesize <= G_MAXINT64)
        entry->size = (gint64)file->filesize;
    if (file->modificationdate != 0)
        entry->mtime = file->modificationdate;
    return entry;
}

/* What is in a folder, from this session's memory or the device. NULL with `error` set. */
static GPtrArray *children_of(HearthDriverSession *session, const char *path, Folder folder,
                              GError **error)
{
    GPtrArray *children = g_hash_table_lookup(session->folders, path);
    if (children)
        return children;
    LIBMTP_Clear_Errorstack(session->device);
    LIBMTP_file_t *files =
        LIBMTP_Get_Files_And_Folders(session->device, folder.storage, folder.handle);
    /* An empty folder has no files either, and no error. */
    if (!files && LIBMTP_Get_Errorstack(session->device)) {
        set_failure(session, "list", path, error);
        return NULL;
    }
    children = g_ptr_array_new_with_free_func(entry_free);
    while (files) {
        LIBMTP_file_t *next = files->next;
        if (children->len < HEARTH_DEVICE_MAX_OBJECTS)
            g_ptr_array_add(children, entry_new(files));
        LIBMTP_destroy_file_t(files);
        files = next;
    }
    g_hash_table_insert(session->folders, g_strdup(path), children);
    return children;
}

static gboolean walk_folder(const Walk *walk, const char *path, Folder folder, guint depth,
                            GError **error);

static gboolean walk_entry(const Walk *walk, const char *path, guint32 storage, const Entry *entry,
                           guint depth, GError **error)
{
    char store[sizeof "store_00000000"];
    g_snprintf(store, sizeof store, STORE_FORMAT, storage);
    HearthDeviceObject object = {.size = entry->size,
                                 .mtime = entry->mtime,
                                 .is_folder = entry->is_folder,
                                 .storage = store};
    if (entry->is_folder && hearth_driver_is_system_folder(entry->name))
        return TRUE;
    if (!hearth_driver_emit(path, entry->name, &object, walk->func, walk->user_data, error))
        return FALSE;
    if (!entry->is_folder || hearth_device_check_name(entry->name, strlen(entry->name)))
        return TRUE;
    if (depth >= HEARTH_DEVICE_MAX_DEPTH)
        return hearth_driver_refuse(path, entry->name, TRUE, "it is too deep inside other folders",
                                    walk->func, walk->user_data, error);
    g_autofree char *inside = g_strconcat(path, "/", entry->name, NULL);
    if (strlen(inside) > HEARTH_DEVICE_MAX_PATH)
        return TRUE;
    return walk_folder(walk, inside, (Folder){storage, entry->handle}, depth + 1, error);
}

static gboolean walk_folder(const Walk *walk, const char *path, Folder folder, guint depth,
                            GError **error)
{
    g_autoptr(GError) failure = NULL;
    GPtrArray *children = children_of(walk->session, path, folder, &failure);
    /* One bad folder must not hide the others; a device that is gone hides them all. */
    if (!children && g_error_matches(failure, HEARTH_ERROR, HEARTH_ERROR_FAILED))
        return hearth_driver_refuse(path, "...", TRUE, failure->message, walk->func,
                                    walk->user_data, error);
    if (!children) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    for (guint i = 0; i < children->len; i++)
        if (!walk_entry(walk, path, folder.storage, children->pdata[i], depth, error))
            return FALSE;
    return TRUE;
}

static gboolean mtp_list(HearthDriverSession *session, HearthDriverListFunc func,
                         gpointer user_data, GError **error)
{
    Walk walk = {session, func, user_data};
    g_hash_table_remove_all(session->folders);
    for (LIBMTP_devicestorage_t *store = session->device->storage; store; store = store->next) {
        HearthDeviceObject object = {
            .size = HEARTH_SIZE_UNKNOWN, .mtime = HEARTH_MTIME_UNKNOWN, .is_folder = TRUE};
        g_autofree char *path = g_strdup_printf("/" STORE_FORMAT, store->id);
        if (!hearth_driver_emit("", path + 1, &object, func, user_data, error) ||
            !walk_folder(&walk, path, (Folder){store->id, LIBMTP_FILES_AND_FOLDERS_ROOT}, 1, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean set_not_found(GError **error, const char *path)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "%s is not on the device", path);
    return FALSE;
}

static const Entry *child_named(GPtrArray *children, const char *name, gboolean is_folder)
{
    for (guint i = 0; i < children->len; i++) {
        const Entry *entry = children->pdata[i];
        if (entry->is_folder == is_folder && strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

/* Finds the folder `parts` (storage first); `make` makes what is missing of it. */
static gboolean find_folder(HearthDriverSession *session, char **parts, gboolean make,
                            Folder *ret_folder, char **ret_path, GError **error)
{
    guint32 storage;
    if (!parts[0] || sscanf(parts[0], "store_%8x", &storage) != 1)
        return set_not_found(error, parts[0] ? parts[0] : "/");
    Folder folder = {storage, LIBMTP_FILES_AND_FOLDERS_ROOT};
    g_autofree char *path = g_strconcat("/", parts[0], NULL);
    for (char **part = parts + 1; *part; part++) {
        GPtrArray *children = children_of(session, path, folder, error);
        if (!children)
            return FALSE;
        const Entry *entry = child_named(children, *part, TRUE);
        if (!entry && !make)
            return set_not_found(error, path);
        guint32 parent = folder.handle == LIBMTP_FILES_AND_FOLDERS_ROOT ? 0 : folder.handle;
        folder.handle =
            entry ? entry->handle : LIBMTP_Create_Folder(session->device, *part, parent, storage);
        if (folder.handle == 0)
            return set_failure(session, "make folder", *part, error);
        if (!entry)
            g_hash_table_remove(session->folders, path);
        g_autofree char *above = g_steal_pointer(&path);
        path = g_strconcat(above, "/", *part, NULL);
    }
    *ret_folder = folder;
    *ret_path = g_steal_pointer(&path);
    return TRUE;
}

/* Splits off the last part: the parts of the folder, and the name. */
static char **split(const char *path, char **ret_name)
{
    char **parts = g_strsplit(path + 1, "/", -1);
    guint count = g_strv_length(parts);
    *ret_name = parts[count - 1];
    parts[count - 1] = NULL;
    return parts;
}

/* The handle of what was listed; CONFLICT if only its name is there. */
static gboolean find_listed(HearthDriverSession *session, const HearthDeviceObject *object,
                            guint32 *ret_handle, GError **error)
{
    g_autofree char *name = NULL, *path = NULL;
    Folder folder;
    g_auto(GStrv) parts = split(object->path, &name);
    if (!find_folder(session, parts, FALSE, &folder, &path, error))
        return FALSE;
    GPtrArray *children = children_of(session, path, folder, error);
    for (guint i = 0; children && i < children->len; i++) {
        const Entry *entry = children->pdata[i];
        if (!entry->is_folder && strcmp(entry->name, name) == 0 &&
            hearth_driver_same(object, entry->size, entry->mtime)) {
            *ret_handle = entry->handle;
            return TRUE;
        }
    }
    if (!children)
        return FALSE;
    return child_named(children, name, FALSE) ? hearth_driver_set_changed(error, object->path)
                                              : set_not_found(error, object->path);
}

/* Without an error and before the end in *at_offset: past 4 GiB this device reads no pieces. */
static gboolean fetch_pieces(HearthDriverSession *session, const HearthDeviceObject *object,
                             guint32 handle, guint64 *at_offset, HearthSink *sink, GError **error)
{
    guint64 end = (guint64)object->size;
    while (*at_offset < end) {
        unsigned char *data = NULL;
        unsigned int got = 0;
        guint32 wanted = (guint32)MIN(end - *at_offset, (guint64)HEARTH_DRIVER_PIECE);
        int result =
            LIBMTP_GetPartialObject(session->device, handle, *at_offset, wanted, &data, &got);
        gboolean kept = result == 0 && got <= wanted && hearth_sink_write(sink, data, got, error);
        free(data);
        if (result != 0 && *at_offset + wanted > PTP_OFFSET_LIMIT) {
            LIBMTP_Clear_Errorstack(session->device);
            return TRUE;
        }
        if (result != 0)
            return set_failure(session, "read", object->path, error);
        if (!kept && got <= wanted)
            return FALSE;
        /* The shadow sees that the end is missing. */
        if (got == 0 || got > wanted)
            end = *at_offset;
        *at_offset += got <= wanted ? got : 0;
    }
    *at_offset = (guint64)object->size;
    return TRUE;
}

static uint16_t push_bytes(void *params, void *user_data, uint32_t size, unsigned char *data,
                           uint32_t *ret_taken)
{
    Push *push = user_data;
    guint32 skipped = (guint32)MIN((guint64)size, push->skip);
    push->skip -= skipped;
    *ret_taken = size;
    return hearth_sink_write(push->sink, data + skipped, size - skipped, &push->error)
               ? LIBMTP_HANDLER_RETURN_OK
               : LIBMTP_HANDLER_RETURN_CANCEL;
}

static gboolean fetch_whole(HearthDriverSession *session, const HearthDeviceObject *object,
                            guint32 handle, guint64 offset, HearthSink *sink, GError **error)
{
    Push push = {.sink = sink, .skip = offset};
    int result = LIBMTP_Get_File_To_Handler(session->device, handle, push_bytes, &push, NULL, NULL);
    if (push.error) {
        g_propagate_error(error, push.error);
        return FALSE;
    }
    return result == 0 || set_failure(session, "read", object->path, error);
}

static gboolean mtp_fetch(HearthDriverSession *session, const HearthDeviceObject *object,
                          guint64 offset, HearthSink *sink, GError **error)
{
    guint32 handle;
    LIBMTP_Clear_Errorstack(session->device);
    if (!find_listed(session, object, &handle, error))
        return FALSE;
    if (object->size == 0)
        return TRUE;
    gboolean pieces = session->partial && object->size > 0;
    if (pieces && !fetch_pieces(session, object, handle, &offset, sink, error))
        return FALSE;
    return (pieces && offset == (guint64)object->size) ||
           fetch_whole(session, object, handle, offset, sink, error);
}

static gboolean mtp_remove(HearthDriverSession *session, const HearthDeviceObject *object,
                           GError **error)
{
    guint32 handle;
    /* Deleting goes by what is there now, not by what this session once saw. */
    g_hash_table_remove_all(session->folders);
    LIBMTP_Clear_Errorstack(session->device);
    if (!find_listed(session, object, &handle, error))
        return FALSE;
    gboolean done = LIBMTP_Delete_Object(session->device, handle) == 0;
    g_hash_table_remove_all(session->folders);
    return done || set_failure(session, "delete", object->path, error);
}

/* Players show only what they are told is music. */
static LIBMTP_filetype_t type_of(const char *name)
{
    static const struct {
        const char *suffix;
        LIBMTP_filetype_t type;
    } TYPES[] = {
        {".mp3", LIBMTP_FILETYPE_MP3},  {".ogg", LIBMTP_FILETYPE_OGG},
        {".opus", LIBMTP_FILETYPE_OGG}, {".flac", LIBMTP_FILETYPE_FLAC},
        {".m4a", LIBMTP_FILETYPE_M4A},  {".aac", LIBMTP_FILETYPE_AAC},
        {".wav", LIBMTP_FILETYPE_WAV},  {".wma", LIBMTP_FILETYPE_WMA},
        {".jpg", LIBMTP_FILETYPE_JPEG}, {".jpeg", LIBMTP_FILETYPE_JPEG},
        {".png", LIBMTP_FILETYPE_PNG},  {".mp4", LIBMTP_FILETYPE_MP4},
        {".avi", LIBMTP_FILETYPE_AVI},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        gsize size = strlen(name), length = strlen(TYPES[i].suffix);
        if (size > length && g_ascii_strcasecmp(name + size - length, TYPES[i].suffix) == 0)
            return TYPES[i].type;
    }
    return LIBMTP_FILETYPE_UNKNOWN;
}

/* Devices report failures of files that arrived, and success of none: only a fresh list tells. */
static gboolean check_arrived(HearthDriverSession *session, const char *path, const char *name,
                              Folder folder, guint64 size, GError **error)
{
    g_hash_table_remove(session->folders, path);
    GPtrArray *children = children_of(session, path, folder, error);
    const Entry *entry = children ? child_named(children, name, FALSE) : NULL;
    if (entry && (guint64)entry->size == size)
        return TRUE;
    if (entry)
        LIBMTP_Delete_Object(session->device, entry->handle);
    g_hash_table_remove(session->folders, path);
    if (children)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IO, "%s did not arrive whole in %s", name,
                    path);
    return FALSE;
}

static gboolean mtp_put(HearthDriverSession *session, const char *path, int fd, guint64 size,
                        GError **error)
{
    g_autofree char *name = NULL, *folder_path = NULL;
    Folder folder;
    g_auto(GStrv) parts = split(path, &name);
    g_hash_table_remove_all(session->folders);
    LIBMTP_Clear_Errorstack(session->device);
    if (!find_folder(session, parts, TRUE, &folder, &folder_path, error))
        return FALSE;
    GPtrArray *children = children_of(session, folder_path, folder, error);
    if (!children)
        return FALSE;
    if (child_named(children, name, FALSE) || child_named(children, name, TRUE)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_EXISTS, "%s is on the device already", path);
        return FALSE;
    }
    LIBMTP_file_t *file = LIBMTP_new_file_t();
    file->filename = strdup(name);
    file->filesize = size;
    file->filetype = type_of(name);
    file->storage_id = folder.storage;
    file->parent_id = folder.handle == LIBMTP_FILES_AND_FOLDERS_ROOT ? 0 : folder.handle;
    lseek(fd, 0, SEEK_SET);
    LIBMTP_Send_File_From_File_Descriptor(session->device, fd, file, NULL, NULL);
    LIBMTP_destroy_file_t(file);
    return check_arrived(session, folder_path, name, folder, size, error);
}

static gboolean mtp_space(HearthDriverSession *session, guint64 *ret_free, guint64 *ret_total,
                          GError **error)
{
    LIBMTP_Clear_Errorstack(session->device);
    if (LIBMTP_Get_Storage(session->device, LIBMTP_STORAGE_SORTBY_NOTSORTED) < 0)
        return set_failure(session, "measure", "the storage", error);
    *ret_free = *ret_total = 0;
    for (LIBMTP_devicestorage_t *store = session->device->storage; store; store = store->next) {
        *ret_free += store->FreeSpaceInBytes;
        *ret_total += store->MaxCapacity;
    }
    return TRUE;
}

const HearthDriver HEARTH_DRIVER_MTP = {
    .name = "mtp",
    .open = mtp_open,
    .list = mtp_list,
    .fetch = mtp_fetch,
    .remove = mtp_remove,
    .put = mtp_put,
    .space = mtp_space,
    .close = mtp_close,
};
