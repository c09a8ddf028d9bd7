#pragma once

#include <glib.h>

/**
 * The settings of hearthd: a GKeyFile, checked strictly.
 *
 * An unknown group or key, a key given twice, or a value out of its range is an error that names
 * file, line and key: a setting that is misspelt must not be a setting that is silently off. Every
 * key has a default, so no file at all is a good configuration.
 *
 * A HearthConfig never changes once read; a reload makes a new one. Reference counted, safe from
 * any thread.
 */
typedef struct HearthConfig HearthConfig;

/** Where the daemon looks when no file is named; it need not exist. */
#define HEARTH_CONFIG_PATH "/etc/hearth/hearth.conf"

#define HEARTH_CONFIG_LISTEN "127.0.0.1:8380"
#define HEARTH_CONFIG_TEMPLATE "/Photos/{year}/{year}-{month}-{day}/{name}"
#define HEARTH_CONFIG_TEMPLATE_MUSIC "/Music/{artist}/{album}/{track} {title}"

/** Whether a device is imported when it is plugged in. */
typedef enum {
    HEARTH_IMPORT_ON,
    HEARTH_IMPORT_OFF,
    HEARTH_IMPORT_ASK, /* shown as waiting for a person, who starts it */
} HearthImportPolicy;

/** Reads `path`. NULL: an empty file, which is all defaults. */
HearthConfig *hearth_config_read(const char *path, GError **error);
/** As hearth_config_read, of `text`; `name` stands for the file in errors. */
HearthConfig *hearth_config_parse(const char *text, const char *name, GError **error);
HearthConfig *hearth_config_ref(HearthConfig *config);
void hearth_config_unref(HearthConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthConfig, hearth_config_unref)

/* [gateway]. Strings are the config's own. */
const char *hearth_config_name(const HearthConfig *config);   /* default: the host's name */
const char *hearth_config_mount(const HearthConfig *config);  /* (nullable): not mounted */
const char *hearth_config_listen(const HearthConfig *config); /* ADDR:PORT */
gboolean hearth_config_allow_lan(const HearthConfig *config);
guint hearth_config_copies(const HearthConfig *config);
guint hearth_config_trash_days(const HearthConfig *config);

/* [import] */
gboolean hearth_config_dedupe(const HearthConfig *config);
gboolean hearth_config_delete_after_import(const HearthConfig *config);
/** Words and globs of `filter`, NULL-terminated; empty: everything. See plan.h. */
const char *const *hearth_config_filter(const HearthConfig *config);

/* [device ID] over [import] */
const char *hearth_config_template(const HearthConfig *config, const char *device);
HearthImportPolicy hearth_config_policy(const HearthConfig *config, const char *device);
/** "on", "off", "ask" */
const char *hearth_import_policy_word(HearthImportPolicy policy);

/** Where the code of a sprocket runs. */
typedef enum {
    HEARTH_TRUST_INSIDE,  /* in the daemon, rolled back, where that can be had; else as FORK */
    HEARTH_TRUST_PROCESS, /* rolled back too, in a confined process that stays; else as FORK */
    HEARTH_TRUST_FORK,    /* in a confined process for each call */
} HearthSprocketTrust;

/* [sprocket ID] */
HearthSprocketTrust hearth_config_trust(const HearthConfig *config, const char *sprocket);

/** Sentences about what is set and has no effect in this version; NULL-terminated. */
char **hearth_config_notes(const HearthConfig *config);

/** All keys with their values in force, as a file that could be read again. */
char *hearth_config_dump(const HearthConfig *config);
