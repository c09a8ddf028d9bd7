/* What runs while something is missing: memory, files, time, peace. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

#define FAILED ((uint64_t)1 << 32) /* beside what errno was */

typedef bool (*Emit)(const void *bytes, size_t length);

/* A list of `first` blocks of `second` bytes, built, grown, summed up and freed; FAILED: malloc gave none. */
GUEST(build_list)
{
    typedef struct Block {
        struct Block *next;
        size_t size;
        unsigned char bytes[];
    } Block;
    Block *list = NULL;
    uint64_t sum = 0;
    bool failed = false;
    for (uint64_t i = 0; i < first && !failed; i++) {
        Block *block = malloc(sizeof *block + second), *more;
        if (!block) {
            failed = true;
            break;
        }
        block->next = list;
        list = block;
        more = realloc(block, sizeof *block + second + i);
        failed = !more;
        list = more ? more : block;
        list->size = more ? second + i : second;
        memset(list->bytes, (int)i, list->size);
    }
    while (list) {
        Block *next = list->next;
        for (size_t i = 0; i < list->size; i += 64)
            sum = sum * 31 + list->bytes[i];
        free(list);
        list = next;
    }
    return failed ? FAILED : sum & 0x7fffffff;
}

static uint64_t sum_of(const unsigned char *bytes, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

/* Each in its own way: by read, by a mapping, by stdio. */
static uint64_t sum_read(int file)
{
    unsigned char bytes[700];
    uint64_t sum = 0;
    ssize_t n;
    while ((n = read(file, bytes, sizeof bytes)) > 0)
        sum += sum_of(bytes, (size_t)n);
    return n < 0 ? FAILED | (uint64_t)errno : sum;
}

static uint64_t sum_mapped(int file)
{
    struct stat state;
    if (fstat(file, &state) != 0)
        return FAILED | (uint64_t)errno;
    if (state.st_size == 0)
        return 0;
    void *bytes = mmap(NULL, (size_t)state.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED)
        return FAILED | (uint64_t)errno;
    uint64_t sum = sum_of(bytes, (size_t)state.st_size);
    munmap(bytes, (size_t)state.st_size);
    return sum;
}

static uint64_t sum_stream(int file)
{
    FILE *stream = fdopen(file, "r");
    uint64_t sum = 0;
    if (!stream)
        return FAILED | (uint64_t)errno;
    for (int c; (c = getc(stream)) != EOF;)
        sum += (uint64_t)c;
    if (ferror(stream))
        sum = FAILED | (uint64_t)errno;
    fclose(stream);
    return sum;
}

/* Opens the file named in the area `first` times, tells the host if there is `second`, then reads each; none is closed. */
GUEST(read_files)
{
    uint64_t sum = 0;
    int files[16];
    for (uint64_t i = 0; i < first; i++)
        if ((files[i] = open(area, O_RDONLY | O_CLOEXEC)) < 0)
            return FAILED | (uint64_t)errno;
    if (second)
        ((Emit)second)(area, 1);
    for (uint64_t i = 0; i < first; i++) {
        uint64_t one = i % 3 == 0   ? sum_read(files[i])
                       : i % 3 == 1 ? sum_mapped(files[i])
                                    : sum_stream(files[i]);
        if (one & FAILED)
            return one;
        sum += one;
    }
    return sum;
}

/* Maps the file named in the area, lets the host act, and only then looks. */
GUEST(map_then_look)
{
    struct stat state;
    int file = open(area, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &state) != 0)
        return FAILED | (uint64_t)errno;
    void *bytes = mmap(NULL, (size_t)state.st_size, first ? PROT_READ | PROT_WRITE : PROT_READ,
                       MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED)
        return FAILED | (uint64_t)errno;
    ((Emit)second)(area, 1);
    return third ? (uint64_t)write(STDERR_FILENO, bytes, (size_t)state.st_size)
                 : sum_of(bytes, (size_t)state.st_size);
}

/* Maps `first` times `second` bytes and writes to all of them; FAILED: there was no more. */
GUEST(map_much)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < first; i++) {
        unsigned char *bytes =
            mmap(NULL, second, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (bytes == MAP_FAILED)
            return FAILED | (uint64_t)errno;
        memset(bytes, (int)i + 1, second);
        sum += bytes[second / 2];
    }
    return sum;
}

/* A kibibyte of stack each time, which no compiler may save. */
static __attribute__((noinline)) uint64_t go_down(uint64_t depth)
{
    volatile char block[1000];
    memset((void *)block, (int)depth, sizeof block);
    uint64_t below = depth == 0 ? 0 : go_down(depth - 1);
    return below + (uint64_t)(block[depth % sizeof block] == (char)depth);
}

GUEST(recurse_far)
{
    return go_down(first);
}

/* Waits, `first` times around, where a little of its 16 KiB of stack is left: none below has been touched. */
GUEST(stand_at_edge)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0) % 16384, sum = 0;
    volatile char *room = __builtin_alloca(here > 1200 ? (here - 1200) & ~(uint64_t)15 : 16);
    room[0] = 1;
    for (volatile uint64_t i = 0; i < first; i++)
        sum += (uint64_t)room[0];
    return sum;
}

/* Points the stack pointer to `first`, and back at once, `second` times: nothing is pushed there. */
GUEST(turn_stack)
{
    __asm__ volatile("mov %%rsp, %%r8\n"
                     "1: mov %0, %%rsp\n"
                     "mov %%r8, %%rsp\n"
                     "dec %1\n"
                     "jnz 1b"
                     : "+r"(first), "+r"(second)
                     :
                     : "r8", "cc", "memory");
    return 0;
}

/* Some of everything, `first` times over: calls and returns, the stack, malloc, libc, thread-local storage and data. */
static uint64_t mixed(char *text, uint64_t depth)
{
    static volatile uint64_t calls;
    static volatile __thread uint64_t of_thread;
    char *copy = strdup(text);
    volatile char block[512];
    uint64_t before = calls++, before_here = of_thread++;
    uint64_t sum = strlen(copy) * 3 + (calls - before) * 5 + (of_thread - before_here) * 7;
    memset((void *)block, (int)depth, sizeof block);
    free(copy);
    return depth == 0 ? sum : sum * 31 + mixed(text, depth - 1) + (uint64_t)block[depth % 512];
}

GUEST(work_mixed)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < first; i++) {
        char text[64];
        snprintf(text, sizeof text, "%lu of %lu", i, first);
        sum = sum * 31 + mixed(text, i % second);
    }
    return sum & 0x7fffffff;
}
