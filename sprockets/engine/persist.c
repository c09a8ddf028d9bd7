#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/engine.h"
#include "sprockets/engine/module-private.h"
#include "sprockets/engine/overlay-private.h"

/*
 * Translations in a file.
 *
 *     head      magic, version, processor, sizes, hash of all that follows
 *     modules   build ids
 *     fragments one after the other, each with its code, tables, sites and exits
 *
 * Every address of the process is written as a module and an offset in it. Validating views are not kept. The file is of
 * the engine's own making and lies where the daemon keeps its keys: it is checked for damage, not for malice.
 */

#define MAGIC 0x3130636F72706553ull
#define VERSION 2u

typedef struct {
    uint64_t magic;
    uint32_t version;
    uint32_t processor; /* hash of the features that code may depend on */
    uint8_t engine[HEARTH_BUILD_ID];
    uint32_t module_count;
    uint32_t fragment_count;
    uint64_t size; /* bytes that follow */
    uint64_t hash; /* of them */
} Head;

typedef struct {
    uint32_t module;
    uint32_t zero;
    uint64_t offset;
} Address;

/* --- Both ways --------------------------------------------------------------------------------- */

/* Values are written and read by the same functions, so that one order serves both. */
typedef struct {
    uint8_t *bytes;
    uint64_t used,
        size; /* size: when reading, what there is; when writing, what there is room for */
    bool writing;
    bool failed; /* this fragment is left out */
    bool full;   /* more to write than there is room for */
    const HearthModules
        *modules; /* writing: of this process; reading: of the file, as far as they are loaded */
} Stream;

static void value(Stream *stream, void *data, uint64_t size)
{
    if (stream->failed || size > stream->size - stream->used) {
        stream->full = stream->full || !stream->failed;
        stream->failed = true;
        return;
    }
    if (stream->writing)
        memcpy(stream->bytes + stream->used, data, size);
    else
        memcpy(data, stream->bytes + stream->used, size);
    stream->used += size;
}

static void address(Stream *stream, uint64_t *data)
{
    Address known = {HEARTH_NO_MODULE, 0, *data};
    if (stream->writing && *data) {
        known.module = hearth_modules_find(stream->modules, *data);
        stream->failed = stream->failed || known.module == HEARTH_NO_MODULE;
        if (!stream->failed)
            known.offset = *data - stream->modules->modules[known.module].base;
    }
    value(stream, &known, sizeof known);
    if (stream->writing || stream->failed)
        return;
    bool found =
        known.module < stream->modules->count && stream->modules->modules[known.module].end != 0;
    if (known.module == HEARTH_NO_MODULE && known.offset == 0)
        *data = 0;
    else if (found)
        *data = stream->modules->modules[known.module].base + known.offset;
    else
        stream->failed = true;
}

static void whole_insn(Stream *stream, HearthInsn *insn)
{
    uint64_t disp = (uint64_t)insn->memory.disp;
    value(stream, insn, sizeof *insn);
    address(stream, &insn->pc);
    address(stream, &insn->target);
    if (insn->has_memory && insn->memory.base == HEARTH_RIP) {
        address(stream, &disp);
        insn->memory.disp = (int64_t)disp;
    }
}

/* Addresses of the cache count from the fragment's first byte. */
static void from_start(Stream *stream, uint64_t *data, uint64_t start)
{
    uint64_t offset = *data && stream->writing ? *data - start + 1 : 0;
    value(stream, &offset, sizeof offset);
    if (!stream->writing)
        *data = offset ? start + offset - 1 : 0;
}

static void whole_site(Stream *stream, HearthSite *site, uint64_t start)
{
    whole_insn(stream, &site->insn);
    address(stream, &site->next);
    address(stream, &site->special);
    from_start(stream, &site->resume, start);
    from_start(stream, &site->native, start);
    value(stream, &site->view, sizeof site->view);
    value(stream, &site->scratch, sizeof site->scratch);
    value(stream, &site->leaves, sizeof site->leaves);
    site->bounce = site->leave = 0;
}

static void whole_exit(Stream *stream, HearthExit *exit, uint64_t start)
{
    address(stream, &exit->target);
    from_start(stream, &exit->patch, start);
    value(stream, &exit->view, sizeof exit->view);
}

static bool is_address(const HearthRelocation *relocation)
{
    return relocation->kind == HEARTH_RELOCATION_RELATIVE ||
           relocation->kind == HEARTH_RELOCATION_WHOLE ||
           relocation->kind == HEARTH_RELOCATION_LOW || relocation->kind == HEARTH_RELOCATION_HIGH;
}

static void whole_relocation(Stream *stream, HearthRelocation *relocation)
{
    value(stream, relocation, sizeof *relocation);
    if (is_address(relocation))
        address(stream, &relocation->value);
}

