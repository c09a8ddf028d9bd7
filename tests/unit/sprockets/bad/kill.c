/* Signals another process: with signal 0, so that it harms nobody even where it is not stopped. */
#include <signal.h>
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    return kill(1, 0) == 0 ? SPROCKET_OK : SPROCKET_FAILED;
}

SPROCKET_EXPORT(.id = "test.bad.kill", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
