#include "tests/unit/namespace/store-fixture.h"

#include <stdlib.h>

/*
 * Random changes, done to a store and to a model of it in memory. Each change must end alike in
 * both, and after each the whole of the store must look like the model; every now and then the
 * store is closed and opened again. A failure is repeated by --seed with the seed the test prints.
 */

#define STEPS 1500
#define NODES_MAX 4096
#define NAMES 6

typedef struct {
    gint64 ino;    /* 0: forgotten */
    gint64 parent; /* 0: in the trash */
    HearthKind kind;
    char name[HEARTH_NAME_MAX + 1];
    guint size;
    guint versions;
    guint sizes[64]; /* of each version */
} Node;

typedef struct {
    StoreFixture f;
    Node nodes[NODES_MAX]; /* [0] is the root */
    guint count;
    guint64 records;
} Model;

static Node *node_of(Model *m, gint64 ino)
{
    for (guint i = 0; i < m->count; i++)
        if (m->nodes[i].ino == ino)
            return &m->nodes[i];
    return NULL;
}

static Node *child(Model *m, gint64 parent, const char *name)
{
    for (guint i = 1; i < m->count; i++)
        if (m->nodes[i].ino && m->nodes[i].parent == parent && strcmp(m->nodes[i].name, name) == 0)
            return &m->nodes[i];
    return NULL;
}

static gboolean has_children(Model *m, gint64 ino)
{
    for (guint i = 1; i < m->count; i++)
        if (m->nodes[i].ino && m->nodes[i].parent == ino)
            return TRUE;
    return FALSE;
}

/* Whether `ino` is `top` or lies below it; `top` 1 asks for being in the tree. */
static gboolean is_below(Model *m, gint64 top, gint64 ino)
{
    while (ino != top && ino != HEARTH_ROOT_INO && ino != 0)
        ino = node_of(m, ino)->parent;
    return ino == top;
}

static gboolean in_tree(Model *m, gint64 ino)
{
    return is_below(m, HEARTH_ROOT_INO, ino);
}

/* Any object that there is, also in the trash. */
static Node *any_node(Model *m, gboolean folder)
{
    for (int tries = 0; tries < 200; tries++) {
        Node *node = &m->nodes[g_test_rand_int_range(0, (gint)m->count)];
        if (node->ino && (!folder || node->kind == HEARTH_KIND_FOLDER))
            return node;
    }
    return &m->nodes[0];
}

static const char *any_name(void)
{
    static const char *const NAMES_USED[NAMES] = {"a", "A", "b", "\xff", "c d", "e.txt"};
    return NAMES_USED[g_test_rand_int_range(0, NAMES)];
}

/* `error` may be set by the call before this one only: never call both in one expression. */
static void expect(gboolean done, GError *error, int code)
{
    if (code == -1)
        g_assert_no_error(error);
    else
        g_assert_error(error, HEARTH_ERROR, code);
    g_assert_cmpint(done, ==, code == -1);
}

/* --- Changes, each done to both --- */

static void do_create(Model *m)
{
    g_autoptr(GError) error = NULL;
    Node *parent = any_node(m, FALSE);
    const char *name = any_name();
    HearthKind kind = (HearthKind)g_test_rand_int_range(1, 4);
    HearthNewObject new_object = {.kind = kind,
                                  .target = kind == HEARTH_KIND_SYMLINK ? "xy" : NULL};
    HearthObject object;
    int code = -1;
    if (parent->kind != HEARTH_KIND_FOLDER)
        code = HEARTH_ERROR_NOT_DIRECTORY;
    else if (!in_tree(m, parent->ino))
        code = HEARTH_ERROR_NOT_FOUND;
    else if (child(m, parent->ino, name))
        code = HEARTH_ERROR_EXISTS;
    gboolean done =
        hearth_store_create(m->f.store, parent->ino, name, &new_object, 0, &object, &error);
    expect(done, error, code);
    if (code != -1 || m->count == NODES_MAX)
        return;
    m->nodes[m->count] = (Node){.ino = object.ino, .parent = parent->ino, .kind = kind};
    m->nodes[m->count].size = kind == HEARTH_KIND_SYMLINK ? 2 : 0;
    g_strlcpy(m->nodes[m->count++].name, name, sizeof m->nodes[0].name);
    m->records++;
}

static int replace_code(Model *m, const Node *from, const Node *to)
{
    gboolean from_folder = from->kind == HEARTH_KIND_FOLDER;
    gboolean to_folder = to->kind == HEARTH_KIND_FOLDER;
    if (to_folder && !from_folder)
        return HEARTH_ERROR_IS_DIRECTORY;
    if (from_folder && !to_folder)
        return HEARTH_ERROR_NOT_DIRECTORY;
    return to_folder && has_children(m, to->ino) ? HEARTH_ERROR_NOT_EMPTY : -1;
}

