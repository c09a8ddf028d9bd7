#include "gateway/config.h"

#include "gateway/base/error.h"
#include "gateway/plan.h"
#include "gateway/template.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

/* A configuration is written by hand; what is larger is not one. */
#define MAX_FILE_SIZE (1 << 20) /* bytes */
#define MAX_COPIES 16
#define MAX_TRASH_DAYS 36500

typedef enum {
    VALUE_TEXT,
    VALUE_PATH, /* absolute */
    VALUE_LISTEN,
    VALUE_BOOLEAN,
    VALUE_NUMBER,
    VALUE_WORD, /* one of `words` */
    VALUE_TEMPLATE,
    VALUE_FILTER,
    VALUE_SIZE, /* a number with K, M, G or T */
} ValueKind;

typedef struct {
    const char *group; /* "gateway"; "device " with a blank takes any name after it */
    const char *key;
    ValueKind kind;
    guint64 low, high; /* of a number */
    const char *words; /* separated by '|' */
    const char *value; /* default, NULL: none */
    gboolean unused;   /* known to a later version: checked, and said to have no effect */
} KeyRow;

static const KeyRow KEYS[] = {
    {"gateway", "name", VALUE_TEXT, 0, 0, NULL, NULL, FALSE},
    {"gateway", "mount", VALUE_PATH, 0, 0, NULL, NULL, FALSE},
    {"gateway", "listen", VALUE_LISTEN, 0, 0, NULL, HEARTH_CONFIG_LISTEN, FALSE},
    {"gateway", "allow-lan", VALUE_BOOLEAN, 0, 0, NULL, "false", FALSE},
    {"gateway", "copies", VALUE_NUMBER, 1, MAX_COPIES, NULL, "1", FALSE},
    {"gateway", "trash-days", VALUE_NUMBER, 0, MAX_TRASH_DAYS, NULL, "30", FALSE},
    {"import", "template", VALUE_TEMPLATE, 0, 0, NULL, HEARTH_CONFIG_TEMPLATE, FALSE},
    {"import", "dedupe", VALUE_BOOLEAN, 0, 0, NULL, "true", FALSE},
    {"import", "delete-after-import", VALUE_BOOLEAN, 0, 0, NULL, "false", FALSE},
    {"import", "filter", VALUE_FILTER, 0, 0, NULL, NULL, FALSE},
    {"device ", "import", VALUE_WORD, 0, 0, "on|off|ask", NULL, FALSE},
    {"device ", "template", VALUE_TEMPLATE, 0, 0, NULL, NULL, FALSE},
    {"device ", "export", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"export ", "device", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"export ", "query", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"export ", "formats", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"export ", "bitrate", VALUE_SIZE, 0, 0, NULL, NULL, TRUE},
    {"export ", "max-size", VALUE_SIZE, 0, 0, NULL, NULL, TRUE},
    {"export ", "folder", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"metadata", "engine", VALUE_WORD, 0, 0, "sqlite", "sqlite", FALSE},
    {"metadata", "uri", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"content", "engine", VALUE_WORD, 0, 0, "dir", "dir", FALSE},
    {"content", "uri", VALUE_TEXT, 0, 0, NULL, NULL, TRUE},
    {"sprocket ", "enabled", VALUE_BOOLEAN, 0, 0, NULL, NULL, TRUE},
    {"sprocket ", "trust", VALUE_WORD, 0, 0, "inside|process|fork", NULL, FALSE},
    {"sprocket ", "cpu-ms", VALUE_NUMBER, 1, 3600000, NULL, NULL, TRUE},
    {"sprocket ", "wall-ms", VALUE_NUMBER, 1, 3600000, NULL, NULL, TRUE},
    {"sprocket ", "memory", VALUE_SIZE, 0, 0, NULL, NULL, TRUE},
    {"sprocket ", "output", VALUE_SIZE, 0, 0, NULL, NULL, TRUE},
};

/* Groups that may stand empty, besides those of KEYS. */
static const char *const EMPTY_GROUPS[] = {"peers", NULL};

struct HearthConfig {
    gatomicrefcount references;
    GHashTable *values; /* "group\nkey" -> text; what was set */
    char *name;
    char **filter;
    GPtrArray *notes; /* element-type char * */
};

/* Where the reader is. */
typedef struct {
    HearthConfig *config; /* being filled */
    const char *file;
    guint line;
    char *group; /* (nullable): none yet */
} Reader;

static gboolean reader_fail(const Reader *reader, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean reader_fail(const Reader *reader, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s:%u: %s", reader->file, reader->line,
                message);
    return FALSE;
}

