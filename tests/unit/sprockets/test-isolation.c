/* Sprockets that misbehave (bad/), run by every way there is: the call fails, nothing else does. */
#include "sprockets/host/host-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#define MEGABYTE (1024 * 1024)

static const HearthSprocketLimits TIGHT = {
    .cpu_ms = 200, .wall_ms = 1000, .memory = 24 * MEGABYTE, .emit_size = MEGABYTE};

typedef struct {
    HearthSprocketHost *host;
    HearthSprocketMode mode;
    char *folder;
    char *path; /* of a file x.bad of 8,192 bytes */
    int fd;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    static char content[8192];
    g_autoptr(GError) error = NULL;
    fixture->mode = (HearthSprocketMode)GPOINTER_TO_INT(data);
    const HearthSprocketOptions options = {
        .folder = g_getenv("HEARTH_BAD_SPROCKETS"), .mode = fixture->mode, .limits = TIGHT};
    fixture->host = hearth_sprocket_host_new(&options, &error);
    g_assert_no_error(error);
    fixture->folder = g_dir_make_tmp("hearth-isolation-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "x.bad", NULL);
    g_assert_true(g_file_set_contents(fixture->path, content, sizeof content, NULL));
    fixture->fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fixture->fd, >=, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    hearth_close_at(&fixture->fd);
    hearth_sprocket_host_free(fixture->host);
    g_assert_cmpint(g_unlink(fixture->path), ==, 0);
    g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
    g_free(fixture->path);
    g_free(fixture->folder);
}

static gboolean run(Fixture *fixture, const char *name, GVariant **ret_values,
                    HearthSprocketReport *report, GError **error)
{
    g_autofree char *id = g_strconcat("test.bad.", name, NULL);
    const HearthSprocketRequest request = {
        .hook = "metadata", .sprocket = id, .fd = fixture->fd, .name = "x.bad"};
    return hearth_sprocket_host_run(fixture->host, &request, ret_values, NULL, report, NULL, error);
}

static HearthSprocketStatus *status_of(Fixture *fixture, const char *name)
{
    g_autofree char *id = g_strconcat("test.bad.", name, NULL);
    g_autoptr(GPtrArray) list = hearth_sprocket_host_list(fixture->host);
    for (guint i = 0; i < list->len; i++) {
        HearthSprocketStatus *status = g_ptr_array_index(list, i);
        if (g_strcmp0(status->id, id) == 0)
            return g_ptr_array_steal_index(list, i);
    }
    g_assert_not_reached();
}

typedef struct {
    const char *name;
    HearthSprocketOutcome outcome;
    HearthError code;
    const char *rule;
    gboolean placed; /* the address and its symbol are told */
} Row;

static const Row ROWS[] = {
    {"crash", HEARTH_SPROCKET_FAULTED, HEARTH_ERROR_PROTOCOL, "SIGSEGV", TRUE},
    {"handler", HEARTH_SPROCKET_FAULTED, HEARTH_ERROR_PROTOCOL, "SIGSEGV", TRUE},
    {"store", HEARTH_SPROCKET_FAULTED, HEARTH_ERROR_PROTOCOL, "SIGSEGV", TRUE},
    {"recurse", HEARTH_SPROCKET_FAULTED, HEARTH_ERROR_PROTOCOL, "SIGSEGV", TRUE},
    {"abort", HEARTH_SPROCKET_FAULTED, HEARTH_ERROR_PROTOCOL, "SIGABRT", TRUE},
    {"spin", HEARTH_SPROCKET_TIMED_OUT, HEARTH_ERROR_TIMED_OUT, "cpu-time", TRUE},
    {"block", HEARTH_SPROCKET_TIMED_OUT, HEARTH_ERROR_TIMED_OUT, "wall-time", FALSE},
    {"allocate", HEARTH_SPROCKET_OUT_OF_MEMORY, HEARTH_ERROR_LIMIT, "memory", FALSE},
    {"sleep", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call clock_nanosleep", TRUE},
    {"descriptor", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call write", TRUE},
    {"open", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call openat", TRUE},
    {"socket", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call socket", TRUE},
    {"exec", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call execve", TRUE},
    {"fork", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call clone", TRUE},
    {"kill", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call kill", TRUE},
    {"code", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "system call mmap", TRUE},
    {"exit", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_PROTOCOL, "exit", FALSE},
    {"huge", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_LIMIT, "result-size", FALSE},
    {"emit", HEARTH_SPROCKET_REFUSED, HEARTH_ERROR_LIMIT, "emit", FALSE},
    {"garbage", HEARTH_SPROCKET_INVALID, HEARTH_ERROR_PROTOCOL, "result-invalid", FALSE},
    {"types", HEARTH_SPROCKET_INVALID, HEARTH_ERROR_PROTOCOL, "result-invalid", FALSE},
    {"range", HEARTH_SPROCKET_INVALID, HEARTH_ERROR_PROTOCOL, "result-invalid", FALSE},
    {"twice", HEARTH_SPROCKET_INVALID, HEARTH_ERROR_PROTOCOL, "result-invalid", FALSE},
    {"unknown", HEARTH_SPROCKET_INVALID, HEARTH_ERROR_PROTOCOL, "result-invalid", FALSE},
    {"status", HEARTH_SPROCKET_INVALID, HEARTH_ERROR_PROTOCOL, "return-value", FALSE},
};

/* What the engine tells otherwise: it knows a stack from other memory. */
static const Row ENGINE_ROWS[] = {
    {"recurse", HEARTH_SPROCKET_ESCAPED, HEARTH_ERROR_PROTOCOL, "stack", TRUE},
};

static const Row *row_for(const Fixture *fixture, const Row *row)
{
    for (gsize i = 0; fixture->mode != HEARTH_SPROCKET_MODE_FORK && i < G_N_ELEMENTS(ENGINE_ROWS);
         i++)
        if (strcmp(ENGINE_ROWS[i].name, row->name) == 0)
            return &ENGINE_ROWS[i];
    return row;
}

static void each_misbehaviour_is_told_and_hurts_nobody(Fixture *fixture, gconstpointer data)
{
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const Row *row = row_for(fixture, &ROWS[i]);
        g_autoptr(GError) error = NULL;
        g_auto(HearthSprocketReport) report = {0}, after = {0};
        g_autoptr(GVariant) values = NULL;
        g_autofree char *start =
            g_strdup_printf("sprocket test.bad.%s, hook metadata: rule %s", row->name, row->rule);
        GPid server = hearth_sprocket_host_server_pid(fixture->host);
        g_assert_false(run(fixture, row->name, NULL, &report, &error));
        g_test_message("%s", error->message);
        g_assert_cmpstr(report.rule, ==, row->rule);
        g_assert_cmpint(report.mode, ==, fixture->mode);
        g_assert_cmpint(report.outcome, ==, row->outcome);
        g_assert_error(error, HEARTH_ERROR, (gint)row->code);
        g_assert_true(g_str_has_prefix(error->message, start));
        g_assert_nonnull(strstr(error->message, "x.bad"));
        if (row->placed) {
            g_assert_cmpuint(report.address, !=, 0);
            g_assert_nonnull(report.symbol);
        }
        /* The server is the same one, and the next call is as if nothing had been. */
        g_assert_true(run(fixture, "count", &values, &after, NULL));
        g_assert_cmpint(hearth_sprocket_host_server_pid(fixture->host), ==, server);
        g_assert_false(after.again);
    }
}

static void a_fault_is_placed_in_the_sprocket(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) report = {0};
    g_assert_false(run(fixture, "crash", NULL, &report, NULL));
    g_assert_true(g_str_has_prefix(report.symbol, "crash.so"));
}

static void limits_end_a_call_in_time(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) spin = {0}, block = {0};
    g_assert_false(run(fixture, "spin", NULL, &spin, NULL));
    g_assert_cmpuint(spin.wall_ns, >=, 150 * 1000000ull);
    if (fixture->mode == HEARTH_SPROCKET_MODE_FORK) {
        g_assert_cmpuint(spin.cpu_us, >=, 150 * 1000);
        g_assert_cmpuint(spin.cpu_us, <, 600 * 1000);
    }
    g_assert_false(run(fixture, "block", NULL, &block, NULL));
    g_assert_cmpuint(block.wall_ns, >=, 1000 * 1000000ull);
    g_assert_cmpuint(block.wall_ns, <, 3000 * 1000000ull);
}

static void printing_reaches_nobody(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GVariant) values = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(HearthSprocketReport) report = {0};
    guint width;
    run(fixture, "print", &values, &report, &error);
    if (fixture->mode != HEARTH_SPROCKET_MODE_FORK) {
        /* By the engine it seems to succeed, and is in the log. */
        g_assert_cmpint(report.outcome, ==, HEARTH_SPROCKET_DECLINED);
        g_assert_cmpstr(report.log, ==, "bad: to standard output\nbad");
        return;
    }
    g_assert_no_error(error);
    g_assert_true(g_variant_lookup(values, "image.width", "u", &width));
    g_assert_cmpuint(width, ==, 7);
}

static void every_call_starts_anew(Fixture *fixture, gconstpointer data)
{
    static const char *const NAMES[] = {"count", "own"};
    for (guint i = 0; i < 6; i++) {
        g_autoptr(GVariant) values = NULL;
        guint width;
        g_assert_true(run(fixture, NAMES[i % 2], &values, NULL, NULL));
        g_assert_true(g_variant_lookup(values, "image.width", "u", &width));
        g_assert_cmpuint(width, ==, 1);
    }
}

static void three_bad_calls_in_a_row_quarantine(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL, other = NULL;
    for (guint i = 0; i < HEARTH_SPROCKET_QUARANTINE_AFTER; i++) {
        g_autoptr(HearthSprocketStatus) before = status_of(fixture, "crash");
        g_assert_false(before->quarantined);
        g_assert_false(run(fixture, "crash", NULL, NULL, NULL));
    }
    g_autoptr(HearthSprocketStatus) status = status_of(fixture, "crash");
    g_assert_true(status->quarantined);
    g_assert_cmpuint(status->calls, ==, 3);
    g_assert_cmpuint(status->outcomes[HEARTH_SPROCKET_FAULTED], ==, 3);
    g_assert_nonnull(strstr(status->last_error, "SIGSEGV"));
    g_assert_false(run(fixture, "crash", NULL, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_PERMISSION);
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    g_assert_true(hearth_sprocket_host_enable(fixture->host, "test.bad.crash", NULL));
    g_assert_false(run(fixture, "crash", NULL, NULL, &other));
    g_assert_error(other, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL);
}

static void what_cannot_be_loaded_is_listed_with_the_reason(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *file;
        const char *reason;
    } FILES[] = {
        {"/constructor.so", "loading it failed"},
        {"/table.so", "loading it failed"},
        {"/newer.so", "another version"},
        {"/empty.so", "SPROCKET_EXPORT"},
    };
    g_autoptr(GPtrArray) list = hearth_sprocket_host_list(fixture->host);
    for (gsize i = 0; i < G_N_ELEMENTS(FILES); i++) {
        guint seen = 0;
        for (guint j = 0; j < list->len; j++) {
            const HearthSprocketStatus *status = g_ptr_array_index(list, j);
            if (!g_str_has_suffix(status->path, FILES[i].file))
                continue;
            g_assert_null(status->id);
            g_assert_nonnull(strstr(status->last_error, FILES[i].reason));
            seen++;
        }
        g_assert_cmpuint(seen, ==, 1);
    }
}

static void a_server_that_died_is_replaced(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) report = {0};
    g_autoptr(GError) error = NULL;
    GPid first = hearth_sprocket_host_server_pid(fixture->host);
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    g_assert_cmpint(kill(first, SIGKILL), ==, 0);
    run(fixture, "count", NULL, &report, &error);
    g_assert_no_error(error);
    g_assert_cmpint(hearth_sprocket_host_server_pid(fixture->host), !=, first);
}

static gpointer kill_server_soon(gpointer data)
{
    g_usleep(200 * 1000);
    kill(hearth_sprocket_host_server_pid(data), SIGKILL);
    return NULL;
}

static void a_server_that_dies_in_a_call_costs_one_try(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) report = {0};
    g_autoptr(GError) error = NULL;
    GThread *killer = g_thread_new("killer", kill_server_soon, fixture->host);
    g_assert_false(run(fixture, "block", NULL, &report, &error));
    g_thread_join(killer);
    g_assert_true(report.again);
    g_assert_cmpstr(report.rule, ==, "wall-time");
}

static gpointer cancel_soon(gpointer data)
{
    g_usleep(100 * 1000);
    g_cancellable_cancel(data);
    return NULL;
}

static void a_call_can_be_cancelled(Fixture *fixture, gconstpointer data)
{
    static const HearthSprocketLimits LONG = {.cpu_ms = 60000, .wall_ms = 60000};
    const HearthSprocketRequest request = {
        .hook = "metadata", .sprocket = "test.bad.block", .fd = fixture->fd, .limits = &LONG};
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_auto(HearthSprocketReport) report = {0};
    gint64 start = g_get_monotonic_time();
    GThread *thread = g_thread_new("cancel", cancel_soon, cancellable);
    g_assert_false(hearth_sprocket_host_run(fixture->host, &request, NULL, NULL, &report,
                                            cancellable, &error));
    g_thread_join(thread);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED);
    g_assert_cmpint(report.outcome, ==, HEARTH_SPROCKET_NOT_RUN);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_USEC_PER_SEC);
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
}

