/*
 * Calls whose files change under them, and calls in a host that has itself run out: of descriptors, of memory, of mappings.
 * They end in an error or give the right value, nothing is leaked, and the next call is right.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sprockets/engine/context-private.h"
#include "tests/unit/sprockets/engine/faults.h"
#include "tests/unit/sprockets/engine/process-watch.h"

/* --- Files ------------------------------------------------------------------------------------- */

#define FILE_SIZE 20000

typedef struct {
    char *folder, *path, *other;
    const char *folders[2];
    HearthEnginePolicy policy;
    guint64 sum; /* of its bytes */
} Files;

static void write_file(const Files *files)
{
    g_autofree char *bytes = g_malloc(FILE_SIZE);
    for (guint i = 0; i < FILE_SIZE; i++)
        bytes[i] = (char)(i * 7);
    g_assert_true(g_file_set_contents(files->path, bytes, FILE_SIZE, NULL));
}

static Files *files_new(void)
{
    Files *files = g_new0(Files, 1);
    files->folder = g_dir_make_tmp("hearth-faults-XXXXXX", NULL);
    files->path = g_build_filename(files->folder, "file", NULL);
    files->other = g_build_filename(files->folder, "other", NULL);
    files->folders[0] = files->folder;
    files->policy.folders = files->folders;
    for (guint i = 0; i < FILE_SIZE; i++)
        files->sum += (guint8)(i * 7);
    write_file(files);
    return files;
}

static void files_free(Files *files)
{
    g_unlink(files->other);
    g_remove(files->path);
    g_assert_cmpint(g_rmdir(files->folder), ==, 0);
    g_free(files->folder);
    g_free(files->path);
    g_free(files->other);
    g_free(files);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Files, files_free)

static HearthEngineCall reads(const Files *files, const char *function, guint64 first)
{
    HearthEngineCall call = faults_call(faults_guest, function, first, 0);
    strcpy((char *)call.arguments[0], files->path);
    call.policy = &files->policy;
    return call;
}

static void any_number_of_descriptors_will_do(void)
{
    g_autoptr(Files) files = files_new();
    ProcessWatch *watch = process_watch_new();
    for (guint descriptors = 1; descriptors <= 6; descriptors++) {
        for (guint count = 1; count <= 6; count++) {
            const HearthEngineLimits limits = {.descriptors = descriptors};
            HearthEngineCall call = reads(files, "read_files", count);
            call.limits = &limits;
            faults_run_watched(&call);
            faults_assert_unchanged("read_files");
            runner_assert_returned("read_files", &faults_result,
                                   count <= descriptors ? count * files->sum : FAILED | EMFILE);
        }
    }
    process_watch_end(watch);
}

/* What the host does to the file between its opening and its reading. */
typedef enum { REMOVE, CUT_OFF, EMPTY, FOLDER, PIPE, LINK, SWAP, ACTS } Act;

typedef struct {
    const Files *files;
    Act act;
} Acting;

static bool act(void *data, const void *bytes, size_t length)
{
    const Acting *acting = data;
    const char *path = acting->files->path, *other = acting->files->other;
    switch (acting->act) {
    case CUT_OFF:
        return truncate(path, PAGE + 100) == 0;
    case EMPTY:
        return truncate(path, 0) == 0;
    case SWAP:
        return rename(path, other) == 0 && symlink("/etc/passwd", path) == 0;
    default:
        break;
    }
    if (unlink(path) != 0)
        return false;
    return acting->act == REMOVE || (acting->act == FOLDER && mkdir(path, 0700) == 0) ||
           (acting->act == PIPE && mkfifo(path, 0600) == 0) ||
           (acting->act == LINK && symlink("/etc/passwd", path) == 0);
}

static void run_acted(const Files *files, Act what, HearthEngineCall call)
{
    Acting acting = {files, what};
    call.emit = act;
    call.emit_data = &acting;
    call.arguments[2] = (guint64)hearth_engine_emit;
    ProcessWatch *watch = process_watch_new();
    faults_run_watched(&call);
    process_watch_end(watch);
    faults_assert_unchanged("a file that changes");
}

static void put_back(const Files *files)
{
    g_unlink(files->other);
    g_remove(files->path);
    write_file(files);
}

