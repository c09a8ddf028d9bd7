#pragma once

#include <Zydis/Zydis.h>
#include <glib.h>
#include <stdbool.h>

/**
 * Every form of every instruction in the engine's table, found by walking the encoding space
 * itself: prefixes, opcode maps, opcodes, extensions in ModRM, vector lengths, masks, broadcasts. Two
 * encodings are of one form when mnemonic, opcode, operand kinds, sizes and attributes are the same.
 *
 * An instance is a form with registers, address and immediate drawn at random, in bytes that Zydis
 * reads as that form again.
 */

typedef enum { HEARTH_FORM_LEGACY, HEARTH_FORM_VEX, HEARTH_FORM_EVEX } HearthFormEncoding;

typedef struct {
    HearthFormEncoding encoding;
    guint8 map;    /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
    guint8 prefix; /* legacy: 0, F2 or F3; else that of VEX: 0 to 3 */
    bool operand_size, lock, wide;
    guint8 length; /* VEX and EVEX: L */
    bool broadcast;
    guint8 mask; /* 0: none, 1: merge, 2: zero */
    guint8 opcode, reg, rm;
    bool has_modrm;
    bool memory; /* an explicit operand is in memory; lea and nop have one too */
    bool access; /* and it is read or written */
    bool stack;  /* push, pop and kin */
    bool string;
    bool vsib;
    bool refused; /* the engine is known to refuse it whatever its mnemonic */
    ZydisMnemonic mnemonic;
    guint64 key;
} HearthForm;

/** How the address of a memory operand is to be made. */
typedef enum {
    HEARTH_ADDRESS_BASE,  /* a base, perhaps an index and a displacement */
    HEARTH_ADDRESS_STACK, /* base rsp */
    HEARTH_ADDRESS_RIP,
    HEARTH_ADDRESS_THREAD /* as HEARTH_ADDRESS_BASE, relative to fs */
} HearthAddress;

typedef struct {
    guint8 bytes[15];
    guint8 size;
    guint8 disp_at; /* of a rip-relative displacement, to be filled in */
    guint8 base,
        index; /* general registers of the address; 255: none. Index of VSIB: vector register */
    guint8 scale;
    gint64 disp;
    guint16 access;    /* bytes of the memory operand; 0: none that is accessed */
    gint stack;        /* bytes pushed; popped: negative */
    guint32 undefined; /* flags */
    guint32 uses;      /* general registers that occur otherwise than in the address */
    ZydisMnemonic mnemonic;
} HearthInstance;

/** All forms, as HearthForm; the caller's. */
GArray *hearth_forms_new(bool (*allowed)(guint16 mnemonic));

/** An instance of `form`; false: there is none with such an address. */
bool hearth_form_instance(const HearthForm *form, HearthAddress address, GRand *rand,
                          HearthInstance *ret_instance);

/** "vpaddd zmm1{k2}, zmm3, [rbx]  62 f1 ...". */
char *hearth_instance_text(const HearthInstance *instance);
