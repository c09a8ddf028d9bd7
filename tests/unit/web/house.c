#include "tests/unit/web/house.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Looks at a job after which it is done. */
#define LOOKS 3
/* A server that says nothing for so long has failed the test, milliseconds. */
#define PATIENCE_MS 20000

/* --- The played daemon ------------------------------------------------------------------------- */

static GVariant *play_status(gpointer data, GError **error)
{
    House *house = data;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    const char *const problems[] = {"the disk is older than the house", NULL};
    g_variant_dict_insert(&dict, "version", "s", HEARTH_VERSION);
    g_variant_dict_insert(&dict, "name", "s", "played");
    g_variant_dict_insert_value(&dict, "state", g_variant_new_bytestring(house->state));
    g_variant_dict_insert(&dict, "uptime_s", "t", (guint64)61);
    g_variant_dict_insert_value(&dict, "problems", g_variant_new_strv(problems, -1));
    return g_variant_dict_end(&dict);
}

static GVariant *device_value(guint index, const char *port)
{
    g_autofree char *id = g_strdup_printf("device-%u", index);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "id", "s", id);
    g_variant_dict_insert(&dict, "name", "s", "Caméra \033[31m");
    g_variant_dict_insert(&dict, "driver", "s", "volume");
    g_variant_dict_insert(&dict, "state", "s", "ready");
    g_variant_dict_insert_value(&dict, "port", g_variant_new_bytestring(port));
    return g_variant_dict_end(&dict);
}

static GVariant *play_devices(gpointer data, GError **error)
{
    House *house = data;
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    for (guint i = 0; i < house->devices->len; i++) {
        const char *port = g_ptr_array_index(house->devices, i);
        if (port)
            g_variant_builder_add_value(&builder, device_value(i, port));
    }
    return g_variant_builder_end(&builder);
}

static GVariant *play_attach(gpointer data, const char *port, GError **error)
{
    House *house = data;
    if (!g_str_has_prefix(port, "disk:")) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no such port: %s", port);
        return NULL;
    }
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    g_ptr_array_add(house->devices, g_strdup(port));
    GVariant *device = device_value(house->devices->len - 1, port);
    g_autofree char *id = g_strdup_printf("device-%u", house->devices->len - 1);
    hearth_web_events_add(house->events, "device", id, device_value(house->devices->len - 1, port));
    return device;
}

/* With the lock. */
static gboolean find_device(House *house, const char *id, guint64 *ret_index, GError **error)
{
    if (g_str_has_prefix(id, "device-") &&
        g_ascii_string_to_unsigned(id + strlen("device-"), 10, 0, G_MAXUINT32, ret_index, NULL) &&
        *ret_index < house->devices->len && g_ptr_array_index(house->devices, *ret_index))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no device %s", id);
    return FALSE;
}

static gboolean play_detach(gpointer data, const char *id, GError **error)
{
    House *house = data;
    guint64 index;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    if (!find_device(house, id, &index, error))
        return FALSE;
    g_clear_pointer(&g_ptr_array_index(house->devices, index), g_free);
    return TRUE;
}

/* With the lock. */
static GVariant *job_value(House *house, const char *id, const char *kind)
{
    static const char *const NOTHING[] = {NULL};
    guint64 done = MIN(house->looks, LOOKS);
    const char *state = house->cancelled ? "cancelled" : done == LOOKS ? "done" : "running";
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "id", "s", id);
    g_variant_dict_insert(&dict, "kind", "s", kind);
    g_variant_dict_insert(&dict, "state", "s", state);
    g_variant_dict_insert(&dict, "device", "s", "device-0");
    g_variant_dict_insert(&dict, "files_done", "t", done);
    g_variant_dict_insert(&dict, "files_total", "t", (guint64)LOOKS);
    g_variant_dict_insert(&dict, "bytes_done", "t", done * 1000000);
    g_variant_dict_insert(&dict, "bytes_total", "t", (guint64)LOOKS * 1000000);
    g_variant_dict_insert(&dict, "rate", "d", 1500000.0);
    g_variant_dict_insert(&dict, "remaining_s", "d", 2.0);
    g_variant_dict_insert(&dict, "bytes_freed", "t", (guint64)4200);
    g_variant_dict_insert_value(&dict, "findings", g_variant_new_strv(NOTHING, -1));
    return g_variant_dict_end(&dict);
}

static GVariant *begin_job(House *house, const char *kind)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    g_autofree char *id = g_strdup_printf("%s-%u", kind, ++house->jobs);
    house->looks = 0;
    house->cancelled = FALSE;
    return job_value(house, id, kind);
}

static GVariant *play_import(gpointer data, const char *device, const char *const *paths,
                             GError **error)
{
    House *house = data;
    guint64 index;
    g_mutex_lock(&house->lock);
    gboolean known = find_device(house, device, &index, error);
    g_free(house->imported);
    house->imported = paths ? g_strdup(paths[0]) : NULL;
    g_mutex_unlock(&house->lock);
    return known ? begin_job(house, "import") : NULL;
}

