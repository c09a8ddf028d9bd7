#include "tests/unit/namespace/content-fixture.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/chunker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static guint files_in(const char *folder)
{
    guint count = 0;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    while (dir != NULL && g_dir_read_name(dir) != NULL)
        count++;
    return count;
}

static void assert_reads_back(HearthContents *contents, const HearthContentId *id,
                              const guint8 *bytes, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthContentReader) reader = hearth_contents_read(contents, id, &error);
    g_assert_no_error(error);
    g_assert_cmpint(hearth_content_reader_size(reader), ==, size);
    g_autofree guint8 *got = g_malloc(size + 1);
    g_assert_cmpint(hearth_content_reader_read(reader, got, size + 1, 0, &error), ==, size);
    g_assert_no_error(error);
    g_assert_cmpmem(got, size, bytes, size);
    g_assert_cmpint(hearth_content_reader_read(reader, got, 1, (gint64)size, &error), ==, 0);
}

static void every_size_comes_back_as_it_went(ContentFixture *f, gconstpointer data)
{
    static const gsize SIZES[] = {0,
                                  1,
                                  4095,
                                  HEARTH_BLOCK_MIN - 1,
                                  HEARTH_BLOCK_MIN,
                                  HEARTH_BLOCK_MIN + 1,
                                  HEARTH_BLOCK_MAX,
                                  HEARTH_BLOCK_MAX + 1,
                                  9 * 1024 * 1024 + 7};
    g_autofree guint8 *bytes = fixture_bytes(1, 10 * 1024 * 1024);
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        g_autoptr(GError) error = NULL;
        HearthContentId id = fixture_store(f->contents, bytes, SIZES[i]);
        g_assert_cmpint(hearth_content_id_is_none(&id), ==, SIZES[i] == 0);
        assert_reads_back(f->contents, &id, bytes, SIZES[i]);
        g_assert_true(hearth_contents_verify(f->contents, &id, NULL, NULL, &error));
        g_assert_no_error(error);
        if (SIZES[i] == 0)
            continue;
        struct stat status;
        g_autofree char *path = fixture_path(f, &id);
        g_assert_cmpint(stat(path, &status), ==, 0);
        g_assert_cmpint(status.st_mode & 07777, ==, 0440);
        g_assert_cmpint(status.st_size, ==, SIZES[i]);
    }
    g_autofree char *spool = g_build_filename(f->state, "spool", NULL);
    g_assert_cmpuint(files_in(spool), ==, 0);
}

static void the_way_of_writing_does_not_change_the_id(ContentFixture *f, gconstpointer data)
{
    gsize size = 6 * 1024 * 1024 + 11;
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *bytes = fixture_bytes(2, size);
    HearthContentId whole = fixture_store(f->contents, bytes, size);
    g_autoptr(HearthContentWriter) writer = hearth_content_writer_new(f->contents, -1, &error);
    for (gsize at = 0, step = 1; at < size; at += step, step = step * 3 % 100003) {
        step = MIN(step, size - at);
        g_assert_true(hearth_content_writer_write(writer, bytes + at, step, &error));
    }
    g_autoptr(HearthStagedContent) staged = hearth_content_writer_finish(writer, &error);
    g_assert_true(hearth_content_id_equal(hearth_staged_content_id(staged), &whole));
    g_assert_true(hearth_staged_content_was_known(staged));
    g_autofree char *path = fixture_path(f, &whole);
    hearth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(HearthContentWriter) copier = hearth_content_writer_new(f->contents, -1, &error);
    g_assert_true(hearth_content_writer_write_fd(copier, fd, 100, NULL, &error));
    g_assert_cmpint(hearth_content_writer_size(copier), ==, 100);
    g_assert_true(hearth_content_writer_write_fd(copier, fd, -1, NULL, &error));
    g_autoptr(HearthStagedContent) copied = hearth_content_writer_finish(copier, &error);
    g_assert_true(hearth_content_id_equal(hearth_staged_content_id(copied), &whole));
}

