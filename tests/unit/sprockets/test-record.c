#include "sprockets/host/call-private.h"
#include "sprockets/host/record-private.h"
#include "sprockets/host/result-private.h"

#include <math.h>
#include <string.h>

#include "gateway/base/error.h"

static guint8 buffer[SPROCKET_RESULT_MAX];

static int put_all(SprocketCall *call)
{
    static const char *const WORDS[] = {"one", "", "drei \xe2\x82\xac"};
    sprocket_put_string(call, "text.title", "a title");
    sprocket_put_uint(call, "image.width", G_MAXUINT64);
    sprocket_put_double(call, "gps.latitude", -0.5);
    sprocket_put_strv(call, "text.keywords", WORDS, G_N_ELEMENTS(WORDS));
    sprocket_put_strv(call, "none", NULL, 0);
    sprocket_put_bool(call, "yes", true);
    return SPROCKET_OK;
}

/* Runs `hook` with `buffer` as its result; the size of the record. */
static gsize run(SprocketRun hook, HearthCall *call)
{
    size_t size;
    hearth_call_init(call, NULL, 0, NULL, 0);
    hearth_record_begin(&call->result, buffer, sizeof buffer);
    g_assert_cmpint(hearth_call_run(call, hook, &size), ==, SPROCKET_OK);
    return size;
}

static void what_a_sprocket_puts_the_host_reads(void)
{
    HearthCall call;
    g_autoptr(GError) error = NULL;
    gsize size = run(put_all, &call);
    g_autoptr(GVariant) got = hearth_result_decode(buffer, size, &error);
    g_assert_no_error(error);
    g_autoptr(GVariant) wanted = g_variant_ref_sink(g_variant_new_parsed(
        "{'text.title': <'a title'>, 'image.width': <uint64 18446744073709551615>,"
        " 'gps.latitude': <-0.5>, 'text.keywords': <['one', '', 'drei \xe2\x82\xac']>,"
        " 'none': <@as []>, 'yes': <true>}"));
    g_autoptr(GVariantDict) a = g_variant_dict_new(got);
    GVariantIter iter;
    const char *key;
    GVariant *value;
    g_assert_cmpuint(g_variant_n_children(got), ==, g_variant_n_children(wanted));
    g_variant_iter_init(&iter, wanted);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        g_autoptr(GVariant) other = g_variant_dict_lookup_value(a, key, NULL);
        g_assert_nonnull(other);
        g_assert_true(g_variant_equal(other, value));
        g_variant_unref(value);
    }
}

static int put_null(SprocketCall *call)
{
    sprocket_put_uint(call, "image.width", 1);
    g_assert_false(sprocket_put_string(call, "text.title", NULL));
    return SPROCKET_OK;
}

