#include "sprockets/host/host-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "sprockets/host/direct-private.h"
#include "sprockets/host/registry-private.h"
#include "sprockets/host/residents-private.h"
#include "sprockets/host/result-private.h"
#include "sprockets/host/server-private.h"

#define HEAD_SIZE 4160 /* bytes of a file that a magic may lie in */

static const HearthSprocketLimits DEFAULT_LIMITS = {
    .cpu_ms = 5000,
    .wall_ms = 10000,
    .memory = 256 * 1024 * 1024,
    .result_size = SPROCKET_RESULT_MAX,
    .emit_size = 16 * 1024 * 1024,
    .log_size = HEARTH_WIRE_LOG_MAX,
};

struct HearthSprocketHost {
    HearthSprocketMode mode;     /* not DEFAULT */
    HearthSprocketLimits limits; /* no zeros */
    HearthServer *server;
    HearthResidents *residents;
    GPtrArray *sprockets; /* HearthSprocket by slot; fixed after new */
    GMutex lock;          /* the counters of the sprockets, and their `direct`; no call inside */
    /* Taken before `lock`: one thread fills the server, or this process, with sprockets. */
    GMutex load_lock;
    gboolean served; /* under load_lock: the sprockets are loaded in the server */
};

/* What fits a file, and what the file is then taken for. */
typedef struct {
    HearthSprocket *sprocket;
    const char *media_type;
} Choice;

static HearthSprocketLimits fill_limits(const HearthSprocketLimits *given,
                                        const HearthSprocketLimits *defaults)
{
    HearthSprocketLimits limits = *defaults;
    if (!given)
        return limits;
    if (given->cpu_ms)
        limits.cpu_ms = given->cpu_ms;
    if (given->wall_ms)
        limits.wall_ms = given->wall_ms;
    if (given->memory)
        limits.memory = given->memory;
    if (given->result_size)
        limits.result_size = MIN(given->result_size, SPROCKET_RESULT_MAX);
    if (given->emit_size)
        limits.emit_size = given->emit_size;
    if (given->log_size)
        limits.log_size = MIN(given->log_size, HEARTH_WIRE_LOG_MAX);
    return limits;
}

/*
 * A file that belongs to this program: beside it, as in a build tree, or where an installation with
 * the same prefix has it. The prefix is not compiled in, so that a package may choose it.
 */
static char *find_beside(const char *near, const char *installed)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = g_path_get_dirname(program ? program : ".");
    g_autofree char *first = g_build_filename(folder, near, NULL);
    if (g_file_test(first, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&first);
    return g_build_filename(folder, "..", installed, NULL);
}

static char *find_runner(const HearthSprocketOptions *options)
{
    return options->runner
               ? g_strdup(options->runner)
               : find_beside("hearth-sprocket", HEARTH_LIBEXECDIR "/hearth/hearth-sprocket");
}

static char *find_folder(const HearthSprocketOptions *options)
{
    return options->folder
               ? g_strdup(options->folder)
               : find_beside("../lib/hearth/sprockets", HEARTH_LIBDIR "/hearth/sprockets");
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The full paths of *.so in `folder`, sorted, ending with NULL. */
static char **list_objects(const char *folder, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &reason);
    const char *name;
    if (!dir) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "sprockets: %s", reason->message);
        return NULL;
    }
    while ((name = g_dir_read_name(dir)))
        if (g_str_has_suffix(name, ".so"))
            g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
    g_ptr_array_sort(paths, compare_paths);
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_steal(paths, NULL);
}

static HearthSprocket *find_by_id(HearthSprocketHost *host, const char *id)
{
    for (guint i = 0; i < host->sprockets->len; i++) {
        HearthSprocket *sprocket = g_ptr_array_index(host->sprockets, i);
        if (g_strcmp0(sprocket->id, id) == 0)
            return sprocket;
    }
    return NULL;
}

