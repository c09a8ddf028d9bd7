#include "sprockets/engine/arena-private.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/*
 * Three sizes of blocks. Small ones, up to a KiB, and middle ones, up to a quarter of a MiB, come
 * from lists by class, newest first; classes are 16 bytes apart, then a quarter of a power of two.
 * Large ones come from one list in the order of addresses, the first that fits, and are split and
 * merged. What no list has is cut from the top. The last block below the top grows in place and
 * goes back to it.
 *
 * Before each block stands a word: bytes of the block with this word, class, and a mark that tells
 * a block in use from a free one and from a pointer into a block.
 */

#define PAGE 4096u
#define WORD sizeof(uint64_t)
#define UNIT 16u                  /* bytes: sizes of blocks are multiples, pointers are aligned */
#define SMALL_BLOCK 1024u         /* bytes, at most */
#define MIDDLE_BLOCK (256 * 1024) /* bytes, at most */
#define LEAST_BLOCK 32u           /* bytes: room for a link, and what libc gives for malloc(0) */
#define SMALL_CLASSES (SMALL_BLOCK / UNIT + 1)
#define MIDDLE_CLASSES 32u
#define LARGE_CLASS (SMALL_CLASSES + MIDDLE_CLASSES)

#define MARK_SHIFT 40
#define MARK_USED 0xA11CAull
#define MARK_FREE 0xF4EEDull
#define MARK_INSIDE 0xA119Dull /* the low half is how far back the block's own pointer is */

typedef struct Block Block;

struct Block {
    uint64_t word;
    Block *next; /* of free blocks; else the first bytes of the caller's */
} __attribute__((may_alias));

struct HearthArena {
    uint64_t end;  /* address */
    uint64_t top;  /* address of the first byte that is in no block */
    uint64_t used; /* bytes from the start: all after them is still zero */
    Block *lists[LARGE_CLASS];
    Block *large; /* by address */
};

_Static_assert(sizeof(HearthArena) <= HEARTH_ARENA_HEADER, "the state outgrew its page");

__thread HearthArena *hearth_arena __attribute__((tls_model("initial-exec")));

void hearth_arena_begin(void *memory, uint64_t limit)
{
    HearthArena *arena = memory;
    uint64_t first = ((uint64_t)memory + sizeof *arena + UNIT - 1) / UNIT * UNIT + UNIT - WORD;
    memset(arena, 0, sizeof *arena);
    arena->end = (uint64_t)memory + limit;
    arena->top = first < arena->end ? first : arena->end;
    arena->used = arena->top - (uint64_t)memory;
}

uint64_t hearth_arena_used(const void *memory)
{
    return ((const HearthArena *)memory)->used;
}

static uint64_t size_of(const Block *block)
{
    return (uint32_t)block->word;
}

static unsigned class_of(const Block *block)
{
    return (uint8_t)(block->word >> 32);
}

static uint64_t mark_of(const Block *block)
{
    return block->word >> MARK_SHIFT;
}

static void set_word(Block *block, uint64_t size, unsigned class, uint64_t mark)
{
    block->word = mark << MARK_SHIFT | (uint64_t) class << 32 | size;
}

static Block *block_at(uint64_t address)
{
    return (Block *)address;
}

static Block *block_of(void *pointer)
{
    return block_at((uint64_t)pointer - WORD);
}

static void *pointer_of(Block *block)
{
    return &block->next;
}

static uint64_t end_of(const Block *block)
{
    return (uint64_t)block + size_of(block);
}

static bool in_arena(const HearthArena *arena, const void *pointer)
{
    return (uint64_t)pointer - (uint64_t)arena < arena->top - (uint64_t)arena;
}

/* Class and whole size of a block with room for `size` bytes, which is less than the arena. */
static unsigned classify(uint64_t size, uint64_t *ret_size)
{
    uint64_t whole = (size + WORD + UNIT - 1) / UNIT * UNIT;
    if (whole <= SMALL_BLOCK) {
        *ret_size = whole < LEAST_BLOCK ? LEAST_BLOCK : whole;
        return (unsigned)(*ret_size / UNIT);
    }
    if (whole > MIDDLE_BLOCK) {
        *ret_size = (whole + PAGE - 1) / PAGE * PAGE;
        return LARGE_CLASS;
    }
    unsigned shift = 61u - (unsigned)__builtin_clzll(whole - 1);
    uint64_t quarters = (whole - 1) >> shift; /* 4 to 7 */
    *ret_size = (quarters + 1) << shift;
    return SMALL_CLASSES + (shift - 8) * 4 + (unsigned)(quarters - 4);
}

static Block *cut_from_top(HearthArena *arena, uint64_t size, unsigned class)
{
    if (size > arena->end - arena->top)
        return NULL;
    Block *block = block_at(arena->top);
    arena->top += size;
    if (arena->top - (uint64_t)arena > arena->used)
        arena->used = arena->top - (uint64_t)arena;
    set_word(block, size, class, MARK_USED);
    return block;
}

