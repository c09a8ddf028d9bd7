#include "tests/unit/namespace/content-fixture.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (6 * 1024 * 1024)

/* Changes one bit of a stored file, as a bad disk would. */
static void flip_bit(const char *path, gint64 offset)
{
    guint8 byte;
    g_assert_cmpint(chmod(path, 0640), ==, 0);
    hearth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(pread(fd, &byte, 1, offset), ==, 1);
    byte ^= 4;
    g_assert_cmpint(pwrite(fd, &byte, 1, offset), ==, 1);
    g_assert_cmpint(fdatasync(fd), ==, 0);
}

/* Offset in the middle of block `index`. */
static gint64 inside(ContentFixture *f, const HearthContentId *id, guint index)
{
    g_autoptr(HearthBlockList) list = hearth_contents_blocks(f->contents, id, NULL);
    const HearthBlock *block = hearth_block_list_get(list, index);
    return (gint64)block->offset + block->length / 2;
}

static gboolean reads(ContentFixture *f, const HearthContentId *id, gint64 offset, GError **error)
{
    char byte;
    g_autoptr(HearthContentReader) reader = hearth_contents_read(f->contents, id, error);
    return reader != NULL && hearth_content_reader_read(reader, &byte, 1, offset, error) == 1;
}

static void a_flipped_bit_fails_the_read_of_its_block_alone(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *bytes = fixture_bytes(5, SIZE);
    HearthContentId id = fixture_store(f->contents, bytes, SIZE);
    g_autofree char *path = fixture_path(f, &id);
    gint64 bad = inside(f, &id, 1);
    flip_bit(path, bad);
    g_assert_true(reads(f, &id, inside(f, &id, 0), &error));
    g_assert_false(reads(f, &id, bad - 1000, &error)); /* anywhere in the block */
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    g_clear_error(&error);
    g_assert_true(reads(f, &id, inside(f, &id, 2), &error));
    g_assert_true(hearth_contents_is_bad(f->contents, &id, NULL));
}

