#include "tests/unit/namespace/store-fixture.h"

static void makes_finds_and_lists_objects(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    gint64 folder = store_fixture_make(f->store, HEARTH_ROOT_INO, "folder", HEARTH_KIND_FOLDER);
    gint64 file = store_fixture_make(f->store, folder, "b", HEARTH_KIND_FILE);
    gint64 link = store_fixture_make(f->store, folder, "a", HEARTH_KIND_SYMLINK);
    g_assert_true(hearth_store_lookup(f->store, folder, "b", &object, &error));
    g_assert_cmpint(object.ino, ==, file);
    g_assert_cmpint(object.kind, ==, HEARTH_KIND_FILE);
    g_assert_true(hearth_store_walk(f->store, "/folder/a", &object, &error));
    g_assert_cmpint(object.ino, ==, link);
    g_autofree char *target = hearth_store_readlink(f->store, link, &error);
    g_assert_cmpstr(target, ==, "where/it/goes");
    g_autofree char *path = hearth_store_path(f->store, file, &error);
    g_assert_cmpstr(path, ==, "/folder/b");
    g_autofree char *names = store_fixture_names(f->store, folder);
    g_assert_cmpstr(names, ==, "b a");
    g_autoptr(GString) sorted = g_string_new(NULL);
    hearth_store_list_by_name(f->store, folder, NULL, store_fixture_append_name, sorted, &error);
    g_assert_cmpstr(sorted->str, ==, "a b");
}

static void keeps_everything_over_a_reopen(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject before, after;
    HearthStoreCounts counts;
    gint64 ino = store_fixture_add(f->store, "/a/b/c.txt", "hello", NULL);
    g_assert_true(hearth_store_get(f->store, ino, &before, &error));
    store_fixture_reopen(f);
    g_assert_true(hearth_store_walk(f->store, "/a/b/c.txt", &after, &error));
    g_assert_cmpmem(&before, sizeof before, &after, sizeof after);
    g_assert_cmpint(after.size, ==, 5);
    g_assert_cmpuint(after.version, ==, 1);
    hearth_store_counts(f->store, &counts, &error);
    g_assert_cmpuint(counts.folders, ==, 2);
    g_assert_cmpuint(counts.files, ==, 1);
    g_assert_cmpuint(counts.bytes, ==, 5);
    g_assert_cmpuint(counts.last_sequence, ==, 3);
    gint64 next = store_fixture_make(f->store, HEARTH_ROOT_INO, "next", HEARTH_KIND_FILE);
    g_assert_cmpint(next, >, ino);
}

static void refuses_what_is_no_name(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *longest = g_strnfill(255, 'x');
    g_autofree char *longer = g_strnfill(256, 'x');
    HearthNewObject file = {.kind = HEARTH_KIND_FILE};
    static const char *const BAD[] = {"", ".", "..", "a/b", "/"};
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_assert_false(
            hearth_store_create(f->store, HEARTH_ROOT_INO, BAD[i], &file, 0, NULL, &error));
        assert_fails(error, HEARTH_ERROR_INVALID);
    }
    g_assert_false(hearth_store_create(f->store, HEARTH_ROOT_INO, longer, &file, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NAME_TOO_LONG);
    g_assert_true(hearth_store_create(f->store, HEARTH_ROOT_INO, longest, &file, 0, NULL, &error));
}

static void keeps_odd_names_as_given(StoreFixture *f, gconstpointer data)
{
    static const char *const NAMES[] = {
        "\xff\xfe", "e\xcc\x81", "\xc3\xa9",     "A",    "a",    "new\nline", "...",
        " ",        "-rf",       "caf\xc3\xa9'", "%s%n", "\x01",
    };
    g_autoptr(GError) error = NULL;
    gint64 inos[G_N_ELEMENTS(NAMES)];
    HearthObject object;
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
        inos[i] = store_fixture_make(f->store, HEARTH_ROOT_INO, NAMES[i], HEARTH_KIND_FILE);
    store_fixture_reopen(f);
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_assert_true(hearth_store_lookup(f->store, HEARTH_ROOT_INO, NAMES[i], &object, &error));
        g_assert_cmpint(object.ino, ==, inos[i]);
        g_autofree char *path = hearth_store_path(f->store, inos[i], &error);
        g_assert_cmpstr(path + 1, ==, NAMES[i]);
    }
}

