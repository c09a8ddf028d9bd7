#include "gateway/plan.h"

#include <fnmatch.h>
#include <string.h>

#define NO_GROUP G_MAXUINT

static const char SKIP_SYSTEM[] = "kept by a system for itself";
static const char SKIP_INDEX[] = "an index the camera keeps for itself";
static const char SKIP_APP[] = "an app's own data";
static const char SKIP_FILTER[] = "not among what import.filter takes";
static const char SKIP_FOREIGN[] = "no picture, video or sound, and not under DCIM";

/* Folders and files whose whole business is a system's own; compared without case. */
static const char *const SYSTEM_FOLDERS[] = {
    ".Trashes",
    ".Trash-*",
    ".Spotlight-V100",
    ".fseventsd",
    ".TemporaryItems",
    ".thumbnails",
    ".thumbdata*",
    "System Volume Information",
    "$RECYCLE.BIN",
    "RECYCLER",
    "LOST.DIR",
    "lost+found",
    "@eaDir",
    "FOUND.???",
    NULL,
};
static const char *const SYSTEM_FILES[] = {
    "._*",         ".DS_Store",      "Thumbs.db", "ehthumbs*.db",          "desktop.ini",
    ".nomedia",    ".thumbdata*",    ".hidden",   ".metadata_never_index", "IndexerVolumeGuid",
    ".picasa.ini", "WPSettings.dat", NULL,
};
/* What cameras write beside the pictures to find them again themselves. */
static const char *const INDEX_FILES[] = {
    "*.ctg",      "autprint.mrk", "indx*.ind",  "*.bdm", "*.cpi", "*.mpl",
    "*.bnp",      "*.int",        "*.tid",      "*.tdt", "*.ini", "*.dsc",
    "nikon*.dat", "leica*.dat",   "status.bin", NULL,
};

typedef struct {
    const char *name; /* last part of the path; borrowed */
    char *key;        /* what its group has in common */
    const char *folder_reason;
    gboolean burst;
} Draft;

typedef struct {
    const HearthPlanRules *rules;
    const HearthPlanInput *inputs;
    HearthPlan *plan;
    Draft *drafts; /* one for each input */
} Planner;

static gboolean end_fits(char pattern, char name)
{
    return strchr("*?[]", pattern) || g_ascii_tolower(pattern) == g_ascii_tolower(name);
}

/* fnmatch makes wide characters of the name for each pattern: the first and the last character rule
 * nearly all of them out before. */
