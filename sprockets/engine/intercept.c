#include "sprockets/engine/intercept-private.h"

#include "sprockets/engine/special-private.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "sprockets/engine/arena-private.h"
#include "sprockets/engine/message-private.h"
#include "sprockets/engine/syscall-private.h"
#include "sprockets/engine/vdso-private.h"

/*
 * Functions that others stand for, by the address of their first instruction, which libc's own
 * calls reach as well. The table is filled before the first translation and constant from then on.
 */

#define ENTRIES 512u /* a power of two, at least twice the number of functions */

static HearthIntercept table[ENTRIES];

static uint32_t place_of(uint64_t address)
{
    return (uint32_t)(address * 0x9E3779B97F4A7C15u >> 55) & (ENTRIES - 1);
}

#if defined(__GNUC__) && !defined(__clang__)
__attribute__((target("general-regs-only")))
#endif
const HearthIntercept *
hearth_intercept_find(uint64_t address)
{
    for (uint32_t i = place_of(address); table[i].address; i = (i + 1) & (ENTRIES - 1))
        if (table[i].address == address)
            return &table[i];
    return NULL;
}

static void add(uint64_t address, HearthSpecial special, uint64_t code)
{
    static unsigned count;
    if (!address || hearth_intercept_find(address) || count >= ENTRIES / 2)
        return;
    uint32_t i = place_of(address);
    while (table[i].address)
        i = (i + 1) & (ENTRIES - 1);
    table[i] = (HearthIntercept){.address = address, .special = special, .code = code};
    count++;
}

/* --- Specials that only say no, or nothing ---------------------------------------------------- */

#define REFUSES(function, rule)                                                                    \
    static void function(HearthSlot *slot)                                                         \
    {                                                                                              \
        hearth_slot_abort(slot, HEARTH_ENGINE_REFUSED, rule);                                      \
    }

REFUSES(refuse_exit, "exit")
REFUSES(refuse_fork, "system call clone") /* what it would come to */
REFUSES(refuse_thread, "call pthread_create")
REFUSES(refuse_thread_exit, "call pthread_exit")
REFUSES(refuse_dlopen, "call dlopen")
REFUSES(refuse_dlmopen, "call dlmopen")
REFUSES(refuse_dlclose, "call dlclose")
REFUSES(refuse_system, "call system")
REFUSES(refuse_popen, "call popen")
REFUSES(refuse_spawn, "call posix_spawn")

static void fault_abort(HearthSlot *slot)
{
    hearth_slot_abort(slot, HEARTH_ENGINE_FAULTED, "SIGABRT");
}

static void return_zero(HearthSlot *slot)
{
    slot->context->registers[HEARTH_RAX] = 0;
}

/* The vDSO's way to random bytes: libc asks the system call instead. */
static void return_no_such_call(HearthSlot *slot)
{
    slot->context->registers[HEARTH_RAX] = (uint64_t) - (int64_t)ENOSYS;
}

/* --- Clocks and randomness that make no system call ------------------------------------------- */

static void run(HearthSlot *slot, HearthSystemCall call)
{
    uint64_t *registers = slot->context->registers;
    const uint64_t arguments[6] = {registers[HEARTH_RDI], registers[HEARTH_RSI],
                                   registers[HEARTH_RDX]};
    registers[HEARTH_RAX] = (uint64_t)call(slot, arguments);
}

static void vdso_clock_gettime(HearthSlot *slot)
{
    run(slot, hearth_system_clock_gettime);
}

static void vdso_clock_getres(HearthSlot *slot)
{
    run(slot, hearth_system_clock_getres);
}

static void vdso_gettimeofday(HearthSlot *slot)
{
    run(slot, hearth_system_gettimeofday);
}

static void vdso_time(HearthSlot *slot)
{
    run(slot, hearth_system_time);
}

static void vdso_getcpu(HearthSlot *slot)
{
    run(slot, hearth_system_getcpu);
}

static void random_word(HearthSlot *slot)
{
    slot->context->registers[HEARTH_RAX] = (uint32_t)hearth_system_random(slot);
}

