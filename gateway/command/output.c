#include "gateway/command/output.h"

#include "gateway/command/format.h"
#include "gateway/command/table.h"
#include "web/json.h"

#include <stdio.h>
#include <string.h>

void hearth_output_json(GVariant *value)
{
    g_autofree char *text = hearth_json_print_pretty(value);
    fputs(text, stdout);
}

void hearth_output_line(const char *text)
{
    fputs(text, stdout);
    putchar('\n');
}

/* --- Facts ------------------------------------------------------------------------------------- */

struct HearthFacts {
    HearthTable *table;
};

HearthFacts *hearth_facts_new(void)
{
    HearthFacts *facts = g_new0(HearthFacts, 1);
    facts->table = hearth_table_new("ll", NULL);
    return facts;
}

void hearth_facts_take(HearthFacts *facts, const char *name, char *value)
{
    if (!value)
        return;
    hearth_table_take(facts->table, g_strconcat(name, ":", NULL));
    hearth_table_take(facts->table, value);
}

/* Text of a value; of a list, its elements with commas between them. */
static char *value_text(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return hearth_format_name(g_variant_get_string(value, NULL));
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE("av")))
        return hearth_json_print(value);
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(value, i);
        g_autoptr(GVariant) element = g_variant_get_variant(boxed);
        g_autofree char *part = value_text(element);
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", part);
    }
    return g_string_free(text, FALSE);
}

void hearth_facts_add(HearthFacts *facts, const char *name, GVariant *dictionary, const char *key)
{
    g_autofree char *exact_key = g_strconcat(key, "_bytes", NULL);
    g_autoptr(GVariant) value = g_variant_lookup_value(dictionary, key, NULL);
    g_autoptr(GVariant) exact = g_variant_lookup_value(dictionary, exact_key, NULL);
    if (exact)
        hearth_facts_take(facts, name, hearth_lookup_name(dictionary, key));
    else if (value)
        hearth_facts_take(facts, name, value_text(value));
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void hearth_facts_add_all(HearthFacts *facts, GVariant *dictionary)
{
    gsize count = dictionary ? g_variant_n_children(dictionary) : 0;
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) pair = g_variant_get_child_value(dictionary, i);
        char *key;
        g_variant_get_child(pair, 0, "s", &key);
        g_ptr_array_add(keys, key);
    }
    g_ptr_array_sort(keys, compare_names);
    for (guint i = 0; i < keys->len; i++)
        hearth_facts_add(facts, keys->pdata[i], dictionary, keys->pdata[i]);
}

void hearth_facts_print(HearthFacts *facts)
{
    hearth_table_print(facts->table);
    hearth_table_free(facts->table);
    g_free(facts);
}

/* --- Reading answers ---------------------------------------------------------------------------- */

const char *hearth_lookup_text(GVariant *dictionary, const char *key, const char *fallback)
{
    const char *text = fallback;
    g_variant_lookup(dictionary, key, "&s", &text);
    return text;
}

guint64 hearth_lookup_count(GVariant *dictionary, const char *key)
{
    gint64 count = 0;
    g_variant_lookup(dictionary, key, "x", &count);
    return count > 0 ? (guint64)count : 0;
}

double hearth_lookup_number(GVariant *dictionary, const char *key, double fallback)
{
    double number = fallback;
    gint64 whole;
    if (g_variant_lookup(dictionary, key, "x", &whole))
        return (double)whole;
    g_variant_lookup(dictionary, key, "d", &number);
    return number;
}

gboolean hearth_lookup_flag(GVariant *dictionary, const char *key)
{
    gboolean flag = FALSE;
    g_variant_lookup(dictionary, key, "b", &flag);
    return flag;
}

char *hearth_lookup_name(GVariant *dictionary, const char *key)
{
    g_autofree char *bytes = hearth_json_lookup_bytes(dictionary, key);
    return hearth_format_output_name(bytes ? bytes : "");
}

gboolean hearth_for_each(GVariant *dictionary, const char *key, HearthItemFunc func, gpointer data,
                         GError **error)
{
    g_autoptr(GVariant) items = g_variant_lookup_value(dictionary, key, G_VARIANT_TYPE("av"));
    for (gsize i = 0; items && i < g_variant_n_children(items); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(items, i);
        g_autoptr(GVariant) item = g_variant_get_variant(boxed);
        if (g_variant_is_of_type(item, G_VARIANT_TYPE_VARDICT) && !func(item, data, error))
            return FALSE;
    }
    return TRUE;
}

/* --- Long JSON --------------------------------------------------------------------------------- */

void hearth_json_list_begin(HearthJsonList *list, const char *key)
{
    printf("{\"%s\": [", key);
    list->begun = FALSE;
}

void hearth_json_list_add(HearthJsonList *list, GVariant *item)
{
    g_autofree char *text = hearth_json_print(item);
    printf("%s\n  %s", list->begun ? "," : "", text);
    list->begun = TRUE;
}

void hearth_json_list_end(HearthJsonList *list)
{
    fputs(list->begun ? "\n]}\n" : "]}\n", stdout);
}
