#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * What the host shows to the misbehaviours of this folder, so that each can reach for it.
 *
 * A misbehaviour returns 0 if it saw what it should have seen, else the number of what it missed.
 * All of this belongs to test-misbehaviour.c; nothing of it may have changed after a call.
 */

#define VICTIM_WORDS 2048 /* of `heap` and `data`: four pages */

typedef struct Victim Victim;

struct Victim {
    void *nothing;                  /* NULL, which the compiler does not know */
    uint64_t *heap;                 /* allocated by the host */
    uint64_t *data;                 /* in the program's .data */
    uint64_t *shared;               /* a page of MAP_SHARED memory */
    uint64_t *mapped;               /* a page of a file, MAP_SHARED */
    char *pages;                    /* 64 MiB, never touched */
    char *edge;                     /* the end of two writable pages; the next is not mapped */
    const volatile char *truncated; /* a page of a file that has none */
    uint64_t counter;               /* a number that the host counts */
    uint64_t pair[2] __attribute__((aligned(16)));
    uint64_t references; /* when they are 0, `finalise` is called */
    void (*finalise)(Victim *victim);
    int finalised;         /* a descriptor that `finalise` closes */
    uint64_t *racing;      /* a word that another thread keeps changing */
    pthread_mutex_t *held; /* by another thread */
    pthread_mutex_t *free;
    jmp_buf *jump;       /* of a frame of the host */
    const char *folder;  /* in the policy */
    const char *file;    /* in it: 8,192 bytes of 'x' */
    const char *fifo;    /* in it; nobody has it open */
    const char *outside; /* a file that the policy does not name */
    const char *library; /* of this folder, not loaded */
    void *handle;        /* of dlopen, for the misbehaviour's own object */
    int given;           /* a descriptor of `file` in the policy; its position is 100 */
    int descriptor;      /* a descriptor of `file` that is not; its position is 200 */
    uint64_t cache;      /* an address of translated code; 0: there is none */
    uint64_t engine;     /* of hearth_engine_run */
    uint64_t context;    /* the engine's own memory of this thread */
    uint64_t secret;
    int pid; /* the true one */
    bool (*emit)(const void *bytes, size_t length);
};
