/* Has a table that points nowhere. */
#include "sprockets/sdk/sprocket.h"

const SprocketDescriptor sprocket_descriptor = {
    .api = SPROCKET_API, .id = "test.bad.table", .version = "1", .hooks = (const void *)64};
