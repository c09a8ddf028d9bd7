#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * Foreign memory as a call sees it: pages that it has stored to are frames of ours, copied from the host's page
 * at the first store and dropped at the end; all others are the host's own.
 *
 * Frames are never written back. To know that nobody changed under a call what it relied on, the words that it
 * read from writable foreign memory, from then on or from the start, are noted with the value seen and compared once
 * more at the end (value validation as in JudoSTM, PACT 2007).
 */

#define HEARTH_PAGE 4096u

typedef struct HearthSlot HearthSlot;

typedef struct {
    uint64_t page;     /* number: address / HEARTH_PAGE */
    uint8_t *bytes;    /* HEARTH_PAGE of them */
    uint64_t dirty[8]; /* by word of 8 bytes: stored to by the call */
} HearthFrame;

/** A word that was read from writable foreign memory, aligned to 8. */
typedef struct {
    uint64_t address;
    uint64_t value;
} HearthSeenWord;

#define HEARTH_OVERLAY_INDEX 8192 /* places of either table; a power of two */
#define HEARTH_OVERLAY_PAGES 4096 /* at most */
#define HEARTH_OVERLAY_WORDS 4096 /* noted at most */

typedef struct {
    HearthFrame *frames; /* in the order of the first stores */
    uint32_t count;
    uint8_t *pool;         /* memory of the frames */
    uint16_t *frame_index; /* by hash of the page: number of the frame, from 1; 0: free */
    HearthSeenWord *seen;
    uint32_t seen_count;
    uint16_t *seen_index;
    uint64_t redirected; /* accesses */
} HearthOverlay;

/** Makes its tables; false with errno. */
bool hearth_overlay_init(HearthOverlay *overlay);
/** Gives its memory back, also of one that could not be made whole. */
void hearth_overlay_clear(HearthOverlay *overlay);
/** True if `address` lies in its tables or frames. */
bool hearth_overlay_owns(const HearthOverlay *overlay, uint64_t address);
/** Empties it for the next call. */
void hearth_overlay_reset(HearthSlot *slot);

/** The frame of the page at `address`, or NULL: the host's page counts. General registers only. */
HearthFrame *hearth_overlay_frame(const HearthOverlay *overlay, uint64_t address);

typedef enum {
    HEARTH_OVERLAY_OK,
    HEARTH_OVERLAY_FAULT, /* the page is not mapped, or not writable: what a store would have met */
    HEARTH_OVERLAY_FULL,  /* the limit on pages */
} HearthOverlayStatus;

/** The frame of the page at `address`, copied from the host's page if there was none. */
HearthOverlayStatus hearth_overlay_ensure(HearthSlot *slot, uint64_t address,
                                          HearthFrame **ret_frame);

/**
 * Copies between our memory and the call's as the call sees it: the window, frames, and the host's pages.
 * False: some byte is not readable, or not writable; nothing is promised of the rest. `hearth_call_write` to foreign memory goes to frames.
 */
bool hearth_call_read(HearthSlot *slot, void *to, uint64_t from, uint64_t size);
bool hearth_call_write(HearthSlot *slot, uint64_t to, const void *from, uint64_t size);

/** A string of the call of at most `size` - 1 bytes; false: not readable, or longer. */
bool hearth_call_read_string(HearthSlot *slot, char *to, uint64_t from, uint64_t size);

/** The call stores to [address, address + size) of one frame. General registers only. */
void hearth_frame_mark(HearthFrame *frame, uint64_t address, uint64_t size);

/** Notes what is read at [address, address + size) if it is writable foreign memory. False: too much was noted. */
bool hearth_overlay_note_read(HearthSlot *slot, uint64_t address, uint64_t size);

/** The same of an access within one frame. General registers only. */
bool hearth_frame_note(HearthOverlay *overlay, const HearthFrame *frame, uint64_t address,
                       uint64_t size);

/** True if all that was noted still has the value seen. */
bool hearth_overlay_valid(const HearthOverlay *overlay);

/** Copies up to `size` bytes that may not be readable; the number copied. Faults inside are caught (fault.c). */
uint64_t hearth_copy_safely(void *to, const void *from, uint64_t size);
