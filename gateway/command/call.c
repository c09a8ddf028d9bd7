#include "gateway/command/call.h"

#include "gateway/base/error.h"
#include "gateway/command/client.h"
#include "gateway/command/format.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_STATE "/var/lib/hearth"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

static const HearthCallOption COMMON[] = {
    {"state", 0, "DIR", "where the daemon keeps its state (HEARTH_STATE, " DEFAULT_STATE ")"},
    {"json", 0, NULL, "print JSON"},
    {"help", 'h', NULL, "print this and exit"},
    {NULL},
};

struct HearthCall {
    const HearthCommand *const *tables; /* borrowed */
    const HearthCommand *command;       /* borrowed; NULL until it is found */
    GPtrArray *words;                   /* borrowed strings of argv */
    GHashTable *options;                /* name -> value or ""; borrowed strings */
    GPtrArray *given;                   /* name, value, name, value, ...; borrowed strings */
    HearthClient *client;               /* nullable */
};

G_DEFINE_QUARK(hearth - command - error - quark, hearth_command_error)

gboolean hearth_call_usage(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, HEARTH_COMMAND_ERROR, HEARTH_COMMAND_ERROR_USAGE, message);
    return FALSE;
}

/* --- Taking apart ------------------------------------------------------------------------------ */

static const HearthCallOption *find_in(const HearthCallOption *table, const char *name, char letter)
{
    for (; table && table->name; table++)
        if (name ? strcmp(table->name, name) == 0 : table->letter == letter)
            return table;
    return NULL;
}

static const HearthCallOption *find_option(const HearthCall *call, const char *name, char letter)
{
    const HearthCallOption *option = find_in(COMMON, name, letter);
    if (!option && call->command)
        option = find_in(call->command->options, name, letter);
    return option;
}

static void note_option(HearthCall *call, const HearthCallOption *option, const char *value)
{
    g_hash_table_insert(call->options, (char *)option->name, (char *)value);
    g_ptr_array_add(call->given, (char *)option->name);
    g_ptr_array_add(call->given, (char *)value);
}

/* --NAME, --NAME=VALUE, --NAME VALUE; *at is moved past a value that stands alone. */
static gboolean take_long(HearthCall *call, char **argv, int *at, GError **error)
{
    const char *text = argv[*at] + 2;
    const char *equals = strchr(text, '=');
    g_autofree char *name = equals ? g_strndup(text, (gsize)(equals - text)) : g_strdup(text);
    const HearthCallOption *option = find_option(call, name, 0);
    if (!option)
        return hearth_call_usage(error, "there is no option --%s", name);
    if (!option->value && equals)
        return hearth_call_usage(error, "--%s takes no value", name);
    const char *value = equals ? equals + 1 : "";
    if (option->value && !equals && !(value = argv[++*at]))
        return hearth_call_usage(error, "--%s needs a value", name);
    note_option(call, option, value);
    return TRUE;
}

/* -r, -lR, -o VALUE, -oVALUE */
static gboolean take_short(HearthCall *call, char **argv, int *at, GError **error)
{
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const HearthCallOption *option = find_option(call, NULL, *letter);
        if (!option)
            return hearth_call_usage(error, "there is no option -%c", *letter);
        if (!option->value) {
            note_option(call, option, "");
            continue;
        }
        const char *value = letter[1] ? letter + 1 : argv[++*at];
        if (!value)
            return hearth_call_usage(error, "-%c needs a value", *letter);
        note_option(call, option, value);
        return TRUE;
    }
    return TRUE;
}

static const HearthCommand *find_command(const HearthCall *call, const char *name)
{
    for (guint i = 0; call->tables[i]; i++)
        for (const HearthCommand *command = call->tables[i]; command->name; command++)
            if (strcmp(command->name, name) == 0)
                return command;
    return NULL;
}

/* A word names the command, alone or with the one before it, until there is one. */
static void take_word(HearthCall *call, char *word)
{
    g_ptr_array_add(call->words, word);
    if (call->command)
        return;
    const char *first = g_ptr_array_index(call->words, 0);
    g_autofree char *two = call->words->len == 2 ? g_strconcat(first, " ", word, NULL) : NULL;
    call->command = find_command(call, two ? two : first);
    if (call->command)
        g_ptr_array_set_size(call->words, 0);
}

static gboolean take_apart(HearthCall *call, int argc, char **argv, GError **error)
{
    gboolean options = TRUE;
    for (int at = 1; at < argc; at++) {
        if (!options || argv[at][0] != '-' || !argv[at][1])
            take_word(call, argv[at]);
        else if (strcmp(argv[at], "--") == 0)
            options = FALSE;
        else if (argv[at][1] == '-' ? !take_long(call, argv, &at, error)
                                    : !take_short(call, argv, &at, error))
            return FALSE;
    }
    return TRUE;
}

/* --- Help -------------------------------------------------------------------------------------- */

static void print_options(const HearthCallOption *option)
{
    for (; option && option->name; option++) {
        g_autofree char *left = g_strdup_printf(
            "%c%c%s --%s%s%s", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
            option->letter ? "," : " ", option->name, option->value ? " " : "",
            option->value ? option->value : "");
        g_print("  %-22s %s\n", left, option->help);
    }
}

