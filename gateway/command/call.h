#pragma once

#include <gio/gio.h>

/**
 * One call of the command: what was typed, taken apart by the table of the command it names.
 *
 * Options may stand anywhere up to "--"; --state, --json and --help belong to every command. A call
 * belongs to the main thread.
 */
typedef struct HearthCall HearthCall;
typedef struct HearthClient HearthClient;

/** An option of a command; the last of a table has no name. */
typedef struct {
    const char *name;  /* without the dashes */
    char letter;       /* the short form; 0: none */
    const char *value; /* what the help calls its value; NULL: it has none */
    const char *help;
} HearthCallOption;

/** A command: one line of a table, which ends with one without a name. */
typedef struct {
    const char *name;                /* one or two words: "ls", "trash list" */
    const char *arguments;           /* as the help shows them */
    const char *summary;             /* one line */
    guint least, most;               /* words it takes */
    const HearthCallOption *options; /* nullable */
    gboolean (*run)(HearthCall *call, GError **error);
} HearthCommand;

/** What ends with another exit status than 1. */
#define HEARTH_COMMAND_ERROR (hearth_command_error_quark())
typedef enum {
    HEARTH_COMMAND_ERROR_USAGE,       /* 2 */
    HEARTH_COMMAND_ERROR_UNREACHABLE, /* 3 */
    HEARTH_COMMAND_ERROR_SILENT,      /* 1, and all has been said */
} HearthCommandError;
GQuark hearth_command_error_quark(void);

/** The whole command: finds it among `tables` (the last is NULL), runs it, and reports; the exit
 * status. */
int hearth_call_main(const HearthCommand *const *tables, int argc, char **argv);

/** The n-th word after the command's name, or NULL; borrowed. */
const char *hearth_call_word(const HearthCall *call, guint n);
guint hearth_call_word_count(const HearthCall *call);
gboolean hearth_call_flag(const HearthCall *call, const char *option);
/** The value of an option, or NULL; borrowed. */
const char *hearth_call_value(const HearthCall *call, const char *option);
/** Every value of an option that may be given several times, in order; free the array alone. */
const char **hearth_call_values(const HearthCall *call, const char *option);
/** A whole number, `fallback` without the option; FALSE with a usage error. */
gboolean hearth_call_number(const HearthCall *call, const char *option, guint64 fallback,
                            guint64 max, guint64 *ret_number, GError **error);

/** TRUE if JSON is wanted. */
gboolean hearth_call_json(const HearthCall *call);
/** The state folder; borrowed. */
const char *hearth_call_state(const HearthCall *call);
/** The connection to the daemon, made at the first need; borrowed. */
HearthClient *hearth_call_client(HearthCall *call);

/** A word as a path of the tree: absolute, without a slash at its end; (transfer full). */
char *hearth_call_path(const char *word);

/** Sets a usage error; always FALSE. */
gboolean hearth_call_usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
