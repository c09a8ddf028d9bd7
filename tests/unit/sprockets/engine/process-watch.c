#include "tests/unit/sprockets/engine/process-watch.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIGNALS 65

typedef struct {
    guint32 mxcsr;
    guint16 control;
    guint64 flags;
} Modes;

struct ProcessWatch {
    struct sigaction actions[SIGNALS];
    stack_t stack;
    sigset_t mask;
    Modes modes;
    char *descriptors;
    char *folder;
    mode_t umask;
};

#define FLAGS_KEPT 0x40400u /* direction and alignment */

static Modes modes_now(void)
{
    Modes modes;
    __asm__ volatile("stmxcsr %0\n"
                     "fnstcw %1\n"
                     "pushfq\n"
                     "pop %2"
                     : "=m"(modes.mxcsr), "=m"(modes.control), "=r"(modes.flags)
                     :
                     : "memory");
    modes.flags &= FLAGS_KEPT;
    modes.mxcsr &= ~0x3fu; /* which exceptions there have been is no mode */
    return modes;
}

void process_watch_reset_modes(void)
{
    guint32 mxcsr = 0x1f80;
    __asm__ volatile("cld\n"
                     "fninit\n"
                     "ldmxcsr %0"
                     :
                     : "m"(mxcsr));
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "0 -> /dev/null" and so on, but the one that the listing itself is made with. */
static char *list_descriptors(void)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) folder = g_dir_open("/proc/self/fd", 0, NULL);
    g_assert_nonnull(folder);
    for (const char *name; (name = g_dir_read_name(folder));) {
        g_autofree char *path = g_strconcat("/proc/self/fd/", name, NULL);
        g_autofree char *target = g_file_read_link(path, NULL);
        if (target && !g_str_has_suffix(target, "/fd"))
            g_ptr_array_add(list, g_strconcat(name, " -> ", target, NULL));
    }
    g_ptr_array_sort(list, by_text);
    g_ptr_array_add(list, NULL);
    return g_strjoinv("\n", (char **)list->pdata);
}

static mode_t mask_of_modes(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return mask;
}

ProcessWatch *process_watch_new(void)
{
    ProcessWatch *watch = g_new0(ProcessWatch, 1);
    watch->descriptors = list_descriptors();
    watch->folder = g_get_current_dir();
    watch->umask = mask_of_modes();
    for (int i = 1; i < SIGNALS; i++)
        sigaction(i, NULL, &watch->actions[i]);
    sigaltstack(NULL, &watch->stack);
    pthread_sigmask(SIG_SETMASK, NULL, &watch->mask);
    watch->modes = modes_now();
    return watch;
}

static void assert_signals(const ProcessWatch *watch)
{
    stack_t stack;
    sigset_t mask;
    for (int i = 1; i < SIGNALS; i++) {
        struct sigaction action = {0};
        sigaction(i, NULL, &action);
        g_assert_true(action.sa_handler == watch->actions[i].sa_handler);
        g_assert_cmpint(action.sa_flags, ==, watch->actions[i].sa_flags);
    }
    sigaltstack(NULL, &stack);
    g_assert_true(stack.ss_sp == watch->stack.ss_sp);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < SIGNALS; i++)
        g_assert_cmpint(sigismember(&mask, i), ==, sigismember(&watch->mask, i));
}

void process_watch_end(ProcessWatch *watch)
{
    Modes modes = modes_now();
    process_watch_reset_modes();
    g_autofree char *descriptors = list_descriptors();
    g_autofree char *folder = g_get_current_dir();
    g_assert_cmphex(modes.mxcsr, ==, watch->modes.mxcsr);
    g_assert_cmphex(modes.control, ==, watch->modes.control);
    g_assert_cmphex(modes.flags, ==, watch->modes.flags);
    assert_signals(watch);
    g_assert_cmpstr(descriptors, ==, watch->descriptors);
    g_assert_cmpstr(folder, ==, watch->folder);
    g_assert_cmpint(mask_of_modes(), ==, watch->umask);
    g_free(watch->descriptors);
    g_free(watch->folder);
    g_free(watch);
}
