#include "tests/unit/sprockets/engine/verifier-check.h"

#include <string.h>

#define AT VERIFIER_AT
#define BELOW 0x82 /* second bytes of jumps */
#define ABOVE_OR_EQUAL 0x83
#define NOT_EQUAL 0x85

/* --- Single instructions ----------------------------------------------------------------------- */

gboolean verifier_check_begin(const VerifierInsn *insn, VerifierCheck *ret_check)
{
    const guint8 *bytes = insn->bytes;
    guint8 rex = bytes[0], modrm = bytes[2], compared = verifier_gs_move(insn, 0x3B, AT(window));
    *ret_check = (VerifierCheck){.base = VERIFIER_NONE, .index = VERIFIER_NONE, .scale = 1};
    if (compared != VERIFIER_NONE) {
        ret_check->phase = VERIFIER_PHASE_LOW;
        ret_check->kind = VERIFIER_CHECK_BASE;
        ret_check->base = compared;
        return TRUE;
    }
    if (insn->length == 10 && (rex & 0xFE) == 0x48 && (bytes[1] & 0xF8) == 0xB8) {
        memcpy(&ret_check->disp, bytes + 2, 8);
        ret_check->scratch = (bytes[1] & 7) | (rex & 1) << 3;
    } else if (insn->length == 3 && (rex & 0xFA) == 0x48 && bytes[1] == 0x89 && modrm >= 0xC0) {
        ret_check->scratch = (modrm & 7) | (rex & 1) << 3;
        ret_check->base = (modrm >> 3 & 7) | (rex & 4) << 1;
    } else if ((rex & 0xF8) == 0x48 && bytes[1] == 0x8D && insn->length == 8) {
        ret_check->scratch = (modrm >> 3 & 7) | (rex & 4) << 1;
        ret_check->base = insn->base;
        ret_check->index = insn->index;
        ret_check->scale = insn->scale;
        ret_check->disp = insn->disp;
    } else {
        return FALSE;
    }
    ret_check->phase = VERIFIER_PHASE_ADDRESS;
    return ret_check->scratch != VERIFIER_RSP && ret_check->scratch != ret_check->base &&
           ret_check->scratch != ret_check->index;
}

/* cmp reg, imm32: the register, if the number is that. */
static guint8 compares(const VerifierInsn *insn, guint32 with)
{
    guint32 number;
    if (insn->length != 7 || (insn->bytes[0] & 0xFE) != 0x48 || insn->bytes[1] != 0x81 ||
        (insn->bytes[2] & 0xF8) != 0xF8)
        return VERIFIER_NONE;
    memcpy(&number, insn->bytes + 3, 4);
    return number == with ? (insn->bytes[2] & 7) | (insn->bytes[0] & 1) << 3 : VERIFIER_NONE;
}

/* ror reg, 3 (C8) and shr reg, 12 (E8) */
static guint8 shifts(const VerifierInsn *insn, guint8 extension, guint8 count)
{
    const guint8 *bytes = insn->bytes;
    if (insn->length != 4 || (bytes[0] & 0xFE) != 0x48 || bytes[1] != 0xC1 ||
        (bytes[2] & 0xF8) != extension || bytes[3] != count)
        return VERIFIER_NONE;
    return (bytes[2] & 7) | (bytes[0] & 1) << 3;
}

/* movzx reg, its low word */
static gboolean takes_low_word(const VerifierInsn *insn, guint8 reg)
{
    guint8 high = reg >= 8, low = reg & 7;
    const guint8 wanted[] = {0x40 | high | high << 2, 0x0F, 0xB7, 0xC0 | low << 3 | low};
    return insn->length == sizeof wanted && memcmp(insn->bytes, wanted, sizeof wanted) == 0;
}

/* mov place, page */
static gboolean copies(const VerifierInsn *insn, guint8 page, guint8 *ret_place)
{
    const guint8 *bytes = insn->bytes;
    if (insn->length != 3 || (bytes[0] & 0xFA) != 0x48 || bytes[1] != 0x89 || bytes[2] < 0xC0 ||
        ((bytes[2] >> 3 & 7) | (bytes[0] & 4) << 1) != page)
        return FALSE;
    *ret_place = (bytes[2] & 7) | (bytes[0] & 1) << 3;
    return *ret_place != page;
}