/* What stands in the tree of the table of renames: folders D/, D/sub/, empty E/, files f and g. */
typedef struct {
    const char *from, *to; /* paths, at most one folder deep */
    HearthRename how;
    int code;         /* -1: succeeds */
    const char *root; /* names at the root afterwards, by name */
} RenameCase;

static const RenameCase RENAMES[] = {
    {"f", "h", HEARTH_RENAME_REPLACE, -1, "D E g h"},
    {"f", "g", HEARTH_RENAME_REPLACE, -1, "D E g"},
    {"f", "f", HEARTH_RENAME_REPLACE, -1, "D E f g"},
    {"f", "f", HEARTH_RENAME_NO_REPLACE, HEARTH_ERROR_EXISTS, "D E f g"},
    {"f", "g", HEARTH_RENAME_NO_REPLACE, HEARTH_ERROR_EXISTS, "D E f g"},
    {"f", "h", HEARTH_RENAME_NO_REPLACE, -1, "D E g h"},
    {"f", "g", HEARTH_RENAME_EXCHANGE, -1, "D E f g"},
    {"f", "h", HEARTH_RENAME_EXCHANGE, HEARTH_ERROR_NOT_FOUND, "D E f g"},
    {"f", "D/f", HEARTH_RENAME_REPLACE, -1, "D E g"},
    {"none", "h", HEARTH_RENAME_REPLACE, HEARTH_ERROR_NOT_FOUND, "D E f g"},
    {"f", "D", HEARTH_RENAME_REPLACE, HEARTH_ERROR_IS_DIRECTORY, "D E f g"},
    {"f", "E", HEARTH_RENAME_REPLACE, HEARTH_ERROR_IS_DIRECTORY, "D E f g"},
    {"D", "f", HEARTH_RENAME_REPLACE, HEARTH_ERROR_NOT_DIRECTORY, "D E f g"},
    {"D", "E", HEARTH_RENAME_REPLACE, -1, "E f g"},
    {"E", "D", HEARTH_RENAME_REPLACE, HEARTH_ERROR_NOT_EMPTY, "D E f g"},
    {"D", "D/x", HEARTH_RENAME_REPLACE, HEARTH_ERROR_LOOP, "D E f g"},
    {"D", "D/sub", HEARTH_RENAME_REPLACE, HEARTH_ERROR_LOOP, "D E f g"},
    {"D/sub", "D", HEARTH_RENAME_REPLACE, HEARTH_ERROR_NOT_EMPTY, "D E f g"},
    {"D", "D/sub", HEARTH_RENAME_EXCHANGE, HEARTH_ERROR_LOOP, "D E f g"},
    {"D/sub", "D", HEARTH_RENAME_EXCHANGE, HEARTH_ERROR_LOOP, "D E f g"},
    {"D", "f", HEARTH_RENAME_EXCHANGE, -1, "D E f g"},
    {"E", "D/sub", HEARTH_RENAME_EXCHANGE, -1, "D E f g"},
    {"D/sub", "s", HEARTH_RENAME_REPLACE, -1, "D E f g s"},
    {"f", "..", HEARTH_RENAME_REPLACE, HEARTH_ERROR_INVALID, "D E f g"},
};

static gint64 parent_of(HearthStore *store, const char *path, const char **ret_name)
{
    HearthObject folder = {.ino = HEARTH_ROOT_INO};
    const char *slash = strchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    if (slash)
        g_assert_true(hearth_store_lookup(store, HEARTH_ROOT_INO, "D", &folder, NULL));
    return folder.ino;
}

