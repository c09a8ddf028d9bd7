#include "tests/unit/namespace/store-fixture.h"

static gint64 ino_at(HearthStore *store, const char *path)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    hearth_store_walk(store, path, &object, &error);
    g_assert_no_error(error);
    return object.ino;
}

static gboolean is_there(HearthStore *store, const char *path)
{
    HearthObject object;
    return hearth_store_walk(store, path, &object, NULL);
}

static void trash(HearthStore *store, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(hearth_store_remove_tree(store, ino_at(store, path), 0, &error));
}

static gboolean append_trashed(const HearthTrashed *trashed, gpointer data)
{
    g_string_append_printf(data, "%s;", trashed->path);
    g_assert_cmpint(trashed->object.parent, ==, 0);
    g_assert_cmpint(trashed->trashed_ns, >, 0);
    return TRUE;
}

static char *list_trash(HearthStore *store)
{
    g_autoptr(GError) error = NULL;
    GString *paths = g_string_new(NULL);
    hearth_store_trash_list(store, append_trashed, paths, &error);
    g_assert_no_error(error);
    return g_string_free(paths, FALSE);
}

static void assert_counts(HearthStore *store, guint64 folders, guint64 files, guint64 bytes,
                          guint64 trashed)
{
    HearthStoreCounts counts;
    g_assert_true(hearth_store_counts(store, &counts, NULL));
    g_assert_cmpuint(counts.folders, ==, folders);
    g_assert_cmpuint(counts.files, ==, files);
    g_assert_cmpuint(counts.bytes, ==, bytes);
    g_assert_cmpuint(counts.trashed, ==, trashed);
}

static void a_tree_goes_and_comes_back_as_one(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    store_fixture_add(f->store, "/a/b/one.txt", "111", NULL);
    store_fixture_add(f->store, "/a/two.txt", "22", NULL);
    gint64 top = ino_at(f->store, "/a");
    trash(f->store, "/a");
    assert_counts(f->store, 0, 0, 0, 4);
    store_fixture_reopen(f);
    g_autofree char *listed = list_trash(f->store);
    g_assert_cmpstr(listed, ==, "/a;");
    g_assert_true(hearth_store_trash_restore(f->store, top, 0, &path, &error));
    g_assert_cmpstr(path, ==, "/a");
    g_assert_true(is_there(f->store, "/a/b/one.txt"));
    assert_counts(f->store, 2, 2, 5, 0);
}

static void what_was_replaced_is_in_the_trash(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 old = store_fixture_add(f->store, "/x", "old", NULL);
    store_fixture_add(f->store, "/y", "new", NULL);
    g_assert_true(hearth_store_rename(f->store, HEARTH_ROOT_INO, "y", HEARTH_ROOT_INO, "x",
                                      HEARTH_RENAME_REPLACE, 0, &error));
    g_autofree char *listed = list_trash(f->store);
    g_assert_cmpstr(listed, ==, "/x;");
    assert_counts(f->store, 0, 1, 3, 1);
    g_autofree char *path = NULL;
    g_assert_true(hearth_store_trash_restore(f->store, old, 0, &path, &error));
    g_assert_cmpstr(path, ==, "/x (restored)");
}

static void a_taken_name_gets_a_mark_before_its_extension(StoreFixture *f, gconstpointer data)
{
    static const char *const RESTORED[] = {"/a/p.jpg", "/a/p (restored).jpg",
                                           "/a/p (restored 2).jpg"};
    g_autoptr(GError) error = NULL;
    gint64 inos[3];
    for (int i = 0; i < 3; i++) {
        inos[i] = store_fixture_add(f->store, "/a/p.jpg", "x", NULL);
        trash(f->store, "/a/p.jpg");
    }
    for (int i = 0; i < 3; i++) {
        g_autofree char *path = NULL;
        g_assert_true(hearth_store_trash_restore(f->store, inos[i], 0, &path, &error));
        g_assert_cmpstr(path, ==, RESTORED[i]);
        g_assert_cmpint(ino_at(f->store, path), ==, inos[i]);
    }
}

