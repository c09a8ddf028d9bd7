#include "tests/unit/namespace/store-fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static void append_finding(const char *finding, gpointer data)
{
    g_string_append_printf(data, "%s\n", finding);
}

static char *fsck(HearthStore *store)
{
    g_autoptr(GError) error = NULL;
    GString *findings = g_string_new(NULL);
    hearth_store_fsck(store, NULL, append_finding, findings, &error);
    g_assert_no_error(error);
    return g_string_free(findings, FALSE);
}

static void fill(HearthStore *store)
{
    g_autoptr(GError) error = NULL;
    const char *text = "{'camera.model': <'X'>, 'text.keywords': <['a', 'b']>}";
    gint64 file = store_fixture_add(store, "/a/b/one.txt", "first", NULL);
    store_fixture_write(store, file, "second version");
    g_autoptr(GVariant) attributes =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    store_fixture_add(store, "/a/two.txt", "two", attributes);
    store_fixture_add(store, "/gone/three.txt", "three", NULL);
    store_fixture_make(store, HEARTH_ROOT_INO, "link", HEARTH_KIND_SYMLINK);
    HearthObject gone;
    g_assert_true(hearth_store_walk(store, "/gone", &gone, &error));
    g_assert_true(hearth_store_remove_tree(store, gone.ino, 0, &error));
}

static void set_up(StoreFixture *f, gconstpointer data)
{
    store_fixture_set_up(f, data);
    fill(f->store);
}

static void a_good_store_has_no_findings(StoreFixture *f, gconstpointer data)
{
    g_autofree char *findings = fsck(f->store);
    g_assert_cmpstr(findings, ==, "");
    store_fixture_reopen(f);
    g_autofree char *again = fsck(f->store);
    g_assert_cmpstr(again, ==, "");
}

/* Closes the store, runs `sql` on its database, opens it again. */
static void damage(StoreFixture *f, const char *sql)
{
    g_autofree char *path = g_build_filename(f->state, "metadata.db", NULL);
    sqlite3 *db;
    hearth_store_close(f->store);
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
    sqlite3_close(db);
    f->store = store_fixture_open(f->state);
}

/* The tree of fill(): a 2, b 3, one.txt 4, two.txt 5, gone 6, three.txt 7, link 8; 10 records. */
static const struct {
    const char *sql, *finding;
} DAMAGES[] = {
    {"DELETE FROM log WHERE sequence = 5", "the log has a gap before record 6"},
    {"UPDATE log SET clock = 1 WHERE sequence = 5", "record 5 of the log is not later"},
    {"UPDATE object SET parent = 99 WHERE ino = 5", "object 5 lies in 99, which is no folder"},
    {"UPDATE object SET parent = 4 WHERE ino = 5", "object 5 lies in 4, which is no folder"},
    {"UPDATE object SET parent = 3 WHERE ino = 2",
     "folder 2 hangs from neither the root nor the trash"},
    {"UPDATE object SET parent = 0 WHERE ino = 5", "object 5 is in the trash without an entry"},
    {"DELETE FROM object WHERE ino = 6", "the trash has an entry for 6, which is not in it"},
    {"UPDATE state SET files = 3", "the counts say 2 folders, 3 files"},
    {"UPDATE state SET bytes = bytes + 1", "bytes, 2 in the trash; there are 2, 2, 1, 17, 2"},
    {"UPDATE state SET next_ino = 8", "the next object would be 8"},
    {"UPDATE state SET clock = 5", "the clock is behind the log"},
    {"UPDATE object SET sequence = 1 WHERE ino = 5", "object 5 refers to record 1"},
    {"UPDATE object SET vector = X'00' WHERE ino = 5", "object 5 has a damaged version vector"},
    {"UPDATE object SET size = 9 WHERE ino = 4", "file 4 does not agree with its version 2"},
    {"DELETE FROM version WHERE ino = 4 AND version = 1",
     "object 4 has versions up to 2 but only 1"},
    {"INSERT INTO version SELECT 77, 1, content, size, mtime, made, node, vector FROM version"
     " WHERE ino = 5",
     "there are versions of 77, which is no file"},
    {"UPDATE version SET content = NULL WHERE ino = 4 AND version = 1",
     "version 1 of object 4 has 5 bytes and no content"},
    {"UPDATE attribute SET ino = 2", "there are attributes of 2, which is no file"},
    {"DELETE FROM attribute_key", "an attribute of 5 has a key that is not known"},
    {"UPDATE object SET name = X'612f62' WHERE ino = 5", "object 5 has no good name"},
    {"PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'object_key';"
     "PRAGMA writable_schema = OFF",
     "the database says:"},
};

