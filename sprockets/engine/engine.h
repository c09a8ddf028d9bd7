#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The rollback engine: runs native code in the calling thread so that nothing it does remains.
 *
 * The code runs by dynamic binary instrumentation: every basic block is translated before its first
 * run, its stores go to memory that is private to the call or to overlay pages, its system calls
 * to a table that decides about each. When the call ends, however it ends, all of that is dropped. A call
 * may use libc, any library and the host's own code, all of which see the process as it is.
 *
 * The idea of a call that is rolled back even when it succeeds is that of Sprockets (Peek et al.,
 * USENIX ATC 2007). docs/engine.md explains how it works and what it does not protect.
 *
 * Threads: any thread may call; calls of several threads run in parallel. The first call of a
 * thread gives it a slot: private memory, kept until the thread ends. Asynchronous signals are blocked
 * while a call is in progress, by two system calls if the thread does not block them anyway (which is looked
 * at in its first call and again after hearth_engine_rest).
 *
 * x86-64 Linux only. libc and Zydis, no GLib.
 */

/** How a call ended. */
typedef enum {
    HEARTH_ENGINE_RETURNED,      /* the entry returned; `value` is what it returned */
    HEARTH_ENGINE_REFUSED,       /* it did what is not allowed; rule "system call socket", "exit" */
    HEARTH_ENGINE_FAULTED,       /* rule is the name of the signal */
    HEARTH_ENGINE_TIMED_OUT,     /* rule "cpu-time" or "wall-time" */
    HEARTH_ENGINE_OUT_OF_MEMORY, /* private memory or overlay pages: rule "memory", "overlay" */
    HEARTH_ENGINE_CONFLICT,      /* another thread kept changing what it read, or held a lock */
    HEARTH_ENGINE_ESCAPED,       /* it jumped to what is not code of a file, or out of its stack */
    HEARTH_ENGINE_UNSUPPORTED,   /* an instruction that is not in the table: rule has its bytes */
    HEARTH_ENGINE_OUTCOMES       /* count, not an outcome */
} HearthEngineOutcome;

/** A stable word: "returned", "timed-out". */
const char *hearth_engine_outcome_word(HearthEngineOutcome outcome);

/** Bounds of one call; a zero stands for the default named at each. */
typedef struct {
    uint32_t cpu_ms;        /* processor time: 5,000 */
    uint32_t wall_ms;       /* 10,000 */
    uint64_t memory;        /* bytes of private memory, stack included: 256 MiB; at most 900 MiB */
    uint32_t overlay_pages; /* pages of foreign memory it may store to: 1,024 */
    uint32_t descriptors;   /* files it may have open at a time: 16 */
    uint64_t emit_size;     /* bytes: 16 MiB */
    uint32_t log_size;      /* bytes written to standard output and error: 4,096 */
    uint32_t tries;         /* how often a call in conflict is run: 3 */
} HearthEngineLimits;

/** What a call may reach beyond its memory. Strings and arrays are borrowed for the call. */
typedef struct {
    const char *const
        *folders; /* it may open regular files in and below these; NULL or ends with NULL */
    const int *descriptors; /* regular files it may read by number, positions kept apart */
    uint32_t descriptor_count;
    bool validate_reads; /* every read of writable foreign memory is checked again at the end */
} HearthEnginePolicy;

/** Classes of stores, as counted in the code that was translated for a call (sites, not executions). */
typedef struct {
    uint64_t stack;   /* by the stack pointer: unchecked */
    uint64_t thread;  /* thread-local: unchecked */
    uint64_t checked; /* compared with the private window */
    uint64_t foreign; /* known to be outside of it: always redirected */
} HearthEngineStores;

typedef struct {
    uint64_t instructions; /* translated for this call */
    uint64_t blocks;       /* translated for this call */
    HearthEngineStores stores;
    uint32_t overlay_pages; /* pages of foreign memory redirected */
    uint32_t system_calls;  /* made by the call */
    uint32_t redirected;    /* accesses that went through the overlay */
    uint32_t tries;         /* 1, or more after conflicts */
    uint64_t memory;        /* bytes of private memory committed */
    uint64_t emitted;       /* bytes */
} HearthEngineStats;

#define HEARTH_ENGINE_ARGUMENTS 4

/** What is told of a call as it goes on, to who debugs it. */
typedef enum {
    HEARTH_ENGINE_TRANSLATED, /* code at `pc` is about to run for the first time since the last flush */
    HEARTH_ENGINE_REDIRECTED, /* the instruction at `pc` stores to foreign memory at `address`: the first store to that page */
    HEARTH_ENGINE_SYSTEM_CALL, /* `name` gave `value`; a negative one is an error */
    HEARTH_ENGINE_LOCKED,      /* the call holds the host's lock at `address` */
    HEARTH_ENGINE_AGAIN, /* in conflict: the call is run again; `value` tries have been made */
} HearthEngineEventKind;

