/* The engine as a function: what it runs, gives back, bounds, counts and keeps. */
#include <dlfcn.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/runner.h"

#define GUESTS "HEARTH_ENGINE_GUESTS"
#define OBJECT "engine-guest"
#define MEBIBYTE ((guint64)1 << 20)
#define LOG_LINE 16 /* bytes that write_log writes at a time */

static void *guest;
static HearthEngineResult result;

static void *call(const char *function, guint64 first, guint64 second,
                  const HearthEngineLimits *limits)
{
    return runner_run(runner_find(guest, function), first, second, limits, NULL, &result);
}

static void assert_ended(HearthEngineOutcome outcome, const char *rule)
{
    if (result.outcome != outcome || g_strcmp0(result.rule, rule) != 0)
        runner_tell("ended", &result);
    g_assert_cmpint(result.outcome, ==, outcome);
    g_assert_cmpstr(result.rule, ==, rule);
}

/* --- Values, arguments, area ------------------------------------------------------------------- */

static void a_call_gets_its_arguments_and_gives_its_value(void)
{
    const HearthEngineCall all = {.entry = (guint64)runner_find(guest, "add_arguments"),
                                  .arguments = {1000000, 0x100000000, 3, (guint64)-4}};
    hearth_engine_run(&all, &result);
    runner_assert_returned("add_arguments", &result, 1000000 + 3 * 0x100000000 + 15 - 28);
    call("nothing", 0, 0, NULL);
    runner_assert_returned("nothing", &result, 0);
}

static void the_area_goes_in_and_comes_out(void)
{
    guint8 *area = hearth_engine_area();
    const HearthEngineCall sum = {.entry = (guint64)runner_find(guest, "sum_area"),
                                  .arguments = {(guint64)area, HEARTH_ENGINE_AREA_SIZE}};
    memset(area, 3, HEARTH_ENGINE_AREA_SIZE);
    hearth_engine_run(&sum, &result);
    runner_assert_returned("sum_area", &result, 3 * HEARTH_ENGINE_AREA_SIZE);
    area = call("fill_area", 0x41, HEARTH_ENGINE_AREA_SIZE, NULL);
    runner_assert_returned("fill_area", &result, 0x41);
    for (gsize i = 0; i < HEARTH_ENGINE_AREA_SIZE; i++)
        g_assert_cmphex(area[i], ==, 0x41);
    area = hearth_engine_area();
    for (gsize i = 0; i < HEARTH_ENGINE_AREA_SIZE; i++)
        g_assert_cmphex(area[i], ==, 0);
}

static void write_first(void *data, void *area)
{
    memcpy(area, "abc", 3);
}

static void what_prepares_the_area_is_called_first(void)
{
    const HearthEngineCall sum = {.entry = (guint64)runner_find(guest, "sum_area"),
                                  .arguments = {(guint64)hearth_engine_area(), 3},
                                  .prepare = write_first};
    hearth_engine_run(&sum, &result);
    runner_assert_returned("sum_area", &result, 'a' + 'b' + 'c');
}

/* --- As natively ------------------------------------------------------------------------------- */

typedef struct {
    const char *function;
    guint64 first;
} Row;

static const Row ROWS[] = {
    {"fibonacci", 22},
    {"recurse_deep", 1500},
    {"call_by_pointer", 10000},
    {"switch_by_table", 10000},
    {"long_jumps", 300},
    {"variable_arguments", 0},
    {"vectors", 20},
    {"wide_vectors", 10},
    {"blocks_of_memory", 0},
    {"sort_numbers", 20000},
    {"format_text", 0},
    {"scan_text", 20},
    {"handle_strings", 0},
    {"match_expressions", 0},
    {"convert_text", 0},
    {"write_streams", 500},
    {"tell_time", 0},
    {"compute", 0},
    {"classify", 0},
    {"search_trees", 0},
    {"throw_and_catch", 60},
    {"use_containers", 0},
};

static void code_gives_what_it_gives_natively(gconstpointer data)
{
    const Row *row = data;
    __builtin_cpu_init();
    if ((g_str_equal(row->function, "vectors") && !__builtin_cpu_supports("avx2")) ||
        (g_str_equal(row->function, "wide_vectors") && !__builtin_cpu_supports("avx512bw"))) {
        g_test_skip("this processor has no such vectors");
        return;
    }
    runner_assert_as_native(runner_find(guest, row->function), row->first, 0, NULL);
}

