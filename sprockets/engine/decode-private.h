#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * One machine instruction as the translator sees it: what it is, which registers and flags it uses, and how its
 * memory operand is made. Zydis reads it; nothing else of the engine knows Zydis. The address of a memory operand is taken from
 * the instruction's own bytes (ModRM, SIB), so that a decoder's mistake cannot make us check one address and use
 * another; forms in which Zydis 4.0.0 is known to be wrong are refused.
 */

typedef enum {
    HEARTH_INSN_PLAIN,    /* copied; its memory operand, if it has one, is checked */
    HEARTH_INSN_JCC,      /* to `target` or on */
    HEARTH_INSN_LOOP,     /* jrcxz, jecxz, loop and kin: to `target` or on */
    HEARTH_INSN_JMP,      /* to `target` */
    HEARTH_INSN_CALL,     /* to `target` */
    HEARTH_INSN_JMP_REG,  /* to what register or memory operand says */
    HEARTH_INSN_CALL_REG, /* the same */
    HEARTH_INSN_RET,      /* `immediate`: bytes to drop */
    HEARTH_INSN_STRING,   /* movs, stos, lods, cmps, scas; perhaps repeated */
    HEARTH_INSN_SYSCALL,
    HEARTH_INSN_CPUID,
    HEARTH_INSN_RDTSC,  /* and rdtscp */
    HEARTH_INSN_RANDOM, /* rdrand, rdseed */
    HEARTH_INSN_XGETBV,
    HEARTH_INSN_TRAP,        /* int3, int1, ud2, hlt: run as they are, for their signal */
    HEARTH_INSN_UNSUPPORTED, /* not in the table */
} HearthInsnKind;

#define HEARTH_NO_REGISTER 255
#define HEARTH_RIP 16 /* as a base */

/** What is used by bit: 1 << register number. */
typedef uint32_t HearthRegisterSet;

typedef struct {
    uint8_t base; /* register, HEARTH_RIP or HEARTH_NO_REGISTER */
    uint8_t
        index; /* register or HEARTH_NO_REGISTER; with `vector_index` that of a vector register */
    uint8_t scale; /* 1, 2, 4, 8 */
    bool thread;   /* fs-relative */
    bool vector_index;
    bool reads;
    bool writes;
    bool masked;   /* elements that a mask leaves out are not accessed */
    int64_t disp;  /* of rip: already the whole address */
    uint16_t size; /* bytes at most; the access may be shorter */
} HearthMemoryOperand;

typedef struct {
    uint64_t pc;
    uint8_t bytes[15];
    uint8_t length;
    HearthInsnKind kind;
    uint16_t mnemonic; /* Zydis' number, for the table and for messages */
    bool has_memory;   /* `memory` is used: an explicit operand that is accessed */
    bool pushes;       /* stores below the stack pointer and moves it there */
    bool uses_stack;   /* reads or writes by the stack pointer without saying so */
    bool needs_rip;    /* has a rip-relative operand, accessed or not */
    HearthMemoryOperand memory;
    HearthRegisterSet reads;    /* general registers, also of addresses; partly written ones too */
    HearthRegisterSet writes;   /* wholly overwritten, and not read */
    HearthRegisterSet modifies; /* written in any way */
    HearthRegisterSet touches;  /* all that occur in any way */
    uint32_t flags_read;        /* arithmetic flags, by their bits in the flags register */
    uint32_t flags_written;     /* certainly */
    bool high_byte;             /* uses ah, ch, dh or bh, which an extended register rules out */
    bool sets_rsp;              /* other than by push, pop, call, ret */
    uint64_t target;            /* of direct branches */
    uint16_t immediate;         /* of ret */
    uint8_t modrm_at;           /* offset of ModRM in bytes, 0: none */
    uint8_t disp_at;            /* offset of the displacement, 0: none */
    uint8_t disp_size;          /* bytes */
    uint8_t operand;   /* of strings: bytes of an element; of JMP_REG and CALL_REG: the register */
    uint8_t repeat;    /* of strings: 0, 0xF2 or 0xF3 */
    uint8_t condition; /* of JCC: low four bits of the opcode */
} HearthInsn;

#define HEARTH_ARITHMETIC_FLAGS 0x8D5u /* OF SF ZF AF PF CF */

/** Reads the instruction at `bytes`, of which `available` may be read and which is at `pc` in the process. */
void hearth_decode(uint64_t pc, const uint8_t *bytes, uint64_t available, HearthInsn *ret_insn);

/** "vmovdqu64", for messages. */
const char *hearth_insn_name(const HearthInsn *insn);

/**
 * Writes the instruction to `out` (at least 16 bytes) with [`base`] in place of its memory operand and without segment; its length. `base`
 * is not rsp, rbp, r12 or r13. 0: its encoding does not allow it.
 */
unsigned hearth_insn_rebase(const HearthInsn *insn, uint8_t base, uint8_t *out);

/** True if the table of tested instructions has it. */
bool hearth_instruction_allowed(uint16_t mnemonic);
