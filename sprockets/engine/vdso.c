#include "sprockets/engine/vdso-private.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

typedef struct {
    uint64_t bias; /* from addresses in the object to those in the process */
    const Elf64_Sym *symbols;
    const char *strings;
    const uint32_t *hash;     /* DT_HASH: buckets, symbols, ... */
    const uint32_t *gnu_hash; /* DT_GNU_HASH */
} Object;

static void read_dynamic(const Elf64_Dyn *entry, Object *object)
{
    for (; entry->d_tag != DT_NULL; entry++) {
        const void *place = (const void *)(object->bias + entry->d_un.d_ptr);
        switch (entry->d_tag) {
        case DT_SYMTAB:
            object->symbols = place;
            break;
        case DT_STRTAB:
            object->strings = place;
            break;
        case DT_HASH:
            object->hash = place;
            break;
        case DT_GNU_HASH:
            object->gnu_hash = place;
            break;
        }
    }
}

/* The table of symbols does not say how long it is; the hash tables do. */
static uint32_t count_symbols(const Object *object)
{
    if (object->hash)
        return object->hash[1];
    if (!object->gnu_hash)
        return 0;
    const uint32_t *table = object->gnu_hash;
    uint32_t buckets = table[0], first = table[1], words = table[2], last = 0;
    const uint32_t *bucket = table + 4 + (uint64_t)words * 2, *chain = bucket + buckets;
    for (uint32_t i = 0; i < buckets; i++)
        if (bucket[i] > last)
            last = bucket[i];
    if (last < first)
        return first;
    while (!(chain[last - first] & 1))
        last++;
    return last + 1;
}

uint64_t hearth_vdso_find(const char *name)
{
    const char *start = (const char *)getauxval(AT_SYSINFO_EHDR);
    const Elf64_Dyn *dynamic = NULL;
    Object object = {0};
    if (!start)
        return 0;
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)start;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(start + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
            object.bias = (uint64_t)start - segments[i].p_vaddr;
        else if (segments[i].p_type == PT_DYNAMIC)
            dynamic = (const Elf64_Dyn *)(start + segments[i].p_offset);
    }
    if (!dynamic)
        return 0;
    read_dynamic(dynamic, &object);
    if (!object.symbols || !object.strings)
        return 0;
    uint32_t count = count_symbols(&object);
    for (uint32_t i = 0; i < count; i++) {
        const Elf64_Sym *symbol = &object.symbols[i];
        if (symbol->st_shndx != SHN_UNDEF && strcmp(object.strings + symbol->st_name, name) == 0)
            return object.bias + symbol->st_value;
    }
    return 0;
}
