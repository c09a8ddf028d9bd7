#include "gateway/base/error.h"
#include "gateway/config.h"

#include <string.h>

typedef struct {
    const char *text;
    const char *line; /* of the error; NULL: no error is wanted */
    const char *says; /* part of the message */
} Row;

static const Row ROWS[] = {
    {"", NULL, NULL},
    {"# a comment\n\n[gateway]\nname=attic\n", NULL, NULL},
    {"[gateway]\nlisten=[::1]:80\ncopies=16\ntrash-days=0\nallow-lan=false\n", NULL, NULL},
    {"[import]\nfilter=photos;raw;!*.tmp\n", NULL, NULL},
    {"[import]\nfilter=\n", NULL, NULL},
    {"[device canon-1]\nimport=ask\ntemplate=/C/{name}\n", NULL, NULL},
    {"[export player]\nformats=mp3\nbitrate=192K\n", NULL, NULL},
    {"[metadata]\nengine=sqlite\n[content]\nengine=dir\n[peers]\n", NULL, NULL},
    {"[sprocket org.hearth.photo]\nenabled=true\n", NULL, NULL},
    {"[gatway]\n", "f.conf:1:", "unknown group [gatway]"},
    {"\n[gateway]\nlisen=1\n", "f.conf:3:", "unknown key lisen in [gateway]"},
    {"[device]\nimport=on\n", "f.conf:1:", "unknown group [device]"},
    {"[device ]\nimport=on\n", "f.conf:1:", "unknown group"},
    {"name=x\n", "f.conf:1:", "before any [group]"},
    {"[gateway\n", "f.conf:1:", "closing ]"},
    {"[gateway]\nname\n", "f.conf:2:", "neither"},
    {"[gateway]\nname=\n", "f.conf:2:", "key name: \"\" is empty"},
    {"[gateway]\nname=a\nname=b\n", "f.conf:3:", "stands twice"},
    {"[gateway]\nmount=here\n", "f.conf:2:", "key mount: \"here\" does not begin with /"},
    {"[gateway]\nlisten=8380\n", "f.conf:2:", "key listen"},
    {"[gateway]\nlisten=example.org:80\n", "f.conf:2:", "names no address"},
    {"[gateway]\nlisten=127.0.0.1:99999\n", "f.conf:2:", "key listen"},
    {"[gateway]\nlisten=::1:80\n", "f.conf:2:", "key listen"},
    {"[gateway]\nallow-lan=yes\n", "f.conf:2:", "is none of: true, false"},
    {"[gateway]\ncopies=0\n", "f.conf:2:", "a number from 1 to 16"},
    {"[gateway]\ncopies=-1\n", "f.conf:2:", "key copies"},
    {"[gateway]\ntrash-days=3d\n", "f.conf:2:", "key trash-days"},
    {"[import]\ntemplate=Photos/{name}\n", "f.conf:2:", "does not begin with /"},
    {"[import]\ntemplate=/P/{nome}\n", "f.conf:2:", "unknown field {nome}"},
    {"[import]\ntemplate=/../{name}\n", "f.conf:2:", "key template"},
    {"[import]\nfilter=photo\n", "f.conf:2:", "neither a pattern"},
    {"[device x]\nimport=maybe\n", "f.conf:2:", "is none of: on, off, ask"},
    {"[metadata]\nengine=postgres\n", "f.conf:2:", "is none of: sqlite"},
    {"[peers]\nname=x\n", "f.conf:2:", "unknown key name in [peers]"},
    {"[export a]\nbitrate=fast\n", "f.conf:2:", "is not a size"},
    {"[gateway]\nname=\\q\n", "f.conf:2:", "key name"},
    {"[gateway]\nname=\xff\n", "f.conf:1:", "UTF-8"},
};

static void each_file_is_taken_or_refused_by_line_and_key(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(HearthConfig) config = hearth_config_parse(ROWS[i].text, "f.conf", &error);
        g_test_message("%s", ROWS[i].text);
        if (!ROWS[i].line) {
            g_assert_no_error(error);
            continue;
        }
        g_assert_null(config);
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
        if (!g_str_has_prefix(error->message, ROWS[i].line) ||
            !strstr(error->message, ROWS[i].says))
            g_error("row %zu: %s", i, error->message);
    }
}

