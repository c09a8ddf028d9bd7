/* malloc's stand-in, run natively: under the engine it is the same code. */
#include "sprockets/engine/arena-private.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((gsize)1024 * 1024)
#define ROOM (512 * MIB) /* bytes reserved for the arena of each test */

typedef struct {
    guint8 *memory;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer limit)
{
    fixture->memory = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert_true(fixture->memory != MAP_FAILED);
    hearth_arena_begin(fixture->memory, GPOINTER_TO_SIZE(limit));
    hearth_arena = (HearthArena *)fixture->memory;
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    hearth_arena = NULL;
    g_assert_cmpint(munmap(fixture->memory, ROOM), ==, 0);
}

/* --- Against a model -------------------------------------------------------------------------- */

#define BLOCKS 1000
#define STEPS 200000

typedef struct {
    guint8 *bytes; /* NULL: none */
    gsize size;
    guint8 pattern;
} Block;

static void fill(Block *block)
{
    static guint8 next;
    block->pattern = ++next;
    memset(block->bytes, block->pattern, block->size);
}

static gboolean is_filled(const guint8 *bytes, gsize size, guint8 pattern)
{
    return size == 0 || (bytes[0] == pattern && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Mostly small, seldom huge, as in a decoder. */
static gsize random_size(GRand *random)
{
    gint kind = g_rand_int_range(random, 0, 1000);
    if (kind < 800)
        return (gsize)g_rand_int_range(random, 0, 600);
    if (kind < 980)
        return (gsize)g_rand_int_range(random, 600, 20000);
    if (kind < 998)
        return (gsize)g_rand_int_range(random, 20000, 400000);
    return (gsize)g_rand_int_range(random, 400000, 4000000);
}

static void allocate(Block *block, GRand *random)
{
    block->size = random_size(random);
    switch (g_rand_int_range(random, 0, 4)) {
    case 0:
        block->bytes = hearth_arena_calloc(1, block->size);
        g_assert_nonnull(block->bytes);
        g_assert_true(is_filled(block->bytes, block->size, 0));
        break;
    case 1: {
        gsize alignment = (gsize)8 << g_rand_int_range(random, 0, 10);
        g_assert_cmpint(hearth_arena_posix_memalign((void **)&block->bytes, alignment, block->size),
                        ==, 0);
        g_assert_cmpuint(GPOINTER_TO_SIZE(block->bytes) % alignment, ==, 0);
        break;
    }
    default:
        block->bytes = hearth_arena_malloc(block->size);
    }
    g_assert_nonnull(block->bytes);
    g_assert_cmpuint(GPOINTER_TO_SIZE(block->bytes) % 16, ==, 0);
    g_assert_cmpuint(hearth_arena_usable_size(block->bytes), >=, block->size);
    fill(block);
}

static void resize(Block *block, GRand *random)
{
    gsize size = random_size(random) + 1, kept = MIN(size, block->size);
    block->bytes = hearth_arena_realloc(block->bytes, size);
    g_assert_nonnull(block->bytes);
    g_assert_cmpuint(GPOINTER_TO_SIZE(block->bytes) % 16, ==, 0);
    g_assert_true(is_filled(block->bytes, kept, block->pattern));
    g_assert_cmpuint(hearth_arena_usable_size(block->bytes), >=, size);
    block->size = size;
    fill(block);
}

static void release(Block *block)
{
    g_assert_true(is_filled(block->bytes, block->size, block->pattern));
    hearth_arena_free(block->bytes);
    block->bytes = NULL;
}

static void blocks_never_overlap_and_keep_what_is_in_them(Fixture *fixture, gconstpointer data)
{
    static Block blocks[BLOCKS];
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    gsize live = 0, most = 0;
    for (guint i = 0; i < STEPS; i++) {
        Block *block = &blocks[g_rand_int_range(random, 0, BLOCKS)];
        live -= block->bytes ? block->size : 0;
        if (!block->bytes)
            allocate(block, random);
        else if (g_rand_boolean(random))
            resize(block, random);
        else
            release(block);
        live += block->bytes ? block->size : 0;
        most = MAX(most, live);
    }
    for (guint i = 0; i < BLOCKS; i++)
        if (blocks[i].bytes)
            release(&blocks[i]);
    /* Lists by class waste something; more than this would be a leak. */
    g_assert_cmpuint(hearth_arena_used(fixture->memory), <, 4 * most);
}

/* --- One by one ------------------------------------------------------------------------------- */

static void what_was_freed_is_used_again(Fixture *fixture, gconstpointer data)
{
    static const gsize SIZES[] = {1, 24, 25, 1016, 1017, 5000, 262136, 262137, 3000000};
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        void *first = hearth_arena_malloc(SIZES[i]);
        void *fence = hearth_arena_malloc(SIZES[i]);
        hearth_arena_free(first);
        g_assert_true(hearth_arena_malloc(SIZES[i]) == first);
        hearth_arena_free(first);
        hearth_arena_free(fence);
    }
}

static void large_neighbours_become_one(Fixture *fixture, gconstpointer data)
{
    void *blocks[4];
    for (guint i = 0; i < G_N_ELEMENTS(blocks); i++)
        blocks[i] = hearth_arena_malloc(MIB);
    guint64 used = hearth_arena_used(fixture->memory);
    hearth_arena_free(blocks[0]);
    hearth_arena_free(blocks[2]);
    hearth_arena_free(blocks[1]);
    g_assert_true(hearth_arena_malloc(3 * MIB) == blocks[0]);
    g_assert_cmpuint(hearth_arena_used(fixture->memory), ==, used);
    hearth_arena_free(blocks[0]);
    hearth_arena_free(blocks[3]);
    g_assert_true(hearth_arena_malloc(4 * MIB) == blocks[0]);
}

static void the_last_block_grows_where_it_is(Fixture *fixture, gconstpointer data)
{
    guint8 *bytes = hearth_arena_malloc(2000);
    for (gsize size = 4000; size < 64 * MIB; size *= 2)
        g_assert_true(hearth_arena_realloc(bytes, size) == bytes);
    g_assert_cmpuint(hearth_arena_used(fixture->memory), <, 65 * MIB);
}

static void beyond_the_limit_there_is_none(Fixture *fixture, gconstpointer data)
{
    gsize total = 0;
    errno = 0;
    g_assert_null(hearth_arena_malloc(GPOINTER_TO_SIZE(data)));
    g_assert_cmpint(errno, ==, ENOMEM);
    g_assert_null(hearth_arena_malloc(G_MAXSIZE));
    g_assert_null(hearth_arena_malloc(G_MAXSSIZE));
    g_assert_null(hearth_arena_memalign(4096, G_MAXSIZE - 100));
    while (hearth_arena_malloc(1000))
        total += 1000;
    g_assert_cmpuint(total, >, GPOINTER_TO_SIZE(data) * 9 / 10);
    g_assert_cmpuint(hearth_arena_used(fixture->memory), <=, GPOINTER_TO_SIZE(data));
    void *kept = hearth_arena_malloc(8);
    errno = 0;
    g_assert_null(hearth_arena_realloc(kept, 100000));
    g_assert_cmpint(errno, ==, ENOMEM);
}

static void near_the_limit_larger_blocks_will_do(Fixture *fixture, gconstpointer data)
{
    void *large = hearth_arena_malloc(MIB);
    while (hearth_arena_malloc(100))
        continue;
    hearth_arena_free(large);
    g_assert_nonnull(hearth_arena_malloc(100));
    g_assert_nonnull(hearth_arena_malloc(10000));
}

static void products_that_overflow_are_refused(Fixture *fixture, gconstpointer data)
{
    gsize half = G_MAXSIZE / 2;
    void *kept = hearth_arena_malloc(10);
    errno = 0;
    g_assert_null(hearth_arena_calloc(half, 3));
    g_assert_cmpint(errno, ==, ENOMEM);
    g_assert_null(hearth_arena_reallocarray(kept, half, 3));
    g_assert_nonnull(hearth_arena_reallocarray(kept, 10, 3));
}

static void zeroed_memory_is_zero_where_others_have_been(Fixture *fixture, gconstpointer data)
{
    static const gsize SIZES[] = {16, 1000, 3000, 100000, 700000};
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        guint8 *bytes = hearth_arena_malloc(SIZES[i]);
        memset(bytes, 0xff, SIZES[i]);
        hearth_arena_free(bytes);
        bytes = hearth_arena_calloc(SIZES[i], 2); /* partly over what was there */
        g_assert_true(is_filled(bytes, SIZES[i] * 2, 0));
        memset(bytes, 0xff, SIZES[i] * 2);
        hearth_arena_free(bytes);
        bytes = hearth_arena_calloc(2, SIZES[i]);
        g_assert_true(is_filled(bytes, SIZES[i] * 2, 0));
    }
}

