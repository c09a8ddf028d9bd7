#pragma once

#include <glib.h>

/**
 * What is wrong with a simulated device, set by tests while it runs. The device's lock protects it.
 */
typedef struct {
    guint64 fail_after; /* bytes of data that may still be sent before it is pulled; MAX: no end */
    gboolean hang;      /* nothing is answered */
    gboolean stall;     /* the next answer is a stall of the pipe */
    gboolean busy;      /* another program holds the interface */
    gboolean locked;    /* a phone's screen lock: no storage is shown */
    gboolean undefined; /* every file says it is of format Undefined */
    gboolean small_sizes; /* sizes over 4 GiB are cut to 32 bits instead of saying 0xffffffff */
    gint64 size_error;    /* added to every size that is announced, not to what is sent */
    guint16 refuse;       /* this operation… */
    guint16 refuse_with;  /* …is answered by this code */
    guint16 shorten;      /* the data of this operation… */
    guint64 shorten_by;   /* …ends this many bytes early */
    guint16 nonsense;     /* the data of this operation is noise */
} SimFaults;

void sim_faults_init(SimFaults *faults);

/**
 * Carries out one command of the control language: `words` as in "failafter 1000" (README.md has
 * the list). FALSE without an error: not a fault, somebody else's command.
 */
gboolean sim_faults_set(SimFaults *faults, char **words, GError **error);
