/*
 * Sixty ways to misbehave (bad/), each run by the engine in front of a host that watches: the outcome is
 * the expected one, in time, nothing in the process has changed, and the next call works.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sprockets/engine/slot-private.h"
#include "tests/unit/sprockets/engine/bad/victim.h"
#include "tests/unit/sprockets/engine/memory-oracle.h"
#include "tests/unit/sprockets/engine/misbehaviours.h"
#include "tests/unit/sprockets/engine/process-watch.h"
#include "tests/unit/sprockets/engine/runner.h"

#define OBJECTS "HEARTH_ENGINE_BAD"
#define FILE_SIZE 8192
#define PAGE 4096
#define GIVEN_AT 100 /* positions of the host's descriptors */
#define OTHER_AT 200
#define GRACE_MS 50 /* after its limit, a call has ended */
#define TRIES 3     /* of the clock, for a machine that does other things */

static const HearthEngineLimits LIMITS = {.cpu_ms = 100,
                                          .wall_ms = 1000,
                                          .memory = 16 << 20,
                                          .overlay_pages = 256,
                                          .descriptors = 16,
                                          .emit_size = 1 << 20,
                                          .log_size = 1024};

typedef struct {
    char *folder, *other, *file, *fifo, *link, *outside, *shared_file, *library;
    const char *folders[2];
    pthread_mutex_t held, free;
    pthread_t holder;
    sem_t taken, over;
    volatile int racing_over;
    RunnerFunction good;
} Host;

static Host host;
static Victim victim;
static uint64_t data_words[VICTIM_WORDS];
static HearthEngineResult result, good_result; /* not among what is watched: see main */
static jmp_buf jump;

/* --- The host ---------------------------------------------------------------------------------- */

static void write_file(const char *path, int byte)
{
    g_autofree char *content = g_malloc(FILE_SIZE);
    memset(content, byte, FILE_SIZE);
    g_assert_true(g_file_set_contents(path, content, FILE_SIZE, NULL));
}

static void *map(size_t size, int protection, int flags, int fd)
{
    void *memory = mmap(NULL, size, protection, flags, fd, 0);
    g_assert_true(memory != MAP_FAILED);
    return memory;
}

static void make_files(void)
{
    host.folder = g_dir_make_tmp("hearth-engine-XXXXXX", NULL);
    host.other = g_dir_make_tmp("hearth-engine-other-XXXXXX", NULL);
    host.file = g_build_filename(host.folder, "file", NULL);
    host.fifo = g_build_filename(host.folder, "fifo", NULL);
    host.link = g_build_filename(host.folder, "link", NULL);
    host.outside = g_build_filename(host.other, "outside", NULL);
    host.shared_file = g_build_filename(host.other, "shared", NULL);
    write_file(host.file, 'x');
    write_file(host.outside, 'y');
    write_file(host.shared_file, 'z');
    g_assert_cmpint(mkfifo(host.fifo, 0600), ==, 0);
    g_assert_cmpint(symlink(host.outside, host.link), ==, 0);
    host.folders[0] = host.folder;
    host.library = g_build_filename(g_getenv(OBJECTS), "60-timing.so", NULL);
}

