#include "tests/unit/sprockets/engine/insn-native.h"

#include <cpuid.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096u
#define CODE_SIZE (64u * 4096) /* bytes of the file of code */
#define FOREIGN (4u << 20)     /* from the code: bytes */
#define FOREIGN_PAGES 8
#define OWNED 0x10000u   /* from the area: where operands are */
#define THREAD_SIZE 512u /* bytes */
#define SNIPPET_MAX 96u  /* bytes */

/* --- Memory ------------------------------------------------------------------------------------ */

static struct {
    HearthState *state;
    char *owned;
    char *code;
    char *foreign; /* pages 0, 1, 4, 6 writable; 3, 7 read-only; 2, 5 not there */
    guint8 *kept;  /* what they contain */
    guint64 target;
    guint8 kept_thread[THREAD_SIZE];
    GRand *rand;
    guint32 state_size; /* of xsave: bytes */
    guint64 state_mask;
} world;

static __thread guint8 thread_local[THREAD_SIZE] __attribute__((aligned(64)));

static bool page_is(guint page, const char *list)
{
    return strchr(list, (int)('0' + page)) != NULL;
}

void hearth_insn_init(void *area)
{
    guint32 low = 0, size = 0, high = 0, unused = 0, enabled = 0;
    world.state = area;
    world.owned = (char *)area + OWNED;
    memset(area, 0, 2 * OWNED); /* committed before a child without its handler touches it */
    world.rand = g_rand_new_with_seed(1);
    world.code = mmap(NULL, 2 * FOREIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(world.code != MAP_FAILED);
    world.foreign = world.code + FOREIGN;
    world.kept = g_malloc0(FOREIGN_PAGES * PAGE);
    for (guint i = 0; i < FOREIGN_PAGES * PAGE; i++)
        world.kept[i] = (guint8)g_random_int();
    for (guint i = 0; i < FOREIGN_PAGES; i++) {
        char *page = world.foreign + i * PAGE;
        if (page_is(i, "25"))
            continue;
        g_assert_no_errno(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
        memcpy(page, world.kept + i * PAGE, PAGE);
        if (page_is(i, "37"))
            g_assert_no_errno(mprotect(page, PAGE, PROT_READ));
    }
    __get_cpuid_count(0xD, 0, &low, &size, &unused, &high);
    world.state_size = size;
    __asm__("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
    world.state_mask = enabled & 0xE7;
}

void hearth_insn_clear(void)
{
    g_rand_free(world.rand);
    g_free(world.kept);
    g_assert_no_errno(munmap(world.code, 2 * FOREIGN));
}

bool hearth_insn_undisturbed(void)
{
    for (guint i = 0; i < FOREIGN_PAGES; i++)
        if (!page_is(i, "25") && memcmp(world.foreign + i * PAGE, world.kept + i * PAGE, PAGE) != 0)
            return false;
    return memcmp(thread_local, world.kept_thread, THREAD_SIZE) == 0;
}

guint64 hearth_insn_target(void)
{
    return world.target;
}

guint64 hearth_insn_window(const HearthState *state, guint window)
{
    return window == 1 && state->thread ? THREAD_SIZE : state->windows[window].words * 8;
}

/* Undoes what ran outside of a window. */
static void restore_foreign(void)
{
    for (guint i = 0; i < FOREIGN_PAGES; i++)
        if (!page_is(i, "2357"))
            memcpy(world.foreign + i * PAGE, world.kept + i * PAGE, PAGE);
}

/* Up to `size` bytes from `address` that are mapped as one; 0: none. */
static guint64 mapped(guint64 address, guint64 size)
{
    guint64 from = address - (guint64)world.foreign;
    guint64 to = from + size;
    if (from >= FOREIGN_PAGES * PAGE)
        return size;
    guint page = (guint)(from / PAGE);
    guint64 end = page < 2 ? 2 : page == 2 ? 2 : page < 5 ? 5 : page == 5 ? 5 : 8;
    return MIN(to, end * PAGE) > from ? MIN(to, end * PAGE) - from : 0;
}

/* Puts bytes where the case may find them; what is read-only stays. */
static void put(guint64 address, const void *bytes, guint64 size)
{
    guint64 from = address - (guint64)world.foreign;
    if (from >= FOREIGN_PAGES * PAGE) {
        memcpy((void *)address, bytes, size);
        return;
    }
    for (guint64 i = 0; i < size && from + i < FOREIGN_PAGES * PAGE; i++) {
        if (page_is((guint)((from + i) / PAGE), "2357"))
            continue;
        world.kept[from + i] = ((const guint8 *)bytes)[i];
        world.foreign[from + i] = ((const char *)bytes)[i];
    }
}

/* --- Code -------------------------------------------------------------------------------------- */

static guint put_bytes(guint8 *out, guint used, const char *bytes, guint size)
{
    memcpy(out + used, bytes, size);
    return used + size;
}

#define PUT(literal) (used = put_bytes(out, used, literal, sizeof(literal) - 1))

static guint put_lea_rsp(guint8 *out, guint used, gint32 disp)
{
    PUT("\x48\x8D\xA4\x24"); /* lea rsp, [rsp + disp32] */
    return put_bytes(out, used, (const char *)&disp, 4);
}

/* What of memory a rip-relative operand is: always the same place. */
static guint64 rip_target(void)
{
    return (guint64)world.foreign + 1024;
}

static void fill_displacement(HearthCase *one)
{
    HearthInstance *instance = &one->instance;
    if (!instance->disp_at)
        return;
    guint64 end = hearth_insn_pc(one) + instance->size;
    gint32 disp = (gint32)(rip_target() - end);
    memcpy(instance->bytes + instance->disp_at, &disp, sizeof disp);
}

static guint put_overwrite(guint8 *out, guint used, guint8 reg)
{
    out[used++] = (guint8)(0x40 | reg >> 3);
    out[used++] = (guint8)(0xB8 | (reg & 7));
    PUT("\x11\x22\x33\x44");
    return used;
}

static guint put_snippet(HearthCase *one, guint8 *out, guint32 at)
{
    guint used = 0;
    one->snippet = at;
    PUT("\x8B\x87\x80\x00\x00\x00"); /* mov eax, [rdi + 128] */
    PUT("\x04\x7F\x9E");             /* add al, 0x7f; sahf */
    PUT("\x48\x8B\x07");             /* mov rax, [rdi] */
    PUT("\x48\x8B\x7F\x38");         /* mov rdi, [rdi + 56] */
    if (one->instance.mnemonic == ZYDIS_MNEMONIC_LEAVE)
        PUT("\x48\x8D\x6C\x24\x10"); /* lea rbp, [rsp + 16] */
    if (one->first)
        PUT("\xEB\x00"); /* jmp to the next */
    one->at = at + used;
    fill_displacement(one);
    used = put_bytes(out, used, (const char *)one->instance.bytes, one->instance.size);
    if (one->overwritten < 16)
        used = put_overwrite(out, used, one->overwritten);
    used = put_lea_rsp(out, used, one->instance.stack - 256);
    if (!one->live)
        PUT("\x85\xE4"); /* test esp, esp */
    PUT("\x9C\xFF\x25"); /* pushfq; jmp [rip + disp32] */
    gint32 back = -(gint32)(at + used + 4);
    used = put_bytes(out, used, (const char *)&back, 4);
    g_assert_cmpuint(used, <=, SNIPPET_MAX);
    return used;
}

guint64 hearth_insn_pc(const HearthCase *one)
{
    return (guint64)world.code + one->at;
}

void hearth_insn_load(HearthCase *cases, guint count)
{
    g_autofree guint8 *code = g_malloc0(CODE_SIZE);
    char path[] = "/tmp/hearth-insn-XXXXXX";
    guint64 leave = hearth_insn_leave();
    memcpy(code, &leave, sizeof leave);
    guint32 at = 64;
    for (guint i = 0; i < count; i++) {
        put_snippet(&cases[i], code + at, at);
        at += SNIPPET_MAX;
    }
    g_assert_cmpuint(at, <=, CODE_SIZE);
    int fd = g_mkstemp(path);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, code, CODE_SIZE), ==, CODE_SIZE);
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    void *got = mmap(world.code, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
    g_assert_true(got == world.code);
    close(fd);
    g_assert_no_errno(unlink(path));
}

/* --- State ------------------------------------------------------------------------------------- */

static guint64 draw(guint64 bound)
{
    guint64 value = (guint64)g_rand_int(world.rand) << 32;
    value |= g_rand_int(world.rand);
    return bound ? value % bound : value;
}

static guint64 draw_integer(void)
{
    switch (draw(6)) {
    case 0:
        return draw(16);
    case 1:
        return G_MAXUINT64 - draw(16);
    case 2:
        return (guint64)1 << draw(64);
    default:
        return draw(0);
    }
}

/* Lanes that arithmetic finds interesting, of one width in each vector. */
static void draw_vector(guint8 *out)
{
    guint kind = (guint)draw(4);
    for (guint i = 0; i < 64; i += 8) {
        double wide = (double)(gint64)draw(0) / (double)(1 + draw(1u << 20));
        float pair[2] = {(float)(gint32)draw(0) / 1024, (float)(gint32)draw(0)};
        guint64 bits = kind == 3 ? draw_integer() : draw(0);
        memcpy(out + i, kind == 0 ? (void *)&wide : kind == 1 ? (void *)pair : (void *)&bits, 8);
    }
}

static void draw_x87(guint8 *image)
{
    guint16 control = (guint16)(0x037F & ~(draw(4) << 8)) | (guint16)(draw(4) << 10);
    guint16 status = (guint16)(draw(8) << 11 | (draw(0) & 0x477F & ~0x80u));
    guint16 tags = (guint16)(draw(3) ? 0 : draw(0));
    memset(image, 0, 108);
    memcpy(image, &control, 2);
    memcpy(image + 4, &status, 2);
    memcpy(image + 8, &tags, 2);
    for (guint i = 0; i < 8; i++) {
        guint64 fraction = draw(0) | (draw(8) ? (guint64)1 << 63 : 0);
        guint16 exponent = (guint16)(draw(4) ? 16383 - 40 + draw(80) : draw(0));
        exponent |= (guint16)(draw(2) << 15);
        memcpy(image + 28 + 10 * i, &fraction, 8);
        memcpy(image + 28 + 10 * i + 8, &exponent, 2);
    }
}

static void draw_state(HearthState *state)
{
    memset(&state->out, 0, offsetof(HearthOutput, windows));
    for (guint i = 0; i < 16; i++)
        state->gpr[i] = draw_integer();
    state->flags = (guint32)((draw(0) & 0xD500) | 0x200 | draw(2));
    state->backwards = 0;
    state->quiet_mxcsr = 0x1F80;
    state->mxcsr = (guint32)(0x1F80 | draw(4) << 13 | (draw(4) ? 0 : draw(0) & 0x8040) | draw(64));
    if (draw(32) == 0)
        state->mxcsr &= ~(guint32)(draw(64) << 7 | 63);
    draw_x87(state->x87);
    for (guint i = 0; i < 8; i++)
        state->k[i] = draw_integer();
    for (guint i = 0; i < 32; i++)
        draw_vector(state->vectors[i]);
    for (guint i = 0; i < sizeof state->stack; i += 64)
        draw_vector(state->stack + i);
    memset(state->windows, 0, sizeof state->windows);
    state->thread = state->early = 0;
}

/* --- Operands ---------------------------------------------------------------------------------- */

static guint64 place_address(HearthPlace place, guint64 size, guint64 align)
{
    guint64 foreign = (guint64)world.foreign;
    guint64 inside = size > 1 ? 1 + draw(size - 1) : 1;
    guint64 slack = align > 1 ? draw(4) * align : draw(256);
    if (align > 1 && inside >= align)
        inside -= inside % align;
    switch (place) {
    case HEARTH_PLACE_OWNED:
        return (guint64)world.owned + PAGE + slack;
    case HEARTH_PLACE_STRADDLE:
        return foreign + PAGE - inside;
    case HEARTH_PLACE_HALF_UNMAPPED:
        return foreign + 2 * PAGE - inside;
    case HEARTH_PLACE_UNMAPPED:
        return foreign + 2 * PAGE + slack;
    case HEARTH_PLACE_READ_ONLY:
        return foreign + 3 * PAGE + slack;
    case HEARTH_PLACE_HALF_READ_ONLY:
        return foreign + 7 * PAGE - inside;
    case HEARTH_PLACE_RIP:
        return rip_target();
    default:
        return foreign + slack;
    }
}

static void look_at(HearthWindow *window, guint64 from, guint64 size)
{
    guint64 start = from & ~(guint64)7;
    window->from = start;
    window->words = mapped(start, (size + (from - start) + 7) & ~(guint64)7) / 8;
}

/* Alignment that makes the operand work; one in four cases does without. */
static guint64 draw_alignment(guint64 size)
{
    guint64 align = 1;
    if (size >= 512)
        return 64;
    while (align * 2 <= size && align < 64)
        align *= 2;
    return draw(4) ? align : 1;
}

static void fill_window(const HearthWindow *window)
{
    guint8 bytes[64];
    for (guint64 i = 0; i < window->words * 8; i += 64) {
        draw_vector(bytes);
        put(window->from + i, bytes, MIN(64, window->words * 8 - i));
    }
}

static guint64 access_size(const HearthCase *one)
{
    switch (one->instance.mnemonic) {
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
        return world.state_size + 64;
    default:
        return one->instance.access;
    }
}

/* Small numbers in the lanes of the index, so that all lanes are in the window. */
static void make_index(const HearthCase *one, HearthState *state)
{
    const char *name = ZydisMnemonicGetString(one->instance.mnemonic);
    bool wide = strncmp(name, "vpgatherq", 9) == 0 || strncmp(name, "vgatherq", 8) == 0;
    for (guint lane = 0; lane < (wide ? 8u : 16u); lane++) {
        guint64 value = draw(32);
        guint8 *to = state->vectors[one->instance.index & 31] + lane * (wide ? 8 : 4);
        memcpy(to, &value, wide ? 8 : 4);
    }
}

static void make_address(const HearthCase *one, HearthState *state)
{
    const HearthInstance *instance = &one->instance;
    guint64 disp = (guint64)instance->disp, index = 0;
    if (one->form->vsib) {
        make_index(one, state);
    } else if (instance->index < 16) {
        index = one->place == HEARTH_PLACE_STACK ? draw(3) * 8 : draw(4) ? draw(64) : draw(0);
        state->gpr[instance->index] = index;
        index *= instance->scale;
    }
    if (instance->base < 16 && instance->base != 4)
        state->gpr[instance->base] = world.target - index - disp;
}

/* The operand is an offset from fs, which is a negative number. */
static void place_thread(const HearthCase *one, HearthState *state)
{
    guint64 self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    for (guint i = 0; i < THREAD_SIZE; i += 64)
        draw_vector(thread_local + i);
    memcpy(world.kept_thread, thread_local, THREAD_SIZE);
    state->thread = (guint64) thread_local - self;
    world.target = state->thread + (draw(4) ? draw(4) * 64 : draw(256));
    make_address(one, state);
}

static void place_operand(const HearthCase *one, HearthState *state)
{
    guint64 size = access_size(one), align = draw_alignment(size);
    world.target = place_address(one->place, size, align);
    if (size > 64)
        look_at(&state->windows[0], world.target, size + 64);
    else if (mapped(world.target - 64, 128) >= 64 || one->place == HEARTH_PLACE_OWNED)
        look_at(&state->windows[0], world.target - MIN(64, world.target % PAGE),
                one->form->vsib ? 512 : 256);
    fill_window(&state->windows[0]);
    make_address(one, state);
}

/* --- Instructions that need to be met half way ------------------------------------------------- */

static void make_image(const HearthState *state)
{
    static guint8 image[2 * PAGE] __attribute__((aligned(64)));
    memset(image, 0, sizeof image);
    hearth_insn_save(state, image, (guint32)world.state_mask, draw(2));
    memset(image + 6, 0, 18); /* addresses of the last instruction and operand */
    put(world.target, image, mapped(world.target, world.state_size));
}

static void put_masked(guint32 mask)
{
    guint32 value = (guint32)draw(0) & mask;
    put(world.target, &value, MIN(4, mapped(world.target, 4)));
}

static void match_accumulator(HearthState *state, guint half)
{
    guint8 bytes[16];
    if (draw(2) || mapped(world.target, 2 * half) < 2 * half)
        return;
    memcpy(bytes, (const void *)world.target, 2 * half);
    memcpy(&state->gpr[0], bytes, half);
    memcpy(&state->gpr[2], bytes + half, half);
}

static void meet(const HearthCase *one, HearthState *state)
{
    bool memory = one->place != HEARTH_PLACE_NONE && one->place != HEARTH_PLACE_STACK &&
                  one->place != HEARTH_PLACE_THREAD;
    switch (one->instance.mnemonic) {
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
        if (draw(3) && one->instance.base != 2 && one->instance.index != 2)
            state->gpr[2] = one->instance.mnemonic == ZYDIS_MNEMONIC_IDIV && state->gpr[0] >> 63
                                ? G_MAXUINT64
                                : 0;
        break;
    case ZYDIS_MNEMONIC_CMPXCHG:
        if (memory && one->instance.base != 0 && one->instance.index != 0 && draw(2) &&
            mapped(world.target, 8) >= 8)
            memcpy(&state->gpr[0], (const void *)world.target, 8);
        break;
    case ZYDIS_MNEMONIC_CMPXCHG8B:
    case ZYDIS_MNEMONIC_CMPXCHG16B:
        if (memory && ((1u << one->instance.base | 1u << one->instance.index) & 5) == 0)
            match_accumulator(state, one->instance.access / 2);
        break;
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR:
        if (memory && draw(8))
            put_masked(0xFFFF);
        break;
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
        if (memory && draw(8))
            make_image(state);
        break;
    default:
        break;
    }
}

static bool takes_state_mask(ZydisMnemonic mnemonic)
{
    return mnemonic == ZYDIS_MNEMONIC_XSAVE || mnemonic == ZYDIS_MNEMONIC_XSAVE64 ||
           mnemonic == ZYDIS_MNEMONIC_XSAVEC || mnemonic == ZYDIS_MNEMONIC_XSAVEC64 ||
           mnemonic == ZYDIS_MNEMONIC_XRSTOR || mnemonic == ZYDIS_MNEMONIC_XRSTOR64;
}

/* --- Strings ----------------------------------------------------------------------------------- */

static void place_string(const HearthCase *one, HearthState *state, HearthPlace place, guint reg,
                         guint64 count)
{
    guint64 span = CLAMP(count * 8, 8, 1024);
    guint64 address = place_address(place, span, draw(2) ? 8 : 1);
    guint window = reg == 7 ? 0 : 1;
    guint64 before = place == HEARTH_PLACE_OWNED ? 1024 : MIN(1024, address % PAGE);
    look_at(&state->windows[window], address - before, before + 2048);
    if (place == HEARTH_PLACE_UNMAPPED)
        state->windows[window].words = 0;
    state->gpr[reg] = address;
    if (reg == 7)
        world.target = address;
}

/* Few different bytes, so that comparisons go on for a while. */
static void fill_alike(const HearthWindow *window, guint64 odd)
{
    guint8 bytes[HEARTH_WINDOW];
    guint64 size = MIN(window->words * 8, sizeof bytes);
    for (guint64 i = 0; i < size; i++)
        bytes[i] = draw(odd) == 0 ? 0x5A : 0xA5;
    put(window->from, bytes, size);
}

static void prepare_string(const HearthCase *one, HearthState *state)
{
    static const guint64 COUNTS[] = {0, 1, 2, 3, 7, 16, 31, 64, 100, 128};
    guint64 count = COUNTS[draw(G_N_ELEMENTS(COUNTS))];
    bool owned = one->place == HEARTH_PLACE_OWNED || one->source == HEARTH_PLACE_OWNED;
    place_string(one, state, one->place, 7, count);
    place_string(one, state, one->source, 6, count);
    state->gpr[1] = !owned && draw(8) == 0 ? 0x100000 + draw(0x1000) : count;
    state->backwards = draw(3) == 0;
    guint64 odd = 1 + draw(200);
    state->gpr[0] = 0xA5A5A5A5A5A5A5A5u;
    for (guint i = 0; i < 2; i++)
        fill_alike(&state->windows[i], odd);
}

/* What the instruction loads was stored by the call itself, or at least some foreign page was. */
static void make_early(const HearthCase *one, HearthState *state)
{
    guint64 page = (world.target - (guint64)world.foreign) / PAGE;
    bool fits = page < FOREIGN_PAGES && page_is((guint)page, "0146") &&
                mapped(world.target, 8) == 8 && one->place != HEARTH_PLACE_HALF_READ_ONLY;
    state->early = (guint64)world.foreign + 4 * PAGE + 8 * draw(100);
    if (fits && one->instance.access <= 64)
        state->early = world.target;
    state->early_value = draw(0);
}

HearthState *hearth_insn_prepare(const HearthCase *one)
{
    HearthState *state = world.state;
    g_rand_set_seed(world.rand, one->seed);
    draw_state(state);
    world.target = 0;
    state->snippet = (guint64)world.code + one->snippet;
    if (takes_state_mask(one->instance.mnemonic)) {
        state->gpr[0] = world.state_mask & (draw(2) ? 0xFF : draw(0));
        state->gpr[2] = 0;
    }
    if (one->form->string)
        prepare_string(one, state);
    else if (one->place == HEARTH_PLACE_STACK)
        make_address(one, state);
    else if (one->place == HEARTH_PLACE_THREAD)
        place_thread(one, state);
    else if (one->place != HEARTH_PLACE_NONE)
        place_operand(one, state);
    meet(one, state);
    if (one->careful)
        make_early(one, state);
    return state;
}

/* --- The child --------------------------------------------------------------------------------- */

#define UNFINISHED (-1) /* as a signal */

static sigjmp_buf fault;
static volatile HearthNativeResult *current;

static void on_fault(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    if (!current || current->signal != UNFINISHED) {
        signal(number, SIG_DFL); /* not the code under test: our own mistake */
        return;
    }
    current->signal = number;
    current->pc = (guint64)at->uc_mcontext.gregs[REG_RIP];
    siglongjmp(fault, 1);
}

static void catch_faults(void)
{
    static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    static char stack[64 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(SIGNALS); i++)
        sigaction(SIGNALS[i], &action, NULL);
}

static void run_one(const HearthCase *one, HearthNativeResult *result)
{
    restore_foreign();
    HearthState *state = hearth_insn_prepare(one);
    void (*enter)(HearthState *) = (void (*)(HearthState *))hearth_insn_entry();
    guint32 quiet = 0x1F80;
    current = result;
    result->signal = UNFINISHED;
    if (sigsetjmp(fault, 1) == 0) {
        enter(state);
        result->signal = 0;
        memcpy(&result->out, &state->out, offsetof(HearthOutput, windows));
        for (guint i = 0; i < 2; i++)
            memcpy(result->out.windows[i], state->out.windows[i], hearth_insn_window(state, i));
    } else {
        __asm__ volatile("cld\n fninit\n ldmxcsr %0\n vzeroupper" ::"m"(quiet));
    }
}

void hearth_insn_run_natively(const HearthCase *cases, guint count, HearthNativeResult *ret_results)
{
    int status = 0;
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        catch_faults();
        for (guint i = 0; i < count; i++)
            if (!cases[i].form->refused) /* one of them loads fs */
                run_one(&cases[i], &ret_results[i]);
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    for (guint i = 0; status && i < count; i++) {
        g_autofree char *text = hearth_instance_text(&cases[i].instance);
        if (ret_results[i].signal == UNFINISHED)
            g_error("%s ended the child, place %d, seed %u", text, cases[i].place, cases[i].seed);
    }
    g_assert_cmpint(status, ==, 0);
}
