/* Emits without end. */
#include <string.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    static char block[65536];
    memset(block, 1, sizeof block);
    while (sprocket_emit(call, block, sizeof block))
        continue;
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.emit", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
