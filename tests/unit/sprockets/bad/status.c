/* Returns what is no status. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    return 42;
}

SPROCKET_EXPORT(.id = "test.bad.status", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