static void code_gives_what_it_gives_natively_with_its_reads_validated(void)
{
    const HearthEnginePolicy policy = {.validate_reads = true};
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++)
        if (!strstr(ROWS[i].function, "vectors"))
            runner_assert_as_native(runner_find(guest, ROWS[i].function), ROWS[i].first, 0,
                                    &policy);
}

static void data_is_as_it_was_for_every_call(void)
{
    for (guint i = 0; i < 3; i++) {
        call("count_calls", 0, 0, NULL);
        runner_assert_returned("count_calls", &result, 1001);
    }
}

static void data_of_an_instance_is_stored_to_directly_and_restored(void)
{
    RunnerFunction count =
        runner_find(runner_load(GUESTS, "engine-guest-own", FALSE), "count_data");
    HearthEngineInstance *instance = hearth_engine_instance_new((const void *)count);
    const HearthEngineCall counts = {.entry = (guint64)count, .instance = instance};
    g_assert_nonnull(instance);
    g_assert_cmpuint(hearth_engine_instance_size(instance), >=, 601 * sizeof(guint64));
    for (guint i = 0; i < 3; i++) {
        hearth_engine_run(&counts, &result);
        runner_assert_returned("count_data", &result, 1002);
        g_assert_cmpuint(result.stats.overlay_pages, ==, 0);
    }
    g_assert_cmpuint(count(NULL, 0, 0, 0), ==, 1002);
    /* What others store there meanwhile goes with the next call. */
    hearth_engine_run(&counts, &result);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
    hearth_engine_run(&counts, &result);
    runner_assert_returned("count_data", &result, 1002);
    hearth_engine_instance_free(instance);
    runner_run(count, 0, 0, NULL, NULL, &result);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
    g_assert_cmpuint(result.stats.overlay_pages, >, 0);
}

/* A base that is the call's own says nothing of what lies beside it. */
static void what_follows_the_data_of_an_instance_stays_the_hosts(void)
{
    RunnerFunction store =
        runner_find(runner_load(GUESTS, "engine-guest-own", FALSE), "store_across_end");
    HearthEngineInstance *instance = hearth_engine_instance_new((const void *)store);
    const HearthEngineCall call_store = {.entry = (guint64)store, .instance = instance};
    g_assert_nonnull(instance);
    for (guint i = 0; i < 3; i++) {
        hearth_engine_run(&call_store, &result);
        g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
        g_assert_cmpuint(*(volatile guint64 *)result.value, ==, 0);
        g_assert_cmpuint(result.stats.overlay_pages, ==, 1);
    }
    hearth_engine_instance_free(instance);
}

static void there_is_no_instance_of_what_is_no_object(void)
{
    g_autofree guint64 *heap = g_new0(guint64, 1);
    g_assert_null(hearth_engine_instance_new(heap));
}

/* Where the call may write is no code, be it of a file. */
static void code_that_is_writable_does_not_run(void)
{
    int file = memfd_create("code", MFD_CLOEXEC);
    g_assert_cmpint(write(file, "\xc3", 1), ==, 1);
    for (guint i = 0; i < 2; i++) {
        int mode = PROT_READ | PROT_EXEC | (i == 0 ? 0 : PROT_WRITE);
        void *code = mmap(NULL, 4096, mode, MAP_PRIVATE, file, 0);
        g_assert_true(code != MAP_FAILED);
        hearth_engine_run(&(HearthEngineCall){.entry = (guint64)code}, &result);
        g_assert_cmpint(result.outcome, ==,
                        i == 0 ? HEARTH_ENGINE_RETURNED : HEARTH_ENGINE_ESCAPED);
    }
    close(file);
}

static void the_host_keeps_the_modes_of_its_processor(void)
{
    guint16 own, wanted = 0x27F, after; /* numbers of 53 bits */
    __asm__ volatile("fnstcw %0" : "=m"(own));
    __asm__ volatile("fldcw %0" ::"m"(wanted));
    call("count_calls", 0, 0, NULL);
    __asm__ volatile("fnstcw %0" : "=m"(after));
    __asm__ volatile("fldcw %0" ::"m"(own));
    g_assert_cmphex(after, ==, wanted);
}

/* --- Faults ------------------------------------------------------------------------------------ */

