#pragma once

#include <gio/gio.h>

/**
 * Loads sprockets, chooses one for a file, runs a hook of it and hands on what passed validation.
 *
 * A sprocket is code that we do not trust to be right. A small server, the program hearth-sprocket,
 * loads it first, in a process that may die of it. Only then is it called: where there is the
 * rollback engine, in the calling thread, by code that undoes all it does; elsewhere in a confined
 * child that the server forks for each call. The server is started at the first need, and again if
 * it dies. What a call answers is copied once, decoded with suspicion, and validated by the rules of
 * the hook; only then does the caller see it.
 *
 * Threads: every function may be called from any thread at any time, but for new and free. A call
 * blocks the thread that makes it; calls of several threads run in parallel. Nothing here needs or
 * enters a main loop. A thread other than the main one that makes a call in the mode `rollback` has
 * its asynchronous signals (SIGINT, SIGTERM, SIGCHLD and the like) blocked from then on, which
 * threads that it starts inherit: they belong to the main thread, and behind a thread that receives
 * none the engine has a second wall. Who starts a program from such a thread clears its mask.
 *
 * A call that goes wrong is an ordinary error, after which the host and the next call are as
 * before. Errors of the sprocket's own making name the sprocket, the hook and the rule it broke;
 * see HearthSprocketOutcome for what counts as such.
 */
typedef struct HearthSprocketHost HearthSprocketHost;

/** How a call is run. */
typedef enum {
    HEARTH_SPROCKET_MODE_DEFAULT, /* `rollback` where it can be had, else `fork` */
    HEARTH_SPROCKET_MODE_FORK,    /* a confined child per call, forked by the resident server */
    HEARTH_SPROCKET_MODE_DIRECT, /* in the calling thread, uncontained: tests and benchmarks only */
    HEARTH_SPROCKET_MODE_ROLLBACK, /* in the calling thread, by the engine, and undone */
    HEARTH_SPROCKET_MODE_PROCESS,  /* by the engine too, in a confined process that stays */
} HearthSprocketMode;

/** "fork", "direct", "rollback", "process"; "default", which is not parsed. */
const char *hearth_sprocket_mode_word(HearthSprocketMode mode);
gboolean hearth_sprocket_mode_parse(const char *word, HearthSprocketMode *ret_mode);

/**
 * TRUE if calls can be run in `mode` here: `rollback` and `process` need a build with the engine and
 * a processor that can run it. `ret_reason` may be NULL.
 */
gboolean hearth_sprocket_mode_available(HearthSprocketMode mode, const char **ret_reason);

/** Bounds of one call. A zero stands for the default, named at each. */
typedef struct {
    guint cpu_ms;      /* processor time: 5,000 */
    guint wall_ms;     /* from request to answer: 10,000 */
    guint64 memory;    /* bytes beyond the input: 256 MiB */
    guint result_size; /* bytes of the encoded result: 64 KiB, which is also the most */
    guint64 emit_size; /* bytes emitted: 16 MiB */
    guint log_size;    /* bytes of log: 4 KiB, which is also the most */
} HearthSprocketLimits;

typedef struct {
    const char *folder;          /* with the shared objects; NULL: beside this program's own */
    const char *runner;          /* the program hearth-sprocket; NULL: beside this program */
    HearthSprocketMode mode;     /* for calls that name none */
    HearthSprocketLimits limits; /* for calls that give none */
} HearthSprocketOptions;

/**
 * Loads every *.so of the folder, in the order of the names. One that cannot be loaded is left out
 * and listed, with the reason, by hearth_sprocket_host_list; an empty folder is a host that knows
 * no type. NULL: the folder cannot be read, or the server cannot be started. `options` is copied;
 * NULL means all defaults.
 */
HearthSprocketHost *hearth_sprocket_host_new(const HearthSprocketOptions *options, GError **error);

/** Ends the server. No call may be in progress. NULL is allowed. */
void hearth_sprocket_host_free(HearthSprocketHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthSprocketHost, hearth_sprocket_host_free)

/** How a call ended. All but the first three and CONFLICT count against the sprocket. */
typedef enum {
    HEARTH_SPROCKET_NOT_RUN, /* no sprocket for the file, quarantined, cancelled, our own failure */
    HEARTH_SPROCKET_RETURNED,      /* and its result is valid */
    HEARTH_SPROCKET_DECLINED,      /* it said: declined, damaged file, or failed */
    HEARTH_SPROCKET_REFUSED,       /* it did what is not allowed: `rule` says what */
    HEARTH_SPROCKET_FAULTED,       /* a signal: `rule` is its name, `address` and `symbol` where */
    HEARTH_SPROCKET_TIMED_OUT,     /* rule "cpu-time" or "wall-time" */
    HEARTH_SPROCKET_OUT_OF_MEMORY, /* failed or crashed at its memory limit */
    HEARTH_SPROCKET_INVALID,       /* the result does not decode or does not validate */
    HEARTH_SPROCKET_CONFLICT,      /* other threads kept changing what it read, or held a lock */
    HEARTH_SPROCKET_ESCAPED,       /* it jumped to what is not code of a file, or left its stack */
    HEARTH_SPROCKET_UNSUPPORTED,   /* an instruction that the engine does not know: `rule` has it */
    HEARTH_SPROCKET_OUTCOMES       /* count, not an outcome */
} HearthSprocketOutcome;