static gboolean load_table(HearthSprocketHost *host, HearthSprocket *sprocket, GError **error)
{
    g_autoptr(GBytes) description = NULL;
    if (host->mode == HEARTH_SPROCKET_MODE_DIRECT) {
        sprocket->direct = hearth_direct_load(sprocket->path, error);
        description = sprocket->direct ? hearth_direct_describe(sprocket->direct, error) : NULL;
    } else if (!hearth_server_load(host->server, sprocket->slot, sprocket->path, &description,
                                   error)) {
        return FALSE;
    }
    return description && hearth_sprocket_describe(sprocket, description, error);
}

/* One that does not load stays in the list, with the reason and without an id. */
static gboolean load_sprocket(HearthSprocketHost *host, const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    HearthSprocket *sprocket = hearth_sprocket_new(host->sprockets->len, path);
    gboolean loaded = load_table(host, sprocket, &reason);
    if (loaded && find_by_id(host, sprocket->id)) {
        g_set_error(&reason, HEARTH_ERROR, HEARTH_ERROR_EXISTS, "%s: another has the id %s", path,
                    sprocket->id);
        g_clear_pointer(&sprocket->id, g_free);
        loaded = FALSE;
    }
    g_ptr_array_add(host->sprockets, sprocket);
    if (loaded)
        return TRUE;
    hearth_sprocket_set_error(sprocket, reason->message);
    if (!g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_INVALID) &&
        !g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_EXISTS)) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    return TRUE;
}

gboolean hearth_sprocket_mode_available(HearthSprocketMode mode, const char **ret_reason)
{
    if (mode == HEARTH_SPROCKET_MODE_ROLLBACK || mode == HEARTH_SPROCKET_MODE_PROCESS)
        return hearth_rollback_available(ret_reason);
    return TRUE;
}

static HearthSprocketMode resolve_mode(HearthSprocketMode mode)
{
    if (mode != HEARTH_SPROCKET_MODE_DEFAULT)
        return mode;
    return hearth_rollback_available(NULL) ? HEARTH_SPROCKET_MODE_ROLLBACK
                                           : HEARTH_SPROCKET_MODE_FORK;
}

static gboolean check_mode(HearthSprocketMode mode, GError **error)
{
    const char *reason = NULL;
    if (hearth_sprocket_mode_available(mode, &reason))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "the mode %s cannot be had: %s",
                hearth_sprocket_mode_word(mode), reason);
    return FALSE;
}

HearthSprocketHost *hearth_sprocket_host_new_for_paths(const HearthSprocketOptions *options,
                                                       const char *const *paths, GError **error)
{
    static const HearthSprocketOptions NONE = {0};
    const HearthSprocketOptions *given = options ? options : &NONE;
    g_autofree char *runner = find_runner(given);
    g_autoptr(HearthSprocketHost) host = g_new0(HearthSprocketHost, 1);
    host->mode = resolve_mode(given->mode);
    host->limits = fill_limits(&given->limits, &DEFAULT_LIMITS);
    host->server = hearth_server_new(runner);
    host->residents = hearth_residents_new(runner);
    host->sprockets = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_sprocket_free);
    host->served = host->mode != HEARTH_SPROCKET_MODE_DIRECT;
    g_mutex_init(&host->lock);
    g_mutex_init(&host->load_lock);
    if (!check_mode(host->mode, error))
        return NULL;
    for (; *paths; paths++)
        if (!load_sprocket(host, *paths, error))
            return NULL;
    return g_steal_pointer(&host);
}

HearthSprocketHost *hearth_sprocket_host_new(const HearthSprocketOptions *options, GError **error)
{
    static const HearthSprocketOptions NONE = {0};
    g_autofree char *folder = find_folder(options ? options : &NONE);
    g_auto(GStrv) paths = list_objects(folder, error);
    if (!paths)
        return NULL;
    return hearth_sprocket_host_new_for_paths(options, (const char *const *)paths, error);
}

void hearth_sprocket_host_free(HearthSprocketHost *host)
{
    if (!host)
        return;
    hearth_residents_free(host->residents);
    hearth_server_free(host->server);
    g_ptr_array_unref(host->sprockets);
    g_mutex_clear(&host->lock);
    g_mutex_clear(&host->load_lock);
    g_free(host);
}

GPid hearth_sprocket_host_server_pid(HearthSprocketHost *host)
{
    return hearth_server_pid(host->server);
}

