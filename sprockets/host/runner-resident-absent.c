#include "sprockets/host/runner-private.h"

#include <stdio.h>

/* For builds without the engine. */
int hearth_resident_main(void)
{
    fprintf(stderr, "hearth-sprocket: this build is without the rollback engine\n");
    return 2;
}
