/* Counts its calls in a static variable: every call is the first. Good. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    static uint64_t calls;
    sprocket_put_uint(call, "image.width", ++calls);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.count", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