static gpointer cut_soon(gpointer path)
{
    g_usleep(100 * 1000);
    g_assert_cmpint(truncate(path, 0), ==, 0);
    return NULL;
}

static void a_file_cut_short_is_nobodys_fault(Fixture *fixture, gconstpointer data)
{
    static const HearthSprocketLimits LONG = {.cpu_ms = 60000, .wall_ms = 60000};
    const HearthSprocketRequest request = {
        .hook = "metadata", .sprocket = "test.bad.reread", .fd = fixture->fd, .limits = &LONG};
    g_autoptr(GError) error = NULL;
    GThread *thread = g_thread_new("cut", cut_soon, fixture->path);
    g_assert_false(
        hearth_sprocket_host_run(fixture->host, &request, NULL, NULL, NULL, NULL, &error));
    g_thread_join(thread);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT);
    g_autoptr(HearthSprocketStatus) status = status_of(fixture, "reread");
    g_assert_cmpuint(status->bad_in_a_row, ==, 0);
}

typedef struct {
    Fixture *fixture;
    const char *name; /* of a sprocket whose every call is the first */
} Many;

static gpointer run_many(gpointer data)
{
    const Many *many = data;
    for (guint i = 0; i < 40; i++) {
        g_autoptr(GVariant) values = NULL;
        guint width;
        if (i % 8 == 7) {
            g_assert_false(run(many->fixture, "exit", NULL, NULL, NULL));
            continue;
        }
        g_assert_true(run(many->fixture, many->name, &values, NULL, NULL));
        g_assert_true(g_variant_lookup(values, "image.width", "u", &width));
        g_assert_cmpuint(width, ==, 1);
    }
    return NULL;
}

