#include "sprockets/engine/wall-private.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/gate-private.h"
#include "sprockets/engine/state-private.h"

/*
 * Signals.
 *
 * A fault of translated code ends the call: the handler sends the thread to hearth_gate_leave, from any instruction,
 * since nothing of the call's state is wanted any more. Faults by which a zone grows, and faults
 * of hearth_copy_safely, go on. All others are the host's: its own handler is called as if ours were not there.
 */

#define SA_RESTORER_FLAG 0x04000000
#define USER_DISPATCH 2 /* si_code of SIGSYS: SYS_USER_DISPATCH, which glibc does not name */

static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
static HEARTH_STATE struct sigaction previous[NSIG];

/* As the kernel takes it: with a way back that lies in the range where the second wall lets calls through. */
typedef struct {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
} KernelAction;

void hearth_signal_return(void);
extern const char hearth_signal_return_end[];
__asm__(".pushsection .text\n"
        ".globl hearth_signal_return\n"
        ".hidden hearth_signal_return\n"
        "nop\n" /* unwinders look one byte before */
        "hearth_signal_return:\n"
        "mov $15, %eax\n"
        "syscall\n"
        ".globl hearth_signal_return_end\n"
        ".hidden hearth_signal_return_end\n"
        "hearth_signal_return_end:\n"
        "nop\n"
        ".popsection\n");

/* Ends early, with what is left in rcx, if the handler finds a fault between its labels. */
uint64_t hearth_copy_rest(void *to, const void *from, uint64_t size);
extern const char hearth_copy_begin[], hearth_copy_end[];
__asm__(".pushsection .text\n"
        ".globl hearth_copy_rest\n"
        ".hidden hearth_copy_rest\n"
        "hearth_copy_rest:\n"
        "mov %rdx, %rcx\n"
        "shr $3, %rcx\n"
        "and $7, %edx\n"
        ".globl hearth_copy_begin\n"
        ".hidden hearth_copy_begin\n"
        "hearth_copy_begin:\n"
        "rep movsq\n"
        "mov %rdx, %rcx\n"
        "xor %edx, %edx\n"
        "rep movsb\n"
        ".globl hearth_copy_end\n"
        ".hidden hearth_copy_end\n"
        "hearth_copy_end:\n"
        "lea (%rcx, %rdx), %rax\n"
        "ret\n"
        ".popsection\n");

HEARTH_GENERAL_REGISTERS uint64_t hearth_copy_safely(void *to, const void *from, uint64_t size)
{
    return hearth_copy_rest(to, from, size) == 0 ? size : 0;
}

/* --- Ends -------------------------------------------------------------------------------------- */

static void set_end(HearthSlot *slot, HearthEngineOutcome outcome, const char *rule, uint64_t pc)
{
    slot->result->outcome = outcome;
    slot->result->pc = pc;
    strncpy(slot->result->rule, rule, sizeof slot->result->rule - 1);
}

_Noreturn void hearth_slot_abort(HearthSlot *slot, HearthEngineOutcome outcome, const char *rule)
{
    set_end(slot, outcome, rule, slot->fault_pc);
    hearth_gate_leave();
}

_Noreturn void hearth_slot_expire(HearthSlot *slot)
{
    hearth_slot_abort(slot, HEARTH_ENGINE_TIMED_OUT, slot->expired == 1 ? "wall-time" : "cpu-time");
}

static void end_from_signal(HearthSlot *slot, ucontext_t *state, HearthEngineOutcome outcome,
                            const char *rule)
{
    set_end(slot, outcome, rule, hearth_cache_pc((uint64_t)state->uc_mcontext.gregs[REG_RIP]));
    state->uc_mcontext.gregs[REG_RIP] = (greg_t)hearth_gate_leave;
    state->uc_mcontext.gregs[REG_RSP] = (greg_t)slot->context->host_rsp;
    state->uc_mcontext.gregs[REG_EFL] = 0x202;
    slot->context->selector = 0;
}

/* --- Handlers ---------------------------------------------------------------------------------- */

