#include "tests/unit/sprockets/engine/verifier-decode.h"

#include <capstone/capstone.h>
#include <string.h>

static csh handle;
static cs_insn *decoded; /* the last one; one thread */

static void open_once(void)
{
    static gsize once;
    if (!g_once_init_enter(&once))
        return;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
        g_error("capstone");
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    decoded = cs_malloc(handle);
    g_once_init_leave(&once, 1);
}

/* --- Bytes ------------------------------------------------------------------------------------- */

typedef struct {
    guint at;        /* after prefixes: REX, VEX, EVEX or opcode */
    guint8 segment;  /* the last of fs and gs */
    gboolean data16; /* 66 */
    gboolean addr32; /* 67 */
    guint8 repeat;
} Prefixes;

static Prefixes read_prefixes(const guint8 *bytes, gsize available)
{
    Prefixes prefixes = {0};
    for (; prefixes.at < available; prefixes.at++) {
        guint8 byte = bytes[prefixes.at];
        if (byte == 0x64 || byte == 0x65)
            prefixes.segment = byte;
        else if (byte == 0x66)
            prefixes.data16 = TRUE;
        else if (byte == 0x67)
            prefixes.addr32 = TRUE;
        else if (byte == 0xF2 || byte == 0xF3)
            prefixes.repeat = byte;
        else if (byte != 0xF0 && byte != 0x2E && byte != 0x36 && byte != 0x3E && byte != 0x26 &&
                 ((byte & 0xF0) != 0x40 || prefixes.at + 1 >= available))
            break;
        else if ((byte & 0xF0) == 0x40) {
            /* A REX that another prefix follows means nothing. */
            guint8 next = bytes[prefixes.at + 1];
            gboolean prefix = next == 0x64 || next == 0x65 || next == 0x66 || next == 0x67 ||
                              next == 0xF2 || next == 0xF3 || next == 0xF0 || next == 0x2E ||
                              next == 0x36 || next == 0x3E || next == 0x26 || (next & 0xF0) == 0x40;
            if (!prefix)
                break;
        }
    }
    return prefixes;
}

/* ModRM, SIB and displacement at `at`; where they end. 0: not enough bytes. */
static guint read_modrm(VerifierInsn *insn, const guint8 *bytes, gsize available, guint at,
                        guint8 x, guint8 b, gboolean evex)
{
    if (at + 6 > available && at + 1 > available)
        return 0;
    guint8 modrm = bytes[at++], mod = modrm >> 6, rm = modrm & 7;
    insn->base = insn->index = VERIFIER_NONE;
    insn->scale = 1;
    insn->disp = insn->slack = 0;
    insn->memory = mod != 3;
    if (mod == 3)
        return at;
    gboolean wide = mod == 2;
    insn->base = rm | b << 3;
    if (rm == 4) {
        guint8 sib = at < available ? bytes[at] : 0, index = (sib >> 3 & 7) | x << 3;
        at++;
        insn->index = index == 4 ? VERIFIER_NONE : index;
        insn->scale = index == 4 ? 1 : 1 << (sib >> 6);
        insn->base = (sib & 7) | b << 3;
        if ((sib & 7) == 5 && mod == 0) {
            insn->base = VERIFIER_NONE;
            wide = TRUE;
        }
    } else if (rm == 5 && mod == 0) {
        insn->base = VERIFIER_RIP;
        wide = TRUE;
    }
    if (at + (wide ? 4 : mod == 1) > available)
        return 0;
    if (wide) {
        gint32 value;
        memcpy(&value, bytes + at, sizeof value);
        insn->disp = value;
        at += 4;
    } else if (mod == 1) {
        insn->disp = bytes[at] < 128 ? bytes[at] : bytes[at] - 256;
        at++;
        insn->slack = evex ? 128 * 64 : 0;
    }
    return at;
}

/* --- VEX and EVEX ------------------------------------------------------------------------------ */

