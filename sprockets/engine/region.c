#include "sprockets/engine/region-private.h"

#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/state-private.h"

#define REGIONS_MAX 131072          /* the kernel has 65,530 unless somebody raised that */
#define TEXT_SIZE (8 * 1024 * 1024) /* bytes of /proc/self/maps at most */

static HEARTH_STATE struct {
    pthread_mutex_t lock;
    HearthRegion *regions; /* by address */
    uint32_t count;
    char *text;
    int file; /* /proc/self/maps */
    bool stale;
    uint64_t loads; /* objects loaded and unloaded when the mappings were read */
} map = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- Reading ----------------------------------------------------------------------------------- */

static uint64_t take_number(const char **at, unsigned base)
{
    uint64_t value = 0;
    for (;; (*at)++) {
        char c = **at;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

/* START-END rwxp OFFSET MAJOR:MINOR INODE   NAME */
static const char *take_line(const char *at, HearthRegion *region)
{
    region->start = take_number(&at, 16);
    at++;
    region->end = take_number(&at, 16);
    const char *mode = at + 1;
    at += 6;
    region->offset = take_number(&at, 16);
    at++;
    uint64_t major = take_number(&at, 16);
    at++;
    region->device = (uint32_t)(major << 16 | take_number(&at, 16));
    at++;
    region->inode = take_number(&at, 10);
    const char *end = strchr(at, '\n');
    bool vdso = end && end - at >= 6 && memcmp(end - 6, "[vdso]", 6) == 0;
    region->readable = mode[0] == 'r';
    region->writable = mode[1] == 'w';
    region->code = mode[0] == 'r' && mode[1] == '-' && mode[2] == 'x' && mode[3] == 'p' &&
                   (region->inode != 0 || vdso);
    return end ? end + 1 : NULL;
}

static size_t read_text(void)
{
    size_t size = 0;
    ssize_t got = 0;
    while (size + 1 < TEXT_SIZE &&
           (got = pread(map.file, map.text + size, TEXT_SIZE - 1 - size, (off_t)size)) > 0)
        size += (size_t)got;
    map.text[size] = 0;
    return size;
}

static int count_loads(struct dl_phdr_info *info, size_t size, void *data)
{
    *(uint64_t *)data = info->dlpi_adds << 32 | info->dlpi_subs;
    return 1;
}

uint64_t hearth_region_loads(void)
{
    uint64_t loads = 0;
    dl_iterate_phdr(count_loads, &loads);
    return loads;
}

bool hearth_region_init(void)
{
    if (map.regions && map.regions != MAP_FAILED && map.text != MAP_FAILED)
        return true;
    /* Kept open: a process that confines itself later can open nothing. */
    if (map.file <= 0)
        map.file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    map.regions = mmap(NULL, REGIONS_MAX * sizeof(HearthRegion), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    map.text = mmap(NULL, TEXT_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return map.file >= 0 && map.regions != MAP_FAILED && map.text != MAP_FAILED;
}

/* The lock is held. */
static void read_regions(void)
{
    map.count = 0;
    if (read_text() == 0)
        return;
    const char *at = map.text;
    while (at && *at && map.count < REGIONS_MAX)
        at = take_line(at, &map.regions[map.count++]);
    map.stale = false;
}

bool hearth_region_owns(uint64_t address)
{
    return map.regions && (address - (uint64_t)map.regions < REGIONS_MAX * sizeof(HearthRegion) ||
                           address - (uint64_t)map.text < TEXT_SIZE);
}

/* --- Asking ------------------------------------------------------------------------------------ */

static const HearthRegion *find(uint64_t address)
{
    uint32_t low = 0, high = map.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map.regions[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < map.count && map.regions[low].start <= address ? &map.regions[low] : NULL;
}

/* `wanted` says yes of a region; a no is asked again of what is mapped now. */
static bool ask(uint64_t address, bool (*wanted)(const HearthRegion *region), bool again,
                HearthRegion *ret_region)
{
    pthread_mutex_lock(&map.lock);
    if (map.stale || map.count == 0)
        read_regions();
    const HearthRegion *region = find(address);
    if (again && (!region || !wanted(region))) {
        read_regions();
        region = find(address);
    }
    bool found = region && wanted(region);
    if (found)
        *ret_region = *region;
    pthread_mutex_unlock(&map.lock);
    return found;
}

static bool is_code(const HearthRegion *region)
{
    return region->code;
}

static bool is_writable(const HearthRegion *region)
{
    return region->writable;
}

static bool is_constant(const HearthRegion *region)
{
    return region->readable && !region->writable;
}

bool hearth_region_code(uint64_t address, HearthRegion *ret_region)
{
    return !hearth_cache_holds(address) && ask(address, is_code, true, ret_region);
}

bool hearth_writable(uint64_t address)
{
    HearthRegion region;
    return ask(address, is_writable, true, &region);
}

bool hearth_region_constant(uint64_t address)
{
    HearthRegion region;
    return ask(address, is_constant, false, &region);
}

bool hearth_region_refresh(void)
{
    uint64_t loads = hearth_region_loads();
    uint64_t known = __atomic_load_n(&map.loads, __ATOMIC_RELAXED);
    if (loads == known)
        return false;
    pthread_mutex_lock(&map.lock);
    map.stale = true;
    __atomic_store_n(&map.loads, loads, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&map.lock);
    return (uint32_t)loads != (uint32_t)known;
}
