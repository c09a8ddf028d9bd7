/* Gives a number out of range. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sprocket_put_uint(call, "image.orientation", 9);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.range", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
