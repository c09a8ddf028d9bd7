#pragma once

#include <glib.h>

/**
 * Reads once more what the translator wrote, with another decoder (Capstone, and for VEX and EVEX its own), and
 * proves of each fragment that it can do no harm: every store is private, checked or an engine slot; nothing leaves but by
 * gates and known entries; the stack pointer stays in the stack, and a multiple of eight there. It knows the sequences that
 * make a check, and nothing of how they came to be.
 *
 * Not while a call is in progress.
 */

typedef struct {
    guint64 address; /* in the cache */
    guint64 app;     /* entry of the fragment in the process */
    guint view;
    const char *rule; /* what was broken */
    char *text;       /* bytes and mnemonic */
} VerifierViolation;

typedef struct {
    guint fragments, instructions, stores, checked, loads, bounces;
    GPtrArray *violations; /* VerifierViolation; at most VERIFIER_EXAMPLES for each rule */
    GHashTable *rules;     /* how often each was broken */
    guint count;           /* of violations, all of them */
} VerifierReport;

#define VERIFIER_EXAMPLES 40

/** Verifies all fragments that the cache has now, and all bounced accesses. */
VerifierReport *verifier_run(void);
void verifier_report_free(VerifierReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VerifierReport, verifier_report_free)

/** Asserts that there is no violation; says what there is. */
void verifier_assert(void);
