/*
 * What is missing or goes wrong beneath a call, in every dose: private memory, overlay pages, bytes to emit, time, peace from
 * signals. A call then ends with one of the outcomes that fit, the host is as it was, and the next call is right.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/faults.h"
#include "tests/unit/sprockets/engine/memory-oracle.h"
#include "tests/unit/sprockets/engine/process-watch.h"
#include "tests/unit/sprockets/pictures.h"

/* --- Memory ------------------------------------------------------------------------------------ */

static void sweep_memory(HearthEngineCall call, const char *name, guint64 most, guint64 step)
{
    guint returned = 0, other = 0;
    guint64 value = faults_right_value(&call);
    ProcessWatch *watch = process_watch_new();
    for (guint64 memory = 1; memory <= most;
         memory += memory < 64 * KIBIBYTE ? 7 * KIBIBYTE : step) {
        const HearthEngineLimits limits = {.memory = memory};
        call.limits = &limits;
        call.arguments[0] = (guint64)hearth_engine_area();
        faults_run_watched(&call);
        faults_assert_one_of(name, RETURNED | OUT_OF_MEMORY | FAULTED, value);
        returned += faults_result.outcome == HEARTH_ENGINE_RETURNED && faults_result.value == value;
        other += faults_result.outcome != HEARTH_ENGINE_RETURNED || faults_result.value != value;
        faults_assert_next_is_right();
    }
    process_watch_end(watch);
    g_test_message("%s: %u returned the value, %u did not", name, returned, other);
    g_assert_cmpuint(returned, >, 0);
    g_assert_cmpuint(other, >, 0);
}

static void a_library_bears_any_limit_of_memory(void)
{
    void *exif_guest = runner_load(FAULTS_GUESTS, "libs-exif", FALSE);
    g_autoptr(GBytes) exif = exif_of_a_camera(TRUE);
    const Picture picture = {.width = 32, .height = 32, .exif = exif};
    g_autoptr(GBytes) jpeg = picture_jpeg(&picture);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(jpeg, &size);
    sweep_memory(faults_call(exif_guest, LIBRARY, (guint64)bytes, size), LIBRARY, 512 * KIBIBYTE,
                 11 * KIBIBYTE);
}

static void who_allocates_much_bears_any_limit_of_memory(void)
{
    sweep_memory(faults_call(faults_guest, "build_list", 200, 5000), "build_list", 4 * MEBIBYTE,
                 77 * KIBIBYTE);
    sweep_memory(faults_call(faults_guest, "build_list", 3, 700 * KIBIBYTE), "build_list, few",
                 8 * MEBIBYTE, 211 * KIBIBYTE);
    sweep_memory(faults_call(faults_guest, "recurse_far", 700, 0), "recurse_far", 3 * MEBIBYTE,
                 67 * KIBIBYTE);
    sweep_memory(faults_call(faults_guest, "map_much", 20, 50 * KIBIBYTE), "map_much", 3 * MEBIBYTE,
                 67 * KIBIBYTE);
}

/* --- Overlay pages, emitted bytes, log --------------------------------------------------------- */

static void any_number_of_overlay_pages_will_do(void)
{
    enum { PAGES = 24 };
    g_autofree char *memory = g_malloc0((PAGES + 1) * PAGE);
    guint64 start = ((guint64)memory + PAGE - 1) & ~(guint64)(PAGE - 1);
    for (guint shift = 0; shift < 2; shift++) {
        for (guint pages = 1; pages <= PAGES + 4; pages++) {
            const HearthEngineLimits limits = {.overlay_pages = pages};
            /* Words at the end of the page reach into none other. */
            HearthEngineCall call = faults_call(faults_basic, "touch_pages",
                                                start + (shift ? PAGE - 1 : 0), PAGES - shift);
            call.limits = &limits;
            faults_run_watched(&call);
            faults_assert_one_of("touch_pages", pages >= PAGES - shift ? RETURNED : OUT_OF_MEMORY,
                                 PAGES - shift);
            g_assert_cmpuint(faults_result.stats.overlay_pages, <=, pages);
            faults_assert_next_is_right();
        }
    }
    for (guint i = 0; i < (PAGES + 1) * PAGE; i++)
        g_assert_cmphex((guint8)memory[i], ==, 0);
}

static bool take(void *data, const void *bytes, size_t length)
{
    *(guint64 *)data += length;
    return true;
}

static void any_limit_of_emitted_bytes_will_do(void)
{
    static guint64 taken;
    memory_oracle_ignore(&taken, sizeof taken);
    for (guint64 size = 1; size <= 1400; size += 37) {
        const HearthEngineLimits limits = {.emit_size = size};
        HearthEngineCall call =
            faults_call(faults_basic, "emit_blocks", (guint64)hearth_engine_emit, 100);
        call.arguments[3] = 12;
        call.limits = &limits;
        call.emit = take;
        call.emit_data = &taken;
        taken = 0;
        faults_run_watched(&call);
        faults_assert_one_of("emit_blocks", size >= 1200 ? RETURNED : REFUSED, 12);
        g_assert_cmpuint(taken, <=, size);
        g_assert_cmpuint(taken, ==, MIN(size / 100, 12) * 100);
        faults_assert_next_is_right();
    }
}

