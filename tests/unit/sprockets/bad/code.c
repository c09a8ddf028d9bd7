/* Makes memory of its own executable. */
#include <sys/mman.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? SPROCKET_OK : SPROCKET_FAILED;
}

SPROCKET_EXPORT(.id = "test.bad.code", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
