#include "sprockets/engine/translate-private.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "sprockets/engine/intercept-private.h"
#include "sprockets/engine/state-private.h"
#include "sprockets/engine/translation-private.h"

/* Under the lock of the cache, so one is enough; made with the cache. */
static HEARTH_STATE HearthTranslation *translation_memory;

/* A value for every rdrand, rdseed and rdpid. */
#define FIXED_RANDOM 0x48656172

/* --- For the files that translate -------------------------------------------------------------- */

uint32_t hearth_translation_site(HearthTranslation *translation, const HearthInsn *insn)
{
    if (translation->site_count == HEARTH_FRAGMENT_SITES) {
        translation->full = true;
        return 0;
    }
    translation->sites[translation->site_count] = (HearthSite){
        .insn = *insn, .next = insn->pc + insn->length, .view = (uint8_t)translation->view};
    return translation->site_count++;
}

void hearth_translation_gate(HearthTranslation *translation, uint32_t site, HearthGate gate)
{
    hearth_emit_number(&translation->emitter, HEARTH_RELOCATION_SITE,
                       translation->first_site + site, site);
    hearth_emit_gate(&translation->emitter, gate);
}

HearthCold *hearth_translation_cold(HearthTranslation *translation, HearthColdKind kind,
                                    uint32_t field)
{
    if (translation->cold_count == HEARTH_FRAGMENT_COLD) {
        translation->full = true;
        return &translation->cold[HEARTH_FRAGMENT_COLD - 1];
    }
    HearthCold *cold = &translation->cold[translation->cold_count++];
    *cold = (HearthCold){.kind = kind, .field = field};
    return cold;
}

/* --- Instructions that are not run as they are ------------------------------------------------- */

static void translate_special(HearthTranslation *translation, const HearthInsn *insn,
                              HearthSpecial special, HearthGate gate)
{
    uint32_t site = hearth_translation_site(translation, insn);
    translation->sites[site].special = (uint64_t)special;
    hearth_translation_gate(translation, site, gate);
    translation->sites[site].resume = hearth_emit_here(&translation->emitter);
}

static void translate_denied(HearthTranslation *translation, const HearthInsn *insn)
{
    uint32_t site = hearth_translation_site(translation, insn);
    hearth_translation_gate(translation, site, HEARTH_GATE_DENIED);
}

/* mov reg, value; then the flags of success, which are CF alone */
static void translate_random(HearthTranslation *translation, const HearthInsn *insn)
{
    HearthEmitter *emitter = &translation->emitter;
    uint8_t reg = insn->operand, low = reg & 7, high = reg >= 8;
    const uint8_t load[] = {(uint8_t)(0x40 | high), (uint8_t)(0xB8 | low)};
    const uint8_t flags[] = {(uint8_t)(0x40 | high | high << 2), 0x85,
                             (uint8_t)(0xC0 | low << 3 | low), 0xF9};
    bool counts = insn->flags_written != 0;
    hearth_emit_bytes(emitter, load, sizeof load);
    hearth_emit_word(emitter, counts ? FIXED_RANDOM : 0);
    if (counts)
        hearth_emit_bytes(emitter, flags, sizeof flags);
}

/* Loads alone need no look in the plain view; stores are always looked at. */
static void translate_string(HearthTranslation *translation, const HearthStep *step)
{
    const HearthInsn *insn = &step->insn;
    HearthEmitter *emitter = &translation->emitter;
    uint8_t opcode = insn->bytes[insn->length - 1] & 0xFE;
    bool stores = opcode == 0xA4 || opcode == 0xAA; /* movs, stos */
    if (!stores && translation->view == HEARTH_VIEW_PLAIN) {
        hearth_emit_copy(emitter, insn, HEARTH_R15);
        return;
    }
    uint32_t site = hearth_translation_site(translation, insn);
    hearth_translation_gate(translation, site, HEARTH_GATE_STRING);
    translation->sites[site].native = hearth_emit_here(emitter);
    hearth_emit_copy(emitter, insn, HEARTH_R15);
    translation->sites[site].resume = hearth_emit_here(emitter);
}

static void translate_step(HearthTranslation *translation, const HearthStep *step)
{
    switch (step->insn.kind) {
    case HEARTH_INSN_PLAIN:
    case HEARTH_INSN_XGETBV:
    case HEARTH_INSN_TRAP:
        hearth_translate_plain(translation, step);
        return;
    case HEARTH_INSN_STRING:
        translate_string(translation, step);
        return;
    case HEARTH_INSN_SYSCALL:
        translate_special(translation, &step->insn, hearth_special_syscall, HEARTH_GATE_SPECIAL);
        return;
    case HEARTH_INSN_CPUID:
        translate_special(translation, &step->insn, hearth_special_cpuid, HEARTH_GATE_SPECIAL);
        return;
    case HEARTH_INSN_RDTSC:
        translate_special(translation, &step->insn, hearth_special_rdtsc, HEARTH_GATE_SPECIAL);
        return;
    case HEARTH_INSN_RANDOM:
        translate_random(translation, &step->insn);
        return;
    case HEARTH_INSN_UNSUPPORTED:
        translate_denied(translation, &step->insn);
        return;
    default:
        hearth_translate_branch(translation, step);
        return;
    }
}

/* --- Fragments --------------------------------------------------------------------------------- */

