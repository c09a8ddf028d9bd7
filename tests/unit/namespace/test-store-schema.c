#include "namespace/sqlite-private.h"
#include "tests/unit/namespace/store-fixture.h"

#include <stdlib.h>

/*
 * Databases of every schema that was ever released stand in fixtures/schema-N.sql, as text. Each is
 * made into a state, opened, and must hold what all of them hold: /a (2), /a/one.txt (3) with two
 * versions, /link (4), and /gone.txt (5) in the trash. The newest one is written by this program
 * itself (--fixture STATE, then `sqlite3 STATE/metadata.db .dump` with the two pragmas in front), so
 * that the next schema finds a fixture of this one.
 */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    sqlite3_exec(db, sql, NULL, NULL, &message);
    g_assert_cmpstr(message, ==, NULL);
    sqlite3_close(db);
}

static char *make_state(const char *sql, char **ret_database)
{
    char *state = g_dir_make_tmp("hearth-store-XXXXXX", NULL);
    *ret_database = g_build_filename(state, "metadata.db", NULL);
    run_sql(*ret_database, sql);
    return state;
}

static gboolean count_versions(const HearthVersion *version, gpointer data)
{
    ++*(guint *)data;
    return TRUE;
}

static gboolean note_path(const HearthTrashed *trashed, gpointer data)
{
    g_string_append(data, trashed->path);
    return TRUE;
}

static void append_finding(const char *finding, gpointer data)
{
    /* The fixture is a database alone: its contents are not there. */
    if (!strstr(finding, "content "))
        g_string_append_printf(data, "%s\n", finding);
}

static void assert_holds_the_fixture(HearthStore *store)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    guint versions = 0;
    g_autoptr(GString) trashed = g_string_new(NULL), findings = g_string_new(NULL);
    g_assert_true(hearth_store_walk(store, "/a/one.txt", &object, &error));
    g_assert_cmpint(object.ino, ==, 3);
    g_assert_cmpint(object.size, ==, 6);
    g_assert_true(hearth_store_history(store, 3, count_versions, &versions, &error));
    g_assert_cmpuint(versions, ==, 2);
    g_autofree char *target = hearth_store_readlink(store, 4, &error);
    g_assert_cmpstr(target, ==, "where/it/goes");
    g_assert_true(hearth_store_trash_list(store, note_path, trashed, &error));
    g_assert_cmpstr(trashed->str, ==, "/gone.txt");
    g_autoptr(GVariant) attributes = hearth_store_attributes(store, 3, &error);
    g_assert_cmpuint(g_variant_n_children(attributes), ==, 1);
    g_assert_true(hearth_store_fsck(store, NULL, append_finding, findings, &error));
    g_assert_cmpstr(findings->str, ==, "");
}

static void every_old_schema_is_taken_to_the_newest(void)
{
    for (int version = 1; version <= HEARTH_SCHEMA_VERSION; version++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_strdup_printf("schema-%d.sql", version);
        g_autofree char *fixture = g_build_filename(g_getenv("HEARTH_SOURCE"),
                                                    "tests/unit/namespace/fixtures", name, NULL);
        g_autofree char *sql = NULL, *database = NULL;
        g_assert_true(g_file_get_contents(fixture, &sql, NULL, &error));
        g_autofree char *state = make_state(sql, &database);
        for (int twice = 0; twice < 2; twice++) {
            g_autoptr(HearthStore) store = store_fixture_open(state);
            assert_holds_the_fixture(store);
        }
        fixture_remove_tree(state);
    }
}

static void assert_refused(const char *sql, HearthError code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *database = NULL;
    g_autofree char *state = make_state(sql, &database);
    HearthStoreOptions options = {.state = state};
    g_assert_null(hearth_store_open(&options, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, HEARTH_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, words));
    g_assert_nonnull(strstr(error->message, database));
    fixture_remove_tree(state);
}

static void a_newer_schema_is_refused(void)
{
    assert_refused("PRAGMA application_id = 0x48727468; PRAGMA user_version = 999",
                   HEARTH_ERROR_UNSUPPORTED, "newer Hearth (schema 999");
}

static void the_database_of_another_program_is_refused(void)
{
    assert_refused("CREATE TABLE theirs (a)", HEARTH_ERROR_CORRUPT, "not a database of Hearth");
    assert_refused("PRAGMA application_id = 7; CREATE TABLE theirs (a)", HEARTH_ERROR_CORRUPT,
                   "not a database of Hearth");
}

/* A step that fails leaves the database as it was. */
static void a_migration_is_whole_or_not_at_all(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *database = NULL;
    g_autofree char *state = make_state("PRAGMA application_id = 0x48727468;"
                                        "CREATE TABLE trash (in_the_way)",
                                        &database);
    HearthStoreOptions options = {.state = state};
    for (int twice = 0; twice < 2; twice++) {
        g_assert_null(hearth_store_open(&options, &error));
        g_assert_nonnull(strstr(error->message, "cannot migrate from schema 0"));
        g_assert_nonnull(strstr(error->message, "table trash already exists"));
        g_clear_error(&error);
    }
    run_sql(database, "DROP TABLE trash");
    g_autoptr(HearthStore) store = store_fixture_open(state);
    g_clear_pointer(&store, hearth_store_close);
    fixture_remove_tree(state);
}

/* Fills a state as the fixtures are, for the fixture of the newest schema. */
static int make_fixture(const char *state)
{
    g_autoptr(GError) error = NULL;
    HearthStore *store = store_fixture_open(state);
    gint64 file = store_fixture_add(store, "/a/one.txt", "one", NULL);
    store_fixture_write(store, file, "second");
    store_fixture_make(store, HEARTH_ROOT_INO, "link", HEARTH_KIND_SYMLINK);
    store_fixture_add(store, "/gone.txt", "gone", NULL);
    g_assert_true(hearth_store_remove(store, HEARTH_ROOT_INO, "gone.txt", 0, 0, NULL, &error));
    g_autoptr(GVariant) attributes =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, "{'text.title': <'T'>}", NULL, NULL, &error);
    g_assert_true(hearth_store_set_attributes(store, file, attributes, &error));
    HearthLedgerEntry entry = {.source = "usb:1", .path = "/DCIM/1.JPG", .size = 3, .mtime = 4};
    g_assert_true(hearth_store_ledger_add(store, &entry, &error));
    hearth_store_close(store);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--fixture") == 0)
        return make_fixture(argv[2]);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/namespace/store/schema/every-old-schema-is-taken-to-the-newest",
                    every_old_schema_is_taken_to_the_newest);
    g_test_add_func("/namespace/store/schema/a-newer-schema-is-refused", a_newer_schema_is_refused);
    g_test_add_func("/namespace/store/schema/the-database-of-another-program-is-refused",
                    the_database_of_another_program_is_refused);
    g_test_add_func("/namespace/store/schema/a-migration-is-whole-or-not-at-all",
                    a_migration_is_whole_or_not_at_all);
    return g_test_run();
}
