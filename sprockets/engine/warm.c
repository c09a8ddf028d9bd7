#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/engine.h"
#include "sprockets/engine/overlay-private.h"
#include "sprockets/engine/translate-private.h"

/* Fragments that are still to be looked at for where they lead; the oldest first. */
#define QUEUE 4096

/* Through the stub of a table of functions, to what it holds now. */
static uint64_t behind_stub(uint64_t address)
{
    uint64_t slot = hearth_trace_slot(address), value = 0;
    if (!slot || hearth_copy_safely(&value, (const void *)slot, sizeof value) != sizeof value)
        return address;
    return value;
}

size_t hearth_engine_warm(uint64_t address, size_t most)
{
    uint64_t queue[QUEUE];
    size_t first = 0, last = 0, made = 0, before, after, bytes;
    if (!hearth_engine_init())
        return 0;
    queue[last++] = address;
    while (first < last && made < most) {
        hearth_engine_usage(&bytes, &before);
        const HearthFragment *fragment = hearth_cache_prepare(behind_stub(queue[first++]));
        hearth_engine_usage(&bytes, &after);
        made += after - before;
        /* One that was there has been followed, by this or an earlier warming. */
        for (uint32_t i = 0; fragment && after > before && i < fragment->exit_count; i++)
            if (last < QUEUE)
                queue[last++] = hearth_cache_exit(fragment->first_exit + i)->target;
    }
    return made;
}
