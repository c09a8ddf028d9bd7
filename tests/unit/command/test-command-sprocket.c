#include "gateway/base/error.h"
#include "sprockets/host/host.h"
#include "tests/unit/sprockets/pictures.h"
#include "web/json.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>

/* hearth sprocket run, which needs no daemon. */

typedef struct {
    char *folder;
    char *picture; /* path of a JPEG of 400 by 300 */
    char *sprocket;
    int status;
    char *out;
    char *err;
} Fixture;

static void setup(Fixture *fixture, gconstpointer unused)
{
    Picture picture = {.width = 400, .height = 300, .exif = exif_of_a_camera(TRUE)};
    GBytes *jpeg = picture_jpeg(&picture);
    const char *build = g_getenv("HEARTH_BUILD");
    fixture->folder = g_dir_make_tmp("hearth-sprocket-run-XXXXXX", NULL);
    fixture->picture = picture_save(jpeg, fixture->folder, "picture.jpg");
    fixture->sprocket = g_build_filename(build, "lib/hearth/sprockets/photo.so", NULL);
    g_bytes_unref(jpeg);
    g_bytes_unref(picture.exif);
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->folder);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(fixture->folder);
    g_free(fixture->picture);
    g_free(fixture->sprocket);
    g_free(fixture->out);
    g_free(fixture->err);
}

/* Runs HOOK of `sprocket` on the picture with `options`, words with spaces between them. */
static int run(Fixture *fixture, const char *sprocket, const char *hook, const char *options)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line =
        g_strdup_printf("'%s/hearth' sprocket run '%s' %s '%s' %s", g_getenv("HEARTH_BIN"),
                        sprocket, hook, fixture->picture, options);
    g_clear_pointer(&fixture->out, g_free);
    g_clear_pointer(&fixture->err, g_free);
    int status;
    g_spawn_command_line_sync(line, &fixture->out, &fixture->err, &status, &error);
    g_assert_no_error(error);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* (transfer full) */
static GVariant *run_json(Fixture *fixture, const char *sprocket, const char *hook,
                          const char *options)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *all = g_strconcat("--json --stats ", options, NULL);
    fixture->status = run(fixture, sprocket, hook, all);
    GVariant *answer = hearth_json_parse(fixture->out, -1, &error);
    g_assert_no_error(error);
    return answer;
}

static const char *text_of(GVariant *answer, const char *key)
{
    const char *text = NULL;
    g_variant_lookup(answer, key, "&s", &text);
    return text;
}

static gint64 number_of(GVariant *answer, const char *key)
{
    gint64 number = -1;
    g_variant_lookup(answer, key, "x", &number);
    return number;
}

static void metadata_is_printed_in_order(Fixture *fixture, gconstpointer unused)
{
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", ""), ==, 0);
    const char *make = strstr(fixture->out, "camera.make:"),
               *taken = strstr(fixture->out, "time.taken:");
    g_assert_nonnull(make);
    g_assert_nonnull(taken);
    g_assert_true(make < taken);
    g_assert_null(strstr(fixture->out, "median_ns"));
}

static gboolean can_have(const char *word)
{
    HearthSprocketMode mode;
    g_assert_true(hearth_sprocket_mode_parse(word, &mode));
    return hearth_sprocket_mode_available(mode, NULL);
}

/* The numbers of the engine are there in every mode, and zero where it had no part. */
static void assert_engine_part(GVariant *answer, gboolean used)
{
    static const char *const CLASSES[] = {"stack", "thread", "checked", "foreign"};
    g_autoptr(GVariant) stores = g_variant_lookup_value(answer, "stores", G_VARIANT_TYPE_VARDICT);
    for (gsize i = 0; i < G_N_ELEMENTS(CLASSES); i++)
        g_assert_cmpint(number_of(stores, CLASSES[i]), >=, 0);
    g_assert_cmpint(number_of(answer, "overlay_pages"), >=, 0);
    g_assert_cmpint(number_of(answer, "syscalls"), >=, 0);
    g_assert_cmpint(number_of(answer, "tries"), ==, used);
    g_assert_cmpint(number_of(answer, "instructions_translated") > 0, ==, used);
    g_assert_cmpint(number_of(stores, "checked") > 0, ==, used);
    g_assert_cmpint(number_of(answer, "memory") > 0, ==, used);
}

