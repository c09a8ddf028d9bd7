#pragma once

#include "tests/bench/engine/work.h"

/**
 * The measurements: each prints lines of JSON (series.h). What is compared takes turns in one process, and the
 * second wall of the engine, which makes system calls slower, is taken down before anything native.
 */

/** `native` and `engine`. */
void measure_warm(const Work *work);

/** `native` alone, without the engine: for Valgrind. */
void measure_native(const Work *work);

/** An empty call: `run`; `area`, with what hands it its area; `validating`, with its reads checked again. */
void measure_empty(void);

/** `engine`, and `fork`: a child for each call, while the process has `megabytes` resident. */
void measure_fork(const Work *work, guint megabytes);

/** `fork` in a process that has never used the engine, whose mappings a fork copies, too. */
void measure_fork_bare(const Work *work, guint megabytes);

/** `engine`, and `worker`: the same call in a process that stays, which it is asked for by a futex. */
void measure_worker(const Work *work);

/** Calls a second: `engine-1`, `engine-2`, `native-1`, `native-2`, by the number of threads. */
void measure_threads(const Work *work);

/** `first` and `second` call of a process; with a `cache` also `load`, and `blocks` taken from it. */
void measure_cold(const Work *work, const char *cache);

/** What the engine counts in a warm call (HearthEngineStats), and what it translated for the first. */
void measure_stats(const Work *work);

/** Fills `cache` with the translations of the work. */
void measure_save(const Work *work, const char *cache);

/**
 * `resident`: bytes that became resident for each of eight threads that made calls of both works at the same time;
 * `private`: the most that a call of them had, much of which is given back at its end.
 */
void measure_memory(void);

/** `sprockets` and `works`: bytes of translated code once the standard sprockets, then also the works were run. */
void measure_code(void);

/** An empty sprocket by way of the host: `direct`, `rollback`, `fork`. */
void measure_host(void);
