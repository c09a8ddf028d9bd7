#pragma once

#include "namespace/content-engine.h"
#include "namespace/content-marks.h"
#include "namespace/content-pins.h"
#include "namespace/content-private.h"

/** What contents, writers and readers share inside. */
typedef struct HearthCheckedBlocks HearthCheckedBlocks;

struct HearthContents {
    HearthContentEngine *engine;
    HearthContentPins *pins;
    HearthContentMarks *marks;
    HearthCheckedBlocks *checked;
    int spool;        /* folder descriptor; holds the lock of the spool if we got it */
    char *spool_name; /* for messages */
    gint serial;      /* atomic; of the last spool file */
};

/** A finished content in the spool. */
struct HearthStagedContent {
    HearthContents *contents; /* borrowed */
    HearthContentId id;       /* pinned unless none */
    gint64 size;
    int fd;
    char *name;       /* in the spool; NULL when it is known or published */
    GByteArray *list; /* encoded block list; NULL unless more than one block */
    gboolean known;
};

/** Which blocks this process has checked (content-reader.c). */
HearthCheckedBlocks *hearth_checked_blocks_new(void);
void hearth_checked_blocks_free(HearthCheckedBlocks *blocks);
/** Whoever opens `id` from now on checks it anew: its file is another. */
void hearth_checked_blocks_forget(HearthCheckedBlocks *blocks, const HearthContentId *id);

/** The valid kept list, or NULL without `error` if there is none or it is damaged. */
HearthBlockList *hearth_contents_kept_list(HearthContents *contents, const HearthContentId *id,
                                           GError **error);

/** The list of a reader's content, NULL if it was not kept (one block, or not known yet). */
const HearthBlockList *hearth_content_reader_list(const HearthContentReader *reader);
