#pragma once

/**
 * For every variable of the engine that changes: they stand together, so that the proofs can tell the engine's own books from
 * memory of the host, which a call must leave as it was.
 */
#define HEARTH_STATE __attribute__((section("hearth_state")))
