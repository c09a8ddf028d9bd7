#pragma once

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "sprockets/engine/context-private.h"
#include "sprockets/engine/engine.h"
#include "sprockets/engine/overlay-private.h"

/**
 * What one thread has for its calls, outside of anything a call can store to.
 *
 * Gates run C code on the host's stack with the host's own thread-local storage, so they may use libc; those
 * that run between two instructions of the call and keep no vector registers (memory.c, overlay.c, lookup
 * of fragments) are compiled for general registers only and call nothing of libc.
 */

#define HEARTH_SIGNAL_STACK ((size_t)64 * 1024) /* bytes */
#define HEARTH_DESCRIPTORS_MAX 64
#define HEARTH_HELD_LOCKS_MAX 16
#define HEARTH_MAPPINGS_MAX 64

/** A file that a call has opened, or was given, by the number that the call knows it by. */
typedef struct {
    int number;      /* as the call sees it; -1: free */
    int descriptor;  /* ours; duplicates share it. -1: a given one that the call has closed */
    bool given;      /* by the host: not closed at the end */
    mode_t mode;     /* 0: not asked yet, nor the size */
    uint64_t size;   /* bytes */
    uint64_t offset; /* of the next read: kept here, so that the host's does not move */
} HearthOpenFile;

/** A lock of the host that a call has taken; it is really taken and released at the end. */
typedef struct {
    void *lock;
    void (*release)(void *lock);
    unsigned
        depth;   /* how often the call holds it; 0: given back, kept until the end all the same */
    bool shared; /* read lock */
} HearthHeldLock;

typedef struct {
    uint64_t start, end;
} HearthMapping;

/** Private memory that is committed as it is touched. */
typedef struct {
    uint64_t start;     /* address of its first byte; of a stack the address after its last */
    uint64_t size;      /* bytes at most */
    uint64_t committed; /* bytes from the start */
    uint64_t least;     /* bytes that are always committed */
    bool down;          /* it is a stack */
} HearthZone;

enum { HEARTH_ZONE_STACK, HEARTH_ZONE_AREA, HEARTH_ZONE_ARENA, HEARTH_ZONES };

#define HEARTH_THREAD_MODULES 64

/** Thread-local storage of one object that was made apart from the control block. */
typedef struct {
    uint64_t number; /* of the module */
    uint64_t size;   /* bytes */
    uint64_t block;  /* the host's */
} HearthThreadModule;

/** How a thread's own storage is laid out, and so its copy (thread.c). */
typedef struct {
    uint64_t below;   /* bytes of static storage below the control block */
    uint64_t above;   /* bytes of the control block */
    uint64_t dynamic; /* bytes that the modules take, below that */
    uint64_t low;     /* address of the lowest byte that is committed; 0: not measured */
    uint64_t loads;   /* of objects, by this process, when it was measured */
    HearthThreadModule modules[HEARTH_THREAD_MODULES];
    uint32_t module_count;
} HearthThread;

/** An access that crosses pages is made to a buffer; afterwards it goes to the frames. */
typedef struct {
    uint64_t address; /* 0: nothing to write back */
    uint32_t size;    /* bytes */
    uint64_t buffer;  /* where it was made */
    bool absent[2];   /* the part falls on no memory: by a mask it was left out */
} HearthPending;

/** Whether signals from outside reach the thread; looked at in its first call and after hearth_engine_rest. */
typedef enum {
    HEARTH_SIGNALS_UNKNOWN,
    HEARTH_SIGNALS_BLOCKED, /* by the host: nothing is to be done */
    HEARTH_SIGNALS_OPEN,    /* the engine blocks them for each call */
} HearthSignals;

/** The second wall in this thread. */
typedef enum {
    HEARTH_WALL_LOWERED,
    HEARTH_WALL_NEVER, /* the kernel has no such thing */
    HEARTH_WALL_RAISED,
} HearthWall;

typedef enum {
    HEARTH_RUNNING_NO,   /* no call in progress */
    HEARTH_RUNNING_CALL, /* in translated code, or in a gate */
} HearthRunning;

struct HearthSlot {
    HearthContext *context;
    char *base;
    pid_t thread;
    uint64_t host_thread; /* the host's own fs base */
    HearthSlot *next;     /* all slots; under the lock of slot.c */
    _Atomic bool in_use;  /* by a thread */
    HearthWall wall;
    HearthSignals signals;
    sigset_t mask;      /* of the thread, while the engine blocks signals */
    void *signal_stack; /* ours; NULL: the thread has one of its own */