/* Opcodes that write to the operand of ModRM, where that is memory. */
static gboolean vector_stores(guint map, guint8 opcode, guint pp, gboolean evex)
{
    static const guint8 FIRST[] = {0x11, 0x13, 0x17, 0x29, 0x2B, 0x7E,
                                   0x7F, 0x91, 0xD6, 0xE7, 0xAE};
    static const guint8 THIRD[] = {0x14, 0x15, 0x16, 0x17, 0x19, 0x1B, 0x1D, 0x39, 0x3B};
    if (map == 1 && opcode == 0x7E && pp == 2)
        return FALSE; /* vmovq xmm, m64 */
    if (map == 1)
        return memchr(FIRST, opcode, sizeof FIRST) != NULL;
    if (map == 3)
        return memchr(THIRD, opcode, sizeof THIRD) != NULL;
    if (!evex)
        return opcode == 0x2E || opcode == 0x2F || opcode == 0x8E;
    gboolean narrows =
        pp == 2 && ((opcode >= 0x10 && opcode <= 0x15) || (opcode >= 0x20 && opcode <= 0x25) ||
                    (opcode >= 0x30 && opcode <= 0x35));
    return narrows || opcode == 0x8A || opcode == 0x8B || opcode == 0x63 ||
           (opcode >= 0xA0 && opcode <= 0xA3);
}

/* General registers that may be written. */
static guint32 vector_writes(guint map, guint8 opcode, guint8 reg, guint8 rm, guint8 vvvv,
                             gboolean registers, gboolean evex)
{
    static const guint8 TO_REG[] = {0x50, 0xD7, 0xC5, 0x2C, 0x2D, 0x93};
    if (map == 1 && memchr(TO_REG, opcode, sizeof TO_REG))
        return 1u << reg;
    if (map == 1 && evex && (opcode == 0x78 || opcode == 0x79))
        return 1u << reg;
    if (map == 1 && opcode == 0x7E && registers)
        return 1u << rm;
    if (map == 3 && opcode >= 0x14 && opcode <= 0x17 && registers)
        return 1u << rm;
    if (!evex && map == 2 && opcode >= 0xF2 && opcode <= 0xF7)
        return opcode == 0xF3 ? 1u << vvvv : opcode == 0xF6 ? 1u << reg | 1u << vvvv : 1u << reg;
    if (!evex && map == 3 && opcode == 0xF0)
        return 1u << reg;
    return 0;
}

static void decode_vector(VerifierInsn *insn, const guint8 *bytes, gsize available, guint at)
{
    static const guint8 IMMEDIATE[] = {0x70, 0x71, 0x72, 0x73, 0xC2, 0xC4, 0xC5, 0xC6};
    gboolean evex = bytes[at] == 0x62;
    guint8 r = 0, x = 0, b = 0, vvvv, pp;
    guint map = 1;
    if (bytes[at] == 0xC5) {
        r = !(bytes[at + 1] & 0x80);
        vvvv = ~bytes[at + 1] >> 3 & 15;
        pp = bytes[at + 1] & 3;
        at += 2;
    } else {
        r = !(bytes[at + 1] & 0x80);
        x = !(bytes[at + 1] & 0x40);
        b = !(bytes[at + 1] & 0x20);
        map = bytes[at + 1] & (evex ? 0x0F : 0x1F);
        vvvv = ~bytes[at + 2] >> 3 & 15;
        pp = bytes[at + 2] & 3;
        at += evex ? 4 : 3;
    }
    guint8 opcode = bytes[at++];
    if (evex && !(bytes[at - 3] & 4)) {
        /* MVEX of another processor; in those to come an index of another meaning. */
        insn->length = at;
        insn->kind = VERIFIER_DENIED;
        return;
    }
    if (map < 1 || map > 3)
        return;
    if (map == 1 && opcode == 0x77 && !evex) {
        insn->length = at;
        insn->kind = VERIFIER_PLAIN;
        return;
    }
    guint8 modrm = at < available ? bytes[at] : 0;
    guint end = read_modrm(insn, bytes, available, at, x, b, evex);
    if (end == 0)
        return;
    end += map == 3 || (map == 1 && memchr(IMMEDIATE, opcode, sizeof IMMEDIATE));
    insn->length = end;
    insn->kind = VERIFIER_PLAIN;
    insn->stores = insn->memory && vector_stores(map, opcode, pp, evex);
    if (map == 1 && opcode == 0xAE) /* vldmxcsr, vstmxcsr */
        insn->stores = (modrm >> 3 & 7) == 3;
    if (map == 1 && opcode == 0xF7) /* vmaskmovdqu */
        insn->kind = VERIFIER_DENIED;
    insn->writes = vector_writes(map, opcode, (modrm >> 3 & 7) | r << 3, (modrm & 7) | b << 3, vvvv,
                                 modrm >> 6 == 3, evex);
    /* Compressed displacements, and indices that are vectors. */
    gboolean vsib =
        map == 2 && ((opcode >= 0x90 && opcode <= 0x93) || (opcode >= 0xA0 && opcode <= 0xA3));
    if (vsib && insn->stores)
        insn->kind = VERIFIER_DENIED;
}

