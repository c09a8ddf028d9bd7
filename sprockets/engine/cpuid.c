#include "sprockets/engine/intercept-private.h"

#include <cpuid.h>
#include <string.h>

/*
 * What the processor can do is told as it is, as code is chosen by it; which one it is, how many
 * there are and how large their caches are is the same everywhere.
 */

#define BASIC_LAST 0xdu           /* the highest basic leaf that is told */
#define EXTENDED_LAST 0x80000008u /* and extended one */
#define SIGNATURE 0x000306c3u     /* family 6, a model that every library knows */
#define HYPERVISOR (1u << 31)     /* in ecx of leaf 1 */
#define ADDRESS_BITS 0x3030u      /* 48 and 48 */
#define TICKS ((uint64_t)1 << 32) /* of the time stamp counter */

typedef struct {
    uint32_t a, b, c, d;
} Leaf;

static void put_brand(uint32_t number, Leaf *leaf)
{
    static const char brand[3][sizeof(Leaf)] = {"Hearth"};
    memcpy(leaf, brand[number - 0x80000002u], sizeof *leaf);
}

static Leaf read_leaf(uint32_t number, uint32_t part)
{
    Leaf leaf = {0};
    __cpuid_count(number, part, leaf.a, leaf.b, leaf.c, leaf.d);
    return leaf;
}

static Leaf features(uint32_t number, uint32_t part)
{
    Leaf leaf = read_leaf(number, part);
    switch (number) {
    case 0:
        if (leaf.a > BASIC_LAST)
            leaf.a = BASIC_LAST;
        break;
    case 1:
        leaf.a = SIGNATURE;
        leaf.b =
            (leaf.b & 0xff00u) | 1u << 16; /* the size of a cache line; one processor, number 0 */
        leaf.c &= ~HYPERVISOR;
        break;
    case 0x80000000u:
        if (leaf.a > EXTENDED_LAST)
            leaf.a = EXTENDED_LAST;
        break;
    case 0x80000001u:
        leaf.a = 0;
        leaf.b = 0;
        break;
    case 0x80000008u:
        leaf.a = ADDRESS_BITS;
        leaf.c = 0;
        leaf.d = 0;
        break;
    }
    return leaf;
}

static Leaf told(uint32_t number, uint32_t part)
{
    Leaf leaf = {0};
    switch (number) {
    case 0:
    case 1:
    case 7:
    case 0xd:
    case 0x80000000u:
    case 0x80000001u:
    case 0x80000008u:
        return features(number, part);
    case 0x80000002u:
    case 0x80000003u:
    case 0x80000004u:
        put_brand(number, &leaf);
        return leaf;
    default:
        return leaf; /* caches, topology, power, counters, serial numbers, the hypervisor */
    }
}

void hearth_special_cpuid(HearthSlot *slot)
{
    uint64_t *registers = slot->context->registers;
    Leaf leaf = told((uint32_t)registers[HEARTH_RAX], (uint32_t)registers[HEARTH_RCX]);
    registers[HEARTH_RAX] = leaf.a;
    registers[HEARTH_RBX] = leaf.b;
    registers[HEARTH_RCX] = leaf.c;
    registers[HEARTH_RDX] = leaf.d;
}

void hearth_special_rdtsc(HearthSlot *slot)
{
    static const uint8_t with_processor[3] = {0x0f, 0x01, 0xf9}; /* rdtscp */
    uint64_t *registers = slot->context->registers;
    uint8_t bytes[3];
    registers[HEARTH_RAX] = (uint32_t)TICKS;
    registers[HEARTH_RDX] = TICKS >> 32;
    if (hearth_call_read(slot, bytes, slot->fault_pc, sizeof bytes) &&
        memcmp(bytes, with_processor, sizeof bytes) == 0)
        registers[HEARTH_RCX] = 0;
}
