#include "tests/fuzz/photo-harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    photo_harness_run("preview", data, size);
    return 0;
}
