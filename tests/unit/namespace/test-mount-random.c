#include "tests/unit/namespace/mount-fixture.h"

#include "gateway/base/io.h"

#include <sys/mman.h>

/* Random reads, writes, truncates and mapped writes on a file of the mount and on a buffer beside
 * it, which must always agree. In another process than the one that serves, see the fixture. */

#define SIZE_MAX_HERE (3 * 1024 * 1024) /* enough for several blocks */
#define STEPS 500

typedef struct {
    GRand *random;
    const char *path;
    int fd;
    guint8 *model;
    gsize size;
    guint8 *noise;
    guint8 *got;
} Random;

static gsize below(Random *r, gsize limit)
{
    return limit == 0 ? 0 : (gsize)g_rand_int_range(r->random, 0, (gint32)limit);
}

static void reopen(Random *r)
{
    if (r->fd >= 0)
        g_assert_cmpint(close(r->fd), ==, 0);
    r->fd = open(r->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    g_assert_cmpint(r->fd, >=, 0);
}

static void check_range(Random *r, gsize offset, gsize length)
{
    gsize there = offset < r->size ? MIN(length, r->size - offset) : 0;
    g_assert_cmpint(pread(r->fd, r->got, length, (off_t)offset), ==, there);
    g_assert_cmpint(memcmp(r->got, r->model + offset, there), ==, 0);
}

static void change_range(Random *r, gsize offset, gsize length)
{
    if (offset > r->size)
        memset(r->model + r->size, 0, offset - r->size);
    memcpy(r->model + offset, r->noise + below(r, 4096), length);
    g_assert_cmpint(pwrite(r->fd, r->model + offset, length, (off_t)offset), ==, length);
    r->size = MAX(r->size, offset + length);
}

static void set_length(Random *r, gsize size)
{
    g_assert_cmpint(ftruncate(r->fd, (off_t)size), ==, 0);
    if (size > r->size)
        memset(r->model + r->size, 0, size - r->size);
    r->size = size;
}

static void change_mapped(Random *r, gsize offset, gsize length)
{
    if (offset + length > r->size)
        return;
    guint8 *map = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    g_assert_true(map != MAP_FAILED);
    g_assert_cmpint(memcmp(map + offset, r->model + offset, length), ==, 0);
    memcpy(map + offset, r->noise, length);
    memcpy(r->model + offset, r->noise, length);
    g_assert_cmpint(munmap(map, r->size), ==, 0);
}

static void step(Random *r)
{
    gsize offset = below(r, SIZE_MAX_HERE), length = 1 + below(r, 100000);
    length = MIN(length, SIZE_MAX_HERE - offset);
    switch (below(r, 16)) {
    case 0:
        set_length(r, offset);
        break;
    case 1:
        reopen(r);
        break;
    case 2:
        g_assert_cmpint(fsync(r->fd), ==, 0);
        break;
    case 3:
    case 4:
        change_mapped(r, offset, length);
        break;
    case 5:
    case 6:
        length = MIN(length, SIZE_MAX_HERE - r->size);
        change_range(r, r->size, length); /* at the end */
        break;
    case 7:
    case 8:
    case 9:
        change_range(r, offset, length);
        break;
    default:
        check_range(r, offset, length);
    }
}

static void run_random(const char *path, guint32 seed)
{
    Random r = {g_rand_new_with_seed(seed), path, -1,
                g_malloc0(SIZE_MAX_HERE),   0,    fixture_bytes(seed, SIZE_MAX_HERE),
                g_malloc(SIZE_MAX_HERE)};
    reopen(&r);
    for (guint i = 0; i < STEPS; i++)
        step(&r);
    reopen(&r);
    check_range(&r, 0, SIZE_MAX_HERE);
    g_assert_cmpint(close(r.fd), ==, 0);
    /* What the server must find again after a restart. */
    g_autofree char *copy = g_strconcat(path, ".model", NULL);
    put(copy, r.model, r.size);
    g_rand_free(r.random);
    g_free(r.model);
    g_free(r.noise);
    g_free(r.got);
}

static void a_file_agrees_with_its_model_whatever_is_done(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    for (guint round = 0; round < 2; round++) {
        g_autofree char *seed = g_strdup_printf("%d", g_test_rand_int());
        g_autofree char *path = at(f, "file"), *copy = at(f, "file.model");
        g_test_message("seed %s", seed);
        in_another_process(seed, path);
        mount_fixture_restart(f);
        g_autofree char *bytes = NULL;
        gsize size;
        g_assert_true(g_file_get_contents(copy, &bytes, &size, NULL));
        assert_holds(path, bytes, size);
        g_assert_cmpint(unlink(path), ==, 0);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--do") == 0) {
        run_random(argv[3], (guint32)g_ascii_strtoll(argv[2], NULL, 10));
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    MOUNT_CASE("random", a_file_agrees_with_its_model_whatever_is_done);
    return g_test_run();
}
