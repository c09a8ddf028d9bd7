/* Starts a process. */
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    return fork() == 0 ? SPROCKET_OK : SPROCKET_FAILED;
}

SPROCKET_EXPORT(.id = "test.bad.fork", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