/* --- Writing ----------------------------------------------------------------------------------- */

static void write_tables(Stream *stream, const HearthFragment *fragment)
{
    for (uint32_t i = 0; i < fragment->place_count; i++) {
        HearthPlace place = fragment->places[i];
        value(stream, &place, sizeof place);
    }
    for (uint32_t i = 0; i < fragment->relocation_count; i++) {
        HearthRelocation relocation = fragment->relocations[i];
        whole_relocation(stream, &relocation);
    }
    for (uint32_t i = 0; i < fragment->fold_count; i++) {
        HearthFold fold = fragment->folds[i];
        address(stream, &fold.slot);
        address(stream, &fold.value);
    }
    for (uint32_t i = 0; i < fragment->site_count; i++) {
        HearthSite site = *hearth_cache_site(fragment->first_site + i);
        whole_site(stream, &site, fragment->branch_entry);
    }
    for (uint32_t i = 0; i < fragment->exit_count; i++) {
        HearthExit exit = *hearth_cache_exit(fragment->first_exit + i);
        whole_exit(stream, &exit, fragment->branch_entry);
    }
}

typedef struct {
    Stream stream;
    uint32_t count;
} Writer;

static void write_fragment(const HearthFragment *fragment, void *data)
{
    Writer *writer = data;
    Stream *stream = &writer->stream;
    HearthFragment copy = *fragment;
    uint64_t start = stream->used, length = 0;
    uint32_t entry = (uint32_t)(fragment->code - fragment->branch_entry);
    if (fragment->view == HEARTH_VIEW_VALIDATING)
        return;
    value(stream, &length, sizeof length);
    value(stream, &copy, sizeof copy);
    value(stream, &entry, sizeof entry);
    address(stream, &copy.app);
    address(stream, &copy.lowest);
    value(stream, hearth_cache_alias(fragment->branch_entry), fragment->size);
    write_tables(stream, fragment);
    if (stream->failed) {
        /* Of no object that could be known again. */
        stream->failed = false;
        stream->used = start;
        return;
    }
    length = stream->used - start - sizeof length;
    memcpy(stream->bytes + start, &length, sizeof length);
    writer->count++;
}

static uint64_t hash_of(const uint8_t *bytes, uint64_t size)
{
    uint64_t hash = 0xCBF29CE484222325ull, word;
    for (; size >= 8; bytes += 8, size -= 8) {
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0x100000001B3ull;
        hash ^= hash >> 29;
    }
    for (; size > 0; bytes++, size--)
        hash = (hash ^ *bytes) * 0x100000001B3ull;
    return hash;
}

/* libc chooses its functions by these, and so does other code. */
static uint32_t processor_features(void)
{
    static const unsigned LEAVES[] = {1, 7, 0xD, 0x80000001};
    uint32_t parts[4 * 4] = {0};
    for (unsigned i = 0; i < sizeof LEAVES / sizeof *LEAVES; i++)
        __get_cpuid_count(LEAVES[i], 0, &parts[4 * i], &parts[4 * i + 1], &parts[4 * i + 2],
                          &parts[4 * i + 3]);
    parts[1] = 0; /* which processor of the machine this is */
    return (uint32_t)hash_of((const uint8_t *)parts, sizeof parts);
}

static void fill_head(Head *head, const HearthModules *modules)
{
    *head = (Head){.magic = MAGIC, .version = VERSION, .processor = processor_features()};
    /* Of this very build: offsets and gates are compiled into translations. */
    uint32_t engine = hearth_modules_find(modules, (uint64_t)fill_head);
    if (engine != HEARTH_NO_MODULE)
        memcpy(head->engine, modules->modules[engine].build_id, HEARTH_BUILD_ID);
}

static bool write_file(const char *path, const Head *head, const uint8_t *bytes)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool done = write(file, head, sizeof *head) == sizeof *head;
    for (uint64_t at = 0; done && at < head->size;) {
        ssize_t part = write(file, bytes + at, head->size - at);
        done = part > 0;
        at += done ? (uint64_t)part : 0;
    }
    done = done && fsync(file) == 0;
    int failure = errno;
    done = close(file) == 0 && done && rename(temporary, path) == 0;
    if (!done) {
        unlink(temporary);
        errno = failure ? failure : EIO;
    }
    return done;
}