static void files_may_change_while_they_are_read(void)
{
    g_autoptr(Files) files = files_new();
    for (Act what = 0; what < ACTS; what++) {
        gboolean cut = what == CUT_OFF || what == EMPTY;
        for (guint64 count = 1; count <= 3; count++) {
            run_acted(files, what, reads(files, "read_files", count));
            /* The one that is mapped may have lost the pages that are looked at. */
            g_assert_cmphex(1u << faults_result.outcome & (RETURNED | (cut ? FAULTED : 0)), !=, 0);
            if (!cut)
                g_assert_cmphex(faults_result.value, ==, count * files->sum);
            /* And what the name stands for now. */
            HearthEngineCall again = reads(files, "read_files", 1);
            faults_run_watched(&again);
            faults_assert_one_of("read_files again", RETURNED,
                                 cut ? faults_result.value : files->sum);
            if (!cut)
                g_assert_cmphex(faults_result.value & FAILED, ==, FAILED);
            put_back(files);
            faults_assert_next_is_right();
        }
    }
}

static void what_is_mapped_may_be_cut_off(void)
{
    g_autoptr(Files) files = files_new();
    for (Act what = 0; what < ACTS; what++) {
        gboolean cut = what == CUT_OFF || what == EMPTY;
        for (guint kind = 0; kind < 4; kind++) {
            HearthEngineCall call = reads(files, "map_then_look", kind & 1);
            call.arguments[3] = kind >> 1; /* the engine itself reads it, for the log */
            run_acted(files, what, call);
            if (kind >> 1)
                runner_assert_returned("map_then_look", &faults_result, faults_result.value);
            else if (cut)
                g_assert_cmpint(faults_result.outcome, ==, HEARTH_ENGINE_FAULTED);
            else
                runner_assert_returned("map_then_look", &faults_result, files->sum);
            if (cut && !(kind >> 1))
                g_assert_cmpstr(faults_result.rule, ==, "SIGBUS");
            put_back(files);
            faults_assert_next_is_right();
        }
    }
}

typedef struct {
    const Files *files;
    atomic_bool over;
    guint swaps;
} Swapper;

/* The name stands for one thing after another, and for nothing in between. */
static gpointer swap(gpointer data)
{
    Swapper *swapper = data;
    const char *path = swapper->files->path, *other = swapper->files->other;
    for (; !swapper->over; swapper->swaps++) {
        rename(path, other);
        switch (swapper->swaps % 4) {
        case 0:
            mkfifo(path, 0600);
            break;
        case 1:
            mkdir(path, 0700);
            break;
        case 2:
            (void)!symlink("/dev/zero", path);
            break;
        default:
            (void)!symlink(other, path);
            break;
        }
        remove(path);
        rename(other, path);
        g_usleep(100);
    }
    return NULL;
}

static void a_file_may_become_another_at_any_moment(void)
{
    g_autoptr(Files) files = files_new();
    Swapper swapper = {.files = files};
    guint whole = 0, failed = 0;
    ProcessWatch *watch = process_watch_new();
    GThread *thread = g_thread_new("swap", swap, &swapper);
    for (gint64 end = g_get_monotonic_time() + 700 * 1000; g_get_monotonic_time() < end;) {
        HearthEngineCall call = reads(files, "read_files", 3);
        hearth_engine_run(&call, &faults_result);
        if (faults_result.outcome != HEARTH_ENGINE_RETURNED ||
            (faults_result.value != 3 * files->sum && !(faults_result.value & FAILED)))
            runner_tell("read_files", &faults_result);
        g_assert_cmpint(faults_result.outcome, ==, HEARTH_ENGINE_RETURNED);
        g_assert_true(faults_result.value == 3 * files->sum || (faults_result.value & FAILED));
        whole += faults_result.value == 3 * files->sum;
        failed += faults_result.value != 3 * files->sum;
    }
    swapper.over = true;
    g_thread_join(thread);
    process_watch_end(watch);
    g_test_message("%u read it, %u did not, %u swaps", whole, failed, swapper.swaps);
    g_assert_cmpuint(whole, >, 0);
    g_assert_cmpuint(failed, >, 0);
}

