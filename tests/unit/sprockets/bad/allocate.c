/* Takes memory without end, and uses it. */
#include <stdlib.h>
#include <string.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    for (;;)
        memset(malloc(1 << 20), 1, 1 << 20);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.allocate", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
