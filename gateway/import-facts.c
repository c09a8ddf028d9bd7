#include "gateway/import-private.h"

#include "gateway/base/error.h"

#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Where a text of the vocabulary goes; NULL: the plan does not ask for it. */
static const char **place_of_text(HearthPlanFacts *facts, const char **album_artist,
                                  const char *key)
{
    const struct {
        const char *key;
        const char **place;
    } places[] = {
        {"camera.make", &facts->make},       {"camera.model", &facts->model},
        {"audio.album", &facts->album},      {"audio.title", &facts->title},
        {"audio.genre", &facts->genre},      {"audio.artist", &facts->artist},
        {"audio.albumartist", album_artist},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        if (strcmp(places[i].key, key) == 0)
            return places[i].place;
    return NULL;
}

/* One pass: to look up a key in an a{sv} is to walk over all those before it. */
static void take_facts(HearthImportMember *member)
{
    HearthPlanFacts *facts = &member->facts;
    const char *album_artist = NULL, *key;
    GVariantIter iter;
    GVariant *child;
    g_variant_iter_init(&iter, member->attributes);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) value = child;
        const char **place = place_of_text(facts, &album_artist, key);
        gboolean is_text = g_variant_is_of_type(value, G_VARIANT_TYPE_STRING);
        if (place && is_text)
            *place = g_variant_get_string(value, NULL);
        else if (is_text && strcmp(key, "time.taken") == 0)
            facts->taken = hearth_moment_from_text(g_variant_get_string(value, NULL));
        else if (strcmp(key, "audio.track") == 0 &&
                 g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
            facts->track = g_variant_get_uint32(value);
    }
    /* A compilation is one album, whoever sings. */
    if (album_artist)
        facts->artist = album_artist;
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
        g_info("%s: imported by its file time: %s", member->object.path, error->message);
    if (member->attributes)
        take_facts(member);
    else
        member->attributes = type_alone(type);
}