static void a_block_that_went_bad_after_its_check_is_found_by_verify(ContentFixture *f,
                                                                     gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *bytes = fixture_bytes(6, SIZE);
    HearthContentId id = fixture_store(f->contents, bytes, SIZE);
    g_autofree char *path = fixture_path(f, &id);
    gint64 bad = inside(f, &id, 2), found = -1, marked = -1;
    g_assert_true(reads(f, &id, bad, &error));
    flip_bit(path, bad);
    g_assert_true(reads(f, &id, bad, &error)); /* once checked it is trusted */
    g_assert_false(hearth_contents_verify(f->contents, &id, NULL, &found, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    g_clear_error(&error);
    g_autoptr(HearthBlockList) list = hearth_contents_blocks(f->contents, &id, NULL);
    g_assert_cmpint(found, ==, hearth_block_list_get(list, 2)->offset);
    g_assert_false(reads(f, &id, bad, &error)); /* no longer */
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    g_clear_error(&error);
    hearth_contents_close(f->contents);
    f->contents = hearth_contents_open(f->state, &error);
    g_assert_true(hearth_contents_is_bad(f->contents, &id, &marked));
    g_assert_cmpint(marked, ==, found);
    flip_bit(path, bad);
    g_assert_false(reads(f, &id, bad, &error)); /* whole again, but nobody has verified it */
    g_clear_error(&error);
    g_assert_true(hearth_contents_verify(f->contents, &id, NULL, NULL, &error));
    g_assert_false(hearth_contents_is_bad(f->contents, &id, NULL));
    g_assert_true(reads(f, &id, bad, &error));
}

static void a_small_damaged_content_is_found_as_well(ContentFixture *f, gconstpointer data)
{
    static const gsize SIZES[] = {5, 200000, 262145};
    g_autofree guint8 *bytes = fixture_bytes(7, 262145);
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        g_autoptr(GError) error = NULL;
        HearthContentId id = fixture_store(f->contents, bytes, SIZES[i]);
        g_autofree char *path = fixture_path(f, &id);
        flip_bit(path, (gint64)SIZES[i] - 1);
        g_assert_false(reads(f, &id, 0, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
        g_clear_error(&error);
        g_assert_false(hearth_contents_verify(f->contents, &id, NULL, NULL, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    }
}

static void storing_it_again_repairs_a_damaged_content(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *bytes = fixture_bytes(8, SIZE);
    HearthContentId id = fixture_store(f->contents, bytes, SIZE);
    g_autofree char *path = fixture_path(f, &id);
    flip_bit(path, 100);
    g_assert_false(reads(f, &id, 0, NULL));
    g_autoptr(HearthStagedContent) staged = fixture_stage(f->contents, bytes, SIZE);
    g_assert_false(hearth_staged_content_was_known(staged));
    g_assert_true(hearth_contents_publish(f->contents, &staged, 1, &error));
    g_assert_true(reads(f, &id, 0, &error));
    g_assert_true(hearth_contents_verify(f->contents, &id, NULL, NULL, &error));
    g_assert_no_error(error);
}

static void a_content_cut_short_is_stored_anew(ContentFixture *f, gconstpointer data)
{
    static const gsize SIZES[] = {1000, SIZE};
    g_autofree guint8 *bytes = fixture_bytes(9, SIZE);
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        g_autoptr(GError) error = NULL;
        HearthContentId id = fixture_store(f->contents, bytes, SIZES[i]);
        g_autofree char *path = fixture_path(f, &id);
        g_assert_cmpint(chmod(path, 0640), ==, 0);
        g_assert_cmpint(truncate(path, (off_t)SIZES[i] - 10), ==, 0);
        g_assert_false(reads(f, &id, (gint64)SIZES[i] - 11, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
        g_clear_error(&error);
        fixture_store(f->contents, bytes, SIZES[i]);
        g_assert_true(reads(f, &id, (gint64)SIZES[i] - 1, &error));
        g_assert_no_error(error);
    }
}

static void a_lost_or_torn_list_is_made_anew(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *bytes = fixture_bytes(10, SIZE);
    HearthContentId id = fixture_store(f->contents, bytes, SIZE);
    g_autofree char *path = fixture_path(f, &id), *whole = NULL, *again = NULL;
    g_autofree char *list = g_strconcat(path, ".blocks", NULL);
    gsize length, length_again;
    g_assert_true(g_file_get_contents(list, &whole, &length, NULL));
    for (guint torn = 0; torn < 2; torn++) {
        g_clear_pointer(&again, g_free);
        g_assert_cmpint(g_unlink(list), ==, 0);
        if (torn)
            g_assert_true(g_file_set_contents(list, whole, 50, NULL));
        g_assert_true(hearth_contents_verify(f->contents, &id, NULL, NULL, &error));
        g_assert_true(g_file_get_contents(list, &again, &length_again, NULL));
        g_assert_cmpmem(again, length_again, whole, length);
    }
    g_assert_cmpint(g_unlink(list), ==, 0);
    hearth_contents_close(f->contents);
    f->contents = hearth_contents_open(f->state, &error);
    g_assert_true(reads(f, &id, SIZE - 1, &error));
    g_assert_true(g_file_test(list, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define CASE(name, func)                                                                           \
    g_test_add("/namespace/content-damage/" name, ContentFixture, NULL, fixture_set_up, func,      \
               fixture_tear_down)
    CASE("flipped-bit", a_flipped_bit_fails_the_read_of_its_block_alone);
    CASE("found-by-verify", a_block_that_went_bad_after_its_check_is_found_by_verify);
    CASE("small", a_small_damaged_content_is_found_as_well);
    CASE("repair", storing_it_again_repairs_a_damaged_content);
    CASE("cut-short", a_content_cut_short_is_stored_anew);
    CASE("list", a_lost_or_torn_list_is_made_anew);
    return g_test_run();
}
