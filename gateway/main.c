#include "gateway/config.h"
#include "gateway/daemon.h"
#include "gateway/log.h"

#include <locale.h>
#include <stdio.h>

#define EXIT_USAGE 2
#define DEFAULT_STATE "/var/lib/hearth"

typedef struct {
    char *config, *state, *mount, *listen;
    gboolean foreground, version, dump;
} Options;

static gboolean parse(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &options->config,
         "Read settings from FILE (default: " HEARTH_CONFIG_PATH ", if it exists)", "FILE"},
        {"state", 0, 0, G_OPTION_ARG_FILENAME, &options->state,
         "Keep everything in DIR (default: " DEFAULT_STATE ")", "DIR"},
        {"foreground", 0, 0, G_OPTION_ARG_NONE, &options->foreground,
         "Log to standard error, also under systemd", NULL},
        {"mount", 0, 0, G_OPTION_ARG_FILENAME, &options->mount, "Mount the tree at DIR", "DIR"},
        {"listen", 0, 0, G_OPTION_ARG_STRING, &options->listen,
         "Serve HTTP at ADDR:PORT (default: " HEARTH_CONFIG_LISTEN ")", "ADDR:PORT"},
        {"dump-config", 0, 0, G_OPTION_ARG_NONE, &options->dump,
         "Print the settings in force and exit", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version and exit", NULL},
        {0},
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the Hearth gateway");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc == 1)
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "what is \"%s\"?",
                (*argv)[1]);
    return FALSE;
}

static int dump_config(const Options *options)
{
    g_autoptr(GError) error = NULL;
    const char *path = options->config;
    if (!path && g_file_test(HEARTH_CONFIG_PATH, G_FILE_TEST_EXISTS))
        path = HEARTH_CONFIG_PATH;
    g_autoptr(HearthConfig) config = hearth_config_read(path, &error);
    if (!config) {
        fprintf(stderr, "hearthd: %s\n", error->message);
        return 1;
    }
    g_autofree char *text = hearth_config_dump(config);
    fputs(text, stdout);
    return 0;
}

static int run(const Options *options)
{
    if (options->version) {
        puts("hearthd " HEARTH_VERSION);
        return 0;
    }
    if (options->dump)
        return dump_config(options);
    hearth_log_init(options->foreground);
    HearthDaemonOptions daemon = {
        .config = options->config,
        .state = options->state ? options->state : DEFAULT_STATE,
        .mount = options->mount,
        .listen = options->listen,
    };
    return hearth_daemon_run(&daemon);
}

int main(int argc, char **argv)
{
    Options options = {0};
    g_autoptr(GError) error = NULL;
    int status = EXIT_USAGE;
    setlocale(LC_ALL, "");
    if (parse(&options, &argc, &argv, &error))
        status = run(&options);
    else
        fprintf(stderr, "hearthd: %s (hearthd --help says more)\n", error->message);
    g_free(options.config);
    g_free(options.state);
    g_free(options.mount);
    g_free(options.listen);
    return status;
}
