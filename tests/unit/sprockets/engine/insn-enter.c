#include "tests/unit/sprockets/engine/insn-native.h"

#include <stddef.h>

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define AT_FLAGS 128
#define AT_X87 192
#define AT_K 320
#define AT_VECTORS 384
#define AT_STACK 2432
#define AT_WINDOWS 2944
#define AT_SNIPPET 2976
#define AT_THREAD 2984
#define AT_EARLY 2992
#define AT_OUT 3008
#define OUT(offset) TEXT(AT_OUT) "+" TEXT(offset)

G_STATIC_ASSERT(offsetof(HearthState, flags) == AT_FLAGS);
G_STATIC_ASSERT(offsetof(HearthState, x87) == AT_X87);
G_STATIC_ASSERT(offsetof(HearthState, k) == AT_K);
G_STATIC_ASSERT(offsetof(HearthState, vectors) == AT_VECTORS);
G_STATIC_ASSERT(offsetof(HearthState, stack) == AT_STACK);
G_STATIC_ASSERT(offsetof(HearthState, windows) == AT_WINDOWS);
G_STATIC_ASSERT(offsetof(HearthState, snippet) == AT_SNIPPET);
G_STATIC_ASSERT(offsetof(HearthState, thread) == AT_THREAD);
G_STATIC_ASSERT(offsetof(HearthState, early) == AT_EARLY);
G_STATIC_ASSERT(offsetof(HearthState, out) == AT_OUT);
G_STATIC_ASSERT(offsetof(HearthOutput, x87) == 192 && offsetof(HearthOutput, k) == 320);
G_STATIC_ASSERT(offsetof(HearthOutput, vectors) == 384 && offsetof(HearthOutput, stack) == 2432);
G_STATIC_ASSERT(offsetof(HearthOutput, windows) == 2944);

/*
 * Enter: a frame of 2 KiB with its lower part filled from the state, all registers loaded but rax
 * and rdi, then on to the snippet. Leave: comes with the flags at rsp, 264 below the frame.
 */