static void begin(HearthTranslation *translation, uint64_t app, HearthView view)
{
    size_t room;
    translation->app = app;
    translation->view = view;
    translation->emitter.used = translation->emitter.relocation_count = 0;
    translation->emitter.full = translation->full = false;
    translation->emitter.address = hearth_cache_place(&room);
    translation->step_count = translation->site_count = translation->exit_count = 0;
    translation->cold_count = translation->place_count = translation->fold_count = 0;
    translation->jump_count = 0;
    translation->private = 0;
    translation->first_site = hearth_cache_next_site();
    translation->first_exit = hearth_cache_next_exit();
    translation->lowest = app;
    translation->fallthrough = 0;
    memset(translation->stores, 0, sizeof translation->stores);
    hearth_emit_unspill(&translation->emitter, HEARTH_RAX, HEARTH_AT(spill[1]));
    hearth_emit_unspill(&translation->emitter, HEARTH_RCX, HEARTH_AT(spill[0]));
    translation->entry = translation->emitter.used;
}

static void add_place(HearthTranslation *translation, uint64_t pc)
{
    translation->places[translation->place_count++] = (HearthPlace){
        .code = (uint16_t)translation->emitter.used, .pc = (uint32_t)(pc - translation->lowest)};
}

static bool reads_flags_of_before(const HearthTranslation *translation)
{
    uint32_t unset = HEARTH_ARITHMETIC_FLAGS;
    for (uint32_t i = 0; i < translation->step_count; i++) {
        const HearthInsn *insn = &translation->steps[i].insn;
        if (insn->flags_read & unset)
            return true;
        unset &= ~insn->flags_written;
        if (translation->steps[i].inside || insn->kind == HEARTH_INSN_CALL ||
            insn->kind == HEARTH_INSN_CALL_REG)
            return false;
    }
    return false;
}

static HearthFragment *publish(HearthTranslation *translation)
{
    const HearthDraft draft = {
        .fragment = {.app = translation->app,
                     .size = translation->emitter.used,
                     .view = (uint8_t)translation->view,
                     .flags_live = reads_flags_of_before(translation),
                     .site_count = translation->site_count,
                     .exit_count = translation->exit_count,
                     .lowest = translation->lowest,
                     .places = translation->places,
                     .place_count = translation->place_count,
                     .relocations = translation->emitter.relocations,
                     .relocation_count = translation->emitter.relocation_count,
                     .folds = translation->folds,
                     .fold_count = translation->fold_count,
                     .instructions = translation->step_count,
                     .stores = {translation->stores[0], translation->stores[1],
                                translation->stores[2], translation->stores[3]}},
        .code = translation->emitter.code,
        .entry = translation->entry,
        .sites = translation->sites,
        .exits = translation->exits,
    };
    return hearth_cache_publish(&draft);
}

/* A function that we stand for: the gate does its work, then it returns. */
static HearthFragment *translate_intercept(HearthTranslation *translation, HearthSpecial special)
{
    HearthStep ret = {.insn = {.kind = HEARTH_INSN_RET, .pc = translation->app}};
    add_place(translation, translation->app);
    translate_special(translation, &ret.insn, special, HEARTH_GATE_FUNCTION);
    hearth_translate_branch(translation, &ret);
    hearth_translate_cold(translation);
    return publish(translation);
}

static HearthFragment *translate_return_point(HearthTranslation *translation)
{
    add_place(translation, translation->app);
    hearth_emit_gate(&translation->emitter, HEARTH_GATE_DONE);
    return publish(translation);
}

/* The last step of an inlined function may lead to what comes after all steps. */
static void land_local_jumps(HearthTranslation *translation)
{
    for (uint32_t i = 0; i < translation->jump_count && !translation->emitter.full; i++) {
        const HearthLocalJump *jump = &translation->jumps[i];
        uint32_t distance = translation->steps[jump->step].at - (jump->field + 4);
        memcpy(translation->emitter.code + jump->field, &distance, sizeof distance);
    }
}

/* `from` is where the code is; the fragment is known by translation->app. */
static bool write_fragment(HearthTranslation *translation, uint64_t from)
{
    uint64_t app = translation->app;
    translation->app = translation->lowest = from;
    bool found = hearth_trace(translation);
    translation->app = app;
    if (!found)
        return false;
    for (uint32_t i = 0; i < translation->step_count; i++) {
        translation->steps[i].at = translation->emitter.used;
        add_place(translation, translation->steps[i].insn.pc);
        if (translation->steps[i].landed)
            translation->private = 0;
        translate_step(translation, &translation->steps[i]);
        hearth_translation_forget(translation, &translation->steps[i]);
    }
    translation->steps[translation->step_count].at = translation->emitter.used;
    land_local_jumps(translation);
    if (translation->fallthrough)
        hearth_translation_exit(translation, 16, translation->fallthrough);
    hearth_translate_cold(translation);
    return true;
}

bool hearth_translate_init(void)
{
    if (translation_memory)
        return true;
    void *memory = mmap(NULL, sizeof *translation_memory, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    translation_memory = memory;
    return true;
}

bool hearth_translate_owns(uint64_t address)
{
    return address - (uint64_t)translation_memory < sizeof *translation_memory;
}

HearthFragment *hearth_translate(uint64_t app, HearthView view)
{
    HearthTranslation *translation = translation_memory;
    const HearthIntercept *intercept = hearth_intercept_find(app);
    for (uint32_t limit = HEARTH_FRAGMENT_INSNS; limit > 0; limit /= 2) {
        begin(translation, app, view);
        translation->step_limit = limit;
        if (app == (uint64_t)hearth_engine_return_point)
            return translate_return_point(translation);
        if (intercept && intercept->special)
            return translate_intercept(translation, intercept->special);
        if (!write_fragment(translation, intercept ? intercept->code : app))
            return NULL;
        if (!translation->full && !translation->emitter.full)
            return publish(translation);
    }
    return NULL;
}
