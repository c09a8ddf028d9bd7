/*
 * Measures the rollback engine; rows_engine.py makes the table of what this prints.
 *
 * Usage: bench-engine MEASUREMENT [WORK] [ARGUMENT]. Measurements: warm native fork fork-bare worker threads
 * stats cold save (of a work), empty memory code host. Build with the release preset.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "tests/bench/engine/measure.h"

/* As the host does in its threads: the second wall stands only where no asynchronous signal can come. */
static void block_signals(void)
{
    static const int KEPT[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t blocked;
    sigfillset(&blocked);
    for (gsize i = 0; i < G_N_ELEMENTS(KEPT); i++)
        sigdelset(&blocked, KEPT[i]);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
}

static gboolean measure_all(const char *what)
{
    static const struct {
        const char *name;
        void (*measure)(void);
    } ALL[] = {{"empty", measure_empty},
               {"memory", measure_memory},
               {"code", measure_code},
               {"host", measure_host}};
    for (gsize i = 0; i < G_N_ELEMENTS(ALL); i++) {
        if (g_str_equal(ALL[i].name, what)) {
            ALL[i].measure();
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean measure_work(const char *what, const Work *work, const char *argument)
{
    static const struct {
        const char *name;
        void (*measure)(const Work *work);
    } OF_WORK[] = {{"warm", measure_warm},
                   {"native", measure_native},
                   {"worker", measure_worker},
                   {"threads", measure_threads},
                   {"stats", measure_stats}};
    for (gsize i = 0; i < G_N_ELEMENTS(OF_WORK); i++) {
        if (g_str_equal(OF_WORK[i].name, what)) {
            OF_WORK[i].measure(work);
            return TRUE;
        }
    }
    if (g_str_equal(what, "cold"))
        measure_cold(work, argument);
    else if (g_str_equal(what, "save") && argument)
        measure_save(work, argument);
    else if (g_str_equal(what, "fork") && argument)
        measure_fork(work, (guint)strtoul(argument, NULL, 10));
    else if (g_str_equal(what, "fork-bare") && argument)
        measure_fork_bare(work, (guint)strtoul(argument, NULL, 10));
    else
        return FALSE;
    return TRUE;
}

int main(int argc, char **argv)
{
    const char *reason = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    block_signals();
    if (argc > 1 && !g_str_equal(argv[1], "native") && !hearth_engine_available(&reason)) {
        (void)fprintf(stderr, "bench-engine: the engine cannot run here: %s\n", reason);
        return 77;
    }
    if (argc == 2 && measure_all(argv[1]))
        return 0;
    if (argc > 2 && measure_work(argv[1], work_new(argv[2]), argc > 3 ? argv[3] : NULL))
        return 0;
    (void)fprintf(stderr, "usage: bench-engine MEASUREMENT [WORK] [ARGUMENT]\n");
    return 2;
}