static void random_bytes(HearthSlot *slot)
{
    const uint64_t *registers = slot->context->registers;
    if (!hearth_system_put_random(slot, registers[HEARTH_RDI], registers[HEARTH_RSI]))
        hearth_slot_abort(slot, HEARTH_ENGINE_FAULTED, "SIGSEGV");
}

static void random_below(HearthSlot *slot)
{
    uint64_t *registers = slot->context->registers;
    uint32_t bound = (uint32_t)registers[HEARTH_RDI];
    uint32_t word = (uint32_t)hearth_system_random(slot);
    registers[HEARTH_RAX] = bound > 1 ? word % bound : 0;
}

/* --- The list --------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    HearthSpecial special;
} Named;

static const Named FUNCTIONS[] = {
    {"exit", refuse_exit},
    {"_exit", refuse_exit},
    {"_Exit", refuse_exit},
    {"quick_exit", refuse_exit},
    {"abort", fault_abort},
    {"fork", refuse_fork},
    {"__fork", refuse_fork},
    {"_Fork", refuse_fork},
    {"vfork", refuse_fork},
    {"__vfork", refuse_fork},
    {"pthread_create", refuse_thread},
    {"pthread_exit", refuse_thread_exit},
    {"dlopen", refuse_dlopen},
    {"dlmopen", refuse_dlmopen},
    {"dlclose", refuse_dlclose},
    {"system", refuse_system},
    {"popen", refuse_popen},
    {"posix_spawn", refuse_spawn},
    {"posix_spawnp", refuse_spawn},
    {"atexit", return_zero},
    {"on_exit", return_zero},
    {"at_quick_exit", return_zero},
    {"__cxa_atexit", return_zero},
    {"__cxa_at_quick_exit", return_zero},
    {"__cxa_thread_atexit_impl", return_zero},
    {"__register_atfork", return_zero},
    {"pthread_atfork", return_zero},
    {"sched_getcpu", return_zero},
    {"arc4random", random_word},
    {"arc4random_buf", random_bytes},
    {"arc4random_uniform", random_below},
    {"pthread_mutex_lock", hearth_special_mutex_lock},
    {"__pthread_mutex_lock", hearth_special_mutex_lock},
    {"pthread_mutex_timedlock", hearth_special_mutex_lock},
    {"pthread_mutex_clocklock", hearth_special_mutex_lock},
    {"pthread_mutex_trylock", hearth_special_mutex_trylock},
    {"__pthread_mutex_trylock", hearth_special_mutex_trylock},
    {"pthread_mutex_unlock", hearth_special_mutex_unlock},
    {"__pthread_mutex_unlock", hearth_special_mutex_unlock},
    {"pthread_rwlock_rdlock", hearth_special_rwlock_read},
    {"__pthread_rwlock_rdlock", hearth_special_rwlock_read},
    {"pthread_rwlock_timedrdlock", hearth_special_rwlock_read},
    {"pthread_rwlock_clockrdlock", hearth_special_rwlock_read},
    {"pthread_rwlock_tryrdlock", hearth_special_rwlock_tryread},
    {"__pthread_rwlock_tryrdlock", hearth_special_rwlock_tryread},
    {"pthread_rwlock_wrlock", hearth_special_rwlock_write},
    {"__pthread_rwlock_wrlock", hearth_special_rwlock_write},
    {"pthread_rwlock_timedwrlock", hearth_special_rwlock_write},
    {"pthread_rwlock_clockwrlock", hearth_special_rwlock_write},
    {"pthread_rwlock_trywrlock", hearth_special_rwlock_trywrite},
    {"__pthread_rwlock_trywrlock", hearth_special_rwlock_trywrite},
    {"pthread_rwlock_unlock", hearth_special_rwlock_unlock},
    {"__pthread_rwlock_unlock", hearth_special_rwlock_unlock},
    {"pthread_spin_lock", hearth_special_spin_lock},
    {"pthread_spin_trylock", hearth_special_spin_trylock},
    {"pthread_spin_unlock", hearth_special_spin_unlock},
    {"pthread_cond_wait", hearth_special_condition_wait},
    {"pthread_cond_timedwait", hearth_special_condition_wait},
    {"pthread_cond_clockwait", hearth_special_condition_wait},
    {"pthread_cond_signal", return_zero},
    {"pthread_cond_broadcast", return_zero},
};

static const Named GLIB_FUNCTIONS[] = {
    {"g_mutex_lock", hearth_special_glib_lock},
    {"g_mutex_trylock", hearth_special_glib_trylock},
    {"g_mutex_unlock", hearth_special_glib_unlock},
};

static const Named VDSO_FUNCTIONS[] = {
    {"__vdso_clock_gettime", vdso_clock_gettime},
    {"__vdso_clock_getres", vdso_clock_getres},
    {"__vdso_gettimeofday", vdso_gettimeofday},
    {"__vdso_time", vdso_time},
    {"__vdso_getcpu", vdso_getcpu},
    {"__vdso_getrandom", return_no_such_call},
};

typedef struct {
    const char *name;
    void *code;
} Replaced;

/* By code that is translated in their place. */
static const Replaced REPLACED[] = {
    {"malloc", (void *)hearth_arena_malloc},
    {"__libc_malloc", (void *)hearth_arena_malloc},
    {"free", (void *)hearth_arena_free},
    {"cfree", (void *)hearth_arena_free},
    {"__libc_free", (void *)hearth_arena_free},
    {"calloc", (void *)hearth_arena_calloc},
    {"__libc_calloc", (void *)hearth_arena_calloc},
    {"realloc", (void *)hearth_arena_realloc},
    {"__libc_realloc", (void *)hearth_arena_realloc},
    {"reallocarray", (void *)hearth_arena_reallocarray},
    {"__libc_reallocarray", (void *)hearth_arena_reallocarray},
    {"memalign", (void *)hearth_arena_memalign},
    {"__libc_memalign", (void *)hearth_arena_memalign},
    {"aligned_alloc", (void *)hearth_arena_aligned_alloc},
    {"posix_memalign", (void *)hearth_arena_posix_memalign},
    {"valloc", (void *)hearth_arena_valloc},
    {"__libc_valloc", (void *)hearth_arena_valloc},
    {"pvalloc", (void *)hearth_arena_pvalloc},
    {"__libc_pvalloc", (void *)hearth_arena_pvalloc},
    {"malloc_usable_size", (void *)hearth_arena_usable_size},
    {"gettext", (void *)hearth_message_same},
    {"dgettext", (void *)hearth_message_of_domain},
    {"dcgettext", (void *)hearth_message_of_domain},
    {"ngettext", (void *)hearth_message_counted},
    {"dngettext", (void *)hearth_message_of_domain_counted},
    {"dcngettext", (void *)hearth_message_of_domain_counted},
    {"bindtextdomain", (void *)hearth_message_bind},
    {"bind_textdomain_codeset", (void *)hearth_message_bind},
    {"textdomain", (void *)hearth_message_domain},
};