static gboolean matches(const char *const *patterns, const char *name)
{
    gsize length = strlen(name);
    for (; length > 0 && *patterns; patterns++) {
        const char *pattern = *patterns;
        if (end_fits(pattern[0], name[0]) &&
            end_fits(pattern[strlen(pattern) - 1], name[length - 1]) &&
            fnmatch(pattern, name, FNM_CASEFOLD) == 0)
            return TRUE;
    }
    return FALSE;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* --- What is taken ----------------------------------------------------------------------------- */

/* Why nothing of the folder of `path` is taken; NULL when it may be. */
static const char *refuse_folder(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    guint count = g_strv_length(parts);
    for (guint i = 0; i + 1 < count; i++) {
        if (parts[i][0] != '\0' && matches(SYSTEM_FOLDERS, parts[i]))
            return SKIP_SYSTEM;
        if (g_ascii_strcasecmp(parts[i], "Android") == 0 && i + 2 < count &&
            (g_str_equal(parts[i + 1], "data") || g_str_equal(parts[i + 1], "obb")))
            return SKIP_APP;
        if (g_ascii_strcasecmp(parts[i], "MISC") == 0 && i + 2 == count && i <= 2)
            return SKIP_INDEX;
    }
    return NULL;
}

static gboolean is_under_dcim(const char *path)
{
    g_autofree char *lower = g_ascii_strdown(path, -1);
    return strstr(lower, "/dcim/") != NULL;
}

static const char *media_word(HearthMedia media)
{
    static const char *const words[] = {
        [HEARTH_MEDIA_OTHER] = "other", [HEARTH_MEDIA_PHOTO] = "photos",
        [HEARTH_MEDIA_RAW] = "raw",     [HEARTH_MEDIA_VIDEO] = "video",
        [HEARTH_MEDIA_AUDIO] = "audio", [HEARTH_MEDIA_SIDECAR] = "sidecars",
    };
    return words[media];
}

static gboolean filter_word_fits(const char *word, const char *name, HearthMedia media)
{
    if (strpbrk(word, "*?[."))
        return fnmatch(word, name, FNM_CASEFOLD) == 0;
    return g_str_equal(word, media_word(media));
}

/* 1: taken, 0: not mentioned where others are, -1: left out by name. */
static int filter_says(const char *const *filter, const char *name, HearthMedia media)
{
    gboolean any = FALSE, fits = FALSE;
    for (; filter && *filter; filter++) {
        const char *word = *filter;
        if (word[0] == '!' && filter_word_fits(word + 1, name, media))
            return -1;
        if (word[0] == '!')
            continue;
        any = TRUE;
        fits = fits || filter_word_fits(word, name, media);
    }
    return !any || fits;
}

static const char *refuse(const Planner *planner, gsize i)
{
    const char *path = planner->inputs[i].object->path;
    const Draft *draft = &planner->drafts[i];
    HearthMedia media = planner->plan->items[i].media;
    if (draft->folder_reason)
        return draft->folder_reason;
    if (matches(SYSTEM_FILES, draft->name))
        return SKIP_SYSTEM;
    gboolean dcim = is_under_dcim(path);
    if (media == HEARTH_MEDIA_OTHER && (dcim || !planner->rules->everything) &&
        matches(INDEX_FILES, draft->name))
        return SKIP_INDEX;
    if (media == HEARTH_MEDIA_OTHER && !dcim && !planner->rules->everything)
        return SKIP_FOREIGN;
    int says = filter_says(planner->rules->filter, draft->name, media);
    /* A companion goes where its picture goes; see follow_group(). */
    if (says < 0 || (says == 0 && media != HEARTH_MEDIA_SIDECAR))
        return SKIP_FILTER;
    return NULL;
}

/* --- What belongs together --------------------------------------------------------------------- */

static gboolean is_digits(const char *text, gsize least, gsize most)
{
    gsize count = strspn(text, "0123456789");
    return count >= least && count <= most && text[count] == '\0';
}

/* Splits a name at the dot of its extension, or before two of them where the inner one is that of a
 * picture: "IMG_1.CR2.xmp" speaks of IMG_1, as "IMG_1.xmp" does. */
static void split_name(const char *name, HearthPlanItem *item)
{
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name) {
        item->stem = g_strdup(name);
        item->tail = g_strdup("");
        return;
    }
    item->stem = g_strndup(name, (gsize)(dot - name));
    HearthMedia inner = hearth_media_of_name(item->stem, NULL);
    gboolean companion = item->media == HEARTH_MEDIA_SIDECAR || item->media == HEARTH_MEDIA_OTHER;
    if (companion && inner != HEARTH_MEDIA_OTHER && inner != HEARTH_MEDIA_SIDECAR) {
        *strrchr(item->stem, '.') = '\0';
        item->media = HEARTH_MEDIA_SIDECAR;
    }
    item->tail = g_strdup(name + strlen(item->stem));
}

/* A burst: "00000IMG_00001_BURST20260101120000_COVER.jpg". NULL if it is none. */
static char *burst_key(const char *stem)
{
    const char *at = strstr(stem, "_BURST");
    gsize digits = at ? strspn(at + 6, "0123456789") : 0;
    return digits >= 8 ? g_strdup_printf("/burst/%.*s", (int)digits, at + 6) : NULL;
}