    /* The call in progress. */
    _Atomic int running;       /* HearthRunning */
    _Atomic uint64_t sequence; /* of calls, for the monitor */
    _Atomic int expired; /* set by the monitor before it signals: 1 wall time, 2 processor time */
    uint64_t watched,
        seen;            /* the monitor's: sequence of the call that it times; of its last look */
    uint64_t started_ns; /* the monitor's: of the monotonic clock */
    uint64_t started_cpu_ns; /* the monitor's */
    const HearthEngineCall *call;
    HearthMapping instance;    /* data of its own */
    HearthEngineLimits limits; /* no zeros */
    HearthEnginePolicy policy;
    HearthEngineResult *result;
    HearthView view;
    HearthOverlay overlay;

    HearthZone zones[HEARTH_ZONES];
    uint64_t committed; /* bytes: of all zones and of what the call mapped */
    HearthThread storage;
    uint64_t epoch;        /* of the cache that the branch tables are of */
    HearthPending pending; /* a bounced store that is to be written back */
    uint64_t host_mxcsr;

    HearthOpenFile files[HEARTH_DESCRIPTORS_MAX];
    HearthHeldLock locks[HEARTH_HELD_LOCKS_MAX];
    unsigned lock_count;
    HearthMapping
        mappings[HEARTH_MAPPINGS_MAX]; /* what the call mapped, in the zone or outside the window */
    unsigned mapping_count;
    uint64_t emit_left; /* bytes */

    /* System calls: zero when a call begins, and again after hearth_syscall_end. */
    unsigned file_count;     /* entries of `files` in use, free ones between them included */
    uint64_t maps_low;       /* lowest address used of the zone of mappings; 0: none */
    uint64_t maps_committed; /* bytes mapped in that zone; part of `committed` */
    uint64_t random_count;   /* words of the fixed sequence handed out */

    uint64_t fault_pc; /* of gates: the instruction of the call that is being worked on */
};

/** This thread's slot, made at its first call; NULL with errno. */
HearthSlot *hearth_slot_of_thread(void);

/** This thread's slot or NULL; async-signal-safe. */
HearthSlot *hearth_slot_current(void);

/** Tells who traces the call, if anybody does. */
void hearth_slot_tell(HearthSlot *slot, const HearthEngineEvent *event);

/** Makes the private memory ready for a call: thread-local storage copied, limits filled in. */
void hearth_slot_begin(HearthSlot *slot);

/** Wipes all private memory but the area. */
void hearth_slot_end(HearthSlot *slot);

/** Wipes the area. */
void hearth_slot_wipe_area(HearthSlot *slot);

/** True if `address` lies in memory of the slot. */
bool hearth_slot_holds(const HearthSlot *slot, uint64_t address);

/** Forgets the addresses of the cache that the shadow holds: returns are looked up once more. */
void hearth_slot_forget_shadow(HearthSlot *slot);

/** A fault at `address`: commits more of the stack or the arena if it lies in one of them. False: it does not, or the limit is reached (`ret_limit`). */
bool hearth_slot_grow(HearthSlot *slot, uint64_t address, bool *ret_limit);

/** True if `address` lies in memory of the engine: slots, cache, tables, its own variables. */
bool hearth_engine_owns(uint64_t address);

/** All slots, for the monitor: the first; then by `next`. Slots are never freed. */
HearthSlot *hearth_slot_first(void);

/** Address of a part of the slot, by its HEARTH_SLOT_ offset. */
HEARTH_GENERAL_REGISTERS static inline uint64_t hearth_slot_at(const HearthSlot *slot,
                                                               uint64_t offset)
{
    return (uint64_t)slot->base + offset;
}

/** True if all of [address, address + size) is in the window. */
HEARTH_GENERAL_REGISTERS static inline bool hearth_slot_owns(const HearthSlot *slot,
                                                             uint64_t address, uint64_t size)
{
    uint64_t from = address - hearth_slot_at(slot, HEARTH_SLOT_WINDOW);
    return from < HEARTH_SLOT_WINDOW_SIZE && size <= HEARTH_SLOT_WINDOW_SIZE - from;
}

/** Ends the call for the limit that the monitor found passed. */
_Noreturn void hearth_slot_expire(HearthSlot *slot);

/** True if all of [address, address + size) is data of the call's own instance. */
HEARTH_GENERAL_REGISTERS static inline bool hearth_slot_has_data(const HearthSlot *slot,
                                                                 uint64_t address, uint64_t size)
{
    return address >= slot->instance.start && size <= slot->instance.end - slot->instance.start &&
           address <= slot->instance.end - size;
}

/**
 * Ends the call in progress from C code of a gate: does not return. `rule` is copied. The pc is that of the
 * instruction whose gate runs.
 */
_Noreturn void hearth_slot_abort(HearthSlot *slot, HearthEngineOutcome outcome, const char *rule);