/* --- All else ---------------------------------------------------------------------------------- */

static guint8 number_of(x86_reg reg)
{
    static const char *const NAMES[16][4] = {
        {"rax", "eax", "ax", "al"},      {"rcx", "ecx", "cx", "cl"},
        {"rdx", "edx", "dx", "dl"},      {"rbx", "ebx", "bx", "bl"},
        {"rsp", "esp", "sp", "spl"},     {"rbp", "ebp", "bp", "bpl"},
        {"rsi", "esi", "si", "sil"},     {"rdi", "edi", "di", "dil"},
        {"r8", "r8d", "r8w", "r8b"},     {"r9", "r9d", "r9w", "r9b"},
        {"r10", "r10d", "r10w", "r10b"}, {"r11", "r11d", "r11w", "r11b"},
        {"r12", "r12d", "r12w", "r12b"}, {"r13", "r13d", "r13w", "r13b"},
        {"r14", "r14d", "r14w", "r14b"}, {"r15", "r15d", "r15w", "r15b"}};
    static guint8 numbers[X86_REG_ENDING];
    static gboolean known;
    for (guint i = 0; !known && i < X86_REG_ENDING; i++) {
        const char *name = cs_reg_name(handle, i);
        numbers[i] = VERIFIER_NONE;
        for (guint k = 0; name && k < 64; k++)
            if (g_str_equal(name, NAMES[k / 4][k % 4]))
                numbers[i] = (guint8)(k / 4);
        if (name && strlen(name) == 2 && name[1] == 'h' && strchr("acdb", name[0]))
            numbers[i] = (guint8)(strchr("acdb", name[0]) - "acdb");
    }
    known = TRUE;
    return numbers[reg];
}

static gboolean is_hint(guint id)
{
    switch (id) {
    case X86_INS_PREFETCH:
    case X86_INS_PREFETCHNTA:
    case X86_INS_PREFETCHT0:
    case X86_INS_PREFETCHT1:
    case X86_INS_PREFETCHT2:
    case X86_INS_PREFETCHW:
    case X86_INS_NOP:
        return TRUE;
    default:
        return FALSE;
    }
}