static Choice choose(HearthSprocketHost *host, const char *hook, const char *media_type,
                     const char *name, const guint8 *head, gsize head_size)
{
    Choice choice = {0};
    guint best = 0;
    for (guint i = 0; i < host->sprockets->len; i++) {
        HearthSprocket *sprocket = g_ptr_array_index(host->sprockets, i);
        const HearthSprocketType *type = NULL;
        if (!sprocket->id || (hook && !hearth_sprocket_has_hook(sprocket, hook)))
            continue;
        guint fit = hearth_sprocket_fit(sprocket, media_type, name, head, head_size, &type);
        if (fit > best) {
            best = fit;
            choice = (Choice){sprocket, type->media_type};
        }
    }
    return choice;
}

const char *hearth_sprocket_host_media_type(HearthSprocketHost *host, const char *name,
                                            const void *head, gsize head_size)
{
    return choose(host, NULL, NULL, name, head, head_size).media_type;
}

/* Looks at the file's first bytes and finds who is asked about it. */
static gboolean choose_for(HearthSprocketHost *host, const HearthSprocketRequest *request,
                           Choice *ret_choice, GError **error)
{
    guint8 head[HEAD_SIZE];
    const char *name = request->name ? request->name : "the file";
    gssize size = hearth_pread_up_to(request->fd, head, sizeof head, 0, name, error);
    if (size < 0)
        return FALSE;
    *ret_choice = choose(host, request->hook, request->media_type, request->name, head, size);
    if (request->sprocket) {
        const HearthSprocketType *type = NULL;
        HearthSprocket *wanted = find_by_id(host, request->sprocket);
        if (wanted &&
            hearth_sprocket_fit(wanted, request->media_type, request->name, head, size, &type) == 0)
            type = NULL;
        *ret_choice = (Choice){wanted, type ? type->media_type : request->media_type};
    }
    if (!ret_choice->sprocket) {
        g_set_error(error, HEARTH_ERROR,
                    request->sprocket ? HEARTH_ERROR_NOT_FOUND : HEARTH_ERROR_UNSUPPORTED,
                    request->sprocket ? "there is no sprocket %s"
                                      : "%s: no sprocket knows a file of this kind",
                    request->sprocket ? request->sprocket : name);
        return FALSE;
    }
    return TRUE;
}

static gboolean may_run(HearthSprocketHost *host, const HearthSprocket *sprocket, const char *hook,
                        GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    if (!hearth_result_knows_hook(hook) || !hearth_sprocket_has_hook(sprocket, hook)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "it has no hook of that name%s",
                    hearth_result_knows_hook(hook) ? "" : " that is known here");
        return FALSE;
    }
    if (sprocket->quarantined) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PERMISSION,
                    "quarantined after %d bad calls in a row, the last: %s",
                    HEARTH_SPROCKET_QUARANTINE_AFTER, sprocket->last_error);
        return FALSE;
    }
    return TRUE;
}

/* A host whose mode is direct has a server only once a call asks for it. */
static gboolean ensure_served(HearthSprocketHost *host, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->load_lock);
    for (guint i = 0; !host->served && i < host->sprockets->len; i++) {
        const HearthSprocket *sprocket = g_ptr_array_index(host->sprockets, i);
        if (sprocket->id &&
            !hearth_server_load(host->server, sprocket->slot, sprocket->path, NULL, error))
            return FALSE;
    }
    host->served = TRUE;
    return TRUE;
}

static const SprocketDescriptor *ensure_direct(HearthSprocketHost *host, HearthSprocket *sprocket,
                                               GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    if (!sprocket->direct)
        sprocket->direct = hearth_direct_load(sprocket->path, error);
    return sprocket->direct;
}

static HearthRollback *ensure_rollback(HearthSprocketHost *host, HearthSprocket *sprocket,
                                       GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->load_lock);
    if (!sprocket->rollback)
        sprocket->rollback = hearth_rollback_load(sprocket->path, error);
    return sprocket->rollback;
}

