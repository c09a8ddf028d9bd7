#include "sprockets/engine/gate-private.h"

#include <cpuid.h>
#include <stddef.h>

#include "sprockets/engine/translate-private.h"

/*
 * The ways between translated code and C.
 *
 * Translated code jumps to a gate with all of its state in place. A gate keeps the general registers and flags in the
 * context, goes over to the host's stack, which lies where the call was entered, asks the fast handler, and if that
 * cannot tell keeps the vector registers too and asks the full one. Then all is brought back and code goes on
 * where the handler said.
 */

#define REGISTER(name, number) name ", %%gs:%c[registers] + 8 * " #number "\n"
#define KEEP_REGISTERS                                                                                                                                                       \
    "mov %%rsp, %%gs:%c[registers] + 8 * 4\n"                                                                                                                                \
    "mov %%gs:%c[host], %%rsp\n"                                                                                                                                             \
    "mov " REGISTER("%%rax", 0) "mov " REGISTER("%%rcx", 1) "mov " REGISTER(                                                                                                 \
        "%%rdx", 2) "mov " REGISTER("%%rbx",                                                                                                                                 \
                                    3) "mov " REGISTER("%%rbp",                                                                                                              \
                                                       5) "mov " REGISTER("%%rsi",                                                                                           \
                                                                          6) "mov"                                                                                           \
                                                                             " " REGISTER("%%rdi", 7) "mov " REGISTER("%%r8", 8) "mov " REGISTER("%%r9", 9) "mov " REGISTER( \
                                                                                 "%%r10",                                                                                    \
                                                                                 10) "mov"                                                                                   \
                                                                                     " " REGISTER(                                                                           \
                                                                                         "%%r11",                                                                            \
                                                                                         11) "mov"                                                                           \
                                                                                             " " REGISTER("%%r12", 12) "mov " REGISTER(                                      \
                                                                                                 "%%r13",                                                                    \
                                                                                                 13) "mov " REGISTER("%%r14",                                                \
                                                                                                                     14) "mov " REGISTER("%%r15",                            \
                                                                                                                                         15) "pushfq\n"                      \
                                                                                                                                             "popq %%gs:%c[flags]\n"         \
                                                                                                                                             "cld\n"                         \
                                                                                                                                             "movb $0, %%gs:%c[selector]\n"

#define BACK(name, number) "mov %%gs:%c[registers] + 8 * " #number ", " name "\n"
/* Where code goes on stands in context->after. */
#define BRING_BACK                                                                                 \
    "movb %%gs:%c[wall], %%al\n"                                                                   \
    "movb %%al, %%gs:%c[selector]\n"                                                               \
    "pushq %%gs:%c[flags]\n"                                                                       \
    "popfq\n" BACK("%%rax", 0) BACK("%%rcx", 1) BACK("%%rdx", 2) BACK("%%rbx", 3) BACK("%%rbp", 5) \
        BACK("%%rsi", 6) BACK("%%rdi", 7) BACK("%%r8", 8) BACK("%%r9", 9) BACK("%%r10", 10)        \
            BACK("%%r11", 11) BACK("%%r12", 12) BACK("%%r13", 13) BACK("%%r14", 14)                \
                BACK("%%r15", 15) BACK("%%rsp", 4) "jmp *%%gs:%c[after]\n"

#define KEEP_VECTORS                                                                               \
    "mov $-1, %%eax\n"                                                                             \
    "mov $-1, %%edx\n"                                                                             \
    "testb %[compact], %%gs:%c[features]\n"                                                        \
    "jz 3f\n"                                                                                      \
    "xsavec64 %%gs:%c[vectors]\n"                                                                  \
    "jmp 4f\n"                                                                                     \
    "3: xsave64 %%gs:%c[vectors]\n"                                                                \
    "4:\n"                                                                                         \
    "fninit\n"                                                                                     \
    "ldmxcsr %%gs:%c[mxcsr]\n"
#define BRING_VECTORS                                                                              \
    "mov $-1, %%eax\n"                                                                             \
    "mov $-1, %%edx\n"                                                                             \
    "xrstor64 %%gs:%c[vectors]\n"

#define OPERANDS                                                                                   \
    [registers] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, registers)),                       \
        [host] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, host_rsp)),                         \
        [flags] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, flags)),                           \
        [selector] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, selector)),                     \
        [wall] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, wall)),                             \
        [after] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, after)),                           \
        [slot] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, slot)),                             \
        [features] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, features)),                     \
        [compact] "i"(HEARTH_FEATURE_XSAVEC), [avx] "i"(HEARTH_FEATURE_AVX),                       \
        [call_mxcsr] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, call_mxcsr)),                 \
        [call_control] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, call_control)),             \
        [keys] "i"(HEARTH_FEATURE_KEYS),                                                           \
        [mxcsr] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, mxcsr)),                           \
        [vectors] "i"(HEARTH_GS_CONTEXT + offsetof(HearthContext, vectors))

#define GATE(name, fast, full)                                                                     \
    __attribute__((naked)) static void name(void)                                                  \
    {                                                                                              \
        __asm__ volatile(KEEP_REGISTERS "mov %%gs:%c[slot], %%rdi\n"                               \
                                        "call " #fast "\n"                                         \
                                        "test %%rax, %%rax\n"                                      \
                                        "jnz 1f\n" KEEP_VECTORS "mov %%gs:%c[slot], %%rdi\n"       \
                                        "call " #full "\n"                                         \
                                        "mov %%rax, %%gs:%c[after]\n" BRING_VECTORS "jmp 2f\n"     \
                                        "1: mov %%rax, %%gs:%c[after]\n"                           \
                                        "2:\n" BRING_BACK                                          \
                         :                                                                         \
                         : OPERANDS);                                                              \
    }

