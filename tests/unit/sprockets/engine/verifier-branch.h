#pragma once

#include "tests/unit/sprockets/engine/verifier-walk.h"

/** Ways out of a fragment and about in it: complains of those that are none, and queues where the others lead. */

/** A direct jump, conditional or not, or call. */
void verifier_branch(VerifierWalk *walk, const VerifierInsn *insn);

/** What a call returns to compares the address on the stack with the one that its pad pushed. */
void verifier_branch_call(VerifierWalk *walk, const VerifierInsn *call);

/** True if the jump is by the branch table, which was looked at before. */
gboolean verifier_branch_is_table(const VerifierWalk *walk, const VerifierInsn *insn);

/** The gate that is jumped to, for site or exit `number` if it wants one; -1: it is none. */
int verifier_branch_gate(const VerifierWalk *walk, const VerifierInsn *insn, guint32 number);