static void any_size_of_the_log_will_do(void)
{
    for (guint size = 1; size < 5000; size += size < 40 ? 3 : 317) {
        const HearthEngineLimits limits = {.log_size = size};
        HearthEngineCall call = faults_call(faults_basic, "write_log", 300, 0);
        call.limits = &limits;
        faults_run_watched(&call);
        g_assert_cmpint(faults_result.outcome, ==, HEARTH_ENGINE_RETURNED);
        g_assert_cmpuint(faults_result.log_size, ==, MIN(size, sizeof faults_result.log - 1));
        g_assert_cmpuint(strlen(faults_result.log), ==, faults_result.log_size);
        faults_assert_unchanged("write_log");
    }
    faults_assert_next_is_right();
}

/* --- Time -------------------------------------------------------------------------------------- */

#define WORK_ROUNDS 3000
#define WORK_DEPTH 4

static guint64 measure(HearthEngineCall *call)
{
    hearth_engine_run(call, &faults_result);
    gint64 start = g_get_monotonic_time();
    hearth_engine_run(call, &faults_result);
    g_assert_cmpint(faults_result.outcome, ==, HEARTH_ENGINE_RETURNED);
    return (guint64)(g_get_monotonic_time() - start);
}

/* About 10 ms of work, however fast the machine is. */
static HearthEngineCall some_work(void)
{
    HearthEngineCall call = faults_call(faults_guest, "work_mixed", WORK_ROUNDS, WORK_DEPTH);
    guint64 us = measure(&call);
    call.arguments[1] = MAX(WORK_ROUNDS * 10000 / MAX(us, 1), 10);
    return call;
}

static void a_call_may_end_at_any_time(void)
{
    HearthEngineCall call = some_work();
    guint64 value = faults_right_value(&call);
    guint returned = 0, timed_out = 0;
    for (guint round = 0; round < 200; round++) {
        HearthEngineLimits limits = {.wall_ms = 1 + round % 20};
        if (round % 3 == 2)
            limits = (HearthEngineLimits){.cpu_ms = 1 + round % 20};
        call.limits = &limits;
        call.arguments[0] = (guint64)hearth_engine_area();
        hearth_engine_run(&call, &faults_result);
        if (faults_result.outcome != HEARTH_ENGINE_TIMED_OUT)
            runner_assert_returned("work_mixed", &faults_result, value);
        returned += faults_result.outcome == HEARTH_ENGINE_RETURNED;
        timed_out += faults_result.outcome == HEARTH_ENGINE_TIMED_OUT;
        faults_assert_next_is_right();
    }
    g_test_message("%u returned, %u timed out", returned, timed_out);
    g_assert_cmpuint(timed_out, >, 0);
}

static void what_times_out_leaves_nothing(void)
{
    HearthEngineCall call = some_work();
    guint64 value = faults_right_value(&call);
    ProcessWatch *watch = process_watch_new();
    for (guint round = 0; round < 20; round++) {
        const HearthEngineLimits limits = {.wall_ms = 1 + round % 10};
        call.limits = &limits;
        call.arguments[0] = (guint64)hearth_engine_area();
        faults_run_watched(&call);
        faults_assert_one_of("work_mixed", RETURNED | TIMED_OUT, value);
    }
    process_watch_end(watch);
}

/* --- Signals ----------------------------------------------------------------------------------- */

#define SENT 20000 /* signals */

static _Atomic guint64 handled_usual, handled_queued;
static __thread guint64 handled_here;
static guint64 handled_plain; /* by one thread alone: none may be lost */

static int queued_signal(void)
{
    return SIGRTMIN + 2; /* each is delivered, in contrast to SIGUSR1 */
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    volatile char block[1024];
    memset((void *)block, number, sizeof block);
    handled_plain++;
    handled_here++;
    if (number == SIGUSR1)
        atomic_fetch_add(&handled_usual, 1);
    else
        atomic_fetch_add(&handled_queued, 1);
    errno = EXDEV;
    (void)syscall(SYS_getppid); /* the host may do so in its handlers */
    errno = saved;
}

typedef struct {
    int flags; /* of sigaction */
    gboolean blocks;
    const char *function;
    guint64 first, second;
    atomic_int thread;
    atomic_bool over;
    guint64 calls, here;
} Storm;

static gpointer send_signals(gpointer data)
{
    Storm *storm = data;
    pid_t process = getpid();
    while (storm->thread == 0)
        g_usleep(100);
    for (guint i = 0; i < SENT; i++) {
        const int number = i % 2 ? queued_signal() : SIGUSR1;
        /* Too many in the queue: later. */
        while (syscall(SYS_tgkill, process, storm->thread, number) != 0 && errno == EAGAIN)
            g_usleep(100);
        if (i % 16 == 0)
            g_usleep(50);
    }
    storm->over = true;
    return NULL;
}

static void block_all(int how)
{
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(how, &all, NULL);
}

