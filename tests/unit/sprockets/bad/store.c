/* Writes into its input, which is read-only. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    *(volatile unsigned char *)(uintptr_t)sprocket_input(call)->data = 1;
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.store", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
