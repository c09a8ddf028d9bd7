#include "tests/unit/sprockets/engine/insn-forms.h"

#include <string.h>

#define TRIES 48 /* draws of an instance before we give up */

static ZydisDecoder decoder;

/* What is drawn for an instance. */
typedef struct {
    guint8 reg, rm, vvvv, mask;     /* register numbers, up to 31 */
    guint8 mod, base, index, scale; /* of a memory operand; index 4: none; base 16: rip */
    bool sib;
    gint32 disp;
    guint8 extra; /* a prefix that changes nothing; 0: none */
    guint8 immediate[8];
} Fields;

/* --- Writing bytes ----------------------------------------------------------------------------- */

static guint put_legacy(const HearthForm *form, const Fields *fields, guint rm, guint x,
                        guint8 *out)
{
    static const guint8 ESCAPES[4][2] = {{0}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};
    guint used = 0;
    guint8 rex =
        (guint8)(form->wide << 3 | (fields->reg >> 3 & 1) << 2 | (x >> 3 & 1) << 1 | (rm >> 3 & 1));
    if (form->lock)
        out[used++] = 0xF0;
    if (fields->extra)
        out[used++] = fields->extra;
    if (form->operand_size)
        out[used++] = 0x66;
    if (form->prefix)
        out[used++] = form->prefix;
    if (rex || (fields->immediate[7] & 7) == 0)
        out[used++] = 0x40 | rex;
    for (guint i = 0; i < 2 && ESCAPES[form->map][i]; i++)
        out[used++] = ESCAPES[form->map][i];
    out[used++] = form->opcode;
    return used;
}

static guint put_vex(const HearthForm *form, const Fields *fields, guint rm, guint x, guint8 *out)
{
    guint used = 0;
    guint r = fields->reg >> 3 & 1, b = rm >> 3 & 1, x3 = x >> 3 & 1;
    guint8 last = (guint8)((~fields->vvvv & 15) << 3 | form->length << 2 | form->prefix);
    if (fields->extra)
        out[used++] = fields->extra;
    if (form->map == 1 && !form->wide && !b && !x3 && (fields->immediate[7] & 3)) {
        out[used++] = 0xC5;
        out[used++] = (guint8)(!r << 7 | last);
    } else {
        out[used++] = 0xC4;
        out[used++] = (guint8)(!r << 7 | !x3 << 6 | !b << 5 | form->map);
        out[used++] = (guint8)(form->wide << 7 | last);
    }
    out[used++] = form->opcode;
    return used;
}

static guint put_evex(const HearthForm *form, const Fields *fields, guint rm, guint x, guint8 *out)
{
    guint used = 0;
    guint r = fields->reg >> 3 & 1, r4 = fields->reg >> 4 & 1, b = rm >> 3 & 1;
    guint x3 = form->memory ? x >> 3 & 1 : rm >> 4 & 1;
    guint v4 = form->vsib ? x >> 4 & 1 : fields->vvvv >> 4 & 1;
    if (fields->extra)
        out[used++] = fields->extra;
    out[used++] = 0x62;
    out[used++] = (guint8)(!r << 7 | !x3 << 6 | !b << 5 | !r4 << 4 | form->map);
    out[used++] = (guint8)(form->wide << 7 | (~fields->vvvv & 15) << 3 | 4 | form->prefix);
    out[used++] = (guint8)((form->mask == 2) << 7 | form->length << 5 | form->broadcast << 4 |
                           !v4 << 3 | (form->mask ? fields->mask & 7 : 0));
    out[used++] = form->opcode;
    return used;
}

