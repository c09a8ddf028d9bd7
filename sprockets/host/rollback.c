#include "sprockets/host/rollback-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "sprockets/host/direct-private.h"
#include "sprockets/host/rolled-private.h"

#define COPIES_MAX 16   /* of one object, the first included */
#define BLOCKS_MOST 512 /* translated before the first call of a hook */

/* An object as it was loaded once. Copies are of a file in memory, as the loader takes the same file
 * for the same object. */
typedef struct {
    const SprocketDescriptor *sprocket;
    HearthEngineInstance *instance; /* NULL: nothing of its own */
    int file;                       /* of a copy, open for good: its name is the copy's name; -1 */
} Copy;

struct HearthRollback {
    char *path;
    int file;    /* the object, from which copies are made; -1: none are needed */
    Copy shared; /* if `file` is -1 */
    GMutex lock; /* of the rest; held while a copy is loaded */
    GCond given_back;
    GQueue idle;  /* Copy; the last one used is the first: its memory is warm */
    guint copies; /* made, of COPIES_MAX */
};

/* --- Loading ----------------------------------------------------------------------------------- */

/* Asked once: each cpuid is an exit of a virtual machine, and this is asked before every call. */
gboolean hearth_rollback_available(const char **ret_reason)
{
    static gsize asked;
    static gboolean available;
    static const char *reason;
    if (g_once_init_enter(&asked)) {
        available = hearth_engine_available(&reason);
        g_once_init_leave(&asked, 1);
    }
    if (ret_reason)
        *ret_reason = reason;
    return available;
}

static HearthRollback *load(const char *path, GError **error)
{
    hearth_autofd int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: %s", path, g_strerror(errno));
        return NULL;
    }
    const SprocketDescriptor *sprocket = hearth_direct_load(path, error);
    if (!sprocket)
        return NULL;
    HearthRollback *rollback = g_new0(HearthRollback, 1);
    HearthEngineInstance *instance = hearth_rolled_data(sprocket);
    rollback->path = g_strdup(path);
    rollback->file = -1;
    g_mutex_init(&rollback->lock);
    g_cond_init(&rollback->given_back);
    g_queue_init(&rollback->idle);
    rollback->shared = (Copy){.sprocket = sprocket, .instance = instance, .file = -1};
    if (instance) {
        rollback->file = hearth_steal_fd(&file);
        rollback->copies = 1;
        g_queue_push_head(&rollback->idle, &rollback->shared);
    }
    return rollback;
}

HearthRollback *hearth_rollback_load(const char *path, GError **error)
{
    static GMutex lock;
    static GHashTable *loaded; /* path -> HearthRollback, both for good */
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    if (!loaded)
        loaded = g_hash_table_new(g_str_hash, g_str_equal);
    HearthRollback *rollback = g_hash_table_lookup(loaded, path);
    if (!rollback && (rollback = load(path, error)))
        g_hash_table_insert(loaded, rollback->path, rollback);
    return rollback;
}

/* --- Copies ------------------------------------------------------------------------------------ */

static gboolean fill_file(const HearthRollback *rollback, int to, GError **error)
{
    struct stat state;
    off_t at = 0;
    if (fstat(rollback->file, &state) < 0)
        return hearth_set_errno(error, errno, "%s", rollback->path);
    while (at < state.st_size) {
        gssize sent = sendfile(to, rollback->file, &at, (gsize)(state.st_size - at));
        if (sent < 0 && errno != EINTR)
            return hearth_set_errno(error, errno, "cannot copy %s", rollback->path);
        if (sent == 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT, "%s: it became shorter",
                        rollback->path);
            return FALSE;
        }
    }
    return TRUE;
}

/* With the lock. */
static Copy *copy_new(HearthRollback *rollback, GError **error)
{
    hearth_autofd int file = memfd_create("hearth-sprocket", MFD_CLOEXEC);
    if (file < 0) {
        hearth_set_errno(error, errno, "cannot copy %s", rollback->path);
        return NULL;
    }
    if (!fill_file(rollback, file, error))
        return NULL;
    g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", file);
    const SprocketDescriptor *sprocket = hearth_direct_load(name, error);
    HearthEngineInstance *instance = sprocket ? hearth_engine_instance_new(sprocket) : NULL;
    if (sprocket && !instance)
        hearth_set_errno(error, errno, "cannot copy %s", rollback->path);
    if (!instance)
        return NULL;
    Copy *copy = g_new0(Copy, 1);
    *copy = (Copy){sprocket, instance, hearth_steal_fd(&file)};
    rollback->copies++;
    return copy;
}

/* Waits for a call to end when as many are in progress as there may be copies. */
static Copy *take_copy(HearthRollback *rollback, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rollback->lock);
    if (rollback->file < 0)
        return &rollback->shared;
    while (g_queue_is_empty(&rollback->idle) && rollback->copies >= COPIES_MAX)
        g_cond_wait(&rollback->given_back, &rollback->lock);
    Copy *copy = g_queue_pop_head(&rollback->idle);
    return copy ? copy : copy_new(rollback, error);
}