static void assert_placed(const char *function)
{
    g_autofree char *start = g_strdup_printf(OBJECT ".so:%s+0x", function);
    guint64 address = (guint64)runner_find(guest, function);
    if (!g_str_has_prefix(result.symbol, start))
        runner_tell(function, &result);
    g_assert_true(g_str_has_prefix(result.symbol, start));
    g_assert_cmpuint(result.pc, >=, address);
    g_assert_cmpuint(result.pc, <, address + 64);
    g_assert_cmpuint(g_ascii_strtoull(result.symbol + strlen(start), NULL, 16), ==,
                     result.pc - address);
}

static void a_fault_ends_the_call_and_is_placed(void)
{
    for (guint i = 0; i < 3; i++) {
        call("crash_here", 8, 0, NULL);
        assert_ended(HEARTH_ENGINE_FAULTED, "SIGSEGV");
        assert_placed("crash_here");
        call("divide_here", 0, 0, NULL);
        assert_ended(HEARTH_ENGINE_FAULTED, "SIGFPE");
        assert_placed("divide_here");
        call("divide_here", 8, 0, NULL);
        runner_assert_returned("divide_here", &result, 125);
    }
    call("illegal_here", 0, 0, NULL);
    g_assert_cmpint(result.outcome, !=, HEARTH_ENGINE_RETURNED);
    assert_placed("illegal_here");
    call("abort_here", 0, 0, NULL);
    assert_ended(HEARTH_ENGINE_FAULTED, "SIGABRT");
}

static void an_exception_that_nobody_catches_ends_the_call(void)
{
    call("throw_out", 0, 0, NULL);
    assert_ended(HEARTH_ENGINE_FAULTED, "SIGABRT");
    call("throw_and_catch", 5, 0, NULL);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
}

static sigjmp_buf back;
static volatile int handled;

static void handle(int number, siginfo_t *info, void *context)
{
    handled++;
    siglongjmp(back, 1);
}

static void fault_natively(guint64 at)
{
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)at = 1;
}

static void assert_host_handles(void)
{
    int before = handled;
    fault_natively(16);
    g_assert_cmpint(handled, ==, before + 1);
    call("crash_here", 16, 0, NULL);
    assert_ended(HEARTH_ENGINE_FAULTED, "SIGSEGV");
    g_assert_cmpint(handled, ==, before + 1);
    fault_natively(24);
    g_assert_cmpint(handled, ==, before + 2);
}

/* `main` installed it before the engine was used. */
static void handlers_of_the_host_go_on_working(void)
{
    assert_host_handles();
}

static void handlers_may_be_installed_later(void)
{
    const struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction before, after;
    g_assert_cmpint(sigaction(SIGSEGV, &action, &before), ==, 0);
    assert_host_handles();
    assert_host_handles();
    g_assert_cmpint(sigaction(SIGSEGV, &before, &after), ==, 0);
    assert_host_handles();
}

/* --- Limits ------------------------------------------------------------------------------------ */

static void processor_time_is_limited(void)
{
    const HearthEngineLimits limits = {.cpu_ms = 100, .wall_ms = 5000};
    gint64 start = g_get_monotonic_time();
    call("spin", 0, 0, &limits);
    assert_ended(HEARTH_ENGINE_TIMED_OUT, "cpu-time");
    assert_placed("spin");
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 90 * 1000);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 4000 * 1000);
}

static void wall_time_is_limited(void)
{
    const HearthEngineLimits limits = {.cpu_ms = 5000, .wall_ms = 100};
    gint64 start = g_get_monotonic_time();
    call("spin", 0, 0, &limits);
    assert_ended(HEARTH_ENGINE_TIMED_OUT, "wall-time");
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 90 * 1000);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2000 * 1000);
}

static void memory_is_limited(void)
{
    for (guint64 mebibytes = 16; mebibytes <= 256; mebibytes *= 4) {
        const HearthEngineLimits limits = {.memory = mebibytes * MEBIBYTE};
        call("allocate_all", 0, 0, &limits);
        g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
        g_assert_cmpuint(result.value, <, mebibytes);
        g_assert_cmpuint(result.value, >=, mebibytes * 3 / 4 - 1);
        g_assert_cmpuint(result.stats.memory, <=, mebibytes * MEBIBYTE);
    }
}

static void the_stack_counts_as_memory(void)
{
    const HearthEngineLimits limits = {.memory = 4 * MEBIBYTE};
    call("recurse_deep", 6000, 0, &limits);
    assert_ended(HEARTH_ENGINE_OUT_OF_MEMORY, "memory");
}