static guint put_address(const Fields *fields, guint8 *out)
{
    guint used = 0;
    guint8 reg = (guint8)((fields->reg & 7) << 3);
    gint32 disp = fields->disp;
    if (fields->base == 16) {
        out[used++] = reg | 5;
        memcpy(out + used, &disp, 4);
        return used + 4;
    }
    guint8 mod = fields->mod == 0 && (fields->base & 7) == 5 ? 1 : fields->mod;
    bool sib = fields->sib || (fields->base & 7) == 4;
    out[used++] = (guint8)(mod << 6) | reg | (sib ? 4 : (fields->base & 7));
    if (sib)
        out[used++] = (guint8)(fields->scale << 6 | (fields->index & 7) << 3 | (fields->base & 7));
    if (mod == 1)
        out[used++] = (guint8)disp;
    if (mod == 2)
        memcpy(out + used, &disp, 4);
    return used + (mod == 2 ? 4 : 0);
}

/* The bytes of `form` with these fields; more than it needs: the decoder says where it ends. */
static guint assemble(const HearthForm *form, const Fields *fields, guint8 *out)
{
    guint rm = form->memory ? (fields->base == 16 ? 0 : fields->base) : fields->rm;
    guint x = form->memory && fields->sib && fields->base != 16 ? fields->index : 0;
    guint used;
    switch (form->encoding) {
    case HEARTH_FORM_LEGACY:
        used = put_legacy(form, fields, rm, x, out);
        break;
    case HEARTH_FORM_VEX:
        used = put_vex(form, fields, rm, x, out);
        break;
    default:
        used = put_evex(form, fields, rm, x, out);
        break;
    }
    if (form->has_modrm && form->memory)
        used += put_address(fields, out + used);
    else if (form->has_modrm)
        out[used++] = (guint8)(0xC0 | (fields->reg & 7) << 3 | (fields->rm & 7));
    memcpy(out + used, fields->immediate, sizeof fields->immediate);
    return used + sizeof fields->immediate;
}

/* --- What a form is ---------------------------------------------------------------------------- */

static guint64 mix(guint64 hash, guint64 value)
{
    return (hash ^ value) * 0x100000001B3u;
}

static guint64 key_of(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands)
{
    const guint64 attributes = ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_REP |
                               ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE |
                               ZYDIS_ATTRIB_HAS_EVEX_B;
    guint64 hash = mix(0xCBF29CE484222325u, decoded->mnemonic);
    hash = mix(hash, decoded->encoding << 16 | decoded->opcode_map << 8 | decoded->opcode);
    hash = mix(hash, decoded->attributes & attributes);
    hash = mix(hash, decoded->avx.mask.mode);
    hash = mix(hash, decoded->avx.vector_length);
    for (guint i = 0; i < decoded->operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        hash = mix(hash, operand->type << 16 | operand->size);
        if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
            hash = mix(hash, ZydisRegisterGetClass(operand->reg.value));
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
            hash = mix(hash, operand->mem.type);
    }
    return hash;
}

static bool is_system(ZydisRegister reg)
{
    ZydisRegisterClass of = ZydisRegisterGetClass(reg);
    return of == ZYDIS_REGCLASS_SEGMENT || of == ZYDIS_REGCLASS_CONTROL ||
           of == ZYDIS_REGCLASS_DEBUG || of == ZYDIS_REGCLASS_TEST;
}

static bool is_bit_test(ZydisMnemonic mnemonic)
{
    return mnemonic == ZYDIS_MNEMONIC_BT || mnemonic == ZYDIS_MNEMONIC_BTS ||
           mnemonic == ZYDIS_MNEMONIC_BTR || mnemonic == ZYDIS_MNEMONIC_BTC;
}