static void a_long_taken_name_still_fits(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *stem = g_strnfill(251, 'n');
    g_autofree char *path = g_strconcat("/", stem, ".jpg", NULL);
    g_autofree char *restored = NULL;
    gint64 ino = store_fixture_add(f->store, path, "x", NULL);
    trash(f->store, path);
    store_fixture_add(f->store, path, "y", NULL);
    g_assert_true(hearth_store_trash_restore(f->store, ino, 0, &restored, &error));
    g_assert_cmpuint(strlen(restored), ==, 1 + HEARTH_NAME_MAX);
    g_assert_true(g_str_has_suffix(restored, " (restored).jpg"));
}

static void a_lost_folder_is_made_again(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    gint64 file = store_fixture_add(f->store, "/a/b/c", "x", NULL);
    trash(f->store, "/a/b/c");
    trash(f->store, "/a");
    g_assert_true(hearth_store_trash_restore(f->store, file, 0, &path, &error));
    g_assert_cmpstr(path, ==, "/a/b/c");
    g_assert_false(hearth_store_trash_restore(f->store, file, 0, &path, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
}

static void emptying_forgets_what_is_old_enough(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    guint64 count = 0;
    for (int i = 0; i < 300; i++) {
        g_autofree char *path = g_strdup_printf("/deep/er/%d", i);
        store_fixture_add(f->store, path, path, NULL);
    }
    trash(f->store, "/deep");
    gint64 between = hearth_store_now_ns() + 1;
    g_usleep(1000);
    store_fixture_add(f->store, "/late", "x", NULL);
    trash(f->store, "/late");
    g_assert_true(hearth_store_trash_empty(f->store, between, &count, &error));
    g_assert_cmpuint(count, ==, 302);
    g_autofree char *listed = list_trash(f->store);
    g_assert_cmpstr(listed, ==, "/late;");
    assert_counts(f->store, 0, 0, 0, 1);
}

static void an_unlinked_file_can_still_be_written(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 ino = store_fixture_make(f->store, HEARTH_ROOT_INO, "open", HEARTH_KIND_FILE);
    g_assert_true(hearth_store_remove(f->store, HEARTH_ROOT_INO, "open", 0, 0, NULL, &error));
    HearthObject object = store_fixture_write(f->store, ino, "last words");
    g_assert_cmpint(object.size, ==, 10);
    assert_counts(f->store, 0, 0, 0, 1);
    g_assert_true(hearth_store_trash_restore(f->store, ino, 0, NULL, &error));
    assert_counts(f->store, 0, 1, 10, 0);
}

/* --- History --- */

static gboolean append_version(const HearthVersion *version, gpointer data)
{
    g_string_append_printf(data, "%" G_GUINT64_FORMAT ":%" G_GINT64_FORMAT " ", version->version,
                           version->size);
    g_assert_cmpint(version->made_ns, >, 0);
    return TRUE;
}

static char *history(HearthStore *store, gint64 ino)
{
    g_autoptr(GError) error = NULL;
    GString *versions = g_string_new(NULL);
    hearth_store_history(store, ino, append_version, versions, &error);
    g_assert_no_error(error);
    return g_string_free(versions, FALSE);
}

static void bytes_that_are_not_there_any_more_are_not_replaced(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject first, second, third;
    gint64 ino = store_fixture_make(f->store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    store_fixture_write(f->store, ino, "1");
    g_assert_true(hearth_store_get(f->store, ino, &first, NULL));
    store_fixture_write(f->store, ino, "22");
    g_assert_false(
        hearth_store_replace_content(f->store, ino, &first.content, NULL, 1, 0, &third, &error));
    assert_fails(error, HEARTH_ERROR_CONFLICT);
    g_assert_true(hearth_store_get(f->store, ino, &second, NULL));
    g_assert_cmpint(second.size, ==, 2);
    g_assert_true(
        hearth_store_replace_content(f->store, ino, &second.content, NULL, 1, 0, &third, &error));
    g_assert_no_error(error);
    g_assert_cmpint(third.size, ==, 0);
}

static void each_change_of_the_bytes_is_a_version(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    gint64 ino = store_fixture_make(f->store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    store_fixture_write(f->store, ino, "1");
    store_fixture_write(f->store, ino, "22");
    store_fixture_write(f->store, ino, "22");
    g_assert_true(hearth_store_commit_content(f->store, ino, NULL, 1, 0, 0, &object, &error));
    g_assert_cmpint(object.size, ==, 0);
    g_autofree char *before = history(f->store, ino);
    g_assert_cmpstr(before, ==, "3:0 2:2 1:1 ");
    g_assert_true(hearth_store_restore(f->store, ino, 1, 0, &object, &error));
    g_assert_cmpint(object.size, ==, 1);
    g_assert_cmpuint(object.version, ==, 4);
    g_assert_false(hearth_store_restore(f->store, ino, 9, 0, &object, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
    store_fixture_reopen(f);
    g_autofree char *after = history(f->store, ino);
    g_assert_cmpstr(after, ==, "4:1 3:0 2:2 1:1 ");
}

static void a_long_history_is_told_whole(StoreFixture *f, gconstpointer data)
{
    gint64 ino = store_fixture_make(f->store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 150; i++) {
        g_string_append_c(text, 'x');
        store_fixture_write(f->store, ino, text->str);
    }
    g_autofree char *told = history(f->store, ino);
    g_assert_true(g_str_has_prefix(told, "150:150 149:149 "));
    g_assert_true(g_str_has_suffix(told, " 2:2 1:1 "));
}

static void new_bytes_drop_the_attributes_of_the_old(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    const char *text = "{'audio.track': <uint32 7>, 'exposure.time': <0.25>,"
                       " 'text.keywords': <['b', 'a']>, 'text.title': <'T\xc3\xadtulo'>}";
    g_autoptr(GVariant) given = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    gint64 ino = store_fixture_add(f->store, "/f", "x", given);
    store_fixture_reopen(f);
    g_autoptr(GVariant) kept = hearth_store_attributes(f->store, ino, &error);
    g_autoptr(GVariantDict) dict = g_variant_dict_new(kept);
    guint32 track;
    double exposure;
    const char *title;
    g_auto(GStrv) keywords = NULL;
    g_assert_true(g_variant_dict_lookup(dict, "audio.track", "u", &track));
    g_assert_true(g_variant_dict_lookup(dict, "exposure.time", "d", &exposure));
    g_assert_true(g_variant_dict_lookup(dict, "text.title", "&s", &title));
    g_assert_true(g_variant_dict_lookup(dict, "text.keywords", "^as", &keywords));
    g_assert_cmpuint(track, ==, 7);
    g_assert_cmpfloat(exposure, ==, 0.25);
    g_assert_cmpstr(title, ==, "T\xc3\xadtulo");
    g_assert_cmpstr(keywords[0], ==, "b");
    g_assert_cmpuint(g_strv_length(keywords), ==, 2);
    store_fixture_write(f->store, ino, "y");
    g_autoptr(GVariant) none = hearth_store_attributes(f->store, ino, &error);
    g_assert_cmpuint(g_variant_n_children(none), ==, 0);
}

static void attributes_of_other_types_are_refused(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 ino = store_fixture_add(f->store, "/f", "x", NULL);
    g_autoptr(GVariant) bad =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, "{'k': <true>}", NULL, NULL, NULL);
    g_assert_false(hearth_store_set_attributes(f->store, ino, bad, &error));
    assert_fails(error, HEARTH_ERROR_INVALID);
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/" path, StoreFixture, NULL, store_fixture_set_up, func,           \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("trash/a-tree-goes-and-comes-back-as-one", a_tree_goes_and_comes_back_as_one);
    ADD("trash/what-was-replaced-is-in-the-trash", what_was_replaced_is_in_the_trash);
    ADD("trash/a-taken-name-gets-a-mark-before-its-extension",
        a_taken_name_gets_a_mark_before_its_extension);
    ADD("trash/a-long-taken-name-still-fits", a_long_taken_name_still_fits);
    ADD("trash/a-lost-folder-is-made-again", a_lost_folder_is_made_again);
    ADD("trash/emptying-forgets-what-is-old-enough", emptying_forgets_what_is_old_enough);
    ADD("trash/an-unlinked-file-can-still-be-written", an_unlinked_file_can_still_be_written);
    ADD("history/changed-bytes-are-not-replaced",
        bytes_that_are_not_there_any_more_are_not_replaced);
    ADD("history/each-change-of-the-bytes-is-a-version", each_change_of_the_bytes_is_a_version);
    ADD("history/a-long-history-is-told-whole", a_long_history_is_told_whole);
    ADD("attributes/new-bytes-drop-the-attributes-of-the-old",
        new_bytes_drop_the_attributes_of_the_old);
    ADD("attributes/other-types-are-refused", attributes_of_other_types_are_refused);
    return g_test_run();
}