/** A stable word: "returned", "refused", "timed-out". */
const char *hearth_sprocket_outcome_word(HearthSprocketOutcome outcome);

/** What the engine did for a call; all zero in the modes that do without it. */
typedef struct {
    guint64 instructions; /* translated for this call: what was translated before counts no more */
    guint64 stores_stack; /* sites in the code translated for this call, by class: engine.h */
    guint64 stores_thread;
    guint64 stores_checked;
    guint64 stores_foreign;
    guint overlay_pages; /* pages that are not the call's own and that it stored to */
    guint system_calls;
    guint tries;    /* 1, or more after conflicts */
    guint64 memory; /* bytes of private memory */
} HearthSprocketEngineStats;

/** What happened in a call, also in one that failed. Start it with {0}; clear it after use. */
typedef struct {
    HearthSprocketOutcome outcome;
    char *sprocket;  /* id; NULL if none was chosen */
    char *rule;      /* "SIGSEGV", "system call openat", "wall-time", "result-invalid"; or NULL */
    guint64 address; /* of the instruction at fault; 0: not known */
    char *symbol;    /* "photo.so:read_tag+0x12"; or NULL */
    char *log;       /* what the sprocket logged, valid UTF-8; NULL if nothing */
    HearthSprocketMode mode;
    guint64 wall_ns; /* request to answer, validation included */
    guint64 cpu_us;  /* of the child; 0 in other modes than fork */
    guint64
        peak_memory; /* bytes: resident in the child, or private to the call; 0 in direct mode */
    gboolean again;  /* the server had died and the call was made once more */
    HearthSprocketEngineStats engine;
} HearthSprocketReport;

void hearth_sprocket_report_clear(HearthSprocketReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthSprocketReport, hearth_sprocket_report_clear)

/** Told, in the thread of the call and while it is in progress, what the engine does for it: a line without its end. */
typedef void (*HearthSprocketTrace)(const char *line, gpointer data);

/** One call of a hook. Strings are borrowed for its time. */
typedef struct {
    const char *hook;       /* "metadata", "preview" */
    const char *sprocket;   /* id; NULL: the best for the file */
    int fd;                 /* regular file, open for reading; its position is not used */
    const char *name;       /* the file's last name; NULL: none */
    const char *media_type; /* what the caller takes it for; NULL: not known */
    GVariant *params;       /* a{sv} of s, u, t, d, b; NULL: none. Not consumed if not floating */
    const HearthSprocketLimits *limits; /* NULL: the host's */
    const HearthSprocketMode *mode;     /* NULL or DEFAULT: the sprocket's, or else the host's */
    /* This thread does little else than calls: the engine's second wall, which makes every system
     * call of the thread slower, is left up after this one. */
    gboolean in_a_row;
    HearthSprocketTrace trace; /* NULL: nobody; otherwise the mode must be rollback */
    gpointer trace_data;
} HearthSprocketRequest;

/**
 * Runs `request`. On success `ret_values` is the validated result, an a{sv} (transfer full; never
 * floating), and `ret_bytes` what was emitted, NULL if nothing. Either may be NULL, as may
 * `report`.
 *
 * Errors: UNSUPPORTED: no sprocket knows the file, or it declined or failed, or the mode does not
 * exist. CORRUPT: the sprocket says that the file is damaged. PERMISSION: quarantined. TIMED_OUT,
 * LIMIT, PROTOCOL: the sprocket's fault, as `report` tells. CONFLICT: nobody's: the file became
 * shorter meanwhile, or other threads were in the way; once more may do. CANCELLED: by `cancellable`,
 * at any time in the modes fork and process, before the call in the others. Others: ours (the file
 * cannot be read, the server cannot be started).
 */
gboolean hearth_sprocket_host_run(HearthSprocketHost *host, const HearthSprocketRequest *request,
                                  GVariant **ret_values, GBytes **ret_bytes,
                                  HearthSprocketReport *report, GCancellable *cancellable,
                                  GError **error);

/**
 * The attributes of a file: an a{sv} of vocabulary keys, `media.type` always among them. `name` and
 * `media_type` may be NULL. Errors as hearth_sprocket_host_run.
 */