static int open_at(off_t position)
{
    int fd = open(host.file, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(lseek(fd, position, SEEK_SET), ==, position);
    return fd;
}

static void make_mappings(void)
{
    int shared = open(host.shared_file, O_RDWR | O_CLOEXEC);
    int cut = open(host.outside, O_RDWR | O_CLOEXEC);
    victim.shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    victim.mapped = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shared);
    victim.truncated = map(PAGE, PROT_READ, MAP_PRIVATE, cut);
    g_assert_cmpint(ftruncate(cut, 0), ==, 0);
    victim.pages = map(64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *pages = map(4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    g_assert_cmpint(mprotect(pages + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE), ==, 0);
    memset(pages + PAGE, 0x11, 2 * PAGE);
    victim.edge = pages + 3 * PAGE;
    close(shared);
    close(cut);
}

static void finalise(Victim *of)
{
    free(of->heap);
    of->heap = NULL;
    close(of->finalised);
}

static void *hold(void *unused)
{
    pthread_mutex_lock(&host.held);
    sem_post(&host.taken);
    sem_wait(&host.over);
    pthread_mutex_unlock(&host.held);
    return NULL;
}

static void make_victim(void)
{
    victim.heap = g_malloc(VICTIM_WORDS * sizeof *victim.heap);
    victim.data = data_words;
    for (guint i = 0; i < VICTIM_WORDS; i++)
        victim.heap[i] = data_words[i] = 0x1000000000000u + i;
    victim.counter = 1000;
    victim.references = 1;
    victim.finalise = finalise;
    victim.held = &host.held;
    victim.free = &host.free;
    victim.racing = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    victim.jump = &jump;
    victim.folder = host.folder;
    victim.file = host.file;
    victim.fifo = host.fifo;
    victim.outside = host.outside;
    victim.library = host.library;
    victim.given = open_at(GIVEN_AT);
    victim.descriptor = open_at(OTHER_AT);
    victim.finalised = open_at(0);
    victim.engine = (uint64_t)hearth_engine_run;
    victim.context = (uint64_t)hearth_engine_area() - HEARTH_SLOT_AREA + HEARTH_SLOT_CONTEXT;
    victim.secret = 0x5ec2e7;
    victim.pid = getpid();
    victim.emit = hearth_engine_emit;
}

static bool take_bytes(void *data, const void *bytes, size_t length)
{
    return true;
}

static void run(RunnerFunction function, gboolean validates, void *area,
                HearthEngineResult *ret_result)
{
    const HearthEnginePolicy policy = {.folders = host.folders,
                                       .descriptors = &victim.given,
                                       .descriptor_count = 1,
                                       .validate_reads = validates};
    const HearthEngineCall call = {.entry = (guint64)function,
                                   .arguments = {(guint64)area, (guint64)&victim},
                                   .limits = &LIMITS,
                                   .policy = &policy,
                                   .emit = take_bytes};
    hearth_engine_run(&call, ret_result);
}

static void assert_good_works(void)
{
    uint64_t *area = hearth_engine_area();
    run(host.good, FALSE, area, &good_result);
    runner_assert_returned("a good call", &good_result, 0);
    g_assert_cmpstr((char *)(area + 1), ==, "well 42 1.500");
    g_assert_cmphex(area[0], ==, victim.heap[0]);
}

static void set_up(void)
{
    make_files();
    make_mappings();
    make_victim();
    pthread_mutex_init(&host.held, NULL);
    pthread_mutex_init(&host.free, NULL);
    sem_init(&host.taken, 0, 0);
    sem_init(&host.over, 0, 0);
    g_assert_cmpint(pthread_create(&host.holder, NULL, hold, NULL), ==, 0);
    sem_wait(&host.taken);
    /* A lock for writers does not look the same after its first writer, so that is here. */
    setlocale(LC_ALL, "C");
    host.good = runner_find(runner_load(OBJECTS, "00-good", FALSE), "misbehave");
    memory_oracle_ignore(&result, sizeof result);
    memory_oracle_ignore(&good_result, sizeof good_result);
    memory_oracle_ignore(&jump, sizeof jump);
    assert_good_works();
}

static void tear_down(void)
{
    sem_post(&host.over);
    pthread_join(host.holder, NULL);
    const char *files[] = {host.file, host.fifo, host.link, host.outside, host.shared_file};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
        g_assert_cmpint(g_unlink(files[i]), ==, 0);
    g_assert_cmpint(g_rmdir(host.folder), ==, 0);
    g_assert_cmpint(g_rmdir(host.other), ==, 0);
}

/* --- What has to be as it was, beside memory --------------------------------------------------- */

static void assert_file_is(const char *path, guint8 byte, gsize size)
{
    g_autofree char *content = NULL;
    gsize length;
    struct stat info;
    g_assert_true(g_file_get_contents(path, &content, &length, NULL));
    g_assert_cmpuint(length, ==, size);
    for (gsize i = 0; i < length; i++)
        g_assert_cmphex((guint8)content[i], ==, byte);
    g_assert_cmpint(stat(path, &info), ==, 0);
    g_assert_cmpuint(info.st_mode & 0777, !=, 0);
}

static void assert_files_are_there(void)
{
    g_autoptr(GDir) folder = g_dir_open(host.folder, 0, NULL);
    guint count = 0;
    while (g_dir_read_name(folder))
        count++;
    g_assert_cmpuint(count, ==, 3);
    assert_file_is(host.file, 'x', FILE_SIZE);
    assert_file_is(host.outside, 'y', 0);
    assert_file_is(host.shared_file, 'z', FILE_SIZE);
    g_assert_cmpint(lseek(victim.given, 0, SEEK_CUR), ==, GIVEN_AT);
    g_assert_cmpint(lseek(victim.descriptor, 0, SEEK_CUR), ==, OTHER_AT);
}

static void assert_locks_are_as_they_were(void)
{
    g_assert_cmpint(pthread_mutex_trylock(&host.free), ==, 0);
    pthread_mutex_unlock(&host.free);
    g_assert_cmpint(pthread_mutex_trylock(&host.held), !=, 0);
}

static void assert_processor_computes(void)
{
    volatile long double big = 3;
    volatile double small = 3;
    volatile char bytes[3] = {1, 2, 3}, other[3];
    for (guint i = 0; i < 20; i++) {
        big = big * 2 + 1;
        small = small * 2 + 1;
    }
    memmove((char *)other, (char *)bytes, sizeof bytes);
    g_assert_true(big == 4194303 && small == 4194303 && other[2] == 3);
}

/* --- One call ---------------------------------------------------------------------------------- */

static guint64 milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (guint64)now.tv_sec * 1000 + (guint64)now.tv_nsec / 1000000;
}

typedef struct {
    guint64 wall_ms, cpu_ms;
    gboolean same;
    char difference[512];
} Watched;

/* The frames from here down are the oracle's business; all above have to stay as they are. */
static __attribute__((noinline)) void run_watched(RunnerFunction function, gboolean validates,
                                                  void *area, Watched *ret_watched)
{
    const void *frame = __builtin_frame_address(0);
    if (setjmp(jump) != 0)
        g_error("a call jumped into a frame of the host");
    memory_oracle_take(frame);
    guint64 wall = milliseconds(CLOCK_MONOTONIC), cpu = milliseconds(CLOCK_THREAD_CPUTIME_ID);
    run(function, validates, area, &result);
    cpu = milliseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = milliseconds(CLOCK_MONOTONIC) - wall;
    bool same =
        memory_oracle_compare(frame, ret_watched->difference, sizeof ret_watched->difference);
    ret_watched->wall_ms = wall;
    ret_watched->cpu_ms = cpu;
    ret_watched->same = same;
}

static gboolean in_time(const Watched *watched)
{
    return watched->wall_ms <= LIMITS.wall_ms + GRACE_MS &&
           watched->cpu_ms <= LIMITS.cpu_ms + GRACE_MS;
}

static void assert_outcome(const Misbehaviour *row)
{
    g_assert_cmphex(row->outcomes & 1u << result.outcome, !=, 0);
    if (result.outcome == HEARTH_ENGINE_RETURNED) {
        g_assert_cmphex(result.value, ==, 0);
        return;
    }
    g_assert_cmpstr(result.rule, !=, "");
    if (!row->rule)
        return;
    const char *star = strchr(row->rule, '*');
    if (star)
        g_assert_cmpint(strncmp(result.rule, row->rule, (gsize)(star - row->rule)), ==, 0);
    else
        g_assert_cmpstr(result.rule, ==, row->rule);
}

static void assert_log(const Misbehaviour *row)
{
    if (row->flags & MISBEHAVIOUR_PRINTS)
        g_assert_cmpstr(result.log, ==, "printed out\nprinted err\n");
    else if (row->flags & MISBEHAVIOUR_FLOODS)
        g_assert_cmpuint(result.log_size, ==, LIMITS.log_size);
    else if (result.outcome == HEARTH_ENGINE_RETURNED)
        g_assert_cmpstr(result.log, ==, "");
}

static void *keep_changing(void *unused)
{
    for (uint64_t i = 1; !host.racing_over; i++)
        __atomic_store_n(victim.racing, i, __ATOMIC_RELAXED);
    return NULL;
}

static void run_raced(RunnerFunction function, void *area, Watched *ret_watched)
{
    pthread_t racer;
    host.racing_over = 0;
    g_assert_cmpint(pthread_create(&racer, NULL, keep_changing, NULL), ==, 0);
    run(function, TRUE, area, &result);
    host.racing_over = 1;
    pthread_join(racer, NULL);
    ret_watched->same = TRUE; /* but for what the other thread does, which is another test's */
}

static void misbehave_once(const Misbehaviour *row, RunnerFunction function, Watched *ret_watched)
{
    void *area = hearth_engine_area();
    g_autofree guint8 *first = NULL;
    ProcessWatch *watch = process_watch_new();
    guint runs = row->flags & MISBEHAVIOUR_SAME ? 2 : 1;
    memset(ret_watched, 0, sizeof *ret_watched);
    for (guint i = 0; i < runs; i++) {
        memset(area, 0, PAGE);
        if (row->flags & MISBEHAVIOUR_RACES)
            run_raced(function, area, ret_watched);
        else
            run_watched(function, FALSE, area, ret_watched);
        if (i > 0)
            g_assert_cmpmem(area, PAGE, first, PAGE);
        first = i == 0 ? g_memdup2(area, PAGE) : first;
    }
    assert_processor_computes();
    process_watch_end(watch);
}

static gboolean is_supported(const Misbehaviour *row)
{
    __builtin_cpu_init();
    if (row->flags & MISBEHAVIOUR_NEEDS_AVX && !__builtin_cpu_supports("avx2"))
        return FALSE;
    return !(row->flags & MISBEHAVIOUR_NEEDS_AVX512) || __builtin_cpu_supports("avx512f");
}

static void a_misbehaviour_ends_as_expected_and_nothing_of_it_remains(gconstpointer data)
{
    const Misbehaviour *row = data;
    Watched watched;
    if (!is_supported(row)) {
        g_test_skip("this processor has no such instructions");
        return;
    }
    void *object = runner_load(OBJECTS, row->object, row->flags & MISBEHAVIOUR_LAZY);
    RunnerFunction function = runner_find(object, row->function ? row->function : "misbehave");
    victim.handle = object;
    size_t code_bytes, blocks;
    hearth_engine_usage(&code_bytes, &blocks);
    uint64_t code = memory_oracle_engine_code();
    victim.cache = code ? code + (code_bytes / 2 & ~(size_t)15) : 0;
    for (guint i = 0; i < TRIES; i++) {
        misbehave_once(row, function, &watched);
        if (in_time(&watched) || !watched.same)
            break;
    }
    runner_tell(row->function ? row->function : row->object, &result);
    assert_outcome(row);
    assert_log(row);
    g_assert_cmpstr(watched.difference, ==, "");
    g_assert_true(watched.same);
    g_assert_true(in_time(&watched));
    assert_files_are_there();
    assert_locks_are_as_they_were();
    assert_good_works();
    /* The object goes with its translations, so that the next may stand where it stood. */
    hearth_engine_flush();
    g_assert_cmpint(dlclose(object), ==, 0);
    assert_good_works();
}

/* --- The watching itself ----------------------------------------------------------------------- */

static __attribute__((noinline)) void the_oracle_sees_one_changed_byte(void)
{
    const void *frame = __builtin_frame_address(0);
    char difference[512];
    volatile char *places[] = {
        (char *)&victim.heap[700], (char *)&data_words[3], (char *)victim.shared,
        victim.edge - 1,           (char *)&errno,         (char *)stdout + 16};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        memory_oracle_take(frame);
        *places[i] ^= 1;
        bool same = memory_oracle_compare(frame, difference, sizeof difference);
        *places[i] ^= 1;
        g_assert_false(same);
        g_test_message("%s", difference);
        difference[0] = '\0';
        memory_oracle_take(frame);
        memory_oracle_compare(frame, difference, sizeof difference);
        g_assert_cmpstr(difference, ==, "");
    }
    g_assert_cmpuint(memory_oracle_size(), >, 1 << 20);
}

