/*
 * Bytes as code: really run under the rollback engine from several sets of registers. However the call ends, this process
 * goes on, nothing of it has changed, and the verifier finds no fault with what was translated.
 *
 * No child for each input, which would be a thousand times slower: a crash is the finding, and who runs this keeps
 * the input (fuzz-main.c, campaign). With HEARTH_FUZZ_BLIND in the environment nothing is verified.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "sprockets/engine/engine.h"
#include "tests/unit/sprockets/engine/verifier.h"

#define PAGE 4096
#define CODE_MAX 1024   /* bytes of an input that are used */
#define HEAP_PAGES 3    /* the call is given the one in the middle */
#define DATA_WORDS 64   /* of this program, and of its thread */
#define RET 0xc3        /* what follows the code: it returns */
#define KNOWN_ERRNO 117 /* any that nothing here sets */
#define GOOD_VALUE 0x7a

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

/* --- What must not change ---------------------------------------------------------------------- */

static uint64_t in_data[DATA_WORDS];
static __thread uint64_t of_thread[DATA_WORDS];
static uint8_t *heap, *shared;
static const uint8_t *pattern; /* what all of these have; read-only */

typedef struct {
    sigset_t mask;
    stack_t stack;
    uint64_t flags, thread;
    uint32_t mxcsr;
    uint16_t control;
    int error;
} State;

static void read_state(State *ret_state)
{
    memset(ret_state, 0, sizeof *ret_state);
    ret_state->error = errno;
    __asm__ volatile("stmxcsr %0\n"
                     "fnstcw %1\n"
                     "pushfq\n"
                     "pop %2\n"
                     "mov %%fs:0, %3"
                     : "=m"(ret_state->mxcsr), "=m"(ret_state->control), "=r"(ret_state->flags),
                       "=r"(ret_state->thread)
                     :
                     : "memory");
    ret_state->flags &= 0x40500; /* alignment, direction, trap */
    ret_state->mxcsr &= ~0x3fu;  /* which exceptions there have been is no mode */
    sigaltstack(NULL, &ret_state->stack);
    pthread_sigmask(SIG_SETMASK, NULL, &ret_state->mask);
    errno = KNOWN_ERRNO;
}

/* --- The report -------------------------------------------------------------------------------- */

typedef struct {
    uint64_t entry;
    uint64_t arguments[HEARTH_ENGINE_ARGUMENTS];
    unsigned start;
    size_t size;
    uint8_t bytes[CODE_MAX];
} Current;

static Current current;
static HearthEngineResult result;

static void tell_current(void)
{
    fprintf(stderr,
            "start %u, entry %#lx, rdi %#lx, rsi %#lx, rdx %#lx, rcx %#lx, code:", current.start,
            current.entry, current.arguments[0], current.arguments[1], current.arguments[2],
            current.arguments[3]);
    for (size_t i = 0; i < current.size; i++)
        fprintf(stderr, " %02x", current.bytes[i]);
    fprintf(stderr, "\noutcome %s, rule \"%s\", pc %#lx (entry %+ld), value %#lx\n",
            hearth_engine_outcome_word(result.outcome), result.rule, result.pc,
            (long)(result.pc - current.entry), result.value);
}

_Noreturn static void found(const char *what)
{
    fprintf(stderr, "FOUND: %s\n", what);
    tell_current();
    _exit(98);
}

/* A fault that the engine left to the host: what it ran, and where it was. */
static void on_fault(int number, siginfo_t *info, void *data)
{
    const ucontext_t *state = data;
    const greg_t *registers = state->uc_mcontext.gregs;
    fprintf(stderr, "FOUND: signal %d, code %d, address %p, rip %#llx, rsp %#llx\n", number,
            info->si_code, info->si_addr, registers[REG_RIP], registers[REG_RSP]);
    tell_current();
    _exit(99);
}

static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};

