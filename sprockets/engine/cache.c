#include "sprockets/engine/cache-private.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sprockets/engine/emit-private.h"
#include "sprockets/engine/state-private.h"
#include "sprockets/engine/translate-private.h"

#define CODE_SIZE (64 * 1024 * 1024)     /* bytes, committed as they are used */
#define RECORDS_SIZE (256 * 1024 * 1024) /* bytes of address space for what is known of the code */
#define SITES_MAX (512 * 1024)
#define EXITS_MAX (1024 * 1024)
#define BUCKETS 16384
#define FIRST_CODE                                                                                 \
    (256 * 1024) /* bytes that are there before they are used: a fault costs as much as
                                     translating an instruction does many times over */
#define FIRST_RECORDS (512 * 1024) /* bytes */
#define BOUNCE_ROOM 64             /* bytes */
#define STEP (CODE_SIZE / 2)       /* bytes between the places that are tried */
#define TRIES 60                   /* so that all of them are near */

typedef struct {
    uint64_t code;  /* where it runs */
    uint8_t *alias; /* where it is written */
    _Atomic size_t used;
    uint8_t *records; /* fragments and their tables, never freed one by one */
    size_t records_used;
    HearthSite *sites;
    HearthExit *exits;
    uint32_t site_count, exit_count;
    _Atomic(HearthFragment *) *buckets;
    HearthFragment **sorted; /* by code address, as they are appended */
    _Atomic uint32_t count;
    _Atomic uint64_t epoch;
    _Atomic bool full;    /* something did not fit */
    pthread_mutex_t lock; /* the translator's; also of all above that is not atomic */
} Cache;

static HEARTH_STATE Cache cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- Memory ------------------------------------------------------------------------------------ */

/* The first bytes are there at once where the kernel can do that. */
static void *reserve(size_t size, size_t first)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_NOHUGEPAGE);
    madvise(memory, first, MADV_POPULATE_WRITE);
    return memory;
}