/* Code of a file that was cut off, and a jump through a slot there: faults of the call's. */
static void code_that_is_cut_off_ends_the_call(void)
{
    static const guint8 CODE[] = {
        0xe9, 0xfb, 0x0f, 0,    0,    /* jmp to the second page */
        0xff, 0x25, 0xfd, 0x0f, 0, 0, /* jmp *(into the second page) */
        0xff, 0x15, 0xf7, 0x0f, 0, 0, /* call *(into the second page) */
    };
    static const guint ENTRIES[] = {0, 5, 11};
    int file = memfd_create("cut-off", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(file, (off_t)2 * PAGE), ==, 0);
    g_assert_cmpint(pwrite(file, CODE, sizeof CODE, 0), ==, sizeof CODE);
    guint8 *code = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    g_assert_true(code != MAP_FAILED);
    g_assert_cmpint(ftruncate(file, PAGE), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(ENTRIES); i++) {
        const HearthEngineCall call = {.entry = (guint64)code + ENTRIES[i]};
        hearth_engine_run(&call, &faults_result);
        g_test_message("%s, rule \"%s\"", hearth_engine_outcome_word(faults_result.outcome),
                       faults_result.rule);
        g_assert_cmpint(faults_result.outcome, !=, HEARTH_ENGINE_RETURNED);
        faults_assert_next_is_right();
    }
    munmap(code, (size_t)2 * PAGE);
    close(file);
    hearth_engine_flush();
}

/* --- The host's own limits --------------------------------------------------------------------- */

typedef struct {
    int resource; /* RLIMIT_ */
    rlim_t soft;
} HostLimit;

/* With nothing of GLib in between, which ends the process where it finds no memory. */
static void run_limited(const HearthEngineCall *call, HostLimit limit)
{
    struct rlimit before, now;
    g_assert_cmpint(getrlimit(limit.resource, &before), ==, 0);
    now = (struct rlimit){.rlim_cur = limit.soft, .rlim_max = before.rlim_max};
    g_assert_cmpint(setrlimit(limit.resource, &now), ==, 0);
    faults_run_watched(call);
    g_assert_cmpint(setrlimit(limit.resource, &before), ==, 0);
}

static int highest_descriptor(void)
{
    int highest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(highest, >=, 0);
    close(highest);
    return highest;
}

static void a_host_without_descriptors_is_borne(void)
{
    g_autoptr(Files) files = files_new();
    for (guint room = 0; room <= 6; room++) {
        ProcessWatch *watch = process_watch_new();
        HearthEngineCall call = reads(files, "read_files", 3);
        /* The oracle needs one as it looks; so the host has that one, which is taken in the call's place. */
        run_limited(&call, (HostLimit){RLIMIT_NOFILE, (rlim_t)highest_descriptor() + 1 + room});
        process_watch_end(watch);
        g_test_message("%u descriptors: %s, value %#lx", room + 1,
                       hearth_engine_outcome_word(faults_result.outcome), faults_result.value);
        faults_assert_one_of("read_files", RETURNED, 3 * files->sum);
        faults_assert_next_is_right();
    }
    HearthEngineCall call = reads(files, "read_files", 3);
    hearth_engine_run(&call, &faults_result);
    runner_assert_returned("read_files", &faults_result, 3 * files->sum);
}

/* New code, too, is found without descriptors, or the call ends; afterwards it is found. */
static void new_code_without_descriptors_is_borne(void)
{
    struct rlimit before, none;
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    for (guint i = 0; i < 5; i++) {
        void *own = runner_load(FAULTS_GUESTS, "engine-guest-own", FALSE);
        HearthEngineCall call = faults_call(own, "fibonacci", 10, 0);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
        hearth_engine_run(&call, &faults_result);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
        g_test_message("without descriptors: %s %s",
                       hearth_engine_outcome_word(faults_result.outcome), faults_result.rule);
        if (faults_result.outcome == HEARTH_ENGINE_RETURNED)
            g_assert_cmpuint(faults_result.value, ==, 55);
        hearth_engine_run(&call, &faults_result);
        runner_assert_returned("fibonacci", &faults_result, 55);
        hearth_engine_flush();
        g_assert_cmpint(dlclose(own), ==, 0);
    }
}

static guint64 size_now(const char *key)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    const char *found = strstr(text, key);
    g_assert_nonnull(found);
    return g_ascii_strtoull(found + strlen(key), NULL, 10) * KIBIBYTE;
}