/* Any order of writes must give the id that the resulting bytes have when written at once. */
static void writing_anywhere_gives_the_id_of_the_result(ContentFixture *f, gconstpointer data)
{
    gsize size = 5 * 1024 * 1024;
    for (guint round = 0; round < 12; round++) {
        g_autoptr(GError) error = NULL;
        g_autofree guint8 *bytes = fixture_bytes(100, size), *noise = fixture_bytes(round, size);
        HearthContentId base = fixture_store(f->contents, bytes, size);
        g_autoptr(HearthContentReader) reader = hearth_contents_read(f->contents, &base, &error);
        g_autoptr(HearthContentWriter) writer =
            hearth_content_writer_new_from(f->contents, reader, (gint64)size, &error);
        g_assert_no_error(error);
        for (guint i = 0; i < round; i++) {
            gsize at = (gsize)g_test_rand_int_range(0, (gint32)size - 70000);
            gsize length = (gsize)g_test_rand_int_range(1, 70000);
            g_assert_true(
                hearth_content_writer_pwrite(writer, noise + at, length, (gint64)at, &error));
            memcpy(bytes + at, noise + at, length);
        }
        gsize end = size - 300000 * (round % 3);
        g_assert_true(hearth_content_writer_truncate(writer, (gint64)end, &error));
        g_autoptr(HearthStagedContent) staged = hearth_content_writer_finish(writer, &error);
        g_assert_no_error(error);
        g_autoptr(HearthStagedContent) plain = fixture_stage(f->contents, bytes, end);
        g_assert_true(hearth_content_id_equal(hearth_staged_content_id(staged),
                                              hearth_staged_content_id(plain)));
        g_assert_true(hearth_contents_publish(f->contents, &staged, 1, &error));
        HearthContentId id = *hearth_staged_content_id(staged);
        assert_reads_back(f->contents, &id, bytes, end);
    }
}

static void a_hole_reads_as_zeros(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gsize size = 3 * 1024 * 1024;
    g_autofree guint8 *bytes = g_malloc0(size);
    memcpy(bytes + size - 3, "end", 3);
    g_autoptr(HearthContentWriter) writer = hearth_content_writer_new(f->contents, -1, &error);
    g_assert_true(hearth_content_writer_pwrite(writer, "end", 3, (gint64)size - 3, &error));
    g_autoptr(HearthStagedContent) staged = hearth_content_writer_finish(writer, &error);
    g_autoptr(HearthStagedContent) plain = fixture_stage(f->contents, bytes, size);
    g_assert_true(
        hearth_content_id_equal(hearth_staged_content_id(staged), hearth_staged_content_id(plain)));
}

static void an_edit_at_the_start_keeps_the_other_blocks(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gsize size = 12 * 1024 * 1024;
    g_autofree guint8 *bytes = fixture_bytes(3, size), *longer = g_malloc(size + 1000);
    memset(longer, 'x', 1000);
    memcpy(longer + 1000, bytes, size);
    HearthContentId a = fixture_store(f->contents, bytes, size);
    HearthContentId b = fixture_store(f->contents, longer, size + 1000);
    g_autoptr(HearthBlockList) of_a = hearth_contents_blocks(f->contents, &a, &error);
    g_autoptr(HearthBlockList) of_b = hearth_contents_blocks(f->contents, &b, &error);
    guint count = hearth_block_list_count(of_a);
    g_assert_cmpuint(count, >, 4);
    g_assert_cmpuint(hearth_block_list_count(of_b), ==, count);
    for (guint i = 1; i < count; i++)
        g_assert_cmpmem(hearth_block_list_get(of_a, i)->digest, HEARTH_CONTENT_ID_SIZE,
                        hearth_block_list_get(of_b, i)->digest, HEARTH_CONTENT_ID_SIZE);
}

static gboolean collect(const HearthContentId *id, gint64 size, gpointer data)
{
    g_array_append_val((GArray *)data, *id);
    return TRUE;
}