static void an_empty_file_is_all_defaults(void)
{
    g_autoptr(HearthConfig) config = hearth_config_parse("", "x", NULL);
    g_assert_cmpstr(hearth_config_listen(config), ==, "127.0.0.1:8380");
    g_assert_null(hearth_config_mount(config));
    g_assert_cmpuint(hearth_config_copies(config), ==, 1);
    g_assert_cmpuint(hearth_config_trash_days(config), ==, 30);
    g_assert_true(hearth_config_dedupe(config));
    g_assert_false(hearth_config_delete_after_import(config));
    g_assert_false(hearth_config_allow_lan(config));
    g_assert_cmpint(hearth_config_policy(config, "any"), ==, HEARTH_IMPORT_ON);
    g_assert_cmpstr(hearth_config_template(config, "any"), ==, HEARTH_CONFIG_TEMPLATE);
    g_assert_null(hearth_config_filter(config)[0]);
    g_assert_cmpstr(hearth_config_name(config), !=, "");
}

static void a_device_has_its_own_settings_over_the_common(void)
{
    g_autoptr(HearthConfig) config =
        hearth_config_parse("[import]\ntemplate=/A/{name}\nfilter = raw ; !*.tmp\n"
                            "[device one]\nimport=off\ntemplate=/B/{name}\n",
                            "x", NULL);
    g_assert_cmpstr(hearth_config_template(config, "one"), ==, "/B/{name}");
    g_assert_cmpstr(hearth_config_template(config, "two"), ==, "/A/{name}");
    g_assert_cmpint(hearth_config_policy(config, "one"), ==, HEARTH_IMPORT_OFF);
    g_assert_cmpstr(hearth_config_filter(config)[0], ==, "raw");
    g_assert_cmpstr(hearth_config_filter(config)[1], ==, "!*.tmp");
    g_assert_null(hearth_config_filter(config)[2]);
}

static void a_sprocket_is_trusted_as_the_file_says(void)
{
    g_autoptr(HearthConfig) config = hearth_config_parse(
        "[sprocket a]\ntrust=process\n[sprocket b]\ntrust=fork\n[sprocket c]\ntrust=inside\n", "x",
        NULL);
    g_auto(GStrv) notes = hearth_config_notes(config);
    g_assert_cmpint(hearth_config_trust(config, "a"), ==, HEARTH_TRUST_PROCESS);
    g_assert_cmpint(hearth_config_trust(config, "b"), ==, HEARTH_TRUST_FORK);
    g_assert_cmpint(hearth_config_trust(config, "c"), ==, HEARTH_TRUST_INSIDE);
    g_assert_cmpint(hearth_config_trust(config, "d"), ==, HEARTH_TRUST_INSIDE);
    g_assert_cmpuint(g_strv_length(notes), ==, 0);
}

static void what_has_no_effect_yet_is_said(void)
{
    g_autoptr(HearthConfig) config =
        hearth_config_parse("[export p]\nformats=mp3\n[gateway]\nallow-lan=true\n", "x", NULL);
    g_auto(GStrv) notes = hearth_config_notes(config);
    g_assert_cmpuint(g_strv_length(notes), ==, 2);
    g_assert_nonnull(strstr(notes[0], "[export p] formats"));
}

static void a_dump_reads_back_as_the_same(void)
{
    g_autoptr(HearthConfig) config =
        hearth_config_parse("[gateway]\nname=a b\ncopies=2\n[device x]\nimport=ask\n", "x", NULL);
    g_autofree char *text = hearth_config_dump(config);
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthConfig) again = hearth_config_parse(text, "dump", &error);
    g_assert_no_error(error);
    g_autofree char *second = hearth_config_dump(again);
    g_assert_cmpstr(text, ==, second);
    g_assert_cmpint(hearth_config_policy(again, "x"), ==, HEARTH_IMPORT_ASK);
}

static void a_file_that_cannot_be_read_is_named(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(hearth_config_read("/nonexistent/hearth.conf", &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/hearth.conf"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gateway/config/each file is taken or refused by line and key",
                    each_file_is_taken_or_refused_by_line_and_key);
    g_test_add_func("/gateway/config/an empty file is all defaults", an_empty_file_is_all_defaults);
    g_test_add_func("/gateway/config/a device has its own settings over the common",
                    a_device_has_its_own_settings_over_the_common);
    g_test_add_func("/gateway/config/a sprocket is trusted as the file says",
                    a_sprocket_is_trusted_as_the_file_says);
    g_test_add_func("/gateway/config/what has no effect yet is said",
                    what_has_no_effect_yet_is_said);
    g_test_add_func("/gateway/config/a dump reads back as the same", a_dump_reads_back_as_the_same);
    g_test_add_func("/gateway/config/a file that cannot be read is named",
                    a_file_that_cannot_be_read_is_named);
    return g_test_run();
}
