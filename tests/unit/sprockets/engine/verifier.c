#include "tests/unit/sprockets/engine/verifier.h"

#include <string.h>

#include "tests/unit/sprockets/engine/verifier-branch.h"
#include "tests/unit/sprockets/engine/verifier-check.h"
#include "tests/unit/sprockets/engine/verifier-walk.h"

/*
 * A fragment is walked by control flow from where it can be entered; on the way every straight piece of code
 * is followed by what knows which checks were made. Entries in the middle forget all of it.
 */

#define AT VERIFIER_AT
#define STACK_REACH (512 * 1024) /* bytes: the guards of the stack are wider */
#define LONGEST 4096             /* bytes of one access */

typedef struct {
    VerifierCheck check;
    VerifierKnown known;
    VerifierInsn before; /* on the straight line; length 0: none */
    guint32 number;      /* that was written to `site` last; G_MAXUINT32: none */
    VerifierInsn owed;   /* set rsp and is still to be followed by a check; length 0: none */
} Line;

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

/* --- Stores ------------------------------------------------------------------------------------ */

static gboolean is_stack_operand(const VerifierInsn *insn)
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
        if (verifier_gs_move(insn, 0x89, AT(spill[i])) != VERIFIER_NONE)
            return TRUE;
    return verifier_is_gs(insn, AT(site)) && insn->bytes[1] == 0xC7 && insn->length == 12;
}

/* pop [rsp + shadow] of a call's pad, which is reached by that call alone. */
static gboolean is_shadow_store(const VerifierInsn *insn, guint8 entry)
{
    return insn->kind == VERIFIER_POP && insn->length == 7 && insn->bytes[0] == 0x8F &&
           insn->base == VERIFIER_RSP && insn->index == VERIFIER_NONE &&
           insn->disp == HEARTH_SLOT_SHADOW_OFFSET - 8 && entry == VERIFIER_ENTRY_PAD;
}

/* By one register that was compared before, on the only way here, and not changed since. */
static gboolean by_known_base(VerifierWalk *walk, const VerifierInsn *insn, const Line *line)
{
    if (insn->base >= HEARTH_RIP || insn->index != VERIFIER_NONE || insn->segment ||
        !(line->known.private >> insn->base & 1) || insn->disp + insn->slack > VERIFIER_NEAR ||
        insn->disp - insn->slack < -VERIFIER_NEAR)
        return FALSE;
    const HearthSite *site = hearth_cache_site(line->known.site[insn->base]);
    if (!site->leaves && site->native != insn->address)
        verifier_complain(walk, insn, "a store that relies on a check whose gate comes back");
    return TRUE;
}

static void look_at_store(VerifierWalk *walk, const VerifierInsn *insn, const Line *line)
{
    guint8 entry = verifier_entry(walk, insn->address);
    walk->report->stores++;
    if (is_slot_store(insn) || is_stack_operand(insn) || is_shadow_store(insn, entry))
        return;
    walk->report->checked++;
    if (by_known_base(walk, insn, line))
        return;
    if (!verifier_check_covers(&line->check, VERIFIER_CHECK_WINDOW, insn))
        verifier_complain(walk, insn, "a store that was not checked");
    else if (entry & VERIFIER_ENTRY_JUMP)
        verifier_complain(walk, insn, "a store that is jumped to past its check");
    else if (hearth_cache_site(line->check.site)->native != insn->address)
        verifier_complain(walk, insn, "a store checked for another site");
}

/* --- Loads ------------------------------------------------------------------------------------- */

/* What the translator adds of its own, and the thread's storage at a fixed place. */
static gboolean is_own_load(const VerifierWalk *walk, const VerifierInsn *insn, const Line *line)
{
    static const guint8 TABLE[] = {0x65, 0x48, 0x3B, 0x88}, SHADOW[] = {0xFF, 0xB4, 0x24};
    VerifierCheck check = line->check;
    gboolean fixed = insn->segment == 0x65 && insn->base == VERIFIER_NONE &&
                     insn->index == VERIFIER_NONE && insn->disp >= -HEARTH_SLOT_THREAD_BELOW;
    if (fixed && (insn->disp + LONGEST <= HEARTH_SLOT_THREAD_ABOVE ||
                  (insn->disp >= AT(window) && insn->disp < AT(branches))))
        return TRUE;
    if (insn->kind == VERIFIER_PUSH && insn->base == VERIFIER_RIP &&
        verifier_inside(walk, (guint64)insn->disp))
        return TRUE;
    if (insn->length == 7 && memcmp(insn->bytes, SHADOW, sizeof SHADOW) == 0 &&
        insn->disp == HEARTH_SLOT_SHADOW_OFFSET)
        return TRUE;
    return memcmp(insn->bytes, TABLE, sizeof TABLE) == 0 ||
           verifier_check_advance(walk, &check, insn);
}