static int put_long_key(SprocketCall *call)
{
    char key[SPROCKET_KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    key[SPROCKET_KEY_MAX] = '\0';
    g_assert_false(sprocket_put_uint(call, key, 1));
    return SPROCKET_OK;
}

static int put_empty_key(SprocketCall *call)
{
    g_assert_false(sprocket_put_uint(call, "", 1));
    return SPROCKET_OK;
}

static int put_too_many(SprocketCall *call)
{
    for (guint i = 0; i < SPROCKET_VALUES_MAX; i++)
        g_assert_true(sprocket_put_uint(call, "k", i));
    g_assert_false(sprocket_put_uint(call, "k", 1));
    return SPROCKET_OK;
}

static int put_too_much(SprocketCall *call)
{
    g_autofree char *text = g_strnfill(SPROCKET_STRING_MAX - 1, 'x');
    while (sprocket_put_string(call, "k", text))
        continue;
    return SPROCKET_OK;
}

static void a_put_that_is_refused_names_its_rule(void)
{
    static const struct {
        SprocketRun hook;
        const char *rule;
    } ROWS[] = {
        {put_null, "result-value"},      {put_long_key, "result-value"},
        {put_empty_key, "result-value"}, {put_too_many, "result-size"},
        {put_too_much, "result-size"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        HearthCall call;
        gsize size = run(ROWS[i].hook, &call);
        g_assert_cmpstr(call.rule, ==, ROWS[i].rule);
        g_assert_cmpuint(size, <=, sizeof buffer);
    }
}

static void a_record_cut_short_anywhere_is_refused(void)
{
    HearthCall call;
    gsize size = run(put_all, &call);
    for (gsize length = 0; length < size; length++) {
        /* On the heap and of that size, so that a read past the end is seen. */
        g_autofree guint8 *copy = g_memdup2(buffer, length);
        g_autoptr(GError) error = NULL;
        g_assert_null(hearth_result_decode(copy, length, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

static void a_record_with_any_byte_changed_is_read_without_harm(void)
{
    HearthCall call;
    gsize size = run(put_all, &call);
    for (gsize at = 0; at < size; at++) {
        for (guint change = 1; change < 256; change = change * 2 + 1) {
            g_autofree guint8 *copy = g_memdup2(buffer, size);
            g_autoptr(GError) error = NULL;
            copy[at] ^= (guint8)change;
            g_autoptr(GVariant) got = hearth_result_decode(copy, size, &error);
            g_assert_true((got == NULL) == (error != NULL));
        }
    }
}

/* One value, laid out by hand: type, key, payload, with the header that fits. */
static gsize lay_out(guint8 type, const char *key, guint8 key_size, guint32 payload_size,
                     const void *payload, gsize given, guint32 count)
{
    guint32 words[3] = {HEARTH_RECORD_MAGIC, 0, count};
    gsize used = sizeof words;
    guint8 head[8] = {type, key_size};
    memcpy(head + 4, &payload_size, 4);
    memcpy(buffer + used, head, sizeof head);
    used += sizeof head;
    memcpy(buffer + used, key, key_size);
    used += key_size;
    memcpy(buffer + used, payload, given);
    used += given;
    words[1] = (guint32)used;
    memcpy(buffer, words, sizeof words);
    return used;
}

static void hostile_records_are_refused(void)
{
    static const struct {
        const char *what;
        guint8 type;
        const char *key;
        guint8 key_size;
        guint32 payload_size;
        const char *payload;
        gsize given;
        guint32 count;
    } ROWS[] = {
        {"unknown type", 'x', "k", 2, 8, "12345678", 8, 1},
        {"payload past the end", 'u', "k", 2, 9, "12345678", 8, 1},
        {"payload of 4 GiB", 's', "k", 2, 0xffffffff, "abc", 4, 1},
        {"uint of seven bytes", 'u', "k", 2, 7, "1234567", 7, 1},
        {"bool that is neither", 'b', "k", 2, 1, "\2", 1, 1},
        {"key without NUL", 'u', "kk", 2, 8, "12345678", 8, 1},
        {"key with NUL inside", 'u', "k\0k", 4, 8, "12345678", 8, 1},
        {"empty key", 'u', "", 1, 8, "12345678", 8, 1},
        {"no key at all", 'u', "", 0, 8, "12345678", 8, 1},
        {"text without NUL", 's', "k", 2, 3, "abc", 3, 1},
        {"text with NUL inside", 's', "k", 2, 4, "a\0b", 4, 1},
        {"text of no bytes", 's', "k", 2, 0, "", 0, 1},
        {"text that is not UTF-8", 's', "k", 2, 3, "\xc3\x28", 3, 1},
        {"key that is not UTF-8", 'u', "\xc3\x28", 3, 8, "12345678", 8, 1},
        {"list of more than there is", 'a', "k", 2, 4, "\2\0\0\0", 4, 1},
        {"list of 2^32 entries", 'a', "k", 2, 4, "\xff\xff\xff\xff", 4, 1},
        {"entry past the end", 'a', "k", 2, 10, "\1\0\0\0\x09\0\0\0a", 10, 1},
        {"list with bytes left over", 'a', "k", 2, 11, "\1\0\0\0\2\0\0\0a\0z", 11, 1},
        {"fewer values than counted", 'u', "k", 2, 8, "12345678", 8, 2},
        {"more values than counted", 'u', "k", 2, 8, "12345678", 8, 0},
        {"2^32 values", 'u', "k", 2, 8, "12345678", 8, 0xffffffff},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        gsize size = lay_out(ROWS[i].type, ROWS[i].key, ROWS[i].key_size, ROWS[i].payload_size,
                             ROWS[i].payload, ROWS[i].given, ROWS[i].count);
        g_autofree guint8 *copy = g_memdup2(buffer, size);
        g_test_message("%s", ROWS[i].what);
        g_assert_null(hearth_result_decode(copy, size, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

static int read_params(SprocketCall *call)
{
    g_assert_cmpstr(sprocket_input(call)->name, ==, "a.jpg");
    g_assert_cmpstr(sprocket_input(call)->media_type, ==, "image/jpeg");
    g_assert_null(sprocket_input_at(call, 1));
    g_assert_cmpuint(sprocket_param_uint(call, "edge", 1), ==, 320);
    g_assert_cmpuint(sprocket_param_uint(call, "missing", 1), ==, 1);
    g_assert_cmpuint(sprocket_param_uint(call, "format", 1), ==, 1); /* of another type */
    g_assert_cmpstr(sprocket_param_string(call, "format", "x"), ==, "mp3");
    g_assert_cmpfloat(sprocket_param_double(call, "gain", 0), ==, 1.5);
    g_assert_true(sprocket_param_bool(call, "keep", false));
    return SPROCKET_OK;
}

static void parameters_reach_the_sprocket_by_name_and_type(void)
{
    g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new_parsed(
        "{'edge': <uint32 320>, 'format': <'mp3'>, 'gain': <1.5>, 'keep': <true>}"));
    g_autoptr(GVariant) odd = g_variant_ref_sink(g_variant_new_parsed("{'edge': <(1, 2)>}"));
    g_autoptr(GError) error = NULL;
    HearthCall call;
    gsize size;
    size_t result;
    g_assert_true(hearth_result_encode_params(params, "a.jpg", "image/jpeg", buffer, sizeof buffer,
                                              &size, &error));
    hearth_call_init(&call, NULL, 0, buffer, size);
    hearth_record_begin(&call.result, buffer + size, sizeof buffer - size);
    g_assert_cmpint(hearth_call_run(&call, read_params, &result), ==, SPROCKET_OK);
    g_assert_false(
        hearth_result_encode_params(odd, "a.jpg", NULL, buffer, sizeof buffer, &size, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sprockets/record/what-is-put-is-read", what_a_sprocket_puts_the_host_reads);
    g_test_add_func("/sprockets/record/refused-put-names-its-rule",
                    a_put_that_is_refused_names_its_rule);
    g_test_add_func("/sprockets/record/cut-short", a_record_cut_short_anywhere_is_refused);
    g_test_add_func("/sprockets/record/any-byte-changed",
                    a_record_with_any_byte_changed_is_read_without_harm);
    g_test_add_func("/sprockets/record/hostile", hostile_records_are_refused);
    g_test_add_func("/sprockets/record/parameters", parameters_reach_the_sprocket_by_name_and_type);
    return g_test_run();
}