static void describe(HearthForm *form, const ZydisDecodedInstruction *decoded,
                     const ZydisDecodedOperand *operands)
{
    form->mnemonic = decoded->mnemonic;
    form->key = key_of(decoded, operands);
    form->has_modrm = decoded->attributes & ZYDIS_ATTRIB_HAS_MODRM;
    form->string = decoded->meta.category == ZYDIS_CATEGORY_STRINGOP;
    for (guint i = 0; i < decoded->operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER && is_system(operand->reg.value))
            form->refused = true;
        if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        if (operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
            form->stack = form->stack || operand->mem.base == ZYDIS_REGISTER_RSP ||
                          operand->mem.base == ZYDIS_REGISTER_RBP;
            /* The stack pointer stays a multiple of 8. */
            form->refused = form->refused || (form->stack && operand->size % 64 != 0);
            continue;
        }
        form->memory = form->has_modrm;
        form->access = operand->mem.type != ZYDIS_MEMOP_TYPE_AGEN && operand->actions != 0;
        form->vsib = operand->mem.type == ZYDIS_MEMOP_TYPE_VSIB;
        form->refused = form->refused || (!form->has_modrm && !form->string) ||
                        (is_bit_test(form->mnemonic) && i == 0 &&
                         operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER);
    }
}

/* --- The walk ---------------------------------------------------------------------------------- */

typedef struct {
    GArray *forms;
    GHashTable *seen; /* keys */
    bool (*allowed)(guint16 mnemonic);
} Walk;

static void visit(Walk *walk, const HearthForm *candidate)
{
    static const guint8 SIB_INDEX = 1; /* so that gathers have one */
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    HearthForm form = *candidate;
    Fields fields = {.reg = form.reg,
                     .rm = form.rm,
                     .mask = 1,
                     .base = 3,
                     .index = SIB_INDEX,
                     .sib = true,
                     .immediate = {[7] = 1}};
    guint8 bytes[32];
    form.has_modrm = true;
    assemble(&form, &fields, bytes);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, 15, &decoded)) ||
        !walk->allowed((guint16)decoded.mnemonic) ||
        decoded.meta.category == ZYDIS_CATEGORY_COND_BR)
        return;
    ZydisDecoderDecodeFull(&decoder, bytes, 15, &decoded, operands);
    form.memory = false;
    describe(&form, &decoded, operands);
    if (candidate->memory != form.memory && form.has_modrm)
        return;
    if (!g_hash_table_add(walk->seen, g_memdup2(&form.key, sizeof form.key)))
        return;
    g_array_append_val(walk->forms, form);
}

/* ModRM: all extensions with a memory operand, and all of registers where those are opcodes too. */
static void visit_modrm(Walk *walk, HearthForm *form, bool extensions, bool registers)
{
    for (guint reg = 0; reg < (extensions ? 8 : 1); reg++) {
        form->reg = (guint8)(extensions ? reg : 2);
        form->memory = true;
        visit(walk, form);
        form->memory = false;
        for (guint rm = 0; rm < (registers ? 8 : 1); rm++) {
            form->rm = (guint8)(registers ? rm : 2);
            visit(walk, form);
        }
    }
}

static void walk_legacy(Walk *walk)
{
    static const guint8 PREFIXES[] = {0, 0xF2, 0xF3};
    for (guint n = 0; n < 2 * 2 * 2 * 3; n++) {
        HearthForm form = {.encoding = HEARTH_FORM_LEGACY,
                           .operand_size = n & 1,
                           .wide = n >> 1 & 1,
                           .lock = n >> 2 & 1,
                           .prefix = PREFIXES[n >> 3]};
        for (guint at = 0; at < 4 * 256; at++) {
            form.map = (guint8)(at >> 8);
            form.opcode = (guint8)at;
            bool prefix = form.map == 0 &&
                          ((at & 0xF0) == 0x40 || at == 0x62 || at == 0xC4 || at == 0xC5 ||
                           (at & 0xFC) == 0x64 || at == 0xF0 || at == 0xF2 || at == 0xF3 ||
                           at == 0x26 || at == 0x2E || at == 0x36 || at == 0x3E || at == 0x0F);
            if (!prefix && !(form.map == 1 && (at == 0x138 || at == 0x13A || at == 0x10F)))
                visit_modrm(walk, &form, true, true);
        }
    }
}