static int rename_code(Model *m, const Node *from, gint64 new_parent, const Node *to,
                       HearthRename how)
{
    if (!from)
        return HEARTH_ERROR_NOT_FOUND;
    if (from == to && how != HEARTH_RENAME_NO_REPLACE)
        return -1;
    if (from->kind == HEARTH_KIND_FOLDER && is_below(m, from->ino, new_parent))
        return HEARTH_ERROR_LOOP;
    if (how == HEARTH_RENAME_NO_REPLACE)
        return to ? HEARTH_ERROR_EXISTS : -1;
    if (how == HEARTH_RENAME_REPLACE)
        return to ? replace_code(m, from, to) : -1;
    if (!to)
        return HEARTH_ERROR_NOT_FOUND;
    return to->kind == HEARTH_KIND_FOLDER && is_below(m, to->ino, from->parent) ? HEARTH_ERROR_LOOP
                                                                                : -1;
}

static void place(Model *m, Node *node, gint64 parent, const char *name)
{
    node->parent = parent;
    g_strlcpy(node->name, name, sizeof node->name);
    m->records++;
}

static void do_rename(Model *m)
{
    g_autoptr(GError) error = NULL;
    Node *source = any_node(m, FALSE), *folder = any_node(m, TRUE);
    HearthRename how = (HearthRename)g_test_rand_int_range(0, 3);
    g_autofree char *name = g_strdup(source->ino == HEARTH_ROOT_INO ? "none" : source->name);
    const char *new_name = any_name();
    gint64 parent = source->parent;
    /* What is in the trash has no place to be moved from or to. */
    if (!in_tree(m, source->ino) || !in_tree(m, folder->ino))
        return;
    Node *from = child(m, parent, name), *to = child(m, folder->ino, new_name);
    int code = rename_code(m, from, folder->ino, to, how);
    gboolean done =
        hearth_store_rename(m->f.store, parent, name, folder->ino, new_name, how, 0, &error);
    expect(done, error, code);
    if (code != -1 || from == to)
        return;
    if (how == HEARTH_RENAME_EXCHANGE)
        place(m, to, parent, name);
    else if (to)
        place(m, to, 0, to->name);
    place(m, from, folder->ino, new_name);
}

static void do_remove(Model *m)
{
    g_autoptr(GError) error = NULL;
    Node *node = any_node(m, FALSE);
    gboolean tree = g_test_rand_int_range(0, 8) == 0;
    int code = -1;
    if (node->ino == HEARTH_ROOT_INO || !in_tree(m, node->ino))
        return;
    if (!tree && has_children(m, node->ino))
        code = HEARTH_ERROR_NOT_EMPTY;
    gboolean done =
        tree ? hearth_store_remove_tree(m->f.store, node->ino, 0, &error)
             : hearth_store_remove(m->f.store, node->parent, node->name, 0, 0, NULL, &error);
    expect(done, error, code);
    if (code == -1)
        place(m, node, 0, node->name);
}

static void do_write(Model *m)
{
    Node *node = any_node(m, FALSE);
    guint size = (guint)g_test_rand_int_range(1, 60);
    g_autofree char *text = g_strnfill(size, 'x');
    if (node->kind != HEARTH_KIND_FILE || node->versions == 63)
        return;
    store_fixture_write(m->f.store, node->ino, text);
    if (size == node->size)
        return;
    node->size = size;
    node->sizes[++node->versions] = size;
    m->records++;
}

static void do_restore_version(Model *m)
{
    g_autoptr(GError) error = NULL;
    Node *node = any_node(m, FALSE);
    guint version = (guint)g_test_rand_int_range(1, 5);
    int code = version <= node->versions ? -1 : HEARTH_ERROR_NOT_FOUND;
    if (node->kind != HEARTH_KIND_FILE || node->versions == 63)
        return;
    gboolean done = hearth_store_restore(m->f.store, node->ino, version, 0, NULL, &error);
    expect(done, error, code);
    if (code != -1 || version == node->versions)
        return;
    node->size = node->sizes[version];
    node->sizes[++node->versions] = node->size;
    m->records++;
}

/* Only where the old folder may be; the paths of what was made anew are another test's. */
static void do_restore_trash(Model *m)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    HearthObject object;
    HearthStoreCounts counts;
    Node *node = any_node(m, FALSE);
    if (node->parent != 0)
        return;
    g_assert_true(hearth_store_trash_restore(m->f.store, node->ino, 0, &path, &error));
    /* Folders made on the way come to the model as the store made them, top down. */
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    gint64 at = HEARTH_ROOT_INO;
    for (guint i = 1; parts[i + 1]; i++) {
        g_assert_true(hearth_store_lookup(m->f.store, at, parts[i], &object, &error));
        if (!child(m, at, parts[i])) {
            m->nodes[m->count] = (Node){.ino = object.ino, .kind = HEARTH_KIND_FOLDER};
            place(m, &m->nodes[m->count++], at, parts[i]);
        }
        at = object.ino;
    }
    place(m, node, at, parts[g_strv_length(parts) - 1]);
    g_assert_true(hearth_store_counts(m->f.store, &counts, NULL));
    g_assert_cmpuint(counts.last_sequence, ==, m->records);
}

