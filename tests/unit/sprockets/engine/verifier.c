#include "tests/unit/sprockets/engine/verifier.h"

#include <stddef.h>
#include <string.h>

#include "sprockets/engine/cache-private.h"
#include "tests/unit/sprockets/engine/verifier-decode.h"

/*
 * A fragment is walked by control flow from where it can be entered; on the way every straight piece of code
 * is followed by a small machine that knows what was checked last. Entries in the middle of a check forget it.
 */

#define AT(field) ((gint64)(HEARTH_GS_CONTEXT + offsetof(HearthContext, field)))
#define STACK_REACH (512 * 1024) /* bytes: the guards of the stack are wider */
#define WINDOW_REACH (64 * 1024) /* bytes: the margins of the window are wider */
#define LONGEST 4096             /* bytes of one access */
#define CODE_MAX 16384

typedef enum {
    ENTRY_JUMP = 1 << 0,   /* a branch of the fragment, or from outside, leads here */
    ENTRY_NATIVE = 1 << 1, /* the gate of a site goes here: it looked at the address */
    ENTRY_PAD = 1 << 2,    /* a call leads here */
    ENTRY_FALL = 1 << 3,   /* the instruction before goes on here */
} Entry;

/* What is known of a register that holds an address under check. */
typedef enum { CHECK_NONE, CHECK_ADDRESS, CHECK_OFFSET, CHECK_COMPARED, CHECK_DONE } Check;

typedef struct {
    Check phase;
    guint8 scratch, base, index, scale;
    gboolean thread, stack; /* of the stack pointer itself */
    gboolean rotated;       /* its low bits count */
    gint64 disp;
    gint64 reach;  /* how far the store may be from what was checked */
    guint32 site;  /* whose gate is called */
    guint restore; /* instructions of a restore of flags seen */
} Machine;

typedef struct {
    VerifierReport *report;
    const HearthFragment *fragment;
    const guint8 *code;
    guint64 start;
    guint8 entry[CODE_MAX];    /* Entry, by offset */
    guint8 length[CODE_MAX];   /* of the instruction that begins there */
    gboolean queued[CODE_MAX]; /* to be walked, or walked */
    guint queue[CODE_MAX], queue_count;
    GHashTable *codes; /* of all fragments: code -> fragment */
} Walk;

/* --- Reports ----------------------------------------------------------------------------------- */

static void violation_free(gpointer data)
{
    VerifierViolation *violation = data;
    g_free(violation->text);
    g_free(violation);
}

static VerifierReport *report_new(void)
{
    VerifierReport *report = g_new0(VerifierReport, 1);
    report->violations = g_ptr_array_new_with_free_func(violation_free);
    report->rules = g_hash_table_new(g_str_hash, g_str_equal);
    return report;
}

static void complain(Walk *walk, const VerifierInsn *insn, const char *rule)
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

static gboolean inside(const Walk *walk, guint64 address)
{
    return address - walk->start < walk->fragment->size;
}

static VerifierInsn decode_at(const Walk *walk, guint64 address)
{
    VerifierInsn insn = {.kind = VERIFIER_BAD, .address = address, .bytes = walk->code};
    guint64 offset = address - walk->start;
    if (inside(walk, address))
        verifier_decode(walk->code + offset, walk->fragment->size - offset, address, &insn);
    return insn;
}

static gboolean is_gs(const VerifierInsn *insn, gint64 disp)
{
    return insn->memory && insn->segment == 0x65 && insn->base == VERIFIER_NONE &&
           insn->index == VERIFIER_NONE && insn->disp == disp;
}

/* mov reg, gs:[disp] (8B) or mov gs:[disp], reg (89), add (03), sub (2B); the register or NONE. */
static guint8 gs_move(const VerifierInsn *insn, guint8 opcode, gint64 disp)
{
    const guint8 *bytes = insn->bytes;
    if (insn->length != 9 || bytes[0] != 0x65 || (bytes[1] & ~4) != 0x48 || bytes[2] != opcode ||
        (bytes[3] & 0xC7) != 4 || bytes[4] != 0x25 || insn->disp != disp)
        return VERIFIER_NONE;
    return (bytes[3] >> 3 & 7) | (bytes[1] & 4) << 1;
}