static void walk_vex(Walk *walk, HearthFormEncoding encoding)
{
    bool evex = encoding == HEARTH_FORM_EVEX;
    guint lengths = evex ? 3 : 2, masks = evex ? 3 : 1, broadcasts = evex ? 2 : 1;
    for (guint n = 0; n < 4 * 2 * lengths * masks * broadcasts; n++) {
        guint rest = n >> 3;
        HearthForm form = {.encoding = encoding,
                           .prefix = n & 3,
                           .wide = n >> 2 & 1,
                           .length = (guint8)(rest % lengths),
                           .mask = (guint8)(rest / lengths % masks),
                           .broadcast = rest / lengths / masks};
        for (guint at = 256; at < 4 * 256; at++) {
            form.map = (guint8)(at >> 8);
            form.opcode = (guint8)at;
            bool extensions = (at & 0xFC) == 0x70 || (at >= 0x171 && at <= 0x173) || at == 0x1AE ||
                              at == 0x2F3 || at == 0x2C6 || at == 0x2C7;
            visit_modrm(walk, &form, extensions, false);
        }
    }
}

GArray *hearth_forms_new(bool (*allowed)(guint16 mnemonic))
{
    Walk walk = {.forms = g_array_new(FALSE, TRUE, sizeof(HearthForm)),
                 .seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
                 .allowed = allowed};
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    walk_legacy(&walk);
    walk_vex(&walk, HEARTH_FORM_VEX);
    walk_vex(&walk, HEARTH_FORM_EVEX);
    g_hash_table_unref(walk.seen);
    return walk.forms;
}

/* --- Instances --------------------------------------------------------------------------------- */

static guint draw(GRand *rand, guint bound)
{
    return (guint)g_rand_int_range(rand, 0, (gint32)bound);
}

static void draw_address(const HearthForm *form, HearthAddress address, GRand *rand, Fields *fields)
{
    static const gint32 STACK_DISPS[] = {0, 8, 16, 32, 64, 96};
    fields->mod = (guint8)draw(rand, 3);
    fields->base = (guint8)draw(rand, 16);
    fields->index = (guint8)draw(rand, form->encoding == HEARTH_FORM_EVEX && form->vsib ? 32 : 16);
    fields->scale = (guint8)draw(rand, 4);
    fields->sib = form->vsib || draw(rand, 3) == 0;
    fields->disp =
        fields->mod == 1 ? (gint8)g_rand_int(rand) : (gint32)(g_rand_int(rand) & 0xFFFFFF);
    if (address == HEARTH_ADDRESS_STACK) {
        fields->base = 4;
        fields->sib = true;
        fields->index = form->vsib ? fields->index : draw(rand, 2) ? 4 : (guint8)draw(rand, 16);
        fields->disp = STACK_DISPS[draw(rand, G_N_ELEMENTS(STACK_DISPS))];
        if (form->encoding == HEARTH_FORM_EVEX && fields->mod == 1)
            fields->disp = (gint32)draw(rand, 3);
    }
    if (address == HEARTH_ADDRESS_RIP)
        fields->base = 16;
}

/* Everything new; some of it kept as the form was found, which always decodes. */
static Fields draw_fields(const HearthForm *form, HearthAddress address, GRand *rand, guint attempt)
{
    static const guint8 EXTRA[] = {0x3E, 0x2E, 0x26, 0x36};
    guint registers = form->encoding == HEARTH_FORM_EVEX ? 32 : 16;
    Fields fields = {.reg = form->reg, .rm = form->rm, .mask = 1};
    if (attempt < TRIES / 2 || draw(rand, 2))
        fields.reg = (guint8)draw(rand, registers);
    if (attempt < TRIES / 2 || draw(rand, 2))
        fields.rm = (guint8)draw(rand, registers);
    if (attempt < TRIES / 2)
        fields.vvvv = (guint8)draw(rand, registers);
    if (draw(rand, 2))
        fields.reg = (fields.reg & 0x18) | (form->reg & 7);
    fields.mask = (guint8)(1 + draw(rand, 7));
    if (draw(rand, 12) == 0 && !form->string)
        fields.extra = EXTRA[draw(rand, G_N_ELEMENTS(EXTRA))];
    if (address == HEARTH_ADDRESS_THREAD)
        fields.extra = 0x64;
    for (guint i = 0; i < sizeof fields.immediate; i++)
        fields.immediate[i] = (guint8)g_rand_int(rand);
    draw_address(form, address, rand, &fields);
    return fields;
}