/* mmap fails by the first, mprotect to what may be written by the second. */
static void sweep_host_memory(int resource, const char *key, HearthEngineCall call,
                              const char *name)
{
    guint64 value = faults_right_value(&call);
    guint returned = 0;
    ProcessWatch *watch = process_watch_new();
    for (guint64 room = 0; room <= 2 * MEBIBYTE; room += 61 * KIBIBYTE) {
        call.arguments[0] = (guint64)hearth_engine_area();
        run_limited(&call, (HostLimit){resource, size_now(key) + room});
        faults_assert_one_of(name, RETURNED | OUT_OF_MEMORY | FAULTED, value);
        returned += faults_result.outcome == HEARTH_ENGINE_RETURNED && faults_result.value == value;
        faults_assert_next_is_right();
    }
    process_watch_end(watch);
    g_test_message("%s: %u returned the value", name, returned);
    hearth_engine_run(&call, &faults_result);
    runner_assert_returned(name, &faults_result, value);
}

static void a_host_without_memory_is_borne(void)
{
    static const struct {
        int resource;
        const char *key;
    } LIMITS[] = {{RLIMIT_AS, "VmSize:"}, {RLIMIT_DATA, "VmData:"}};
    for (gsize i = 0; i < G_N_ELEMENTS(LIMITS); i++) {
        sweep_host_memory(LIMITS[i].resource, LIMITS[i].key,
                          faults_call(faults_guest, "build_list", 100, 9000), "build_list");
        sweep_host_memory(LIMITS[i].resource, LIMITS[i].key,
                          faults_call(faults_guest, "recurse_far", 900, 0), "recurse_far");
        sweep_host_memory(LIMITS[i].resource, LIMITS[i].key,
                          faults_call(faults_guest, "map_much", 10, 90 * KIBIBYTE), "map_much");
    }
}