/* Puts a large block into its list, one with its neighbours. */
static void put_large(HearthArena *arena, Block *block)
{
    Block *before = NULL, *after = arena->large;
    while (after && after < block) {
        before = after;
        after = after->next;
    }
    uint64_t size = size_of(block);
    block->next = after;
    if (after && end_of(block) == (uint64_t)after) {
        size += size_of(after);
        block->next = after->next;
    }
    set_word(block, size, LARGE_CLASS, MARK_FREE);
    if (before && end_of(before) == (uint64_t)block) {
        before->next = block->next;
        set_word(before, size_of(before) + size, LARGE_CLASS, MARK_FREE);
    } else if (before) {
        before->next = block;
    } else {
        arena->large = block;
    }
}

/* The first large block of at least `size` bytes, a multiple of pages; the rest stays in the
 * list. */
static Block *take_large(HearthArena *arena, uint64_t size)
{
    for (Block **link = &arena->large; *link; link = &(*link)->next) {
        Block *block = *link;
        uint64_t rest = size_of(block) - size;
        if (size_of(block) < size)
            continue;
        *link = block->next;
        if (rest >= PAGE) {
            Block *tail = block_at((uint64_t)block + size);
            tail->next = block->next;
            set_word(tail, rest, LARGE_CLASS, MARK_FREE);
            *link = tail;
        } else {
            size += rest;
        }
        set_word(block, size, LARGE_CLASS, MARK_USED);
        return block;
    }
    return NULL;
}

static Block *take_from_list(HearthArena *arena, unsigned class)
{
    Block *block = arena->lists[class];
    if (block) {
        arena->lists[class] = block->next;
        set_word(block, size_of(block), class, MARK_USED);
    }
    return block;
}

/* Near the limit anything that is large enough will do. */
static Block *take_anything(HearthArena *arena, uint64_t size, unsigned class)
{
    for (class ++; class < LARGE_CLASS; class ++) {
        Block *block = take_from_list(arena, class);
        if (block)
            return block;
    }
    return take_large(arena, (size + PAGE - 1) / PAGE * PAGE);
}

__attribute__((noinline)) static void *allocate(HearthArena *arena, uint64_t size)
{
    uint64_t whole;
    if (size >= arena->end - (uint64_t)arena) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned class = classify(size, &whole);
    Block *block = class == LARGE_CLASS ? take_large(arena, whole) : take_from_list(arena, class);
    if (!block)
        block = cut_from_top(arena, whole, class);
    if (!block && class != LARGE_CLASS)
        block = take_anything(arena, whole, class);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    return pointer_of(block);
}

void *hearth_arena_malloc(size_t size)
{
    HearthArena *arena = hearth_arena;
    if (size <= SMALL_BLOCK - WORD) {
        uint64_t class =
            size <= LEAST_BLOCK - WORD ? LEAST_BLOCK / UNIT : (size + WORD + UNIT - 1) / UNIT;
        Block *block = arena->lists[class];
        if (block) {
            arena->lists[class] = block->next;
            block->word = MARK_USED << MARK_SHIFT | class << 32 | class * UNIT;
            return pointer_of(block);
        }
    }
    return allocate(arena, size);
}

/* Gives the block back to the top, and with it a large one that the top then touches. */
static void lower_top(HearthArena *arena, Block *block)
{
    arena->top = (uint64_t)block;
    block->word = MARK_FREE << MARK_SHIFT;
    for (Block **link = &arena->large; *link; link = &(*link)->next)
        if (end_of(*link) == arena->top) {
            arena->top = (uint64_t)*link;
            *link = NULL; /* the last by address */
            return;
        }
}

static void give_back(HearthArena *arena, Block *block)
{
    unsigned class = class_of(block);
    if (class >= SMALL_CLASSES && end_of(block) == arena->top) {
        lower_top(arena, block);
    } else if (class < LARGE_CLASS) {
        set_word(block, size_of(block), class, MARK_FREE);
        block->next = arena->lists[class];
        arena->lists[class] = block;
    } else if (class == LARGE_CLASS) {
        put_large(arena, block);
    }
}

/* The block in use that `pointer` was handed out for; NULL: none of this arena's. */
static Block *find_block(const HearthArena *arena, void *pointer)
{
    if (!in_arena(arena, pointer))
        return NULL;
    Block *block = block_of(pointer);
    if (mark_of(block) == MARK_INSIDE)
        block = block_at((uint64_t)block - size_of(block));
    return in_arena(arena, block) && mark_of(block) == MARK_USED ? block : NULL;
}

void hearth_arena_free(void *pointer)
{
    HearthArena *arena = hearth_arena;
    Block *block = find_block(arena, pointer);
    if (!block)
        return; /* NULL, the host's, or freed before */
    unsigned class = class_of(block);
    if (class < SMALL_CLASSES) {
        block->word ^= (MARK_USED ^ MARK_FREE) << MARK_SHIFT;
        block->next = arena->lists[class];
        arena->lists[class] = block;
        return;
    }
    give_back(arena, block);
}