static GVariant *play_plan(gpointer data, const char *device, const char *const *paths,
                           GError **error)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "source", g_variant_new_bytestring("/DCIM/caf\xe9.jpg"));
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring("/Photos/caf\xe9.jpg"));
    g_variant_dict_insert(&dict, "action", "s", "import");
    g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
    return g_variant_builder_end(&builder);
}

static GVariant *play_job(gpointer data, const char *id, GError **error)
{
    House *house = data;
    const char *dash = strrchr(id, '-');
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    if (!dash || house->jobs == 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no job %s", id);
        return NULL;
    }
    g_autofree char *kind = g_strndup(id, (gsize)(dash - id));
    GVariant *job = job_value(house, id, kind);
    house->looks++;
    return job;
}

static GVariant *play_jobs(gpointer data, GError **error)
{
    House *house = data;
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    if (house->jobs > 0)
        g_variant_builder_add_value(&builder, job_value(house, "import-1", "import"));
    return g_variant_builder_end(&builder);
}

static gboolean play_cancel(gpointer data, const char *id, GError **error)
{
    House *house = data;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    house->cancelled = TRUE;
    return TRUE;
}

static GVariant *play_upkeep(gpointer data, const char *kind, GError **error)
{
    return begin_job(data, kind);
}

static GVariant *play_sprockets(gpointer data, GError **error)
{
    static const char *const HOOKS[] = {"metadata", "preview", NULL};
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "id", "s", "org.hearth.played");
    g_variant_dict_insert(&dict, "enabled", "b", TRUE);
    g_variant_dict_insert_value(&dict, "hooks", g_variant_new_strv(HOOKS, -1));
    g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
    return g_variant_builder_end(&builder);
}

static GBytes *play_preview(gpointer data, const HearthObject *object, guint edge, char **ret_type,
                            GError **error)
{
    if (object->kind != HEARTH_KIND_FILE) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "nothing draws a folder");
        return NULL;
    }
    *ret_type = g_strdup("image/jpeg");
    g_autofree char *text = g_strdup_printf("edge %u", edge);
    return g_bytes_new(text, strlen(text));
}

static GVariant *play_metrics(gpointer data, GError **error)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a(sssd)"));
    g_variant_builder_add(&builder, "(sssd)", "played", "gauge", "One.", 1.0);
    return g_variant_builder_end(&builder);
}

/* No export: what a daemon leaves out is answered as not supported. */
static const HearthWebHost PLAYED = {
    .status = play_status,
    .devices = play_devices,
    .attach = play_attach,
    .detach = play_detach,
    .import = play_import,
    .plan = play_plan,
    .jobs = play_jobs,
    .job = play_job,
    .cancel = play_cancel,
    .upkeep = play_upkeep,
    .sprockets = play_sprockets,
    .preview = play_preview,
    .metrics = play_metrics,
};

/* --- The house --------------------------------------------------------------------------------- */

void house_start(House *house)
{
    g_autoptr(GError) error = NULL;
    HearthStoreOptions store_options = {.state = house->state, .engine = "sqlite"};
    house->store = hearth_store_open(&store_options, &error);
    g_assert_no_error(error);
    house->events = hearth_web_events_new();
    HearthWebOptions options = {
        .store = house->store,
        .events = house->events,
        .host = &PLAYED,
        .data = house,
        .socket_path = house->socket_path,
        .listen = "127.0.0.1:0",
    };
    house->server = hearth_web_server_start(&options, &error);
    g_assert_no_error(error);
    house->port = hearth_web_server_port(house->server);
}

void house_stop(House *house)
{
    hearth_web_server_stop(house->server);
    hearth_web_events_free(house->events);
    hearth_store_close(house->store);
}

House *house_new(void)
{
    House *house = g_new0(House, 1);
    house->state = g_dir_make_tmp("hearth-web-XXXXXX", NULL);
    house->socket_path = g_build_filename(house->state, "hearthd.sock", NULL);
    house->devices = g_ptr_array_new_with_free_func(g_free);
    g_mutex_init(&house->lock);
    house_start(house);
    return house;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    return remove(path);
}

void house_free(House *house)
{
    house_stop(house);
    g_assert_false(g_file_test(house->socket_path, G_FILE_TEST_EXISTS));
    nftw(house->state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    g_mutex_clear(&house->lock);
    g_ptr_array_unref(house->devices);
    g_free(house->imported);
    g_free(house->socket_path);
    g_free(house->state);
    g_free(house);
}

void house_restart(House *house)
{
    house_stop(house);
    house_start(house);
}

char *house_imported(House *house)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    return g_strdup(house->imported);
}

char *house_attached(House *house, guint device)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    return g_strdup(g_ptr_array_index(house->devices, device));
}

