#include "tests/unit/sprockets/engine/verifier-walk.h"

#include <string.h>

#define AT VERIFIER_AT

void verifier_complain(VerifierWalk *walk, const VerifierInsn *insn, const char *rule)
{
    VerifierReport *report = walk->report;
    guint of_rule = GPOINTER_TO_UINT(g_hash_table_lookup(report->rules, rule)) + 1;
    report->count++;
    g_hash_table_insert(report->rules, (gpointer)rule, GUINT_TO_POINTER(of_rule));
    if (of_rule > VERIFIER_EXAMPLES)
        return;
    VerifierViolation *violation = g_new0(VerifierViolation, 1);
    violation->address = insn->address;
    violation->app = walk->fragment ? walk->fragment->app : 0;
    violation->view = walk->fragment ? walk->fragment->view : 0;
    violation->rule = rule;
    violation->text = verifier_text(insn);
    g_ptr_array_add(report->violations, violation);
}

/* --- Looking ahead and back -------------------------------------------------------------------- */

gboolean verifier_inside(const VerifierWalk *walk, guint64 address)
{
    return address - walk->start < walk->fragment->size;
}

VerifierInsn verifier_decode_at(const VerifierWalk *walk, guint64 address)
{
    VerifierInsn insn = {.kind = VERIFIER_BAD, .address = address, .bytes = walk->code};
    guint64 offset = address - walk->start;
    if (verifier_inside(walk, address))
        verifier_decode(walk->code + offset, walk->fragment->size - offset, address, &insn);
    return insn;
}

gboolean verifier_is_gs(const VerifierInsn *insn, gint64 disp)
{
    return insn->memory && insn->segment == 0x65 && insn->base == VERIFIER_NONE &&
           insn->index == VERIFIER_NONE && insn->disp == disp;
}

guint8 verifier_gs_move(const VerifierInsn *insn, guint8 opcode, gint64 disp)
{
    const guint8 *bytes = insn->bytes;
    if (insn->length != 9 || bytes[0] != 0x65 || (bytes[1] & ~4) != 0x48 || bytes[2] != opcode ||
        (bytes[3] & 0xC7) != 4 || bytes[4] != 0x25 || insn->disp != disp)
        return VERIFIER_NONE;
    return (bytes[3] >> 3 & 7) | (bytes[1] & 4) << 1;
}

int verifier_gate_of_stub(const VerifierWalk *walk, guint64 address, guint32 *ret_number)
{
    *ret_number = G_MAXUINT32;
    for (guint i = 0; i < 8; i++) {
        VerifierInsn insn = verifier_decode_at(walk, address);
        gboolean restores = verifier_gs_move(&insn, 0x89, AT(spill[3])) == HEARTH_RAX ||
                            verifier_gs_move(&insn, 0x8B, AT(spill[3])) == HEARTH_RAX ||
                            verifier_gs_move(&insn, 0x8B, AT(spill[4])) == HEARTH_RAX ||
                            (insn.length == 2 && memcmp(insn.bytes, "\x04\x7F", 2) == 0) ||
                            (insn.length == 1 && insn.bytes[0] == 0x9E);
        if (verifier_is_gs(&insn, AT(site)) && insn.bytes[1] == 0xC7)
            memcpy(ret_number, insn.bytes + 8, 4);
        else if (insn.kind == VERIFIER_JMP_MEMORY && insn.segment == 0x65 &&
                 insn.base == VERIFIER_NONE && insn.index == VERIFIER_NONE)
            return (int)((insn.disp - AT(gates[0])) / 8);
        else if (!restores)
            return -1;
        address += insn.length;
    }
    return -1;
}

gboolean verifier_own_site(const VerifierWalk *walk, guint32 number)
{
    return number - walk->fragment->first_site < walk->fragment->site_count;
}

gboolean verifier_own_exit(const VerifierWalk *walk, guint32 number)
{
    return number - walk->fragment->first_exit < walk->fragment->exit_count;
}

guint8 verifier_entry(const VerifierWalk *walk, guint64 address)
{
    return walk->entry[address - walk->start];
}

void verifier_enter(VerifierWalk *walk, guint64 address, VerifierEntry entry)
{
    guint64 offset = address - walk->start;
    walk->entry[offset] |= entry;
    if (!walk->queued[offset]) {
        walk->queued[offset] = TRUE;
        walk->queue[walk->queue_count++] = (guint)offset;
    }
}