void *hearth_arena_calloc(size_t count, size_t size)
{
    HearthArena *arena = hearth_arena;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    uint64_t fresh = (uint64_t)arena + arena->used;
    char *pointer = hearth_arena_malloc(bytes);
    if (pointer && (uint64_t)pointer < fresh) {
        uint64_t dirty = fresh - (uint64_t)pointer;
        memset(pointer, 0, bytes < dirty ? bytes : dirty);
    }
    return pointer;
}

/* Bytes of a block that libc's malloc gave the host: its size stands before it, with three
 * flags. */
static size_t foreign_size(const void *pointer)
{
    uint64_t word;
    memcpy(&word, (const char *)pointer - WORD, sizeof word);
    uint64_t overhead = word & 2 ? 2 * WORD : WORD; /* a mapping of its own: one word more */
    uint64_t size = word & ~(uint64_t)7;
    return size > overhead && size < (uint64_t)1 << 40 ? size - overhead : 0;
}

size_t hearth_arena_usable_size(void *pointer)
{
    HearthArena *arena = hearth_arena;
    if (!pointer)
        return 0;
    Block *block = find_block(arena, pointer);
    if (block)
        return end_of(block) - (uint64_t)pointer;
    return in_arena(arena, pointer) ? 0 : foreign_size(pointer);
}

/* Makes the block as large as `size` asks without moving it. */
static bool resize_in_place(HearthArena *arena, Block *block, uint64_t size)
{
    uint64_t whole, old = size_of(block);
    unsigned class = classify(size, &whole);
    if (whole == old)
        return true;
    if (end_of(block) == arena->top && whole >= SMALL_BLOCK) {
        if (whole > arena->end - (uint64_t)block)
            return false;
        arena->top = (uint64_t)block + whole;
        if (arena->top - (uint64_t)arena > arena->used)
            arena->used = arena->top - (uint64_t)arena;
        set_word(block, whole, class, MARK_USED);
        return true;
    }
    if (whole > old)
        return false;
    if (class == LARGE_CLASS && class_of(block) == LARGE_CLASS) {
        Block *tail = block_at((uint64_t)block + whole);
        set_word(block, whole, class, MARK_USED);
        set_word(tail, old - whole, class, MARK_USED);
        put_large(arena, tail);
        return true;
    }
    return whole > old / 2; /* a waste of less than half is cheaper than a copy */
}

void *hearth_arena_realloc(void *pointer, size_t size)
{
    HearthArena *arena = hearth_arena;
    if (!pointer)
        return hearth_arena_malloc(size);
    if (size == 0) {
        hearth_arena_free(pointer);
        return NULL;
    }
    if (size >= arena->end - (uint64_t)arena) {
        errno = ENOMEM;
        return NULL;
    }
    Block *block = find_block(arena, pointer);
    if (block && pointer == pointer_of(block) && resize_in_place(arena, block, size))
        return pointer;
    size_t old = hearth_arena_usable_size(pointer);
    void *moved = hearth_arena_malloc(size);
    if (moved) {
        memcpy(moved, pointer, old < size ? old : size);
        hearth_arena_free(pointer);
    }
    return moved;
}

void *hearth_arena_reallocarray(void *pointer, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return hearth_arena_realloc(pointer, bytes);
}

void *hearth_arena_memalign(size_t alignment, size_t size)
{
    if (alignment <= UNIT)
        return hearth_arena_malloc(size);
    if (alignment > (size_t)1 << 40 || size > (size_t)1 << 40) {
        errno = ENOMEM;
        return NULL;
    }
    if (alignment & (alignment - 1)) /* up to a power of two, as libc does */
        alignment = (size_t)1 << (64 - __builtin_clzll(alignment));
    char *pointer = hearth_arena_malloc(size + alignment);
    if (!pointer)
        return NULL;
    uint64_t skip = -(uint64_t)pointer & (alignment - 1);
    if (skip > 0) {
        pointer += skip;
        set_word(block_of(pointer), skip, 0, MARK_INSIDE);
    }
    return pointer;
}

void *hearth_arena_aligned_alloc(size_t alignment, size_t size)
{
    return hearth_arena_memalign(alignment, size);
}

int hearth_arena_posix_memalign(void **ret_pointer, size_t alignment, size_t size)
{
    if (alignment == 0 || alignment % sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    int before = errno; /* posix_memalign leaves it alone */
    void *pointer = hearth_arena_memalign(alignment, size);
    if (!pointer) {
        errno = before;
        return ENOMEM;
    }
    *ret_pointer = pointer;
    return 0;
}

void *hearth_arena_valloc(size_t size)
{
    return hearth_arena_memalign(PAGE, size);
}

void *hearth_arena_pvalloc(size_t size)
{
    if (size > (size_t)1 << 40) {
        errno = ENOMEM;
        return NULL;
    }
    return hearth_arena_memalign(PAGE, (size + PAGE - 1) / PAGE * PAGE);
}