static gboolean group_fits(const char *row, const char *group)
{
    if (g_str_has_suffix(row, " "))
        return g_str_has_prefix(group, row) && group[strlen(row)] != '\0';
    return g_str_equal(row, group);
}

static gboolean group_is_known(const char *group)
{
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
        if (group_fits(KEYS[i].group, group))
            return TRUE;
    return g_strv_contains(EMPTY_GROUPS, group);
}

static const KeyRow *find_key(const char *group, const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
        if (group_fits(KEYS[i].group, group) && g_str_equal(KEYS[i].key, key))
            return &KEYS[i];
    return NULL;
}

/* --- Values ------------------------------------------------------------------------------------ */

static gboolean check_listen(const char *value, GError **error)
{
    const char *colon = strrchr(value, ':');
    guint64 port = 0;
    if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXUINT16, &port, NULL)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "is not ADDRESS:PORT");
        return FALSE;
    }
    gsize length = (gsize)(colon - value);
    gboolean bracketed = length > 2 && value[0] == '[' && colon[-1] == ']';
    g_autofree char *host = bracketed ? g_strndup(value + 1, length - 2) : g_strndup(value, length);
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(host);
    gboolean six = address && g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
    if ((address && six == bracketed) || g_str_equal(host, "localhost"))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "names no address (as 127.0.0.1:8380 or [::1]:8380)");
    return FALSE;
}

static gboolean check_number(const KeyRow *row, const char *value, GError **error)
{
    guint64 number;
    if (g_ascii_string_to_unsigned(value, 10, row->low, row->high, &number, NULL))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "is not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, row->low,
                row->high);
    return FALSE;
}

static gboolean check_size(const char *value, GError **error)
{
    gsize digits = strspn(value, "0123456789");
    const char *unit = value + digits;
    if (digits > 0 && digits < 16 && (unit[0] == '\0' || (strchr("kKMGT", unit[0]) && !unit[1])))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "is not a size as 200K or 10M");
    return FALSE;
}

static gboolean check_word(const char *words, const char *value, GError **error)
{
    g_auto(GStrv) allowed = g_strsplit(words, "|", -1);
    if (g_strv_contains((const char *const *)allowed, value))
        return TRUE;
    g_autofree char *list = g_strjoinv(", ", allowed);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "is none of: %s", list);
    return FALSE;
}

static gboolean check_filter(const char *value, GError **error)
{
    static const char *const words[] = {"photos",   "raw",   "video", "audio",
                                        "sidecars", "other", NULL};
    g_auto(GStrv) parts = g_strsplit(value, ";", -1);
    for (char **part = parts; *part; part++) {
        const char *word = g_strstrip(*part);
        word += word[0] == '!';
        if (word[0] != '\0' && !strpbrk(word, "*?[.") && !g_strv_contains(words, word)) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                        "has \"%s\", which is neither a pattern as *.jpg nor one of photos, raw, "
                        "video, audio, sidecars, other",
                        word);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_value(const KeyRow *row, const char *value, GError **error)
{
    if (value[0] == '\0' && row->kind != VALUE_FILTER) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "is empty");
        return FALSE;
    }
    switch (row->kind) {
    case VALUE_TEXT:
        return TRUE;
    case VALUE_PATH:
        if (g_path_is_absolute(value))
            return TRUE;
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "does not begin with /");
        return FALSE;
    case VALUE_LISTEN:
        return check_listen(value, error);
    case VALUE_BOOLEAN:
        return check_word("true|false", value, error);
    case VALUE_NUMBER:
        return check_number(row, value, error);
    case VALUE_WORD:
        return check_word(row->words, value, error);
    case VALUE_TEMPLATE: {
        g_autoptr(HearthTemplate) template = hearth_template_parse(value, error);
        return template != NULL;
    }
    case VALUE_FILTER:
        return check_filter(value, error);
    case VALUE_SIZE:
        return check_size(value, error);
    }
    return FALSE;
}

/* --- Lines ------------------------------------------------------------------------------------- */

static char *value_key(const char *group, const char *key)
{
    return g_strconcat(group, "\n", key, NULL);
}

static gboolean read_group(Reader *reader, const char *line, GError **error)
{
    gsize length = strlen(line);
    if (length < 3 || line[length - 1] != ']')
        return reader_fail(reader, error, "group without a closing ]: %s", line);
    g_free(reader->group);
    reader->group = g_strndup(line + 1, length - 2);
    if (!group_is_known(reader->group))
        return reader_fail(reader, error, "unknown group [%s]", reader->group);
    return TRUE;
}