/* and place, the size of the table less one */
static gboolean masks(const VerifierInsn *insn, guint8 place)
{
    const guint8 head[] = {0x40 | (place >= 8), 0x81, 0xE0 | (place & 7)};
    guint32 mask;
    if (insn->length != 7 || memcmp(insn->bytes, head, sizeof head) != 0)
        return FALSE;
    memcpy(&mask, insn->bytes + 3, 4);
    return mask == HEARTH_CLEAN_ENTRIES - 1;
}

/* cmp byte gs:[reg + marked], 0 */
static gboolean looks_at_mark(const VerifierInsn *insn, guint8 reg)
{
    return insn->length == 9 && insn->bytes[0] == 0x65 && insn->bytes[2] == 0x80 &&
           (insn->bytes[3] & 0xF8) == 0xB8 && insn->bytes[8] == 0 && insn->base == reg &&
           insn->index == VERIFIER_NONE && insn->disp == AT(marked);
}

/* cmp gs:[place * 8 + clean], page */
static gboolean looks_at_clean(const VerifierInsn *insn, guint8 page, guint8 place)
{
    const guint8 *bytes = insn->bytes;
    return insn->length == 9 && bytes[0] == 0x65 && (bytes[1] & 0xF9) == 0x48 && bytes[2] == 0x39 &&
           ((bytes[3] >> 3 & 7) | (bytes[1] & 4) << 1) == page && insn->base == VERIFIER_NONE &&
           insn->index == place && insn->scale == 8 && insn->disp == AT(clean);
}

static gboolean restores_flags(const VerifierInsn *insn, guint step)
{
    switch (step) {
    case 0:
        return verifier_gs_move(insn, 0x89, AT(spill[3])) == HEARTH_RAX;
    case 1:
        return verifier_gs_move(insn, 0x8B, AT(spill[4])) == HEARTH_RAX;
    case 2:
        return insn->length == 2 && memcmp(insn->bytes, "\x04\x7F", 2) == 0;
    case 3:
        return insn->length == 1 && insn->bytes[0] == 0x9E;
    case 4:
        return verifier_gs_move(insn, 0x8B, AT(spill[3])) == HEARTH_RAX;
    default:
        return FALSE;
    }
}

/* --- Sequences --------------------------------------------------------------------------------- */

/* The jump out of a check: to the gate of its kind for a site of this fragment. */
static gboolean leaves(const VerifierWalk *walk, const VerifierInsn *insn, guint8 condition,
                       VerifierCheck *check)
{
    int gate = check->kind == VERIFIER_CHECK_STACK ? HEARTH_GATE_STACK : HEARTH_GATE_MEMORY;
    return insn->kind == VERIFIER_JCC && insn->length == 6 && insn->bytes[1] == condition &&
           verifier_gate_of_stub(walk, insn->target, &check->site) == gate &&
           verifier_own_site(walk, check->site);
}

static gboolean advance_address(VerifierCheck *check, const VerifierInsn *insn)
{
    if (!check->thread && verifier_gs_move(insn, 0x03, AT(gs)) == check->scratch) {
        check->thread = TRUE;
        return TRUE;
    }
    if (shifts(insn, 0xE8, 12) == check->scratch) {
        check->phase = VERIFIER_PHASE_PAGE;
        return TRUE;
    }
    check->phase = VERIFIER_PHASE_OFFSET;
    if (verifier_gs_move(insn, 0x2B, AT(window)) == check->scratch) {
        check->kind = VERIFIER_CHECK_WINDOW;
        return TRUE;
    }
    check->kind = VERIFIER_CHECK_STACK;
    return verifier_gs_move(insn, 0x2B, AT(stack)) == check->scratch &&
           check->base == VERIFIER_RSP && check->index == VERIFIER_NONE && check->disp == 0 &&
           !check->thread;
}

static gboolean advance_page(VerifierCheck *check, const VerifierInsn *insn)
{
    check->phase = VERIFIER_PHASE_PLACE;
    check->kind = VERIFIER_CHECK_MARKED;
    check->place = VERIFIER_NONE;
    if (takes_low_word(insn, check->scratch))
        return TRUE;
    check->phase = VERIFIER_PHASE_COPIED;
    check->kind = VERIFIER_CHECK_CLEAN;
    return copies(insn, check->scratch, &check->place);
}

