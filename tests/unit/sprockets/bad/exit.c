/* Ends the process and says that all is well. */
#include <stdlib.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sprocket_put_uint(call, "image.width", 7);
    exit(0);
}

SPROCKET_EXPORT(.id = "test.bad.exit", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
