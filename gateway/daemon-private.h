#pragma once

#include "devices/monitor.h"
#include "gateway/config.h"
#include "gateway/daemon.h"
#include "gateway/device-table.h"
#include "gateway/job.h"
#include "namespace/mount.h"
#include "namespace/store.h"
#include "sprockets/host/host.h"
#include "web/server.h"

/** Who made a change, so that a listener can tell its own from the others'. */
enum {
    HEARTH_ORIGIN_IMPORT = 1001,
    HEARTH_ORIGIN_WEB,
    HEARTH_ORIGIN_UPKEEP,
};

/** What the parts of the daemon share. Set up by daemon.c before the first job or request runs, and
 * only `config` changes after that. */
typedef struct {
    const HearthDaemonOptions *options;
    char *state;       /* absolute */
    char *spool;       /* STATE/spool */
    gint64 started_us; /* monotonic */

    HearthStore *store;
    HearthWebEvents *events;
    HearthSprocketHost *sprockets; /* (nullable) */
    HearthJobs *jobs;
    HearthDeviceTable *devices;
    HearthMonitor *monitor; /* (nullable) */
    GThreadPool *plugged;   /* (nullable): one thread, for what the monitor announces */
    HearthMount *mount;     /* (nullable) */
    char *mount_path;       /* (nullable): where it is mounted */
    HearthWebServer *server;
    GThread *trash_thread; /* (nullable): empties the trash now and then */

    GMutex mutex; /* protects what follows; held for moments */
    HearthConfig *config;
    GPtrArray *problems; /* element-type char *: sentences for the status page */
} HearthDaemon;

/** The configuration of now, with a reference. */
HearthConfig *hearth_daemon_config(HearthDaemon *daemon);
/** Logs a sentence and keeps it for the status. */
void hearth_daemon_problem(HearthDaemon *daemon, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** Runs a job of any kind: the HearthJobRun of the daemon. */
gboolean hearth_daemon_work(HearthJob *job, GCancellable *cancellable, gpointer data,
                            GError **error);
/** Attaches what `port` names; the device of its id is in the table afterwards. */
HearthDevice *hearth_daemon_attach(HearthDaemon *daemon, const char *port, GError **error);

/** The functions that the web server asks; their data is the HearthDaemon. */
extern const HearthWebHost HEARTH_DAEMON_HOST;