/* In the views that look at loads. */
static void look_at_load(VerifierWalk *walk, const VerifierInsn *insn, const Line *line)
{
    guint8 entry = verifier_entry(walk, insn->address);
    gboolean careful = walk->fragment->view == HEARTH_VIEW_CAREFUL;
    VerifierCheckKind kind = careful ? VERIFIER_CHECK_MARKED : VERIFIER_CHECK_CLEAN;
    if (walk->fragment->view == HEARTH_VIEW_PLAIN || insn->hint || is_stack_operand(insn) ||
        is_own_load(walk, insn, line))
        return;
    walk->report->loads++;
    if (entry == VERIFIER_ENTRY_NATIVE)
        return; /* behind its gate */
    guint64 native = line->check.far ? line->check.far : insn->address;
    if (!verifier_check_covers(&line->check, kind, insn))
        verifier_complain(walk, insn, "a load that was not checked");
    else if (entry & VERIFIER_ENTRY_JUMP)
        verifier_complain(walk, insn, "a load that is jumped to past its check");
    else if (hearth_cache_site(line->check.site)->native != native)
        verifier_complain(walk, insn, "a load checked for another site");
}

static void look_at_memory(VerifierWalk *walk, const VerifierInsn *insn, const Line *line)
{
    if (insn->memory && insn->segment == 0x64)
        verifier_complain(walk, insn, "an access by fs");
    if (insn->stores && insn->short_address)
        verifier_complain(walk, insn, "a store by a short address");
    else if (insn->stores)
        look_at_store(walk, insn, line);
    else if (insn->memory)
        look_at_load(walk, insn, line);
}

/* --- The stack pointer ------------------------------------------------------------------------- */

/* lea rsp, [rsp + n]: of continuations, and of returns that drop arguments, which jump away at once. */
static gboolean is_drop(const VerifierWalk *walk, const VerifierInsn *insn)
{
    const guint8 *bytes = insn->bytes;
    guint64 offset = insn->address - walk->start;
    if (insn->length == 5 && memcmp(bytes, "\x48\x8D\x64\x24\x08", 5) == 0)
        return offset >= 6 && bytes[-6] == 0x0F && bytes[-5] == 0x85;
    return insn->length == 8 && memcmp(bytes, "\x48\x8D\xA4\x24", 4) == 0 && offset >= 4 &&
           memcmp(bytes - 4, "\x48\x8B\x0C\x24", 4) == 0 && insn->disp > 0 &&
           insn->disp <= 8 + 0xFFFF;
}

/* Instructions between one that sets rsp and the comparison. */
static gboolean prepares_check(const VerifierInsn *insn)
{
    VerifierCheck check;
    return (verifier_check_begin(insn, &check) && check.base == VERIFIER_RSP) ||
           verifier_gs_move(insn, 0x8B, AT(spill[5])) != VERIFIER_NONE || /* of a far operand */
           verifier_gs_move(insn, 0x89, AT(spill[2])) != VERIFIER_NONE ||
           verifier_gs_move(insn, 0x89, AT(spill[3])) == HEARTH_RAX ||
           verifier_gs_move(insn, 0x89, AT(spill[4])) == HEARTH_RAX ||
           verifier_gs_move(insn, 0x8B, AT(spill[3])) == HEARTH_RAX ||
           (insn->length == 1 && insn->bytes[0] == 0x9F) ||
           (insn->length == 3 && memcmp(insn->bytes, "\x0F\x90\xC0", 3) == 0);
}

/* --- Walking ----------------------------------------------------------------------------------- */

/* The check that is owed has been seen to its end. */
static void settle(Line *line)
{
    if (line->check.phase == VERIFIER_PHASE_DONE && line->check.kind == VERIFIER_CHECK_STACK)
        line->owed.length = 0;
}

/* Sets it once more, before anything went by it: then that is what is owed. */
static gboolean sets_again(const VerifierWalk *walk, const VerifierInsn *insn)
{
    guint8 entry = verifier_entry(walk, insn->address);
    return insn->sets_rsp && !insn->memory && insn->kind == VERIFIER_PLAIN &&
           (entry & ~VERIFIER_ENTRY_RESUME) == VERIFIER_ENTRY_FALL;
}