static void note_unused(HearthConfig *config, const char *group, const char *key)
{
    g_ptr_array_add(config->notes,
                    g_strdup_printf("[%s] %s has no effect in this version", group, key));
}

static gboolean read_pair(Reader *reader, const char *line, GError **error)
{
    const char *equals = strchr(line, '=');
    if (!equals || equals == line)
        return reader_fail(reader, error, "neither [group], key=value nor # comment: %s", line);
    g_autofree char *key = g_strchomp(g_strndup(line, (gsize)(equals - line)));
    if (!reader->group)
        return reader_fail(reader, error, "key %s stands before any [group]", key);
    const KeyRow *row = find_key(reader->group, key);
    if (!row)
        return reader_fail(reader, error, "unknown key %s in [%s]", key, reader->group);

    /* GLib knows the escapes of a value; it gets this line alone. */
    g_autofree char *alone = g_strdup_printf("[g]\n%s\n", line);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) reason = NULL;
    g_autofree char *value = NULL;
    if (g_key_file_load_from_data(file, alone, (gsize)-1, G_KEY_FILE_NONE, &reason))
        value = g_key_file_get_string(file, "g", key, &reason);
    if (!value || reason)
        return reader_fail(reader, error, "key %s: %s", key, reason->message);
    g_strchomp(value);
    if (!check_value(row, value, &reason))
        return reader_fail(reader, error, "key %s: \"%s\" %s", key, value, reason->message);

    g_autofree char *name = value_key(reader->group, key);
    if (g_hash_table_contains(reader->config->values, name))
        return reader_fail(reader, error, "key %s stands twice in [%s]", key, reader->group);
    if (row->unused)
        note_unused(reader->config, reader->group, key);
    g_hash_table_insert(reader->config->values, g_steal_pointer(&name), g_steal_pointer(&value));
    return TRUE;
}

static gboolean read_lines(Reader *reader, const char *text, GError **error)
{
    if (!g_utf8_validate(text, -1, NULL))
        return reader_fail(reader, error, "is not UTF-8 text");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (reader->line = 1; lines[reader->line - 1]; reader->line++) {
        const char *line = g_strstrip(lines[reader->line - 1]);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (line[0] == '[' ? !read_group(reader, line, error) : !read_pair(reader, line, error))
            return FALSE;
    }
    return TRUE;
}

/* --- The configuration ------------------------------------------------------------------------- */

static const char *config_get(const HearthConfig *config, const char *group, const char *key)
{
    g_autofree char *name = value_key(group, key);
    const char *value = g_hash_table_lookup(config->values, name);
    if (value)
        return value;
    const KeyRow *row = find_key(group, key);
    return row ? row->value : NULL;
}

static char **split_filter(const char *value)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) parts = g_strsplit(value ? value : "", ";", -1);
    for (char **part = parts; *part; part++)
        if (g_strstrip(*part)[0] != '\0')
            g_strv_builder_add(builder, *part);
    return g_strv_builder_end(builder);
}

static char *default_name(void)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0' ||
        !g_utf8_validate(host, -1, NULL))
        return g_strdup("hearth");
    return g_strdup(host);
}

static void config_finish(HearthConfig *config)
{
    const char *name = config_get(config, "gateway", "name");
    config->name = name ? g_strdup(name) : default_name();
    config->filter = split_filter(config_get(config, "import", "filter"));
    if (hearth_config_allow_lan(config))
        note_unused(config, "gateway", "allow-lan=true");
}

HearthConfig *hearth_config_parse(const char *text, const char *name, GError **error)
{
    g_autoptr(HearthConfig) config = g_new0(HearthConfig, 1);
    g_atomic_ref_count_init(&config->references);
    config->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    config->notes = g_ptr_array_new_with_free_func(g_free);
    Reader reader = {.config = config, .file = name, .line = 1};
    gboolean read = read_lines(&reader, text, error);
    g_free(reader.group);
    if (!read)
        return NULL;
    config_finish(config);
    return g_steal_pointer(&config);
}

HearthConfig *hearth_config_read(const char *path, GError **error)
{
    if (!path)
        return hearth_config_parse("", "defaults", error);
    g_autofree char *text = NULL;
    gsize size;
    g_autoptr(GError) reason = NULL;
    if (!g_file_get_contents(path, &text, &size, &reason)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "cannot read the configuration: %s",
                    reason->message);
        return NULL;
    }
    if (size > MAX_FILE_SIZE || strlen(text) != size) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: is no configuration: it has %s",
                    path, size > MAX_FILE_SIZE ? "more than 1 MiB" : "a NUL byte");
        return NULL;
    }
    return hearth_config_parse(text, path, error);
}