static void every_damage_has_its_finding(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(DAMAGES); i++) {
        StoreFixture f;
        set_up(&f, NULL);
        damage(&f, DAMAGES[i].sql);
        g_autofree char *findings = fsck(f.store);
        g_test_message("%s: %s", DAMAGES[i].sql, findings);
        g_assert_nonnull(strstr(findings, DAMAGES[i].finding));
        store_fixture_tear_down(&f, NULL);
    }
}

static char *content_path(StoreFixture *f, const char *path, HearthContentId *ret_id)
{
    char id[HEARTH_CONTENT_ID_TEXT];
    HearthObject object;
    g_assert_true(hearth_store_walk(f->store, path, &object, NULL));
    *ret_id = object.content;
    hearth_content_id_to_text(&object.content, id);
    g_autofree char *folder = g_strndup(id, 2);
    return g_build_filename(f->state, "content", folder, id + 2, NULL);
}

static void a_missing_or_short_content_is_named(StoreFixture *f, gconstpointer data)
{
    HearthContentId id;
    g_autofree char *one = content_path(f, "/a/b/one.txt", &id);
    g_autofree char *two = content_path(f, "/a/two.txt", &id);
    g_assert_cmpint(g_unlink(one), ==, 0);
    g_assert_cmpint(chmod(two, 0600), ==, 0);
    g_assert_cmpint(truncate(two, 1), ==, 0);
    g_autofree char *findings = fsck(f->store);
    g_assert_nonnull(strstr(findings, "(of /a/b/one.txt)"));
    g_assert_nonnull(strstr(findings, "(of /a/two.txt): is 1 bytes long, but should be 3"));
}

static void scrub_finds_a_flipped_bit_and_sees_it_mended(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) findings = g_string_new(NULL);
    HearthContentId id;
    g_autofree char *path = content_path(f, "/a/two.txt", &id);
    chmod(path, 0600);
    for (int round = 0; round < 2; round++) {
        g_autoptr(GError) reason = NULL;
        int fd = open(path, O_WRONLY);
        g_assert_cmpint(pwrite(fd, round == 0 ? "Two" : "two", 3, 0), ==, 3);
        close(fd);
        g_string_truncate(findings, 0);
        g_assert_true(hearth_store_scrub(f->store, NULL, append_finding, findings, &error));
        if (round == 1)
            break;
        g_assert_nonnull(strstr(findings->str, "(of /a/two.txt)"));
        g_assert_true(hearth_contents_is_bad(hearth_store_contents(f->store), &id, NULL));
        g_autofree char *found = fsck(f->store);
        g_assert_nonnull(strstr(found, "is known to be damaged"));
    }
    g_assert_cmpstr(findings->str, ==, "");
    g_assert_false(hearth_contents_is_bad(hearth_store_contents(f->store), &id, NULL));
}

static gboolean stop_soon(guint64 done, guint64 total, gpointer data)
{
    g_assert_cmpuint(done, <=, total);
    return FALSE;
}