static gboolean advance_place(VerifierCheck *check, const VerifierInsn *insn)
{
    check->phase = VERIFIER_PHASE_COMPARED;
    return check->kind == VERIFIER_CHECK_MARKED
               ? looks_at_mark(insn, check->scratch)
               : looks_at_clean(insn, check->scratch, check->place);
}

/* Registers as they were, then the jump. */
static gboolean advance_compared(const VerifierWalk *walk, VerifierCheck *check,
                                 const VerifierInsn *insn)
{
    gboolean page = check->kind == VERIFIER_CHECK_MARKED || check->kind == VERIFIER_CHECK_CLEAN;
    guint32 below = check->site;
    if (check->kind != VERIFIER_CHECK_BASE &&
        verifier_gs_move(insn, 0x8B, AT(spill[2])) == check->scratch)
        return TRUE;
    if (check->kind == VERIFIER_CHECK_CLEAN &&
        verifier_gs_move(insn, 0x8B, AT(spill[5])) == check->place)
        return TRUE;
    check->phase = VERIFIER_PHASE_DONE;
    return leaves(walk, insn, page ? NOT_EQUAL : ABOVE_OR_EQUAL, check) &&
           (check->kind != VERIFIER_CHECK_BASE || check->site == below);
}

/* Flags as they were; or the address of a load into a register, where its displacement would not reach. */
static gboolean advance_done(VerifierCheck *check, const VerifierInsn *insn)
{
    VerifierCheck far;
    gboolean fixed = check->base == VERIFIER_NONE && check->index == VERIFIER_NONE;
    if (!check->far && restores_flags(insn, check->restore)) {
        check->restore++;
        return TRUE;
    }
    if (!fixed || (check->restore != 0 && check->restore != 5))
        return FALSE;
    if (!check->far) {
        check->far = insn->address;
        check->place = VERIFIER_NONE;
        for (guint8 reg = 0; reg < HEARTH_RIP && check->place == VERIFIER_NONE; reg++)
            if (verifier_gs_move(insn, 0x89, AT(spill[5])) == reg)
                check->place = reg;
        return check->place != VERIFIER_NONE;
    }
    if (!verifier_check_begin(insn, &far) || far.phase != VERIFIER_PHASE_ADDRESS ||
        far.base != VERIFIER_NONE || far.index != VERIFIER_NONE || insn->length != 10 ||
        far.scratch != check->place || far.disp != check->disp)
        return FALSE;
    check->base = far.scratch;
    check->disp = 0;
    return TRUE;
}

gboolean verifier_check_advance(const VerifierWalk *walk, VerifierCheck *check,
                                const VerifierInsn *insn)
{
    switch (check->phase) {
    case VERIFIER_PHASE_ADDRESS:
        return advance_address(check, insn);
    case VERIFIER_PHASE_OFFSET:
        check->phase = VERIFIER_PHASE_COMPARED;
        if (check->kind == VERIFIER_CHECK_WINDOW)
            return compares(insn, HEARTH_SLOT_WINDOW_SIZE) == check->scratch;
        check->phase = VERIFIER_PHASE_ROTATED;
        return shifts(insn, 0xC8, 3) == check->scratch;
    case VERIFIER_PHASE_ROTATED:
        check->phase = VERIFIER_PHASE_COMPARED;
        return compares(insn, HEARTH_SLOT_STACK_SIZE / 8) == check->scratch;
    case VERIFIER_PHASE_PAGE:
        return advance_page(check, insn);
    case VERIFIER_PHASE_COPIED:
        check->phase = VERIFIER_PHASE_PLACE;
        return masks(insn, check->place);
    case VERIFIER_PHASE_PLACE:
        return advance_place(check, insn);
    case VERIFIER_PHASE_LOW:
        check->phase = VERIFIER_PHASE_BELOW;
        return leaves(walk, insn, BELOW, check);
    case VERIFIER_PHASE_BELOW:
        check->phase = VERIFIER_PHASE_COMPARED;
        return verifier_gs_move(insn, 0x3B, AT(window_end)) == check->base;
    case VERIFIER_PHASE_COMPARED:
        return advance_compared(walk, check, insn);
    case VERIFIER_PHASE_DONE:
        return advance_done(check, insn);
    default:
        return FALSE;
    }
}

