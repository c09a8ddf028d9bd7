#include "tests/unit/namespace/store-fixture.h"

static void add_with(StoreFixture *f, const char *path, const char *bytes, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    g_assert_no_error(error);
    store_fixture_add(f->store, path, bytes, value);
}

static void set_up(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    store_fixture_set_up(f, data);
    add_with(f, "/Photos/2026/IMG_1.jpg", "one",
             "{'camera.model': <'EOS 5D'>, 'image.rating': <uint32 4>,"
             " 'time.taken': <'2026-11-20T10:00:00.5+01:00'>,"
             " 'text.keywords': <['Sea', 'Sun']>,"
             " 'exposure.iso': <uint32 100>}");
    add_with(f, "/Photos/2026/IMG_2.jpg", "two two",
             "{'camera.model': <'X-T3'>, 'image.rating': <uint32 2>,"
             " 'time.taken': <'2026-11-21T10:00:00'>,"
             " 'exposure.iso': <uint32 800>,"
             " 'gps.latitude': <-12.5>}");
    add_with(f, "/Music/Bj\xc3\xb6rk/Joga.mp3", "music!",
             "{'audio.artist': <'Bj\xc3\xb6rk'>, 'media.type': <'audio/mpeg'>}");
    store_fixture_add(f->store, "/odd \xff\xfe.bin", "", NULL);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "link", HEARTH_KIND_SYMLINK);
    gint64 gone = store_fixture_add(f->store, "/Gone/IMG_9.jpg", "x", NULL);
    HearthObject folder, object;
    g_assert_true(hearth_store_get(f->store, gone, &object, &error));
    g_assert_true(hearth_store_walk(f->store, "/Gone", &folder, &error));
    g_assert_true(hearth_store_remove_tree(f->store, folder.ino, 0, &error));
}

typedef struct {
    const char *query;
    const char *paths; /* newest first, each followed by ';' */
} FindCase;

#define IMG1 "/Photos/2026/IMG_1.jpg;"
#define IMG2 "/Photos/2026/IMG_2.jpg;"
#define JOGA "/Music/Bj\xc3\xb6rk/Joga.mp3;"
#define ODD "/odd \xff\xfe.bin;"

static const FindCase FOUND[] = {
    {"name = IMG_1.jpg", IMG1},
    {"name = img_1.JPG", IMG1},
    {"name ^= img_", IMG2 IMG1},
    {"name ~ g_2", IMG2},
    {"name ~ IMG and not name = img_1.jpg", IMG2},
    {"name != link and kind = symlink", ""},
    {"kind = symlink", "/link;"},
    {"kind = folder", "/Music/Bj\xc3\xb6rk;/Music;/Photos/2026;/Photos;"},
    /* Across case and normalisation: the o with its dots in one character or in two. */
    {"name = BJO\xcc\x88RK", "/Music/Bj\xc3\xb6rk;"},
    {"audio.artist = bj\xc3\xb6rk", JOGA},
    {"audio.artist ^= \"BJO\xcc\x88\"", JOGA},
    {"path ^= /photos/2026/", IMG2 IMG1},
    {"path ^= /Photos/2026/IMG_2", IMG2},
    {"path ^= /Photos", IMG2 IMG1 "/Photos/2026;/Photos;"},
    {"path = /photos/2026/img_1.jpg", IMG1},
    {"path ~ 26/img", IMG2 IMG1},
    {"path ^= /music/bjo\xcc\x88rk/", JOGA},
    {"path = /", ""},
    {"name ^= \"odd \xff\"", ODD},
    {"size = 7", IMG2},
    {"size >= 6 and size < 1K and kind=file", JOGA IMG2},
    {"rating >= 3", IMG1},
    {"rating != 4 and name ~ img", IMG2},
    {"rating < 4 or audio.artist ~ RK", JOGA IMG2},
    {"time.taken = 2026-11-20", IMG1},
    {"time.taken > 2026-11-20", IMG2},
    {"time.taken <= 2026-11-20", IMG1},
    {"time.taken >= 2026-11-20T10:00:00", IMG2 IMG1},
    {"time.taken < 2026-11-21", IMG1},
    {"time.taken = 2026", IMG2 IMG1},
    {"camera.model ~ 5d", IMG1},
    {"camera.model = \"eos 5d\" and rating = 4", IMG1},
    {"text.keywords = SEA", IMG1},
    {"text.keywords ^= s", IMG1},
    {"exposure.iso > 100", IMG2},
    {"exposure.iso = 100", IMG1},
    {"gps.latitude < 0", IMG2},
    {"type ^= audio/", JOGA},
    {"mtime > 2000 and kind = file", ""},
    {"mtime = 1970 and kind = file", ODD JOGA IMG2 IMG1},
    {"name = img_9.jpg", ""},
    {"path ~ gone", ""},
    {"not (kind = file or kind = folder or kind = symlink)", ""},
    {"name = \"'; DROP TABLE object; --\"", ""},
    {"no.such = x", ""},
};

static gboolean append_path(const HearthObject *object, const char *path, gpointer data)
{
    g_string_append_printf(data, "%s;", path);
    return TRUE;
}

static void finds_what_matches_and_nothing_else(StoreFixture *f, gconstpointer data)
{
    for (gsize i = 0; i < G_N_ELEMENTS(FOUND); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) paths = g_string_new(NULL);
        g_autofree char *shown = g_utf8_make_valid(FOUND[i].query, -1);
        g_test_message("%s", shown);
        hearth_store_find(f->store, FOUND[i].query, 0, append_path, paths, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(paths->str, ==, FOUND[i].paths);
    }
}

static void stops_at_the_limit(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) paths = g_string_new(NULL);
    g_assert_true(hearth_store_find(f->store, "kind = file", 2, append_path, paths, &error));
    g_assert_cmpstr(paths->str, ==, ODD JOGA);
}

static void a_bad_query_is_refused_with_its_column(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(hearth_store_find(f->store, "name == a", 0, append_path, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    g_assert_cmpstr(error->message, ==, "column 7: expected a value");
}

/* More than one step of a walk and of a driven search. */
static void finds_all_of_many(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) paths = g_string_new(NULL);
    for (int i = 0; i < 20000; i++) {
        g_autofree char *name = g_strdup_printf("many%05d", i);
        store_fixture_make(f->store, HEARTH_ROOT_INO, name, HEARTH_KIND_FILE);
    }
    guint slashes = 0;
    g_assert_true(hearth_store_find(f->store, "name ^= MANY", 0, append_path, paths, &error));
    for (const char *at = paths->str; *at; at++)
        slashes += *at == '/';
    g_assert_cmpuint(slashes, ==, 20000);
    g_string_truncate(paths, 0);
    g_assert_true(hearth_store_find(f->store, "name ~ many1999", 0, append_path, paths, &error));
    g_assert_true(g_str_has_prefix(paths->str, "/many19999;/many19998;"));
    g_string_truncate(paths, 0);
    g_assert_true(hearth_store_find(f->store, "name ~ img_", 0, append_path, paths, &error));
    g_assert_cmpstr(paths->str, ==, IMG2 IMG1);
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/find/" path, StoreFixture, NULL, set_up, func,                    \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("finds-what-matches-and-nothing-else", finds_what_matches_and_nothing_else);
    ADD("stops-at-the-limit", stops_at_the_limit);
    ADD("a-bad-query-is-refused-with-its-column", a_bad_query_is_refused_with_its_column);
    ADD("finds-all-of-many", finds_all_of_many);
    return g_test_run();
}
