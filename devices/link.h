#pragma once

#include "devices/message.h"

/**
 * hearthd's end of one hearth-device process: starts it, speaks to it with deadlines, ends it.
 *
 * Private to this folder; for one thread at a time. Knows nothing of devices or of trying again.
 * Nothing here waits longer than it says, whatever the process does; one that cannot even be killed
 * (it hangs in the kernel) is left to be reaped later.
 */
typedef struct HearthLink HearthLink;

/**
 * How long a call may wait, and what else ends it.
 *
 * A library may work for minutes on one folder of 20,000 files without a word. So when a period is
 * over, a process that used the processor in it is given another, `periods` in all: one that waits
 * for a device that does not answer uses none.
 */
typedef struct {
    gint64 period_us;
    guint periods;
    GCancellable *cancellable; /* (nullable): CANCELLED */
    int wake;                  /* -1, or readable when the device was unplugged: GONE */
} HearthLinkWait;

/** Starts `program` with `arguments` (nullable, NULL-terminated) after its name. */
HearthLink *hearth_link_start(const char *program, const char *const *arguments, GError **error);

/** Ends the process: at once, or after it closed its device, which may take half a second. */
void hearth_link_stop(HearthLink *link, gboolean politely);

/** Sends a request; never waits: BUSY if the process has not taken the ones before. */
gboolean hearth_link_send(HearthLink *link, HearthMessageKind kind, GVariant *body, int fd,
                          guint32 *ret_serial, GError **error);

/** Asks the process to end all requests up to `serial`. */
void hearth_link_cancel(HearthLink *link, guint32 serial);

/** The next answer; only kinds that are answers, without descriptors. Lives until the next one. */
gboolean hearth_link_receive(HearthLink *link, const HearthLinkWait *wait,
                             HearthMessage *ret_message, GError **error);

/**
 * Reads up to `size` bytes from the pipe; -1 with `error` set. 0: none are there, and a message is,
 * or with `wait` NULL: none are there.
 */
gssize hearth_link_read(HearthLink *link, void *data, gsize size, const HearthLinkWait *wait,
                        GError **error);

/** The write end of the pipe, to be sent with OPEN. The link keeps it until forgotten. */
int hearth_link_pipe(HearthLink *link);
void hearth_link_forget_pipe(HearthLink *link);

/** The process id, for tests. */
int hearth_link_pid(const HearthLink *link);
