/* Puts more than a result may hold. */
#include <string.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    static char text[16000];
    char key[] = "text.a";
    memset(text, 'x', sizeof text - 1);
    for (; key[5] <= 'z'; key[5]++)
        sprocket_put_string(call, key, text);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.huge", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