static void give_back(HearthRollback *rollback, Copy *copy)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&rollback->lock);
    if (copy == &rollback->shared && rollback->file < 0)
        return;
    g_queue_push_head(&rollback->idle, copy);
    g_cond_signal(&rollback->given_back);
}

/* "7:read_tag+0x12" of a copy is "star.so:read_tag+0x12" to the author. */
static void name_object(const HearthRollback *rollback, const Copy *copy, HearthWireEnded *ended)
{
    g_autofree char *number = g_strdup_printf("%d:", copy->file);
    if (copy->file < 0 || !g_str_has_prefix(ended->symbol, number))
        return;
    g_autofree char *name = g_path_get_basename(rollback->path);
    g_autofree char *rest = g_strdup(ended->symbol + strlen(number));
    g_snprintf(ended->symbol, sizeof ended->symbol, "%s:%s", name, rest);
}

/* --- Calls ------------------------------------------------------------------------------------- */

/* host.h says why. The signals of faults stay: the engine handles them. */
static void prepare_thread(void)
{
    static _Thread_local gboolean prepared;
    static const int KEPT[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t blocked;
    if (prepared)
        return;
    prepared = TRUE;
    if (gettid() == getpid())
        return;
    sigemptyset(&blocked);
    for (int number = 1; number < SIGRTMIN && number < 32; number++)
        sigaddset(&blocked, number);
    for (gsize i = 0; i < G_N_ELEMENTS(KEPT); i++)
        sigdelset(&blocked, KEPT[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

static bool append(void *data, const void *bytes, size_t length)
{
    GByteArray *emitted = data;
    if (length > G_MAXUINT32 / 2 - emitted->len)
        return false;
    g_byte_array_append(emitted, bytes, (guint)length);
    return true;
}

static void restart(void *data)
{
    g_byte_array_set_size(data, 0);
}

static HearthEngineLimits limits_of(const HearthJob *job)
{
    return (HearthEngineLimits){
        .cpu_ms = job->limits.cpu_ms,
        .wall_ms = job->limits.wall_ms,
        .memory = MIN(job->limits.memory, HEARTH_ROLLED_MEMORY_MAX),
        .emit_size = job->limits.emit_size,
        .log_size = job->limits.log_size,
    };
}

static gboolean run(HearthRollback *rollback, SprocketRun hook, Copy *copy, const HearthJob *job,
                    const void *input, HearthAnswer *answer, GError **error)
{
    g_autoptr(GByteArray) emitted = g_byte_array_new();
    const HearthRolledCall call = {
        .run = hook,
        .input = input,
        .input_size = job->input_size,
        .params = job->params,
        .params_size = job->params_size,
        .limits = limits_of(job),
        .result_size = job->limits.result_size,
        .instance = copy->instance,
        .emit = append,
        .restart = restart,
        .data = emitted,
        .trace = job->trace,
        .trace_data = job->trace_data,
    };
    const guint8 *shared = hearth_rolled_call(&call, &answer->ended);
    if (!shared)
        return hearth_set_errno(error, errno, "cannot make the memory of a call");
    hearth_answer_copy(answer, shared, job);
    name_object(rollback, copy, &answer->ended);
    if (emitted->len > 0)
        answer->emitted = g_byte_array_free_to_bytes(g_steal_pointer(&emitted));
    return TRUE;
}

static gboolean run_on_input(HearthRollback *rollback, Copy *copy, const HearthJob *job,
                             HearthAnswer *answer, GError **error)
{
    SprocketRun hook = hearth_call_find_hook(copy->sprocket, job->hook);
    void *input = NULL;
    if (job->input_size > 0)
        input = mmap(NULL, job->input_size, PROT_READ, MAP_PRIVATE, job->fd, 0);
    if (input == MAP_FAILED || !hook)
        return hearth_set_errno(error, input == MAP_FAILED ? errno : EOPNOTSUPP,
                                "cannot run the hook %s", job->hook);
    gboolean done = run(rollback, hook, copy, job, input, answer, error);
    if (input)
        munmap(input, job->input_size);
    return done;
}

gboolean hearth_rollback_call(HearthRollback *rollback, const HearthJob *job,
                              HearthAnswer *ret_answer, GError **error)
{
    prepare_thread();
    Copy *copy = take_copy(rollback, error);
    if (!copy)
        return FALSE;
    gboolean done = run_on_input(rollback, copy, job, ret_answer, error);
    give_back(rollback, copy);
    return done;
}

void hearth_rollback_rest(void)
{
    hearth_engine_rest();
}

/* --- Translations ------------------------------------------------------------------------------ */

glong hearth_rollback_warm(const char *path)
{
    return MAX(hearth_engine_load(path), 0);
}

void hearth_rollback_translate(HearthRollback *rollback)
{
    /* Of the object as it was loaded first: copies are for what comes at the same time. */
    for (const SprocketHook *hook = rollback->shared.sprocket->hooks; hook->name; hook++)
        hearth_rolled_translate(hook->run, BLOCKS_MOST);
}

gboolean hearth_rollback_keep(const char *path, GError **error)
{
    if (!hearth_engine_save(path))
        return hearth_set_errno(error, errno, "%s", path);
    return TRUE;
}