gboolean house_was_cancelled(House *house)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    return house->cancelled;
}

guint house_jobs(House *house)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&house->lock);
    return house->jobs;
}

guint8 house_byte(gsize n)
{
    guint64 mixed = (n + 1) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    return (guint8)(mixed >> 56);
}

static HearthObject add(House *house, const char *path, const void *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    HearthContents *contents = hearth_store_contents(house->store);
    g_autoptr(HearthContentWriter) writer = hearth_content_writer_new(contents, -1, &error);
    g_assert_no_error(error);
    g_assert_true(hearth_content_writer_write(writer, data, size, &error));
    g_autoptr(HearthStagedContent) staged = hearth_content_writer_finish(writer, &error);
    g_assert_no_error(error);
    g_assert_true(hearth_contents_publish(contents, &staged, 1, &error));
    HearthNewFile file = {
        .path = path, .staged = staged, .mtime_ns = 1700000000123456789, .mode = 0640};
    HearthObject object;
    hearth_store_add_file(house->store, &file, 0, &object, &error);
    g_assert_no_error(error);
    return object;
}

HearthObject house_add(House *house, const char *path, const char *text)
{
    return add(house, path, text, strlen(text));
}

HearthObject house_add_bytes(House *house, const char *path, gsize size)
{
    g_autofree guint8 *data = g_malloc(size);
    for (gsize i = 0; i < size; i++)
        data[i] = house_byte(i);
    return add(house, path, data, size);
}

gboolean house_has(House *house, const char *path)
{
    HearthObject object;
    return hearth_store_walk(house->store, path, &object, NULL);
}

GBytes *house_read(House *house, const char *path)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    hearth_store_walk(house->store, path, &object, &error);
    g_assert_no_error(error);
    if (hearth_content_id_is_none(&object.content))
        return g_bytes_new(NULL, 0);
    g_autoptr(HearthContentReader) reader =
        hearth_contents_read(hearth_store_contents(house->store), &object.content, &error);
    g_assert_no_error(error);
    guint8 *data = g_malloc((gsize)object.size);
    for (gsize at = 0; at < (gsize)object.size;) {
        gssize got = hearth_content_reader_read(reader, data + at, (gsize)object.size - at,
                                                (gint64)at, &error);
        g_assert_no_error(error);
        g_assert_cmpint(got, >, 0);
        at += (gsize)got;
    }
    return g_bytes_new_take(data, (gsize)object.size);
}

guint house_spooled(House *house)
{
    g_autofree char *path = g_build_filename(house->state, "spool", NULL);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    guint count = 0;
    while (folder && g_dir_read_name(folder))
        count++;
    return count;
}

/* --- Talking ----------------------------------------------------------------------------------- */

int house_connect(House *house, gboolean tcp)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_port = htons(house->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy(local.sun_path, house->socket_path, sizeof local.sun_path);
    int failed = tcp ? connect(fd, (struct sockaddr *)&loopback, sizeof loopback)
                     : connect(fd, (struct sockaddr *)&local, sizeof local);
    g_assert_cmpint(failed, ==, 0);
    return fd;
}

/* TRUE if `text` holds headers and, where a length is given, all of the body. */
static gboolean is_whole(const GString *text)
{
    const char *end = strstr(text->str, "\r\n\r\n");
    if (end && (g_str_has_prefix(text->str, "HTTP/1.1 204") ||
                g_str_has_prefix(text->str, "HTTP/1.1 304")))
        return TRUE;
    const char *length = end ? strcasestr(text->str, "\r\nContent-Length: ") : NULL;
    if (!end || !length || length > end)
        return FALSE;
    gsize size = g_ascii_strtoull(length + strlen("\r\nContent-Length: "), NULL, 10);
    return text->len >= (gsize)(end + 4 - text->str) + size;
}

char *house_talk(House *house, gboolean tcp, const char *request, gsize size, gsize *ret_size)
{
    hearth_autofd int fd = house_connect(house, tcp);
    g_autoptr(GString) answer = g_string_new(NULL);
    gboolean head = g_str_has_prefix(request, "HEAD ");
    char piece[16384];
    /* A server that refuses may close before all has been sent. */
    for (gsize sent = 0; sent < size;) {
        ssize_t done = send(fd, request + sent, size - sent, MSG_NOSIGNAL);
        if (done <= 0)
            break;
        sent += (gsize)done;
    }
    while (!is_whole(answer) && !(head && strstr(answer->str, "\r\n\r\n"))) {
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        if (poll(&waited, 1, PATIENCE_MS) <= 0)
            g_error("no answer to: %.80s", request);
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got <= 0)
            break;
        g_string_append_len(answer, piece, got);
    }
    if (ret_size)
        *ret_size = answer->len;
    return g_string_free(g_steal_pointer(&answer), FALSE);
}
