/* Gives a key that nobody knows. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sprocket_put_uint(call, "image.weight", 7);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.unknown", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
