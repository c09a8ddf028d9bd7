#pragma once

#include <glib.h>

/** One instruction as the verifier sees it: not the engine's decoder. */

#define VERIFIER_NONE 255
#define VERIFIER_RIP 16
#define VERIFIER_RSP 4

typedef enum {
    VERIFIER_PLAIN,
    VERIFIER_PUSH, /* moves rsp by eight, stores there */
    VERIFIER_POP,
    VERIFIER_STRING_STORE,
    VERIFIER_STRING_LOAD,
    VERIFIER_JMP,  /* to `target` */
    VERIFIER_JCC,  /* to `target` or on; loop and jrcxz too */
    VERIFIER_CALL, /* to `target` */
    VERIFIER_JMP_MEMORY,
    VERIFIER_RET,
    VERIFIER_TRAP,   /* ends with a signal */
    VERIFIER_DENIED, /* must not be there */
    VERIFIER_BAD,    /* cannot be read */
} VerifierKind;

typedef struct {
    guint64 address;
    const guint8 *bytes;
    guint8 length;
    VerifierKind kind;
    gboolean sets_rsp; /* other than by push, pop, call, ret */
    gboolean odd;      /* push or pop of two bytes */
    guint32 writes;    /* general registers, by bit; more than it writes, never less */
    gboolean memory;   /* has an operand in memory that is accessed */
    gboolean stores;
    gboolean hint;          /* a prefetch or no operation: it reads nothing */
    gboolean short_address; /* 32 bits */
    guint8 segment;         /* 0, 0x64 or 0x65: the last that is there */
    guint8 base, index, scale;
    gint64 disp;  /* rip-relative: the address */
    gint64 slack; /* how much more or less disp may be: compressed displacements */
    guint64 target;
} VerifierInsn;

void verifier_decode(const guint8 *bytes, gsize available, guint64 address, VerifierInsn *ret_insn);
/** "48 89 07  mov qword ptr [rdi], rax" */
char *verifier_text(const VerifierInsn *insn);
