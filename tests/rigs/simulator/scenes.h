#pragma once

#include "tests/rigs/simulator/store.h"

#include <glib.h>

/**
 * Adds a ready-made set of objects: NAME or NAME=NUMBER, one of
 *
 *   many[=20000]       files of 20 bytes in DCIM/200MANY
 *   big[=4718592000]   DCIM/100BIG/BIG_0001.MOV of so many bytes, pattern 7
 *   hostile            names with .. / control characters, no valid UTF-16, 254 units; an empty
 * name duplicates         two files and two folders of one name, different contents endless a
 * folder that grows deeper whenever it is listed loop               a folder that lists itself zero
 * a file of no bytes
 */
gboolean sim_scene_add(SimStore *store, const char *scene, GError **error);

/* The seeds of the patterns in these scenes, for tests that compare bytes. */
#define SIM_SCENE_BIG_SEED 7
#define SIM_SCENE_BIG_BYTES G_GUINT64_CONSTANT(4718592000)
