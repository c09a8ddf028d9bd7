#include "sprockets/engine/thread-private.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>

#include "sprockets/engine/region-private.h"

#define CONTROL_BLOCK 2304     /* bytes of glibc's struct pthread, if libc does not say */
#define CONTROL_BLOCK_MAX 4096 /* bytes */
#define TID_AT 0x2D0           /* offset of the thread's id in it */
#define RSEQ_IDENTITY 20       /* bytes of the registered area that say where the thread runs */
#define ALIGNMENT 64           /* bytes, of each module's block */

/* One entry of glibc's table of modules. */
typedef struct {
    uint64_t value, to_free;
} ModuleEntry;

/* What __tls_get_addr takes. */
typedef struct {
    unsigned long module, offset;
} ModuleIndex;

extern void *__tls_get_addr(ModuleIndex *index);

static uint64_t control_block_size(void)
{
    const uint32_t *size = dlsym(RTLD_DEFAULT, "_thread_db_sizeof_pthread");
    return size && *size <= CONTROL_BLOCK_MAX ? *size : CONTROL_BLOCK;
}

/*
 * Storage that the loader makes at its first use is made now, by the host: a call that did so would store to the
 * loader's books.
 */
static int measure_module(struct dl_phdr_info *info, size_t info_size, void *data)
{
    HearthSlot *slot = data;
    HearthThread *thread = &slot->storage;
    uint64_t size = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS)
            size = info->dlpi_phdr[i].p_memsz;
    if (info->dlpi_tls_modid == 0 || size == 0)
        return 0;
    ModuleIndex index = {info->dlpi_tls_modid, 0};
    uint64_t block = (uint64_t)__tls_get_addr(&index), below = slot->host_thread - block;
    if (below <= HEARTH_SLOT_THREAD_BELOW / 2) {
        thread->below = below > thread->below ? below : thread->below;
    } else if (thread->module_count < HEARTH_THREAD_MODULES) {
        thread->dynamic += (size + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
        thread->modules[thread->module_count++] =
            (HearthThreadModule){.number = info->dlpi_tls_modid, .size = size, .block = block};
    }
    return 0;
}

bool hearth_thread_measure(HearthSlot *slot)
{
    HearthThread *thread = &slot->storage;
    uint64_t loads = hearth_region_loads(), gs = slot->context->gs;
    if (thread->loads == loads && thread->low)
        return true;
    *thread = (HearthThread){.below = ALIGNMENT, .above = control_block_size(), .loads = loads};
    dl_iterate_phdr(measure_module, slot);
    thread->below = (thread->below + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
    /* What does not fit stays the host's: foreign memory. */
    if (thread->below + thread->dynamic > HEARTH_SLOT_THREAD_BELOW - HEARTH_PAGE)
        thread->module_count = thread->dynamic = 0;
    thread->low = (gs - thread->below - thread->dynamic) & ~(uint64_t)(HEARTH_PAGE - 1);
    void *region = (void *)hearth_slot_at(slot, HEARTH_SLOT_THREAD);
    if (mprotect(region, HEARTH_SLOT_THREAD_BELOW, PROT_NONE) < 0)
        return false;
    return mprotect((void *)thread->low, gs + HEARTH_SLOT_THREAD_ABOVE - thread->low,
                    PROT_READ | PROT_WRITE) == 0;
}

/* Blocks that do not lie beside the control block: below the copies of those that do. */
static void copy_dynamic(HearthSlot *slot, ModuleEntry *table, uint64_t count)
{
    const HearthThread *thread = &slot->storage;
    uint64_t at = slot->context->gs - thread->below - thread->dynamic;
    for (uint32_t i = 0; i < thread->module_count; i++) {
        const HearthThreadModule *module = &thread->modules[i];
        ModuleEntry *entry = &table[module->number + 1];
        if (module->number + 1 < count && entry->value == module->block) {
            memcpy((void *)at, (void *)module->block, module->size);
            entry->value = at;
        }
        at += (module->size + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
    }
}

/* The entry before the table's address says how long it is. */
static void copy_table(HearthSlot *slot, uint64_t *block)
{
    const ModuleEntry *from = (const ModuleEntry *)block[1] - 1;
    uint64_t count = from->value + 2, gs = slot->context->gs, host = slot->host_thread;
    uint64_t start = (gs + slot->storage.above + 31) & ~15ull;
    ModuleEntry *to = (ModuleEntry *)start;
    if (start + count * sizeof *to > gs + HEARTH_SLOT_THREAD_ABOVE)
        return;                                    /* the host's own is used: foreign memory */
    ((uint64_t *)to)[-1] = count * sizeof *to + 8; /* as if malloc had made it */
    memcpy(to, from, count * sizeof *to);
    for (uint64_t i = 2; i < count; i++)
        if (host - to[i].value <= slot->storage.below)
            to[i].value = to[i].value - host + gs;
    copy_dynamic(slot, to, count);
    block[1] = (uint64_t)(to + 1);
}

void hearth_thread_copy(HearthSlot *slot)
{
    const HearthThread *thread = &slot->storage;
    uint64_t gs = slot->context->gs, *block = (uint64_t *)gs;
    memset((void *)thread->low, 0, gs + HEARTH_SLOT_THREAD_ABOVE - thread->low);
    memcpy((void *)(gs - thread->below), (void *)(slot->host_thread - thread->below),
           thread->below + thread->above);
    block[0] = block[2] = gs;
    copy_table(slot, block);
    int *tid = (int *)(gs + TID_AT);
    if (*tid == slot->thread)
        *tid = 1;
    if (__rseq_size > 0)
        memset((void *)(gs + (uint64_t)__rseq_offset), 0, RSEQ_IDENTITY);
}

uint64_t hearth_thread_address(const HearthSlot *slot, const void *variable)
{
    return (uint64_t)variable - slot->host_thread + slot->context->gs;
}