static void watch_faults(void)
{
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        struct sigaction before;
        if (sigaction(FAULTS[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(FAULTS[i], &action, NULL);
    }
}

/* The second wall stands only where signals from outside are blocked. */
static void block_signals(void)
{
    sigset_t outside;
    sigfillset(&outside);
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++)
        sigdelset(&outside, FAULTS[i]);
    pthread_sigmask(SIG_BLOCK, &outside, NULL);
}

/* --- The code ---------------------------------------------------------------------------------- */

/* Pages of a file: code at the start of one, what leads to it, what always works, and code at the end of the last. */
enum { AT_START, BEFORE, GOOD, AT_END, PAGES };

static int file;
static const uint8_t *code;

static void *map(size_t pages, int protection, int flags, int descriptor)
{
    void *memory = mmap(NULL, pages * PAGE, protection, flags, descriptor, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static void write_page(unsigned page, const void *bytes, size_t size, size_t at)
{
    uint8_t whole[PAGE];
    memset(whole, RET, sizeof whole);
    memcpy(whole + at, bytes, size);
    if (pwrite(file, whole, sizeof whole, (off_t)page * PAGE) != PAGE)
        abort();
}

/* Gives the other registers what the arguments have, then jumps to the page at the start: 16 bytes from one to the next. */
static void write_before(void)
{
    static const uint8_t PREAMBLE[] = {
        0x48, 0x89, 0xf8,       /* mov %rdi, %rax */
        0x48, 0x89, 0xf3,       /* mov %rsi, %rbx */
        0x48, 0x89, 0xd5,       /* mov %rdx, %rbp */
        0x49, 0x89, 0xf0,       /* mov %rsi, %r8 */
        0x49, 0x89, 0xf9,       /* mov %rdi, %r9 */
        0x49, 0x89, 0xd2,       /* mov %rdx, %r10 */
        0x49, 0x89, 0xcb,       /* mov %rcx, %r11 */
        0x49, 0x89, 0xfc,       /* mov %rdi, %r12 */
        0x49, 0x89, 0xf5,       /* mov %rsi, %r13 */
        0x49, 0x89, 0xd6,       /* mov %rdx, %r14 */
        0x49, 0x89, 0xcf,       /* mov %rcx, %r15 */
        0x66, 0x0f, 0x76, 0xc9, /* pcmpeqd %xmm1, %xmm1 */
        0x66, 0x48, 0x0f, 0x6e, 0xd7 /* movq %rdi, %xmm2 */, 0x48, 0x39, 0xd6, /* cmp %rdx, %rsi */
        0xe9,                                                                  /* jmp */
    };
    uint8_t bytes[sizeof PREAMBLE + 4];
    int32_t distance = -(int32_t)(BEFORE * PAGE + sizeof bytes);
    memcpy(bytes, PREAMBLE, sizeof PREAMBLE);
    memcpy(bytes + sizeof PREAMBLE, &distance, sizeof distance);
    write_page(BEFORE, bytes, sizeof bytes, 0);
}

static void prepare(void)
{
    const char *reason = NULL;
    static const uint8_t GOOD_CODE[] = {0xb8, GOOD_VALUE, 0, 0, 0, 0x50, 0x58, RET};
    if (!hearth_engine_available(&reason)) {
        printf("1..0 # SKIP the engine cannot run here: %s\n", reason);
        exit(77);
    }
    uint8_t *bytes = map(HEAP_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (size_t i = 0; i < (size_t)HEAP_PAGES * PAGE; i++)
        bytes[i] = (uint8_t)(i * 37 + i / 256 + 1);
    mprotect(bytes, (size_t)HEAP_PAGES * PAGE, PROT_READ);
    pattern = bytes;
    heap = aligned_alloc(PAGE, (size_t)HEAP_PAGES * PAGE);
    shared = map(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    if (!heap)
        abort();
    memcpy(heap, pattern, (size_t)HEAP_PAGES * PAGE);
    memcpy(shared, pattern, PAGE);
    memcpy(in_data, pattern, sizeof in_data);
    memcpy(of_thread, pattern, sizeof of_thread);
    file = memfd_create("fuzz-translate", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)(PAGES + 1) * PAGE) != 0)
        abort();
    write_page(GOOD, GOOD_CODE, sizeof GOOD_CODE, 0);
    write_before();
    /* What follows the last page is there, and may not be run. */
    code = map(PAGES + 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file);
    mprotect((void *)(code + (size_t)PAGES * PAGE), PAGE, PROT_NONE);
    watch_faults();
    block_signals();
}

/* --- Running it -------------------------------------------------------------------------------- */

static const HearthEngineLimits LIMITS = {
    .cpu_ms = 20, .wall_ms = 40, .memory = (uint64_t)4 << 20, .overlay_pages = 64, .tries = 1};

static bool same(const void *memory, size_t size)
{
    return memcmp(memory, pattern, size) == 0;
}

static void check(const State *before, const uint8_t *on_stack)
{
    State after;
    read_state(&after);
    if (before->error != after.error)
        found("errno has changed");
    if (before->mxcsr != after.mxcsr || before->control != after.control)
        found("the modes of floating point have changed");
    if (before->flags != after.flags || before->thread != after.thread)
        found("the flags or the thread pointer have changed");
    if (memcmp(&before->mask, &after.mask, sizeof after.mask) != 0 ||
        before->stack.ss_sp != after.stack.ss_sp)
        found("the mask or the stack of signals has changed");
    if (!same(heap, (size_t)HEAP_PAGES * PAGE))
        found("the heap has changed");
    if (!same(shared, PAGE) || !same(in_data, sizeof in_data))
        found("data has changed");
    if (!same(of_thread, sizeof of_thread))
        found("thread-local storage has changed");
    if (!same(on_stack, PAGE))
        found("the stack has changed");
    if (result.outcome >= HEARTH_ENGINE_OUTCOMES || !memchr(result.rule, 0, sizeof result.rule))
        found("the result is spoilt");
    if (strcmp(result.rule, "second wall") == 0)
        found("a system call was left in the code");
}

static void run(uint64_t entry, const uint64_t *arguments, bool validate, const uint8_t *on_stack)
{
    const HearthEnginePolicy policy = {.validate_reads = validate};
    HearthEngineCall call = {.entry = entry, .limits = &LIMITS, .policy = &policy};
    State before;
    memcpy(call.arguments, arguments, sizeof call.arguments);
    memcpy(current.arguments, arguments, sizeof call.arguments);
    current.entry = entry;
    read_state(&before);
    before.error = KNOWN_ERRNO;
    hearth_engine_run(&call, &result);
    check(&before, on_stack);
}

typedef struct {
    unsigned page;
    bool validate;
    uint64_t arguments[HEARTH_ENGINE_ARGUMENTS];
} Start;

static void run_all(size_t size)
{
    uint8_t on_stack[PAGE] __attribute__((aligned(64)));
    uint64_t area = (uint64_t)hearth_engine_area(), middle = (uint64_t)heap + PAGE;
    const Start starts[] = {
        {AT_START, false, {area, middle, middle + PAGE - 2, 64}},
        {BEFORE, false, {middle, (uint64_t)in_data, area, 3}},
        {BEFORE, true, {(uint64_t)of_thread, middle, (uint64_t)on_stack + 64, (uint64_t)shared}},
        {AT_START, false, {1, 0, UINT64_MAX, UINT64_MAX / 2 + 1}},
        {AT_END, true, {area + HEARTH_ENGINE_AREA_SIZE - 4, middle, (uint64_t)code, 1}},
        {BEFORE, false, {area - 8, area, (uint64_t)&current, (uint64_t)&errno}},
    };
    unsigned timed_out = 0;
    memcpy(on_stack, pattern, sizeof on_stack);
    for (unsigned i = 0; i < sizeof starts / sizeof *starts && timed_out < 2; i++) {
        const Start *start = &starts[i];
        uint64_t entry = (uint64_t)code + (uint64_t)start->page * PAGE;
        current.start = i;
        run(start->page == AT_END ? entry + PAGE - size : entry, start->arguments, start->validate,
            on_stack);
        timed_out += result.outcome == HEARTH_ENGINE_TIMED_OUT;
    }
}

static void check_verified(void)
{
    g_autoptr(VerifierReport) report = verifier_run();
    if (report->count == 0)
        return;
    for (guint i = 0; i < report->violations->len; i++) {
        const VerifierViolation *violation = report->violations->pdata[i];
        fprintf(stderr, "%s: at %#lx, code of entry %+ld: %s\n", violation->rule,
                violation->address, (long)(violation->app - (uint64_t)code), violation->text);
    }
    found(((const VerifierViolation *)report->violations->pdata[0])->rule);
}

static void check_still_works(void)
{
    const HearthEngineCall call = {.entry = (uint64_t)code + (uint64_t)GOOD * PAGE,
                                   .limits = &(HearthEngineLimits){.cpu_ms = 5000}};
    hearth_engine_run(&call, &result);
    if (result.outcome != HEARTH_ENGINE_RETURNED || result.value != GOOD_VALUE)
        found("the next call is wrong");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!code)
        prepare();
    if (size > CODE_MAX)
        size = CODE_MAX;
    current.size = size;
    memcpy(current.bytes, data, size);
    write_page(AT_START, data, size, 0);
    write_page(AT_END, data, size, PAGE - size);
    hearth_engine_flush();
    if (!hearth_engine_area())
        found("the engine has no memory");
    run_all(size);
    if (!getenv("HEARTH_FUZZ_BLIND"))
        check_verified();
    check_still_works();
    return 0;
}

/* --- Changing it ------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Prefixes, opcodes and operands on which much depends, more often than all others. */
static uint8_t some_byte(uint32_t *state)
{
    static const uint8_t PREFIXES[] = {0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x40, 0x41,
                                       0x44, 0x48, 0x49, 0x4c, 0x4f, 0x0f, 0xc4, 0xc5, 0x62, 0x8f};
    static const uint8_t OPCODES[] = {0x89, 0x8b, 0xc7, 0x01, 0x83, 0x8d, 0xff, 0x50, 0x58, 0xa4,
                                      0xaa, 0x87, 0xd9, 0xdd, 0xe8, 0xc3, 0xc2, 0x74, 0xeb, 0xe2,
                                      0xe3, 0x5c, 0x54, 0x9c, 0x9d, 0xc8, 0xc9, 0xcf, 0xae, 0xc7,
                                      0x38, 0x3a, 0x05, 0x6f, 0x7f, 0x10, 0x11, 0xb0, 0xc0, 0xf4};
    static const uint8_t OPERANDS[] = {0x04, 0x24, 0x25, 0x05, 0x44, 0x84, 0xc4, 0xe4,
                                       0x0c, 0x06, 0x07, 0x30, 0xf4, 0xe0, 0xf8, 0x08};
    uint32_t random = next_random(state);
    switch (next_random(state) % 8) {
    case 0:
    case 1:
        return PREFIXES[random % sizeof PREFIXES];
    case 2:
    case 3:
        return OPCODES[random % sizeof OPCODES];
    case 4:
        return OPERANDS[random % sizeof OPERANDS];
    case 5:
        return (uint8_t)(random % 64);
    default:
        return (uint8_t)random;
    }
}

static size_t insert(uint8_t *data, size_t size, size_t most, size_t at, uint32_t *state)
{
    size_t count = 1 + next_random(state) % 4;
    if (size + count > most)
        return size;
    memmove(data + at + count, data + at, size - at);
    for (size_t i = 0; i < count; i++)
        data[at + i] = some_byte(state);
    return size + count;
}

/* Every other time all is new. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    uint32_t state = seed;
    if (most > CODE_MAX)
        most = CODE_MAX;
    if (size > most)
        size = most;
    if (size == 0 || next_random(&state) % 2) {
        size = 1 + next_random(&state) % (next_random(&state) % 4 ? 24 : 300);
        for (size_t i = 0; i < size; i++)
            data[i] = some_byte(&state);
        return size;
    }
    for (uint32_t i = 1 + next_random(&state) % 6; i > 0 && size > 0; i--) {
        size_t at = next_random(&state) % size;
        uint32_t kind = next_random(&state) % 8;
        if (kind < 2)
            data[at] = some_byte(&state);
        else if (kind < 4)
            data[at] ^= (uint8_t)(1u << next_random(&state) % 8);
        else if (kind < 7)
            size = insert(data, size, most, at, &state);
        else
            memmove(data + at, data + at + 1, --size - at);
    }
    return size;
}
