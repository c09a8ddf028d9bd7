/* Was built for a header that does not exist yet. */
#include "sprockets/sdk/sprocket.h"

const SprocketDescriptor sprocket_descriptor = {
    .api = SPROCKET_API + 1, .id = "test.bad.newer", .version = "1"};
