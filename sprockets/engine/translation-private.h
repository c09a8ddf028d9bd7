#pragma once

#include "sprockets/engine/region-private.h"
#include "sprockets/engine/translate-private.h"

/** A fragment in the making, shared by the files that make it: trace.c decodes, translate.c and branch.c write. */

#define HEARTH_FRAGMENT_SITES 512
#define HEARTH_FRAGMENT_EXITS 256
#define HEARTH_FRAGMENT_COLD 512
#define HEARTH_FRAGMENT_FOLDS 32

#define HEARTH_FRAGMENT_STEPS 256 /* with those of inlined functions */
#define HEARTH_NO_STEP 0xFFFFu

/** An instruction and what is live around it. */
typedef struct {
    HearthInsn insn;
    HearthRegisterSet live; /* registers whose values are still needed after it */
    uint32_t live_flags;    /* after it */
    HearthRegisterSet live_before;
    uint32_t live_flags_before;
    uint16_t
        local; /* step that a jump leads to, or an inlined return; HEARTH_NO_STEP: none in the fragment */
    bool landed;      /* a jump of the fragment leads here */
    bool followed;    /* a jump whose target comes next */
    bool inside;      /* an inlined function */
    bool inlined;     /* a call whose target comes next; a return of such a call */
    uint64_t returns; /* of an inlined return: where it goes */
    uint32_t at;      /* offset of its code */
} HearthStep;

/** A jump to a step whose code is not written yet. */
typedef struct {
    uint32_t field; /* offset of its four bytes */
    uint16_t step;
} HearthLocalJump;

typedef enum {
    HEARTH_COLD_SITE, /* calls a gate for a site */
    HEARTH_COLD_EXIT, /* asks for the target of an exit */
    HEARTH_COLD_CALL, /* the pad of a call: return address here to the shadow, that of the process to the stack */
    HEARTH_COLD_LITERAL, /* `returns`, for an inlined call to push */
    HEARTH_COLD_RETURN,  /* a return that did not come from where it should */
    HEARTH_COLD_BRANCH,  /* an indirect branch that the table does not have */
} HearthColdKind;

/** Code behind the fragment that is seldom run. */
typedef struct {
    HearthColdKind kind;
    uint32_t field;  /* offset of the jump's four bytes that lead here */
    uint32_t other;  /* the same of a second jump; 0: none */
    uint32_t number; /* of site or exit in the fragment */
    HearthGate gate;
    bool live_flags;  /* saved in spill[4] when the jump was taken */
    uint64_t returns; /* CALL: address in the process */
    bool indirect;    /* CALL: the target is in rcx */
} HearthCold;

struct HearthTranslation {
    uint64_t app;
    HearthView view;
    HearthRegion region; /* that was decoded last */
    HearthEmitter emitter;
    uint32_t entry; /* offset of the code for direct branches */
    HearthStep steps[HEARTH_FRAGMENT_STEPS];
    uint32_t step_count, step_limit;
    uint64_t fallthrough; /* where the process goes on after the last step; 0: nowhere */
    HearthSite sites[HEARTH_FRAGMENT_SITES];
    uint32_t site_count, first_site;
    HearthExit exits[HEARTH_FRAGMENT_EXITS];
    uint32_t exit_count, first_exit;
    HearthCold cold[HEARTH_FRAGMENT_COLD];
    uint32_t cold_count;
    HearthLocalJump jumps[HEARTH_FRAGMENT_STEPS];
    uint32_t jump_count;
    HearthPlace places[HEARTH_FRAGMENT_STEPS + HEARTH_FRAGMENT_COLD];
    uint32_t place_count;
    HearthFold folds[HEARTH_FRAGMENT_FOLDS];
    uint32_t fold_count;
    uint64_t lowest;
    uint32_t stores[4];
    HearthRegisterSet private;         /* registers that are known to hold private addresses */
    uint32_t private_site[HEARTH_RIP]; /* which site compared each */
    bool full;
};

enum { HEARTH_STORE_STACK, HEARTH_STORE_THREAD, HEARTH_STORE_CHECKED, HEARTH_STORE_FOREIGN };

/** Fills `steps` from `app` on; false if not even the first may run. */
bool hearth_trace(HearthTranslation *translation);

/** The address that the stub of a table of functions at `target` leads to for good, noted as a fold; else `target`. */
uint64_t hearth_trace_resolve(HearthTranslation *translation, uint64_t target);

/** The instruction at `pc`, UNSUPPORTED where there is no code. Constant indirect branches are made direct. */
void hearth_trace_read(HearthTranslation *translation, uint64_t pc, HearthInsn *ret_insn);

/**
 * After a call: appends the function it calls as steps, if that is small and all of its branches stay inside, and marks
 * the call as inlined. False: nothing was done.
 */
bool hearth_trace_inline(HearthTranslation *translation);

/** A new site of `insn`; its number in the fragment. */
uint32_t hearth_translation_site(HearthTranslation *translation, const HearthInsn *insn);
/** Calls `gate` for the site, whatever happens. */
void hearth_translation_gate(HearthTranslation *translation, uint32_t site, HearthGate gate);
/** Something cold, to which the jump at `field` leads. */
HearthCold *hearth_translation_cold(HearthTranslation *translation, HearthColdKind kind,
                                    uint32_t field);
/** jcc or jmp (16) to the code of a step. */
void hearth_translation_local(HearthTranslation *translation, unsigned condition, uint16_t step);
/** jcc or jmp (16) to `target` in the process, linked when it is there. */
void hearth_translation_exit(HearthTranslation *translation, unsigned condition, uint64_t target);

/** A register that `step` does not use: a dead one if there is (`ret_dead`). Never rsp; with an avoided one. */
uint8_t hearth_translation_scratch(const HearthStep *step, HearthRegisterSet avoid, bool *ret_dead);

/** What is no longer known of registers after the step. */
void hearth_translation_forget(HearthTranslation *translation, const HearthStep *step);

/** The instruction with its memory operand checked as the view wants. */
void hearth_translate_plain(HearthTranslation *translation, const HearthStep *step);

/** Branches, calls and returns. */
void hearth_translate_branch(HearthTranslation *translation, const HearthStep *step);

/** Writes what is cold behind the rest. */
void hearth_translate_cold(HearthTranslation *translation);