bool hearth_engine_save(const char *path)
{
    static const uint64_t ROOM = (uint64_t)256 << 20;
    Head head;
    HearthModules *modules = malloc(sizeof *modules);
    Writer writer = {.stream = {.size = ROOM, .writing = true, .modules = modules}};
    writer.stream.bytes = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool done = modules && writer.stream.bytes != MAP_FAILED;
    if (done) {
        hearth_modules_read(modules);
        fill_head(&head, modules);
        for (uint32_t i = 0; i < modules->count; i++)
            value(&writer.stream, modules->modules[i].build_id, HEARTH_BUILD_ID);
        hearth_cache_each(write_fragment, &writer);
        head.module_count = modules->count;
        head.fragment_count = writer.count;
        head.size = writer.stream.used;
        head.hash = hash_of(writer.stream.bytes, head.size);
        errno = ENOSPC;
        done = !writer.stream.full && write_file(path, &head, writer.stream.bytes);
    }
    if (writer.stream.bytes != MAP_FAILED)
        munmap(writer.stream.bytes, ROOM);
    free(modules);
    return done;
}

/* --- Reading ----------------------------------------------------------------------------------- */

#define TABLE_MAX 4096

/* One fragment as it stands in the file; large, so one for all, under the lock of the cache. */
typedef struct {
    HearthFragment fragment;
    uint32_t entry;
    uint8_t code[65536];
    HearthPlace places[TABLE_MAX];
    HearthRelocation relocations[TABLE_MAX];
    HearthFold folds[TABLE_MAX];
    HearthSite sites[TABLE_MAX];
    HearthExit exits[TABLE_MAX];
} Incoming;

/* The fixed part: how long the tables are, and where in a cache line the code began. */
static bool read_fragment(Stream *stream, Incoming *incoming)
{
    const HearthFragment *fragment = &incoming->fragment;
    value(stream, &incoming->fragment, sizeof incoming->fragment);
    value(stream, &incoming->entry, sizeof incoming->entry);
    return !stream->failed && fragment->size <= sizeof incoming->code &&
           fragment->place_count <= TABLE_MAX && fragment->relocation_count <= TABLE_MAX &&
           fragment->fold_count <= TABLE_MAX && fragment->site_count <= TABLE_MAX &&
           fragment->exit_count <= TABLE_MAX && incoming->entry <= fragment->size;
}

static bool holds(const HearthFold *fold)
{
    uint64_t value64;
    return hearth_copy_safely(&value64, (const void *)fold->slot, sizeof value64) ==
               sizeof value64 &&
           value64 == fold->value;
}

/* False also if it belongs to an object that is not loaded, or a slot taken as constant holds something else. */
static bool read_rest(Stream *stream, Incoming *incoming, uint64_t start)
{
    HearthFragment *fragment = &incoming->fragment;
    address(stream, &fragment->app);
    address(stream, &fragment->lowest);
    value(stream, incoming->code, fragment->size);
    for (uint32_t i = 0; i < fragment->place_count; i++)
        value(stream, &incoming->places[i], sizeof(HearthPlace));
    for (uint32_t i = 0; i < fragment->relocation_count; i++)
        whole_relocation(stream, &incoming->relocations[i]);
    for (uint32_t i = 0; i < fragment->fold_count; i++) {
        address(stream, &incoming->folds[i].slot);
        address(stream, &incoming->folds[i].value);
    }
    for (uint32_t i = 0; i < fragment->site_count; i++)
        whole_site(stream, &incoming->sites[i], start);
    for (uint32_t i = 0; i < fragment->exit_count; i++)
        whole_exit(stream, &incoming->exits[i], start);
    bool good = !stream->failed;
    for (uint32_t i = 0; good && i < fragment->fold_count; i++)
        good = holds(&incoming->folds[i]);
    return good;
}

static bool relocate(Incoming *incoming, const HearthRelocation *relocation, uint64_t start)
{
    uint8_t *field = incoming->code + relocation->at;
    uint64_t value64 = relocation->value;
    int64_t distance = 0;
    uint32_t word = (uint32_t)value64;
    switch ((HearthRelocationKind)relocation->kind) {
    case HEARTH_RELOCATION_WHOLE:
        memcpy(field, &value64, 8);
        return true;
    case HEARTH_RELOCATION_RELATIVE:
        distance = (int64_t)(value64 - (start + relocation->at + 4 + relocation->trail));
        word = (uint32_t)distance;
        break;
    case HEARTH_RELOCATION_LOW:
        break;
    case HEARTH_RELOCATION_HIGH:
        word = (uint32_t)(value64 >> 32);
        break;
    case HEARTH_RELOCATION_SITE:
        word += hearth_cache_next_site();
        break;
    case HEARTH_RELOCATION_EXIT:
        word += hearth_cache_next_exit();
        break;
    case HEARTH_RELOCATION_PATCH:
        /* It may have been linked: back to its stub. */
        field = incoming->code + value64;
        word = (uint32_t)(relocation->at - (value64 + 4));
        break;
    }
    memcpy(field, &word, 4);
    return distance == (int32_t)distance;
}

