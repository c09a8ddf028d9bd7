#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * The objects that are loaded, by their build ids: an address in one means the same in every process that has loaded it.
 */

#define HEARTH_MODULES_MAX 512
#define HEARTH_BUILD_ID 20 /* bytes at most */
#define HEARTH_NO_MODULE 0xFFFFFFFFu

typedef struct {
    uint8_t build_id[HEARTH_BUILD_ID]; /* all zero: it has none, and no address in it counts */
    uint64_t base;                     /* what its addresses count from */
    uint64_t start, end;
} HearthModule;

typedef struct {
    HearthModule modules[HEARTH_MODULES_MAX];
    uint32_t count;
} HearthModules;

/** Fills in what is loaded now; the first is the program itself. */
void hearth_modules_read(HearthModules *modules);

/** The module that `address` lies in; HEARTH_NO_MODULE: none with a build id. */
uint32_t hearth_modules_find(const HearthModules *modules, uint64_t address);

/** The module with that build id. */
uint32_t hearth_modules_match(const HearthModules *modules, const uint8_t *build_id);