static gboolean dispatch(HearthSprocketHost *host, HearthSprocketMode mode,
                         HearthSprocket *sprocket, const HearthJob *job, HearthAnswer *answer,
                         GCancellable *cancellable, GError **error)
{
    const SprocketDescriptor *direct;
    HearthRollback *rollback;
    if (!check_mode(mode, error))
        return FALSE;
    switch (mode) {
    case HEARTH_SPROCKET_MODE_FORK:
        return ensure_served(host, error) &&
               hearth_server_call(host->server, job, answer, cancellable, error);
    case HEARTH_SPROCKET_MODE_DIRECT:
        direct = ensure_direct(host, sprocket, error);
        return direct && hearth_direct_call(direct, job, answer, error);
    case HEARTH_SPROCKET_MODE_ROLLBACK:
        rollback = ensure_rollback(host, sprocket, error);
        return rollback && hearth_rollback_call(rollback, job, answer, error);
    case HEARTH_SPROCKET_MODE_PROCESS:
        return hearth_residents_call(host->residents, sprocket->path, job, answer, cancellable,
                                     error);
    case HEARTH_SPROCKET_MODE_DEFAULT:
        break;
    }
    g_assert_not_reached();
}

static guint edge_of(GVariant *params)
{
    guint edge = HEARTH_SPROCKET_EDGE_MAX;
    if (params)
        g_variant_lookup(params, "edge", "u", &edge);
    return edge;
}

static gboolean make_job(HearthSprocketHost *host, const HearthSprocketRequest *request,
                         const Choice *choice, guint8 *params, HearthJob *ret_job, GError **error)
{
    struct stat state;
    gsize params_size;
    if (fstat(request->fd, &state) < 0)
        return hearth_set_errno(error, errno, "%s", request->name ? request->name : "the file");
    if (!S_ISREG(state.st_mode)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "it is not a regular file");
        return FALSE;
    }
    if (!hearth_result_encode_params(request->params, request->name, choice->media_type, params,
                                     HEARTH_WIRE_PARAMS_MAX, &params_size, error))
        return FALSE;
    *ret_job = (HearthJob){
        .slot = choice->sprocket->slot,
        .hook = request->hook,
        .fd = request->fd,
        .input_size = (gsize)state.st_size,
        .params = params,
        .params_size = params_size,
        .limits = fill_limits(request->limits, &host->limits),
        .trace = request->trace,
        .trace_data = request->trace_data,
    };
    return TRUE;
}

static gboolean call(HearthSprocketHost *host, const HearthSprocketRequest *request,
                     const Choice *choice, GVariant **ret_values, GBytes **ret_bytes,
                     HearthSprocketReport *report, GCancellable *cancellable, GError **error)
{
    guint8 params[HEARTH_WIRE_PARAMS_MAX];
    HearthJob job;
    g_auto(HearthAnswer) answer = {0};
    if (!may_run(host, choice->sprocket, request->hook, error) ||
        !make_job(host, request, choice, params, &job, error) ||
        !dispatch(host, report->mode, choice->sprocket, &job, &answer, cancellable, error) ||
        !hearth_answer_judge(&answer, &job, edge_of(request->params), report, ret_values, error))
        return FALSE;
    *ret_bytes = g_steal_pointer(&answer.emitted);
    return TRUE;
}

/* "sprocket ID, hook HOOK: rule RULE at ADDRESS (SYMBOL): FILE: REASON" */
static void name_error(const HearthSprocketReport *report, const HearthSprocketRequest *request,
                       GError **error)
{
    g_autoptr(GString) where = g_string_new(NULL);
    if (!error || !*error)
        return;
    g_string_append_printf(where, "sprocket %s, hook %s: ", report->sprocket, request->hook);
    if (report->rule)
        g_string_append_printf(where, "rule %s", report->rule);
    if (report->rule && report->address)
        g_string_append_printf(where, " at 0x%" G_GINT64_MODIFIER "x", report->address);
    if (report->rule && report->symbol)
        g_string_append_printf(where, " (%s)", report->symbol);
    if (report->rule)
        g_string_append(where, ": ");
    if (request->name)
        g_string_append_printf(where, "%s: ", request->name);
    g_prefix_error(error, "%s", where->str);
}

