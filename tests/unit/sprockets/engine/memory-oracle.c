#include "tests/unit/sprockets/engine/memory-oracle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "sprockets/engine/slot-private.h"

#define PAGE ((uint64_t)4096)
#define WORD ((uint64_t)8)
#define MAPPINGS_MAX 4096
#define PAGES_MAX 131072 /* 512 MiB */
#define IGNORED_MAX 16
#define TEXT_SIZE ((size_t)1 << 20)
#define RSEQ_SIZE 32 /* bytes that the kernel writes */

typedef struct {
    uint64_t start, end;
    bool writable, executable;
    char name[96];
} Mapping;

typedef struct {
    uint64_t address;
    const uint8_t *copy; /* NULL: all zeroes */
} Page;

typedef struct {
    uint64_t start, end;
} Range;

/* All of the oracle's own state, in one mapping of its own. */
typedef struct {
    char text[TEXT_SIZE];
    Mapping before[MAPPINGS_MAX], after[MAPPINGS_MAX];
    size_t before_count, after_count;
    Page pages[PAGES_MAX];
    size_t page_count, copied;
    Range ignored[IGNORED_MAX];
    size_t ignored_count;
    uint8_t copies[PAGES_MAX * PAGE];
} Oracle;

static Oracle *oracle;

/* Without libc, whose errno is among what is watched. */
static long raw(long number, long a, long b, long c)
{
    long result;
    register long r10 __asm__("r10") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static void fail(const char *what)
{
    fprintf(stderr, "memory oracle: %s\n", what);
    abort();
}

static void prepare(void)
{
    if (oracle)
        return;
    oracle = mmap(NULL, sizeof *oracle, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (oracle == MAP_FAILED)
        fail("no memory");
    memory_oracle_ignore(oracle, sizeof *oracle);
    memory_oracle_ignore(&oracle, sizeof(void *));
    memory_oracle_ignore((char *)__builtin_thread_pointer() + __rseq_offset, RSEQ_SIZE);
}

void memory_oracle_ignore(const void *address, size_t size)
{
    prepare();
    if (oracle->ignored_count == IGNORED_MAX)
        fail("too much to ignore");
    oracle->ignored[oracle->ignored_count++] = (Range){
        (uint64_t)address & ~(WORD - 1), ((uint64_t)address + size + WORD - 1) & ~(WORD - 1)};
}

/* --- Mappings ---------------------------------------------------------------------------------- */

static uint64_t hexadecimal(const char **at)
{
    uint64_t value = 0;
    for (;; (*at)++) {
        char c = **at;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return value;
    }
}

static void read_text(void)
{
    long fd = raw(SYS_open, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    size_t used = 0;
    for (long n;
         (n = raw(SYS_read, fd, (long)(oracle->text + used), (long)(TEXT_SIZE - 1 - used))) > 0;)
        used += (size_t)n;
    raw(SYS_close, fd, 0, 0);
    oracle->text[used] = '\0';
    if (used == 0 || used == TEXT_SIZE - 1)
        fail("/proc/self/maps cannot be read");
}

static const char *read_line(const char *at, Mapping *ret_mapping)
{
    ret_mapping->start = hexadecimal(&at);
    at++;
    ret_mapping->end = hexadecimal(&at);
    ret_mapping->writable = at[2] == 'w';
    ret_mapping->executable = at[3] == 'x';
    const char *end = strchr(at, '\n');
    size_t length = (size_t)(end - at) < sizeof ret_mapping->name ? (size_t)(end - at)
                                                                  : sizeof ret_mapping->name - 1;
    memcpy(ret_mapping->name, at, length);
    ret_mapping->name[length] = '\0';
    return end + 1;
}

/* The kernel makes one mapping of what the engine maps beside a mapping of the host. */
static void trim(Mapping *mapping)
{
    while (mapping->start < mapping->end && hearth_engine_owns(mapping->start))
        mapping->start += PAGE;
    while (mapping->start < mapping->end && hearth_engine_owns(mapping->end - WORD))
        mapping->end -= PAGE;
}

static size_t read_mappings(Mapping *mappings, bool keep_all)
{
    size_t count = 0;
    read_text();
    for (const char *at = oracle->text; *at;) {
        if (count == MAPPINGS_MAX)
            fail("too many mappings");
        at = read_line(at, &mappings[count++]);
        if (!keep_all)
            trim(&mappings[count - 1]);
    }
    return count;
}

/* The stack of the main thread grows as it likes; the engine's mappings are its own affair. */
static bool may_change(const Mapping *mapping)
{
    return strstr(mapping->name, "[stack]") || mapping->start == mapping->end ||
           (mapping->start <= (uint64_t)oracle && (uint64_t)oracle < mapping->end);
}

static const Mapping *next_fixed(const Mapping *mapping, const Mapping *end)
{
    while (mapping < end && may_change(mapping))
        mapping++;
    return mapping;
}

static bool compare_mappings(char *ret_difference, size_t size)
{
    const Mapping *before = oracle->before, *after = oracle->after;
    const Mapping *before_end = before + oracle->before_count,
                  *after_end = after + oracle->after_count;
    for (;; before++, after++) {
        before = next_fixed(before, before_end);
        after = next_fixed(after, after_end);
        if (before == before_end && after == after_end)
            return true;
        if (before == before_end || after == after_end || before->start != after->start ||
            before->end != after->end || strcmp(before->name, after->name) != 0)
            break;
    }
    const Mapping none = {.name = " none"};
    const Mapping *old = before < before_end ? before : &none,
                  *new = after < after_end ? after : &none;
    snprintf(ret_difference, size, "mappings differ: %lx-%lx%s, now %lx-%lx%s", old->start,
             old->end, old->name, new->start, new->end, new->name);
    return false;
}

/* --- Pages ------------------------------------------------------------------------------------- */

static bool ignores_word(uint64_t address, uint64_t frame, uint64_t stack_start)
{
    if (address >= stack_start && address < frame)
        return true;
    for (size_t i = 0; i < oracle->ignored_count; i++)
        if (address >= oracle->ignored[i].start && address < oracle->ignored[i].end)
            return true;
    return hearth_engine_owns(address);
}

/* Whole pages are skipped without a look at them: most of the process is ours or the engine's. */
static bool ignores_page(uint64_t address, uint64_t frame, uint64_t stack_start)
{
    if (address >= stack_start && address + PAGE <= frame)
        return true;
    for (size_t i = 0; i < oracle->ignored_count; i++)
        if (address >= oracle->ignored[i].start && address + PAGE <= oracle->ignored[i].end)
            return true;
    return false;
}

static bool is_zero(const uint64_t *words)
{
    for (size_t i = 0; i < PAGE / WORD; i++)
        if (words[i] != 0)
            return false;
    return true;
}

static void take_page(uint64_t address)
{
    Page *page = &oracle->pages[oracle->page_count++];
    uint8_t *copy = oracle->copies + oracle->copied * PAGE;
    page->address = address;
    page->copy = NULL;
    if (is_zero((const uint64_t *)address))
        return;
    memcpy(copy, (const void *)address, PAGE);
    page->copy = copy;
    oracle->copied++;
}

/* A file that was cut short has pages that cannot be read: the misbehaviour's own business. */
static bool is_readable(uint64_t address)
{
    uint64_t word;
    struct {
        void *base;
        uint64_t length;
    } to = {&word, sizeof word}, from = {(void *)address, sizeof word};
    long result, process = raw(SYS_getpid, 0, 0, 0);
    register long r10 __asm__("r10") = (long)&from;
    register long r8 __asm__("r8") = 1;
    register long r9 __asm__("r9") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_process_vm_readv), "D"(process), "S"(&to), "d"(1), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return result == sizeof word;
}

static uint64_t stack_start(const Mapping *mapping, uint64_t frame)
{
    return mapping->start <= frame && frame < mapping->end ? mapping->start : frame;
}

void memory_oracle_take(const void *frame_address)
{
    uint64_t frame = (uint64_t)frame_address;
    prepare();
    oracle->page_count = oracle->copied = 0;
    oracle->before_count = read_mappings(oracle->before, false);
    for (size_t i = 0; i < oracle->before_count; i++) {
        const Mapping *mapping = &oracle->before[i];
        if (!mapping->writable || !is_readable(mapping->start))
            continue;
        uint64_t stack = stack_start(mapping, frame);
        for (uint64_t address = mapping->start; address < mapping->end; address += PAGE) {
            if (ignores_page(address, frame, stack) ||
                (hearth_engine_owns(address) && hearth_engine_owns(address + PAGE - WORD)))
                continue;
            if (oracle->page_count == PAGES_MAX)
                fail("too much memory");
            take_page(address);
        }
    }
}

static const Mapping *mapping_of(uint64_t address)
{
    for (size_t i = 0; i < oracle->after_count; i++)
        if (address >= oracle->after[i].start && address < oracle->after[i].end)
            return &oracle->after[i];
    fail("a page has no mapping");
    return NULL;
}

static bool compare_page(const Page *page, uint64_t frame, char *ret_difference, size_t size)
{
    static const uint64_t zeroes[PAGE / WORD];
    const uint64_t *now = (const uint64_t *)page->address;
    const uint64_t *then = page->copy ? (const uint64_t *)page->copy : zeroes;
    if (memcmp(now, then, PAGE) == 0)
        return true;
    const Mapping *mapping = mapping_of(page->address);
    uint64_t stack = stack_start(mapping, frame);
    for (size_t i = 0; i < PAGE / WORD; i++) {
        uint64_t address = page->address + i * WORD;
        if (now[i] == then[i] || ignores_word(address, frame, stack))
            continue;
        snprintf(ret_difference, size, "%#lx (thread pointer %+ld) was %#lx, is %#lx, in %lx-%lx%s",
                 address, (long)(address - (uint64_t)__builtin_thread_pointer()), then[i], now[i],
                 mapping->start, mapping->end, mapping->name);
        return false;
    }
    return true;
}

bool memory_oracle_compare(const void *frame_address, char *ret_difference, size_t size)
{
    oracle->after_count = read_mappings(oracle->after, false);
    if (!compare_mappings(ret_difference, size))
        return false;
    for (size_t i = 0; i < oracle->page_count; i++)
        if (!compare_page(&oracle->pages[i], (uint64_t)frame_address, ret_difference, size))
            return false;
    return true;
}

size_t memory_oracle_size(void)
{
    return oracle->page_count * PAGE;
}

uint64_t memory_oracle_engine_code(void)
{
    prepare();
    size_t count = read_mappings(oracle->after, true);
    for (size_t i = 0; i < count; i++)
        if (oracle->after[i].executable && hearth_engine_owns(oracle->after[i].start))
            return oracle->after[i].start;
    return 0;
}