static void the_oracle_sees_a_new_mapping(void)
{
    char difference[512];
    const void *frame = __builtin_frame_address(0);
    memory_oracle_take(frame);
    void *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_false(memory_oracle_compare(frame, difference, sizeof difference));
    munmap(memory, PAGE);
    difference[0] = '\0';
    memory_oracle_compare(frame, difference, sizeof difference);
    g_assert_cmpstr(difference, ==, "");
}

static void every_row_of_the_catalogue_has_a_misbehaviour(void)
{
    for (guint i = 1; i <= 60; i++) {
        gboolean found = FALSE;
        for (gsize j = 0; j < MISBEHAVIOURS_COUNT; j++)
            found |= (guint)atoi(MISBEHAVIOURS[j].object) == i;
        g_assert_true(found);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!runner_available())
        return 77;
    set_up();
    g_test_add_func("/engine/misbehaviour/oracle/byte", the_oracle_sees_one_changed_byte);
    g_test_add_func("/engine/misbehaviour/oracle/mapping", the_oracle_sees_a_new_mapping);
    g_test_add_func("/engine/misbehaviour/catalogue",
                    every_row_of_the_catalogue_has_a_misbehaviour);
    for (gsize i = 0; i < MISBEHAVIOURS_COUNT; i++) {
        const Misbehaviour *row = &MISBEHAVIOURS[i];
        const char *function = row->function ? row->function + strlen("misbehave_") : "plain";
        g_autofree char *path =
            g_strdup_printf("/engine/misbehaviour/%s/%s", row->object, function);
        g_test_add_data_func(path, row, a_misbehaviour_ends_as_expected_and_nothing_of_it_remains);
    }
    int failed = g_test_run();
    tear_down();
    return failed;
}
