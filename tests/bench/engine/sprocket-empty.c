/* A sprocket whose hook does nothing: what is left is what Hearth does around a call. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "bench.empty", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-empty",
                                         .extensions = "empty"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}));