static const char *name_of(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    case SIGTRAP:
        return "SIGTRAP";
    default:
        return "SIGSYS";
    }
}

static void chain(int number, siginfo_t *info, void *data)
{
    const struct sigaction *old = &previous[number];
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(number, info, data);
    } else if (old->sa_handler == SIG_IGN && info->si_code <= 0) {
        return;
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(number);
    } else {
        signal(number, SIG_DFL);
        if (info->si_code <= 0)
            raise(number);
    }
}

/* hearth_copy_safely met memory that is not there; any thread. */
static bool end_copy(ucontext_t *state)
{
    uint64_t pc = (uint64_t)state->uc_mcontext.gregs[REG_RIP];
    if (pc < (uint64_t)hearth_copy_begin || pc >= (uint64_t)hearth_copy_end)
        return false;
    state->uc_mcontext.gregs[REG_RIP] = (greg_t)hearth_copy_end;
    state->uc_mcontext.gregs[REG_RDX] |= 1;
    return true;
}

/* True: it was ours, and the thread may go on where the state says. */
static bool handle(HearthSlot *slot, int number, const siginfo_t *info, ucontext_t *state)
{
    uint64_t pc = (uint64_t)state->uc_mcontext.gregs[REG_RIP];
    bool ours = atomic_load(&slot->running) && hearth_cache_holds(pc), limit = false;
    bool memory = info->si_code > 0 && (number == SIGSEGV || number == SIGBUS);
    if (memory && hearth_slot_grow(slot, (uint64_t)info->si_addr, &limit))
        return true;
    if (memory && end_copy(state))
        return true;
    if (number == SIGSYS && atomic_load(&slot->running) && info->si_code == USER_DISPATCH) {
        end_from_signal(slot, state, HEARTH_ENGINE_REFUSED, "second wall");
        return true;
    }
    if (!ours || info->si_code <= 0)
        return false;
    if (limit)
        end_from_signal(slot, state, HEARTH_ENGINE_OUT_OF_MEMORY, "memory");
    else
        end_from_signal(slot, state, HEARTH_ENGINE_FAULTED, name_of(number));
    return true;
}

/*
 * Back to where the signal came, by our own way: a host that sets a handler aside and puts it back with libc's
 * sigaction gives it libc's way, which the second wall would not let through.
 */
_Noreturn static void go_back(const ucontext_t *state)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hearth_signal_return"
                     :
                     : "r"(state)
                     : "memory");
    __builtin_unreachable();
}

static void on_fault(int number, siginfo_t *info, void *data)
{
    HearthSlot *slot = hearth_slot_current();
    int saved = errno;
    if (!slot) {
        if (!end_copy(data))
            chain(number, info, data);
        return;
    }
    uint8_t selector = slot->context->selector;
    slot->context->selector = 0;
    ucontext_t *state = data;
    if (handle(slot, number, info, state)) {
        if (state->uc_mcontext.gregs[REG_RIP] != (greg_t)hearth_gate_leave)
            slot->context->selector = selector;
    } else {
        chain(number, info, data);
        slot->context->selector = selector;
    }
    errno = saved;
    go_back(state);
}

/* From the monitor, again and again until the call has ended: a gate is not interrupted. */
static void on_expiry(int number, siginfo_t *info, void *data)
{
    HearthSlot *slot = hearth_slot_current();
    ucontext_t *state = data;
    if (slot && atomic_load(&slot->running) && slot->expired &&
        hearth_cache_holds((uint64_t)state->uc_mcontext.gregs[REG_RIP]))
        end_from_signal(slot, state, HEARTH_ENGINE_TIMED_OUT,
                        slot->expired == 1 ? "wall-time" : "cpu-time");
    go_back(state);
}

int hearth_wall_signal(void)
{
    return SIGRTMAX - 3;
}

