/* Plain computation, control flow, memory: what has to work before anything of libc does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

GUEST(add_arguments)
{
    return (uint64_t)area + first * 3 + second * 5 + third * 7;
}

GUEST(nothing)
{
    return 0;
}

GUEST(fill_area)
{
    memset(area, (int)first, second);
    return area[0];
}

GUEST(sum_area)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < first; i++)
        sum += (unsigned char)area[i];
    return sum;
}

GUEST(fibonacci)
{
    return first < 2 ? first : fibonacci(area, first - 1, 0, 0) + fibonacci(area, first - 2, 0, 0);
}

static uint64_t go_down(uint64_t depth)
{
    char block[1008];
    block[depth % sizeof block] = (char)depth;
    uint64_t below = depth == 0 ? 0 : go_down(depth - 1) + 1;
    __asm__ volatile("" ::"r"(block) : "memory"); /* or it becomes a loop */
    return below;
}

/* A mebibyte of stack and more. */
GUEST(recurse_deep)
{
    return go_down(first);
}

static uint64_t twice(uint64_t value)
{
    return value * 2;
}

static uint64_t more(uint64_t value)
{
    return value + 1;
}

static uint64_t mixed(uint64_t value)
{
    return value ^ value >> 7 ^ 0x55;
}

GUEST(call_by_pointer)
{
    uint64_t (*volatile table[])(uint64_t) = {twice, more, mixed};
    uint64_t value = 1;
    for (uint64_t i = 0; i < first; i++)
        value = table[value % 3](value) & 0xffffffffffff;
    return value;
}

GUEST(switch_by_table)
{
    uint64_t value = 3;
    for (uint64_t i = 0; i < first; i++) {
        switch (value % 11) {
        case 0:
            value += 17;
            break;
        case 1:
            value *= 3;
            break;
        case 2:
            value ^= 0x1234;
            break;
        case 3:
            value -= 5;
            break;
        case 4:
            value = value << 3 | value >> 61;
            break;
        case 5:
            value += value >> 5;
            break;
        case 6:
            value = ~value;
            break;
        case 7:
            value *= 7;
            break;
        case 8:
            value += i;
            break;
        case 9:
            value ^= i << 9;
            break;
        default:
            value += 1;
        }
    }
    return value;
}

static void jump_back(jmp_buf where, int depth)
{
    volatile char block[200];
    block[0] = 1;
    if (depth == 0)
        longjmp(where, 7);
    jump_back(where, depth - 1);
    block[0] = 2;
}

GUEST(long_jumps)
{
    volatile uint64_t sum = 0;
    for (volatile uint64_t i = 0; i < first; i++) {
        jmp_buf here;
        sigjmp_buf there;
        int value = setjmp(here);
        if (value == 0)
            jump_back(here, (int)(i % 9));
        sum += (uint64_t)value;
        if (sigsetjmp(there, 1) == 0)
            siglongjmp(there, 3);
        sum += 1;
    }
    return sum;
}

static double sum_doubles(int count, ...)
{
    double sum = 0;
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        sum += i % 2 ? (double)va_arg(list, int) : va_arg(list, double);
    va_end(list);
    return sum;
}

GUEST(variable_arguments)
{
    double sum = sum_doubles(12, 0.5, 1, 2.25, 2, 4.125, 3, 8.5, 4, 16.75, 5, 0.0625, 6);
    long double wide = (long double)sum * 3 / 7;
    memcpy(area, &sum, sizeof sum);
    memcpy(area + 16, &wide, 10);
    return (uint64_t)(sum * 1000);
}

__attribute__((target("avx2,fma"), optimize("O3"))) GUEST(vectors)
{
    float *numbers = malloc(4096 * sizeof *numbers);
    int32_t *whole = malloc(4096 * sizeof *whole);
    for (int i = 0; i < 4096; i++) {
        numbers[i] = (float)i * 0.25f + 1.0f;
        whole[i] = i * 77 ^ 0x55aa;
    }
    for (uint64_t round = 0; round < first; round++)
        for (int i = 0; i < 4096; i++) {
            numbers[i] = numbers[i] * 1.0009765625f + 0.5f;
            whole[i] = (whole[i] << 3) + (whole[i] >> 5);
        }
    memcpy(area, numbers, 4096 * sizeof *numbers);
    memcpy(area + 16384, whole, 4096 * sizeof *whole);
    free(numbers);
    free(whole);
    return 1;
}

__attribute__((target("avx512f,avx512bw,avx512vl"), optimize("O3"))) GUEST(wide_vectors)
{
    double *numbers = malloc(2049 * sizeof *numbers);
    for (int i = 0; i < 2049; i++)
        numbers[i] = i;
    for (uint64_t round = 0; round < first; round++)
        for (int i = 0; i < 2049; i++)
            if ((i * 7 + (int)round) % 3 == 0)
                numbers[i] = numbers[i] * 1.5 - 2.0;
    memcpy(area, numbers, 2049 * sizeof *numbers);
    free(numbers);
    return 2;
}

