/* Reads its input for ever: somebody will cut it short. Good, if it is let be. */
#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    const SprocketInput *file = sprocket_input(call);
    for (;;)
        if (*(volatile const unsigned char *)&file->data[file->length - 1] == 255)
            return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.reread", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
