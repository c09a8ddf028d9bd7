/* A call that does nothing. */
#include "tests/unit/sprockets/engine/guest/guest.h"

GUEST(do_nothing)
{
    return 0;
}