static void print_summary(const HearthCall *call)
{
    g_print("Usage: hearth [--state DIR] [--json] COMMAND [ARGUMENT...]\n\n");
    for (guint i = 0; call->tables[i]; i++) {
        for (const HearthCommand *command = call->tables[i]; command->name; command++) {
            g_autofree char *left = g_strconcat(command->name, " ", command->arguments, NULL);
            g_print("  %-34s %s\n", left, command->summary);
        }
    }
    g_print("\nOptions of every command:\n");
    print_options(COMMON);
    g_print("      --version          print the version and exit\n"
            "\nhearth COMMAND --help tells the rest of one.\n");
}

static void print_help(const HearthCall *call)
{
    const HearthCommand *command = call->command;
    if (!command) {
        print_summary(call);
        return;
    }
    g_print("Usage: hearth %s%s%s\n\n%s.\n\n", command->name, *command->arguments ? " " : "",
            command->arguments, command->summary);
    print_options(command->options);
    print_options(COMMON);
}

/* --- Running ----------------------------------------------------------------------------------- */

static gboolean check_call(const HearthCall *call, GError **error)
{
    const HearthCommand *command = call->command;
    if (!command && call->words->len == 0)
        return hearth_call_usage(error, "say what to do; hearth --help lists it");
    if (!command)
        return hearth_call_usage(error, "there is no command \"%s\"; hearth --help lists them",
                                 (const char *)g_ptr_array_index(call->words, 0));
    if (call->words->len < command->least || call->words->len > command->most)
        return hearth_call_usage(error, "usage: hearth %s %s", command->name, command->arguments);
    return TRUE;
}

static int report(const GError *error)
{
    if (error->domain == HEARTH_COMMAND_ERROR && error->code == HEARTH_COMMAND_ERROR_SILENT)
        return EXIT_FAILED;
    g_autofree char *text = hearth_format_name(error->message);
    g_printerr("hearth: %s\n", text);
    if (error->domain != HEARTH_COMMAND_ERROR)
        return EXIT_FAILED;
    return error->code == HEARTH_COMMAND_ERROR_USAGE ? EXIT_USAGE : EXIT_UNREACHABLE;
}

static int run(HearthCall *call, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        g_print("hearth %s\n", HEARTH_VERSION);
        return EXIT_DONE;
    }
    if (!take_apart(call, argc, argv, &error))
        return report(error);
    if (hearth_call_flag(call, "help")) {
        print_help(call);
        return EXIT_DONE;
    }
    if (!check_call(call, &error) || !call->command->run(call, &error))
        return report(error);
    /* A full disk behind standard output is a failure too. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    hearth_set_errno(&error, errno, "cannot write to standard output");
    return report(error);
}

int hearth_call_main(const HearthCommand *const *tables, int argc, char **argv)
{
    HearthCall call = {.tables = tables};
    call.words = g_ptr_array_new();
    call.options = g_hash_table_new(g_str_hash, g_str_equal);
    call.given = g_ptr_array_new();
    int status = run(&call, argc, argv);
    hearth_client_free(call.client);
    g_hash_table_unref(call.options);
    g_ptr_array_unref(call.given);
    g_ptr_array_unref(call.words);
    return status;
}

const char *hearth_call_word(const HearthCall *call, guint n)
{
    return n < call->words->len ? g_ptr_array_index(call->words, n) : NULL;
}

guint hearth_call_word_count(const HearthCall *call)
{
    return call->words->len;
}

gboolean hearth_call_flag(const HearthCall *call, const char *option)
{
    return g_hash_table_contains(call->options, option);
}

const char *hearth_call_value(const HearthCall *call, const char *option)
{
    return g_hash_table_lookup(call->options, option);
}

const char **hearth_call_values(const HearthCall *call, const char *option)
{
    GPtrArray *values = g_ptr_array_new();
    for (guint i = 0; i < call->given->len; i += 2)
        if (strcmp(call->given->pdata[i], option) == 0)
            g_ptr_array_add(values, call->given->pdata[i + 1]);
    g_ptr_array_add(values, NULL);
    return (const char **)g_ptr_array_free(values, FALSE);
}

gboolean hearth_call_number(const HearthCall *call, const char *option, guint64 fallback,
                            guint64 max, guint64 *ret_number, GError **error)
{
    const char *value = hearth_call_value(call, option);
    *ret_number = fallback;
    if (!value || g_ascii_string_to_unsigned(value, 10, 0, max, ret_number, NULL))
        return TRUE;
    return hearth_call_usage(error, "--%s must be a number from 0 to %" G_GUINT64_FORMAT, option,
                             max);
}

gboolean hearth_call_json(const HearthCall *call)
{
    return hearth_call_flag(call, "json");
}

const char *hearth_call_state(const HearthCall *call)
{
    const char *state = hearth_call_value(call, "state");
    if (!state)
        state = g_getenv("HEARTH_STATE");
    return state && *state ? state : DEFAULT_STATE;
}

HearthClient *hearth_call_client(HearthCall *call)
{
    if (!call->client)
        call->client = hearth_client_new(hearth_call_state(call));
    return call->client;
}

char *hearth_call_path(const char *word)
{
    gsize length = strlen(word);
    while (length > 0 && word[length - 1] == '/')
        length--;
    return g_strdup_printf("%s%.*s", *word == '/' && length > 0 ? "" : "/", (int)length, word);
}