static bool take_fragment(Incoming *incoming, uint64_t start)
{
    HearthFragment *fragment = &incoming->fragment;
    if (hearth_cache_find(fragment->app, fragment->view))
        return false;
    for (uint32_t i = 0; i < fragment->relocation_count; i++) {
        const HearthRelocation *relocation = &incoming->relocations[i];
        if (relocation->at > fragment->size ||
            (relocation->kind == HEARTH_RELOCATION_PATCH && relocation->value + 4 > fragment->size))
            return false;
        if (!relocate(incoming, relocation, start))
            return false;
    }
    HearthDraft draft = {.fragment = *fragment,
                         .code = incoming->code,
                         .entry = incoming->entry,
                         .sites = incoming->sites,
                         .exits = incoming->exits};
    draft.fragment.places = incoming->places;
    draft.fragment.relocations = incoming->relocations;
    draft.fragment.folds = incoming->folds;
    return hearth_cache_publish(&draft) != NULL;
}

static bool take_next(Stream *stream, Incoming *incoming)
{
    uint64_t length = 0;
    size_t room;
    value(stream, &length, sizeof length);
    if (stream->failed || length > stream->size - stream->used) {
        stream->failed = true;
        return false;
    }
    Stream one = {
        .bytes = stream->bytes + stream->used, .size = length, .modules = stream->modules};
    stream->used += length;
    if (!read_fragment(&one, incoming))
        return false;
    /* Fields that are patched keep their place in a cache line. */
    uint64_t start = hearth_cache_place_like(incoming->fragment.branch_entry, &room);
    return read_rest(&one, incoming, start) && take_fragment(incoming, start);
}

static long read_fragments(Stream *stream, uint32_t count)
{
    long taken = 0;
    Incoming *incoming = mmap(NULL, sizeof *incoming, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (incoming == MAP_FAILED)
        return -1;
    hearth_cache_lock();
    for (uint32_t i = 0; i < count && !stream->failed; i++)
        taken += take_next(stream, incoming);
    hearth_cache_unlock();
    munmap(incoming, sizeof *incoming);
    return taken;
}

/* The modules of the file where this process has them; of others there is only a gap. */
static bool read_modules(Stream *stream, uint32_t count, HearthModules *ret_modules)
{
    HearthModules *loaded = malloc(sizeof *loaded);
    if (!loaded || count > HEARTH_MODULES_MAX) {
        free(loaded);
        return false;
    }
    hearth_modules_read(loaded);
    ret_modules->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t build_id[HEARTH_BUILD_ID] = {0};
        value(stream, build_id, sizeof build_id);
        uint32_t found = hearth_modules_match(loaded, build_id);
        ret_modules->modules[i] =
            found == HEARTH_NO_MODULE ? (HearthModule){0} : loaded->modules[found];
    }
    free(loaded);
    return !stream->failed;
}

/* Another version, another processor, damage: as if there were no file. */
static bool fits(const Head *head, uint64_t size, const uint8_t *bytes)
{
    Head own;
    HearthModules *modules = malloc(sizeof *modules);
    if (!modules)
        return false;
    hearth_modules_read(modules);
    fill_head(&own, modules);
    free(modules);
    return head->magic == own.magic && head->version == own.version &&
           head->processor == own.processor && head->size == size &&
           memcmp(head->engine, own.engine, sizeof own.engine) == 0 &&
           head->hash == hash_of(bytes, size);
}

/* Nobody else may have written to it. */
static uint8_t *map_file(const char *path, uint64_t *ret_size)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return NULL;
    void *bytes = MAP_FAILED;
    errno = EPERM;
    bool ours = fstat(file, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_uid == geteuid() &&
                !(stat.st_mode & (S_IWGRP | S_IWOTH));
    if (ours && stat.st_size >= (off_t)sizeof(Head))
        bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    close(file);
    *ret_size = (uint64_t)stat.st_size;
    return bytes == MAP_FAILED ? NULL : bytes;
}

long hearth_engine_load(const char *path)
{
    uint64_t size;
    long taken = -1;
    if (!hearth_engine_init())
        return -1;
    uint8_t *bytes = map_file(path, &size);
    HearthModules *modules = bytes ? malloc(sizeof *modules) : NULL;
    if (modules) {
        const Head *head = (const Head *)bytes;
        Stream stream = {
            .bytes = bytes + sizeof *head, .size = size - sizeof *head, .modules = modules};
        errno = EINVAL;
        if (fits(head, stream.size, stream.bytes) &&
            read_modules(&stream, head->module_count, modules))
            taken = read_fragments(&stream, head->fragment_count);
    }
    free(modules);
    if (bytes)
        munmap(bytes, size);
    return taken;
}
