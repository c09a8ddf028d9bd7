#pragma once

#include <glib.h>

/** The misbehaviours of bad/, by the rows of the catalogue they stand for, and what must come of each. */

/** Outcomes, as bits. */
#define R (1u << 0) /* returned, with 0 */
#define X (1u << 1) /* refused */
#define F (1u << 2) /* faulted */
#define T (1u << 3) /* timed out */
#define M (1u << 4) /* out of memory */
#define C (1u << 5) /* conflict */
#define E (1u << 6) /* escaped */
#define U (1u << 7) /* unsupported */

typedef enum {
    MISBEHAVIOUR_PLAIN = 0,
    MISBEHAVIOUR_PRINTS = 1 << 0, /* the log has what it wrote */
    MISBEHAVIOUR_FLOODS = 1 << 1, /* the log is full */
    MISBEHAVIOUR_SAME = 1 << 2,   /* two calls leave the same in the area */
    MISBEHAVIOUR_RACES =
        1 << 3,                 /* a thread of the host changes what it reads, which is validated */
    MISBEHAVIOUR_LAZY = 1 << 4, /* its object is loaded without binding its functions */
    MISBEHAVIOUR_NEEDS_AVX = 1 << 5, /* the processor's, where it is expected to return */
    MISBEHAVIOUR_NEEDS_AVX512 = 1 << 6
} MisbehaviourFlags;

typedef struct {
    const char *object;   /* "02-host-heap" */
    const char *function; /* "misbehave_…"; NULL: "misbehave" */
    guint outcomes;
    const char
        *rule; /* if it did not return; ends with * where the rest does not matter; NULL: any */
    guint flags;
} Misbehaviour;

extern const Misbehaviour MISBEHAVIOURS[];
extern const gsize MISBEHAVIOURS_COUNT;
