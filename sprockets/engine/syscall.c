#include "sprockets/engine/syscall-private.h"

#include "sprockets/engine/intercept-private.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_SIGSET 8u /* bytes */

_Noreturn void hearth_system_refuse(HearthSlot *slot, const char *name)
{
    char rule[sizeof slot->result->rule];
    snprintf(rule, sizeof rule, "system call %s", name);
    hearth_slot_abort(slot, HEARTH_ENGINE_REFUSED, rule);
}

int64_t hearth_system_put(HearthSlot *slot, uint64_t to, const void *from, uint64_t size)
{
    return hearth_call_write(slot, to, from, size) ? 0 : -EFAULT;
}

static int64_t decide(HearthSlot *slot, const HearthSystemRow *row, const uint64_t *arguments)
{
    switch (row->action) {
    case HEARTH_SYSTEM_ALLOWED:
    case HEARTH_SYSTEM_EMULATED:
    case HEARTH_SYSTEM_BOUNDED:
        return row->run ? row->run(slot, arguments) : 0;
    case HEARTH_SYSTEM_FAILS:
        return -row->error;
    case HEARTH_SYSTEM_ENDS:
        break;
    }
    if (strcmp(row->name, "exit") == 0 || strcmp(row->name, "exit_group") == 0)
        hearth_slot_abort(slot, HEARTH_ENGINE_REFUSED, "exit");
    hearth_system_refuse(slot, row->name);
}

void hearth_special_syscall(HearthSlot *slot)
{
    uint64_t *registers = slot->context->registers;
    const uint64_t arguments[6] = {registers[HEARTH_RDI], registers[HEARTH_RSI],
                                   registers[HEARTH_RDX], registers[HEARTH_R10],
                                   registers[HEARTH_R8],  registers[HEARTH_R9]};
    slot->result->stats.system_calls++;
    /* The kernel, too, looks at the low half of the number alone. */
    const HearthSystemRow *row = hearth_system_row((uint32_t)registers[HEARTH_RAX]);
    registers[HEARTH_RAX] = (uint64_t)decide(slot, row, arguments);
    hearth_slot_tell(slot, &(HearthEngineEvent){.kind = HEARTH_ENGINE_SYSTEM_CALL,
                                                .pc = slot->fault_pc,
                                                .name = row->name,
                                                .value = (int64_t)registers[HEARTH_RAX]});
}

void hearth_syscall_end(HearthSlot *slot)
{
    hearth_system_file_end(slot);
    hearth_system_memory_end(slot);
    slot->random_count = 0;
}

/* Handlers and masks do not exist for a call: a fault ends it whatever it asked for. */

static int64_t put_zeros(HearthSlot *slot, uint64_t to, uint64_t size)
{
    static const char zeros[32];
    return to ? hearth_system_put(slot, to, zeros, size) : 0;
}

int64_t hearth_system_rt_sigaction(HearthSlot *slot, const uint64_t *arguments)
{
    int64_t number = (int32_t)arguments[0];
    if (number < 1 || number > 64 || arguments[3] != KERNEL_SIGSET)
        return -EINVAL;
    /* Libraries ignore SIGPIPE out of habit and survive that they may not. */
    return arguments[1] ? -EPERM : put_zeros(slot, arguments[2], 32);
}

int64_t hearth_system_rt_sigprocmask(HearthSlot *slot, const uint64_t *arguments)
{
    if (arguments[3] != KERNEL_SIGSET)
        return -EINVAL;
    return put_zeros(slot, arguments[2], KERNEL_SIGSET);
}

int64_t hearth_system_rt_sigpending(HearthSlot *slot, const uint64_t *arguments)
{
    if (arguments[1] > KERNEL_SIGSET)
        return -EINVAL;
    return put_zeros(slot, arguments[0], arguments[1]);
}

int64_t hearth_system_sigaltstack(HearthSlot *slot, const uint64_t *arguments)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (arguments[0])
        return -EPERM;
    return arguments[1] ? hearth_system_put(slot, arguments[1], &none, sizeof none) : 0;
}

/*
 * Whoever waits in a futex waits for another thread, which cannot see what the call stored: the
 * call is run again from its start, when the other thread may be done.
 */
int64_t hearth_system_futex(HearthSlot *slot, const uint64_t *arguments)
{
    uint32_t value;
    switch (arguments[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
    case FUTEX_WAKE_OP:
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_UNLOCK_PI:
        return 0;
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        if (!hearth_call_read(slot, &value, arguments[0], sizeof value))
            return -EFAULT;
        if (value != (uint32_t)arguments[2])
            return -EAGAIN;
        hearth_slot_abort(slot, HEARTH_ENGINE_CONFLICT, "futex");
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_TRYLOCK_PI:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_CMP_REQUEUE_PI:
        hearth_slot_abort(slot, HEARTH_ENGINE_CONFLICT, "futex");
    default:
        return -ENOSYS;
    }
}