gboolean verifier_check_covers(const VerifierCheck *check, VerifierCheckKind kind,
                               const VerifierInsn *insn)
{
    gint64 distance = insn->disp - check->disp;
    gboolean restored = check->restore == 0 || check->restore == 5;
    gboolean rip =
        insn->base == VERIFIER_RIP && check->base == VERIFIER_NONE && insn->index == VERIFIER_NONE;
    return check->phase == VERIFIER_PHASE_DONE && restored && check->kind == kind &&
           (rip || check->base == insn->base) && check->index == insn->index &&
           check->scale == insn->scale && check->thread == (insn->segment == 0x65) &&
           distance <= insn->slack && distance >= -insn->slack;
}

/* --- What is known of registers ---------------------------------------------------------------- */

static void forget_spills(VerifierKnown *known)
{
    memset(known->spilled, VERIFIER_NONE, sizeof known->spilled);
}

void verifier_known_clear(VerifierKnown *known)
{
    *known = (VerifierKnown){.gate_site = G_MAXUINT32};
    forget_spills(known);
}

/* Of the same site, or known before its gate was called. */
static guint32 known_at_gate(const VerifierKnown *known, guint32 site)
{
    guint32 set = known->gate_site == site ? known->gate_private : 0;
    for (guint reg = 0; reg < HEARTH_RIP; reg++)
        if (known->gate_site == site && known->site[reg] == site)
            set |= 1u << reg;
    return set;
}

void verifier_known_enter(const VerifierWalk *walk, VerifierKnown *known, guint64 address)
{
    guint8 entry = verifier_entry(walk, address);
    if (entry & (VERIFIER_ENTRY_JUMP | VERIFIER_ENTRY_PAD)) {
        verifier_known_clear(known);
    } else if (entry & VERIFIER_ENTRY_RESUME) {
        known->private &= known_at_gate(known, walk->resumes[address - walk->start]);
        forget_spills(known);
    }
}

void verifier_known_gate(VerifierKnown *known, guint32 site)
{
    known->gate_site = site;
    known->gate_private = known->private;
}

void verifier_known_add(VerifierKnown *known, const VerifierCheck *check)
{
    known->private |= 1u << check->base;
    known->site[check->base] = check->site;
}

/* What a string operation moves on, and what it may count by. */
static guint32 string_writes(const VerifierInsn *insn)
{
    guint8 opcode = insn->bytes[insn->length - 1];
    gboolean repeats =
        memchr(insn->bytes, 0xF2, insn->length) || memchr(insn->bytes, 0xF3, insn->length);
    gboolean source = (opcode & 0xFE) == 0xA4 || (opcode & 0xFE) == 0xA6 || (opcode & 0xFE) == 0xAC;
    gboolean target = (opcode & 0xFE) != 0xAC, loads = (opcode & 0xFE) == 0xAC;
    return (repeats ? 1u << HEARTH_RCX : 0) | (source ? 1u << HEARTH_RSI : 0) |
           (target ? 1u << HEARTH_RDI : 0) | (loads ? 1u << HEARTH_RAX : 0);
}

void verifier_known_step(const VerifierWalk *walk, VerifierKnown *known, const VerifierInsn *insn)
{
    guint32 site;
    gboolean string = insn->kind == VERIFIER_STRING_STORE || insn->kind == VERIFIER_STRING_LOAD;
    known->private &= ~(string ? string_writes(insn) : insn->writes);
    for (guint i = 0; i < G_N_ELEMENTS(known->spilled); i++) {
        gint64 at = AT(spill[0]) + 8 * (gint64)i;
        guint8 saved = verifier_gs_move(insn, 0x89, at), loaded = verifier_gs_move(insn, 0x8B, at);
        if (saved != VERIFIER_NONE) {
            known->spilled[i] = saved;
            known->spill_private[i] = known->private >> saved & 1;
            known->spill_site[i] = known->site[saved];
        }
        if (loaded != VERIFIER_NONE && loaded == known->spilled[i] && known->spill_private[i]) {
            known->private |= 1u << loaded;
            known->site[loaded] = known->spill_site[i];
        }
    }
    if (insn->kind == VERIFIER_JCC && insn->length == 6 &&
        verifier_gate_of_stub(walk, insn->target, &site) == HEARTH_GATE_MEMORY)
        verifier_known_gate(known, site);
}
