#include "sprockets/engine/engine.h"

#include <cpuid.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/gate-private.h"
#include "sprockets/engine/instance-private.h"
#include "sprockets/engine/intercept-private.h"
#include "sprockets/engine/region-private.h"
#include "sprockets/engine/state-private.h"
#include "sprockets/engine/thread-private.h"
#include "sprockets/engine/translate-private.h"
#include "sprockets/engine/wall-private.h"

#define BACKOFF_NS 100000 /* before a call in conflict is run again, doubled each time */
#define ENTRY_ROOM 256    /* bytes above the call's first stack pointer */

static HEARTH_STATE pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static HEARTH_STATE _Atomic bool ready;
/* Read by calls in progress, written by what drops translations. */
static HEARTH_STATE pthread_rwlock_t calls = PTHREAD_RWLOCK_INITIALIZER;

extern const char __start_hearth_state[], __stop_hearth_state[];

const char *hearth_engine_outcome_word(HearthEngineOutcome outcome)
{
    static const char *const WORDS[HEARTH_ENGINE_OUTCOMES] = {
        [HEARTH_ENGINE_RETURNED] = "returned",
        [HEARTH_ENGINE_REFUSED] = "refused",
        [HEARTH_ENGINE_FAULTED] = "faulted",
        [HEARTH_ENGINE_TIMED_OUT] = "timed-out",
        [HEARTH_ENGINE_OUT_OF_MEMORY] = "out-of-memory",
        [HEARTH_ENGINE_CONFLICT] = "conflict",
        [HEARTH_ENGINE_ESCAPED] = "escaped",
        [HEARTH_ENGINE_UNSUPPORTED] = "unsupported",
    };
    return outcome < HEARTH_ENGINE_OUTCOMES ? WORDS[outcome] : "unknown";
}

/* --- Beginnings -------------------------------------------------------------------------------- */

static HEARTH_STATE pthread_once_t asked = PTHREAD_ONCE_INIT;
static HEARTH_STATE const char *missing; /* NULL: nothing */

/* Once: in a virtual machine each cpuid is an exit. */
static void ask_processor(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        missing = "the processor or the kernel has no xsave";
    else if (__get_cpuid_count(0xD, 0, &a, &b, &c, &d) && b > HEARTH_XSAVE_SIZE)
        missing = "the processor's vector registers do not fit";
    else if (__get_cpuid(0x80000001, &a, &b, &c, &d) && !(c & 1))
        missing = "the processor has no lahf";
}

bool hearth_engine_available(const char **ret_reason)
{
    pthread_once(&asked, ask_processor);
    if (ret_reason)
        *ret_reason = missing;
    return missing == NULL;
}

/* Each part is made once; what could not be made is tried again by the next call. */
static bool make_ready(void)
{
    errno = ENOTSUP;
    if (!hearth_engine_available(NULL))
        return false;
    errno = ENOMEM;
    if (!hearth_region_init() || !hearth_translate_init() || !hearth_cache_init() ||
        !hearth_fault_init())
        return false;
    hearth_intercept_init();
    return true;
}

bool hearth_engine_init(void)
{
    if (atomic_load_explicit(&ready, memory_order_acquire))
        return true;
    pthread_mutex_lock(&init_lock);
    bool made = atomic_load(&ready) || make_ready();
    atomic_store_explicit(&ready, made, memory_order_release);
    pthread_mutex_unlock(&init_lock);
    return made;
}

static HearthSlot *ensure_slot(void)
{
    HearthSlot *slot = hearth_engine_init() ? hearth_slot_of_thread() : NULL;
    return slot && hearth_thread_measure(slot) ? slot : NULL;
}

bool hearth_engine_owns(uint64_t address)
{
    if (hearth_cache_owns(address) || hearth_translate_owns(address) ||
        hearth_monitor_owns(address) || hearth_region_owns(address) ||
        (address >= (uint64_t)__start_hearth_state && address < (uint64_t)__stop_hearth_state))
        return true;
    for (const HearthSlot *slot = hearth_slot_first(); slot; slot = slot->next)
        if (hearth_slot_holds(slot, address))
            return true;
    return false;
}

void *hearth_engine_area(void)
{
    HearthSlot *slot = ensure_slot();
    if (!slot)
        return NULL;
    hearth_slot_wipe_area(slot);
    return (void *)hearth_slot_at(slot, HEARTH_SLOT_AREA);
}

