#include "sprockets/engine/decode-private.h"

#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <string.h>

#include "sprockets/engine/state-private.h"

#define STATE_SIZE_MAX                                                                             \
    4096 /* bytes of xsave's image that an access may have; with AMX there are more */

static HEARTH_STATE ZydisDecoder decoder;
static HEARTH_STATE uint16_t state_size; /* bytes of xsave's image here; 0: too many */

__attribute__((constructor)) static void init_decoder(void)
{
    unsigned a, b, c, d;
    if (__get_cpuid_count(0xD, 0, &a, &b, &c, &d) && c <= STATE_SIZE_MAX)
        state_size = STATE_SIZE_MAX;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

const char *hearth_insn_name(const HearthInsn *insn)
{
    const char *name = ZydisMnemonicGetString(insn->mnemonic);
    return name ? name : "(bad)";
}

/* --- Registers and flags ----------------------------------------------------------------------- */

/* The number of the general register that `reg` is a part of. */
static uint8_t general(ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
        return HEARTH_NO_REGISTER;
    return (uint8_t)(whole - ZYDIS_REGISTER_RAX);
}

static HearthRegisterSet bit(uint8_t reg)
{
    return reg < HEARTH_RIP ? (HearthRegisterSet)1 << reg : 0;
}

/* What they seem to write may stay as it was: without shadow stacks; with no bit set. */
static bool may_do_nothing(const HearthInsn *insn)
{
    switch (insn->mnemonic) {
    case ZYDIS_MNEMONIC_RDSSPD:
    case ZYDIS_MNEMONIC_RDSSPQ:
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR:
        return true;
    default:
        return false;
    }
}

static void use_register(HearthInsn *insn, const ZydisDecodedOperand *operand)
{
    uint8_t reg = general(operand->reg.value);
    if (reg == HEARTH_NO_REGISTER)
        return;
    insn->touches |= bit(reg);
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        insn->modifies |= bit(reg);
    if (operand->reg.value >= ZYDIS_REGISTER_AH && operand->reg.value <= ZYDIS_REGISTER_BH)
        insn->high_byte = true;
    bool whole = operand->size >= 32 && operand->actions == ZYDIS_OPERAND_ACTION_WRITE &&
                 !may_do_nothing(insn);
    if (whole)
        insn->writes |= bit(reg);
    else
        insn->reads |= bit(reg);
    bool hidden = operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
    if (reg == 4 && !hidden && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
        insn->sets_rsp = true;
}

static void use_registers(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                          const ZydisDecodedOperand *operands)
{
    for (unsigned i = 0; i < decoded->operand_count; i++) {
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
            use_register(insn, &operands[i]);
        if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        insn->reads |= bit(general(operands[i].mem.base)) | bit(general(operands[i].mem.index));
        insn->touches |= bit(general(operands[i].mem.base)) | bit(general(operands[i].mem.index));
    }
    insn->writes &= ~insn->reads;
    insn->sets_rsp = insn->sets_rsp || decoded->mnemonic == ZYDIS_MNEMONIC_LEAVE;
}

/* Those that leave the flags alone when a count is zero. */
static bool may_keep_flags(const ZydisDecodedInstruction *decoded,
                           const ZydisDecodedOperand *operands)
{
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
        break;
    default:
        return (decoded->attributes & ZYDIS_ATTRIB_HAS_REP) ||
               (decoded->attributes & ZYDIS_ATTRIB_HAS_REPE) ||
               (decoded->attributes & ZYDIS_ATTRIB_HAS_REPNE);
    }
    const ZydisDecodedOperand *count = &operands[decoded->operand_count_visible - 1];
    unsigned mask = operands[0].size == 64 ? 63 : 31;
    return count->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || (count->imm.value.u & mask) == 0;
}

static void use_flags(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                      const ZydisDecodedOperand *operands)
{
    const ZydisAccessedFlags *flags = decoded->cpu_flags;
    if (!flags)
        return;
    insn->flags_read = flags->tested & HEARTH_ARITHMETIC_FLAGS;
    if (!may_keep_flags(decoded, operands))
        insn->flags_written = (flags->modified | flags->set_0 | flags->set_1 | flags->undefined) &
                              HEARTH_ARITHMETIC_FLAGS;
}

/* --- Memory operands --------------------------------------------------------------------------- */

static int64_t signed_at(const uint8_t *bytes, unsigned size)
{
    int32_t wide;
    if (size == 1)
        return (int8_t)bytes[0];
    memcpy(&wide, bytes, sizeof wide);
    return wide;
}

/* How far bytes of the displacement are scaled in an EVEX instruction. */
static int64_t disp_scale(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *memory,
                          int64_t raw)
{
    bool evex = decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
    if (!evex || decoded->raw.disp.size != 8 || raw == 0)
        return 1;
    return memory->mem.disp.value / raw;
}

/* From ModRM and SIB themselves; only the extension bits come from the decoder. */
static void read_address(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                         const ZydisDecodedOperand *operand)
{
    HearthMemoryOperand *memory = &insn->memory;
    uint8_t modrm = insn->bytes[insn->modrm_at], mod = modrm >> 6, rm = modrm & 7;
    bool vex = decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    bool evex = decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
    uint8_t b = vex ? !decoded->raw.vex.B : evex ? !decoded->raw.evex.B : decoded->raw.rex.B;
    uint8_t x = vex ? !decoded->raw.vex.X : evex ? !decoded->raw.evex.X : decoded->raw.rex.X;
    memory->base = memory->index = HEARTH_NO_REGISTER;
    memory->scale = 1;
    int64_t raw = insn->disp_size ? signed_at(insn->bytes + insn->disp_at, insn->disp_size) : 0;
    memory->disp = raw * disp_scale(decoded, operand, raw);
    if (rm == 4) {
        uint8_t sib = insn->bytes[insn->modrm_at + 1], base = sib & 7;
        uint8_t index = (uint8_t)((sib >> 3 & 7) | x << 3);
        memory->scale = (uint8_t)(1 << (sib >> 6));
        memory->vector_index = operand->mem.type == ZYDIS_MEMOP_TYPE_VSIB;
        if (memory->vector_index || index != 4)
            memory->index = index;
        if (base != 5 || mod != 0)
            memory->base = (uint8_t)(base | b << 3);
    } else if (mod == 0 && rm == 5) {
        memory->base = HEARTH_RIP;
        memory->disp += (int64_t)(insn->pc + insn->length);
        insn->needs_rip = true;
    } else {
        memory->base = (uint8_t)(rm | b << 3);
    }
    memory->thread = operand->mem.segment == ZYDIS_REGISTER_FS;
}

static uint16_t access_size(const ZydisDecodedInstruction *decoded,
                            const ZydisDecodedOperand *operand)
{
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_CLFLUSH:
    case ZYDIS_MNEMONIC_CLFLUSHOPT:
    case ZYDIS_MNEMONIC_CLWB:
        return 1; /* of a line, but no byte of another page */
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
        return state_size;
    default:
        return operand->size ? operand->size / 8 : 64;
    }
}