typedef struct {
    HearthEngineEventKind kind;
    uint64_t pc;
    uint64_t address;
    const char *name; /* NULL: none */
    int64_t value;
} HearthEngineEvent;

typedef struct HearthEngineInstance HearthEngineInstance;
typedef struct HearthEngineCall HearthEngineCall;

struct HearthEngineCall {
    uint64_t entry; /* address of the function; arguments and result are integers or pointers */
    uint64_t arguments[HEARTH_ENGINE_ARGUMENTS];
    const HearthEngineLimits *limits; /* NULL: defaults */
    const HearthEnginePolicy *policy; /* NULL: nothing but memory */
    HearthEngineInstance *instance;   /* NULL: none */
    /* Receives what the call gives to hearth_engine_emit; false ends the call. NULL: nothing is taken. */
    bool (*emit)(void *data, const void *bytes, size_t length);
    void *emit_data;
    /* Told of what happens, between two instructions of the call; NULL: nobody is. */
    void (*trace)(void *data, const HearthEngineEvent *event);
    void *trace_data;
    /* Called before each try: prepares the area anew. NULL: the area is kept as it was before the first. */
    void (*prepare)(void *data, void *area);
    void *prepare_data;
};

typedef struct {
    HearthEngineOutcome outcome;
    uint64_t value; /* RETURNED */
    uint64_t pc;    /* of the instruction at fault; 0: not known */
    char rule[96];
    char symbol[128];   /* "photo.so:read_tag+0x12"; "" */
    char log[4096 + 1]; /* what it wrote to standard output and error, cut to its limit */
    uint32_t log_size;
    HearthEngineStats stats;
} HearthEngineResult;

/** True where this processor and kernel can run the engine; else `ret_reason` says what is missing. */
bool hearth_engine_available(const char **ret_reason);

/** Makes the engine ready; done by the first use of it, too. False with errno. */
bool hearth_engine_init(void);

/** Bytes of the area. */
#define HEARTH_ENGINE_AREA_SIZE ((size_t)512 * 1024)

/**
 * This thread's area: private memory at a fixed address in which the host lays out what a call is
 * given by pointer, and finds what the call left. Zeroed by this function; valid until the next
 * use of it in this thread. NULL: no memory for a slot (errno).
 */
void *hearth_engine_area(void);

/**
 * Runs `call` and rolls it back. The area keeps what the call left in it. `ret_result` is filled
 * whatever happens. Not to be called from within a call.
 */
void hearth_engine_run(const HearthEngineCall *call, HearthEngineResult *ret_result);

/**
 * For code that runs under the engine: hands bytes to the host. False if the host took nothing. Without
 * a call in progress, false.
 */
bool hearth_engine_emit(const void *bytes, size_t length);

/**
 * The writable data of the object (its .data and .bss) that `address` lies in, as it is now. A call that is given
 * it stores there directly, and finds it as it is now; it is restored after the call. At most one call at
 * a time may have it: the host loads one copy of an object for each call that is to run at the same
 * time. Stores to data of which a call has no instance go to overlay pages, which is slower. NULL with errno.
 */
HearthEngineInstance *hearth_engine_instance_new(const void *address);
void hearth_engine_instance_free(HearthEngineInstance *instance);
/** Bytes of the data. */
size_t hearth_engine_instance_size(const HearthEngineInstance *instance);

/**
 * This thread makes no calls for a while: takes down the second wall, which makes its system calls slower.
 * The next call raises it again.
 */
void hearth_engine_rest(void);

/**
 * Translates the function at `address` and what it leads to by direct branches, at most `most` blocks, so that its first
 * call need not. How many were made. Not within a call.
 */
size_t hearth_engine_warm(uint64_t address, size_t most);

/** Drops all translations; waits for calls in progress. For use before a library is unloaded. */
void hearth_engine_flush(void);

/** "photo.so:read_tag+0x12" for an address of the process; "" if no object has it. */
void hearth_engine_symbol(uint64_t address, char *text, size_t size);

/** Saves the translations of all objects to `path` by way of a temporary file. False with errno. */
bool hearth_engine_save(const char *path);

/**
 * Takes over the translations of `path` whose objects are loaded now and are the same (build id),
 * made by this version of the engine on a processor with the same features. The number of blocks taken; -1 with errno.
 */
long hearth_engine_load(const char *path);

/** Bytes of code in the cache, and how many blocks. */
void hearth_engine_usage(size_t *ret_code_bytes, size_t *ret_blocks);
