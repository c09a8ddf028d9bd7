#pragma once

#include <stdint.h>

/**
 * What a slot looks like in memory, for the C code, the emitter and the assembly of the gates.
 *
 * A slot belongs to one thread. All of it is one reservation; offsets are the same in every slot, so that
 * translated code is shared. gs points at the private copy of the thread's control block for as long as the
 * thread lives (nothing else on x86-64 Linux uses gs).
 *
 *     base + 0        guard
 *     WINDOW          1 GiB, owned by the call: stores into it are direct
 *       stack           8 MiB, lowest committed on demand
 *       guard           1 MiB
 *       thread          thread-local storage and control block (gs points into it)
 *       area            512 KiB, laid out by the host
 *       arena           malloc's memory, committed on demand
 *       maps            256 MiB for what the call maps: from the top down, inaccessible where nothing is
 *     guard
 *     CONTEXT         the engine's own: registers of gates, branch table, clean pages. Not in the window
 *     SHADOW          return addresses in the cache, SHADOW_OFFSET above the stack
 */

#define HEARTH_SLOT_MIB 0x100000
#define HEARTH_SLOT_WINDOW HEARTH_SLOT_MIB                           /* from the base: bytes */
#define HEARTH_SLOT_WINDOW_SIZE 0x40000000                           /* bytes */
#define HEARTH_SLOT_STACK HEARTH_SLOT_WINDOW                         /* from the base */
#define HEARTH_SLOT_STACK_SIZE (8 * HEARTH_SLOT_MIB)                 /* bytes */
#define HEARTH_SLOT_THREAD (HEARTH_SLOT_STACK + 9 * HEARTH_SLOT_MIB) /* from the base */
#define HEARTH_SLOT_THREAD_BELOW                                                                   \
    0x20000                             /* bytes for thread-local storage below the control block */
#define HEARTH_SLOT_THREAD_ABOVE 0x2000 /* bytes for the control block and the table of modules */
#define HEARTH_SLOT_GS (HEARTH_SLOT_THREAD + HEARTH_SLOT_THREAD_BELOW)
#define HEARTH_SLOT_AREA (HEARTH_SLOT_THREAD + HEARTH_SLOT_MIB)
#define HEARTH_SLOT_ARENA (HEARTH_SLOT_AREA + 2 * HEARTH_SLOT_MIB)
#define HEARTH_SLOT_WINDOW_END (HEARTH_SLOT_WINDOW + HEARTH_SLOT_WINDOW_SIZE)
#define HEARTH_SLOT_MAPS_SIZE (256 * HEARTH_SLOT_MIB) /* bytes */
#define HEARTH_SLOT_MAPS (HEARTH_SLOT_WINDOW_END - HEARTH_SLOT_MAPS_SIZE)
#define HEARTH_SLOT_ARENA_MAX (HEARTH_SLOT_MAPS - HEARTH_SLOT_ARENA) /* bytes */
#define HEARTH_SLOT_CONTEXT (HEARTH_SLOT_WINDOW_END + 2 * HEARTH_SLOT_MIB)
#define HEARTH_SLOT_CONTEXT_SIZE (2 * HEARTH_SLOT_MIB)
/* Where accesses that cross pages are made; nothing is mapped before it and after it. */
#define HEARTH_SLOT_BUFFER (HEARTH_SLOT_CONTEXT + HEARTH_SLOT_MIB)
#define HEARTH_SLOT_BUFFER_SIZE                                                                    \
    (3 * 4096) /* bytes: the longest access, from any offset in a line */
#define HEARTH_SLOT_SHADOW_OFFSET (HEARTH_SLOT_WINDOW_SIZE + 16 * HEARTH_SLOT_MIB)
#define HEARTH_SLOT_SIZE (HEARTH_SLOT_WINDOW_SIZE + 32 * HEARTH_SLOT_MIB)

/** gs-relative offset of the context: gs:[HEARTH_GS_CONTEXT + field]. */
#define HEARTH_GS_CONTEXT (HEARTH_SLOT_CONTEXT - HEARTH_SLOT_GS)

/* --- The context ------------------------------------------------------------------------------- */

#define HEARTH_BRANCH_ENTRIES 2048  /* of each branch table; a power of two */
#define HEARTH_MARKED_ENTRIES 65536 /* of the table of marked pages; what 16 bits count */
#define HEARTH_CLEAN_ENTRIES 1024   /* of the table of clean pages; a power of two */
#define HEARTH_XSAVE_SIZE 16384     /* bytes; available() compares it with the processor's */