static void calls_of_several_threads_do_not_mix(Fixture *fixture, gconstpointer data)
{
    static const char *const NAMES[] = {"count", "own"};
    for (guint n = 0; n < G_N_ELEMENTS(NAMES); n++) {
        GThread *threads[4];
        Many many = {fixture, NAMES[n]};
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
            threads[i] = g_thread_new("many", run_many, &many);
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
            g_thread_join(threads[i]);
        g_autoptr(HearthSprocketStatus) status = status_of(fixture, NAMES[n]);
        g_assert_cmpuint(status->outcomes[HEARTH_SPROCKET_RETURNED], ==, 4 * 35);
    }
}

static gpointer crash_slowly(gpointer data)
{
    const Fixture *fixture = data;
    static const HearthSprocketLimits LONG = {.cpu_ms = 60000, .wall_ms = 60000};
    const HearthSprocketRequest request = {
        .hook = "preview", .sprocket = "test.bad.own", .fd = fixture->fd, .limits = &LONG};
    g_auto(HearthSprocketReport) report = {0};
    g_assert_false(
        hearth_sprocket_host_run(fixture->host, &request, NULL, NULL, &report, NULL, NULL));
    g_assert_cmpstr(report.rule, ==, "SIGSEGV");
    g_assert_true(g_str_has_prefix(report.symbol, "own.so"));
    return NULL;
}