static bool is_masked(const ZydisDecodedInstruction *decoded)
{
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_VMASKMOVPS:
    case ZYDIS_MNEMONIC_VMASKMOVPD:
    case ZYDIS_MNEMONIC_VPMASKMOVD:
    case ZYDIS_MNEMONIC_VPMASKMOVQ:
        return true;
    /* Their stores fault whatever the mask says (measured). */
    case ZYDIS_MNEMONIC_VEXTRACTF32X4:
    case ZYDIS_MNEMONIC_VEXTRACTF32X8:
    case ZYDIS_MNEMONIC_VEXTRACTF64X2:
    case ZYDIS_MNEMONIC_VEXTRACTF64X4:
    case ZYDIS_MNEMONIC_VEXTRACTI32X4:
    case ZYDIS_MNEMONIC_VEXTRACTI32X8:
    case ZYDIS_MNEMONIC_VEXTRACTI64X2:
    case ZYDIS_MNEMONIC_VEXTRACTI64X4:
        return false;
    default:
        return decoded->avx.mask.reg != ZYDIS_REGISTER_NONE &&
               decoded->avx.mask.reg != ZYDIS_REGISTER_K0;
    }
}

/* Bit offsets in registers reach beyond the operand. */
static bool far_bit(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands)
{
    bool tests = decoded->mnemonic == ZYDIS_MNEMONIC_BT ||
                 decoded->mnemonic == ZYDIS_MNEMONIC_BTS ||
                 decoded->mnemonic == ZYDIS_MNEMONIC_BTR || decoded->mnemonic == ZYDIS_MNEMONIC_BTC;
    return tests && operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
           operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

/* False: the operand is of a kind that we do not handle. */
static bool take_memory(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                        const ZydisDecodedOperand *operands)
{
    bool addr32 = decoded->attributes & ZYDIS_ATTRIB_HAS_ADDRESSSIZE;
    for (unsigned i = 0; i < decoded->operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        bool hidden = operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
        if (hidden && (operand->mem.base == ZYDIS_REGISTER_RSP ||
                       decoded->mnemonic == ZYDIS_MNEMONIC_LEAVE)) {
            if (operand->size % 64 != 0)
                return false; /* the stack pointer stays a multiple of 8 */
            insn->uses_stack = true;
            insn->pushes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
            continue; /* push, pop and kin */
        }
        if (hidden || operand->mem.segment == ZYDIS_REGISTER_GS || !insn->modrm_at)
            return false;
        read_address(insn, decoded, operand);
        if (insn->memory.thread && insn->memory.base == HEARTH_RIP)
            return false;
        insn->has_memory = operand->mem.type != ZYDIS_MEMOP_TYPE_AGEN && operand->actions != 0;
        if (!insn->has_memory)
            continue;
        if (addr32 || far_bit(decoded, operands))
            return false;
        insn->memory.reads = operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
        insn->memory.writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
        insn->memory.size = access_size(decoded, operand);
        if (insn->memory.size == 0)
            return false;
        insn->memory.masked = is_masked(decoded);
        if (insn->memory.vector_index && insn->memory.writes)
            return false;
    }
    return true;
}

/* --- Kinds ------------------------------------------------------------------------------------- */

static HearthInsnKind string_kind(HearthInsn *insn, const ZydisDecodedInstruction *decoded)
{
    insn->operand = (uint8_t)(decoded->operand_width / 8);
    if (decoded->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
        insn->repeat = 0xF3;
    if (decoded->attributes & ZYDIS_ATTRIB_HAS_REPNE)
        insn->repeat = 0xF2;
    if (decoded->attributes & (ZYDIS_ATTRIB_HAS_ADDRESSSIZE | ZYDIS_ATTRIB_HAS_SEGMENT))
        return HEARTH_INSN_UNSUPPORTED;
    return HEARTH_INSN_STRING;
}

static HearthInsnKind branch_kind(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                                  const ZydisDecodedOperand *operands, HearthInsnKind direct,
                                  HearthInsnKind indirect)
{
    if (decoded->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || decoded->operand_width != 64)
        return HEARTH_INSN_UNSUPPORTED;
    if (operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        insn->target = insn->pc + insn->length + (uint64_t)operands[0].imm.value.s;
        return direct;
    }
    insn->operand = HEARTH_NO_REGISTER;
    if (operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
        insn->operand = general(operands[0].reg.value);
    return indirect;
}

static HearthInsnKind conditional_kind(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                                       const ZydisDecodedOperand *operands)
{
    insn->target = insn->pc + insn->length + (uint64_t)operands[0].imm.value.s;
    if (decoded->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE)
        return HEARTH_INSN_UNSUPPORTED; /* processors differ: some cut the address to 16 bits */
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
        return HEARTH_INSN_LOOP;
    default:
        break;
    }
    /* The category also has what starts transactions, and branches of processors that never were. */
    bool narrow =
        decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (decoded->opcode & 0xF0) == 0x70;
    bool wide = decoded->opcode_map == ZYDIS_OPCODE_MAP_0F && (decoded->opcode & 0xF0) == 0x80;
    bool legacy = decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
    if (!legacy || !(narrow || wide))
        return HEARTH_INSN_UNSUPPORTED;
    insn->condition = decoded->opcode & 15;
    return HEARTH_INSN_JCC;
}

static HearthInsnKind kind_of(HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                              const ZydisDecodedOperand *operands)
{
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
        return branch_kind(insn, decoded, operands, HEARTH_INSN_CALL, HEARTH_INSN_CALL_REG);
    case ZYDIS_MNEMONIC_JMP:
        return branch_kind(insn, decoded, operands, HEARTH_INSN_JMP, HEARTH_INSN_JMP_REG);
    case ZYDIS_MNEMONIC_RET:
        if (decoded->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || decoded->operand_width != 64)
            return HEARTH_INSN_UNSUPPORTED;
        insn->immediate = decoded->operand_count_visible ? (uint16_t)operands[0].imm.value.u : 0;
        return insn->immediate % 8 ? HEARTH_INSN_UNSUPPORTED : HEARTH_INSN_RET;
    case ZYDIS_MNEMONIC_SYSCALL:
        return HEARTH_INSN_SYSCALL;
    case ZYDIS_MNEMONIC_CPUID:
        return HEARTH_INSN_CPUID;
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
        return HEARTH_INSN_RDTSC;
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED:
    case ZYDIS_MNEMONIC_RDPID:
        insn->operand = general(operands[0].reg.value);
        return operands[0].size < 32 || insn->operand == 4 ? HEARTH_INSN_UNSUPPORTED
                                                           : HEARTH_INSN_RANDOM;
    case ZYDIS_MNEMONIC_XGETBV:
        return HEARTH_INSN_XGETBV;
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_HLT:
        return HEARTH_INSN_TRAP;
    default:
        break;
    }
    switch (decoded->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        return conditional_kind(insn, decoded, operands);
    case ZYDIS_CATEGORY_STRINGOP:
        return string_kind(insn, decoded);
    default:
        return HEARTH_INSN_PLAIN;
    }
}

static bool is_segment_prefix(uint8_t byte)
{
    return byte == 0x64 || byte == 0x65 || byte == 0x26 || byte == 0x2E || byte == 0x36 ||
           byte == 0x3E;
}

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xF0 || byte == 0xF2 || byte == 0xF3 ||
           is_segment_prefix(byte);
}

