#pragma once

#include "gateway/command/call.h"

/** Printing answers: JSON as it came, or as text. */

/** Prints `value` as JSON, with a line break. */
void hearth_output_json(GVariant *value);

/** Prints a line of text as it is. */
void hearth_output_line(const char *text);

/** Prints "NAME: VALUE" lines that stand under one another; lines without a value are left out. */
typedef struct HearthFacts HearthFacts;
HearthFacts *hearth_facts_new(void);
/** Takes `value`, which may be NULL. */
void hearth_facts_take(HearthFacts *facts, const char *name, char *value);
/** The key of a dictionary as text, whatever its type; the exact name escaped for a terminal. */
void hearth_facts_add(HearthFacts *facts, const char *name, GVariant *dictionary, const char *key);
/** Every key of a dictionary, which may be NULL, in order. */
void hearth_facts_add_all(HearthFacts *facts, GVariant *dictionary);
/** Prints and frees. */
void hearth_facts_print(HearthFacts *facts);

/** Reading a dictionary from JSON; a key that is missing or of another type gives the fallback. */
const char *hearth_lookup_text(GVariant *dictionary, const char *key, const char *fallback);
guint64 hearth_lookup_count(GVariant *dictionary, const char *key);
double hearth_lookup_number(GVariant *dictionary, const char *key, double fallback);
gboolean hearth_lookup_flag(GVariant *dictionary, const char *key);
/** The name under KEY, exact, escaped if standard output is a terminal; (transfer full). */
char *hearth_lookup_name(GVariant *dictionary, const char *key);

/** Calls `func` for each a{sv} in the array under `key`. */
typedef gboolean (*HearthItemFunc)(GVariant *item, gpointer data, GError **error);
gboolean hearth_for_each(GVariant *dictionary, const char *key, HearthItemFunc func, gpointer data,
                         GError **error);

/** A JSON document that is too long to be held: {"KEY": [, the items, ]}. */
typedef struct {
    gboolean begun;
} HearthJsonList;
void hearth_json_list_begin(HearthJsonList *list, const char *key);
void hearth_json_list_add(HearthJsonList *list, GVariant *item);
void hearth_json_list_end(HearthJsonList *list);
