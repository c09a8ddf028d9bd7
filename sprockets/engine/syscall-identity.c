#include "sprockets/engine/syscall-private.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

/*
 * Results of calls are kept for ever and compared between machines. So a call runs at the turn of
 * the year 2000, on a machine of one processor called "hearth", as process 1 of nobody; and its
 * randomness is always the same.
 */

#define CLOCKS 16 /* numbers of clocks, dynamic ones left out */
#define GIB ((uint64_t)1 << 30)

int64_t hearth_system_clock_gettime(HearthSlot *slot, const uint64_t *arguments)
{
    const struct timespec now = {.tv_sec = HEARTH_SYSTEM_EPOCH};
    if ((uint32_t)arguments[0] >= CLOCKS)
        return -EINVAL;
    return hearth_system_put(slot, arguments[1], &now, sizeof now);
}

int64_t hearth_system_clock_getres(HearthSlot *slot, const uint64_t *arguments)
{
    const struct timespec resolution = {.tv_nsec = 1};
    if ((uint32_t)arguments[0] >= CLOCKS)
        return -EINVAL;
    return arguments[1] ? hearth_system_put(slot, arguments[1], &resolution, sizeof resolution) : 0;
}

int64_t hearth_system_gettimeofday(HearthSlot *slot, const uint64_t *arguments)
{
    const struct timeval now = {.tv_sec = HEARTH_SYSTEM_EPOCH};
    const struct timezone zone = {0};
    if (arguments[0] && hearth_system_put(slot, arguments[0], &now, sizeof now) != 0)
        return -EFAULT;
    return arguments[1] ? hearth_system_put(slot, arguments[1], &zone, sizeof zone) : 0;
}

int64_t hearth_system_time(HearthSlot *slot, const uint64_t *arguments)
{
    const time_t now = HEARTH_SYSTEM_EPOCH;
    if (arguments[0] && hearth_system_put(slot, arguments[0], &now, sizeof now) != 0)
        return -EFAULT;
    return now;
}

int64_t hearth_system_times(HearthSlot *slot, const uint64_t *arguments)
{
    const struct tms spent = {0};
    return arguments[0] ? hearth_system_put(slot, arguments[0], &spent, sizeof spent) : 0;
}

int64_t hearth_system_getrusage(HearthSlot *slot, const uint64_t *arguments)
{
    const struct rusage spent = {0};
    return hearth_system_put(slot, arguments[1], &spent, sizeof spent);
}

int64_t hearth_system_uname(HearthSlot *slot, const uint64_t *arguments)
{
    static const struct utsname name = {.sysname = "Linux",
                                        .nodename = "hearth",
                                        .release = "6.1.0",
                                        .version = "#1",
                                        .machine = "x86_64",
                                        .domainname = "(none)"};
    return hearth_system_put(slot, arguments[0], &name, sizeof name);
}

int64_t hearth_system_sysinfo(HearthSlot *slot, const uint64_t *arguments)
{
    const struct sysinfo info = {
        .totalram = 4 * GIB, .freeram = 2 * GIB, .procs = 1, .mem_unit = 1};
    return hearth_system_put(slot, arguments[0], &info, sizeof info);
}

int64_t hearth_system_getcpu(HearthSlot *slot, const uint64_t *arguments)
{
    const uint32_t first = 0;
    for (unsigned i = 0; i < 2; i++)
        if (arguments[i] && hearth_system_put(slot, arguments[i], &first, sizeof first) != 0)
            return -EFAULT;
    return 0;
}

int64_t hearth_system_sched_getaffinity(HearthSlot *slot, const uint64_t *arguments)
{
    const uint64_t first = 1;
    if (arguments[1] < sizeof first || arguments[1] % sizeof first)
        return -EINVAL;
    if (hearth_system_put(slot, arguments[2], &first, sizeof first) != 0)
        return -EFAULT;
    return sizeof first;
}

int64_t hearth_system_sched_getparam(HearthSlot *slot, const uint64_t *arguments)
{
    const int32_t priority = 0;
    return hearth_system_put(slot, arguments[1], &priority, sizeof priority);
}

int64_t hearth_system_one(HearthSlot *slot, const uint64_t *arguments)
{
    return 1;
}

int64_t hearth_system_nobody(HearthSlot *slot, const uint64_t *arguments)
{
    return HEARTH_SYSTEM_NOBODY;
}

int64_t hearth_system_getresid(HearthSlot *slot, const uint64_t *arguments)
{
    const uint32_t nobody = HEARTH_SYSTEM_NOBODY;
    for (unsigned i = 0; i < 3; i++)
        if (hearth_system_put(slot, arguments[i], &nobody, sizeof nobody) != 0)
            return -EFAULT;
    return 0;
}

static int64_t put_limit(HearthSlot *slot, uint32_t resource, uint64_t to)
{
    uint64_t most = ~(uint64_t)0;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    if (resource == RLIMIT_STACK)
        most = HEARTH_SLOT_STACK_SIZE;
    else if (resource == RLIMIT_NOFILE)
        most = 1024;
    else if (resource == RLIMIT_CORE || resource == RLIMIT_NPROC)
        most = 0;
    const uint64_t limit[2] = {most, most};
    return hearth_system_put(slot, to, limit, sizeof limit);
}

int64_t hearth_system_getrlimit(HearthSlot *slot, const uint64_t *arguments)
{
    return put_limit(slot, (uint32_t)arguments[0], arguments[1]);
}

int64_t hearth_system_prlimit64(HearthSlot *slot, const uint64_t *arguments)
{
    if (arguments[2])
        hearth_system_refuse(slot, "prlimit64");
    return arguments[3] ? put_limit(slot, (uint32_t)arguments[1], arguments[3]) : 0;
}

int64_t hearth_system_getpriority(HearthSlot *slot, const uint64_t *arguments)
{
    return 20; /* the kernel's way to say 0 */
}

uint64_t hearth_system_random(HearthSlot *slot)
{
    /* splitmix64: spread well enough for hash seeds and names of temporary files. */
    uint64_t value = ++slot->random_count * 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

bool hearth_system_put_random(HearthSlot *slot, uint64_t to, uint64_t size)
{
    uint64_t words[32];
    while (size > 0) {
        uint64_t part = size < sizeof words ? size : sizeof words;
        for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
            words[i] = hearth_system_random(slot);
        if (!hearth_call_write(slot, to, words, part))
            return false;
        to += part;
        size -= part;
    }
    return true;
}

int64_t hearth_system_getrandom(HearthSlot *slot, const uint64_t *arguments)
{
    const uint64_t most = 1024 * 1024; /* bytes: a caller of more asks again */
    uint64_t size = arguments[1] < most ? arguments[1] : most;
    if (arguments[2] & ~(uint64_t)(GRND_NONBLOCK | GRND_RANDOM | 4 /* GRND_INSECURE */))
        return -EINVAL;
    return hearth_system_put_random(slot, arguments[0], size) ? (int64_t)size : -EFAULT;
}