static void run_rename(const RenameCase *c)
{
    StoreFixture f;
    g_autoptr(GError) error = NULL;
    const char *from, *to;
    HearthObject source, moved;
    store_fixture_set_up(&f, NULL);
    gint64 folder = store_fixture_make(f.store, HEARTH_ROOT_INO, "D", HEARTH_KIND_FOLDER);
    store_fixture_make(f.store, folder, "sub", HEARTH_KIND_FOLDER);
    store_fixture_make(f.store, HEARTH_ROOT_INO, "E", HEARTH_KIND_FOLDER);
    store_fixture_make(f.store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    store_fixture_make(f.store, HEARTH_ROOT_INO, "g", HEARTH_KIND_FILE);
    gint64 parent = parent_of(f.store, c->from, &from);
    gint64 new_parent = parent_of(f.store, c->to, &to);
    gboolean known = hearth_store_lookup(f.store, parent, from, &source, NULL);
    g_assert_cmpint(hearth_store_rename(f.store, parent, from, new_parent, to, c->how, 0, &error),
                    ==, c->code == -1);
    if (c->code != -1)
        assert_fails(error, c->code);
    else if (known && hearth_store_lookup(f.store, new_parent, to, &moved, NULL))
        g_assert_cmpint(moved.ino, ==, source.ino);
    g_autoptr(GString) names = g_string_new(NULL);
    hearth_store_list_by_name(f.store, HEARTH_ROOT_INO, NULL, store_fixture_append_name, names,
                              &error);
    g_assert_cmpstr(names->str, ==, c->root);
    store_fixture_tear_down(&f, NULL);
}

static void renames_as_posix_says(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(RENAMES); i++) {
        g_test_message("%s -> %s (%d)", RENAMES[i].from, RENAMES[i].to, RENAMES[i].how);
        run_rename(&RENAMES[i]);
    }
}

