/* Prints, as libraries do, which must reach nobody and hurt nobody. */
#include <stdio.h>
#include <unistd.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    printf("bad: to standard output\n");
    fflush(stdout);
    if (write(1, "bad", 3) >= 0)
        return SPROCKET_FAILED;
    sprocket_put_uint(call, "image.width", 7);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.print", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