/*
 * Prefixes that compilers do not write and that copies would have to be careful with: a second segment, of which
 * the last counts, and a REX that another prefix makes void.
 */
static bool bad_prefixes(const HearthInsn *insn)
{
    unsigned at = 0, segments = 0;
    bool thread = false;
    for (; at < insn->length && is_prefix(insn->bytes[at]); at++) {
        segments += is_segment_prefix(insn->bytes[at]);
        thread = thread || insn->bytes[at] == 0x64 || insn->bytes[at] == 0x65;
    }
    if (thread && segments > 1)
        return true;
    bool rex = at < insn->length && (insn->bytes[at] & 0xF0) == 0x40;
    uint8_t next = rex && at + 1u < insn->length ? insn->bytes[at + 1] : 0;
    return rex && (is_prefix(next) || (next & 0xF0) == 0x40);
}

/* Forms that the table cannot tell from good ones by the mnemonic alone. */
static bool bad_form(const HearthInsn *insn, const ZydisDecodedInstruction *decoded,
                     const ZydisDecodedOperand *operands)
{
    for (unsigned i = 0; i < decoded->operand_count; i++) {
        if (operands[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        ZydisRegisterClass of = ZydisRegisterGetClass(operands[i].reg.value);
        if (of == ZYDIS_REGCLASS_SEGMENT || of == ZYDIS_REGCLASS_CONTROL ||
            of == ZYDIS_REGCLASS_DEBUG || of == ZYDIS_REGCLASS_TEST || of == ZYDIS_REGCLASS_BOUND)
            return true;
    }
    /* What sets the stack pointer and stores elsewhere could be left by the gate before it is checked. */
    if (insn->sets_rsp && insn->has_memory && insn->memory.writes)
        return true;
    /* pop counts its address after the stack pointer has moved. */
    return decoded->mnemonic == ZYDIS_MNEMONIC_POP && insn->has_memory && insn->memory.base == 4;
}

static void locate_parts(HearthInsn *insn, const ZydisDecodedInstruction *decoded)
{
    if (decoded->attributes & ZYDIS_ATTRIB_HAS_MODRM)
        insn->modrm_at = decoded->raw.modrm.offset;
    if (decoded->raw.disp.size == 0)
        return;
    insn->disp_at = decoded->raw.disp.offset;
    insn->disp_size = decoded->raw.disp.size / 8;
}

void hearth_decode(uint64_t pc, const uint8_t *bytes, uint64_t available, HearthInsn *ret_insn)
{
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    HearthInsn *insn = ret_insn;
    *insn = (HearthInsn){.pc = pc, .kind = HEARTH_INSN_UNSUPPORTED};
    uint64_t length = available < sizeof insn->bytes ? available : sizeof insn->bytes;
    memcpy(insn->bytes, bytes, length);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, insn->bytes, length, &decoded, operands)))
        return;
    insn->length = decoded.length;
    bool known = decoded.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
                 decoded.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ||
                 decoded.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
    insn->mnemonic = (uint16_t)decoded.mnemonic;
    locate_parts(insn, &decoded);
    use_registers(insn, &decoded, operands);
    use_flags(insn, &decoded, operands);
    HearthInsnKind kind = kind_of(insn, &decoded, operands);
    bool table = kind == HEARTH_INSN_PLAIN || kind == HEARTH_INSN_STRING;
    if ((table && !hearth_instruction_allowed(insn->mnemonic)) || !known || bad_prefixes(insn))
        return;
    bool operand = kind == HEARTH_INSN_PLAIN || kind == HEARTH_INSN_TRAP ||
                   kind == HEARTH_INSN_JMP_REG || kind == HEARTH_INSN_CALL_REG;
    if (operand && (!take_memory(insn, &decoded, operands) || bad_form(insn, &decoded, operands)))
        return;
    insn->kind = kind;
}

