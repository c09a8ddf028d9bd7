#include "tests/rigs/rig-fixture.h"

/* More files in one folder than most devices have: slow, so not among the quick tests. */

static void assert_many_listed(RigFixture *fixture, guint count)
{
    g_autofree char *scene = g_strdup_printf("scene many=%u", count);
    HearthShadowOptions options;

    hearth_shadow_options_init(&options);
    rig_new_shadow(fixture, &options);
    rig_tell(fixture, scene);
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, count + 3);
    rig_assert_same(fixture, "DCIM/100TEST/IMG_0001.JPG", 0);
}

static void a_folder_of_20000_files_is_listed(RigFixture *fixture, gconstpointer way)
{
    assert_many_listed(fixture, 20000);
}

/* libgphoto2 takes the square of their number; cameras begin a new folder after 999 or 9,999. */
static void a_folder_of_2000_files_is_listed(RigFixture *fixture, gconstpointer way)
{
    assert_many_listed(fixture, 2000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig_add("a-folder-of-20000-files-is-listed", RIG_MTP_USB, a_folder_of_20000_files_is_listed);
    rig_add("a-folder-of-2000-files-is-listed", RIG_PTP_USB, a_folder_of_2000_files_is_listed);
    return g_test_run();
}