/* Two at the same time: by the engine one of them is of a copy of the object. */
static void a_copy_has_the_name_of_its_object(Fixture *fixture, gconstpointer data)
{
    GThread *one = g_thread_new("one", crash_slowly, fixture);
    GThread *two = g_thread_new("two", crash_slowly, fixture);
    g_thread_join(one);
    g_thread_join(two);
}

/* --- By the engine ----------------------------------------------------------------------------- */

static gpointer mask_after_a_call(gpointer data)
{
    static sigset_t mask;
    g_assert_true(run(data, "count", NULL, NULL, NULL));
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return &mask;
}

static void signals_are_left_to_the_main_thread(Fixture *fixture, gconstpointer data)
{
    const sigset_t *mask = g_thread_join(g_thread_new("mask", mask_after_a_call, fixture));
    sigset_t own;
    g_assert_true(sigismember(mask, SIGINT));
    g_assert_true(sigismember(mask, SIGCHLD));
    g_assert_false(sigismember(mask, SIGSEGV));
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    pthread_sigmask(SIG_BLOCK, NULL, &own);
    g_assert_false(sigismember(&own, SIGINT));
}

static void what_the_engine_did_is_told(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) report = {0};
    g_assert_true(run(fixture, "count", NULL, &report, NULL));
    g_assert_cmpuint(report.engine.tries, ==, 1);
    g_assert_cmpuint(report.engine.memory, >, 0);
    g_assert_cmpuint(report.engine.overlay_pages, >, 0); /* of its static variable */
}