/* Below libc, as near as there is room: displacements to libraries then fit. */
static void *map_near(int file, uint64_t anchor)
{
    uint64_t at = anchor & ~(uint64_t)(CODE_SIZE - 1);
    for (int i = 0; i < TRIES && at > STEP; i++) {
        at -= STEP;
        void *code = mmap((void *)at, CODE_SIZE, PROT_READ | PROT_EXEC,
                          MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
        if (code != MAP_FAILED)
            return code;
    }
    return mmap(NULL, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
}

static bool map_code(void)
{
    int file = memfd_create("hearth-code", MFD_CLOEXEC);
    if (file < 0)
        return false;
    bool sized = ftruncate(file, CODE_SIZE) == 0;
    void *code = sized ? map_near(file, (uint64_t)&memcpy) : MAP_FAILED;
    void *alias = code == MAP_FAILED
                      ? MAP_FAILED
                      : mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (alias == MAP_FAILED)
        return false;
    cache.code = (uint64_t)code;
    cache.alias = alias;
    madvise(alias, FIRST_CODE, MADV_POPULATE_WRITE);
    madvise(code, FIRST_CODE, MADV_POPULATE_READ);
    return true;
}

/* The first bytes of the cache: where a return goes whose shadow nobody wrote. */
static void write_lost_return(void)
{
    static HEARTH_STATE HearthEmitter emitter;
    emitter.used = 0;
    hearth_emit_gate(&emitter, HEARTH_GATE_RETURN);
    memcpy(cache.alias, emitter.code, emitter.used);
    cache.used = BOUNCE_ROOM;
}

/* True: it is there now, or was before. */
static bool ensure(void *place, size_t size, size_t first)
{
    void **memory = place;
    if (!*memory)
        *memory = reserve(size, first);
    return *memory != NULL;
}

bool hearth_cache_init(void)
{
    size_t buckets = BUCKETS * sizeof *cache.buckets;
    if (cache.buckets)
        return true;
    if (!cache.alias && !map_code())
        return false;
    if (!ensure(&cache.records, RECORDS_SIZE, FIRST_RECORDS) ||
        !ensure(&cache.sites, SITES_MAX * sizeof(HearthSite), FIRST_RECORDS) ||
        !ensure(&cache.exits, EXITS_MAX * sizeof(HearthExit), FIRST_RECORDS / 8) ||
        !ensure(&cache.sorted, EXITS_MAX * sizeof(HearthFragment *), FIRST_RECORDS / 64))
        return false;
    write_lost_return();
    return ensure(&cache.buckets, buckets, buckets);
}

void hearth_cache_lock(void)
{
    pthread_mutex_lock(&cache.lock);
}

void hearth_cache_unlock(void)
{
    pthread_mutex_unlock(&cache.lock);
}

uint64_t hearth_cache_lost_return(void)
{
    return cache.code;
}

bool hearth_cache_holds(uint64_t address)
{
    return address - cache.code < CODE_SIZE;
}

static bool within(uint64_t address, const void *start, size_t size)
{
    return address - (uint64_t)start < size;
}

bool hearth_cache_owns(uint64_t address)
{
    return hearth_cache_holds(address) || within(address, cache.alias, CODE_SIZE) ||
           within(address, cache.records, RECORDS_SIZE) ||
           within(address, cache.sites, SITES_MAX * sizeof(HearthSite)) ||
           within(address, cache.exits, EXITS_MAX * sizeof(HearthExit)) ||
           within(address, cache.buckets, BUCKETS * sizeof *cache.buckets) ||
           within(address, cache.sorted, EXITS_MAX * sizeof(HearthFragment *));
}

uint8_t *hearth_cache_alias(uint64_t address)
{
    return cache.alias + (address - cache.code);
}

/* --- Look-ups ---------------------------------------------------------------------------------- */

HearthSite *hearth_cache_site(uint32_t number)
{
    return &cache.sites[number];
}

HearthExit *hearth_cache_exit(uint32_t number)
{
    return &cache.exits[number];
}

static uint32_t bucket_of(uint64_t app, HearthView view)
{
    return (uint32_t)((app ^ app >> 7 ^ app >> 16) * HEARTH_VIEWS + view) % BUCKETS;
}

HearthFragment *hearth_cache_find(uint64_t app, HearthView view)
{
    HearthFragment *fragment =
        atomic_load_explicit(&cache.buckets[bucket_of(app, view)], memory_order_acquire);
    while (fragment && (fragment->app != app || fragment->view != view))
        fragment = fragment->next;
    return fragment;
}

static HearthFragment *find_or_translate(uint64_t app, HearthView view)
{
    hearth_cache_lock();
    HearthFragment *fragment = hearth_cache_find(app, view);
    if (!fragment)
        fragment = hearth_translate(app, view);
    hearth_cache_unlock();
    return fragment;
}

HearthFragment *hearth_cache_prepare(uint64_t app)
{
    return find_or_translate(app, HEARTH_VIEW_PLAIN);
}

HearthFragment *hearth_cache_translate(uint64_t app, HearthView view, bool *ret_new)
{
    uint32_t before = atomic_load(&cache.count);
    HearthFragment *fragment = find_or_translate(app, view);
    *ret_new = fragment && atomic_load(&cache.count) != before;
    return fragment;
}

/* The last fragment that begins at or before `address`. */
static HearthFragment *fragment_at(uint64_t address)
{
    uint32_t low = 0, high = atomic_load(&cache.count);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cache.sorted[middle]->branch_entry <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || address >= cache.sorted[low - 1]->branch_entry + cache.sorted[low - 1]->size)
        return NULL;
    return cache.sorted[low - 1];
}

/* Bounced accesses stand between fragments: the site whose bounce it is. */
static uint64_t bounce_pc(uint64_t address)
{
    for (uint32_t i = 0; i < cache.site_count; i++)
        if (cache.sites[i].bounce && address - cache.sites[i].bounce < BOUNCE_ROOM)
            return cache.sites[i].insn.pc;
    return 0;
}

uint64_t hearth_cache_pc(uint64_t address)
{
    const HearthFragment *fragment = fragment_at(address);
    uint32_t place = 0;
    if (!fragment)
        return bounce_pc(address);
    uint64_t offset = address - fragment->branch_entry;
    while (place + 1 < fragment->place_count && fragment->places[place + 1].code <= offset)
        place++;
    return fragment->lowest + fragment->places[place].pc;
}

/* --- Growth ------------------------------------------------------------------------------------ */

uint64_t hearth_cache_place(size_t *ret_room)
{
    size_t used = (atomic_load(&cache.used) + 15) & ~(size_t)15;
    *ret_room = CODE_SIZE - used;
    return cache.code + used;
}

uint64_t hearth_cache_place_like(uint64_t address, size_t *ret_room)
{
    while ((hearth_cache_place(ret_room) ^ address) & 63 && *ret_room >= 64)
        atomic_fetch_add(&cache.used, 16);
    return hearth_cache_place(ret_room);
}

uint32_t hearth_cache_next_site(void)
{
    return cache.site_count;
}

uint32_t hearth_cache_next_exit(void)
{
    return cache.exit_count;
}

static void *keep(const void *data, size_t size)
{
    size_t at = (cache.records_used + 15) & ~(size_t)15;
    if (at + size > RECORDS_SIZE)
        return NULL;
    cache.records_used = at + size;
    return size ? memcpy(cache.records + at, data, size) : cache.records + at;
}

static bool has_room(const HearthDraft *draft, size_t room)
{
    const HearthFragment *fragment = &draft->fragment;
    size_t records = fragment->place_count * sizeof(HearthPlace) +
                     fragment->relocation_count * sizeof(HearthRelocation) +
                     fragment->fold_count * sizeof(HearthFold) + sizeof *fragment + 4 * 16;
    return fragment->size <= room && cache.records_used + records <= RECORDS_SIZE &&
           cache.site_count + fragment->site_count <= SITES_MAX &&
           cache.exit_count + fragment->exit_count <= EXITS_MAX;
}

HearthFragment *hearth_cache_publish(const HearthDraft *draft)
{
    size_t room;
    uint64_t at = hearth_cache_place(&room);
    if (!has_room(draft, room)) {
        atomic_store(&cache.full, true);
        return NULL;
    }
    HearthFragment *fragment = keep(&draft->fragment, sizeof *fragment);
    fragment->places = keep(fragment->places, fragment->place_count * sizeof(HearthPlace));
    fragment->relocations =
        keep(fragment->relocations, fragment->relocation_count * sizeof(HearthRelocation));
    fragment->folds = keep(fragment->folds, fragment->fold_count * sizeof(HearthFold));
    fragment->branch_entry = at;
    fragment->code = at + draft->entry;
    fragment->first_site = cache.site_count;
    fragment->first_exit = cache.exit_count;
    memcpy(&cache.sites[cache.site_count], draft->sites, fragment->site_count * sizeof(HearthSite));
    memcpy(&cache.exits[cache.exit_count], draft->exits, fragment->exit_count * sizeof(HearthExit));
    cache.site_count += fragment->site_count;
    cache.exit_count += fragment->exit_count;
    memcpy(hearth_cache_alias(at), draft->code, fragment->size);
    atomic_store(&cache.used, at - cache.code + fragment->size);
    cache.sorted[cache.count] = fragment;
    atomic_fetch_add(&cache.count, 1);
    _Atomic(HearthFragment *) *bucket = &cache.buckets[bucket_of(fragment->app, fragment->view)];
    fragment->next = atomic_load(bucket);
    atomic_store_explicit(bucket, fragment, memory_order_release);
    return fragment;
}

/* The four bytes lie in one cache line (hearth_emit_align): others see the old target or the new. */
void hearth_cache_link(const HearthExit *exit, uint64_t code)
{
    int32_t distance = (int32_t)(code - (exit->patch + 4));
    __atomic_store_n((int32_t *)hearth_cache_alias(exit->patch), distance, __ATOMIC_RELAXED);
}

uint64_t hearth_cache_bounce(HearthSite *site)
{
    static HEARTH_STATE HearthEmitter emitter;
    uint8_t bytes[16];
    size_t room;
    hearth_cache_lock();
    unsigned length = hearth_insn_rebase(&site->insn, site->scratch, bytes);
    emitter.address = hearth_cache_place(&room);
    if (!site->bounce && length && room >= BOUNCE_ROOM) {
        static const uint8_t GO[] = {0x65, 0xFF, 0x24, 0x25}; /* jmp gs:[.] */
        emitter.used = 0;
        hearth_emit_spill(&emitter, site->scratch, HEARTH_AT(spill[5]));
        hearth_emit_unspill(&emitter, site->scratch, HEARTH_AT(bounce));
        hearth_emit_bytes(&emitter, bytes, length);
        hearth_emit_unspill(&emitter, site->scratch, HEARTH_AT(spill[5]));
        hearth_emit_bytes(&emitter, GO, sizeof GO);
        hearth_emit_word(&emitter, (uint32_t)HEARTH_AT(bounced));
        memcpy(hearth_cache_alias(emitter.address), emitter.code, emitter.used);
        atomic_store(&cache.used, emitter.address - cache.code + BOUNCE_ROOM);
        __atomic_store_n(&site->bounce, emitter.address, __ATOMIC_RELEASE);
    }
    hearth_cache_unlock();
    return site->bounce;
}

/* --- Flushing ---------------------------------------------------------------------------------- */

void hearth_cache_reset(void)
{
    hearth_cache_lock();
    memset(cache.buckets, 0, BUCKETS * sizeof *cache.buckets);
    cache.records_used = 0;
    cache.site_count = cache.exit_count = 0;
    atomic_store(&cache.count, 0);
    write_lost_return();
    atomic_store(&cache.full, false);
    atomic_fetch_add(&cache.epoch, 1);
    hearth_cache_unlock();
}

bool hearth_cache_is_full(void)
{
    return atomic_load(&cache.full);
}

uint64_t hearth_cache_epoch(void)
{
    return atomic_load(&cache.epoch);
}

void hearth_cache_usage(size_t *ret_bytes, size_t *ret_fragments)
{
    *ret_bytes = atomic_load(&cache.used);
    *ret_fragments = atomic_load(&cache.count);
}

void hearth_cache_each(void (*visit)(const HearthFragment *fragment, void *data), void *data)
{
    hearth_cache_lock();
    for (uint32_t i = 0; i < cache.count; i++)
        visit(cache.sorted[i], data);
    hearth_cache_unlock();
}