/* The stem that companions have in common, where a maker names them differently. */
static char *group_key(const char *stem, const char *tail)
{
    g_autofree char *key = g_ascii_strdown(stem, -1);
    gsize length = strlen(key);
    /* Apple: IMG_E0001 is the edited IMG_0001, IMG_O0001.AAE the edit before. */
    if (g_str_has_prefix(key, "img_") && (key[4] == 'e' || key[4] == 'o') &&
        is_digits(key + 5, 4, 6))
        return g_strconcat("img_", key + 5, NULL);
    /* Pixel: PXL_20260101_120000000.RAW-01.COVER and .RAW-02.ORIGINAL. */
    if (g_str_has_prefix(key, "pxl_"))
        return g_strndup(key, strcspn(key, "."));
    /* Sony: C0001M01.XML speaks of C0001.MP4. */
    if (g_ascii_strcasecmp(tail, ".xml") == 0 && length == 8 && key[0] == 'c' && key[5] == 'm' &&
        is_digits(key + 6, 2, 2))
        return g_strndup(key, 5);
    /* GoPro: GL010001.LRV is the small GX010001.MP4. */
    if (g_ascii_strcasecmp(tail, ".lrv") == 0 && g_str_has_prefix(key, "gl") &&
        is_digits(key + 2, 6, 6))
        return g_strconcat("gx", key + 2, NULL);
    return g_steal_pointer(&key);
}

/* `seen` counts the objects of each name: some devices list two of one name, which are two
 * pictures. */
static void draft_key(Draft *draft, const HearthPlanItem *item, GHashTable *seen)
{
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(seen, draft->name));
    g_hash_table_insert(seen, (gpointer)draft->name, GUINT_TO_POINTER(before + 1));
    g_autofree char *key = burst_key(item->stem);
    draft->burst = key != NULL;
    if (!key)
        key = group_key(item->stem, item->tail);
    draft->key = before > 0 ? g_strdup_printf("%s/%u", key, before) : g_steal_pointer(&key);
}

static void assign_groups(const Planner *planner)
{
    g_autoptr(GHashTable) groups = g_hash_table_new(g_str_hash, g_str_equal);
    HearthPlan *plan = planner->plan;
    for (gsize i = 0; i < plan->count; i++) {
        if (!plan->items[i].take)
            continue;
        gpointer found;
        if (!g_hash_table_lookup_extended(groups, planner->drafts[i].key, NULL, &found)) {
            found = GUINT_TO_POINTER(plan->groups++);
            g_hash_table_insert(groups, planner->drafts[i].key, found);
        }
        plan->items[i].group = GPOINTER_TO_UINT(found);
    }
}

/* --- Where it goes ----------------------------------------------------------------------------- */

/* What is known of a group as a whole. */
typedef struct {
    gboolean wanted; /* has a member that is not a sidecar */
    gboolean visual; /* has a picture or a video */
    gboolean audio;
    guint rank; /* of the member that gave the moment; lower is better */
    HearthMoment moment;
    const HearthPlanFacts *facts; /* (nullable): of the best member that has any */
    guint facts_rank;
} Group;

#define RANKS 8

static guint media_rank(HearthMedia media)
{
    static const guint ranks[] = {
        [HEARTH_MEDIA_PHOTO] = 0, [HEARTH_MEDIA_RAW] = 1,   [HEARTH_MEDIA_VIDEO] = 2,
        [HEARTH_MEDIA_AUDIO] = 3, [HEARTH_MEDIA_OTHER] = 4, [HEARTH_MEDIA_SIDECAR] = 5,
    };
    return ranks[media];
}