static void a_sprocket_can_have_a_mode_of_its_own(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) report = {0}, other = {0};
    g_autoptr(GError) error = NULL;
    g_assert_true(hearth_sprocket_host_set_mode(fixture->host, "test.bad.count",
                                                HEARTH_SPROCKET_MODE_FORK, NULL));
    g_assert_true(run(fixture, "count", NULL, &report, NULL));
    g_assert_cmpint(report.mode, ==, HEARTH_SPROCKET_MODE_FORK);
    g_assert_true(run(fixture, "own", NULL, &other, NULL));
    g_assert_cmpint(other.mode, ==, fixture->mode);
    g_assert_false(hearth_sprocket_host_set_mode(fixture->host, "test.bad.nothing",
                                                 HEARTH_SPROCKET_MODE_FORK, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
}

static void translations_are_kept(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->folder, "translations", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    hearth_sprocket_host_keep(fixture->host, path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(hearth_sprocket_host_warm(fixture->host, path), >=, 0);
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(hearth_sprocket_host_warm(fixture->host, path), ==, 0);
}

/* The processes of the host that stay, of which there is one; 0: none. */
static GPid find_resident(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        static const char COMMAND[] = "hearth-sprocket\0--resident";
        g_autofree char *command = g_build_filename("/proc", name, "cmdline", NULL);
        g_autofree char *stat = g_build_filename("/proc", name, "stat", NULL);
        g_autofree char *line = NULL, *text = NULL;
        gsize size;
        int parent;
        if (!g_ascii_isdigit(name[0]) || !g_file_get_contents(command, &line, &size, NULL) ||
            size != sizeof COMMAND || memcmp(line, COMMAND, size) != 0 ||
            !g_file_get_contents(stat, &text, NULL, NULL))
            continue;
        if (sscanf(strrchr(text, ')'), ") %*c %d", &parent) == 1 && parent == getpid())
            return (GPid)g_ascii_strtoll(name, NULL, 10);
    }
    return 0;
}

static void a_resident_is_confined(Fixture *fixture, gconstpointer data)
{
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    GPid resident = find_resident();
    g_assert_cmpint(resident, >, 0);
    g_autofree char *path = g_strdup_printf("/proc/%d/status", resident);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "\nSeccomp:\t2\n"));
    g_assert_nonnull(strstr(text, "\nNoNewPrivs:\t1\n"));
}

