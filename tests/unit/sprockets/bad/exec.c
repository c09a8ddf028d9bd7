/* Starts a program. */
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    execl("/bin/true", "true", (char *)NULL);
    return SPROCKET_FAILED;
}

SPROCKET_EXPORT(.id = "test.bad.exec", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
