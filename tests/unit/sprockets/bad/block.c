/* Waits for a lock that it holds itself. */
#include <pthread.h>

#include "sprockets/sdk/sprocket.h"

static int hook(SprocketCall *call)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&lock);
    return SPROCKET_OK;
}

SPROCKET_EXPORT(.id = "test.bad.block", .version = "1",
                .types = SPROCKET_TYPES({.media_type = "application/x-bad", .extensions = "bad"}),
                .hooks = SPROCKET_HOOKS({"metadata", hook}, {"preview", hook}));