static guint8 general(ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
        return 255;
    return (guint8)(whole - ZYDIS_REGISTER_RAX);
}

static guint8 vector(ZydisRegister reg)
{
    gint8 id = ZydisRegisterGetId(reg);
    return id < 0 ? 255 : (guint8)id;
}

/* How far rsp moves: what hidden operands on the stack say. */
static gint stack_move(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operand)
{
    if (decoded->mnemonic == ZYDIS_MNEMONIC_LEAVE)
        return -16 - operand->size / 8;
    bool push = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    return push ? operand->size / 8 : -(operand->size / 8);
}

static void take_memory(const HearthForm *form, const ZydisDecodedInstruction *decoded,
                        const ZydisDecodedOperand *operand, HearthInstance *instance)
{
    if (form->string)
        return;
    if (operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
        instance->stack = stack_move(decoded, operand);
        return;
    }
    instance->base = general(operand->mem.base);
    instance->index = form->vsib ? vector(operand->mem.index) : general(operand->mem.index);
    instance->scale = operand->mem.scale;
    instance->disp = operand->mem.disp.value;
    instance->access = form->access ? MAX(operand->size / 8, 1) : 0;
    if (operand->mem.base == ZYDIS_REGISTER_RIP)
        instance->disp_at = decoded->raw.disp.offset;
}

/* False: it is not of the form, or uses rsp as we cannot have it. */
static bool take(const HearthForm *form, HearthAddress address, const guint8 *bytes,
                 HearthInstance *instance)
{
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, 15, &decoded, operands)) ||
        key_of(&decoded, operands) != form->key)
        return false;
    *instance = (HearthInstance){
        .size = decoded.length, .base = 255, .index = 255, .mnemonic = decoded.mnemonic};
    memcpy(instance->bytes, bytes, decoded.length);
    if (decoded.cpu_flags)
        instance->undefined = decoded.cpu_flags->undefined;
    for (guint i = 0; i < decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
            take_memory(form, &decoded, operand, instance);
        if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        guint8 reg = general(operand->reg.value);
        if (reg == 4 && operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            return false;
        instance->uses |= reg < 16 ? 1u << reg : 0;
    }
    bool rsp = instance->base == 4;
    return rsp == (address == HEARTH_ADDRESS_STACK && form->memory) && (!rsp || form->access) &&
           (form->vsib || instance->index != instance->base || instance->base == 255) &&
           (address != HEARTH_ADDRESS_RIP || instance->disp_at);
}

bool hearth_form_instance(const HearthForm *form, HearthAddress address, GRand *rand,
                          HearthInstance *ret_instance)
{
    for (guint attempt = 0; attempt < TRIES; attempt++) {
        guint8 bytes[64];
        Fields fields = draw_fields(form, address, rand, attempt);
        assemble(form, &fields, bytes);
        if (take(form, address, bytes, ret_instance))
            return true;
    }
    return false;
}

char *hearth_instance_text(const HearthInstance *instance)
{
    ZydisFormatter formatter;
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    char line[160] = "?";
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    if (ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder, instance->bytes, instance->size, &decoded, operands)))
        ZydisFormatterFormatInstruction(&formatter, &decoded, operands,
                                        decoded.operand_count_visible, line, sizeof line, 0, NULL);
    GString *text = g_string_new(line);
    g_string_append(text, "  |");
    for (guint i = 0; i < instance->size; i++)
        g_string_append_printf(text, " %02x", instance->bytes[i]);
    return g_string_free(text, FALSE);
}
