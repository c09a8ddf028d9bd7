/* The engine beside other processes: one forked for each call, and one that stays. */
#include "tests/bench/engine/measure.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/engine/series.h"

#define MEGABYTE ((gsize)1 << 20)
#define PAGE 4096
#define FORK_SECONDS 4 /* for one size, at full scale */
#define FORKS_LEAST 5
#define FORKS_MOST 400

static void *map(gsize size, int flags)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        g_error("no memory: %s", g_strerror(errno));
    return memory;
}

static void add_engine(Series *series, const Work *work)
{
    work_run_engine(work, NULL); /* warm, and the wall is up */
    for (guint i = 0; i < work->group; i++) {
        gint64 start = series_now();
        work_run_engine(work, NULL);
        series_add(series, (double)(series_now() - start));
    }
}

/* --- A child for each call --------------------------------------------------------------------- */

static void add_fork(Series *series, const Work *work, void *shared)
{
    gint64 start = series_now();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        work_run_native(work, shared);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        g_error("a child that failed");
    series_add(series, (double)(series_now() - start));
}

/* Pages of the size that a heap is made of: of huge ones a fork has less to copy. */
static void become_large(guint megabytes)
{
    char *ballast = map(megabytes * MEGABYTE, MAP_PRIVATE);
    (void)madvise(ballast, megabytes * MEGABYTE, MADV_NOHUGEPAGE);
    for (gsize at = 0; at < megabytes * MEGABYTE; at += PAGE)
        ballast[at] = 1;
}

static void measure_forks(const Work *work, guint megabytes, Series *engine)
{
    g_autoptr(Series) series = series_new("fork", "ns");
    void *shared = map(HEARTH_ENGINE_AREA_SIZE, MAP_SHARED);
    become_large(megabytes);
    gint64 end = series_now() + (gint64)(FORK_SECONDS * 1e9 * work_scale());
    for (guint i = 0; i < FORKS_MOST && (i < FORKS_LEAST || series_now() < end); i++) {
        if (engine)
            add_engine(engine, work);
        hearth_engine_rest();
        add_fork(series, work, shared);
    }
    series_print(series);
}

void measure_fork(const Work *work, guint megabytes)
{
    g_autoptr(Series) engine = series_new("engine", "ns");
    work_verify(work);
    measure_forks(work, megabytes, engine);
    series_print(engine);
}

void measure_fork_bare(const Work *work, guint megabytes)
{
    measure_forks(work, megabytes, NULL);
}

/* --- A process that stays ---------------------------------------------------------------------- */

typedef struct {
    _Atomic guint32 asked; /* of calls; futex */
    _Atomic guint32 done;  /* of calls; futex */
    _Alignas(64) char area[HEARTH_ENGINE_AREA_SIZE];
    char input[HEARTH_ENGINE_AREA_SIZE];
} Shared;

static void wait_until(_Atomic guint32 *word, guint32 count)
{
    for (guint32 now = atomic_load(word); now != count; now = atomic_load(word))
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void tell(_Atomic guint32 *word, guint32 count)
{
    atomic_store(word, count);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

G_GNUC_NORETURN static void serve(Work work, Shared *shared)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    work.first = (guint64)shared->input;
    for (guint32 count = 1;; count++) {
        wait_until(&shared->asked, count);
        work_run_native(&work, shared->area);
        tell(&shared->done, count);
    }
}

static void ask(const Work *work, Shared *shared)
{
    guint32 count = atomic_load(&shared->done) + 1;
    memcpy(shared->input, (const void *)work->first, work->second);
    tell(&shared->asked, count);
    wait_until(&shared->done, count);
}

static void add_worker(Series *series, const Work *work, Shared *shared)
{
    ask(work, shared);
    for (guint i = 0; i < work->group; i++) {
        gint64 start = series_now();
        ask(work, shared);
        series_add(series, (double)(series_now() - start));
    }
}

void measure_worker(const Work *work)
{
    g_autoptr(Series) worker_series = series_new("worker", "ns");
    g_autoptr(Series) engine_series = series_new("engine", "ns");
    Shared *shared = map(sizeof *shared, MAP_SHARED);
    g_assert(work->second <= sizeof shared->input);
    pid_t worker = fork();
    if (worker == 0)
        serve(*work, shared);
    work_verify(work);
    for (guint i = 0; i < work->turns; i++) {
        add_engine(engine_series, work);
        hearth_engine_rest();
        add_worker(worker_series, work, shared);
    }
    (void)kill(worker, SIGKILL);
    (void)waitpid(worker, NULL, 0);
    series_print(engine_series);
    series_print(worker_series);
}