GUEST(blocks_of_memory)
{
    char *blocks[64];
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 64; i++) {
        size_t size = (i * 7919) % 70000 + 1;
        blocks[i] = i % 3 == 0 ? calloc(1, size) : malloc(size);
        if (!blocks[i] || (i % 3 == 0 && blocks[i][size - 1] != 0))
            return 0;
        memset(blocks[i], (int)i, size);
    }
    for (uint64_t i = 0; i < 64; i += 2)
        blocks[i] = realloc(blocks[i], (i * 104729) % 90000 + 100);
    for (uint64_t i = 0; i < 64; i++)
        sum += (unsigned char)blocks[i][0];
    for (uint64_t i = 0; i < 64; i++)
        free(blocks[63 - i]);
    void *aligned = NULL;
    if (posix_memalign(&aligned, 4096, 100) != 0 || (uint64_t)aligned % 4096 != 0)
        return 1;
    free(aligned);
    aligned = aligned_alloc(64, 640);
    sum += (uint64_t)aligned % 64;
    free(aligned);
    char *copy = strdup("copied");
    sum += strlen(copy);
    free(copy);
    return sum;
}

/* How often it was called since its data was last as it is in the file. */
GUEST(count_calls)
{
    static uint64_t calls;
    static __thread uint64_t of_thread;
    return ++calls * 1000 + ++of_thread;
}

/* The same without thread-local storage, whose table of modules is the host's. */
GUEST(count_data)
{
    static uint64_t calls, more[600] = {1};
    more[599] += 2;
    return ++calls * 1000 + more[599];
}

/* --- Misconduct that limits are for ------------------------------------------------------------- */

GUEST(crash_here)
{
    *(volatile int *)first = 1;
    return 1;
}

GUEST(illegal_here)
{
    __asm__ volatile("ud2");
    return 1;
}

GUEST(divide_here)
{
    return 1000 / first;
}

GUEST(abort_here)
{
    abort();
}

GUEST(spin)
{
    for (volatile uint64_t i = 0;; i++)
        ;
}

GUEST(allocate_all)
{
    uint64_t blocks = 0;
    for (char *block; (block = malloc(1 << 20)); blocks++)
        memset(block, 1, 1 << 20);
    return blocks;
}

/* Stores to `second` pages from `first` on. */
GUEST(touch_pages)
{
    for (uint64_t i = 0; i < second; i++)
        ((volatile char *)first)[i * 4096] = (char)i;
    return second;
}

GUEST(write_log)
{
    char line[16] = "fifteen letters\n";
    for (uint64_t i = 0; i < first; i++)
        write(1 + (int)(i % 2), line, sizeof line);
    return first;
}

GUEST(system_calls)
{
    for (uint64_t i = 0; i < first; i++)
        syscall(SYS_getpid);
    return first;
}

/* --- For the tests with other threads ----------------------------------------------------------- */

/* Stores to each of `second` words at `first`, in several widths, and counts in each. */
GUEST(store_words)
{
    volatile uint64_t *words = (volatile uint64_t *)first;
    for (uint64_t i = 0; i < second; i++) {
        words[i] = 0xdead0000 + i;
        *(volatile unsigned char *)&words[i] += 1;
        __atomic_add_fetch((uint64_t *)&words[i], 5, __ATOMIC_SEQ_CST);
        if (words[i] < 0xdead0000)
            return 1;
    }
    memset((void *)first, 0x77, second * 8);
    return ((unsigned char *)first)[second * 8 - 1] == 0x77 ? 0 : 2;
}

/* Stores where a page begins, at `first`, and reads across its beginning, then the other way round. */
GUEST(read_across_pages)
{
    typedef uint64_t Loose __attribute__((aligned(1)));
    *(volatile uint32_t *)first = 0x11223344;
    uint64_t across = *(volatile Loose *)(first - 4);
    *(volatile Loose *)(first + 4092) = 0x5566778811223344;
    return across >> 32 == 0x11223344 && *(volatile uint32_t *)(first + 4096) == 0x55667788;
}

/* Where the object's data ends. */
extern char _end[] __attribute__((visibility("hidden")));

/* Stores to the last word of the object's data, and by the same register beyond it; where that was. */
GUEST(store_across_end)
{
    uint64_t words = ((uint64_t)_end & ~7ull) - 16;
    __asm__ volatile("mov %1, (%0)\n\tmov %1, 64(%0)" ::"r"(words), "r"(0x1234ull) : "memory");
    return words + 64;
}

/* Fills memory of all kinds with `first`, computes for a while, and looks whether it is still there. */
GUEST(keep_apart)
{
    static uint64_t own[512];
    uint64_t stack[512], *heap = malloc(4096), *words = (uint64_t *)area,
                         *foreign = (uint64_t *)second;
    for (int i = 0; i < 512; i++)
        own[i] = stack[i] = heap[i] = words[i] = foreign[i] = first;
    for (volatile int i = 0; i < 2000; i++)
        ;
    for (int i = 0; i < 512; i++)
        if (own[i] != first || stack[i] != first || heap[i] != first || words[i] != first ||
            foreign[i] != first)
            return 1;
    free(heap);
    return first;
}

GUEST(keep_thread)
{
    static __thread uint64_t of_thread[64];
    for (int i = 0; i < 64; i++)
        of_thread[i] = first;
    for (volatile int i = 0; i < 200000; i++)
        ;
    for (int i = 0; i < 64; i++)
        if (of_thread[i] != first)
            return 1;
    memcpy(area, of_thread, sizeof of_thread);
    return first;
}
