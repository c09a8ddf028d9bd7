#include "sprockets/engine/slot-private.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "sprockets/engine/arena-private.h"
#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/gate-private.h"
#include "sprockets/engine/region-private.h"
#include "sprockets/engine/state-private.h"
#include "sprockets/engine/thread-private.h"
#include "sprockets/engine/wall-private.h"

#define SLOTS_BASE                                                                                 \
    0x100000000000ull /* where slots are tried first: far from the heap and from libraries */
#define SLOTS_STEP ((uint64_t)1 << 31) /* bytes from one to the next */
#define SLOTS_TRIES 4096
#define KIB 1024
#define LEAST (16 * KIB)           /* bytes of a zone that stay committed */
#define STEP (16 * KIB)            /* zones grow and shrink by multiples of it */
#define STACK_RESERVE (1024 * KIB) /* bytes that the stack may still grow by when malloc fails */
#define KEPT_MAX (1024 * KIB)      /* bytes of a zone kept from call to call */

static __thread HearthSlot *current __attribute__((tls_model("initial-exec")));
static HEARTH_STATE pthread_mutex_t slots_lock =
    PTHREAD_MUTEX_INITIALIZER; /* the list and making slots */
static HEARTH_STATE HearthSlot *_Atomic slots;
static HEARTH_STATE pthread_key_t slot_key;
static HEARTH_STATE pthread_once_t once = PTHREAD_ONCE_INIT;

/* --- Making ------------------------------------------------------------------------------------ */

static void give_back(void *data)
{
    HearthSlot *slot = data;
    hearth_wall_lower(slot);
    atomic_store(&slot->in_use, false);
}

static void init_once(void)
{
    pthread_key_create(&slot_key, give_back);
}