/* What the request says, or else what the owner of the gateway said of the sprocket. */
static HearthSprocketMode mode_for(HearthSprocketHost *host, const HearthSprocketRequest *request,
                                   const HearthSprocket *sprocket)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    if (request->mode && *request->mode != HEARTH_SPROCKET_MODE_DEFAULT)
        return *request->mode;
    return sprocket->mode != HEARTH_SPROCKET_MODE_DEFAULT ? sprocket->mode : host->mode;
}

/* g_get_monotonic_time() counts microseconds, of which a call by the engine may take two. */
static guint64 now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (guint64)now.tv_sec * 1000000000u + (guint64)now.tv_nsec;
}

static gboolean run_counted(HearthSprocketHost *host, const HearthSprocketRequest *request,
                            const Choice *choice, GVariant **ret_values, GBytes **ret_bytes,
                            HearthSprocketReport *report, GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) reason = NULL;
    guint64 start = now_ns();
    report->sprocket = g_strdup(choice->sprocket->id);
    report->mode = mode_for(host, request, choice->sprocket);
    gboolean done =
        call(host, request, choice, ret_values, ret_bytes, report, cancellable, &reason);
    report->wall_ns = now_ns() - start;
    if (report->mode == HEARTH_SPROCKET_MODE_ROLLBACK && !request->in_a_row)
        hearth_rollback_rest();
    name_error(report, request, &reason);
    g_mutex_lock(&host->lock);
    hearth_sprocket_count(choice->sprocket, report->outcome, report->wall_ns,
                          reason ? reason->message : NULL);
    g_mutex_unlock(&host->lock);
    if (reason)
        g_propagate_error(error, g_steal_pointer(&reason));
    return done;
}

gboolean hearth_sprocket_host_run(HearthSprocketHost *host, const HearthSprocketRequest *request,
                                  GVariant **ret_values, GBytes **ret_bytes,
                                  HearthSprocketReport *report, GCancellable *cancellable,
                                  GError **error)
{
    g_auto(HearthSprocketReport) own = {0};
    g_autoptr(GVariant) values = NULL;
    g_autoptr(GBytes) bytes = NULL;
    HearthSprocketReport *told = report ? report : &own;
    Choice choice;
    told->mode = host->mode;
    if (g_cancellable_is_cancelled(cancellable)) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "the call was cancelled");
        return FALSE;
    }
    if (!choose_for(host, request, &choice, error) ||
        !run_counted(host, request, &choice, &values, &bytes, told, cancellable, error))
        return FALSE;
    if (ret_values)
        *ret_values = g_steal_pointer(&values);
    if (ret_bytes)
        *ret_bytes = g_steal_pointer(&bytes);
    return TRUE;
}

/* `media_type` counts unless the sprocket knows better. Transfer full. */
static GVariant *with_media_type(GVariant *values, const char *media_type)
{
    g_autoptr(GVariant) own = g_variant_lookup_value(values, "media.type", NULL);
    if (own || !media_type)
        return g_variant_ref(values);
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    GVariantIter iter;
    GVariant *entry;
    g_variant_builder_add(&builder, "{sv}", "media.type", g_variant_new_string(media_type));
    g_variant_iter_init(&iter, values);
    while ((entry = g_variant_iter_next_value(&iter))) {
        g_variant_builder_add_value(&builder, entry);
        g_variant_unref(entry);
    }
    return g_variant_ref_sink(g_variant_builder_end(&builder));
}

GVariant *hearth_sprocket_host_metadata(HearthSprocketHost *host, int fd, const char *name,
                                        const char *media_type, GCancellable *cancellable,
                                        GError **error)
{
    guint8 head[HEAD_SIZE];
    const HearthSprocketRequest request = {
        .hook = "metadata", .fd = fd, .name = name, .media_type = media_type};
    g_autoptr(GVariant) values = NULL;
    if (!hearth_sprocket_host_run(host, &request, &values, NULL, NULL, cancellable, error))
        return NULL;
    gssize size = hearth_pread_up_to(fd, head, sizeof head, 0, name ? name : "the file", error);
    if (size < 0)
        return NULL;
    return with_media_type(values,
                           choose(host, "metadata", media_type, name, head, size).media_type);
}

void hearth_sprocket_preview_clear(HearthSprocketPreview *preview)
{
    g_clear_pointer(&preview->data, g_bytes_unref);
    g_clear_pointer(&preview->media_type, g_free);
}