static gpointer call_in_storm(gpointer data)
{
    Storm *storm = data;
    HearthEngineResult *own = g_new(HearthEngineResult, 1);
    RunnerFunction function = runner_find(faults_guest, storm->function);
    g_autofree guint8 *native = g_malloc0(HEARTH_ENGINE_AREA_SIZE);
    if (storm->blocks)
        block_all(SIG_BLOCK);
    guint64 value = function(native, storm->first, storm->second, 0);
    storm->thread = gettid();
    for (; !storm->over; storm->calls++) {
        runner_run(function, storm->first, storm->second, NULL, NULL, own);
        runner_assert_returned(storm->function, own, value);
    }
    if (storm->blocks) {
        hearth_engine_rest(); /* the handlers make system calls */
        block_all(SIG_UNBLOCK);
    }
    g_usleep(1000);
    storm->here = handled_here;
    g_free(own);
    return NULL;
}

static void storm_over(Storm *storm)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | storm->flags};
    struct sigaction usual, queued;
    sigfillset(&action.sa_mask);
    for (gsize i = 0; i < 4; i++)
        sigdelset(&action.sa_mask, (const int[]){SIGSEGV, SIGBUS, SIGILL, SIGSYS}[i]);
    sigaction(SIGUSR1, &action, &usual);
    sigaction(queued_signal(), &action, &queued);
    handled_usual = handled_queued = handled_plain = 0;
    GThread *calls = g_thread_new("calls", call_in_storm, storm);
    GThread *sends = g_thread_new("sends", send_signals, storm);
    g_thread_join(sends);
    g_thread_join(calls);
    sigaction(SIGUSR1, &usual, NULL);
    sigaction(queued_signal(), &queued, NULL);
    g_test_message("%lu calls, %lu and %lu signals", storm->calls, handled_usual, handled_queued);
    g_assert_cmpuint(storm->calls, >, 0);
    g_assert_cmpuint(handled_usual, >, 0);
    g_assert_cmpuint(handled_queued, ==, SENT / 2);
    g_assert_cmpuint(handled_plain, ==, handled_usual + handled_queued);
    g_assert_cmpuint(storm->here, ==, handled_plain);
}

static void signals_come_in_the_middle_of_calls(void)
{
    Storm storm = {.flags = SA_ONSTACK, .function = "work_mixed", .first = 100, .second = 20};
    storm_over(&storm);
}

static void signals_come_on_the_stack_of_calls(void)
{
    Storm storm = {.function = "work_mixed", .first = 100, .second = 20};
    storm_over(&storm);
}

/* A stack so deep that each call lets it grow anew. */
static void signals_come_while_the_stack_grows(void)
{
    Storm storm = {.function = "recurse_far", .first = 400};
    storm_over(&storm);
}

/* The kernel is the first to write to a page of the stack. */
static void signals_come_where_the_stack_ends(void)
{
    Storm storm = {.function = "stand_at_edge", .first = 100000};
    storm_over(&storm);
}

static void signals_wait_where_they_are_blocked(void)
{
    Storm storm = {.blocks = TRUE, .function = "work_mixed", .first = 100, .second = 20};
    storm_over(&storm);
}

#define VICTIM_SIZE (64 * KIBIBYTE)
#define VICTIM_BYTE 0x5a

/* Wherever the call's stack pointer is at that moment: the kernel writes below it. */
static void send_to_turned_stack(const char *function, guint64 rounds)
{
    guint8 *victim = g_malloc(VICTIM_SIZE), *middle = victim + VICTIM_SIZE / 2;
    Storm storm = {.function = function, .first = (guint64)middle, .second = rounds};
    memset(victim, VICTIM_BYTE, VICTIM_SIZE);
    storm_over(&storm);
    for (const guint8 *at = victim; at < middle; at++)
        g_assert_cmphex(*at, ==, VICTIM_BYTE);
    g_free(victim);
}

static void signals_write_nothing_to_the_host(void)
{
    send_to_turned_stack("turn_stack", 100000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!faults_start())
        return 77;
#define CASE(path, function) g_test_add_func("/engine/faults/" path, function)
    CASE("memory/library", a_library_bears_any_limit_of_memory);
    CASE("memory/much", who_allocates_much_bears_any_limit_of_memory);
    CASE("overlay", any_number_of_overlay_pages_will_do);
    CASE("emit", any_limit_of_emitted_bytes_will_do);
    CASE("log", any_size_of_the_log_will_do);
    CASE("time/any", a_call_may_end_at_any_time);
    CASE("time/nothing", what_times_out_leaves_nothing);
    CASE("signals/own-stack", signals_come_in_the_middle_of_calls);
    CASE("signals/stack", signals_come_on_the_stack_of_calls);
    CASE("signals/blocked", signals_wait_where_they_are_blocked);
    CASE("last/stack-elsewhere", signals_write_nothing_to_the_host);
    CASE("last/stack-end", signals_come_where_the_stack_ends);
    CASE("last/stack-grows", signals_come_while_the_stack_grows);
    return g_test_run();
}
