/* Computes without end. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    for (volatile uint64_t i = 0;; i++)
        continue;
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.spin", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
