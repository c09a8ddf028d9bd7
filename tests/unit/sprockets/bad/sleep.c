/* Asks the system to sleep. */
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    sleep(1);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.sleep", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