/* --- Rebasing ---------------------------------------------------------------------------------- */

/* Copies legacy prefixes but for segments; how many of the instruction's were there. */
static unsigned copy_prefixes(const HearthInsn *insn, uint8_t *out, unsigned *used)
{
    unsigned at = 0;
    for (;; at++) {
        uint8_t byte = insn->bytes[at];
        if (byte == 0x66 || byte == 0xF2 || byte == 0xF3 || byte == 0xF0)
            out[(*used)++] = byte;
        else if (!is_segment_prefix(byte))
            return at;
    }
}

/* The bytes between prefixes and ModRM, with no extension of the memory operand; where they end in `out`. */
static unsigned copy_opcode(const HearthInsn *insn, unsigned at, uint8_t base, uint8_t *out,
                            unsigned used)
{
    unsigned start = used;
    uint8_t first = insn->bytes[at];
    if (first == 0xC5 && base >= 8) {
        /* Two bytes of VEX have no place for the extension: write three. */
        uint8_t second = insn->bytes[at + 1];
        out[used++] = 0xC4;
        out[used++] = (second & 0x80) | 0x40 | 0x01;
        out[used++] = second & 0x7F;
        at += 2;
    } else if ((first & 0xF0) == 0x40 || (first != 0xC4 && first != 0xC5 && first != 0x62)) {
        uint8_t rex = (first & 0xF0) == 0x40 ? first : 0;
        at += rex ? 1 : 0;
        rex = rex & ~3u;
        if (rex || base >= 8 || (first & 0xF0) == 0x40)
            out[used++] = 0x40 | rex | (base >= 8);
        start = used;
    }
    while (at < insn->modrm_at)
        out[used++] = insn->bytes[at++];
    if (first == 0xC4)
        out[start + 1] = (out[start + 1] & ~0x60u) | 0x40 | (base >= 8 ? 0 : 0x20);
    if (first == 0x62)
        out[start + 1] = (out[start + 1] & ~0x60u) | 0x40 | (base >= 8 ? 0 : 0x20);
    return used;
}

unsigned hearth_insn_rebase(const HearthInsn *insn, uint8_t base, uint8_t *out)
{
    unsigned used = 0;
    if (!insn->modrm_at || (base & 7) == 4 || (base & 7) == 5 || insn->memory.vector_index ||
        (insn->high_byte && base >= 8))
        return 0;
    unsigned at = copy_prefixes(insn, out, &used);
    used = copy_opcode(insn, at, base, out, used);
    uint8_t modrm = insn->bytes[insn->modrm_at];
    out[used++] = (modrm & 0x38) | (base & 7);
    unsigned tail = insn->modrm_at + 1u + ((modrm & 7) == 4) + insn->disp_size;
    while (tail < insn->length)
        out[used++] = insn->bytes[tail++];
    return used;
}
