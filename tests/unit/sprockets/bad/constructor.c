/* Crashes while it is loaded. */
#include "sprockets/sdk/sprocket.h"

__attribute__((constructor)) static void start(void)
{
    *(volatile int *)(uintptr_t)SPROCKET_OK = 1;
}

static int hook(SprocketCall *call)
{
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.constructor", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}));