static void what_a_call_cost_is_told(Fixture *fixture, gconstpointer unused)
{
    static const char *const MODES[] = {"fork", "direct", "rollback", "process"};
    for (gsize i = 0; i < G_N_ELEMENTS(MODES); i++) {
        if (!can_have(MODES[i]))
            continue;
        g_autofree char *options = g_strdup_printf("--repeat 3 --mode %s", MODES[i]);
        g_autoptr(GVariant) answer = run_json(fixture, fixture->sprocket, "metadata", options);
        g_autoptr(GVariant) result =
            g_variant_lookup_value(answer, "result", G_VARIANT_TYPE_VARDICT);
        g_assert_cmpstr(text_of(answer, "outcome"), ==, "returned");
        g_assert_cmpstr(text_of(answer, "mode"), ==, MODES[i]);
        g_assert_cmpint(number_of(answer, "median_ns"), >, 0);
        g_assert_cmpint(number_of(answer, "cold_ns"), >, 0);
        g_assert_cmpint(number_of(result, "image.width"), ==, 400);
        assert_engine_part(answer, i >= 2);
    }
}

static void parameters_count_each_and_the_output_is_saved(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *out = g_build_filename(fixture->folder, "small.jpg", NULL);
    g_autofree char *options = g_strdup_printf("--param edge=64 --param text=a,b=c -o '%s'", out);
    g_autoptr(GVariant) answer = run_json(fixture, fixture->sprocket, "preview", options);
    g_autoptr(GVariant) result = g_variant_lookup_value(answer, "result", G_VARIANT_TYPE_VARDICT);
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_cmpint(number_of(result, "image.height"), ==, 64); /* it was turned */
    g_assert_true(g_file_get_contents(out, &bytes, &size, NULL));
    g_assert_cmpint(number_of(answer, "emitted"), ==, (gint64)size);
    g_assert_cmpmem(bytes, 3, "\xff\xd8\xff", 3);
}

static void a_sprocket_that_crashes_is_told_of(Fixture *fixture, gconstpointer unused)
{
    static const char *const MODES[] = {"fork", "rollback", "process"};
    g_autofree char *crash = g_build_filename(g_getenv("HEARTH_BAD_SPROCKETS"), "crash.so", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(MODES); i++) {
        g_autofree char *options = g_strconcat("--mode ", MODES[i], NULL);
        if (!can_have(MODES[i]))
            continue;
        g_autoptr(GVariant) answer = run_json(fixture, crash, "metadata", options);
        g_assert_cmpint(fixture->status, ==, 1);
        g_assert_cmpstr(text_of(answer, "outcome"), ==, "faulted");
        g_assert_cmpstr(text_of(answer, "rule"), ==, "SIGSEGV");
        g_assert_cmpint(number_of(answer, "address"), >, 0);
        g_assert_true(g_str_has_prefix(text_of(answer, "symbol"), "crash.so"));
        g_assert_nonnull(text_of(answer, "error"));
    }
    g_assert_cmpint(run(fixture, crash, "metadata", ""), ==, 1);
    g_assert_nonnull(strstr(fixture->err, "crash"));
}

static void what_cannot_run_is_said(Fixture *fixture, gconstpointer unused)
{
    g_assert_cmpint(run(fixture, "home.hearth.nothing", "metadata", ""), ==, 1);
    g_assert_nonnull(strstr(fixture->err, "home.hearth.nothing"));
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--mode sideways"), ==, 2);
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--param edge"), ==, 2);
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--mode default"), ==, 2);
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--mode rollback"), ==,
                    can_have("rollback") ? 0 : 1);
    g_assert_cmpint(run(fixture, fixture->sprocket, "preview", "-o /nonexistent/x"), ==, 1);
    g_assert_nonnull(strstr(fixture->err, "/nonexistent/x"));
}

#define ADD(path, func) g_test_add("/command/sprocket/" path, Fixture, NULL, setup, func, teardown)

/* The shared objects differ from build to build: what is looked for is in all of them. */
static void trace_tells_what_the_engine_does(Fixture *fixture, gconstpointer unused)
{
    if (!hearth_sprocket_mode_available(HEARTH_SPROCKET_MODE_ROLLBACK, NULL)) {
        g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--trace"), ==, 2);
        return;
    }
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--trace"), ==, 0);
    g_assert_nonnull(strstr(fixture->err, "translated 0x"));
    g_assert_nonnull(strstr(fixture->err, "libexif"));
    g_assert_nonnull(strstr(fixture->out, "image.width"));
    g_assert_cmpint(run(fixture, fixture->sprocket, "metadata", "--trace --mode fork"), ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("metadata", metadata_is_printed_in_order);
    ADD("stats", what_a_call_cost_is_told);
    ADD("param-output", parameters_count_each_and_the_output_is_saved);
    ADD("crash", a_sprocket_that_crashes_is_told_of);
    ADD("refused", what_cannot_run_is_said);
    ADD("trace", trace_tells_what_the_engine_does);
    return g_test_run();
}
