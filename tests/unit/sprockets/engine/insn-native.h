#pragma once

#include "tests/unit/sprockets/engine/insn-forms.h"

/**
 * Runs single instructions with a whole machine state before them, and takes the whole state after
 * them: natively in a child, and, through hearth_insn_entry(), under whatever runs it.
 *
 * A case is an instance of a form at a place. Its state and memory come from its seed alone: prepare
 * makes the same twice. All of it is for one thread.
 */

typedef enum {
    HEARTH_PLACE_NONE,          /* no operand in memory */
    HEARTH_PLACE_OWNED,         /* in the area */
    HEARTH_PLACE_FOREIGN,       /* in a page of the host */
    HEARTH_PLACE_STRADDLE,      /* over the end of such a page, the next is one too */
    HEARTH_PLACE_HALF_UNMAPPED, /* the next is not mapped */
    HEARTH_PLACE_UNMAPPED,
    HEARTH_PLACE_READ_ONLY,
    HEARTH_PLACE_HALF_READ_ONLY, /* the next is read-only */
    HEARTH_PLACE_STACK,          /* by rsp */
    HEARTH_PLACE_RIP,            /* in a page of the host, by rip */
    HEARTH_PLACE_THREAD,         /* thread-local, by fs */
    HEARTH_PLACES
} HearthPlace;

typedef struct {
    const HearthForm *form;
    HearthInstance instance;
    HearthPlace place, source; /* of strings: the source too */
    guint32 seed;
    bool live;    /* the flags after it are looked at */
    bool first;   /* it begins a block */
    bool careful; /* foreign memory is stored to before it: where it loads from, if that can be */
    guint8 overwritten; /* a register that is dead after it; 255: none */
    guint32 at;         /* of the instruction in the code */
    guint32 snippet;    /* where to begin, likewise */
} HearthCase;

#define HEARTH_WINDOW 8192 /* bytes */

typedef struct {
    guint64 gpr[16]; /* rsp is not used */
    guint64 flags;
    guint32 mxcsr;
    guint8 x87[108] __attribute__((aligned(64)));
    guint64 k[8] __attribute__((aligned(64)));
    guint8 vectors[32][64];
    guint8 stack[512];
    guint8 windows[2][HEARTH_WINDOW] __attribute__((aligned(64)));
} HearthOutput;

typedef struct {
    guint64 from;
    guint64 words; /* of 8 bytes */
} HearthWindow;

/** What the code under test begins with; the order and the offsets are known to the assembly. */
typedef struct {
    guint64 gpr[16];
    guint32 flags;     /* OF in bit 0, the others as sahf has them in bits 8 to 15 */
    guint32 backwards; /* DF */
    guint32 mxcsr, quiet_mxcsr;
    guint8 x87[108] __attribute__((aligned(64)));
    guint64 k[8] __attribute__((aligned(64)));
    guint8 vectors[32][64];
    guint8 stack[512];
    HearthWindow windows[2];
    guint64 snippet; /* address */
    guint64 thread;  /* offset from fs of what is shown in the second window; 0: not used */
    guint64 early;   /* address of a store before the instruction; 0: none */
    guint64 early_value;
    HearthOutput out __attribute__((aligned(64)));
} HearthState;

typedef struct {
    int signal; /* 0: it returned */
    guint64 pc; /* of the signal */
    HearthOutput out;
} HearthNativeResult;

#define HEARTH_CASES_MAX 512 /* of one batch */

/** Lays out memory. `area`: what is owned, HEARTH_ENGINE_AREA_SIZE bytes; its first part is the state. */
void hearth_insn_init(void *area);
void hearth_insn_clear(void);

/** The function that runs a case; its argument is the state. */
guint64 hearth_insn_entry(void);
/** What it returns. */
#define HEARTH_INSN_RETURNS 0x600D
/** Where code goes on after the instruction, with the flags pushed (insn-enter.c). */
guint64 hearth_insn_leave(void);
/** Saves the registers of a state to `image`: with xsave64, or with xsavec64 if `compact`. */
void hearth_insn_save(const HearthState *state, guint8 *image, guint32 mask, bool compact);

/** Writes the code of cases to a file and maps it in place of the last. */
void hearth_insn_load(HearthCase *cases, guint count);
/** Address of the instruction of a loaded case. */
guint64 hearth_insn_pc(const HearthCase *one);

/** State and memory as the case is to find them. */
HearthState *hearth_insn_prepare(const HearthCase *one);

/** True if foreign memory is as prepare has made it. */
bool hearth_insn_undisturbed(void);

/** Bytes of an output window that are used. */
guint64 hearth_insn_window(const HearthState *state, guint window);

/** Address of the memory operand; of strings, the destination. */
guint64 hearth_insn_target(void);

/** Runs all in a child; `ret_results` is in memory shared with it. */
void hearth_insn_run_natively(const HearthCase *cases, guint count,
                              HearthNativeResult *ret_results);

/** True if the registers are those of AVX-512. */
bool hearth_insn_wide(void);
