/* Aborts. */
#include <stdlib.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    abort();
}

SPROCKET_EXPORT(.id = "test.bad.abort", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