static bool install(int number, void (*handler)(int, siginfo_t *, void *))
{
    const KernelAction action = {.handler = handler,
                                 .flags =
                                     SA_SIGINFO | SA_ONSTACK | SA_RESTORER_FLAG |
                                     (number == hearth_wall_signal() ? SA_RESTART : SA_NODEFER),
                                 .restorer = hearth_signal_return};
    if (sigaction(number, NULL, &previous[number]) < 0)
        return false;
    return syscall(SYS_rt_sigaction, number, &action, NULL, 8) == 0;
}

bool hearth_fault_init(void)
{
    static HEARTH_STATE bool installed, watched;
    if (watched)
        return true;
    for (unsigned i = 0; !installed && i < sizeof FAULTS / sizeof *FAULTS; i++)
        if (!install(FAULTS[i], on_fault))
            return false;
    installed = installed || install(hearth_wall_signal(), on_expiry);
    watched = installed && hearth_monitor_start();
    return watched;
}

/* --- Threads ----------------------------------------------------------------------------------- */

/* Signals come on a stack of their own: the call's may have no room left. */
static bool give_signal_stack(HearthSlot *slot)
{
    stack_t stack;
    if (sigaltstack(NULL, &stack) < 0)
        return false;
    if (!(stack.ss_flags & SS_DISABLE))
        return true;
    if (!slot->signal_stack) {
        void *memory = mmap(NULL, HEARTH_SIGNAL_STACK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return false;
        slot->signal_stack = memory;
    }
    stack = (stack_t){.ss_sp = slot->signal_stack, .ss_size = HEARTH_SIGNAL_STACK};
    return sigaltstack(&stack, NULL) == 0;
}

/* All but those of faults and the monitor's. */
static void asynchronous(sigset_t *set)
{
    static const int KEPT[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigfillset(set);
    for (unsigned i = 0; i < sizeof KEPT / sizeof *KEPT; i++)
        sigdelset(set, KEPT[i]);
    sigdelset(set, hearth_wall_signal());
}

/* The ones that matter, as far as one may block them. */
static bool blocks_signals(const sigset_t *mask)
{
    for (int number = 1; number < SIGSYS; number++)
        if (number != SIGKILL && number != SIGSTOP && number != SIGSEGV && number != SIGBUS &&
            number != SIGILL && number != SIGFPE && number != SIGTRAP && number != SIGABRT &&
            !sigismember(mask, number))
            return false;
    return true;
}

void hearth_signals_begin(HearthSlot *slot)
{
    sigset_t mask, all;
    if (slot->signals == HEARTH_SIGNALS_BLOCKED)
        return;
    asynchronous(&all);
    pthread_sigmask(SIG_BLOCK, &all, &mask);
    slot->mask = mask;
    slot->signals = blocks_signals(&mask) ? HEARTH_SIGNALS_BLOCKED : HEARTH_SIGNALS_OPEN;
}

void hearth_signals_end(HearthSlot *slot)
{
    if (slot->signals == HEARTH_SIGNALS_OPEN)
        pthread_sigmask(SIG_SETMASK, &slot->mask, NULL);
}

bool hearth_wall_raise(HearthSlot *slot)
{
    uint64_t from = (uint64_t)hearth_signal_return;
    if (slot->wall != HEARTH_WALL_LOWERED)
        return slot->wall == HEARTH_WALL_RAISED;
    slot->context->selector = 0;
    bool raised =
        prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, from,
              (uint64_t)hearth_signal_return_end - from + 1, &slot->context->selector) == 0;
    slot->wall = raised ? HEARTH_WALL_RAISED : HEARTH_WALL_NEVER;
    slot->context->wall = raised;
    return raised;
}

void hearth_wall_lower(HearthSlot *slot)
{
    slot->signals = HEARTH_SIGNALS_UNKNOWN;
    if (slot->wall != HEARTH_WALL_RAISED)
        return;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
    slot->wall = HEARTH_WALL_LOWERED;
    slot->context->wall = 0;
}

bool hearth_wall_prepare_thread(HearthSlot *slot)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, hearth_wall_signal());
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    return give_signal_stack(slot) && syscall(SYS_arch_prctl, ARCH_SET_GS, slot->context->gs) == 0;
}
