/* Recurses without end. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    volatile char block[4096];
    block[0] = (char)call->api;
    return hook(call) + block[0];
}

SPROCKET_EXPORT(.id = "test.bad.recurse", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