/** Order of the registers in `registers`: that of their numbers in instructions. */
enum {
    HEARTH_RAX,
    HEARTH_RCX,
    HEARTH_RDX,
    HEARTH_RBX,
    HEARTH_RSP,
    HEARTH_RBP,
    HEARTH_RSI,
    HEARTH_RDI,
    HEARTH_R8,
    HEARTH_R9,
    HEARTH_R10,
    HEARTH_R11,
    HEARTH_R12,
    HEARTH_R13,
    HEARTH_R14,
    HEARTH_R15,
    HEARTH_REGISTERS
};

/**
 * Plain translations check stores alone. Careful ones also check loads for pages that have frames: a call is
 * switched to them at its first store to foreign memory, so that it sees what it stored. Validating ones check
 * every load that is not known to be of private or constant memory: a call whose reads are to be validated
 * runs in them from its start.
 */
typedef enum {
    HEARTH_VIEW_PLAIN,
    HEARTH_VIEW_CAREFUL,
    HEARTH_VIEW_VALIDATING,
    HEARTH_VIEWS
} HearthView;

/** Ways out of translated code, in the order of `gates`. */
typedef enum {
    HEARTH_GATE_EXIT, /* a direct branch whose target was not translated yet */
    HEARTH_GATE_BRANCH, /* an indirect branch that the table does not have: target in rcx, rcx and rax spilled */
    HEARTH_GATE_RETURN,  /* a return to where the shadow does not say: the address is at rsp */
    HEARTH_GATE_MEMORY,  /* an access that is not to private memory, or not to a clean page */
    HEARTH_GATE_WRITTEN, /* after a bounced access: write back, perhaps go on in the careful view */
    HEARTH_GATE_STRING,  /* a string operation */
    HEARTH_GATE_SPECIAL, /* system call, cpuid, rdtsc and their kin; a native function that stands for one */
    HEARTH_GATE_FUNCTION, /* the same of a whole function: vector registers are its caller's to keep */
    HEARTH_GATE_STACK,    /* rsp left the stack */
    HEARTH_GATE_DENIED, /* an instruction that is not in the table, or code that is not of a file */
    HEARTH_GATE_DONE,   /* the entry returned */
    HEARTH_GATES
} HearthGate;

typedef struct {
    uint64_t app;  /* address of the target; 0: free */
    uint64_t code; /* in the cache: the entry that restores rax and rcx */
} HearthBranchEntry;

#define HEARTH_FEATURE_AVX 1
#define HEARTH_FEATURE_XSAVEC 2
#define HEARTH_FEATURE_KEYS 4 /* protection keys */

typedef struct HearthSlot HearthSlot;

/** For functions that run between two instructions of a call without its vector registers being kept. */
#define HEARTH_GENERAL_REGISTERS __attribute__((target("general-regs-only")))

/** At gs:[HEARTH_GS_CONTEXT]. The emitter and the gates know these fields by their offsets. */
typedef struct {
    uint64_t window; /* address of the window */
    uint64_t window_end;
    uint64_t stack;    /* address of the lowest byte of the stack */
    uint64_t gs;       /* address that gs points at */
    uint64_t spill[6]; /* 0: rcx and 1: rax of an indirect branch; 2 to 5: the emitter's */
    uint64_t site;     /* which site or exit called a gate */
    uint64_t flags;
    uint64_t registers[HEARTH_REGISTERS]; /* of the call, while a gate runs */
    uint64_t host_rsp;                    /* where the gates' C code has its stack */
    uint64_t after;                       /* address in the cache at which a gate goes on */
    uint64_t bounce;                      /* where a bounced access goes */
    uint64_t bounced;                     /* where code goes on after it */
    uint64_t gates[HEARTH_GATES];
    HearthSlot *slot;
    uint64_t
        wall; /* what selector is while translated code runs: 1 where the second wall stands, else 0 */
    uint8_t selector;                  /* of syscall user dispatch: 0 allow, 1 block */
    uint8_t features;                  /* of the processor: HEARTH_FEATURE_ bits */
    uint32_t mxcsr;                    /* of the host */
    uint32_t call_mxcsr, call_control; /* of the call, SSE and x87, while a function stands in */
    HearthBranchEntry branches[HEARTH_VIEWS][HEARTH_BRANCH_ENTRIES];
    uint8_t marked
        [HEARTH_MARKED_ENTRIES]; /* by low bits of a page's number: it or the next may have a frame */
    uint64_t clean
        [HEARTH_CLEAN_ENTRIES]; /* numbers of pages whose loads need no note, by their low bits */
    uint8_t vectors[HEARTH_XSAVE_SIZE] __attribute__((aligned(64)));
    uint8_t host_vectors[512] __attribute__((aligned(64)));
} HearthContext;

_Static_assert(sizeof(HearthContext) + 4096 <= HEARTH_SLOT_BUFFER - HEARTH_SLOT_CONTEXT,
               "the context outgrew its place");
