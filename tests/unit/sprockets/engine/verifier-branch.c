#include "tests/unit/sprockets/engine/verifier-branch.h"

#include <string.h>

#define AT VERIFIER_AT

/* A jump out must be an exit that was linked to what it asked for. */
static gboolean is_linked(const VerifierWalk *walk, const VerifierInsn *insn)
{
    const HearthFragment *target = g_hash_table_lookup(walk->codes, GSIZE_TO_POINTER(insn->target));
    for (guint i = 0; target && i < walk->fragment->exit_count; i++) {
        const HearthExit *exit = hearth_cache_exit(walk->fragment->first_exit + i);
        if (exit->patch + 4 == insn->address + insn->length)
            return target->app == exit->target && target->view == exit->view &&
                   exit->view == walk->fragment->view;
    }
    return FALSE;
}

void verifier_branch(VerifierWalk *walk, const VerifierInsn *insn)
{
    if (insn->odd)
        verifier_complain(walk, insn, "a branch to 16 bits of its target");
    if (verifier_inside(walk, insn->target))
        verifier_enter(walk, insn->target,
                       insn->kind == VERIFIER_CALL ? VERIFIER_ENTRY_PAD : VERIFIER_ENTRY_JUMP);
    else if (insn->kind == VERIFIER_CALL || !is_linked(walk, insn))
        verifier_complain(walk, insn, "a jump out that is not a linked exit");
}

/* The sequence of branch.c, byte for byte. */
gboolean verifier_branch_is_table(const VerifierWalk *walk, const VerifierInsn *insn)
{
    static const guint8 HASH[] = {0x89, 0xC8, 0xC1, 0xE8, 0x05, 0x31, 0xC8, 0x25, 0xFF, 0x07,
                                  0,    0,    0xC1, 0xE0, 0x04, 0x65, 0x48, 0x3B, 0x88};
    guint64 offset = insn->address - walk->start, length = sizeof HASH + 4 + 6;
    gint64 table = AT(branches) + (gint64)(sizeof(HearthBranchEntry) * HEARTH_BRANCH_ENTRIES) *
                                      walk->fragment->view;
    gint32 compared;
    guint32 number;
    if (offset < length || insn->base != HEARTH_RAX || insn->index != VERIFIER_NONE ||
        insn->disp != table + 8)
        return FALSE;
    const guint8 *before = insn->bytes - length;
    VerifierInsn jump = verifier_decode_at(walk, insn->address - 6);
    memcpy(&compared, before + sizeof HASH, 4);
    for (guint64 i = offset - length + 1; i <= offset; i++)
        if (walk->entry[i] & ~VERIFIER_ENTRY_FALL)
            return FALSE;
    return memcmp(before, HASH, sizeof HASH) == 0 && compared == table &&
           jump.kind == VERIFIER_JCC && jump.bytes[1] == 0x85 &&
           verifier_gate_of_stub(walk, jump.target, &number) == HEARTH_GATE_BRANCH;
}

int verifier_branch_gate(const VerifierWalk *walk, const VerifierInsn *insn, guint32 number)
{
    gint64 gate = (insn->disp - AT(gates[0])) / 8;
    gboolean good;
    if (insn->base != VERIFIER_NONE || insn->index != VERIFIER_NONE || gate < 0 ||
        gate >= HEARTH_GATES || insn->disp != AT(gates[0]) + 8 * gate)
        return -1;
    switch ((HearthGate)gate) {
    case HEARTH_GATE_BRANCH:
    case HEARTH_GATE_RETURN:
    case HEARTH_GATE_DONE:
        good = TRUE;
        break;
    case HEARTH_GATE_WRITTEN:
        good = FALSE;
        break;
    case HEARTH_GATE_EXIT:
        good = verifier_own_exit(walk, number);
        break;
    default:
        good = verifier_own_site(walk, number);
        break;
    }
    return good ? (int)gate : -1;
}

void verifier_branch_call(VerifierWalk *walk, const VerifierInsn *call)
{
    VerifierInsn pop = verifier_decode_at(walk, call->target),
                 push = verifier_decode_at(walk, call->target + 7);
    guint64 at = call->address + call->length, literal = 0, compared = 0;
    guint32 number;
    for (guint i = 0; i < 5; i++) {
        VerifierInsn saves = verifier_decode_at(walk, at);
        if (verifier_gs_move(&saves, 0x89, AT(spill[3])) != HEARTH_RAX && i == 0)
            break;
        at += saves.length;
    }
    VerifierInsn low = verifier_decode_at(walk, at), first = verifier_decode_at(walk, at + 7);
    VerifierInsn high = verifier_decode_at(walk, at + 13),
                 second = verifier_decode_at(walk, at + 21);
    VerifierInsn drop = verifier_decode_at(walk, at + 27);
    gboolean pad = pop.kind == VERIFIER_POP && push.kind == VERIFIER_PUSH && push.length == 6 &&
                   push.bytes[0] == 0xFF && push.bytes[1] == 0x35 &&
                   verifier_inside(walk, (guint64)push.disp) &&
                   verifier_inside(walk, (guint64)push.disp + 7);
    if (pad)
        memcpy(&literal, walk->code + ((guint64)push.disp - walk->start), 8);
    if (pad && low.length == 7 && high.length == 8) {
        memcpy(&compared, low.bytes + 3, 4);
        memcpy((guint8 *)&compared + 4, high.bytes + 4, 4);
    }
    gboolean good = pad && literal == compared && memcmp(low.bytes, "\x81\x3C\x24", 3) == 0 &&
                    memcmp(high.bytes, "\x81\x7C\x24\x04", 4) == 0 && first.bytes[1] == 0x85 &&
                    second.bytes[1] == 0x85 && first.length == 6 && second.length == 6 &&
                    verifier_gate_of_stub(walk, first.target, &number) == HEARTH_GATE_RETURN &&
                    verifier_gate_of_stub(walk, second.target, &number) == HEARTH_GATE_RETURN &&
                    memcmp(drop.bytes, "\x48\x8D\x64\x24\x08", 5) == 0;
    if (!good)
        verifier_complain(walk, call, "a call whose return is not compared");
    verifier_enter(walk, call->address + call->length, VERIFIER_ENTRY_JUMP);
}
