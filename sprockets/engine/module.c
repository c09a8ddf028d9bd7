#include "sprockets/engine/module-private.h"

#include <elf.h>
#include <link.h>
#include <string.h>

static const uint8_t NONE[HEARTH_BUILD_ID];

static void take_note(HearthModule *module, const uint8_t *at, uint64_t size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        uint64_t name = (note->n_namesz + 3u) & ~3u, text = (note->n_descsz + 3u) & ~3u;
        if (sizeof *note + name + text > size)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(note + 1, "GNU", 4) == 0) {
            uint64_t length = note->n_descsz < HEARTH_BUILD_ID ? note->n_descsz : HEARTH_BUILD_ID;
            memcpy(module->build_id, (const uint8_t *)(note + 1) + name, length);
            return;
        }
        at += sizeof *note + name + text;
        size -= sizeof *note + name + text;
    }
}

static int add_module(struct dl_phdr_info *info, size_t info_size, void *data)
{
    HearthModules *modules = data;
    if (modules->count == HEARTH_MODULES_MAX)
        return 1;
    HearthModule *module = &modules->modules[modules->count++];
    *module = (HearthModule){.base = info->dlpi_addr, .start = UINT64_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_NOTE)
            take_note(module, (const uint8_t *)start, header->p_memsz);
        if (header->p_type != PT_LOAD)
            continue;
        module->start = start < module->start ? start : module->start;
        module->end = start + header->p_memsz > module->end ? start + header->p_memsz : module->end;
    }
    return 0;
}

void hearth_modules_read(HearthModules *modules)
{
    modules->count = 0;
    dl_iterate_phdr(add_module, modules);
}

uint32_t hearth_modules_find(const HearthModules *modules, uint64_t address)
{
    for (uint32_t i = 0; i < modules->count; i++) {
        const HearthModule *module = &modules->modules[i];
        if (address >= module->start && address < module->end &&
            memcmp(module->build_id, NONE, sizeof NONE) != 0)
            return i;
    }
    return HEARTH_NO_MODULE;
}

uint32_t hearth_modules_match(const HearthModules *modules, const uint8_t *build_id)
{
    for (uint32_t i = 0; i < modules->count; i++)
        if (memcmp(modules->modules[i].build_id, build_id, HEARTH_BUILD_ID) == 0)
            return i;
    return HEARTH_NO_MODULE;
}