static void pointers_of_the_host_are_left_alone(Fixture *fixture, gconstpointer data)
{
    /* As libc lays them out: the size with its flags before the first byte. */
    guint64 foreign[8] = {0, 48 | 1, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0};
    guint64 before[8];
    memcpy(before, foreign, sizeof before);
    hearth_arena_free(&foreign[2]);
    g_assert_cmpuint(hearth_arena_usable_size(&foreign[2]), ==, 40);
    guint64 *copy = hearth_arena_realloc(&foreign[2], 4000);
    g_assert_true((guint8 *)copy >= fixture->memory && (guint8 *)copy < fixture->memory + ROOM);
    g_assert_cmpmem(copy, 40, &before[2], 40);
    g_assert_cmpmem(foreign, sizeof foreign, before, sizeof before);
    g_assert_true(hearth_arena_malloc(40) != &foreign[2]);
}

static void freeing_twice_does_nothing(Fixture *fixture, gconstpointer data)
{
    static const gsize SIZES[] = {40, 5000, 700000};
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        void *block = hearth_arena_malloc(SIZES[i]), *fence = hearth_arena_malloc(SIZES[i]);
        hearth_arena_free(block);
        hearth_arena_free(block);
        hearth_arena_free(NULL);
        void *one = hearth_arena_malloc(SIZES[i]), *other = hearth_arena_malloc(SIZES[i]);
        g_assert_true(one != other && one != fence && other != fence);
    }
}

