/* Writes to a descriptor that is not its own. */
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    return write(5, "bad", 3) == 3 ? SPROCKET_OK : SPROCKET_FAILED;
}

SPROCKET_EXPORT(.id = "test.bad.descriptor", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
