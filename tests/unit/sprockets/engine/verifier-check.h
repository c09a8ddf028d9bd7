#pragma once

#include "tests/unit/sprockets/engine/verifier-walk.h"

/**
 * The sequences of the translator that make a check of an address, followed one instruction at a time along a straight
 * piece of code; and which registers are known to hold private addresses after them.
 */

#define VERIFIER_NEAR (64 * 1024) /* bytes: the margins of the window are wider */

typedef enum {
    VERIFIER_CHECK_WINDOW, /* an address against the window */
    VERIFIER_CHECK_BASE,   /* one register against both ends of the window */
    VERIFIER_CHECK_STACK,  /* the stack pointer against the stack */
    VERIFIER_CHECK_MARKED, /* a page against the table of marked ones */
    VERIFIER_CHECK_CLEAN,  /* a page against the table of clean ones */
} VerifierCheckKind;

typedef enum {
    VERIFIER_PHASE_NONE,
    VERIFIER_PHASE_ADDRESS, /* it is in `scratch` */
    VERIFIER_PHASE_OFFSET,  /* in the window or the stack */
    VERIFIER_PHASE_ROTATED,
    VERIFIER_PHASE_PAGE,   /* its number is in `scratch` */
    VERIFIER_PHASE_COPIED, /* and in `place` */
    VERIFIER_PHASE_PLACE,  /* in a table */
    VERIFIER_PHASE_LOW,    /* the lower end was compared */
    VERIFIER_PHASE_BELOW,  /* and what is below has left */
    VERIFIER_PHASE_COMPARED,
    VERIFIER_PHASE_DONE, /* what is not as it should be has left */
} VerifierPhase;

typedef struct {
    VerifierPhase phase;
    VerifierCheckKind kind;
    guint8 scratch, place, base, index, scale;
    gboolean thread;
    gint64 disp;
    guint32 site;  /* whose gate is called */
    guint restore; /* instructions of a restore of flags seen */
    guint64 far;   /* where a load begins that has its address in a register; 0: it has none */
} VerifierCheck;

/** What is known of general registers at a place in a straight piece of code. */
typedef struct {
    guint32 private;           /* registers, by bit, that were compared and not changed since */
    guint32 site[HEARTH_RIP];  /* which site compared each */
    guint8 spilled[6];         /* register in each spill; NONE: not known */
    gboolean spill_private[6]; /* it was private */
    guint32 spill_site[6];
    guint32 gate_site;    /* whose gate was called, or perhaps called, last */
    guint32 gate_private; /* registers known to be private then */
} VerifierKnown;

/** lea, mov or cmp that may begin a check. */
gboolean verifier_check_begin(const VerifierInsn *insn, VerifierCheck *ret_check);

/** One instruction on: FALSE if it is no part of the check. */
gboolean verifier_check_advance(const VerifierWalk *walk, VerifierCheck *check,
                                const VerifierInsn *insn);

/** True if the check is complete and looked at the address that the instruction accesses, in the way of `kind`. */
gboolean verifier_check_covers(const VerifierCheck *check, VerifierCheckKind kind,
                               const VerifierInsn *insn);

/** Nothing is known. */
void verifier_known_clear(VerifierKnown *known);

/** What is known at a place that may be come to in the way of `entry`, with what falls into it. */
void verifier_known_enter(const VerifierWalk *walk, VerifierKnown *known, guint64 address);

/** What the instruction does to it. */
void verifier_known_step(const VerifierWalk *walk, VerifierKnown *known, const VerifierInsn *insn);

/** The gate of `site` is called, or may be. */
void verifier_known_gate(VerifierKnown *known, guint32 site);

/** A check of a base is complete. */
void verifier_known_add(VerifierKnown *known, const VerifierCheck *check);
