/* Gives one key twice. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sprocket_put_uint(call, "image.width", 7);
    sprocket_put_uint(call, "image.width", 8);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.twice", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