static void removes_only_what_fits(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthStoreCounts counts;
    HearthObject gone;
    gint64 folder = store_fixture_make(f->store, HEARTH_ROOT_INO, "d", HEARTH_KIND_FOLDER);
    gint64 file = store_fixture_make(f->store, folder, "f", HEARTH_KIND_FILE);
    g_assert_false(
        hearth_store_remove(f->store, HEARTH_ROOT_INO, "d", HEARTH_KIND_FOLDER, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NOT_EMPTY);
    g_assert_false(
        hearth_store_remove(f->store, HEARTH_ROOT_INO, "d", HEARTH_KIND_FILE, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_IS_DIRECTORY);
    g_assert_false(hearth_store_remove(f->store, folder, "f", HEARTH_KIND_FOLDER, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NOT_DIRECTORY);
    g_assert_false(hearth_store_remove(f->store, folder, "x", 0, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
    g_assert_true(hearth_store_remove(f->store, folder, "f", HEARTH_KIND_FILE, 0, &gone, &error));
    g_assert_cmpint(gone.ino, ==, file);
    g_assert_cmpint(gone.parent, ==, 0);
    g_assert_true(
        hearth_store_remove(f->store, HEARTH_ROOT_INO, "d", HEARTH_KIND_FOLDER, 0, NULL, &error));
    hearth_store_counts(f->store, &counts, &error);
    g_assert_cmpuint(counts.folders + counts.files, ==, 0);
    g_assert_cmpuint(counts.trashed, ==, 2);
}

static void nothing_is_made_in_the_trash(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthNewObject file = {.kind = HEARTH_KIND_FILE};
    gint64 top = store_fixture_make(f->store, HEARTH_ROOT_INO, "top", HEARTH_KIND_FOLDER);
    gint64 sub = store_fixture_make(f->store, top, "sub", HEARTH_KIND_FOLDER);
    store_fixture_make(f->store, sub, "f", HEARTH_KIND_FILE);
    g_assert_true(hearth_store_remove_tree(f->store, top, 0, &error));
    g_assert_false(hearth_store_create(f->store, sub, "late", &file, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
    g_assert_false(hearth_store_remove(f->store, sub, "f", 0, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
    g_assert_null(hearth_store_path(f->store, sub, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
}

static void listing_goes_on_while_entries_come_and_go(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 1000; i++) {
        g_autofree char *name = g_strdup_printf("n%d", i);
        store_fixture_make(f->store, HEARTH_ROOT_INO, name, HEARTH_KIND_FILE);
    }
    g_autofree char *names = store_fixture_names(f->store, HEARTH_ROOT_INO);
    g_auto(GStrv) split = g_strsplit(names, " ", -1);
    g_assert_cmpuint(g_strv_length(split), ==, 1000);
    g_assert_true(hearth_store_remove(f->store, HEARTH_ROOT_INO, "n500", 0, 0, NULL, &error));
    g_autoptr(GString) rest = g_string_new(NULL);
    hearth_store_list(f->store, HEARTH_ROOT_INO, 2 + 499, store_fixture_append_name, rest, &error);
    g_assert_true(g_str_has_prefix(rest->str, "n501 n502 "));
}

static void a_folder_shows_when_its_entries_changed(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject before, after;
    gint64 folder = store_fixture_make(f->store, HEARTH_ROOT_INO, "d", HEARTH_KIND_FOLDER);
    g_assert_true(hearth_store_get(f->store, folder, &before, &error));
    store_fixture_make(f->store, folder, "f", HEARTH_KIND_FILE);
    g_assert_true(hearth_store_get(f->store, folder, &after, &error));
    g_assert_cmpint(after.mtime_ns, >, before.mtime_ns);
    store_fixture_reopen(f);
    g_assert_true(hearth_store_get(f->store, folder, &before, &error));
    g_assert_cmpint(after.mtime_ns, ==, before.mtime_ns);
}

static void sets_mode_owner_and_time_alone(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    gint64 ino = store_fixture_make(f->store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    HearthObject values = {.mode = S_IFREG | 0600, .uid = 7, .gid = 8, .mtime_ns = -5};
    g_assert_true(hearth_store_set(f->store, ino, HEARTH_SET_MODE, &values, 0, &object, &error));
    g_assert_cmpint(object.mode, ==, 0600);
    g_assert_cmpint(object.uid, ==, 0);
    g_assert_true(hearth_store_set(f->store, ino, HEARTH_SET_OWNER | HEARTH_SET_MTIME, &values, 0,
                                   &object, &error));
    g_assert_cmpint(object.uid, ==, 7);
    g_assert_cmpint(object.mtime_ns, ==, -5);
}

static void makes_missing_folders_once(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject first, again;
    g_assert_true(hearth_store_make_folders(f->store, "/a/b//c/", 0, &first, &error));
    g_assert_true(hearth_store_make_folders(f->store, "/a/b/c", 0, &again, &error));
    g_assert_cmpint(first.ino, ==, again.ino);
    store_fixture_make(f->store, first.ino, "file", HEARTH_KIND_FILE);
    g_assert_false(hearth_store_make_folders(f->store, "/a/b/c/file/d", 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_NOT_DIRECTORY);
    g_assert_false(hearth_store_make_folders(f->store, "/x/../y", 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_INVALID);
    g_assert_false(hearth_store_walk(f->store, "/x", &again, &error));
    assert_fails(error, HEARTH_ERROR_NOT_FOUND);
    g_assert_false(hearth_store_make_folders(f->store, "relative", 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_INVALID);
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/tree/" path, StoreFixture, NULL, store_fixture_set_up, func,      \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("makes-finds-and-lists-objects", makes_finds_and_lists_objects);
    ADD("keeps-everything-over-a-reopen", keeps_everything_over_a_reopen);
    ADD("refuses-what-is-no-name", refuses_what_is_no_name);
    ADD("keeps-odd-names-as-given", keeps_odd_names_as_given);
    g_test_add_func("/namespace/store/tree/renames-as-posix-says", renames_as_posix_says);
    ADD("removes-only-what-fits", removes_only_what_fits);
    ADD("nothing-is-made-in-the-trash", nothing_is_made_in_the_trash);
    ADD("listing-goes-on-while-entries-come-and-go", listing_goes_on_while_entries_come_and_go);
    ADD("a-folder-shows-when-its-entries-changed", a_folder_shows_when_its_entries_changed);
    ADD("sets-mode-owner-and-time-alone", sets_mode_owner_and_time_alone);
    ADD("makes-missing-folders-once", makes_missing_folders_once);
    return g_test_run();
}