static void alignments_that_are_none_are_refused(Fixture *fixture, gconstpointer data)
{
    void *block = NULL;
    g_assert_cmpint(hearth_arena_posix_memalign(&block, 0, 8), ==, EINVAL);
    g_assert_cmpint(hearth_arena_posix_memalign(&block, 4, 8), ==, EINVAL);
    g_assert_cmpint(hearth_arena_posix_memalign(&block, 24, 8), ==, EINVAL);
    g_assert_null(block);
    g_assert_cmpuint(GPOINTER_TO_SIZE(hearth_arena_valloc(10)) % 4096, ==, 0);
    block = hearth_arena_pvalloc(10);
    g_assert_cmpuint(GPOINTER_TO_SIZE(block) % 4096, ==, 0);
    g_assert_cmpuint(hearth_arena_usable_size(block), >=, 4096);
    block = hearth_arena_aligned_alloc(256, 100);
    g_assert_cmpuint(GPOINTER_TO_SIZE(block) % 256, ==, 0);
    memset(block, 1, 100);
    guint8 *moved = hearth_arena_realloc(block, 100000);
    g_assert_true(is_filled(moved, 100, 1));
}

#define CASE(path, limit, function)                                                                \
    g_test_add("/sprockets/engine/arena/" path, Fixture, GSIZE_TO_POINTER(limit), set_up,          \
               function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("model", ROOM, blocks_never_overlap_and_keep_what_is_in_them);
    CASE("again", ROOM, what_was_freed_is_used_again);
    CASE("neighbours", ROOM, large_neighbours_become_one);
    CASE("grow", ROOM, the_last_block_grows_where_it_is);
    CASE("limit", 4 * MIB, beyond_the_limit_there_is_none);
    CASE("near-the-limit", 4 * MIB, near_the_limit_larger_blocks_will_do);
    CASE("overflow", ROOM, products_that_overflow_are_refused);
    CASE("zero", ROOM, zeroed_memory_is_zero_where_others_have_been);
    CASE("foreign", ROOM, pointers_of_the_host_are_left_alone);
    CASE("twice", ROOM, freeing_twice_does_nothing);
    CASE("alignment", ROOM, alignments_that_are_none_are_refused);
    return g_test_run();
}