static void do_empty_trash(Model *m)
{
    g_autoptr(GError) error = NULL;
    guint64 count = 0, expected = 0;
    if (g_test_rand_int_range(0, 4) != 0)
        return;
    g_assert_true(hearth_store_trash_empty(m->f.store, G_MAXINT64, &count, &error));
    gboolean gone[NODES_MAX];
    for (guint i = 0; i < m->count; i++)
        gone[i] = m->nodes[i].ino && !in_tree(m, m->nodes[i].ino);
    for (guint i = 0; i < m->count; i++) {
        expected += gone[i];
        if (gone[i])
            m->nodes[i].ino = 0;
    }
    g_assert_cmpuint(count, ==, expected);
    m->records += count;
}

static void do_sync_or_reopen(Model *m)
{
    g_autoptr(GError) error = NULL;
    if (g_test_rand_int_range(0, 4) == 0)
        store_fixture_reopen(&m->f);
    else
        g_assert_true(hearth_store_sync(m->f.store, &error));
}

/* --- Comparing --- */

typedef struct {
    Model *model;
    gint64 folder;
    guint seen;
} Comparison;

static gboolean compare_entry(const HearthObject *object, const char *name, gpointer data)
{
    Comparison *comparison = data;
    const Node *node = child(comparison->model, comparison->folder, name);
    g_assert_nonnull(node);
    g_assert_cmpint(object->ino, ==, node->ino);
    g_assert_cmpint(object->kind, ==, node->kind);
    g_assert_cmpint(object->size, ==, node->size);
    g_assert_cmpuint(object->version, ==, node->versions);
    g_assert_cmpint(object->parent, ==, comparison->folder);
    comparison->seen++;
    return TRUE;
}

static gboolean compare_trashed(const HearthTrashed *trashed, gpointer data)
{
    Comparison *comparison = data;
    const Node *node = node_of(comparison->model, trashed->object.ino);
    g_assert_nonnull(node);
    g_assert_cmpint(node->parent, ==, 0);
    comparison->seen++;
    return TRUE;
}

static guint children_of(Model *m, gint64 folder)
{
    guint count = 0;
    for (guint i = 1; i < m->count; i++)
        count += m->nodes[i].ino && m->nodes[i].parent == folder;
    return count;
}

static void compare(Model *m)
{
    g_autoptr(GError) error = NULL;
    HearthStoreCounts counts, expected = {.last_sequence = m->records};
    for (guint i = 0; i < m->count; i++) {
        const Node *node = &m->nodes[i];
        gboolean tree = node->ino && in_tree(m, node->ino);
        expected.folders += tree && node->kind == HEARTH_KIND_FOLDER && i > 0;
        expected.files += tree && node->kind == HEARTH_KIND_FILE;
        expected.symlinks += tree && node->kind == HEARTH_KIND_SYMLINK;
        expected.bytes += tree && node->kind == HEARTH_KIND_FILE ? node->size : 0;
        expected.trashed += node->ino && !tree;
        if (!node->ino || node->kind != HEARTH_KIND_FOLDER)
            continue;
        Comparison comparison = {m, node->ino, 0};
        hearth_store_list_by_name(m->f.store, node->ino, NULL, compare_entry, &comparison, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(comparison.seen, ==, children_of(m, node->ino));
    }
    Comparison trash = {m, 0, 0};
    g_assert_true(hearth_store_trash_list(m->f.store, compare_trashed, &trash, &error));
    g_assert_cmpuint(trash.seen, ==, children_of(m, 0));
    g_assert_true(hearth_store_counts(m->f.store, &counts, &error));
    g_assert_cmpmem(&counts, sizeof counts, &expected, sizeof expected);
}

static void append_finding(const char *finding, gpointer data)
{
    g_string_append_printf(data, "%s\n", finding);
}

static void the_store_is_as_its_model(void)
{
    static void (*const CHANGES[])(Model *) = {
        do_create,        do_create,      do_create,          do_rename,
        do_rename,        do_remove,      do_write,           do_write,
        do_restore_trash, do_empty_trash, do_restore_version, do_sync_or_reopen};
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) findings = g_string_new(NULL);
    g_autofree Model *m = g_new0(Model, 1);
    store_fixture_set_up(&m->f, NULL);
    m->nodes[0] =
        (Node){.ino = HEARTH_ROOT_INO, .parent = HEARTH_ROOT_INO, .kind = HEARTH_KIND_FOLDER};
    m->count = 1;
    for (int step = 0; step < STEPS; step++) {
        CHANGES[g_test_rand_int_range(0, G_N_ELEMENTS(CHANGES))](m);
        compare(m);
    }
    g_assert_true(hearth_store_fsck(m->f.store, NULL, append_finding, findings, &error));
    g_assert_cmpstr(findings->str, ==, "");
    store_fixture_tear_down(&m->f, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/namespace/store/model/the-store-is-as-its-model", the_store_is_as_its_model);
    return g_test_run();
}