static void what_was_stored_is_read_across_pages(void)
{
    g_autofree char *pages = g_malloc0(5 * 4096);
    guint64 start = ((guint64)pages + 2 * 4096 - 1) & ~(guint64)4095;
    for (guint i = 0; i < 2; i++) {
        call("read_across_pages", start, 0, NULL);
        runner_assert_returned("read_across_pages", &result, 1);
        g_assert_cmpuint(result.stats.overlay_pages, ==, 2);
    }
    for (gsize i = 0; i < 4 * (gsize)4096; i++)
        g_assert_cmphex((guint8)pages[i], ==, 0);
}

static void overlay_pages_are_limited(void)
{
    const HearthEngineLimits limits = {.overlay_pages = 8};
    g_autofree char *pages = g_malloc0(64 * 4096);
    guint64 start = ((guint64)pages + 4095) & ~(guint64)4095;
    call("touch_pages", start, 8, &limits);
    runner_assert_returned("touch_pages", &result, 8);
    g_assert_cmpuint(result.stats.overlay_pages, ==, 8);
    call("touch_pages", start, 9, &limits);
    assert_ended(HEARTH_ENGINE_OUT_OF_MEMORY, "overlay");
    call("touch_pages", start, 60, NULL);
    runner_assert_returned("touch_pages", &result, 60);
    for (guint i = 0; i < 64 * 4096; i++)
        g_assert_cmphex((guint8)pages[i], ==, 0);
}

static void the_log_is_limited(void)
{
    const HearthEngineLimits limits = {.log_size = 3 * LOG_LINE + 5};
    call("write_log", 2, 0, &limits);
    g_assert_cmpstr(result.log, ==, "fifteen letters\nfifteen letters\n");
    g_assert_cmpuint(result.log_size, ==, 2 * LOG_LINE);
    call("write_log", 50, 0, &limits);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
    g_assert_cmpstr(result.log, ==, "fifteen letters\nfifteen letters\nfifteen letters\nfifte");
    call("nothing", 0, 0, &limits);
    g_assert_cmpstr(result.log, ==, "");
    g_assert_cmpuint(result.log_size, ==, 0);
}

/* --- Emitting ---------------------------------------------------------------------------------- */

typedef struct {
    GByteArray *bytes;
    guint refuse_after; /* blocks */
    guint blocks;
} Taker;

static bool take(void *data, const void *bytes, size_t length)
{
    Taker *taker = data;
    if (taker->blocks++ == taker->refuse_after)
        return false;
    g_byte_array_append(taker->bytes, bytes, (guint)length);
    return true;
}

static void emit_blocks(Taker *taker, guint64 size, guint64 blocks,
                        const HearthEngineLimits *limits)
{
    const HearthEngineCall emits = {
        .entry = (guint64)runner_find(guest, "emit_blocks"),
        .arguments = {(guint64)hearth_engine_area(), (guint64)hearth_engine_emit, size, blocks},
        .limits = limits,
        .emit = taker ? take : NULL,
        .emit_data = taker};
    hearth_engine_run(&emits, &result);
}

static void what_is_emitted_reaches_the_host(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Taker taker = {.bytes = bytes, .refuse_after = G_MAXUINT};
    emit_blocks(&taker, 10000, 7, NULL);
    runner_assert_returned("emit_blocks", &result, 7);
    g_assert_cmpuint(bytes->len, ==, 70000);
    g_assert_cmpuint(result.stats.emitted, ==, 70000);
    for (guint i = 0; i < bytes->len; i++)
        g_assert_cmphex(bytes->data[i], ==, (guint8)(i % 10000 * 7));
}

static void emitted_bytes_are_limited(void)
{
    const HearthEngineLimits limits = {.emit_size = 35000};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Taker taker = {.bytes = bytes, .refuse_after = G_MAXUINT};
    emit_blocks(&taker, 10000, 7, &limits);
    assert_ended(HEARTH_ENGINE_REFUSED, "emit");
    g_assert_cmpuint(bytes->len, ==, 30000);
}

static void a_host_that_takes_no_more_ends_the_call(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Taker taker = {.bytes = bytes, .refuse_after = 2};
    emit_blocks(&taker, 100, 7, NULL);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_REFUSED);
    g_assert_cmpuint(bytes->len, ==, 200);
    g_assert_cmpuint(taker.blocks, ==, 3);
}

