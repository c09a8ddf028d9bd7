#pragma once

#include "devices/device.h"
#include "gateway/template.h"

/**
 * What an import does with the objects of one folder of a device: what is taken, what belongs
 * together, where it goes. One pure function, without any state, device or store, so that it can be
 * tried on a table and so that a device sprocket can take its place.
 *
 * It is asked twice. First with the listing alone: that says what to fetch and what belongs
 * together. Then again for the members of one group, with the facts that reading them brought: that
 * says where they go. The answer to "what belongs together" is the same both times.
 */

/** What a file is, by its name. */
typedef enum {
    HEARTH_MEDIA_OTHER,
    HEARTH_MEDIA_PHOTO,
    HEARTH_MEDIA_RAW,
    HEARTH_MEDIA_VIDEO,
    HEARTH_MEDIA_AUDIO,
    HEARTH_MEDIA_SIDECAR, /* says something of a picture; alone it is worth little */
} HearthMedia;

/** The kind by the extension of `name`; its media type in `ret_type` (static, NULL: not known). */
HearthMedia hearth_media_of_name(const char *name, const char **ret_type);

/** A moment, as a camera or a file states it. */
typedef struct {
    gboolean known;
    int year, month, day, hour, minute, second; /* on the wall where it was taken */
    int nanosecond;
    gboolean has_offset;
    int offset; /* seconds east of UTC; valid with has_offset */
} HearthMoment;

/** From the vocabulary's time.taken; `known` is FALSE for what is none, or is not plausible. */
HearthMoment hearth_moment_from_text(const char *text);
/** From an object's file time: as it stands on the device's wall, or in this machine's zone when
 * it is a true time. */
HearthMoment hearth_moment_from_object(const HearthDeviceObject *object);
/** Nanoseconds since 1970: exact with an offset, else as if the wall were this machine's. */
gint64 hearth_moment_to_ns(const HearthMoment *moment);

/** What reading a file brought; NULL and 0 mean "not known". Strings are borrowed. */
typedef struct {
    HearthMoment taken;
    const char *make, *model;
    const char *artist, *album, *title, *genre;
    guint track;
} HearthPlanFacts;

typedef struct {
    const HearthDeviceObject *object; /* all in one folder */
    const HearthPlanFacts *facts;     /* (nullable): not read, or nobody understands it */
} HearthPlanInput;

typedef struct {
    const HearthTemplate *template; /* for all but music */
    const HearthTemplate *music;
    const char *device;        /* for {device} */
    const char *const *filter; /* words (photos raw video audio sidecars other), globs of the name,
                                  and either of them after '!' to leave out; empty: all */
    gboolean everything;       /* also what is neither media nor under DCIM: a folder that a person
                                  named, as against a phone with all that lies about on it */
} HearthPlanRules;

typedef struct {
    gboolean take;
    const char *reason; /* static; why not, when not taken */
    HearthMedia media;
    guint group;         /* members share folder and number; groups count from 0 */
    char *folder;        /* where it goes, NULL when not taken */
    char *stem;          /* of the name, for hearth_plan_name() */
    char *tail;          /* the rest of it: ".JPG", ".CR2.xmp" */
    HearthMoment moment; /* when the group was taken */
} HearthPlanItem;

typedef struct {
    HearthPlanItem *items; /* one for each input, in its order */
    gsize count;
    guint groups;
} HearthPlan;

/** `inputs` are the objects of one folder, files alone. */
HearthPlan *hearth_plan_make(const HearthPlanRules *rules, const HearthPlanInput *inputs,
                             gsize count);
void hearth_plan_free(HearthPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthPlan, hearth_plan_free)

/** The name of a taken item when its group has the number `number` (1: no suffix). */
char *hearth_plan_name(const HearthPlanItem *item, guint number);