void hearth_slot_tell(HearthSlot *slot, const HearthEngineEvent *event)
{
    if (slot->call && slot->call->trace)
        slot->call->trace(slot->call->trace_data, event);
}

/* --- One call ---------------------------------------------------------------------------------- */

static void fill_limits(HearthEngineLimits *limits, const HearthEngineLimits *given)
{
    static const HearthEngineLimits DEFAULTS = {.cpu_ms = 5000,
                                                .wall_ms = 10000,
                                                .memory = (uint64_t)256 << 20,
                                                .overlay_pages = 1024,
                                                .descriptors = 16,
                                                .emit_size = (uint64_t)16 << 20,
                                                .log_size = 4096,
                                                .tries = 3};
    *limits = DEFAULTS;
    if (!given)
        return;
    limits->cpu_ms = given->cpu_ms ? given->cpu_ms : limits->cpu_ms;
    limits->wall_ms = given->wall_ms ? given->wall_ms : limits->wall_ms;
    limits->memory = given->memory ? given->memory : limits->memory;
    limits->overlay_pages = given->overlay_pages ? given->overlay_pages : limits->overlay_pages;
    limits->descriptors = given->descriptors ? given->descriptors : limits->descriptors;
    limits->emit_size = given->emit_size ? given->emit_size : limits->emit_size;
    limits->log_size = given->log_size ? given->log_size : limits->log_size;
    limits->tries = given->tries ? given->tries : limits->tries;
    if (limits->overlay_pages > HEARTH_OVERLAY_PAGES)
        limits->overlay_pages = HEARTH_OVERLAY_PAGES;
    if (limits->descriptors > HEARTH_DESCRIPTORS_MAX)
        limits->descriptors = HEARTH_DESCRIPTORS_MAX;
    if (limits->log_size > sizeof(((HearthEngineResult *)0)->log) - 1)
        limits->log_size = sizeof(((HearthEngineResult *)0)->log) - 1;
}

/* As if the entry had been called by an instruction before its return point. */
static void set_registers(HearthSlot *slot, const HearthEngineCall *call)
{
    static const int ORDER[HEARTH_ENGINE_ARGUMENTS] = {HEARTH_RDI, HEARTH_RSI, HEARTH_RDX,
                                                       HEARTH_RCX};
    HearthContext *context = slot->context;
    memset(context->registers, 0, sizeof context->registers);
    for (int i = 0; i < HEARTH_ENGINE_ARGUMENTS; i++)
        context->registers[ORDER[i]] = call->arguments[i];
    uint64_t rsp = slot->zones[HEARTH_ZONE_STACK].start - ENTRY_ROOM - 8;
    *(uint64_t *)rsp = (uint64_t)hearth_engine_return_point;
    context->registers[HEARTH_RSP] = rsp;
    context->flags = 0x202;
    context->mxcsr = __builtin_ia32_stmxcsr();
}

static void enter(HearthSlot *slot, const HearthEngineCall *call)
{
    HearthEngineResult *result = slot->result;
    bool made;
    const HearthFragment *fragment = hearth_cache_translate(call->entry, slot->view, &made);
    if (!fragment) {
        result->outcome = HEARTH_ENGINE_ESCAPED;
        result->pc = call->entry;
        strcpy(result->rule, "not code of a file");
        return;
    }
    if (made)
        hearth_handler_count(slot, fragment);
    slot->context->after = fragment->code;
    if (hearth_gate_enter() == 1) {
        result->outcome = HEARTH_ENGINE_RETURNED;
        result->value = slot->context->registers[HEARTH_RAX];
    }
}