static void contents_are_listed_in_order_and_in_parts(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(HearthContentId));
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(HearthContentId));
    for (guint i = 1; i <= 300; i++)
        fixture_store(f->contents, &i, sizeof i);
    g_assert_true(hearth_contents_enumerate(f->contents, NULL, 0, collect, all, &error));
    g_assert_cmpuint(all->len, ==, 300);
    for (guint before = 0; parts->len < 300; before = parts->len) {
        HearthContentId after = {{0}};
        if (before > 0)
            after = g_array_index(parts, HearthContentId, before - 1);
        g_assert_true(hearth_contents_enumerate(f->contents, before > 0 ? &after : NULL, 7, collect,
                                                parts, &error));
        g_assert_cmpuint(parts->len, ==, MIN(before + 7, 300));
    }
    g_assert_cmpmem(all->data, all->len * sizeof(HearthContentId), parts->data,
                    parts->len * sizeof(HearthContentId));
}

static gboolean say_yes(const HearthContentId *id, gpointer data)
{
    ++*(guint *)data;
    return TRUE;
}

static void what_is_staged_is_never_deleted(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    guint asked = 0;
    gint64 size;
    gboolean deleted;
    HearthContentId id = fixture_store(f->contents, "abc", 3);
    HearthStagedContent *again = fixture_stage(f->contents, "abc", 3);
    g_assert_true(hearth_staged_content_was_known(again));
    g_assert_true(hearth_contents_delete(f->contents, &id, say_yes, &asked, &deleted, &error));
    g_assert_false(deleted);
    g_assert_cmpuint(asked, ==, 0);
    g_assert_true(hearth_contents_stat(f->contents, &id, &size, &error));
    hearth_staged_content_free(again);
    g_assert_true(hearth_contents_delete(f->contents, &id, say_yes, &asked, &deleted, &error));
    g_assert_true(deleted);
    g_assert_false(hearth_contents_stat(f->contents, &id, &size, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
}

static void a_large_batch_is_stored_as_a_small_one_is(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthStagedContent *staged[40];
    g_autofree guint8 *bytes = fixture_bytes(4, 400000);
    for (gsize i = 0; i < G_N_ELEMENTS(staged); i++)
        staged[i] = fixture_stage(f->contents, bytes + i, i % 2 ? 350000 : 1000 + i % 4);
    g_assert_true(hearth_contents_publish(f->contents, staged, G_N_ELEMENTS(staged), &error));
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(staged); i++) {
        assert_reads_back(f->contents, hearth_staged_content_id(staged[i]), bytes + i,
                          (gsize)hearth_staged_content_size(staged[i]));
        hearth_staged_content_free(staged[i]);
    }
    g_autofree char *spool = g_build_filename(f->state, "spool", NULL);
    g_assert_cmpuint(files_in(spool), ==, 0);
}

static void what_is_left_in_the_spool_goes_at_the_next_open(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *spool = g_build_filename(f->state, "spool", NULL);
    g_autofree char *left = g_build_filename(spool, "00000099", NULL);
    g_assert_true(g_file_set_contents(left, "half", 4, NULL));
    HearthContents *second = hearth_contents_open(f->state, &error);
    g_assert_cmpuint(files_in(spool), ==,
                     1); /* the first holds the spool: nothing is taken from it */
    hearth_contents_close(second);
    hearth_contents_close(f->contents);
    f->contents = hearth_contents_open(f->state, &error);
    g_assert_cmpuint(files_in(spool), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define CASE(name, func)                                                                           \
    g_test_add("/namespace/content/" name, ContentFixture, NULL, fixture_set_up, func,             \
               fixture_tear_down)
    CASE("every-size", every_size_comes_back_as_it_went);
    CASE("way-of-writing", the_way_of_writing_does_not_change_the_id);
    CASE("writing-anywhere", writing_anywhere_gives_the_id_of_the_result);
    CASE("holes", a_hole_reads_as_zeros);
    CASE("shared-blocks", an_edit_at_the_start_keeps_the_other_blocks);
    CASE("listing", contents_are_listed_in_order_and_in_parts);
    CASE("pins", what_is_staged_is_never_deleted);
    CASE("large-batch", a_large_batch_is_stored_as_a_small_one_is);
    CASE("spool-cleaned", what_is_left_in_the_spool_goes_at_the_next_open);
    return g_test_run();
}
