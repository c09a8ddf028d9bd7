#pragma once

#include <stdint.h>

/** Address of a function of the kernel's vDSO, "__vdso_time"; 0: there is none. Any thread. */
uint64_t hearth_vdso_find(const char *name);
