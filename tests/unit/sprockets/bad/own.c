/* Has static data of its own, which every call finds as it was. Good; its other hook crashes after a while. */
#include "sprockets/sdk/sprocket.h"

static uint64_t calls[512]; /* more than the compiler's own few bytes */
static volatile unsigned turns;

static int hook(SprocketCall *call)
{
    for (unsigned i = 0; i < 512; i++)
        calls[i]++;
    sprocket_put_uint(call, "image.width", calls[511]);
    return SPROCKET_OK;
}

static int crash(SprocketCall *call)
{
    while (turns++ < 20 * 1000 * 1000)
        continue;
    *(volatile int *)sprocket_param_uint(call, "nothing", 0) = 1;
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.own", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", crash}));
