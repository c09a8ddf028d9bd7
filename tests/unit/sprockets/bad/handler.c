/* Tries to outlive its own crash. */
#include <signal.h>
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    signal(SIGSEGV, SIG_IGN);
    *(volatile int *)sprocket_param_uint(call, "nothing", 0) = 1;
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.handler", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