gboolean hearth_sprocket_host_preview(HearthSprocketHost *host, int fd, const char *name,
                                      const char *media_type, guint edge,
                                      HearthSprocketPreview *ret_preview, GCancellable *cancellable,
                                      GError **error)
{
    if (edge < 16 || edge > HEARTH_SPROCKET_EDGE_MAX) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "a preview has an edge of 16 to %d pixels, not %u", HEARTH_SPROCKET_EDGE_MAX,
                    edge);
        return FALSE;
    }
    g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new_parsed("{'edge': <%u>}", edge));
    const HearthSprocketRequest request = {
        .hook = "preview", .fd = fd, .name = name, .media_type = media_type, .params = params};
    g_autoptr(GVariant) values = NULL;
    g_autoptr(GBytes) bytes = NULL;
    if (!hearth_sprocket_host_run(host, &request, &values, &bytes, NULL, cancellable, error))
        return FALSE;
    g_variant_lookup(values, "media.type", "s", &ret_preview->media_type);
    g_variant_lookup(values, "image.width", "u", &ret_preview->width);
    g_variant_lookup(values, "image.height", "u", &ret_preview->height);
    ret_preview->data = g_steal_pointer(&bytes);
    return TRUE;
}

GPtrArray *hearth_sprocket_host_list(HearthSprocketHost *host)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_sprocket_status_free);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    for (guint i = 0; i < host->sprockets->len; i++) {
        const HearthSprocket *sprocket = g_ptr_array_index(host->sprockets, i);
        HearthSprocketStatus *status = hearth_sprocket_status(sprocket);
        if (status->mode == HEARTH_SPROCKET_MODE_DEFAULT)
            status->mode = host->mode;
        g_ptr_array_add(list, status);
    }
    return list;
}

static HearthSprocket *find_or_fail(HearthSprocketHost *host, const char *id, GError **error)
{
    HearthSprocket *sprocket = find_by_id(host, id);
    if (!sprocket)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no sprocket %s", id);
    return sprocket;
}

gboolean hearth_sprocket_host_enable(HearthSprocketHost *host, const char *id, GError **error)
{
    HearthSprocket *sprocket = find_or_fail(host, id, error);
    if (!sprocket)
        return FALSE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    sprocket->quarantined = FALSE;
    sprocket->bad_in_a_row = 0;
    return TRUE;
}

gboolean hearth_sprocket_host_set_mode(HearthSprocketHost *host, const char *id,
                                       HearthSprocketMode mode, GError **error)
{
    HearthSprocket *sprocket = find_or_fail(host, id, error);
    if (!sprocket || !check_mode(mode, error))
        return FALSE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->lock);
    sprocket->mode = mode;
    return TRUE;
}

glong hearth_sprocket_host_warm(HearthSprocketHost *host, const char *path)
{
    static const HearthSprocketRequest PLAIN = {0};
    g_autoptr(GPtrArray) loaded = g_ptr_array_new();
    for (guint i = 0; i < host->sprockets->len; i++) {
        HearthSprocket *sprocket = g_ptr_array_index(host->sprockets, i);
        HearthRollback *rollback = NULL;
        if (sprocket->id && mode_for(host, &PLAIN, sprocket) == HEARTH_SPROCKET_MODE_ROLLBACK)
            rollback = ensure_rollback(host, sprocket, NULL);
        if (rollback)
            g_ptr_array_add(loaded, rollback);
    }
    glong taken = loaded->len > 0 ? hearth_rollback_warm(path) : 0;
    for (guint i = 0; i < loaded->len; i++)
        hearth_rollback_translate(g_ptr_array_index(loaded, i));
    return taken;
}

gboolean hearth_sprocket_host_keep(HearthSprocketHost *host, const char *path, GError **error)
{
    gboolean any = FALSE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&host->load_lock);
    for (guint i = 0; i < host->sprockets->len; i++) {
        const HearthSprocket *sprocket = g_ptr_array_index(host->sprockets, i);
        any = any || sprocket->rollback;
    }
    return !any || hearth_rollback_keep(path, error);
}
