/* Row 11: makes memory executable, or code writable. REFUSED by the name of the system call. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED;
}

uint64_t misbehave_protect(uint64_t *area, Victim *victim)
{
    uint64_t page = (uint64_t)area & ~(uint64_t)4095;
    return mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

uint64_t misbehave_code(uint64_t *area, Victim *victim)
{
    uint64_t page = (uint64_t)misbehave & ~(uint64_t)4095;
    return mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

uint64_t misbehave_key(uint64_t *area, Victim *victim)
{
    uint64_t page = (uint64_t)area & ~(uint64_t)4095;
    return syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1);
}
