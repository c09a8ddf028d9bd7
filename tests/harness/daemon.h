#pragma once

#include <gio/gio.h>

/**
 * A real hearthd for tests: started on a private state, asked over its socket, stopped or killed.
 * Each function fails the test by itself, unless it says otherwise. One thread.
 */
typedef struct HearthTestDaemon HearthTestDaemon;

/** Starts nothing yet. `state` is a folder that need not exist. */
HearthTestDaemon *test_daemon_new(const char *state);
/** Kills what runs, and frees; the state stays. */
void test_daemon_free(HearthTestDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthTestDaemon, test_daemon_free)

/** Adds arguments and variables (NAME=VALUE) to all later starts. */
void test_daemon_add_argument(HearthTestDaemon *daemon, const char *argument);
void test_daemon_set_variable(HearthTestDaemon *daemon, const char *name, const char *value);

/** Starts it, not waiting for anything. */
void test_daemon_spawn(HearthTestDaemon *daemon);
/** Starts it and waits until it answers. */
void test_daemon_start(HearthTestDaemon *daemon);
/** As test_daemon_start(); FALSE if it ended instead. */
gboolean test_daemon_try_start(HearthTestDaemon *daemon);

GPid test_daemon_pid(const HearthTestDaemon *daemon);
gboolean test_daemon_runs(HearthTestDaemon *daemon);
void test_daemon_signal(HearthTestDaemon *daemon, int number);
/** Waits for its end, at most `seconds`: its wait status. */
int test_daemon_wait(HearthTestDaemon *daemon, guint seconds);
/** TERM, and a clean end within `seconds`. */
void test_daemon_stop(HearthTestDaemon *daemon, guint seconds);
/** KILL. */
void test_daemon_kill(HearthTestDaemon *daemon);

/** One request; `body` (nullable) is JSON. The status, 0 when the daemon is not there; the answer's
 * body (JSON, nullable) in `ret_value`. */
guint test_daemon_request(HearthTestDaemon *daemon, const char *method, const char *path,
                          const char *body, GVariant **ret_value);
/** A request that must be answered 2xx. */
GVariant *test_daemon_ask(HearthTestDaemon *daemon, const char *method, const char *path,
                          const char *body);

/** Attaches `port`; the id of the device. */
char *test_daemon_attach(HearthTestDaemon *daemon, const char *port);
/** Waits until no job waits or runs; FALSE when the daemon is gone, or after `seconds`. */
gboolean test_daemon_settle(HearthTestDaemon *daemon, guint seconds);
/** The newest job of `kind`, a{sv}; NULL if there is none. */
GVariant *test_daemon_job(HearthTestDaemon *daemon, const char *kind);
/** What it wrote to standard error so far. */
char *test_daemon_log(const HearthTestDaemon *daemon);

/** Text of `key`, which must be there; borrowed. */
const char *test_text(GVariant *dictionary, const char *key);
/** Number of `key`, -1 if it is not there. */
gint64 test_number(GVariant *dictionary, const char *key);
