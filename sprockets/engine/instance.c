#include "sprockets/engine/instance-private.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* The data of one copy of an object, as it was when the instance was made. */
struct HearthEngineInstance {
    HearthMapping data; /* in the object */
    void *image;        /* what stands there between calls */
};

typedef struct {
    uint64_t address;   /* looked for */
    HearthMapping data; /* found; 0: not yet */
} Search;

static void add_segment(const struct dl_phdr_info *info, const ElfW(Phdr) * header, Search *search)
{
    uint64_t start = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_LOAD && header->p_flags & PF_W)
        search->data = (HearthMapping){start, start + header->p_memsz};
    /* What the loader made constant ends at a page. */
    if (header->p_type == PT_GNU_RELRO && search->data.start == start)
        search->data.start = (start + header->p_memsz) & ~(uint64_t)(HEARTH_PAGE - 1);
}

static int find_object(struct dl_phdr_info *info, size_t size, void *data)
{
    Search *search = data;
    bool inside = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + header->p_vaddr;
        inside = inside || (header->p_type == PT_LOAD && search->address - start < header->p_memsz);
    }
    for (int i = 0; inside && i < info->dlpi_phnum; i++)
        add_segment(info, &info->dlpi_phdr[i], search);
    return inside;
}

HearthEngineInstance *hearth_engine_instance_new(const void *address)
{
    Search search = {.address = (uint64_t)address};
    if (!dl_iterate_phdr(find_object, &search)) {
        errno = ENOENT;
        return NULL;
    }
    HearthEngineInstance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return NULL;
    instance->data = search.data;
    if (search.data.start >= search.data.end)
        instance->data = (HearthMapping){0};
    size_t bytes = instance->data.end - instance->data.start;
    instance->image = malloc(bytes + 1);
    if (!instance->image) {
        free(instance);
        return NULL;
    }
    memcpy(instance->image, (void *)instance->data.start, bytes);
    return instance;
}

void hearth_engine_instance_free(HearthEngineInstance *instance)
{
    if (!instance)
        return;
    free(instance->image);
    free(instance);
}

size_t hearth_engine_instance_size(const HearthEngineInstance *instance)
{
    return instance->data.end - instance->data.start;
}

static void restore(const HearthEngineInstance *instance)
{
    memcpy((void *)instance->data.start, instance->image,
           instance->data.end - instance->data.start);
}

void hearth_instance_begin(HearthSlot *slot)
{
    const HearthEngineInstance *instance = slot->call->instance;
    slot->instance = instance ? instance->data : (HearthMapping){0};
    if (instance)
        restore(instance);
}

void hearth_instance_end(HearthSlot *slot)
{
    const HearthEngineInstance *instance = slot->call->instance;
    if (instance)
        restore(instance);
    slot->instance = (HearthMapping){0};
}
