#pragma once

#include <stddef.h>

#include "sprockets/engine/cache-private.h"
#include "tests/unit/sprockets/engine/verifier-decode.h"
#include "tests/unit/sprockets/engine/verifier.h"

/**
 * A fragment under verification: its bytes, how each of them can be come to, and looking about in it. Of one run of
 * the verifier, and one thread.
 */

#define VERIFIER_AT(field) ((gint64)(HEARTH_GS_CONTEXT + offsetof(HearthContext, field)))
#define VERIFIER_CODE_MAX 16384

typedef enum {
    VERIFIER_ENTRY_JUMP = 1 << 0,   /* a branch of the fragment, or from outside, leads here */
    VERIFIER_ENTRY_NATIVE = 1 << 1, /* the gate of a site goes here: it looked at the address */
    VERIFIER_ENTRY_PAD = 1 << 2,    /* a call leads here */
    VERIFIER_ENTRY_FALL = 1 << 3,   /* the instruction before goes on here */
    VERIFIER_ENTRY_RESUME = 1 << 4, /* the gate of a site goes on here after the instruction */
} VerifierEntry;

typedef struct {
    VerifierReport *report;
    const HearthFragment *fragment;
    const guint8 *code;
    guint64 start;
    guint8 entry[VERIFIER_CODE_MAX];    /* VerifierEntry, by offset */
    guint32 resumes[VERIFIER_CODE_MAX]; /* site that resumes there */
    guint8 length[VERIFIER_CODE_MAX];   /* of the instruction that begins there */
    gboolean queued[VERIFIER_CODE_MAX]; /* to be walked, or walked */
    guint queue[VERIFIER_CODE_MAX], queue_count;
    GHashTable *codes; /* of all fragments: code -> fragment */
} VerifierWalk;

/** Notes in the report that `insn` breaks `rule`, a constant. */
void verifier_complain(VerifierWalk *walk, const VerifierInsn *insn, const char *rule);

/** Queues `address` of the fragment to be walked from. */
void verifier_enter(VerifierWalk *walk, guint64 address, VerifierEntry entry);

gboolean verifier_inside(const VerifierWalk *walk, guint64 address);
VerifierInsn verifier_decode_at(const VerifierWalk *walk, guint64 address);

/** How the instruction at `address` can be come to. */
guint8 verifier_entry(const VerifierWalk *walk, guint64 address);

/** True if the number is that of a site, or an exit, of this fragment. */
gboolean verifier_own_site(const VerifierWalk *walk, guint32 number);
gboolean verifier_own_exit(const VerifierWalk *walk, guint32 number);

/** True if the operand is gs:[disp] and nothing else. */
gboolean verifier_is_gs(const VerifierInsn *insn, gint64 disp);

/** mov reg, gs:[disp] (8B) or mov gs:[disp], reg (89), add (03), sub (2B), cmp (3B); the register or NONE. */
guint8 verifier_gs_move(const VerifierInsn *insn, guint8 opcode, gint64 disp);

/** Follows jumps that were not moved, and a restore of flags; the gate that is jumped to, or -1. */
int verifier_gate_of_stub(const VerifierWalk *walk, guint64 address, guint32 *ret_number);