HearthConfig *hearth_config_ref(HearthConfig *config)
{
    g_atomic_ref_count_inc(&config->references);
    return config;
}

void hearth_config_unref(HearthConfig *config)
{
    if (!config || !g_atomic_ref_count_dec(&config->references))
        return;
    g_hash_table_unref(config->values);
    g_ptr_array_unref(config->notes);
    g_strfreev(config->filter);
    g_free(config->name);
    g_free(config);
}

static gboolean config_flag(const HearthConfig *config, const char *group, const char *key)
{
    return g_str_equal(config_get(config, group, key), "true");
}

static guint config_number(const HearthConfig *config, const char *group, const char *key)
{
    return (guint)g_ascii_strtoull(config_get(config, group, key), NULL, 10);
}

const char *hearth_config_name(const HearthConfig *config)
{
    return config->name;
}

const char *hearth_config_mount(const HearthConfig *config)
{
    return config_get(config, "gateway", "mount");
}

const char *hearth_config_listen(const HearthConfig *config)
{
    return config_get(config, "gateway", "listen");
}

gboolean hearth_config_allow_lan(const HearthConfig *config)
{
    return config_flag(config, "gateway", "allow-lan");
}

guint hearth_config_copies(const HearthConfig *config)
{
    return config_number(config, "gateway", "copies");
}

guint hearth_config_trash_days(const HearthConfig *config)
{
    return config_number(config, "gateway", "trash-days");
}

gboolean hearth_config_dedupe(const HearthConfig *config)
{
    return config_flag(config, "import", "dedupe");
}

gboolean hearth_config_delete_after_import(const HearthConfig *config)
{
    return config_flag(config, "import", "delete-after-import");
}

const char *const *hearth_config_filter(const HearthConfig *config)
{
    return (const char *const *)config->filter;
}

const char *hearth_config_template(const HearthConfig *config, const char *device)
{
    g_autofree char *group = g_strconcat("device ", device, NULL);
    const char *own = config_get(config, group, "template");
    return own ? own : config_get(config, "import", "template");
}

HearthImportPolicy hearth_config_policy(const HearthConfig *config, const char *device)
{
    g_autofree char *group = g_strconcat("device ", device, NULL);
    const char *word = config_get(config, group, "import");
    if (g_strcmp0(word, "off") == 0)
        return HEARTH_IMPORT_OFF;
    return g_strcmp0(word, "ask") == 0 ? HEARTH_IMPORT_ASK : HEARTH_IMPORT_ON;
}

HearthSprocketTrust hearth_config_trust(const HearthConfig *config, const char *sprocket)
{
    g_autofree char *group = g_strconcat("sprocket ", sprocket, NULL);
    const char *word = config_get(config, group, "trust");
    if (g_strcmp0(word, "process") == 0)
        return HEARTH_TRUST_PROCESS;
    return g_strcmp0(word, "fork") == 0 ? HEARTH_TRUST_FORK : HEARTH_TRUST_INSIDE;
}

const char *hearth_import_policy_word(HearthImportPolicy policy)
{
    switch (policy) {
    case HEARTH_IMPORT_ON:
        return "on";
    case HEARTH_IMPORT_OFF:
        return "off";
    case HEARTH_IMPORT_ASK:
        return "ask";
    }
    return "on";
}

char **hearth_config_notes(const HearthConfig *config)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (guint i = 0; i < config->notes->len; i++)
        g_strv_builder_add(builder, g_ptr_array_index(config->notes, i));
    return g_strv_builder_end(builder);
}

/* --- Dump -------------------------------------------------------------------------------------- */

static void dump_named_groups(const HearthConfig *config, GKeyFile *file)
{
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, config->values);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_auto(GStrv) parts = g_strsplit(name, "\n", 2);
        if (strchr(parts[0], ' '))
            g_key_file_set_string(file, parts[0], parts[1], value);
    }
}

char *hearth_config_dump(const HearthConfig *config)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        if (g_str_has_suffix(KEYS[i].group, " "))
            continue;
        const char *value = config_get(config, KEYS[i].group, KEYS[i].key);
        if (value)
            g_key_file_set_string(file, KEYS[i].group, KEYS[i].key, value);
    }
    g_key_file_set_string(file, "gateway", "name", config->name);
    dump_named_groups(config, file);
    return g_key_file_to_data(file, NULL, NULL);
}
