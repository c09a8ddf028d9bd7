#include "tests/rigs/simulator/scenes.h"

#include "gateway/base/error.h"

#include <string.h>

#define MANY_DEFAULT 20000
/* Units in the longest name that PTP can carry. */
#define LONGEST_NAME 254

static guint folder(SimStore *store, const char *name)
{
    SimObject *dcim = sim_store_folder(store, SIM_ROOT, "DCIM");

    return sim_store_folder(store, dcim->index, name)->index;
}

static void add_many(SimStore *store, guint64 count)
{
    guint parent = folder(store, "200MANY");

    for (guint64 i = 0; i < (count ? count : MANY_DEFAULT); i++) {
        g_autofree char *name = g_strdup_printf("MANY%05u.JPG", (guint)i);

        sim_store_add_pattern(store, parent, name, 20, i);
    }
}

static void add_big(SimStore *store, guint64 size)
{
    sim_store_add_pattern(store, folder(store, "100BIG"), "BIG_0001.MOV",
                          size ? size : SIM_SCENE_BIG_BYTES, SIM_SCENE_BIG_SEED);
}

static void add_named(SimStore *store, guint parent, SimText name)
{
    g_autofree char *content = g_strdup_printf("object %u\n", sim_store_count(store));

    sim_store_add_bytes(store, parent, name, content, strlen(content));
}

static void add_hostile(SimStore *store, guint64 unused)
{
    static const char *const names[] = {
        "..",          ".",          "../../escape.jpg", "/etc/passwd",     "a/b.jpg",
        "tab\t.jpg",   "line\n.jpg", "bell\a.jpg",       "back\\slash.jpg", "colon:star*.jpg",
        ".hidden.jpg", "trailing ",  "caf\303\251.jpg",
    };
    static const guint16 lone[] = {'b', 'a', 'd', 0xd800, '.', 'j', 'p', 'g'};
    static const guint16 inside[] = {'n', 'u', 'l', 0, 'x', '.', 'j', 'p', 'g'};
    guint parent = folder(store, "666EVIL");
    SimText wide = {g_new(guint16, LONGEST_NAME), LONGEST_NAME};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        add_named(store, parent, sim_text_from_utf8(names[i]));
    add_named(store, parent, (SimText){g_memdup2(lone, sizeof lone), G_N_ELEMENTS(lone)});
    add_named(store, parent, (SimText){g_memdup2(inside, sizeof inside), G_N_ELEMENTS(inside)});
    add_named(store, parent, (SimText){NULL, 0});
    for (gsize i = 0; i < LONGEST_NAME; i++)
        wide.units[i] = 0x6f22; /* three bytes in UTF-8: far over a file name's 255 */
    add_named(store, parent, wide);
    add_named(store, parent, sim_text_from_utf8("GOOD.JPG"));
    sim_store_add_folder(store, parent, sim_text_from_utf8(".."));
}

static void add_duplicates(SimStore *store, guint64 unused)
{
    SimObject *dcim = sim_store_folder(store, SIM_ROOT, "DCIM");
    SimObject *first = sim_store_add_folder(store, dcim->index, sim_text_from_utf8("100TWIN"));
    SimObject *second = sim_store_add_folder(store, dcim->index, sim_text_from_utf8("100TWIN"));

    sim_store_add_pattern(store, first->index, "SAME.JPG", 1000, 1);
    sim_store_add_pattern(store, first->index, "SAME.JPG", 2000, 2);
    sim_store_add_pattern(store, first->index, "OTHER.JPG", 500, 3);
    sim_store_add_pattern(store, second->index, "SAME.JPG", 3000, 4);
}

static void add_endless(SimStore *store, guint64 unused)
{
    sim_store_get(store, folder(store, "ENDLESS"))->endless = TRUE;
}

static void add_loop(SimStore *store, guint64 unused)
{
    sim_store_get(store, folder(store, "LOOP"))->loop = TRUE;
    sim_store_add_pattern(store, folder(store, "LOOP"), "IN_LOOP.JPG", 100, 5);
}

static void add_zero(SimStore *store, guint64 unused)
{
    sim_store_add_bytes(store, folder(store, "100ZERO"), sim_text_from_utf8("ZERO.JPG"), "", 0);
}

gboolean sim_scene_add(SimStore *store, const char *scene, GError **error)
{
    static const struct {
        const char *name;
        void (*add)(SimStore *store, guint64 number);
    } scenes[] = {
        {"many", add_many},       {"big", add_big},
        {"hostile", add_hostile}, {"duplicates", add_duplicates},
        {"endless", add_endless}, {"loop", add_loop},
        {"zero", add_zero},
    };
    g_auto(GStrv) parts = g_strsplit(scene, "=", 2);

    for (gsize i = 0; parts[0] != NULL && i < G_N_ELEMENTS(scenes); i++)
        if (strcmp(parts[0], scenes[i].name) == 0) {
            scenes[i].add(store, parts[1] ? g_ascii_strtoull(parts[1], NULL, 0) : 0);
            return TRUE;
        }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no such scene: %s", scene);
    return FALSE;
}
