#include "gateway/import-private.h"

#include "gateway/base/error.h"

#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *look_up_text(GVariant *attributes, const char *key)
{
    const char *text = NULL;
    g_variant_lookup(attributes, key, "&s", &text);
    return text;
}

static void take_facts(HearthImportMember *member)
{
    GVariant *from = member->attributes;
    HearthPlanFacts *facts = &member->facts;
    const char *taken = look_up_text(from, "time.taken");
    if (taken)
        facts->taken = hearth_moment_from_text(taken);
    facts->make = look_up_text(from, "camera.make");
    facts->model = look_up_text(from, "camera.model");
    facts->album = look_up_text(from, "audio.album");
    facts->title = look_up_text(from, "audio.title");
    facts->genre = look_up_text(from, "audio.genre");
    /* A compilation is one album, whoever sings. */
    facts->artist = look_up_text(from, "audio.albumartist");
    if (!facts->artist)
        facts->artist = look_up_text(from, "audio.artist");
    g_variant_lookup(from, "audio.track", "u", &facts->track);
    member->has_facts = TRUE;
}

/* The type by the name alone, for what nobody reads: a query on type finds it all the same. */
static GVariant *type_alone(const char *type)
{
    if (!type)
        return NULL;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "media.type", "s", type);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

void hearth_import_read_facts(HearthImportRun *run, HearthImportMember *member, int fd)
{
    const char *name = last_part(member->object.path);
    const char *type;
    HearthMedia media = hearth_media_of_name(name, &type);
    HearthSprocketHost *sprockets = run->import->sprockets;
    g_autoptr(GError) error = NULL;
    if (sprockets && fd >= 0 && media != HEARTH_MEDIA_OTHER && media != HEARTH_MEDIA_SIDECAR)
        member->attributes =
            hearth_sprocket_host_metadata(sprockets, fd, name, type, run->cancellable, &error);
    if (error && !g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED))
        g_debug("%s: imported by its file time: %s", member->object.path, error->message);
    if (member->attributes)
        take_facts(member);
    else
        member->attributes = type_alone(type);
}
