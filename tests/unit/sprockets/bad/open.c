/* Opens a file. */
#include <fcntl.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? SPROCKET_OK : SPROCKET_FAILED;
}

SPROCKET_EXPORT(.id = "test.bad.open", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
