#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sprockets/engine/context-private.h"
#include "sprockets/engine/decode-private.h"

/**
 * The code cache: translated fragments, shared by all threads, and what is known of each.
 *
 * One memory file is mapped twice: executable and read-only where code runs, writable elsewhere for the translator alone.
 * The cache stands within two gigabytes of libc, so that most displacements of copied instructions still reach.
 *
 * A fragment is a superblock: instructions from one entry to the first jump that cannot be followed, with conditional
 * branches and calls going out of it on the way. It is written once and never changed, but for the four
 * bytes of each direct exit, which are linked to the target when that is there.
 *
 * Locks: one mutex for the translator; look-ups take none. What a look-up finds is never freed while
 * a call is in progress: hearth_cache_flush waits for calls to end.
 */

/** Why a fragment called a gate: the instruction, and where code goes on. */
typedef struct {
    HearthInsn insn; /* its pc is that of the process's instruction */
    uint64_t next;   /* pc of the instruction after it */
    uint64_t resume; /* in the cache: after the instruction */
    uint64_t native; /* in the cache: the instruction itself; 0: it has no copy */
    uint64_t
        bounce; /* in the cache: the instruction with its operand at context->bounce; 0: not made yet */
    uint64_t
        leave; /* in the cache: code of `next`, for a site that does not resume; 0: not known yet */
    uint64_t special; /* HearthSpecial of GATE_SPECIAL */
    uint8_t view;     /* HearthView */
    uint8_t scratch;  /* register that the bounce takes */
    bool
        leaves; /* code after it relies on its base being private: if it is not, other code goes on */
} HearthSite;

/** A direct branch out of a fragment. */
typedef struct {
    uint64_t target; /* in the process */
    uint64_t patch;  /* in the cache: four bytes, relative to their end */
    uint8_t view;
} HearthExit;

/** What in a fragment depends on where things are, for fragments taken over from a file. */
typedef enum {
    HEARTH_RELOCATION_RELATIVE, /* 4 bytes: value - (address of the field + 4 + trail) */
    HEARTH_RELOCATION_WHOLE,    /* 8 bytes: value */
    HEARTH_RELOCATION_LOW,      /* 4 bytes: low half of value */
    HEARTH_RELOCATION_HIGH,     /* 4 bytes: high half of value */
    HEARTH_RELOCATION_SITE, /* 4 bytes: number of a site; value counts from the fragment's first */
    HEARTH_RELOCATION_EXIT, /* 4 bytes: number of an exit; value counts from the fragment's first */
    HEARTH_RELOCATION_PATCH, /* nothing: the exit whose four bytes stand at offset `value` has its stub here */
} HearthRelocationKind;

typedef struct {
    uint16_t at; /* offset in the fragment's code */
    uint8_t kind;
    uint8_t trail;  /* bytes after the field that belong to its instruction */
    uint64_t value; /* address in the process, or what the kind says */
} HearthRelocation;

/** A slot of a table of functions (GOT) that the translation takes as constant. */
typedef struct {
    uint64_t slot;
    uint64_t value;
} HearthFold;

/** Where the code of an instruction begins. */
typedef struct {
    uint16_t code; /* offset in the fragment's code */
    uint16_t unused;
    uint32_t
        pc; /* offset from the fragment's lowest pc: what it was translated from may jump about */
} HearthPlace;

typedef struct HearthFragment HearthFragment;

struct HearthFragment {
    HearthFragment *next; /* with the same hash */
    uint64_t app;         /* entry in the process */
    uint64_t code;        /* in the cache: where direct branches enter */
    uint64_t
        branch_entry; /* where indirect ones enter: restores rax and rcx, then falls into `code` */
    uint32_t size;    /* bytes from branch_entry */
    uint8_t view;
    bool flags_live; /* it reads flags of before its entry: not for indirect branches */
    uint32_t first_site, site_count;
    uint32_t first_exit, exit_count;
    uint64_t lowest; /* pc that places count from */
    const HearthPlace *places;
    uint32_t place_count;
    const HearthRelocation *relocations;
    uint32_t relocation_count;
    const HearthFold *folds;
    uint32_t fold_count;
    uint32_t instructions;
    uint32_t stores[4]; /* stack, thread, checked, foreign */
};

/** Makes the cache; false with errno. */
bool hearth_cache_init(void);

/** The fragment of `app` in `view`, or NULL. No lock; general registers only. */
HearthFragment *hearth_cache_find(uint64_t app, HearthView view);

/**
 * The fragment, translated if it was not there (`ret_new`); NULL: `app` is no code that may run, or there is no room.
 * Takes the lock.
 */
HearthFragment *hearth_cache_translate(uint64_t app, HearthView view, bool *ret_new);

/** Translates without a call: for warming up. */
HearthFragment *hearth_cache_prepare(uint64_t app);

/** By the numbers that fragments hand to gates. */
HearthSite *hearth_cache_site(uint32_t number);
HearthExit *hearth_cache_exit(uint32_t number);

/** Links the exit to `code`. */
void hearth_cache_link(const HearthExit *exit, uint64_t code);

/** The code of `site` that runs its instruction with its operand at context->bounce; makes it if need be. 0: it cannot be made. */
uint64_t hearth_cache_bounce(HearthSite *site);

/** The first code of the cache: where a return goes whose shadow nobody wrote. */
uint64_t hearth_cache_lost_return(void);

/** True if `address` lies in code of the cache. */
bool hearth_cache_holds(uint64_t address);

/** The instruction that the code at `address` of the cache was made from; 0: none. */
uint64_t hearth_cache_pc(uint64_t address);

/** True if `address` lies in memory of the engine's own: cache, tables. */
bool hearth_cache_owns(uint64_t address);

/** Forgets all. No call is in progress. */
void hearth_cache_reset(void);
/** True if something did not fit: it is time for a reset. */
bool hearth_cache_is_full(void);
/** Counts resets: branch tables of slots are stale when it changes. */
uint64_t hearth_cache_epoch(void);

void hearth_cache_usage(size_t *ret_bytes, size_t *ret_fragments);

/* --- For the translator and for files of translations ------------------------------------------ */

/** Where the next fragment will stand; `ret_room` bytes. The lock is held. */
uint64_t hearth_cache_place(size_t *ret_room);
/** The same, at a place in its cache line like that of `address`. */
uint64_t hearth_cache_place_like(uint64_t address, size_t *ret_room);
void hearth_cache_lock(void);
void hearth_cache_unlock(void);
/** Numbers that the next sites and exits will get. */
uint32_t hearth_cache_next_site(void);
uint32_t hearth_cache_next_exit(void);

/** A fragment to be published; everything is copied. */
typedef struct {
    HearthFragment fragment; /* but code addresses and firsts */
    const uint8_t *code;
    uint32_t entry; /* offset of `code` after branch_entry */
    const HearthSite *sites;
    const HearthExit *exits;
} HearthDraft;

/** Publishes a draft at hearth_cache_place(); NULL: no room. */
HearthFragment *hearth_cache_publish(const HearthDraft *draft);

/** Calls `visit` for each fragment, under the lock. */
void hearth_cache_each(void (*visit)(const HearthFragment *fragment, void *data), void *data);
/** The writable alias of an address in the cache. */
uint8_t *hearth_cache_alias(uint64_t address);