static void look_at_rsp(VerifierWalk *walk, const VerifierInsn *insn, Line *line)
{
    gboolean under_way = line->check.phase != VERIFIER_PHASE_NONE && !insn->sets_rsp;
    if (line->owed.length && !under_way && !prepares_check(insn) && !sets_again(walk, insn)) {
        verifier_complain(walk, &line->owed, "the stack pointer is not checked");
        line->owed.length = 0;
    }
    if (insn->odd && (insn->kind == VERIFIER_PUSH || insn->kind == VERIFIER_POP))
        verifier_complain(walk, insn, "the stack pointer moves by two");
    gboolean drop = is_drop(walk, insn);
    if (drop && insn->disp % 8 != 0)
        verifier_complain(walk, insn, "the stack pointer may lose its alignment by a return");
    if (insn->sets_rsp && !drop)
        line->owed = *insn;
}

/* Those that load alone are looked at in the views that look at loads. */
static void look_at_string(VerifierWalk *walk, const VerifierInsn *insn)
{
    guint8 entry = verifier_entry(walk, insn->address);
    walk->report->stores += insn->kind == VERIFIER_STRING_STORE;
    if (insn->kind == VERIFIER_STRING_LOAD && walk->fragment->view == HEARTH_VIEW_PLAIN)
        return;
    if (entry != VERIFIER_ENTRY_NATIVE || insn->segment || insn->short_address)
        verifier_complain(walk, insn, "a string operation that was not checked");
}

static void follow_check(VerifierWalk *walk, const VerifierInsn *insn, Line *line)
{
    VerifierCheck next;
    if (line->check.phase != VERIFIER_PHASE_NONE &&
        verifier_check_advance(walk, &line->check, insn)) {
        if (line->check.phase == VERIFIER_PHASE_DONE && line->check.kind == VERIFIER_CHECK_BASE &&
            insn->kind == VERIFIER_JCC)
            verifier_known_add(&line->known, &line->check);
        return;
    }
    line->check.phase = VERIFIER_PHASE_NONE;
    if (verifier_check_begin(insn, &next))
        line->check = next;
}

/* A gate that is called whatever happens, and goes on in what stands behind the jump. FALSE: it does not. */
static gboolean go_on_after_gate(VerifierWalk *walk, const VerifierInsn *jump, Line *line, int gate)
{
    guint64 next = jump->address + jump->length;
    if (gate < HEARTH_GATE_MEMORY || gate > HEARTH_GATE_FUNCTION)
        return FALSE;
    const HearthSite *site = hearth_cache_site(line->number);
    if (site->native == next) {
        VerifierInsn insn = verifier_decode_at(walk, next);
        gboolean string = insn.kind == VERIFIER_STRING_STORE || insn.kind == VERIFIER_STRING_LOAD;
        if (gate != (string ? HEARTH_GATE_STRING : HEARTH_GATE_MEMORY))
            verifier_complain(walk, &insn, "an instruction without its gate");
        verifier_known_gate(&line->known, line->number);
        return TRUE;
    }
    if (site->resume != next || site->native)
        return FALSE;
    VerifierInsn instead;
    verifier_decode(site->insn.bytes, site->insn.length, site->insn.pc, &instead);
    if (gate == HEARTH_GATE_MEMORY)
        line->known.private &= ~instead.writes;
    else
        verifier_known_clear(&line->known);
    verifier_known_gate(&line->known, line->number);
    return TRUE;
}

static gboolean look_at_jump(VerifierWalk *walk, const VerifierInsn *insn, Line *line)
{
    int gate = verifier_branch_gate(walk, insn, line->number);
    if (insn->segment != 0x65 || insn->short_address ||
        (gate < 0 && !verifier_branch_is_table(walk, insn)))
        verifier_complain(walk, insn, "a jump to an address in memory that is no gate");
    return go_on_after_gate(walk, insn, line, gate);
}