/* The kernel takes no more mappings: none of them can be split, as growing and shrinking do. */
static void a_host_without_mappings_is_borne(void)
{
    enum { MOST = 66000, SOME = 8 };
    const char *const FUNCTIONS[] = {"build_list", "recurse_far", "map_much"};
    static HearthEngineCall calls[3];
    static guint64 values[3];
    static HearthEngineOutcome outcomes[3][SOME];
    const guint64 touch = (guint64)runner_find(faults_basic, "touch_pages");
    for (guint i = 0; i < 3; i++) {
        calls[i] = faults_call(faults_guest, FUNCTIONS[i], 30, 90 * KIBIBYTE);
        values[i] = faults_right_value(&calls[i]);
    }
    guint8 *memory = mmap(NULL, (size_t)MOST * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(memory != MAP_FAILED);
    gsize split = 0;
    while (split < MOST && mprotect(memory + split * PAGE, PAGE, PROT_NONE) == 0)
        split += 2;
    for (guint room = 0; room < SOME; room++) {
        for (guint i = 0; i < 3; i++) {
            if (room % 4 == 3) {
                /* Where code is has to be looked up again, in all those mappings. */
                const HearthEngineCall stores = {.entry = touch,
                                                 .arguments = {0, (guint64)memory, 1}};
                hearth_engine_flush();
                hearth_engine_run(&stores, &faults_result);
            }
            hearth_engine_run(&calls[i], &faults_result);
            outcomes[i][room] = faults_result.outcome;
            if (faults_result.outcome == HEARTH_ENGINE_RETURNED &&
                faults_result.value != values[i] && !(faults_result.value & FAILED))
                outcomes[i][room] = HEARTH_ENGINE_OUTCOMES;
        }
        split -= 2;
        mprotect(memory + split * PAGE, PAGE, PROT_READ);
    }
    munmap(memory, (size_t)MOST * PAGE);
    for (guint i = 0; i < 3; i++) {
        for (guint room = 0; room < SOME; room++)
            g_test_message("%s, room for %u: %s", FUNCTIONS[i], 2 * room,
                           hearth_engine_outcome_word(outcomes[i][room]));
        for (guint room = 0; room < SOME; room++)
            g_assert_cmpint(outcomes[i][room], !=, HEARTH_ENGINE_OUTCOMES);
        hearth_engine_run(&calls[i], &faults_result);
        runner_assert_returned(FUNCTIONS[i], &faults_result, values[i]);
    }
}

/* A thread whose private memory has to be made first: RLIMIT_AS leaves `room` bytes for it. */
typedef struct {
    guint64 room;
    guint64 before, after; /* the calls that could not begin: size of the process */
    guint failed;          /* of BEGINNINGS */
    HearthEngineResult result;
} Beginner;

#define BEGINNINGS 5

static gpointer begin_without_memory(gpointer data)
{
    Beginner *beginner = data;
    struct rlimit before, tight;
    const HearthEngineCall call = {.entry = (guint64)runner_find(faults_basic, "fibonacci"),
                                   .arguments = {0, 10}};
    getrlimit(RLIMIT_AS, &before);
    beginner->before = size_now("VmSize:"); /* malloc has memory for this thread from here on */
    beginner->before = size_now("VmSize:");
    tight =
        (struct rlimit){.rlim_cur = beginner->before + beginner->room, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_AS, &tight);
    for (guint i = 0; i < BEGINNINGS; i++) {
        hearth_engine_run(&call, &beginner->result);
        beginner->failed += beginner->result.outcome == HEARTH_ENGINE_UNSUPPORTED;
    }
    setrlimit(RLIMIT_AS, &before);
    beginner->after = size_now("VmSize:");
    hearth_engine_run(&call, &beginner->result);
    return NULL;
}

typedef struct {
    GMutex lock; /* held until the keepers may go */
    GAsyncQueue *ready;
} Keeping;

static gpointer keep_slot(gpointer data)
{
    Keeping *keeping = data;
    faults_assert_next_is_right();
    g_async_queue_push(keeping->ready, keeping);
    g_mutex_lock(&keeping->lock);
    g_mutex_unlock(&keeping->lock);
    return NULL;
}

/* What threads leave behind is taken again: others keep it, so that each beginner needs new memory. */
static void a_first_call_without_memory_leaks_nothing(void)
{
    /* From none at all to just less than it takes. */
    static const guint64 ROOMS[] = {0,
                                    64 * KIBIBYTE,
                                    16 * MEBIBYTE,
                                    512 * MEBIBYTE,
                                    HEARTH_SLOT_SIZE + 64 * KIBIBYTE,
                                    HEARTH_SLOT_SIZE + MEBIBYTE,
                                    HEARTH_SLOT_SIZE + 4 * MEBIBYTE};
    Keeping keeping = {.ready = g_async_queue_new()};
    GThread *keepers[G_N_ELEMENTS(ROOMS)];
    guint failed = 0;
    gsize leaked = 0;
    faults_assert_next_is_right();
    g_mutex_lock(&keeping.lock);
    for (guint i = 0; i < G_N_ELEMENTS(ROOMS); i++) {
        Beginner beginner = {.room = ROOMS[i]};
        keepers[i] = g_thread_new("keeper", keep_slot, &keeping);
        g_async_queue_pop(keeping.ready);
        g_thread_join(g_thread_new("beginner", begin_without_memory, &beginner));
        runner_assert_returned("fibonacci", &beginner.result, 55);
        g_test_message("%lu KiB: %u of %u could not begin, %ld KiB more", beginner.room / KIBIBYTE,
                       beginner.failed, BEGINNINGS,
                       (long)(beginner.after - beginner.before) / (long)KIBIBYTE);
        failed += beginner.failed;
        if (beginner.failed == BEGINNINGS) /* else there is a new slot */
            leaked += beginner.after - beginner.before;
    }
    g_mutex_unlock(&keeping.lock);
    for (guint i = 0; i < G_N_ELEMENTS(ROOMS); i++)
        g_thread_join(keepers[i]);
    g_async_queue_unref(keeping.ready);
    g_assert_cmpuint(failed, >, 0);
    g_assert_cmpuint(leaked, <, 16 * KIBIBYTE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!faults_start())
        return 77;
#define CASE(path, function) g_test_add_func("/engine/faults/" path, function)
    CASE("files/number", any_number_of_descriptors_will_do);
    CASE("files/change", files_may_change_while_they_are_read);
    CASE("files/swap", a_file_may_become_another_at_any_moment);
    CASE("files/cut-off", what_is_mapped_may_be_cut_off);
    CASE("host/descriptors", a_host_without_descriptors_is_borne);
    CASE("host/new-code", new_code_without_descriptors_is_borne);
    CASE("host/memory", a_host_without_memory_is_borne);
    CASE("host/mappings", a_host_without_mappings_is_borne);
    CASE("last/first-call", a_first_call_without_memory_leaks_nothing);
    CASE("last/code-cut-off", code_that_is_cut_off_ends_the_call);
    return g_test_run();
}