static void a_resident_that_died_is_replaced(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketReport) report = {0}, after = {0};
    g_autoptr(GError) error = NULL;
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    GPid first = find_resident();
    g_assert_cmpint(kill(first, SIGKILL), ==, 0);
    run(fixture, "count", NULL, &report, &error);
    g_assert_no_error(error);
    g_assert_true(report.again);
    g_assert_cmpint(find_resident(), !=, first);
    g_assert_true(run(fixture, "count", NULL, &after, NULL));
    g_assert_false(after.again);
}

static void residents_go_with_their_host(Fixture *fixture, gconstpointer data)
{
    const HearthSprocketOptions options = {.folder = g_getenv("HEARTH_BAD_SPROCKETS"),
                                           .mode = HEARTH_SPROCKET_MODE_PROCESS};
    HearthSprocketHost *mine = fixture->host;
    fixture->host = hearth_sprocket_host_new(&options, NULL);
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    g_assert_cmpint(find_resident(), >, 0);
    hearth_sprocket_host_free(fixture->host);
    g_assert_cmpint(find_resident(), ==, 0);
    fixture->host = mine;
}

/* --- Forked ------------------------------------------------------------------------------------ */

static void no_child_of_a_call_stays_behind(Fixture *fixture, gconstpointer data)
{
    GPid server = hearth_sprocket_host_server_pid(fixture->host);
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", server, server);
    g_autofree char *children = NULL;
    g_assert_false(run(fixture, "block", NULL, NULL, NULL));
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    if (g_file_get_contents(path, &children, NULL, NULL)) {
        /* One: the child that waits for the next call. */
        g_auto(GStrv) numbers = g_strsplit(g_strstrip(children), " ", -1);
        g_assert_cmpuint(g_strv_length(numbers), <=, 1);
    }
}

/* The pid of the child that waits for the next call; 0: the kernel does not tell. */
static GPid waiting_child(GPid server)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", server, server);
    g_autofree char *children = NULL;
    if (!g_file_get_contents(path, &children, NULL, NULL))
        return 0;
    return (GPid)g_ascii_strtoll(children, NULL, 10);
}

/* Dead, also if nobody has reaped it: process 1 of a container may not. */
static gboolean is_dead(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *stat = NULL;
    return !g_file_get_contents(path, &stat, NULL, NULL) || strstr(stat, ") Z ");
}