GATE(gate_exit, hearth_fast_exit, hearth_full_exit)
GATE(gate_branch, hearth_fast_branch, hearth_full_branch)
GATE(gate_return, hearth_fast_return, hearth_full_return)
GATE(gate_memory, hearth_fast_memory, hearth_full_memory)
GATE(gate_written, hearth_fast_none, hearth_full_written)
GATE(gate_string, hearth_fast_string, hearth_full_string)
GATE(gate_special, hearth_fast_none, hearth_full_special)
/* Instead of a function: its caller expects no vector register back, but the modes that it had set. */
__attribute__((naked)) static void gate_function(void)
{
    __asm__ volatile(KEEP_REGISTERS "stmxcsr %%gs:%c[call_mxcsr]\n"
                                    "fnstcw %%gs:%c[call_control]\n"
                                    "fninit\n"
                                    "ldmxcsr %%gs:%c[mxcsr]\n"
                                    "mov %%gs:%c[slot], %%rdi\n"
                                    "call hearth_full_special\n"
                                    "mov %%rax, %%gs:%c[after]\n"
                                    "fldcw %%gs:%c[call_control]\n"
                                    "ldmxcsr %%gs:%c[call_mxcsr]\n" BRING_BACK
                     :
                     : OPERANDS);
}

GATE(gate_stack, hearth_fast_none, hearth_full_stack)
GATE(gate_denied, hearth_fast_none, hearth_full_denied)

/* What hearth_gate_enter kept on the host's stack, from host_rsp upward. */
#define LEAVE                                                                                      \
    "mov %%gs:%c[host], %%rsp\n"                                                                   \
    "cld\n"                                                                                        \
    "movb $0, %%gs:%c[selector]\n"                                                                 \
    "testb %[avx], %%gs:%c[features]\n"                                                            \
    "jz 1f\n"                                                                                      \
    "vzeroupper\n"                                                                                 \
    "1: fninit\n"                                                                                  \
    "fldcw 8(%%rsp)\n"                                                                             \
    "ldmxcsr (%%rsp)\n"                                                                            \
    "testb %[keys], %%gs:%c[features]\n"                                                           \
    "jz 5f\n"                                                                                      \
    "mov 16(%%rsp), %%eax\n"                                                                       \
    "xor %%ecx, %%ecx\n"                                                                           \
    "xor %%edx, %%edx\n"                                                                           \
    "wrpkru\n"                                                                                     \
    "5:\n"                                                                                         \
    "add $24, %%rsp\n"                                                                             \
    "popq %%rbx\n"                                                                                 \
    "popq %%rbp\n"                                                                                 \
    "popq %%r12\n"                                                                                 \
    "popq %%r13\n"                                                                                 \
    "popq %%r14\n"                                                                                 \
    "popq %%r15\n"                                                                                 \
    "push $0x202\n"                                                                                \
    "popfq\n"

__attribute__((naked)) static void gate_done(void)
{
    __asm__ volatile(KEEP_REGISTERS LEAVE "mov $1, %%eax\nret\n" : : OPERANDS);
}

__attribute__((naked)) _Noreturn void hearth_gate_leave(void)
{
    __asm__ volatile(LEAVE "xor %%eax, %%eax\nret\n" : : OPERANDS);
}

__attribute__((naked)) int hearth_gate_enter(void)
{
    __asm__ volatile("push %%r15\n"
                     "push %%r14\n"
                     "push %%r13\n"
                     "push %%r12\n"
                     "push %%rbp\n"
                     "push %%rbx\n"
                     "sub $24, %%rsp\n"
                     "stmxcsr (%%rsp)\n"
                     "fnstcw 8(%%rsp)\n"
                     "testb %[keys], %%gs:%c[features]\n"
                     "jz 1f\n"
                     "xor %%ecx, %%ecx\n"
                     "rdpkru\n"
                     "mov %%eax, 16(%%rsp)\n"
                     "1:\n"
                     "mov %%rsp, %%gs:%c[host]\n" BRING_BACK
                     :
                     : OPERANDS);
}

__attribute__((naked)) void hearth_engine_return_point(void)
{
    __asm__ volatile("ud2\n" ::);
}

/* What the gates may use of the processor. */
static uint8_t find_features(void)
{
    unsigned a, b, c, d;
    uint8_t features = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_AVX)
        features |= HEARTH_FEATURE_AVX;
    if (__get_cpuid_count(0xD, 1, &a, &b, &c, &d) && a & 2)
        features |= HEARTH_FEATURE_XSAVEC;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && c & bit_OSPKE)
        features |= HEARTH_FEATURE_KEYS;
    return features;
}

void hearth_gate_init(HearthContext *context)
{
    static void (*const GATES[HEARTH_GATES])(void) = {
        [HEARTH_GATE_EXIT] = gate_exit,       [HEARTH_GATE_BRANCH] = gate_branch,
        [HEARTH_GATE_RETURN] = gate_return,   [HEARTH_GATE_MEMORY] = gate_memory,
        [HEARTH_GATE_WRITTEN] = gate_written, [HEARTH_GATE_STRING] = gate_string,
        [HEARTH_GATE_SPECIAL] = gate_special, [HEARTH_GATE_FUNCTION] = gate_function,
        [HEARTH_GATE_STACK] = gate_stack,     [HEARTH_GATE_DENIED] = gate_denied,
        [HEARTH_GATE_DONE] = gate_done,
    };
    context->features = find_features();
    for (unsigned i = 0; i < HEARTH_GATES; i++)
        context->gates[i] = (uint64_t)GATES[i];
}
