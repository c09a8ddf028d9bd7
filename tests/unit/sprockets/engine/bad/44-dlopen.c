/*
 * Row 44: loads a library: REFUSED. Unloads its own: that it is counted down is not seen by
 * the host.
 */
#include <dlfcn.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    dlopen(victim->library, RTLD_NOW);
    return 1;
}

uint64_t misbehave_close(uint64_t *area, Victim *victim)
{
    dlclose(victim->handle);
    return 0;
}

uint64_t misbehave_find(uint64_t *area, Victim *victim)
{
    return dlsym(victim->handle, "misbehave") == (void *)misbehave ? 0 : 1;
}