static void run_once(HearthSlot *slot, const HearthEngineCall *call)
{
    HearthEngineResult *result = slot->result;
    if (call->prepare)
        call->prepare(call->prepare_data, (void *)hearth_slot_at(slot, HEARTH_SLOT_AREA));
    hearth_slot_begin(slot);
    hearth_instance_begin(slot);
    set_registers(slot, call);
    slot->emit_left = slot->limits.emit_size;
    atomic_store(&slot->expired, 0);
    atomic_fetch_add(&slot->sequence, 1);
    atomic_store(&slot->running, HEARTH_RUNNING_CALL);
    hearth_monitor_wake();
    enter(slot, call);
    atomic_store(&slot->running, HEARTH_RUNNING_NO);
    if (result->outcome == HEARTH_ENGINE_RETURNED && !hearth_overlay_valid(&slot->overlay)) {
        result->outcome = HEARTH_ENGINE_CONFLICT;
        strcpy(result->rule, "changed while it was read");
    }
    result->stats.overlay_pages = slot->overlay.count;
    result->stats.redirected = (uint32_t)slot->overlay.redirected;
    result->stats.memory = slot->committed;
    hearth_syscall_end(slot);
    hearth_lock_end(slot);
    hearth_instance_end(slot);
    hearth_slot_end(slot);
}

void hearth_engine_symbol(uint64_t address, char *text, size_t size)
{
    Dl_info info;
    *text = 0;
    if (!address || !dladdr((void *)address, &info) || !info.dli_fname)
        return;
    const char *file = strrchr(info.dli_fname, '/');
    file = file ? file + 1 : info.dli_fname;
    uint64_t from = (uint64_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase);
    snprintf(text, size, "%.48s:%.64s+0x%llx", file, info.dli_sname ? info.dli_sname : "",
             (unsigned long long)(address - from));
}

static void wait_before(uint32_t try)
{
    const struct timespec pause = {.tv_nsec = BACKOFF_NS << (try < 6 ? try : 6) };
    nanosleep(&pause, NULL);
}

/* Counters go on from one try to the next. */
static void clear_try(HearthEngineResult *result, uint32_t tries)
{
    HearthEngineStats stats = result->stats;
    memset(result, 0, offsetof(HearthEngineResult, log));
    result->log_size = 0;
    stats.emitted = 0;
    result->stats = stats;
    result->stats.tries = tries;
}

void hearth_engine_run(const HearthEngineCall *call, HearthEngineResult *ret_result)
{
    int saved = errno;
    HearthSlot *slot = ensure_slot();
    memset(ret_result, 0, sizeof *ret_result);
    if (!slot) {
        ret_result->outcome = HEARTH_ENGINE_UNSUPPORTED;
        snprintf(ret_result->rule, sizeof ret_result->rule, "engine: %s", strerror(errno));
        return;
    }
    if (atomic_load(&slot->running)) {
        ret_result->outcome = HEARTH_ENGINE_REFUSED;
        strcpy(ret_result->rule, "engine: a call is in progress in this thread");
        return;
    }
    if (hearth_region_refresh() || hearth_cache_is_full())
        hearth_engine_flush();
    hearth_signals_begin(slot);
    hearth_wall_raise(slot);
    pthread_rwlock_rdlock(&calls);
    slot->call = call;
    slot->result = ret_result;
    slot->policy = call->policy ? *call->policy : (HearthEnginePolicy){0};
    fill_limits(&slot->limits, call->limits);
    for (uint32_t tries = 1;; tries++) {
        clear_try(ret_result, tries);
        run_once(slot, call);
        if (ret_result->outcome != HEARTH_ENGINE_CONFLICT || tries >= slot->limits.tries)
            break;
        hearth_slot_tell(slot, &(HearthEngineEvent){.kind = HEARTH_ENGINE_AGAIN, .value = tries});
        wait_before(tries);
    }
    slot->call = NULL;
    slot->result = NULL;
    pthread_rwlock_unlock(&calls);
    hearth_signals_end(slot);
    if (ret_result->outcome != HEARTH_ENGINE_RETURNED)
        hearth_engine_symbol(ret_result->pc, ret_result->symbol, sizeof ret_result->symbol);
    ret_result->log[ret_result->log_size] = 0;
    errno = saved;
}

void hearth_engine_rest(void)
{
    HearthSlot *slot = hearth_slot_current();
    if (slot)
        hearth_wall_lower(slot);
}

/* --- The cache --------------------------------------------------------------------------------- */

void hearth_engine_flush(void)
{
    if (!hearth_engine_init())
        return;
    pthread_rwlock_wrlock(&calls);
    hearth_cache_reset();
    pthread_rwlock_unlock(&calls);
}

void hearth_engine_usage(size_t *ret_code_bytes, size_t *ret_blocks)
{
    hearth_cache_usage(ret_code_bytes, ret_blocks);
}
