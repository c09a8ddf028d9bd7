#pragma once

#include "gateway/base/error.h"
#include "namespace/store-private.h"
#include "tests/unit/namespace/content-fixture.h"

/** What the tests of the store share: a private state folder with an open store in it. */
typedef struct {
    char *state;
    HearthStore *store;
} StoreFixture;

#define assert_fails(error, code_)                                                                 \
    do {                                                                                           \
        g_assert_error((error), HEARTH_ERROR, code_);                                              \
        g_clear_error(&(error));                                                                   \
    } while (0)

static inline HearthStore *store_fixture_open(const char *state)
{
    g_autoptr(GError) error = NULL;
    HearthStoreOptions options = {.state = state, .engine = "sqlite"};
    HearthStore *store = hearth_store_open(&options, &error);
    g_assert_no_error(error);
    return store;
}

static inline void store_fixture_set_up(StoreFixture *f, gconstpointer data)
{
    f->state = g_dir_make_tmp("hearth-store-XXXXXX", NULL);
    f->store = store_fixture_open(f->state);
}

static inline void store_fixture_reopen(StoreFixture *f)
{
    hearth_store_close(f->store);
    f->store = store_fixture_open(f->state);
}

static inline void store_fixture_tear_down(StoreFixture *f, gconstpointer data)
{
    hearth_store_close(f->store);
    fixture_remove_tree(f->state);
    g_free(f->state);
}

/** Makes an object that must not be there yet; its ino. */
static inline gint64 store_fixture_make(HearthStore *store, gint64 parent, const char *name,
                                        HearthKind kind)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    HearthNewObject new_object = {
        .kind = kind, .mode = 0644, .target = kind == HEARTH_KIND_SYMLINK ? "where/it/goes" : NULL};
    hearth_store_create(store, parent, name, &new_object, 0, &object, &error);
    g_assert_no_error(error);
    return object.ino;
}

/** Gives a file the bytes of `text` as its next version. */
static inline HearthObject store_fixture_write(HearthStore *store, gint64 ino, const char *text)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    g_autoptr(HearthStagedContent) staged =
        fixture_stage(hearth_store_contents(store), text, strlen(text));
    hearth_store_commit_content(store, ino, staged, 1000, 0, 0, &object, &error);
    g_assert_no_error(error);
    return object;
}

/** Adds a file with the bytes of `text` at `path`; its ino. */
static inline gint64 store_fixture_add(HearthStore *store, const char *path, const char *text,
                                       GVariant *attributes)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) owned = attributes ? g_variant_ref_sink(attributes) : NULL;
    HearthContents *contents = hearth_store_contents(store);
    g_autoptr(HearthStagedContent) staged = fixture_stage(contents, text, strlen(text));
    g_assert_true(hearth_contents_publish(contents, &staged, 1, &error));
    HearthNewFile file = {
        .path = path, .staged = staged, .mtime_ns = 5000, .mode = 0644, .attributes = owned};
    HearthObject object;
    hearth_store_add_file(store, &file, 0, &object, &error);
    g_assert_no_error(error);
    return object.ino;
}

static inline gboolean store_fixture_append_name(const HearthObject *object, const char *name,
                                                 gpointer data)
{
    g_string_append_printf(data, "%s%s", ((GString *)data)->len ? " " : "", name);
    return TRUE;
}

/** The names in a folder by ino, separated by spaces; (transfer full). */
static inline char *store_fixture_names(HearthStore *store, gint64 folder)
{
    g_autoptr(GError) error = NULL;
    GString *names = g_string_new(NULL);
    hearth_store_list(store, folder, 0, store_fixture_append_name, names, &error);
    g_assert_no_error(error);
    return g_string_free(names, FALSE);
}
