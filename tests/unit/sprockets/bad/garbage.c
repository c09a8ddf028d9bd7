/* Gives bytes that are no UTF-8. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sprocket_put_string(call, "text.title", "\xff\xfe");
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.garbage", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