/* Follows jumps that were not moved, and a restore of flags; the gate that is jumped to, or -1. */
static int gate_of_stub(const Walk *walk, guint64 address, guint32 *ret_number)
{
    *ret_number = G_MAXUINT32;
    for (guint i = 0; i < 8; i++) {
        VerifierInsn insn = decode_at(walk, address);
        gboolean restores = gs_move(&insn, 0x89, AT(spill[3])) == HEARTH_RAX ||
                            gs_move(&insn, 0x8B, AT(spill[3])) == HEARTH_RAX ||
                            gs_move(&insn, 0x8B, AT(spill[4])) == HEARTH_RAX ||
                            (insn.length == 2 && memcmp(insn.bytes, "\x04\x7F", 2) == 0) ||
                            (insn.length == 1 && insn.bytes[0] == 0x9E);
        if (is_gs(&insn, AT(site)) && insn.bytes[1] == 0xC7)
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

static gboolean own_site(const Walk *walk, guint32 number)
{
    return number - walk->fragment->first_site < walk->fragment->site_count;
}

static gboolean own_exit(const Walk *walk, guint32 number)
{
    return number - walk->fragment->first_exit < walk->fragment->exit_count;
}

/* --- The machine ------------------------------------------------------------------------------- */

/* lea or mov of an address that may be one under check. */
static gboolean begins_check(const VerifierInsn *insn, Machine *machine)
{
    const guint8 *bytes = insn->bytes;
    guint8 rex = bytes[0], modrm = bytes[2];
    *machine = (Machine){.base = VERIFIER_NONE, .index = VERIFIER_NONE, .scale = 1};
    if (insn->length == 10 && (rex & 0xFE) == 0x48 && (bytes[1] & 0xF8) == 0xB8) {
        memcpy(&machine->disp, bytes + 2, 8);
        machine->scratch = (bytes[1] & 7) | (rex & 1) << 3;
    } else if (insn->length == 3 && (rex & 0xFA) == 0x48 && bytes[1] == 0x89 && modrm >= 0xC0) {
        machine->scratch = (modrm & 7) | (rex & 1) << 3;
        machine->base = (modrm >> 3 & 7) | (rex & 4) << 1;
        machine->reach = WINDOW_REACH;
    } else if ((rex & 0xF8) == 0x48 && bytes[1] == 0x8D && insn->length == 8) {
        machine->scratch = (modrm >> 3 & 7) | (rex & 4) << 1;
        machine->base = insn->base;
        machine->index = insn->index;
        machine->scale = insn->scale;
        machine->disp = insn->disp;
        machine->reach = insn->index == VERIFIER_NONE ? 0 : 1;
    } else {
        return FALSE;
    }
    machine->phase = CHECK_ADDRESS;
    return machine->scratch != machine->base && machine->scratch != machine->index;
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

/* ror reg, 3 */
static guint8 rotates(const VerifierInsn *insn)
{
    const guint8 *bytes = insn->bytes;
    if (insn->length != 4 || (bytes[0] & 0xFE) != 0x48 || bytes[1] != 0xC1 ||
        (bytes[2] & 0xF8) != 0xC8 || bytes[3] != 3)
        return VERIFIER_NONE;
    return (bytes[2] & 7) | (bytes[0] & 1) << 3;
}

static gboolean restores_flags(const VerifierInsn *insn, guint step)
{
    switch (step) {
    case 0:
        return gs_move(insn, 0x89, AT(spill[3])) == HEARTH_RAX;
    case 1:
        return gs_move(insn, 0x8B, AT(spill[4])) == HEARTH_RAX;
    case 2:
        return insn->length == 2 && memcmp(insn->bytes, "\x04\x7F", 2) == 0;
    case 3:
        return insn->length == 1 && insn->bytes[0] == 0x9E;
    case 4:
        return gs_move(insn, 0x8B, AT(spill[3])) == HEARTH_RAX;
    default:
        return FALSE;
    }
}

/* The jump out of a check: to a gate for a site of this fragment. */
static gboolean leaves(Walk *walk, const VerifierInsn *insn, Machine *machine, int gate)
{
    return insn->kind == VERIFIER_JCC && insn->length == 6 && insn->bytes[1] == 0x83 &&
           gate_of_stub(walk, insn->target, &machine->site) == gate &&
           own_site(walk, machine->site);
}

/* One instruction on: FALSE if it is no part of a check. */
static gboolean advance(Walk *walk, Machine *machine, const VerifierInsn *insn)
{
    guint32 size = machine->stack ? HEARTH_SLOT_STACK_SIZE : HEARTH_SLOT_WINDOW_SIZE;
    switch (machine->phase) {
    case CHECK_ADDRESS:
        if (gs_move(insn, 0x03, AT(gs)) == machine->scratch && !machine->thread) {
            machine->thread = TRUE;
            return TRUE;
        }
        machine->phase = CHECK_OFFSET;
        machine->stack = gs_move(insn, 0x2B, AT(stack)) == machine->scratch;
        if (machine->stack)
            return machine->base == VERIFIER_RSP && machine->index == VERIFIER_NONE &&
                   machine->disp == 0 && !machine->thread;
        return gs_move(insn, 0x2B, AT(window)) == machine->scratch;
    case CHECK_OFFSET:
        if (machine->stack && !machine->rotated && rotates(insn) == machine->scratch) {
            machine->rotated = TRUE;
            return TRUE;
        }
        machine->phase = CHECK_COMPARED;
        return compares(insn, machine->rotated ? size / 8 : size) == machine->scratch;
    case CHECK_COMPARED:
        if (gs_move(insn, 0x8B, AT(spill[2])) == machine->scratch)
            return TRUE;
        machine->phase = CHECK_DONE;
        return leaves(walk, insn, machine, machine->stack ? HEARTH_GATE_STACK : HEARTH_GATE_MEMORY);
    case CHECK_DONE:
        return restores_flags(insn, machine->restore++);
    default:
        return FALSE;
    }
}

static gboolean same_address(const Machine *machine, const VerifierInsn *insn)
{
    gint64 distance = insn->disp - machine->disp;
    gint64 reach = MAX(machine->reach, insn->slack);
    gboolean restored = machine->restore == 0 || machine->restore == 5;
    gboolean rip = insn->base == VERIFIER_RIP && machine->base == VERIFIER_NONE &&
                   insn->index == VERIFIER_NONE;
    return machine->phase == CHECK_DONE && restored && !machine->stack &&
           (rip || machine->base == insn->base) && machine->index == insn->index &&
           machine->scale == insn->scale && machine->thread == (insn->segment == 0x65) &&
           distance <= reach && distance >= -reach;
}

/* --- Stores ------------------------------------------------------------------------------------ */

static gboolean is_stack_store(const VerifierInsn *insn)
{
    return insn->base == VERIFIER_RSP && insn->index == VERIFIER_NONE && insn->segment == 0 &&
           insn->disp > -STACK_REACH && insn->disp < STACK_REACH;
}

/* By gs, at a fixed place: thread-local storage, a spill, the number of a site. */
static gboolean is_slot_store(const VerifierInsn *insn)
{
    if (insn->segment != 0x65 || insn->base != VERIFIER_NONE || insn->index != VERIFIER_NONE)
        return FALSE;
    if (insn->disp >= -HEARTH_SLOT_THREAD_BELOW && insn->disp + LONGEST <= HEARTH_SLOT_THREAD_ABOVE)
        return TRUE;
    for (guint i = 0; i < 6; i++)
        if (gs_move(insn, 0x89, AT(spill[i])) != VERIFIER_NONE)
            return TRUE;
    return is_gs(insn, AT(site)) && insn->bytes[1] == 0xC7 && insn->length == 12;
}

/* pop [rsp + shadow] of a call's pad, which is reached by that call alone. */
static gboolean is_shadow_store(const VerifierInsn *insn, guint8 entry)
{
    return insn->kind == VERIFIER_POP && insn->length == 7 && insn->bytes[0] == 0x8F &&
           insn->base == VERIFIER_RSP && insn->index == VERIFIER_NONE &&
           insn->disp == HEARTH_SLOT_SHADOW_OFFSET - 8 && entry == ENTRY_PAD;
}

static void look_at_store(Walk *walk, const VerifierInsn *insn, const Machine *machine)
{
    guint8 entry = walk->entry[insn->address - walk->start];
    walk->report->stores++;
    if (is_slot_store(insn) || is_stack_store(insn) || is_shadow_store(insn, entry))
        return;
    gboolean checked = same_address(machine, insn);
    const HearthSite *site = checked ? hearth_cache_site(machine->site) : NULL;
    walk->report->checked += checked;
    if (!checked)
        complain(walk, insn, "a store that was not checked");
    else if (entry & ENTRY_JUMP)
        complain(walk, insn, "a store that is jumped to past its check");
    else if (site->native != insn->address && site->native != 0)
        complain(walk, insn, "a store checked for another site");
}

static void look_at_memory(Walk *walk, const VerifierInsn *insn, const Machine *machine)
{
    if (insn->memory && insn->segment == 0x64)
        complain(walk, insn, "an access by fs");
    if (insn->stores && insn->short_address)
        complain(walk, insn, "a store by a short address");
    else if (insn->stores)
        look_at_store(walk, insn, machine);
}

/* --- Ways out ---------------------------------------------------------------------------------- */

static void enter(Walk *walk, guint64 address, Entry entry)
{
    guint64 offset = address - walk->start;
    walk->entry[offset] |= entry;
    if (!walk->queued[offset]) {
        walk->queued[offset] = TRUE;
        walk->queue[walk->queue_count++] = (guint)offset;
    }
}

/* A jump out must be an exit that was linked to what it asked for. */
static gboolean is_linked(const Walk *walk, const VerifierInsn *insn)
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

static void look_at_branch(Walk *walk, const VerifierInsn *insn)
{
    if (insn->odd)
        complain(walk, insn, "a branch to 16 bits of its target");
    if (inside(walk, insn->target))
        enter(walk, insn->target, insn->kind == VERIFIER_CALL ? ENTRY_PAD : ENTRY_JUMP);
    else if (insn->kind == VERIFIER_CALL || !is_linked(walk, insn))
        complain(walk, insn, "a jump out that is not a linked exit");
}

/* The sequence of branch.c, byte for byte. */
static gboolean is_table_jump(const Walk *walk, const VerifierInsn *insn)
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
    VerifierInsn jump = decode_at(walk, insn->address - 6);
    memcpy(&compared, before + sizeof HASH, 4);
    for (guint64 i = offset - length + 1; i <= offset; i++)
        if (walk->entry[i] & ~ENTRY_FALL)
            return FALSE;
    return memcmp(before, HASH, sizeof HASH) == 0 && compared == table &&
           jump.kind == VERIFIER_JCC && jump.bytes[1] == 0x85 &&
           gate_of_stub(walk, jump.target, &number) == HEARTH_GATE_BRANCH;
}

static gboolean is_gate_jump(const Walk *walk, const VerifierInsn *insn, guint32 number)
{
    gint64 gate = (insn->disp - AT(gates[0])) / 8;
    if (insn->base != VERIFIER_NONE || insn->index != VERIFIER_NONE || gate < 0 ||
        gate >= HEARTH_GATES || insn->disp != AT(gates[0]) + 8 * gate)
        return FALSE;
    switch ((HearthGate)gate) {
    case HEARTH_GATE_BRANCH:
    case HEARTH_GATE_RETURN:
    case HEARTH_GATE_DONE:
        return TRUE;
    case HEARTH_GATE_WRITTEN:
        return FALSE;
    case HEARTH_GATE_EXIT:
        return own_exit(walk, number);
    default:
        return own_site(walk, number);
    }
}

/* What a call returns to compares the address on the stack with the one that its pad pushed. */
static void look_at_call(Walk *walk, const VerifierInsn *call)
{
    VerifierInsn pop = decode_at(walk, call->target), push = decode_at(walk, call->target + 7);
    guint64 at = call->address + call->length, literal = 0, compared = 0;
    guint32 number;
    for (guint i = 0; i < 5; i++) {
        VerifierInsn saves = decode_at(walk, at);
        if (gs_move(&saves, 0x89, AT(spill[3])) != HEARTH_RAX && i == 0)
            break;
        at += saves.length;
    }
    VerifierInsn low = decode_at(walk, at), first = decode_at(walk, at + 7);
    VerifierInsn high = decode_at(walk, at + 13), second = decode_at(walk, at + 21);
    VerifierInsn drop = decode_at(walk, at + 27);
    gboolean pad = pop.kind == VERIFIER_POP && push.kind == VERIFIER_PUSH && push.length == 6 &&
                   push.bytes[0] == 0xFF && push.bytes[1] == 0x35 &&
                   inside(walk, (guint64)push.disp) && inside(walk, (guint64)push.disp + 7);
    if (pad)
        memcpy(&literal, walk->code + ((guint64)push.disp - walk->start), 8);
    if (pad && low.length == 7 && high.length == 8) {
        memcpy(&compared, low.bytes + 3, 4);
        memcpy((guint8 *)&compared + 4, high.bytes + 4, 4);
    }
    gboolean good = pad && literal == compared && memcmp(low.bytes, "\x81\x3C\x24", 3) == 0 &&
                    memcmp(high.bytes, "\x81\x7C\x24\x04", 4) == 0 && first.bytes[1] == 0x85 &&
                    second.bytes[1] == 0x85 && first.length == 6 && second.length == 6 &&
                    gate_of_stub(walk, first.target, &number) == HEARTH_GATE_RETURN &&
                    gate_of_stub(walk, second.target, &number) == HEARTH_GATE_RETURN &&
                    memcmp(drop.bytes, "\x48\x8D\x64\x24\x08", 5) == 0;
    if (!good)
        complain(walk, call, "a call whose return is not compared");
    enter(walk, call->address + call->length, ENTRY_JUMP);
}

/* --- The stack pointer ------------------------------------------------------------------------- */

/* lea rsp, [rsp + n]: of continuations, and of returns that drop arguments, which jump away at once. */
static gboolean is_drop(const Walk *walk, const VerifierInsn *insn)
{
    const guint8 *bytes = insn->bytes;
    guint64 offset = insn->address - walk->start;
    if (insn->length == 5 && memcmp(bytes, "\x48\x8D\x64\x24\x08", 5) == 0)
        return offset >= 6 && bytes[-6] == 0x0F && bytes[-5] == 0x85;
    return insn->length == 8 && memcmp(bytes, "\x48\x8D\xA4\x24", 4) == 0 && offset >= 4 &&
           memcmp(bytes - 4, "\x48\x8B\x0C\x24", 4) == 0 && insn->disp > 0 &&
           insn->disp <= 8 + 0xFFFF;
}

/* add, sub, and with a multiple of eight; lea rsp, [rsp + such]. */
static gboolean keeps_alignment(const VerifierInsn *insn)
{
    const guint8 *bytes = insn->bytes;
    if (insn->length == 5 || insn->length == 8)
        return bytes[0] == 0x48 && bytes[1] == 0x8D && (bytes[2] & 0x38) == 0x20 &&
               insn->base == VERIFIER_RSP && insn->index == VERIFIER_NONE && insn->disp % 8 == 0;
    gboolean small = insn->length == 4 && bytes[1] == 0x83,
             wide = insn->length == 7 && bytes[1] == 0x81;
    return bytes[0] == 0x48 && (small || wide) && bytes[3] % 8 == 0 &&
           (bytes[2] == 0xC4 || bytes[2] == 0xEC || bytes[2] == 0xE4);
}

/* Instructions between one that sets rsp and the comparison. */
static gboolean prepares_check(const VerifierInsn *insn)
{
    Machine machine;
    return (begins_check(insn, &machine) && machine.base == VERIFIER_RSP) ||
           gs_move(insn, 0x89, AT(spill[2])) != VERIFIER_NONE ||
           gs_move(insn, 0x89, AT(spill[3])) == HEARTH_RAX ||
           gs_move(insn, 0x89, AT(spill[4])) == HEARTH_RAX ||
           gs_move(insn, 0x8B, AT(spill[3])) == HEARTH_RAX ||
           (insn->length == 1 && insn->bytes[0] == 0x9F) ||
           (insn->length == 3 && memcmp(insn->bytes, "\x0F\x90\xC0", 3) == 0);
}

/* --- Walking ----------------------------------------------------------------------------------- */

typedef struct {
    Machine machine;
    VerifierInsn before; /* on the straight line; length 0: none */
    guint32 number;      /* that was written to `site` last; G_MAXUINT32: none */
    VerifierInsn owed;   /* set rsp and is still to be followed by a check; length 0: none */
} Line;

/* The check that is owed has been seen to its end. */
static void settle(Walk *walk, Line *line)
{
    const Machine *machine = &line->machine;
    if (!line->owed.length || machine->phase != CHECK_DONE || !machine->stack || machine->restore)
        return;
    if (!machine->rotated && !keeps_alignment(&line->owed))
        complain(walk, &line->owed, "the stack pointer may lose its alignment");
    line->owed.length = 0;
}

static void look_at_rsp(Walk *walk, const VerifierInsn *insn, Line *line)
{
    if (line->owed.length && line->machine.phase == CHECK_NONE && !prepares_check(insn)) {
        complain(walk, &line->owed, "the stack pointer is not checked");
        line->owed.length = 0;
    }
    if (insn->odd && (insn->kind == VERIFIER_PUSH || insn->kind == VERIFIER_POP))
        complain(walk, insn, "the stack pointer moves by two");
    gboolean drop = is_drop(walk, insn);
    if (drop && insn->disp % 8 != 0)
        complain(walk, insn, "the stack pointer may lose its alignment by a return");
    if (insn->sets_rsp && !drop)
        line->owed = *insn;
}

static void look_at_string(Walk *walk, const VerifierInsn *insn)
{
    guint8 entry = walk->entry[insn->address - walk->start];
    walk->report->stores++;
    if (entry != ENTRY_NATIVE || insn->segment || insn->short_address)
        complain(walk, insn, "a string operation that was not checked");
}

static void follow_machine(Walk *walk, const VerifierInsn *insn, Line *line)
{
    if (line->machine.phase != CHECK_NONE && advance(walk, &line->machine, insn))
        return;
    Machine next;
    line->machine.phase = CHECK_NONE;
    if (begins_check(insn, &next))
        line->machine = next;
}

/* FALSE: the straight line ends here. */
static gboolean look_at(Walk *walk, const VerifierInsn *insn, Line *line)
{
    static const guint8 PUSH_SHADOW[] = {0xFF, 0xB4, 0x24};
    switch (insn->kind) {
    case VERIFIER_BAD:
        complain(walk, insn, "cannot be read");
        return FALSE;
    case VERIFIER_DENIED:
        complain(walk, insn, "an instruction that must not be there");
        return FALSE;
    case VERIFIER_TRAP:
        return FALSE;
    case VERIFIER_STRING_STORE:
        look_at_string(walk, insn);
        return TRUE;
    case VERIFIER_JMP:
    case VERIFIER_JCC:
        look_at_branch(walk, insn);
        return insn->kind == VERIFIER_JCC;
    case VERIFIER_CALL:
        look_at_branch(walk, insn);
        if (inside(walk, insn->target))
            look_at_call(walk, insn);
        return FALSE;
    case VERIFIER_JMP_MEMORY:
        if (insn->segment != 0x65 || insn->short_address ||
            (!is_gate_jump(walk, insn, line->number) && !is_table_jump(walk, insn)))
            complain(walk, insn, "a jump to an address in memory that is no gate");
        return FALSE;
    case VERIFIER_RET:
        if (line->before.kind != VERIFIER_PUSH || line->before.length != 7 ||
            memcmp(line->before.bytes, PUSH_SHADOW, 3) != 0 ||
            line->before.disp != HEARTH_SLOT_SHADOW_OFFSET ||
            walk->entry[insn->address - walk->start] & ~ENTRY_FALL)
            complain(walk, insn, "a return that is not by the shadow");
        return FALSE;
    default:
        look_at_memory(walk, insn, &line->machine);
        return TRUE;
    }
}

static void walk_line(Walk *walk, guint offset)
{
    Line line = {.number = G_MAXUINT32};
    for (;;) {
        VerifierInsn insn = decode_at(walk, walk->start + offset);
        settle(walk, &line);
        if (offset && walk->entry[offset] & (ENTRY_JUMP | ENTRY_PAD))
            line.machine.phase = CHECK_NONE;
        look_at_rsp(walk, &insn, &line);
        gboolean more = look_at(walk, &insn, &line);
        gboolean sets_number = is_gs(&insn, AT(site)) && insn.length == 12;
        walk->length[offset] = MAX(insn.length, 1);
        walk->report->instructions++;
        follow_machine(walk, &insn, &line);
        line.number = G_MAXUINT32;
        if (sets_number)
            memcpy(&line.number, insn.bytes + 8, 4);
        line.before = insn;
        offset += insn.length;
        if (!more)
            break;
        if (offset >= walk->fragment->size) {
            complain(walk, &insn, "code runs out of its fragment");
            break;
        }
        walk->entry[offset] |= ENTRY_FALL;
        /* What was walked before is known; but what is owed must be seen to its end. */
        if (walk->length[offset] && !line.owed.length && line.machine.phase == CHECK_NONE)
            break;
    }
    if (line.owed.length)
        complain(walk, &line.owed, "the stack pointer is not checked");
}

static void check_boundaries(Walk *walk)
{
    guint end = 0;
    for (guint i = 0; i < walk->fragment->size; i++) {
        VerifierInsn insn = {.address = walk->start + i, .bytes = walk->code + i};
        if (walk->length[i] && i < end)
            complain(walk, &insn, "an instruction within another");
        if (walk->length[i])
            end = i + walk->length[i];
    }
}

/* Gates for what is checked whatever the address: strings and gathers go to their own instruction. */
static void enter_sites(Walk *walk)
{
    const HearthFragment *fragment = walk->fragment;
    for (guint i = 0; i < fragment->site_count; i++) {
        const HearthSite *site = hearth_cache_site(fragment->first_site + i);
        VerifierInsn insn = {.address = site->resume, .bytes = walk->code};
        if (site->resume && !inside(walk, site->resume))
            complain(walk, &insn, "a site that goes on elsewhere");
        else if (site->resume)
            enter(walk, site->resume, ENTRY_JUMP);
        if (site->native && !inside(walk, site->native))
            complain(walk, &insn, "a site that goes on elsewhere");
        else if (site->native)
            walk->entry[site->native - walk->start] |= ENTRY_NATIVE;
    }
}

/* Natives that nothing falls into: walked when all else is. */
static void enter_natives(Walk *walk)
{
    const HearthFragment *fragment = walk->fragment;
    for (guint i = 0; i < fragment->site_count; i++) {
        const HearthSite *site = hearth_cache_site(fragment->first_site + i);
        guint32 number;
        if (!site->native || walk->length[site->native - walk->start])
            continue;
        /* mov gs:[site], number; jmp gs:[gate] */
        int gate = gate_of_stub(walk, site->native - 20, &number);
        VerifierInsn insn = decode_at(walk, site->native);
        gboolean string = insn.kind == VERIFIER_STRING_STORE;
        if (number != fragment->first_site + i ||
            (gate != HEARTH_GATE_STRING && (string || gate != HEARTH_GATE_MEMORY)))
            complain(walk, &insn, "an instruction without its gate");
        enter(walk, site->native, ENTRY_NATIVE);
    }
}

static void drain(Walk *walk)
{
    while (walk->queue_count > 0) {
        guint offset = walk->queue[--walk->queue_count];
        if (!walk->length[offset] || walk->entry[offset] & ENTRY_PAD)
            walk_line(walk, offset);
    }
}

static void verify_fragment(Walk *walk, const HearthFragment *fragment)
{
    walk->fragment = fragment;
    walk->start = fragment->branch_entry;
    walk->code = (const guint8 *)fragment->branch_entry;
    walk->queue_count = 0;
    memset(walk->entry, 0, fragment->size);
    memset(walk->length, 0, fragment->size);
    memset(walk->queued, 0, fragment->size * sizeof *walk->queued);
    enter(walk, fragment->branch_entry, ENTRY_JUMP);
    enter(walk, fragment->code, ENTRY_JUMP);
    enter_sites(walk);
    /* Twice: what the first walk finds of entries holds for all of it in the second. */
    VerifierReport *report = walk->report;
    g_autoptr(VerifierReport) ignored = report_new();
    walk->report = ignored;
    drain(walk);
    enter_natives(walk);
    drain(walk);
    walk->report = report;
    memset(walk->length, 0, fragment->size);
    memset(walk->queued, 0, fragment->size * sizeof *walk->queued);
    enter(walk, fragment->branch_entry, ENTRY_JUMP);
    enter(walk, fragment->code, ENTRY_JUMP);
    enter_sites(walk);
    drain(walk);
    enter_natives(walk);
    drain(walk);
    check_boundaries(walk);
    report->fragments++;
}

/* --- Bounced accesses -------------------------------------------------------------------------- */

static void verify_bounce(Walk *walk, const HearthSite *site)
{
    VerifierInsn insns[5];
    guint64 at = site->bounce;
    gboolean good = hearth_cache_holds(at);
    for (guint i = 0; i < 5 && good; i++) {
        verifier_decode((const guint8 *)at, 64 - (at - site->bounce), at, &insns[i]);
        at += insns[i].length;
        good = insns[i].length > 0;
    }
    VerifierInsn whole = {.address = site->bounce, .bytes = (const guint8 *)site->bounce};
    if (good) {
        guint8 scratch = gs_move(&insns[0], 0x89, AT(spill[5]));
        const VerifierInsn *access = &insns[2];
        good = scratch != VERIFIER_NONE && gs_move(&insns[1], 0x8B, AT(bounce)) == scratch &&
               gs_move(&insns[3], 0x8B, AT(spill[5])) == scratch && scratch == site->scratch &&
               access->memory && access->base == scratch && access->index == VERIFIER_NONE &&
               access->disp == 0 && access->segment == 0 && !access->short_address &&
               (access->kind == VERIFIER_PLAIN || access->kind == VERIFIER_PUSH ||
                access->kind == VERIFIER_POP) &&
               insns[4].kind == VERIFIER_JMP_MEMORY && is_gs(&insns[4], AT(bounced));
        whole = *access;
    }
    walk->report->bounces++;
    if (!good)
        complain(walk, &whole, "a bounced access that is not one");
}

/* --- All --------------------------------------------------------------------------------------- */

static void collect(const HearthFragment *fragment, void *data)
{
    g_ptr_array_add(data, (gpointer)fragment);
}

VerifierReport *verifier_run(void)
{
    VerifierReport *report = report_new();
    g_autoptr(GPtrArray) fragments = g_ptr_array_new();
    g_autofree Walk *walk = g_new0(Walk, 1);
    g_autoptr(GHashTable) codes = g_hash_table_new(NULL, NULL);
    walk->report = report;
    walk->codes = codes;
    hearth_cache_each(collect, fragments);
    for (guint i = 0; i < fragments->len; i++) {
        const HearthFragment *fragment = g_ptr_array_index(fragments, i);
        g_hash_table_insert(codes, GSIZE_TO_POINTER(fragment->code), (gpointer)fragment);
    }
    for (guint i = 0; i < fragments->len; i++)
        verify_fragment(walk, g_ptr_array_index(fragments, i));
    for (guint i = 0; i < hearth_cache_next_site(); i++) {
        const HearthSite *site = hearth_cache_site(i);
        walk->fragment = NULL;
        if (site->bounce)
            verify_bounce(walk, site);
    }
    return report;
}

void verifier_report_free(VerifierReport *report)
{
    g_ptr_array_unref(report->violations);
    g_hash_table_unref(report->rules);
    g_free(report);
}

static void tell_rules(const VerifierReport *report)
{
    GHashTableIter iter;
    gpointer rule, count;
    g_hash_table_iter_init(&iter, report->rules);
    while (g_hash_table_iter_next(&iter, &rule, &count))
        g_test_message("%u times: %s", GPOINTER_TO_UINT(count), (const char *)rule);
}

void verifier_assert(void)
{
    g_autoptr(VerifierReport) report = verifier_run();
    g_test_message("%u fragments, %u instructions, %u stores (%u checked), %u bounced accesses",
                   report->fragments, report->instructions, report->stores, report->checked,
                   report->bounces);
    tell_rules(report);
    for (guint i = 0; i < report->violations->len; i++) {
        const VerifierViolation *violation = g_ptr_array_index(report->violations, i);
        g_test_message("%#lx (%#lx, view %u): %s: %s", violation->address, violation->app,
                       violation->view, violation->rule, violation->text);
    }
    g_assert_cmpuint(report->count, ==, 0);
}
