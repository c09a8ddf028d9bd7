#include "tests/rigs/rig-fixture.h"

/* More files in one folder than any camera makes: slow, so not among the quick tests. */

#define MANY 20000

static void folders_of_20000_files_are_listed(RigFixture *fixture, gconstpointer way)
{
    HearthShadowOptions options;

    hearth_shadow_options_init(&options);
    rig_new_shadow(fixture, &options);
    rig_tell(fixture, "scene many=20000");
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, MANY + 3);
    rig_assert_same(fixture, "DCIM/100TEST/IMG_0001.JPG", 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig_add("folders-of-20000-files-are-listed", RIG_MTP_USB, folders_of_20000_files_are_listed);
    rig_add("folders-of-20000-files-are-listed", RIG_PTP_USB, folders_of_20000_files_are_listed);
    return g_test_run();
}