/* The first operand is read only. */
static gboolean only_reads_first(guint id)
{
    switch (id) {
    case X86_INS_CMP:
    case X86_INS_TEST:
    case X86_INS_BT:
    case X86_INS_PUSH:
    case X86_INS_NOP:
    case X86_INS_MUL:
    case X86_INS_DIV:
    case X86_INS_IDIV:
    case X86_INS_IMUL:
    case X86_INS_PREFETCH:
    case X86_INS_PREFETCHNTA:
    case X86_INS_PREFETCHT0:
    case X86_INS_PREFETCHT1:
    case X86_INS_PREFETCHT2:
    case X86_INS_PREFETCHW:
    case X86_INS_CLFLUSH:
    case X86_INS_CLFLUSHOPT:
    case X86_INS_CLWB:
    case X86_INS_LDMXCSR:
    case X86_INS_FXRSTOR:
    case X86_INS_FXRSTOR64:
    case X86_INS_XRSTOR:
    case X86_INS_XRSTOR64:
    case X86_INS_FRSTOR:
    case X86_INS_FLDENV:
    case X86_INS_FLDCW:
    case X86_INS_FLD:
    case X86_INS_FILD:
    case X86_INS_FBLD:
    case X86_INS_FADD:
    case X86_INS_FIADD:
    case X86_INS_FSUB:
    case X86_INS_FISUB:
    case X86_INS_FSUBR:
    case X86_INS_FISUBR:
    case X86_INS_FMUL:
    case X86_INS_FIMUL:
    case X86_INS_FDIV:
    case X86_INS_FIDIV:
    case X86_INS_FDIVR:
    case X86_INS_FIDIVR:
    case X86_INS_FCOM:
    case X86_INS_FCOMP:
    case X86_INS_FICOM:
    case X86_INS_FICOMP:
    case X86_INS_JMP:
    case X86_INS_CALL:
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean is_denied(const cs_insn *insn)
{
    switch (insn->id) {
    case X86_INS_SYSCALL:
    case X86_INS_SYSENTER:
    case X86_INS_SYSEXIT:
    case X86_INS_SYSRET:
    case X86_INS_INT:
    case X86_INS_INTO:
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_LJMP:
    case X86_INS_LCALL:
    case X86_INS_CPUID:
    case X86_INS_RDTSC:
    case X86_INS_RDTSCP:
    case X86_INS_RDRAND:
    case X86_INS_RDSEED:
    case X86_INS_RDPMC:
    case X86_INS_WRFSBASE:
    case X86_INS_WRGSBASE:
    case X86_INS_RDFSBASE:
    case X86_INS_RDGSBASE:
    case X86_INS_SWAPGS:
    case X86_INS_XRSTORS:
    case X86_INS_XRSTORS64:
    case X86_INS_XSAVES:
    case X86_INS_XSAVES64:
    case X86_INS_IN:
    case X86_INS_OUT:
    case X86_INS_INSB:
    case X86_INS_INSW:
    case X86_INS_INSD:
    case X86_INS_OUTSB:
    case X86_INS_OUTSW:
    case X86_INS_OUTSD:
    case X86_INS_ENTER:
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
    case X86_INS_MASKMOVDQU:
    case X86_INS_MASKMOVQ:
    case X86_INS_VMASKMOVDQU:
    case X86_INS_XBEGIN:
    case X86_INS_XABORT:
    case X86_INS_XEND:
    case X86_INS_MONITOR:
    case X86_INS_MWAIT:
    case X86_INS_LFS:
    case X86_INS_LGS:
    case X86_INS_LSS:
    case X86_INS_LGDT:
    case X86_INS_LIDT:
    case X86_INS_LLDT:
    case X86_INS_LTR:
    case X86_INS_SGDT:
    case X86_INS_SIDT:
    case X86_INS_SLDT:
    case X86_INS_STR:
    case X86_INS_SMSW:
    case X86_INS_LMSW:
    case X86_INS_CLTS:
    case X86_INS_CLI:
    case X86_INS_STI:
    case X86_INS_STAC:
    case X86_INS_CLAC:
    case X86_INS_INVD:
    case X86_INS_WBINVD:
    case X86_INS_INVLPG:
    case X86_INS_RDMSR:
    case X86_INS_WRMSR:
    case X86_INS_XSETBV:
    case X86_INS_MONTMUL:
    case X86_INS_XSTORE:
    case X86_INS_XLATB:
        return TRUE;
    default:
        return FALSE;
    }
}

static void take_registers(VerifierInsn *insn, const cs_insn *from)
{
    cs_regs read, written;
    uint8_t reads, writes;
    const cs_x86 *x86 = &from->detail->x86;
    if (cs_regs_access(handle, from, read, &reads, written, &writes) == CS_ERR_OK)
        for (guint i = 0; i < writes; i++)
            if (number_of(written[i]) != VERIFIER_NONE)
                insn->writes |= 1u << number_of(written[i]);
    /* What comes first is written, whatever Capstone says; exchanges write both. */
    for (guint i = 0; i < x86->op_count; i++) {
        gboolean both = from->id == X86_INS_XCHG || from->id == X86_INS_XADD;
        if (x86->operands[i].type == X86_OP_REG &&
            (both || (i == 0 && !only_reads_first(from->id))) &&
            number_of(x86->operands[i].reg) != VERIFIER_NONE)
            insn->writes |= 1u << number_of(x86->operands[i].reg);
        x86_reg reg = x86->operands[i].type == X86_OP_REG ? x86->operands[i].reg : X86_REG_INVALID;
        if (reg == X86_REG_FS || reg == X86_REG_GS || reg == X86_REG_SS || reg == X86_REG_DS ||
            reg == X86_REG_ES || reg == X86_REG_CS || (reg >= X86_REG_CR0 && reg <= X86_REG_DR15))
            insn->kind = VERIFIER_DENIED;
    }
}

static void take_memory(VerifierInsn *insn, const cs_insn *from, const Prefixes *prefixes)
{
    const cs_x86 *x86 = &from->detail->x86;
    for (guint i = 0; i < x86->op_count; i++) {
        if (x86->operands[i].type != X86_OP_MEM)
            continue;
        /* Again from the bytes: ModRM is where Capstone says it is. */
        guint8 first = insn->bytes[prefixes->at], at = x86->encoding.modrm_offset;
        guint8 rex = (first & 0xF0) == 0x40 ? first : 0;
        gboolean string = at == 0 && x86->operands[i].mem.base != X86_REG_INVALID;
        insn->memory = from->id != X86_INS_LEA && from->id != X86_INS_NOP && !string;
        insn->stores = i == 0 && insn->memory && !only_reads_first(from->id);
        if (at == 0) { /* moffs: no register in it */
            insn->base = insn->index = VERIFIER_NONE;
            insn->disp = x86->operands[i].mem.disp;
            continue;
        }
        gboolean access = insn->memory;
        read_modrm(insn, insn->bytes, from->size, at, rex >> 1 & 1, rex & 1, FALSE);
        insn->memory = access;
        if (insn->base == VERIFIER_RIP)
            insn->disp += (gint64)(insn->address + from->size);
    }
}

static VerifierKind kind_of(const cs_insn *from)
{
    const cs_x86_op *first = &from->detail->x86.operands[0];
    gboolean direct = from->detail->x86.op_count && first->type == X86_OP_IMM;
    switch (from->id) {
    case X86_INS_PUSH:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFQ:
    case X86_INS_PUSHFD:
        return VERIFIER_PUSH;
    case X86_INS_POP:
        return VERIFIER_POP;
    case X86_INS_JMP:
        return direct                      ? VERIFIER_JMP
               : first->type == X86_OP_MEM ? VERIFIER_JMP_MEMORY
                                           : VERIFIER_DENIED;
    case X86_INS_CALL:
        return direct ? VERIFIER_CALL : VERIFIER_DENIED;
    case X86_INS_RET:
        return from->detail->x86.op_count ? VERIFIER_DENIED : VERIFIER_RET;
    case X86_INS_INT3:
    case X86_INS_INT1:
    case X86_INS_HLT:
    case X86_INS_UD2:
    case X86_INS_UD2B:
        return VERIFIER_TRAP;
    case X86_INS_STOSB:
    case X86_INS_STOSW:
    case X86_INS_STOSD:
    case X86_INS_STOSQ:
    case X86_INS_MOVSB:
    case X86_INS_MOVSW:
    case X86_INS_MOVSQ:
        return VERIFIER_STRING_STORE;
    case X86_INS_LODSB:
    case X86_INS_LODSW:
    case X86_INS_LODSD:
    case X86_INS_LODSQ:
    case X86_INS_SCASB:
    case X86_INS_SCASW:
    case X86_INS_SCASD:
    case X86_INS_SCASQ:
    case X86_INS_CMPSB:
    case X86_INS_CMPSW:
    case X86_INS_CMPSQ:
        return VERIFIER_STRING_LOAD;
    case X86_INS_CMPSD: /* also the name of a comparison of doubles */
        return from->detail->x86.opcode[0] == 0xA7 ? VERIFIER_STRING_LOAD : VERIFIER_PLAIN;
    case X86_INS_MOVSD: /* also the name of a move of a double */
        return from->detail->x86.opcode[0] == 0xA5 ? VERIFIER_STRING_STORE : VERIFIER_PLAIN;
    default:
        break;
    }
    if (cs_insn_group(handle, from, X86_GRP_JUMP))
        return VERIFIER_JCC;
    return is_denied(from) ? VERIFIER_DENIED : VERIFIER_PLAIN;
}

/* What Capstone 4.0.2 cannot read, of loads and register forms alone. */
static void decode_unknown(VerifierInsn *insn, const guint8 *bytes, gsize available,
                           const Prefixes *prefixes)
{
    guint at = prefixes->at;
    guint8 rex = (bytes[at] & 0xF0) == 0x40 ? bytes[at++] : 0;
    if (bytes[at++] != 0x0F)
        return;
    guint8 map = bytes[at], opcode = bytes[at + 1], first = bytes[at];
    gboolean second = map == 0x38 && (opcode == 0xCF || (opcode >= 0xC8 && opcode <= 0xCD));
    gboolean third = map == 0x3A && (opcode == 0xCC || opcode == 0xCE || opcode == 0xCF);
    if (first == 0x1E || first == 0x0D || (first >= 0x18 && first <= 0x1F)) {
        /* Hints that do nothing, endbr64 and rdsspq among them. */
        guint end = read_modrm(insn, bytes, available, at + 1, rex >> 1 & 1, rex & 1, FALSE);
        insn->memory = FALSE;
        insn->hint = TRUE;
        insn->length = end;
        insn->kind = end ? VERIFIER_PLAIN : VERIFIER_BAD;
        insn->writes = first == 0x1E ? 1u << ((bytes[at + 1] & 7) | (rex & 1) << 3) : 0;
        if (bytes[at + 1] >= 0xF8)
            insn->writes = 0; /* endbr */
        return;
    }
    if (first == 0xAE && bytes[at + 1] >= 0xE8) { /* fences: the last bits mean nothing */
        insn->length = at + 2;
        insn->kind = VERIFIER_PLAIN;
        return;
    }
    if (first == 0xAE && prefixes->data16 && (bytes[at + 1] >> 6) != 3 &&
        (bytes[at + 1] >> 3 & 7) >= 6) { /* clwb, clflushopt */
        insn->length = read_modrm(insn, bytes, available, at + 1, rex >> 1 & 1, rex & 1, FALSE);
        insn->kind = insn->length ? VERIFIER_PLAIN : VERIFIER_BAD;
        return;
    }
    if (!second && !third)
        return;
    guint end = read_modrm(insn, bytes, available, at + 2, rex >> 1 & 1, rex & 1, FALSE);
    insn->length = end ? end + third : 0;
    insn->kind = end ? VERIFIER_PLAIN : VERIFIER_BAD;
}

static void decode_legacy(VerifierInsn *insn, const guint8 *bytes, gsize available,
                          const Prefixes *prefixes)
{
    guint opcode_at = prefixes->at + ((bytes[prefixes->at] & 0xF0) == 0x40);
    if (opcode_at + 1 < available && bytes[opcode_at] == 0x0F &&
        (bytes[opcode_at + 1] == 0xFF || bytes[opcode_at + 1] == 0xB9)) {
        /* ud0 and ud1: how long they are does not matter to anybody. */
        insn->length = opcode_at + 2;
        insn->kind = VERIFIER_TRAP;
        return;
    }
    const uint8_t *at = bytes;
    size_t left = available;
    uint64_t address = insn->address;
    if (!cs_disasm_iter(handle, &at, &left, &address, decoded)) {
        decode_unknown(insn, bytes, available, prefixes);
        return;
    }
    insn->length = (guint8)decoded->size;
    insn->kind = kind_of(decoded);
    take_registers(insn, decoded);
    take_memory(insn, decoded, prefixes);
    if (decoded->id == X86_INS_CMP || decoded->id == X86_INS_TEST)
        insn->writes = 0; /* Capstone 4.0.2 knows better of some forms */
    insn->hint = is_hint(decoded->id);
    insn->target =
        decoded->detail->x86.op_count ? (guint64)decoded->detail->x86.operands[0].imm : 0;
    insn->odd = prefixes->data16 && !((insn->bytes[prefixes->at] & 0xF8) == 0x48);
    guint8 opcode = decoded->detail->x86.opcode[0];
    /* What is at rdi has no segment that could be chosen. */
    if ((opcode & 0xFE) == 0xAA || (opcode & 0xFE) == 0xAE)
        insn->segment = insn->kind == VERIFIER_PLAIN ? insn->segment : 0;
}

void verifier_decode(const guint8 *bytes, gsize available, guint64 address, VerifierInsn *ret_insn)
{
    open_once();
    guint8 padded[32] = {0};
    gsize size = MIN(available, 15);
    *ret_insn = (VerifierInsn){.address = address,
                               .bytes = bytes,
                               .kind = VERIFIER_BAD,
                               .base = VERIFIER_NONE,
                               .index = VERIFIER_NONE,
                               .scale = 1};
    memcpy(padded, bytes, size);
    Prefixes prefixes = read_prefixes(padded, size);
    ret_insn->segment = prefixes.segment;
    ret_insn->short_address = prefixes.addr32;
    guint8 first = padded[prefixes.at];
    if (first == 0xC4 || first == 0xC5 || first == 0x62) {
        decode_vector(ret_insn, padded, size, prefixes.at);
        if (ret_insn->base == VERIFIER_RIP)
            ret_insn->disp += (gint64)(address + ret_insn->length);
    } else {
        decode_legacy(ret_insn, bytes, size, &prefixes);
    }
    if (ret_insn->length == 0 || ret_insn->length > available)
        ret_insn->kind = VERIFIER_BAD;
    gboolean moves = ret_insn->kind == VERIFIER_PUSH || ret_insn->kind == VERIFIER_POP ||
                     ret_insn->kind == VERIFIER_CALL || ret_insn->kind == VERIFIER_RET;
    gboolean pops_rsp = ret_insn->kind == VERIFIER_POP &&
                        ret_insn->bytes[ret_insn->length - 1] == 0x5C &&
                        ret_insn->length <= 2 + (gint)prefixes.at &&
                        !(ret_insn->length > 1 && (bytes[ret_insn->length - 2] & 0xF1) == 0x41);
    ret_insn->sets_rsp = (ret_insn->writes >> VERIFIER_RSP & 1 && !moves) || pops_rsp;
}

char *verifier_text(const VerifierInsn *insn)
{
    GString *text = g_string_new(NULL);
    cs_insn *read = NULL;
    guint shown = insn->kind == VERIFIER_BAD ? 11 : MAX(insn->length, 1u);
    for (guint i = 0; i < shown; i++)
        g_string_append_printf(text, "%02x ", insn->bytes[i]);
    open_once();
    if (cs_disasm(handle, insn->bytes, MAX(insn->length, 1), insn->address, 1, &read) == 1)
        g_string_append_printf(text, " %s %s", read->mnemonic, read->op_str);
    if (read)
        cs_free(read, 1);
    return g_string_free(text, FALSE);
}