/* FALSE: the straight line ends here. */
static gboolean look_at(VerifierWalk *walk, const VerifierInsn *insn, Line *line)
{
    static const guint8 PUSH_SHADOW[] = {0xFF, 0xB4, 0x24};
    switch (insn->kind) {
    case VERIFIER_BAD:
        verifier_complain(walk, insn, "cannot be read");
        return FALSE;
    case VERIFIER_DENIED:
        verifier_complain(walk, insn, "an instruction that must not be there");
        return FALSE;
    case VERIFIER_TRAP:
        return FALSE;
    case VERIFIER_STRING_STORE:
    case VERIFIER_STRING_LOAD:
        look_at_string(walk, insn);
        return TRUE;
    case VERIFIER_JMP:
    case VERIFIER_JCC:
        verifier_branch(walk, insn);
        return insn->kind == VERIFIER_JCC;
    case VERIFIER_CALL:
        verifier_branch(walk, insn);
        if (verifier_inside(walk, insn->target))
            verifier_branch_call(walk, insn);
        return FALSE;
    case VERIFIER_JMP_MEMORY:
        return look_at_jump(walk, insn, line);
    case VERIFIER_RET:
        if (line->before.kind != VERIFIER_PUSH || line->before.length != 7 ||
            memcmp(line->before.bytes, PUSH_SHADOW, 3) != 0 ||
            line->before.disp != HEARTH_SLOT_SHADOW_OFFSET ||
            walk->entry[insn->address - walk->start] & ~VERIFIER_ENTRY_FALL)
            verifier_complain(walk, insn, "a return that is not by the shadow");
        return FALSE;
    default:
        look_at_memory(walk, insn, line);
        return TRUE;
    }
}

/* What is known and what is owed, of before, after an instruction. */
static void follow(VerifierWalk *walk, const VerifierInsn *insn, Line *line)
{
    gboolean sets_number = verifier_is_gs(insn, AT(site)) && insn->length == 12;
    verifier_known_step(walk, &line->known, insn);
    follow_check(walk, insn, line);
    line->number = G_MAXUINT32;
    if (sets_number)
        memcpy(&line->number, insn->bytes + 8, 4);
    line->before = *insn;
}

static void walk_line(VerifierWalk *walk, guint offset)
{
    const guint8 forgets = VERIFIER_ENTRY_JUMP | VERIFIER_ENTRY_PAD | VERIFIER_ENTRY_RESUME;
    Line line = {.number = G_MAXUINT32};
    verifier_known_clear(&line.known);
    for (;;) {
        VerifierInsn insn = verifier_decode_at(walk, walk->start + offset);
        settle(&line);
        if (walk->entry[offset] & forgets)
            line.check.phase = VERIFIER_PHASE_NONE;
        verifier_known_enter(walk, &line.known, insn.address);
        look_at_rsp(walk, &insn, &line);
        gboolean more = look_at(walk, &insn, &line);
        walk->length[offset] = MAX(insn.length, 1);
        walk->report->instructions++;
        follow(walk, &insn, &line);
        offset += insn.length;
        if (!more)
            break;
        if (offset >= walk->fragment->size) {
            verifier_complain(walk, &insn, "code runs out of its fragment");
            break;
        }
        if (insn.kind != VERIFIER_JMP_MEMORY)
            walk->entry[offset] |= VERIFIER_ENTRY_FALL;
        /* What was walked before is known; but what is owed must be seen to its end. */
        if (walk->length[offset] && !line.owed.length && line.check.phase == VERIFIER_PHASE_NONE)
            break;
    }
    if (line.owed.length)
        verifier_complain(walk, &line.owed, "the stack pointer is not checked");
}

static void check_boundaries(VerifierWalk *walk)
{
    guint end = 0;
    for (guint i = 0; i < walk->fragment->size; i++) {
        VerifierInsn insn = {.address = walk->start + i, .bytes = walk->code + i};
        if (walk->length[i] && i < end)
            verifier_complain(walk, &insn, "an instruction within another");
        if (walk->length[i])
            end = i + walk->length[i];
    }
}

/* Where gates go on. Those that are to leave when they are called do not come back. */
static void mark_sites(VerifierWalk *walk)
{
    const HearthFragment *fragment = walk->fragment;
    for (guint i = 0; i < fragment->site_count; i++) {
        const HearthSite *site = hearth_cache_site(fragment->first_site + i);
        VerifierInsn insn = {.address = site->resume, .bytes = walk->code};
        if ((site->resume && !verifier_inside(walk, site->resume)) ||
            (site->native && !verifier_inside(walk, site->native))) {
            verifier_complain(walk, &insn, "a site that goes on elsewhere");
            continue;
        }
        if (site->resume && !site->leaves) {
            walk->entry[site->resume - walk->start] |= VERIFIER_ENTRY_RESUME;
            walk->resumes[site->resume - walk->start] = fragment->first_site + i;
        }
        if (site->native)
            walk->entry[site->native - walk->start] |= VERIFIER_ENTRY_NATIVE;
    }
}

