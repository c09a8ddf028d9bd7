/* Follows docs/sprocket-guide.md as an author would: what the page says must build and work. */
#include "sprockets/host/host.h"

#include <glib/gstdio.h>
#include <string.h>

#include "gateway/base/error.h"

typedef struct {
    char *folder;
    char *source;
    char *object;
    char *file;
} Fixture;

/* The first program of the page. */
static char *program_of_the_guide(void)
{
    g_autofree char *path =
        g_build_filename(g_getenv("HEARTH_SOURCE"), "docs", "sprocket-guide.md", NULL);
    g_autofree char *page = NULL;
    g_assert_true(g_file_get_contents(path, &page, NULL, NULL));
    const char *start = strstr(page, "```c\n");
    g_assert_nonnull(start);
    start += strlen("```c\n");
    const char *end = strstr(start, "```");
    g_assert_nonnull(end);
    return g_strndup(start, (gsize)(end - start));
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree char *program = program_of_the_guide();
    fixture->folder = g_dir_make_tmp("hearth-guide-XXXXXX", NULL);
    fixture->source = g_build_filename(fixture->folder, "star.c", NULL);
    fixture->object = g_build_filename(fixture->folder, "star.so", NULL);
    fixture->file = g_build_filename(fixture->folder, "a.star", NULL);
    g_assert_true(g_file_set_contents(fixture->source, program, -1, NULL));
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_unlink(fixture->file);
    g_unlink(fixture->object);
    g_unlink(fixture->source);
    g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
    g_free(fixture->file);
    g_free(fixture->object);
    g_free(fixture->source);
    g_free(fixture->folder);
}

static void build(Fixture *fixture)
{
    g_autofree char *header = g_build_filename(g_getenv("HEARTH_SOURCE"), "sprockets", "sdk", NULL);
    g_autoptr(GError) error = NULL;
    const char *const argv[] = {
        "cc",    "-std=c11", "-Wall", "-Wextra",       "-Werror", "-Wpedantic",    "-shared",
        "-fPIC", "-I",       header,  fixture->source, "-o",      fixture->object, NULL};
    int status = 1;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                 &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

static gboolean run(Fixture *fixture, const char *content, gsize size, GVariant **ret_values,
                    GError **error)
{
    HearthSprocketRunStats stats;
    g_assert_true(g_file_set_contents(fixture->file, content, (gssize)size, NULL));
    gboolean done = hearth_sprocket_run_file(NULL, fixture->object, "metadata", fixture->file, NULL,
                                             HEARTH_SPROCKET_MODE_DEFAULT, 1, NULL, ret_values,
                                             NULL, &stats, error);
    hearth_sprocket_report_clear(&stats.report);
    return done;
}

static void the_program_of_the_guide_works(Fixture *fixture, gconstpointer data)
{
    static const char PICTURE[] = "STAR\x40\x01\xf0\0"
                                  "2026-11-20T10:20:30";
    g_autoptr(GError) error = NULL, damaged = NULL, other = NULL, wrong = NULL;
    g_autoptr(GVariant) values = NULL;
    g_autofree char *bad = g_memdup2(PICTURE, sizeof PICTURE - 1);
    guint width;
    const char *time;
    build(fixture);
    run(fixture, PICTURE, sizeof PICTURE - 1, &values, &error);
    g_assert_no_error(error);
    g_assert_true(g_variant_lookup(values, "image.width", "u", &width));
    g_assert_cmpuint(width, ==, 320);
    g_assert_true(g_variant_lookup(values, "time.taken", "&s", &time));
    g_assert_cmpstr(time, ==, "2026-11-20T10:20:30");
    g_assert_false(run(fixture, PICTURE, 10, NULL, &damaged));
    g_assert_error(damaged, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    g_assert_false(run(fixture, "MOON1234", 8, NULL, &other));
    g_assert_error(other, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED);
    bad[8 + 10] = ' ';
    g_assert_false(run(fixture, bad, sizeof PICTURE - 1, NULL, &wrong));
    g_assert_error(wrong, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL);
    g_assert_nonnull(strstr(wrong->message, "time.taken"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/sprockets/guide/program", Fixture, NULL, set_up, the_program_of_the_guide_works,
               tear_down);
    return g_test_run();
}
