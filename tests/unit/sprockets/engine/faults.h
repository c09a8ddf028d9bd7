#pragma once

#include <glib.h>

#include "tests/unit/sprockets/engine/runner.h"

/**
 * What the tests of faults share: calls that are watched, and what may come of them. For one thread, that which called
 * faults_start.
 */

#define FAULTS_GUESTS "HEARTH_ENGINE_GUESTS"
#define KIBIBYTE ((guint64)1 << 10)
#define MEBIBYTE ((guint64)1 << 20)
#define PAGE 4096
#define FAILED ((guint64)1 << 32) /* of guest/faults.c, beside what errno was */
#define LIBRARY "list_exif"

/* Outcomes, as bits. */
#define RETURNED (1u << HEARTH_ENGINE_RETURNED)
#define REFUSED (1u << HEARTH_ENGINE_REFUSED)
#define FAULTED (1u << HEARTH_ENGINE_FAULTED)
#define TIMED_OUT (1u << HEARTH_ENGINE_TIMED_OUT)
#define OUT_OF_MEMORY (1u << HEARTH_ENGINE_OUT_OF_MEMORY)

/** Objects with functions for calls: guest/faults.c, and the one of all tests. */
extern void *faults_guest, *faults_basic;

/** Of the last call; the memory oracle leaves it out. */
extern HearthEngineResult faults_result;

/** Loads the objects and makes the engine ready; FALSE: it cannot run here, and the program is skipped. */
gboolean faults_start(void);

/** A call with this thread's area, cleared, as its first argument. */
HearthEngineCall faults_call(void *object, const char *function, guint64 first, guint64 second);

/** Runs the call, with all writable memory of the process looked at before and after it. */
void faults_run_watched(const HearthEngineCall *call);

/** Asserts that nothing has changed meanwhile. */
void faults_assert_unchanged(const char *name);

/**
 * Asserts that too, and one of the outcomes. `value`: what it returns if nothing is in its way; FAILED, with any
 * errno, if something was. Libraries leave out what they have no memory for: LIBRARY may return less.
 */
void faults_assert_one_of(const char *name, guint outcomes, guint64 value);

/** Asserts that another call gives what it should. Any thread. */
void faults_assert_next_is_right(void);

/** What the call gives without limits, which is what it gives natively. */
guint64 faults_right_value(const HearthEngineCall *call);