GVariant *hearth_sprocket_host_metadata(HearthSprocketHost *host, int fd, const char *name,
                                        const char *media_type, GCancellable *cancellable,
                                        GError **error);

/** A small picture of a file. Start it with {0}. */
typedef struct {
    GBytes *data;     /* one whole JPEG, upright: no orientation to apply */
    char *media_type; /* "image/jpeg" */
    guint width;      /* pixels; the longer of both is at most the edge asked for */
    guint height;
} HearthSprocketPreview;

void hearth_sprocket_preview_clear(HearthSprocketPreview *preview);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthSprocketPreview, hearth_sprocket_preview_clear)

/** Pixels of the longest edge that a preview may have. */
#define HEARTH_SPROCKET_EDGE_MAX 4096

/** Makes a preview of at most `edge` pixels (16 to HEARTH_SPROCKET_EDGE_MAX); never enlarges. */
gboolean hearth_sprocket_host_preview(HearthSprocketHost *host, int fd, const char *name,
                                      const char *media_type, guint edge,
                                      HearthSprocketPreview *ret_preview, GCancellable *cancellable,
                                      GError **error);

/**
 * The media type of a file by its name and its first bytes, as the loaded sprockets know it; NULL
 * if none does. The string belongs to the host. 4,096 bytes of `head` are enough.
 */
const char *hearth_sprocket_host_media_type(HearthSprocketHost *host, const char *name,
                                            const void *head, gsize head_size);

/** A sprocket as status shows it. */
typedef struct {
    char *id;          /* NULL if it could not be loaded */
    char *version;     /* NULL if it could not be loaded */
    char *description; /* may be NULL */
    char *path;
    char **hooks; /* names */
    char **media_types;
    guint64 calls;
    guint64 outcomes[HEARTH_SPROCKET_OUTCOMES]; /* how they ended */
    guint64 busy_ns;                            /* wall time of all calls */
    guint bad_in_a_row;
    gboolean quarantined;
    HearthSprocketMode mode; /* of calls that name none; never DEFAULT */
    char *last_error;        /* of a call, or why it could not be loaded; NULL: none */
    gint64 last_error_time;  /* Unix seconds; 0: none */
} HearthSprocketStatus;

void hearth_sprocket_status_free(HearthSprocketStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthSprocketStatus, hearth_sprocket_status_free)

/** Calls in a row that must go wrong before a sprocket is called no more. */
#define HEARTH_SPROCKET_QUARANTINE_AFTER 3

/** A snapshot: elements are HearthSprocketStatus, freed with the array. */
GPtrArray *hearth_sprocket_host_list(HearthSprocketHost *host);

/** Lifts the quarantine of `id` and forgets its bad calls; NOT_FOUND if there is no such sprocket.
 */
gboolean hearth_sprocket_host_enable(HearthSprocketHost *host, const char *id, GError **error);

/**
 * How `id` is run by calls that name no mode, from now on; DEFAULT: as the host's others. NOT_FOUND;
 * UNSUPPORTED, and nothing changes, if the mode cannot be had here.
 */
gboolean hearth_sprocket_host_set_mode(HearthSprocketHost *host, const char *id,
                                       HearthSprocketMode mode, GError **error);

/**
 * For the engine: loads the sprockets that it runs in this process, takes over the translations
 * that an earlier run kept in `path`, and makes what can be known to be wanted beyond them, so that first
 * calls are nearly as quick as later ones. The number of blocks taken over; 0 without a word if
 * there are none or they are of another build.
 */
glong hearth_sprocket_host_warm(HearthSprocketHost *host, const char *path);

/** Keeps the translations of now in `path`. TRUE also where there is nothing to keep. */
gboolean hearth_sprocket_host_keep(HearthSprocketHost *host, const char *path, GError **error);

/**
 * One call for `hearth sprocket run`: `sprocket` is an id known to `host`, or the path of a shared
 * object that ends in ".so", which is loaded for this call alone. `host` may be NULL with a path.
 * `file` is a path. Results and errors as hearth_sprocket_host_run; calling it `repeat` times (at
 * least 1) gives the median and the first time, and stops at the first error.
 */
typedef struct {
    HearthSprocketReport report;    /* of the last call */
    HearthSprocketEngineStats cold; /* of the first call, which does the translating */
    guint64 cold_ns;   /* of the first call, with what is loaded and started for it alone */
    guint64 median_ns; /* of the calls after the first; of the first if it was alone */
} HearthSprocketRunStats;

gboolean hearth_sprocket_run_file(HearthSprocketHost *host, const char *sprocket, const char *hook,
                                  const char *file, GVariant *params, HearthSprocketMode mode,
                                  guint repeat, HearthSprocketTrace trace, GVariant **ret_values,
                                  GBytes **ret_bytes, HearthSprocketRunStats *ret_stats,
                                  GError **error);