static void children_go_with_their_server(Fixture *fixture, gconstpointer data)
{
    GPid server = hearth_sprocket_host_server_pid(fixture->host);
    g_assert_true(run(fixture, "count", NULL, NULL, NULL));
    GPid child = waiting_child(server);
    if (child == 0) {
        g_test_skip("this kernel does not list children");
        return;
    }
    g_assert_cmpint(kill(server, SIGKILL), ==, 0);
    for (guint i = 0; i < 500 && !is_dead(child); i++)
        g_usleep(10 * 1000);
    g_assert_true(is_dead(child));
}

/* A server as the host starts it, with `socket` at descriptor 3; -1: as by hand. */
static GSubprocess *start_server(int socket)
{
    g_autofree char *runner = g_build_filename(g_getenv("HEARTH_BIN"), "hearth-sprocket", NULL);
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_autoptr(GError) error = NULL;
    if (socket >= 0)
        g_subprocess_launcher_take_fd(launcher, socket, 3);
    GSubprocess *server = g_subprocess_launcher_spawn(launcher, &error, runner, NULL);
    g_assert_no_error(error);
    return server;
}

static void a_server_ends_with_its_host(Fixture *fixture, gconstpointer data)
{
    int ends[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
    g_autoptr(GSubprocess) server = start_server(ends[1]);
    g_autoptr(GSubprocess) alone = start_server(-1);
    close(ends[0]);
    g_assert_true(g_subprocess_wait(server, NULL, NULL));
    g_assert_cmpint(g_subprocess_get_exit_status(server), ==, 0);
    g_assert_true(g_subprocess_wait(alone, NULL, NULL));
    g_assert_cmpint(g_subprocess_get_exit_status(alone), ==, 2);
}

static void a_path_is_run_without_being_installed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *object = g_build_filename(g_getenv("HEARTH_BAD_SPROCKETS"), "count.so", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = NULL;
    HearthSprocketRunStats stats;
    hearth_sprocket_run_file(NULL, object, "metadata", fixture->path, NULL, fixture->mode, 5, NULL,
                             &values, NULL, &stats, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(stats.median_ns, >, 0);
    g_assert_cmpuint(stats.cold_ns, >, 0);
    g_assert_cmpint(stats.report.outcome, ==, HEARTH_SPROCKET_RETURNED);
    g_assert_cmpint(stats.report.mode, ==, fixture->mode);
    hearth_sprocket_report_clear(&stats.report);
}

static void a_mode_that_cannot_be_had_is_refused(Fixture *fixture, gconstpointer data)
{
    static const HearthSprocketMode MODES[] = {HEARTH_SPROCKET_MODE_ROLLBACK,
                                               HEARTH_SPROCKET_MODE_PROCESS};
    for (gsize i = 0; i < G_N_ELEMENTS(MODES); i++) {
        g_autoptr(GError) error = NULL, other = NULL;
        const char *reason = NULL;
        const HearthSprocketRequest request = {
            .hook = "metadata", .sprocket = "test.bad.count", .fd = fixture->fd, .mode = &MODES[i]};
        if (hearth_sprocket_mode_available(MODES[i], &reason))
            continue;
        g_assert_nonnull(reason);
        g_assert_false(
            hearth_sprocket_host_run(fixture->host, &request, NULL, NULL, NULL, NULL, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED);
        g_assert_false(
            hearth_sprocket_host_set_mode(fixture->host, "test.bad.count", MODES[i], &other));
        g_assert_error(other, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED);
    }
}

static void the_default_is_rollback_where_it_can_be_had(Fixture *fixture, gconstpointer data)
{
    const HearthSprocketOptions options = {.folder = g_getenv("HEARTH_BAD_SPROCKETS")};
    const HearthSprocketRequest request = {
        .hook = "metadata", .sprocket = "test.bad.count", .fd = fixture->fd};
    g_autoptr(HearthSprocketHost) host = hearth_sprocket_host_new(&options, NULL);
    g_auto(HearthSprocketReport) report = {0};
    g_assert_true(hearth_sprocket_host_run(host, &request, NULL, NULL, &report, NULL, NULL));
    g_assert_cmpint(report.mode, ==,
                    hearth_sprocket_mode_available(HEARTH_SPROCKET_MODE_ROLLBACK, NULL)
                        ? HEARTH_SPROCKET_MODE_ROLLBACK
                        : HEARTH_SPROCKET_MODE_FORK);
}

static void add(HearthSprocketMode mode, const char *name,
                void (*function)(Fixture *fixture, gconstpointer data))
{
    g_autofree char *path =
        g_strdup_printf("/sprockets/isolation/%s/%s", hearth_sprocket_mode_word(mode), name);
    g_test_add(path, Fixture, GINT_TO_POINTER(mode), set_up, function, tear_down);
}

static void add_for_every_mode(HearthSprocketMode mode)
{
    add(mode, "each-misbehaviour", each_misbehaviour_is_told_and_hurts_nobody);
    add(mode, "place-of-a-fault", a_fault_is_placed_in_the_sprocket);
    add(mode, "limits-in-time", limits_end_a_call_in_time);
    add(mode, "printing", printing_reaches_nobody);
    add(mode, "every-call-anew", every_call_starts_anew);
    add(mode, "quarantine", three_bad_calls_in_a_row_quarantine);
    add(mode, "not-loadable", what_cannot_be_loaded_is_listed_with_the_reason);
    add(mode, "file-cut-short", a_file_cut_short_is_nobodys_fault);
    add(mode, "threads", calls_of_several_threads_do_not_mix);
    add(mode, "copies", a_copy_has_the_name_of_its_object);
    add(mode, "path", a_path_is_run_without_being_installed);
    /* A call by the engine in the caller's own thread ends within its limits, not before. */
    if (mode != HEARTH_SPROCKET_MODE_ROLLBACK)
        add(mode, "cancel", a_call_can_be_cancelled);
}

static void add_for_fork(void)
{
    HearthSprocketMode mode = HEARTH_SPROCKET_MODE_FORK;
    add(mode, "server-replaced", a_server_that_died_is_replaced);
    add(mode, "server-dies-in-a-call", a_server_that_dies_in_a_call_costs_one_try);
    add(mode, "no-child-left", no_child_of_a_call_stays_behind);
    add(mode, "children-go-with-server", children_go_with_their_server);
    add(mode, "server-goes-with-host", a_server_ends_with_its_host);
    add(mode, "not-available", a_mode_that_cannot_be_had_is_refused);
    add(mode, "default", the_default_is_rollback_where_it_can_be_had);
}

static void add_for_engine(HearthSprocketMode mode)
{
    add(mode, "told", what_the_engine_did_is_told);
    add(mode, "own-mode", a_sprocket_can_have_a_mode_of_its_own);
    if (mode == HEARTH_SPROCKET_MODE_ROLLBACK) {
        add(mode, "signals", signals_are_left_to_the_main_thread);
        add(mode, "translations", translations_are_kept);
    } else {
        add(mode, "resident-confined", a_resident_is_confined);
        add(mode, "resident-replaced", a_resident_that_died_is_replaced);
        add(mode, "residents-go-with-host", residents_go_with_their_host);
    }
}

int main(int argc, char **argv)
{
    static const HearthSprocketMode ENGINE[] = {HEARTH_SPROCKET_MODE_ROLLBACK,
                                                HEARTH_SPROCKET_MODE_PROCESS};
    g_test_init(&argc, &argv, NULL);
    add_for_every_mode(HEARTH_SPROCKET_MODE_FORK);
    add_for_fork();
    for (gsize i = 0; i < G_N_ELEMENTS(ENGINE); i++) {
        if (!hearth_sprocket_mode_available(ENGINE[i], NULL))
            continue;
        add_for_every_mode(ENGINE[i]);
        add_for_engine(ENGINE[i]);
    }
    return g_test_run();
}