static void nothing_is_emitted_to_nobody(void)
{
    emit_blocks(NULL, 100, 7, NULL);
    runner_assert_returned("emit_blocks", &result, 0);
    g_assert_false(hearth_engine_emit("x", 1));
}

/* --- Files ------------------------------------------------------------------------------------- */

static void files_are_limited_and_read_by_number(void)
{
    g_autofree char *folder = g_dir_make_tmp("hearth-engine-files-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "file", NULL);
    const char *folders[] = {folder, NULL};
    const HearthEngineLimits limits = {.descriptors = 5};
    g_assert_true(g_file_set_contents(path, "what is in it", -1, NULL));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const HearthEnginePolicy policy = {.folders = folders},
                             given = {.descriptors = &fd, .descriptor_count = 1};
    char *area = hearth_engine_area();
    const HearthEngineCall opens = {.entry = (guint64)runner_find(guest, "open_many"),
                                    .arguments = {(guint64)area, 100},
                                    .limits = &limits,
                                    .policy = &policy};
    strcpy(area, path);
    hearth_engine_run(&opens, &result);
    runner_assert_returned("open_many", &result, 5);
    for (guint i = 0; i < 2; i++) {
        area = runner_run(runner_find(guest, "read_descriptor"), (guint64)fd, 0, NULL, &given,
                          &result);
        runner_assert_returned("read_descriptor", &result, strlen("what is in it"));
        g_assert_cmpstr(area, ==, "what is in it");
    }
    g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, 0);
    close(fd);
    g_unlink(path);
    g_rmdir(folder);
}

/* --- Statistics and the cache ------------------------------------------------------------------ */

static void only_new_code_is_translated(void)
{
    hearth_engine_flush();
    call("switch_by_table", 100, 0, NULL);
    g_assert_cmpuint(result.stats.blocks, >, 0);
    g_assert_cmpuint(result.stats.instructions, >=, result.stats.blocks);
    g_assert_cmpuint(result.stats.instructions, <, 10000);
    g_assert_cmpuint(result.stats.tries, ==, 1);
    call("switch_by_table", 100, 0, NULL);
    g_assert_cmpuint(result.stats.blocks, ==, 0);
    g_assert_cmpuint(result.stats.instructions, ==, 0);
}

static void stores_and_system_calls_are_counted(void)
{
    g_autofree guint64 *words = g_new0(guint64, 64);
    hearth_engine_flush();
    call("system_calls", 13, 0, NULL);
    runner_assert_returned("system_calls", &result, 13);
    g_assert_cmpuint(result.stats.system_calls, ==, 13);
    call("format_text", 0, 0, NULL);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
    g_assert_cmpuint(result.stats.stores.stack, >, 0);
    g_assert_cmpuint(result.stats.stores.checked, >, 0);
    call("store_words", (guint64)words, 10, NULL);
    runner_assert_returned("store_words", &result, 0);
    g_assert_cmpuint(result.stats.stores.checked, >, 0);
    g_assert_cmpuint(result.stats.redirected, >=, 10);
    g_assert_cmpuint(result.stats.overlay_pages, >=, 1);
    g_assert_cmpuint(result.stats.overlay_pages, <=, 2);
    call("nothing", 0, 0, NULL);
    g_assert_cmpuint(result.stats.overlay_pages, ==, 0);
    g_assert_cmpuint(result.stats.redirected, ==, 0);
    g_assert_cmpuint(result.stats.system_calls, ==, 0);
}

static void what_is_flushed_is_translated_anew(void)
{
    size_t bytes, blocks;
    call("fibonacci", 10, 0, NULL);
    hearth_engine_usage(&bytes, &blocks);
    g_assert_cmpuint(bytes, >, 0);
    g_assert_cmpuint(blocks, >, 0);
    hearth_engine_flush();
    hearth_engine_usage(&bytes, &blocks);
    g_assert_cmpuint(blocks, ==, 0);
    call("fibonacci", 10, 0, NULL);
    runner_assert_returned("fibonacci", &result, 55);
    g_assert_cmpuint(result.stats.blocks, >, 0);
}

static void run_for_cache(guint64 *ret_instructions)
{
    call("format_text", 0, 0, NULL);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
    *ret_instructions = result.stats.instructions;
}

