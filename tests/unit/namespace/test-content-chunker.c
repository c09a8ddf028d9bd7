#include "tests/unit/namespace/content-fixture.h"

#include "gateway/base/error.h"
#include "namespace/block-hasher.h"
#include "namespace/chunker.h"

/* Lengths of the blocks of `bytes`, fed in pieces of `step`; (transfer full) of guint32. */
static GArray *cut(const guint8 *bytes, gsize size, gsize step)
{
    GArray *lengths = g_array_new(FALSE, FALSE, sizeof(guint32));
    HearthChunker chunker;
    hearth_chunker_init(&chunker);
    for (gsize at = 0; at < size;) {
        guint32 length;
        at += hearth_chunker_scan(&chunker, bytes + at, MIN(step, size - at), &length);
        if (length > 0)
            g_array_append_val(lengths, length);
    }
    return lengths;
}

/* These numbers are the format of contents, computed by a program of its own from the words of
 * chunker.h and block-list.h: if this test fails, the code is wrong, not the test. */
static void cut_points_are_pinned(void)
{
    static const guint32 PINNED[] = {456916,  708042, 1080343, 550116, 934406,  376672, 666474,
                                     716681,  265913, 486103,  831137, 2250340, 476759, 639307,
                                     2143109, 278479, 1371416, 648513, 550311,  668638};
    g_autofree guint8 *bytes = fixture_bytes(42, 16 * 1024 * 1024);
    g_autoptr(GArray) lengths = cut(bytes, 16 * 1024 * 1024, 1 << 20);
    g_assert_cmpmem(lengths->data, lengths->len * sizeof(guint32), PINNED, sizeof PINNED);
}

static void the_id_of_known_bytes_is_pinned(void)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    g_autofree guint8 *bytes = fixture_bytes(42, 16 * 1024 * 1024);
    g_autoptr(HearthBlockHasher) hasher = hearth_block_hasher_new();
    hearth_block_hasher_feed(hasher, bytes, 16 * 1024 * 1024);
    HearthContentId id = hearth_block_list_id(hearth_block_hasher_finish(hasher));
    g_assert_cmpstr(hearth_content_id_to_text(&id, text), ==,
                    "6145ea03d9ab3b1ddf9d13af6419c37cbe827fc320e4424d2e4806347acf90b3");
    g_autoptr(HearthBlockHasher) small = hearth_block_hasher_new();
    hearth_block_hasher_feed(small, "hello\n", 6);
    id = hearth_block_list_id(hearth_block_hasher_finish(small));
    g_assert_cmpstr(hearth_content_id_to_text(&id, text), ==,
                    "80ecd617cf7be42fe5d741d43945bf91857fd4fb029896d3fc06ece4f3868fcd");
}

static void pieces_do_not_move_the_cuts(void)
{
    gsize size = 6 * 1024 * 1024;
    g_autofree guint8 *bytes = fixture_bytes(7, size);
    g_autoptr(GArray) whole = cut(bytes, size, size);
    static const gsize STEPS[] = {1, 63, 64, 65, 4096, 262143, 262145};
    for (gsize i = 0; i < G_N_ELEMENTS(STEPS); i++) {
        g_autoptr(GArray) pieces = cut(bytes, size, STEPS[i]);
        g_assert_cmpmem(pieces->data, pieces->len * 4, whole->data, whole->len * 4);
    }
}

static void bytes_without_a_cut_end_at_the_maximum(void)
{
    gsize size = 2 * HEARTH_BLOCK_MAX + 5;
    g_autofree guint8 *bytes = g_malloc0(size);
    g_autoptr(GArray) lengths = cut(bytes, size, 100000);
    g_assert_cmpuint(lengths->len, ==, 2);
    g_assert_cmpuint(g_array_index(lengths, guint32, 0), ==, HEARTH_BLOCK_MAX);
}

static void blocks_are_a_mebibyte_on_average(void)
{
    gsize size = 64 * 1024 * 1024;
    g_autofree guint8 *bytes = fixture_bytes(9, size);
    g_autoptr(GArray) lengths = cut(bytes, size, size);
    g_assert_cmpuint(lengths->len, >, 48);
    g_assert_cmpuint(lengths->len, <, 84);
    for (guint i = 0; i < lengths->len; i++) {
        g_assert_cmpuint(g_array_index(lengths, guint32, i), >, HEARTH_BLOCK_MIN);
        g_assert_cmpuint(g_array_index(lengths, guint32, i), <=, HEARTH_BLOCK_MAX);
    }
}

static void a_list_that_is_not_the_named_one_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthBlockList) list = hearth_block_list_new();
    guint8 digest[HEARTH_CONTENT_ID_SIZE] = {1};
    hearth_block_list_append(list, 300000, digest);
    hearth_block_list_append(list, 5, digest);
    HearthContentId id = hearth_block_list_id(list);
    g_autoptr(GByteArray) data = hearth_block_list_encode(list);
    g_assert_cmpuint(data->len, ==, 2 * HEARTH_BLOCK_ENTRY_SIZE);
    g_autoptr(HearthBlockList) back = hearth_block_list_decode(data->data, data->len, &id, &error);
    g_assert_no_error(error);
    g_assert_cmpint(back->size, ==, 300005);
    g_assert_cmpuint(hearth_block_list_find(back, 299999), ==, 0);
    g_assert_cmpuint(hearth_block_list_find(back, 300000), ==, 1);
    data->data[0] ^= 1;
    g_assert_null(hearth_block_list_decode(data->data, data->len, &id, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/namespace/chunker/pinned", cut_points_are_pinned);
    g_test_add_func("/namespace/chunker/pinned-ids", the_id_of_known_bytes_is_pinned);
    g_test_add_func("/namespace/chunker/pieces", pieces_do_not_move_the_cuts);
    g_test_add_func("/namespace/chunker/maximum", bytes_without_a_cut_end_at_the_maximum);
    g_test_add_func("/namespace/chunker/average", blocks_are_a_mebibyte_on_average);
    g_test_add_func("/namespace/block-list/decode", a_list_that_is_not_the_named_one_is_refused);
    return g_test_run();
}
