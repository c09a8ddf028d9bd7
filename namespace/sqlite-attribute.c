#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"
#include "namespace/search-key.h"

#include <string.h>

static HearthSqlConnection *writer(HearthMetadata *metadata)
{
    return &((HearthSqlite *)metadata)->writer;
}

/*
 * The keys that are indexed: what people look for. Any other key can be asked for as well, at the
 * price of a walk over the objects.
 */
static const char *const INDEXED[] = {
    "media.type",   "time.taken",    "camera.make",       "camera.model", "lens.model",
    "image.rating", "text.title",    "text.keywords",     "audio.title",  "audio.artist",
    "audio.album",  "audio.genre",   "audio.albumartist", "audio.year",   "audio.composer",
    "gps.latitude", "gps.longitude",
};

gboolean hearth_sqlite_is_indexed(const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(INDEXED); i++)
        if (strcmp(INDEXED[i], key) == 0)
            return TRUE;
    return FALSE;
}

gboolean hearth_sqlite_load_keys(HearthSqlite *db, GError **error)
{
    g_hash_table_remove_all(db->key_numbers);
    g_hash_table_remove_all(db->key_names);
    g_auto(HearthSql) sql = hearth_sql(&db->writer, "SELECT number, name FROM attribute_key");
    HearthFetch fetch;
    while ((fetch = hearth_sql_step(&sql, error)) == HEARTH_FETCH_ROW) {
        gpointer number = GINT_TO_POINTER(sqlite3_column_int(sql.statement, 0));
        char *name = hearth_sql_column_dup(&sql, 1);
        g_hash_table_insert(db->key_names, number, name);
        g_hash_table_insert(db->key_numbers, name, number);
    }
    return fetch == HEARTH_FETCH_NONE;
}

/* The number of a key, given out when it is new; 0 on failure. */
static int key_number(HearthSqlite *db, const char *key, GError **error)
{
    int number = GPOINTER_TO_INT(g_hash_table_lookup(db->key_numbers, key));
    if (number)
        return number;
    g_auto(HearthSql) sql =
        hearth_sql(&db->writer, "INSERT INTO attribute_key (name) VALUES (?) RETURNING number");
    hearth_sql_text(&sql, key);
    if (hearth_sql_step(&sql, error) != HEARTH_FETCH_ROW)
        return 0;
    number = sqlite3_column_int(sql.statement, 0);
    if (!hearth_sql_run(&sql, error))
        return 0;
    char *name = g_strdup(key);
    g_hash_table_insert(db->key_names, GINT_TO_POINTER(number), name);
    g_hash_table_insert(db->key_numbers, name, GINT_TO_POINTER(number));
    return number;
}

typedef struct {
    HearthSqlite *db;
    gint64 ino;
    int key;
    gboolean indexed;
} Place;

static void bind_value(HearthSql *sql, GVariant *value, gboolean indexed)
{
    gboolean is_double = g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE);
    for (int i = 0; i < (indexed ? 2 : 1); i++) {
        if (is_double)
            hearth_sql_double(sql, g_variant_get_double(value));
        else
            hearth_sql_int(sql, g_variant_get_uint32(value));
    }
}

static gboolean put_value(const Place *place, int index, const char *type, GVariant *value,
                          GError **error)
{
    g_autofree char *search = NULL;
    g_auto(HearthSql) sql =
        hearth_sql(&place->db->writer, "INSERT INTO attribute (ino, key, place, type, value,"
                                       " search) VALUES (?, ?, ?, ?, ?, ?)");
    hearth_sql_int(&sql, place->ino);
    hearth_sql_int(&sql, place->key);
    hearth_sql_int(&sql, index);
    hearth_sql_text(&sql, type);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        const char *text = g_variant_get_string(value, NULL);
        hearth_sql_text(&sql, text);
        search = place->indexed ? hearth_search_key(text) : NULL;
        if (search)
            hearth_sql_text(&sql, search);
    } else {
        bind_value(&sql, value, place->indexed);
    }
    if (!place->indexed)
        hearth_sql_null(&sql);
    return hearth_sql_run(&sql, error);
}

static gboolean put_attribute(const Place *place, GVariant *value, GError **error)
{
    const char *type = g_variant_get_type_string(value);
    if (strcmp(type, "as") != 0)
        return put_value(place, 0, type, value, error);
    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) text = g_variant_get_child_value(value, i);
        if (!put_value(place, (int)i, type, text, error))
            return FALSE;
    }
    return TRUE;
}

gboolean hearth_sqlite_set_attributes(HearthMetadata *metadata, gint64 ino, GVariant *attributes,
                                      GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    g_auto(HearthSql) sql = hearth_sql(writer(metadata), "DELETE FROM attribute WHERE ino = ?");
    hearth_sql_int(&sql, ino);
    if (!hearth_sql_run(&sql, error))
        return FALSE;
    gsize count = attributes ? g_variant_n_children(attributes) : 0;
    for (gsize i = 0; i < count; i++) {
        const char *key;
        g_autoptr(GVariant) value = NULL;
        g_variant_get_child(attributes, i, "{&sv}", &key, &value);
        Place place = {db, ino, key_number(db, key, error), hearth_sqlite_is_indexed(key)};
        if (place.key == 0 || !put_attribute(&place, value, error))
            return FALSE;
    }
    return TRUE;
}

/* Collects the rows of one key until the key changes. */
typedef struct {
    GVariantBuilder *all;
    GPtrArray *texts; /* of a list under way */
    int key;
    const char *name;
} Gathering;

static void end_list(Gathering *gathering)
{
    if (gathering->texts->len == 0)
        return;
    g_variant_builder_add(
        gathering->all, "{sv}", gathering->name,
        g_variant_new_strv((const char *const *)gathering->texts->pdata, gathering->texts->len));
    g_ptr_array_set_size(gathering->texts, 0);
}

static void gather_row(Gathering *gathering, HearthSql *sql)
{
    const char *type = (const char *)sqlite3_column_text(sql->statement, 1);
    GVariant *value;
    if (strcmp(type, "as") == 0) {
        g_ptr_array_add(gathering->texts, hearth_sql_column_dup(sql, 2));
        return;
    }
    if (strcmp(type, "d") == 0)
        value = g_variant_new_double(sqlite3_column_double(sql->statement, 2));
    else if (strcmp(type, "u") == 0)
        value = g_variant_new_uint32((guint32)sqlite3_column_int64(sql->statement, 2));
    else
        value = g_variant_new_take_string(hearth_sql_column_dup(sql, 2));
    g_variant_builder_add(gathering->all, "{sv}", gathering->name, value);
}

GVariant *hearth_sqlite_attributes(HearthMetadata *metadata, gint64 ino, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    g_auto(GVariantBuilder) all = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    Gathering gathering = {&all, texts, 0, NULL};
    g_auto(HearthSql) sql =
        hearth_sql(&db->writer, "SELECT key, type, value FROM attribute WHERE ino = ?"
                                " ORDER BY key, place");
    hearth_sql_int(&sql, ino);
    HearthFetch fetch;
    while ((fetch = hearth_sql_step(&sql, error)) == HEARTH_FETCH_ROW) {
        int key = sqlite3_column_int(sql.statement, 0);
        if (key != gathering.key)
            end_list(&gathering);
        gathering.key = key;
        gathering.name = g_hash_table_lookup(db->key_names, GINT_TO_POINTER(key));
        if (gathering.name)
            gather_row(&gathering, &sql);
    }
    end_list(&gathering);
    return fetch == HEARTH_FETCH_NONE ? g_variant_ref_sink(g_variant_builder_end(&all)) : NULL;
}
