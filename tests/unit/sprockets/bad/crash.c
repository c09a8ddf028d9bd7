/* Writes through a null pointer. */
#include <stddef.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    *(volatile int *)sprocket_param_uint(call, "nothing", 0) = 1;
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.crash", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