static void translations_are_saved_and_taken_over(void)
{
    g_autofree char *folder = g_dir_make_tmp("hearth-engine-cache-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "cache", NULL);
    guint64 cold, warm;
    hearth_engine_flush();
    run_for_cache(&cold);
    g_assert_cmpuint(cold, >, 500);
    g_assert_true(hearth_engine_save(path));
    hearth_engine_flush();
    g_assert_cmpint(hearth_engine_load(path), >, 0);
    run_for_cache(&warm);
    g_test_message("%lu instructions translated cold, %lu with what was saved", cold, warm);
    g_assert_cmpuint(warm, <=, cold / 10);
    runner_assert_as_native(runner_find(guest, "format_text"), 0, 0, NULL);
    hearth_engine_flush();
    g_unlink(path);
    g_assert_cmpint(hearth_engine_load(path), ==, -1);
    g_rmdir(folder);
}

static void spoil(guint8 *bytes, gsize length, guint kind)
{
    guint32 random = kind + 1;
    for (guint i = 0; i < 1 + kind; i++) {
        random = random * 1664525 + 1013904223;
        bytes[(gsize)random * 7919 % length] ^= (guint8)(1u << kind % 8);
    }
}

static void a_spoilt_file_of_translations_does_no_harm(void)
{
    g_autofree char *folder = g_dir_make_tmp("hearth-engine-spoilt-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "cache", NULL), *content = NULL;
    gsize length;
    guint64 instructions;
    run_for_cache(&instructions);
    g_assert_true(hearth_engine_save(path));
    g_assert_true(g_file_get_contents(path, &content, &length, NULL));
    for (guint kind = 0; kind < 24; kind++) {
        g_autofree guint8 *bytes = g_memdup2(content, length);
        gsize size = kind < 16 ? length : length * (kind - 16) / 8;
        if (kind < 16)
            spoil(bytes, length, kind);
        g_assert_true(g_file_set_contents(path, (char *)bytes, (gssize)size, NULL));
        hearth_engine_flush();
        g_assert_cmpint(hearth_engine_load(path), <=, 0);
        runner_assert_as_native(runner_find(guest, "format_text"), 0, 0, NULL);
    }
    hearth_engine_flush();
    g_unlink(path);
    g_rmdir(folder);
}

static void a_library_may_go_after_a_flush(void)
{
    for (guint i = 0; i < 20; i++) {
        void *own = runner_load(GUESTS, "engine-guest-own", FALSE);
        runner_run(runner_find(own, "fibonacci"), 12, 0, NULL, NULL, &result);
        runner_assert_returned("fibonacci", &result, 144);
        hearth_engine_flush();
        g_assert_cmpint(dlclose(own), ==, 0);
    }
}

/* --- Threads ----------------------------------------------------------------------------------- */

#define THREADS 8
#define CALLS 200

static gpointer call_many(gpointer data)
{
    HearthEngineResult *own = g_new(HearthEngineResult, 1);
    RunnerFunction fibonacci = runner_find(guest, "fibonacci"),
                   crash = runner_find(guest, "crash_here");
    RunnerFunction sort = runner_find(guest, "sort_numbers"),
                   throws = runner_find(guest, "throw_and_catch");
    g_autofree char *area = g_malloc0(HEARTH_ENGINE_AREA_SIZE);
    guint64 unwound = throws(area, 12, 0, 0), number = sort(area, 500, 0, 0);
    for (guint i = 0; i < CALLS; i++) {
        runner_run(fibonacci, 15, 0, NULL, NULL, own);
        runner_assert_returned("fibonacci", own, 610);
        runner_run(sort, 500, 0, NULL, NULL, own);
        runner_assert_returned("sort_numbers", own, number);
        runner_run(throws, 12, 0, NULL, NULL, own);
        runner_assert_returned("throw_and_catch", own, unwound);
        if (i % 10 == 0) {
            runner_run(crash, 8, 0, NULL, NULL, own);
            g_assert_cmpint(own->outcome, ==, HEARTH_ENGINE_FAULTED);
        }
        if (i % 50 == 0)
            hearth_engine_flush();
    }
    g_free(own);
    return NULL;
}

static void many_threads_call_at_the_same_time(void)
{
    GThread *threads[THREADS];
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("many", call_many, NULL);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
}

static void a_thread_that_rests_may_call_again(void)
{
    for (guint i = 0; i < 5; i++) {
        call("fibonacci", 10, 0, NULL);
        runner_assert_returned("fibonacci", &result, 55);
        hearth_engine_rest();
        hearth_engine_rest();
    }
}

static gpointer call_once(gpointer data)
{
    HearthEngineResult *own = g_new(HearthEngineResult, 1);
    runner_run(runner_find(guest, "fibonacci"), 5, 0, NULL, NULL, own);
    runner_assert_returned("fibonacci", own, 5);
    g_free(own);
    return NULL;
}

static gsize mappings(void)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents("/proc/self/maps", &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    return g_strv_length(lines);
}

static void threads_that_end_leave_nothing(void)
{
    gsize before = 0;
    for (guint i = 0; i < 60; i++) {
        g_thread_join(g_thread_new("once", call_once, NULL));
        if (i == 9)
            before = mappings();
    }
    g_assert_cmpuint(mappings(), <=, before + 5);
}

static void outcomes_have_words(void)
{
    for (guint i = 0; i < HEARTH_ENGINE_OUTCOMES; i++)
        for (guint j = 0; j < i; j++)
            g_assert_cmpstr(hearth_engine_outcome_word(i), !=, hearth_engine_outcome_word(j));
    g_assert_cmpstr(hearth_engine_outcome_word(HEARTH_ENGINE_RETURNED), ==, "returned");
    g_assert_cmpstr(hearth_engine_outcome_word(HEARTH_ENGINE_TIMED_OUT), ==, "timed-out");
}

static void add_functions(void)
{
#define CASE(path, function) g_test_add_func("/engine/" path, function)
    CASE("handlers/first", handlers_of_the_host_go_on_working);
    CASE("handlers/later", handlers_may_be_installed_later);
    CASE("value", a_call_gets_its_arguments_and_gives_its_value);
    CASE("area", the_area_goes_in_and_comes_out);
    CASE("prepare", what_prepares_the_area_is_called_first);
    CASE("data/every-call", data_is_as_it_was_for_every_call);
    CASE("data/instance", data_of_an_instance_is_stored_to_directly_and_restored);
    CASE("data/beside-instance", what_follows_the_data_of_an_instance_stays_the_hosts);
    CASE("code/writable", code_that_is_writable_does_not_run);
    CASE("modes/kept", the_host_keeps_the_modes_of_its_processor);
    CASE("data/no-instance", there_is_no_instance_of_what_is_no_object);
    CASE("fault", a_fault_ends_the_call_and_is_placed);
    CASE("uncaught", an_exception_that_nobody_catches_ends_the_call);
    CASE("limits/processor-time", processor_time_is_limited);
    CASE("limits/wall-time", wall_time_is_limited);
    CASE("limits/memory", memory_is_limited);
    CASE("data/across-pages", what_was_stored_is_read_across_pages);
    CASE("limits/stack", the_stack_counts_as_memory);
    CASE("limits/overlay", overlay_pages_are_limited);
    CASE("limits/log", the_log_is_limited);
    CASE("limits/emit", emitted_bytes_are_limited);
    CASE("limits/files", files_are_limited_and_read_by_number);
    CASE("emit/reaches", what_is_emitted_reaches_the_host);
    CASE("emit/ends", a_host_that_takes_no_more_ends_the_call);
    CASE("emit/nobody", nothing_is_emitted_to_nobody);
    CASE("cache/only-new", only_new_code_is_translated);
    CASE("cache/counts", stores_and_system_calls_are_counted);
    CASE("cache/flush", what_is_flushed_is_translated_anew);
    CASE("cache/saved", translations_are_saved_and_taken_over);
    CASE("cache/spoilt", a_spoilt_file_of_translations_does_no_harm);
    CASE("cache/unload", a_library_may_go_after_a_flush);
    CASE("threads/many", many_threads_call_at_the_same_time);
    CASE("threads/rest", a_thread_that_rests_may_call_again);
    CASE("threads/end", threads_that_end_leave_nothing);
    CASE("words", outcomes_have_words);
    CASE("natively/validated", code_gives_what_it_gives_natively_with_its_reads_validated);
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    g_test_init(&argc, &argv, NULL);
    sigaction(SIGSEGV, &action, NULL);
    if (!runner_available())
        return 77;
    guest = runner_load(GUESTS, OBJECT, FALSE);
    add_functions();
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *path = g_strdup_printf("/engine/natively/%s", ROWS[i].function);
        g_test_add_data_func(path, &ROWS[i], code_gives_what_it_gives_natively);
    }
    return g_test_run();
}