/* libc's own function, and that of a library that took its name first. */
static void add_named(void *libc, const char *name, HearthSpecial special, void *code)
{
    if (libc)
        add((uint64_t)dlsym(libc, name), special, (uint64_t)code);
    add((uint64_t)dlsym(RTLD_DEFAULT, name), special, (uint64_t)code);
}

static void fill(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
    for (size_t i = 0; i < sizeof REPLACED / sizeof *REPLACED; i++)
        add_named(libc, REPLACED[i].name, NULL, REPLACED[i].code);
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++)
        add_named(libc, FUNCTIONS[i].name, FUNCTIONS[i].special, NULL);
    if (hearth_lock_init())
        for (size_t i = 0; i < sizeof GLIB_FUNCTIONS / sizeof *GLIB_FUNCTIONS; i++)
            add_named(NULL, GLIB_FUNCTIONS[i].name, GLIB_FUNCTIONS[i].special, NULL);
    for (size_t i = 0; i < sizeof VDSO_FUNCTIONS / sizeof *VDSO_FUNCTIONS; i++)
        add(hearth_vdso_find(VDSO_FUNCTIONS[i].name), VDSO_FUNCTIONS[i].special, 0);
    add((uint64_t)hearth_engine_emit, hearth_special_emit, 0);
    if (libc)
        dlclose(libc);
}

void hearth_intercept_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill);
}