static int moment_compare(const HearthMoment *a, const HearthMoment *b)
{
    int x[] = {a->year, a->month, a->day, a->hour, a->minute, a->second, a->nanosecond};
    int y[] = {b->year, b->month, b->day, b->hour, b->minute, b->second, b->nanosecond};
    for (gsize i = 0; i < G_N_ELEMENTS(x); i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* The moment of a group: what a picture says of itself before what a file system says, and among
 * equals the first, so that a burst over midnight stays in one folder. */
static void group_offer(Group *group, guint rank, const HearthMoment *moment)
{
    if (!moment->known)
        return;
    if (group->moment.known &&
        (rank > group->rank ||
         (rank == group->rank && moment_compare(moment, &group->moment) >= 0)))
        return;
    group->rank = rank;
    group->moment = *moment;
}

static void group_add(Group *group, const HearthPlanInput *input, HearthPlanItem *item)
{
    HearthMedia media = item->media;
    guint rank = media_rank(media);
    HearthMoment file = hearth_moment_from_object(input->object);
    group->wanted |= media != HEARTH_MEDIA_SIDECAR;
    group->visual |=
        media == HEARTH_MEDIA_PHOTO || media == HEARTH_MEDIA_RAW || media == HEARTH_MEDIA_VIDEO;
    group->audio |= media == HEARTH_MEDIA_AUDIO;
    item->moment = input->facts && input->facts->taken.known ? input->facts->taken : file;
    if (input->facts)
        group_offer(group, rank, &input->facts->taken);
    group_offer(group, RANKS + rank, &file);
    if (input->facts && (!group->facts || rank < group->facts_rank)) {
        group->facts = input->facts;
        group->facts_rank = rank;
    }
}

/* Artist and album as the folders of a music collection say: …/Music/ARTIST/ALBUM/file. */
static void fields_from_path(const char *path, HearthTemplateFields *fields, char **ret_owned)
{
    char **parts = g_strsplit(path, "/", -1);
    guint count = g_strv_length(parts);
    guint music = 0;
    for (guint i = 1; i + 1 < count && music == 0; i++)
        if (g_ascii_strcasecmp(parts[i], "music") == 0)
            music = i;
    *ret_owned = NULL;
    if (music > 0 && music + 2 < count && !fields->artist)
        fields->artist = ret_owned[0] = g_strdup(parts[music + 1]);
    ret_owned[1] = NULL;
    if (music > 0 && music + 3 < count && !fields->album)
        fields->album = ret_owned[1] = g_strdup(parts[count - 2]);
    g_strfreev(parts);
}

static char *camera_name(const HearthPlanFacts *facts)
{
    if (!facts || (!facts->make && !facts->model))
        return NULL;
    if (!facts->make || !facts->model)
        return g_strdup(facts->model ? facts->model : facts->make);
    /* "NIKON CORPORATION", "NIKON D750": the model says it all. */
    g_autofree char *brand = g_strndup(facts->make, strcspn(facts->make, " "));
    if (g_ascii_strncasecmp(facts->model, brand, strlen(brand)) == 0)
        return g_strdup(facts->model);
    return g_strdup_printf("%s %s", facts->make, facts->model);
}

static void set_time(HearthTemplateFields *fields, const HearthMoment *moment)
{
    fields->has_time = moment->known;
    fields->year = moment->year;
    fields->month = moment->month;
    fields->day = moment->day;
    fields->hour = moment->hour;
    fields->minute = moment->minute;
    fields->second = moment->second;
}

static void place(const Planner *planner, const Group *group, gsize i)
{
    HearthPlanItem *item = &planner->plan->items[i];
    gboolean music = group->audio && !group->visual;
    const HearthTemplate *template = music ? planner->rules->music : planner->rules->template;
    const HearthPlanFacts *facts = group->facts;
    g_autofree char *camera = camera_name(facts);
    g_autofree char *stem = g_steal_pointer(&item->stem);
    const char *dot = strrchr(item->tail, '.');
    HearthTemplateFields fields = {
        .camera = camera,
        .stem = stem,
        .ext = dot ? dot + 1 : "",
        .device = planner->rules->device,
        .artist = facts ? facts->artist : NULL,
        .album = facts ? facts->album : NULL,
        .title = facts ? facts->title : NULL,
        .genre = facts ? facts->genre : NULL,
        .track = facts ? facts->track : 0,
    };
    char *owned[2] = {NULL, NULL};
    if (music)
        fields_from_path(planner->inputs[i].object->path, &fields, owned);
    set_time(&fields, &group->moment);
    item->folder = hearth_template_folder(template, &fields);
    item->stem = hearth_template_stem(template, &fields);
    if (!item->moment.known)
        item->moment = group->moment;
    g_free(owned[0]);
    g_free(owned[1]);
}

static void leave(HearthPlanItem *item, const char *reason)
{
    item->take = FALSE;
    item->reason = reason;
    item->group = NO_GROUP;
}

/* A sidecar without its picture is a stray where not everything is wanted. */
static const char *refuse_alone(const Planner *planner, gsize i, const Group *group)
{
    const HearthPlanItem *item = &planner->plan->items[i];
    if (group->wanted || item->media != HEARTH_MEDIA_SIDECAR)
        return NULL;
    if (filter_says(planner->rules->filter, planner->drafts[i].name, item->media) == 0)
        return SKIP_FILTER;
    if (!planner->rules->everything && !is_under_dcim(planner->inputs[i].object->path))
        return SKIP_FOREIGN;
    return NULL;
}

static void place_groups(const Planner *planner)
{
    HearthPlan *plan = planner->plan;
    g_autofree Group *groups = g_new0(Group, MAX(plan->groups, 1));
    for (gsize i = 0; i < plan->count; i++)
        if (plan->items[i].take)
            group_add(&groups[plan->items[i].group], &planner->inputs[i], &plan->items[i]);
    for (gsize i = 0; i < plan->count; i++) {
        if (!plan->items[i].take)
            continue;
        const Group *group = &groups[plan->items[i].group];
        const char *reason = refuse_alone(planner, i, group);
        if (reason)
            leave(&plan->items[i], reason);
        else
            place(planner, group, i);
    }
}

static void draft_items(const Planner *planner)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const char *folder_reason =
        planner->plan->count > 0 ? refuse_folder(planner->inputs[0].object->path) : NULL;
    for (gsize i = 0; i < planner->plan->count; i++) {
        HearthPlanItem *item = &planner->plan->items[i];
        Draft *draft = &planner->drafts[i];
        draft->name = last_part(planner->inputs[i].object->path);
        draft->folder_reason = folder_reason;
        item->media = hearth_media_of_name(draft->name, NULL);
        split_name(draft->name, item);
        draft_key(draft, item, seen);
        const char *reason = refuse(planner, i);
        item->take = TRUE;
        if (reason)
            leave(item, reason);
    }
}

HearthPlan *hearth_plan_make(const HearthPlanRules *rules, const HearthPlanInput *inputs,
                             gsize count)
{
    HearthPlan *plan = g_new0(HearthPlan, 1);
    plan->items = g_new0(HearthPlanItem, MAX(count, 1));
    plan->count = count;
    Planner planner = {
        .rules = rules, .inputs = inputs, .plan = plan, .drafts = g_new0(Draft, MAX(count, 1))};
    draft_items(&planner);
    assign_groups(&planner);
    place_groups(&planner);
    for (gsize i = 0; i < count; i++)
        g_free(planner.drafts[i].key);
    g_free(planner.drafts);
    return plan;
}

void hearth_plan_free(HearthPlan *plan)
{
    if (!plan)
        return;
    for (gsize i = 0; i < plan->count; i++) {
        g_free(plan->items[i].folder);
        g_free(plan->items[i].stem);
        g_free(plan->items[i].tail);
    }
    g_free(plan->items);
    g_free(plan);
}

char *hearth_plan_name(const HearthPlanItem *item, guint number)
{
    return hearth_template_join(item->stem, number, item->tail);
}