static gboolean was_walked(const VerifierWalk *walk, guint64 address)
{
    return address == 0 || !verifier_inside(walk, address) ||
           walk->length[address - walk->start] != 0;
}

/* They are all behind their checks or their gates. */
static void check_sites(VerifierWalk *walk)
{
    const HearthFragment *fragment = walk->fragment;
    for (guint i = 0; i < fragment->site_count; i++) {
        const HearthSite *site = hearth_cache_site(fragment->first_site + i);
        VerifierInsn insn = {.address = site->resume, .bytes = walk->code};
        VerifierInsn native = verifier_decode_at(walk, site->native);
        if (site->native && (native.kind == VERIFIER_TRAP || native.kind == VERIFIER_DENIED))
            continue;
        if (!was_walked(walk, site->native) || !was_walked(walk, site->resume))
            verifier_complain(walk, &insn, "a site that goes on where nothing leads");
    }
}

static void drain(VerifierWalk *walk)
{
    while (walk->queue_count > 0) {
        guint offset = walk->queue[--walk->queue_count];
        if (!walk->length[offset] || walk->entry[offset] & VERIFIER_ENTRY_PAD)
            walk_line(walk, offset);
    }
}

static void walk_all(VerifierWalk *walk, const HearthFragment *fragment)
{
    memset(walk->length, 0, fragment->size);
    memset(walk->queued, 0, fragment->size * sizeof *walk->queued);
    walk->queue_count = 0;
    mark_sites(walk);
    verifier_enter(walk, fragment->branch_entry, VERIFIER_ENTRY_JUMP);
    verifier_enter(walk, fragment->code, VERIFIER_ENTRY_JUMP);
    drain(walk);
}

static void verify_fragment(VerifierWalk *walk, const HearthFragment *fragment)
{
    walk->fragment = fragment;
    walk->start = fragment->branch_entry;
    walk->code = (const guint8 *)fragment->branch_entry;
    memset(walk->entry, 0, fragment->size);
    /* Twice: what the first walk finds of entries holds for all of it in the second. */
    VerifierReport *report = walk->report;
    g_autoptr(VerifierReport) ignored = report_new();
    walk->report = ignored;
    walk_all(walk, fragment);
    walk->report = report;
    walk_all(walk, fragment);
    check_boundaries(walk);
    check_sites(walk);
    report->fragments++;
}

/* --- Bounced accesses -------------------------------------------------------------------------- */

static void verify_bounce(VerifierWalk *walk, const HearthSite *site)
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
        guint8 scratch = verifier_gs_move(&insns[0], 0x89, AT(spill[5]));
        const VerifierInsn *access = &insns[2];
        good = scratch != VERIFIER_NONE &&
               verifier_gs_move(&insns[1], 0x8B, AT(bounce)) == scratch &&
               verifier_gs_move(&insns[3], 0x8B, AT(spill[5])) == scratch &&
               scratch == site->scratch && (access->memory || access->hint) &&
               access->base == scratch && access->index == VERIFIER_NONE && access->disp == 0 &&
               access->segment == 0 && !access->short_address &&
               (access->kind == VERIFIER_PLAIN || access->kind == VERIFIER_PUSH ||
                access->kind == VERIFIER_POP) &&
               insns[4].kind == VERIFIER_JMP_MEMORY && verifier_is_gs(&insns[4], AT(bounced));
        whole = *access;
    }
    walk->report->bounces++;
    if (!good)
        verifier_complain(walk, &whole, "a bounced access that is not one");
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
    g_autofree VerifierWalk *walk = g_new0(VerifierWalk, 1);
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
    g_test_message(
        "%u fragments, %u instructions, %u stores (%u checked), %u loads, %u bounced accesses",
        report->fragments, report->instructions, report->stores, report->checked, report->loads,
        report->bounces);
    tell_rules(report);
    for (guint i = 0; i < report->violations->len; i++) {
        const VerifierViolation *violation = g_ptr_array_index(report->violations, i);
        g_test_message("%#lx (%#lx, view %u): %s: %s", violation->address, violation->app,
                       violation->view, violation->rule, violation->text);
    }
    g_assert_cmpuint(report->count, ==, 0);
}