/* clang-format off */
__asm__(
    ".intel_syntax noprefix\n"
    ".text\n"
    ".macro hearth_load wide\n"
    "frstor [rdi + " TEXT(AT_X87) "]\n"
    "ldmxcsr [rdi + 136]\n"
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
    ".if \\wide\n vmovdqu64 zmm\\n, [rdi + " TEXT(AT_VECTORS) " + 64 * \\n]\n"
    ".else\n vmovdqu ymm\\n, [rdi + " TEXT(AT_VECTORS) " + 64 * \\n]\n .endif\n"
    ".endr\n"
    ".if \\wide\n"
    ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n"
    "vmovdqu64 zmm\\n, [rdi + " TEXT(AT_VECTORS) " + 64 * \\n]\n"
    ".endr\n"
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n"
    "kmovq k\\n, [rdi + " TEXT(AT_K) " + 8 * \\n]\n"
    ".endr\n"
    ".endif\n"
    ".endm\n"

    ".macro hearth_enter wide\n"
    "push rbx\n push rbp\n push r12\n push r13\n push r14\n push r15\n"
    "mov rbp, rsp\n"
    "and rsp, -64\n"
    "sub rsp, 2048\n"
    "mov [rsp + 1024], rdi\n"
    "mov [rsp + 1032], rbp\n"
    "mov ecx, 64\n"
    "1: mov rax, [rdi + rcx*8 - 8 + " TEXT(AT_STACK) "]\n"
    "mov [rsp + rcx*8 - 8], rax\n"
    "dec ecx\n"
    "jnz 1b\n"
    "mov [rsp - 8], rax\n"
    "mov rax, [rdi + " TEXT(AT_EARLY) "]\n"
    "mov rcx, [rdi + " TEXT(AT_EARLY) " + 8]\n"
    "test rax, rax\n"
    "jz 7f\n"
    "mov [rax], rcx\n"
    "7:\n"
    "hearth_load \\wide\n"
    "cmp dword ptr [rdi + 132], 0\n"
    "je 2f\n"
    "std\n"
    "2: mov rcx, [rdi + 8]\n mov rdx, [rdi + 16]\n mov rbx, [rdi + 24]\n"
    "mov rbp, [rdi + 40]\n mov rsi, [rdi + 48]\n"
    ".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n mov r\\n, [rdi + 8 * \\n]\n .endr\n"
    "jmp [rdi + " TEXT(AT_SNIPPET) "]\n"
    ".endm\n"

    ".macro hearth_window n\n"
    "mov rsi, [rdi + " TEXT(AT_WINDOWS) " + 16 * \\n]\n"
    "mov rcx, [rdi + " TEXT(AT_WINDOWS) " + 16 * \\n + 8]\n"
    "test rcx, rcx\n"
    "jz 4f\n"
    "lea rdx, [rdi + " OUT(2944) " + " TEXT(HEARTH_WINDOW) " * \\n]\n"
    "3: mov rax, [rsi + rcx*8 - 8]\n"
    "mov [rdx + rcx*8 - 8], rax\n"
    "dec rcx\n"
    "jnz 3b\n"
    "4:\n"
    ".endm\n"

    ".macro hearth_leave wide\n"
    "push rdi\n"
    "mov rdi, [rsp + 1024 + 256 + 16]\n"
    "mov [rdi + " OUT(0) "], rax\n mov [rdi + " OUT(8) "], rcx\n mov [rdi + " OUT(16) "], rdx\n"
    "mov [rdi + " OUT(24) "], rbx\n mov [rdi + " OUT(40) "], rbp\n mov [rdi + " OUT(48) "], rsi\n"
    ".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n mov [rdi + " OUT(0) " + 8 * \\n], r\\n\n .endr\n"
    "pop rax\n"
    "mov [rdi + " OUT(56) "], rax\n"
    "pop rax\n"
    "mov [rdi + " OUT(128) "], rax\n"
    "cld\n"
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
    ".if \\wide\n vmovdqu64 [rdi + " OUT(384) " + 64 * \\n], zmm\\n\n"
    ".else\n vmovdqu [rdi + " OUT(384) " + 64 * \\n], ymm\\n\n .endif\n"
    ".endr\n"
    ".if \\wide\n"
    ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n"
    "vmovdqu64 [rdi + " OUT(384) " + 64 * \\n], zmm\\n\n"
    ".endr\n"
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7\n"
    "kmovq [rdi + " OUT(320) " + 8 * \\n], k\\n\n"
    ".endr\n"
    ".endif\n"
    "stmxcsr [rdi + " OUT(136) "]\n"
    "ldmxcsr [rdi + 140]\n"
    "fnsave [rdi + " OUT(192) "]\n"
    "fninit\n"
    "vzeroupper\n"
    "mov ecx, 64\n"
    "1: mov rax, [rsp + 248 + rcx*8 - 8]\n"
    "mov [rdi + rcx*8 - 8 + " OUT(2432) "], rax\n"
    "dec ecx\n"
    "jnz 1b\n"
    "hearth_window 0\n"
    "hearth_window 1\n"
    "mov rsi, [rdi + " TEXT(AT_THREAD) "]\n"
    "test rsi, rsi\n"
    "jz 6f\n"
    "mov ecx, 64\n"
    "lea rdx, [rdi + " OUT(2944) " + " TEXT(HEARTH_WINDOW) "]\n"
    "5: mov rax, fs:[rsi + rcx*8 - 8]\n"
    "mov [rdx + rcx*8 - 8], rax\n"
    "dec ecx\n"
    "jnz 5b\n"
    "6:\n"
    "mov rsp, [rsp + 1024 + 256 + 8]\n"
    "pop r15\n pop r14\n pop r13\n pop r12\n pop rbp\n pop rbx\n"
    "mov eax, 0x600D\n"
    "ret\n"
    ".endm\n"

    ".macro hearth_save wide\n"
    "hearth_load \\wide\n"
    "mov eax, edx\n"
    "xor edx, edx\n"
    "test ecx, ecx\n"
    "jz 1f\n"
    "xsavec64 [rsi]\n"
    "jmp 2f\n"
    "1: xsave64 [rsi]\n"
    "2: fninit\n"
    "ldmxcsr [rdi + 140]\n"
    "vzeroupper\n"
    "ret\n"
    ".endm\n"

    ".p2align 4\n hearth_insn_enter_512:\n hearth_enter 1\n"
    ".p2align 4\n hearth_insn_leave_512:\n hearth_leave 1\n"
    ".p2align 4\n hearth_insn_enter_256:\n hearth_enter 0\n"
    ".p2align 4\n hearth_insn_leave_256:\n hearth_leave 0\n"
    ".p2align 4\n hearth_insn_save_512:\n hearth_save 1\n"
    ".p2align 4\n hearth_insn_save_256:\n hearth_save 0\n"
    ".att_syntax prefix\n");
/* clang-format on */

extern const char hearth_insn_enter_512[], hearth_insn_leave_512[];
extern const char hearth_insn_enter_256[], hearth_insn_leave_256[];
typedef void SaveState(const HearthState *state, guint8 *image, guint32 mask, guint32 compact);
extern SaveState hearth_insn_save_512, hearth_insn_save_256;

bool hearth_insn_wide(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

guint64 hearth_insn_entry(void)
{
    return (guint64)(hearth_insn_wide() ? hearth_insn_enter_512 : hearth_insn_enter_256);
}

guint64 hearth_insn_leave(void)
{
    return (guint64)(hearth_insn_wide() ? hearth_insn_leave_512 : hearth_insn_leave_256);
}

void hearth_insn_save(const HearthState *state, guint8 *image, guint32 mask, bool compact)
{
    SaveState *save = hearth_insn_wide() ? hearth_insn_save_512 : hearth_insn_save_256;
    save(state, image, mask, compact);
}