static void long_work_stops_when_asked(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(hearth_store_fsck(f->store, stop_soon, append_finding, NULL, &error));
    assert_fails(error, HEARTH_ERROR_CANCELLED);
    g_assert_false(hearth_store_scrub(f->store, stop_soon, append_finding, NULL, &error));
    assert_fails(error, HEARTH_ERROR_CANCELLED);
    g_assert_false(hearth_store_gc(f->store, stop_soon, NULL, NULL, &error));
    assert_fails(error, HEARTH_ERROR_CANCELLED);
}

static gboolean is_stored(StoreFixture *f, const HearthContentId *id)
{
    gint64 size;
    return hearth_contents_stat(hearth_store_contents(f->store), id, &size, NULL);
}

static void gc_frees_only_what_nothing_refers_to(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    guint64 bytes;
    HearthContents *contents = hearth_store_contents(f->store);
    g_autoptr(HearthStagedContent) held = fixture_stage(contents, "held back", 9);
    g_assert_true(hearth_contents_publish(contents, &held, 1, &error));
    HearthContentId id = *hearth_staged_content_id(held);
    /* In the trash and in the history: needed. Staged: needed. */
    g_assert_true(hearth_store_gc(f->store, NULL, NULL, &bytes, &error));
    g_assert_cmpuint(bytes, ==, 0);
    g_assert_true(is_stored(f, &id));
    g_clear_pointer(&held, hearth_staged_content_free);
    g_assert_true(hearth_store_trash_empty(f->store, G_MAXINT64, NULL, &error));
    g_assert_true(hearth_store_gc(f->store, NULL, NULL, &bytes, &error));
    g_assert_cmpuint(bytes, ==, strlen("held back") + strlen("three"));
    g_assert_false(is_stored(f, &id));
    g_autofree char *findings = fsck(f->store);
    g_assert_cmpstr(findings, ==, "");
}

/* As a power cut leaves it between the names of the list and of the bytes. */
static void gc_removes_a_list_without_its_content(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    guint64 bytes;
    g_autofree char *name = g_strconcat(f->state, "/content/ab/", NULL);
    GString *path = g_string_new(name);
    for (guint i = 0; i < 31; i++)
        g_string_append(path, "cd");
    g_string_append(path, ".blocks");
    g_assert_true(g_file_set_contents(path->str, "list", -1, NULL));
    g_autofree char *findings = fsck(f->store);
    g_assert_cmpstr(findings, ==, "");
    g_assert_true(hearth_store_gc(f->store, NULL, NULL, &bytes, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(bytes, ==, 0);
    g_assert_false(g_file_test(path->str, G_FILE_TEST_EXISTS));
    g_string_free(path, TRUE);
}

static void a_content_two_files_share_stays_for_one(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    guint64 bytes;
    store_fixture_add(f->store, "/twin", "two", NULL);
    g_assert_true(hearth_store_remove(f->store, HEARTH_ROOT_INO, "twin", 0, 0, NULL, &error));
    g_assert_true(hearth_store_trash_empty(f->store, G_MAXINT64, NULL, &error));
    g_assert_true(hearth_store_gc(f->store, NULL, NULL, &bytes, &error));
    g_autofree char *findings = fsck(f->store);
    g_assert_cmpstr(findings, ==, "");
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/check/" path, StoreFixture, NULL, set_up, func,                   \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("a-good-store-has-no-findings", a_good_store_has_no_findings);
    g_test_add_func("/namespace/store/check/every-damage-has-its-finding",
                    every_damage_has_its_finding);
    ADD("a-missing-or-short-content-is-named", a_missing_or_short_content_is_named);
    ADD("scrub-finds-a-flipped-bit-and-sees-it-mended",
        scrub_finds_a_flipped_bit_and_sees_it_mended);
    ADD("long-work-stops-when-asked", long_work_stops_when_asked);
    ADD("gc-removes-a-list-without-its-content", gc_removes_a_list_without_its_content);
    ADD("gc-frees-only-what-nothing-refers-to", gc_frees_only_what_nothing_refers_to);
    ADD("a-content-two-files-share-stays-for-one", a_content_two_files_share_stays_for_one);
    return g_test_run();
}