static char *reserve_slot(void)
{
    static HEARTH_STATE uint64_t next;
    uint64_t random = 0;
    if (next == 0 && getrandom(&random, sizeof random, GRND_NONBLOCK) == sizeof random)
        next = random % 1024;
    for (uint64_t i = 0; i < SLOTS_TRIES; i++) {
        void *at = (void *)(SLOTS_BASE + SLOTS_STEP * (next + i));
        void *base = mmap(at, HEARTH_SLOT_SIZE, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (base != MAP_FAILED)
            next += i + 1;
        if (base != MAP_FAILED || errno != EEXIST)
            return base == MAP_FAILED ? NULL : base;
    }
    return NULL;
}

static bool commit(const HearthSlot *slot, uint64_t offset, uint64_t size)
{
    return mprotect(slot->base + offset, size, PROT_READ | PROT_WRITE) == 0;
}

/* The address of the committed part of a zone that has `committed` bytes. */
static uint64_t zone_low(const HearthZone *zone, uint64_t committed)
{
    return zone->down ? zone->start - committed : zone->start;
}

static bool resize_zone(HearthSlot *slot, HearthZone *zone, uint64_t size)
{
    uint64_t low = zone->down ? zone->start - (size > zone->committed ? size : zone->committed)
                              : zone->start + (size > zone->committed ? zone->committed : size);
    uint64_t change = size > zone->committed ? size - zone->committed : zone->committed - size;
    bool grow = size > zone->committed;
    if (!grow && madvise((void *)low, change, MADV_DONTNEED) < 0)
        return false;
    if (mprotect((void *)low, change, grow ? PROT_READ | PROT_WRITE : PROT_NONE) < 0)
        return false;
    if (grow && zone->down) {
        /* Returns by addresses that nobody wrote are looked up. */
        uint64_t *shadow = (uint64_t *)(low + HEARTH_SLOT_SHADOW_OFFSET);
        for (uint64_t i = 0; i < change / 8; i++)
            shadow[i] = hearth_cache_lost_return();
    }
    zone->committed = size;
    slot->committed += grow ? change : -change;
    return true;
}

static bool make_zones(HearthSlot *slot)
{
    slot->zones[HEARTH_ZONE_STACK] =
        (HearthZone){.start = hearth_slot_at(slot, HEARTH_SLOT_STACK) + HEARTH_SLOT_STACK_SIZE,
                     .size = HEARTH_SLOT_STACK_SIZE,
                     .down = true};
    slot->zones[HEARTH_ZONE_AREA] = (HearthZone){.start = hearth_slot_at(slot, HEARTH_SLOT_AREA),
                                                 .size = HEARTH_ENGINE_AREA_SIZE};
    slot->zones[HEARTH_ZONE_ARENA] = (HearthZone){.start = hearth_slot_at(slot, HEARTH_SLOT_ARENA),
                                                  .size = HEARTH_SLOT_ARENA_MAX};
    for (int i = 0; i < HEARTH_ZONES; i++) {
        slot->zones[i].least = LEAST;
        if (!resize_zone(slot, &slot->zones[i], LEAST))
            return false;
    }
    return true;
}

static void fill_context(HearthSlot *slot)
{
    HearthContext *context = slot->context;
    context->window = hearth_slot_at(slot, HEARTH_SLOT_WINDOW);
    context->window_end = context->window + HEARTH_SLOT_WINDOW_SIZE;
    context->stack = hearth_slot_at(slot, HEARTH_SLOT_STACK);
    context->gs = hearth_slot_at(slot, HEARTH_SLOT_GS);
    context->slot = slot;
    hearth_gate_init(context);
}

static bool fill_slot(HearthSlot *slot)
{
    slot->base = reserve_slot();
    if (!slot->base || !commit(slot, HEARTH_SLOT_CONTEXT, sizeof(HearthContext)) ||
        !commit(slot, HEARTH_SLOT_BUFFER, HEARTH_SLOT_BUFFER_SIZE) ||
        !commit(slot, HEARTH_SLOT_STACK + HEARTH_SLOT_SHADOW_OFFSET, HEARTH_SLOT_STACK_SIZE) ||
        !hearth_overlay_init(&slot->overlay))
        return false;
    slot->context = (HearthContext *)(slot->base + HEARTH_SLOT_CONTEXT);
    madvise(slot->context, sizeof *slot->context, MADV_POPULATE_WRITE);
    fill_context(slot);
    return make_zones(slot);
}

static HearthSlot *make_slot(void)
{
    HearthSlot *slot =
        mmap(NULL, sizeof *slot, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slot == MAP_FAILED)
        return NULL;
    if (!fill_slot(slot)) {
        if (slot->base)
            munmap(slot->base, HEARTH_SLOT_SIZE);
        hearth_overlay_clear(&slot->overlay);
        munmap(slot, sizeof *slot);
        return NULL;
    }
    slot->next = atomic_load(&slots);
    atomic_store(&slots, slot);
    return slot;
}

/* One that a thread left behind, or a new one. */
static HearthSlot *take_slot(void)
{
    pthread_mutex_lock(&slots_lock);
    HearthSlot *slot = atomic_load(&slots);
    while (slot && atomic_load(&slot->in_use))
        slot = slot->next;
    if (!slot)
        slot = make_slot();
    if (slot)
        atomic_store(&slot->in_use, true);
    pthread_mutex_unlock(&slots_lock);
    return slot;
}

HearthSlot *hearth_slot_of_thread(void)
{
    if (current)
        return current;
    pthread_once(&once, init_once);
    HearthSlot *slot = take_slot();
    if (!slot) {
        errno = ENOMEM;
        return NULL;
    }
    slot->thread = gettid();
    slot->host_thread = (uint64_t)__builtin_thread_pointer();
    slot->storage = (HearthThread){0};
    slot->wall = HEARTH_WALL_LOWERED;
    slot->signals = HEARTH_SIGNALS_UNKNOWN;
    if (!hearth_wall_prepare_thread(slot)) {
        atomic_store(&slot->in_use, false);
        return NULL;
    }
    pthread_setspecific(slot_key, slot);
    current = slot;
    return slot;
}

HearthSlot *hearth_slot_current(void)
{
    return current;
}

HearthSlot *hearth_slot_first(void)
{
    return atomic_load(&slots);
}

/* --- Calls ------------------------------------------------------------------------------------- */

void hearth_slot_forget_shadow(HearthSlot *slot)
{
    const HearthZone *stack = &slot->zones[HEARTH_ZONE_STACK];
    uint64_t low = zone_low(stack, stack->committed) + HEARTH_SLOT_SHADOW_OFFSET;
    uint64_t lost = hearth_cache_lost_return();
    for (uint64_t at = low; at < stack->start + HEARTH_SLOT_SHADOW_OFFSET; at += 8)
        *(uint64_t *)at = lost;
}

static void follow_cache(HearthSlot *slot)
{
    uint64_t epoch = hearth_cache_epoch() + 1;
    if (slot->epoch == epoch)
        return;
    memset(slot->context->branches, 0, sizeof slot->context->branches);
    /* Address 0 has the first place, and is never found there. */
    for (int view = 0; view < HEARTH_VIEWS; view++)
        slot->context->branches[view][0].app = 1;
    hearth_slot_forget_shadow(slot);
    slot->epoch = epoch;
}

/* Less than the limit of the call, so that malloc fails before a store to the stack or the arena does. */
static uint64_t arena_limit(const HearthSlot *slot)
{
    uint64_t limit = slot->limits.memory, others = 0;
    for (int i = 0; i < HEARTH_ZONES; i++)
        others += i == HEARTH_ZONE_ARENA ? 0 : slot->zones[i].committed;
    others += limit / 8 < STACK_RESERVE ? limit / 8 : STACK_RESERVE;
    limit = limit > others + HEARTH_ARENA_HEADER ? limit - others : HEARTH_ARENA_HEADER;
    return limit < HEARTH_SLOT_ARENA_MAX ? limit : HEARTH_SLOT_ARENA_MAX;
}

void hearth_slot_begin(HearthSlot *slot)
{
    follow_cache(slot);
    hearth_thread_copy(slot);
    hearth_arena_begin((void *)slot->zones[HEARTH_ZONE_ARENA].start, arena_limit(slot));
    /* The call's own copy of the variable says where it is. */
    *(uint64_t *)hearth_thread_address(slot, &hearth_arena) = slot->zones[HEARTH_ZONE_ARENA].start;
    slot->view = slot->policy.validate_reads ? HEARTH_VIEW_VALIDATING : HEARTH_VIEW_PLAIN;
    slot->pending.address = 0;
    slot->fault_pc = 0;
}

/* What is kept committed depends on what the last call needed. */
static void wipe_zone(HearthSlot *slot, HearthZone *zone, uint64_t needed)
{
    uint64_t keep = (needed + STEP - 1) & ~(uint64_t)(STEP - 1);
    if (keep < zone->least || keep > KEPT_MAX)
        keep = zone->least;
    if (keep < zone->committed)
        resize_zone(slot, zone, keep);
    memset((void *)zone_low(zone, zone->committed), 0, zone->committed);
}

void hearth_slot_wipe_area(HearthSlot *slot)
{
    HearthZone *area = &slot->zones[HEARTH_ZONE_AREA];
    wipe_zone(slot, area, area->committed <= 64 * KIB ? area->committed : 0);
}

void hearth_slot_end(HearthSlot *slot)
{
    HearthZone *stack = &slot->zones[HEARTH_ZONE_STACK];
    uint64_t used = hearth_arena_used((void *)slot->zones[HEARTH_ZONE_ARENA].start);
    if (slot->view != HEARTH_VIEW_PLAIN)
        hearth_slot_forget_shadow(slot);
    if (slot->view == HEARTH_VIEW_VALIDATING)
        memset(slot->context->clean, 0, sizeof slot->context->clean);
    if (slot->overlay.count || slot->overlay.seen_count)
        hearth_overlay_reset(slot);
    wipe_zone(slot, stack, stack->committed <= 256 * KIB ? stack->committed : 0);
    wipe_zone(slot, &slot->zones[HEARTH_ZONE_ARENA], used);
}

/* --- Growth ------------------------------------------------------------------------------------ */

static bool grow_zone(HearthSlot *slot, HearthZone *zone, uint64_t needed, bool *ret_limit)
{
    uint64_t size = (needed + STEP - 1) & ~(uint64_t)(STEP - 1), limit = slot->limits.memory;
    uint64_t others = slot->committed - zone->committed;
    if (size > zone->size || (limit && others + size > limit)) {
        *ret_limit = true;
        return false;
    }
    /* Twice as much saves faults. */
    if (zone->committed * 2 > size && zone->committed * 2 <= zone->size &&
        (!limit || others + zone->committed * 2 <= limit))
        size = zone->committed * 2;
    *ret_limit = false;
    return resize_zone(slot, zone, size);
}

bool hearth_slot_grow(HearthSlot *slot, uint64_t address, bool *ret_limit)
{
    *ret_limit = false;
    for (int i = 0; i < HEARTH_ZONES; i++) {
        HearthZone *zone = &slot->zones[i];
        uint64_t needed = zone->down ? zone->start - address : address - zone->start + 1;
        if (needed == 0 || needed > zone->size)
            continue;
        return needed > zone->committed && grow_zone(slot, zone, needed, ret_limit);
    }
    return false;
}

bool hearth_slot_holds(const HearthSlot *slot, uint64_t address)
{
    return address - (uint64_t)slot->base < HEARTH_SLOT_SIZE ||
           address - (uint64_t)slot < sizeof *slot ||
           (slot->signal_stack && address - (uint64_t)slot->signal_stack < HEARTH_SIGNAL_STACK) ||
           hearth_overlay_owns(&slot->overlay, address);
}
