#include "tests/unit/namespace/store-fixture.h"

static const HearthLedgerEntry KEY = {
    .source = "usb:1", .path = "/DCIM/\xff.JPG", .size = 3, .mtime = 1700000000};

static void an_import_is_remembered_with_its_object(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthLedgerEntry entry;
    HearthObject object;
    HearthContents *contents = hearth_store_contents(f->store);
    g_autoptr(HearthStagedContent) staged = fixture_stage(contents, "abc", 3);
    g_assert_true(hearth_contents_publish(contents, &staged, 1, &error));
    HearthNewFile file = {.path = "/p/x.jpg", .staged = staged, .mode = 0644, .ledger = &KEY};
    g_assert_true(hearth_store_add_file(f->store, &file, 0, &object, &error));
    g_clear_pointer(&staged, hearth_staged_content_free);
    store_fixture_reopen(f);
    g_assert_true(hearth_store_ledger_has(f->store, &KEY, &entry, &error));
    g_assert_cmpint(entry.ino, ==, object.ino);
    g_assert_true(hearth_content_id_equal(&entry.content, &object.content));
    g_assert_cmpint(entry.imported_ns, >, 0);
    g_assert_false(entry.removed);
    g_assert_cmpint(hearth_store_find_content(f->store, &object.content, &error), ==, object.ino);
}

static void any_part_of_the_key_tells_entries_apart(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(hearth_store_ledger_add(f->store, &KEY, &error));
    HearthLedgerEntry others[] = {KEY, KEY, KEY, KEY};
    others[0].source = "usb:2";
    others[1].path = "/DCIM/\xfe.JPG";
    others[2].size = 4;
    others[3].mtime = 1;
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_false(hearth_store_ledger_has(f->store, &others[i], NULL, &error));
        g_assert_no_error(error);
    }
    g_assert_true(hearth_store_ledger_has(f->store, &KEY, NULL, &error));
}

static void what_was_taken_off_the_device_is_marked(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthLedgerEntry entry;
    g_assert_false(hearth_store_ledger_mark_removed(f->store, &KEY, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
    g_assert_true(hearth_store_ledger_add(f->store, &KEY, &error));
    g_assert_true(hearth_store_ledger_mark_removed(f->store, &KEY, &error));
    store_fixture_reopen(f);
    g_assert_true(hearth_store_ledger_has(f->store, &KEY, &entry, &error));
    g_assert_true(entry.removed);
}

static void a_file_that_is_refused_leaves_no_entry(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthStoreCounts counts;
    store_fixture_add(f->store, "/taken", "x", NULL);
    HearthNewFile file = {.path = "/taken", .mode = 0644, .ledger = &KEY};
    g_assert_false(hearth_store_add_file(f->store, &file, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_EXISTS);
    g_assert_false(hearth_store_ledger_has(f->store, &KEY, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(hearth_store_counts(f->store, &counts, NULL));
    g_assert_cmpuint(counts.last_sequence, ==, 1);
}

static void the_ledger_outlives_the_object(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthNewFile file = {.path = "/x", .mode = 0644, .ledger = &KEY};
    g_assert_true(hearth_store_add_file(f->store, &file, 0, NULL, &error));
    g_assert_true(hearth_store_remove(f->store, HEARTH_ROOT_INO, "x", 0, 0, NULL, &error));
    g_assert_true(hearth_store_trash_empty(f->store, G_MAXINT64, NULL, &error));
    g_assert_true(hearth_store_ledger_has(f->store, &KEY, NULL, &error));
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/ledger/" path, StoreFixture, NULL, store_fixture_set_up, func,    \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("an-import-is-remembered-with-its-object", an_import_is_remembered_with_its_object);
    ADD("any-part-of-the-key-tells-entries-apart", any_part_of_the_key_tells_entries_apart);
    ADD("what-was-taken-off-the-device-is-marked", what_was_taken_off_the_device_is_marked);
    ADD("a-file-that-is-refused-leaves-no-entry", a_file_that_is_refused_leaves_no_entry);
    ADD("the-ledger-outlives-the-object", the_ledger_outlives_the_object);
    return g_test_run();
}
