/* Gives a number where the vocabulary has a text. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sprocket_put_uint(call, "camera.make", 7);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.types", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
