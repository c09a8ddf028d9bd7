/*
 * Fills a state with a tree of empty files, as years of pictures would leave it: folders of one day
 * with 200 files each, and one folder with a tenth of them all.
 *
 * Usage: bench-filltree STATE COUNT
 */
#include "namespace/store.h"

#include <stdlib.h>

enum {
    PER_DAY = 200,          /* files in the folder of a day */
    ONE_IN = 10,            /* of all files, so many stand in one folder */
    SECONDS_BETWEEN = 300,  /* from one picture to the next */
    REPORT_EVERY = 1 << 17, /* files between two lines of progress */
    START = 1262304000,     /* 2010-01-01, seconds */
};

static GVariant *attributes_of(guint64 number, const char *taken)
{
    static const char *const cameras[] = {"Lumen 1", "Pocket", "Box 120"};
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "time.taken", "s", taken);
    g_variant_dict_insert(&dict, "camera.model", "s", cameras[number % G_N_ELEMENTS(cameras)]);
    g_variant_dict_insert(&dict, "image.width", "u", (guint32)(1000 + number % 5000));
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static char *path_of(guint64 number, GDateTime *day)
{
    if (number % ONE_IN == 0)
        return g_strdup_printf("/Many/IMG_%07" G_GUINT64_FORMAT ".JPG", number);
    g_autofree char *folder = g_date_time_format(day, "/Photos/%Y/%Y-%m-%d");
    return g_strdup_printf("%s/IMG_%07" G_GUINT64_FORMAT ".JPG", folder, number);
}

static gboolean add(HearthStore *store, guint64 number, GError **error)
{
    gint64 second =
        START + (gint64)(number / PER_DAY) * 86400 + (gint64)(number % PER_DAY) * SECONDS_BETWEEN;
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(second);
    g_autofree char *taken = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
    g_autofree char *path = path_of(number, time);
    g_autoptr(GVariant) attributes = attributes_of(number, taken);
    HearthNewFile file = {.path = path,
                          .mtime_ns = second * G_GINT64_CONSTANT(1000000000),
                          .mode = 0644,
                          .attributes = attributes};
    HearthObject object;

    return hearth_store_add_file(store, &file, 0, &object, error);
}

static gboolean fill(const char *state, guint64 count, GError **error)
{
    HearthStoreOptions options = {.state = state, .engine = "sqlite"};
    g_autoptr(HearthStore) store = hearth_store_open(&options, error);

    if (store == NULL)
        return FALSE;
    for (guint64 i = 0; i < count; i++) {
        if (!add(store, i, error))
            return FALSE;
        if (i % REPORT_EVERY == REPORT_EVERY - 1)
            g_printerr("bench-filltree: %" G_GUINT64_FORMAT " files\n", i + 1);
    }
    return hearth_store_sync(store, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (argc != 3) {
        g_printerr("usage: bench-filltree STATE COUNT\n");
        return 2;
    }
    if (!fill(argv[1], g_ascii_strtoull(argv[2], NULL, 10), &error)) {
        g_printerr("bench-filltree: %s\n", error->message);
        return 1;
    }
    return 0;
}
