#include "gateway/base/error.h"
#include "web/frames.h"

#include <string.h>

/* What was read: "PATH SIZE MODE [BYTES]" for each file. */
typedef struct {
    GString *text;
    gboolean refuse; /* the second file */
    guint files;
} Heard;

static gboolean on_begin(const HearthFrame *frame, gpointer data, GError **error)
{
    Heard *heard = data;
    if (heard->refuse && heard->files == 1) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE, "full");
        return FALSE;
    }
    g_string_append_printf(heard->text, "%s %" G_GINT64_FORMAT " %o [", frame->path, frame->size,
                           (guint)frame->mode);
    return TRUE;
}

static gboolean on_bytes(const void *bytes, gsize size, gpointer data, GError **error)
{
    Heard *heard = data;
    g_string_append_len(heard->text, bytes, (gssize)size);
    return TRUE;
}

static gboolean on_end(gpointer data, GError **error)
{
    Heard *heard = data;
    g_string_append(heard->text, "]");
    heard->files++;
    return TRUE;
}

static const HearthFramesFuncs FUNCS = {on_begin, on_bytes, on_end};

/* Feeds `body` in pieces of that size; what was heard, (transfer full). */
static char *feed(const char *body, gsize piece, gboolean refuse, GError **error)
{
    Heard heard = {.text = g_string_new(NULL), .refuse = refuse};
    g_autoptr(HearthFrames) frames = hearth_frames_new(&FUNCS, &heard);
    gsize size = strlen(body);
    gboolean good = TRUE;
    for (gsize at = 0; good && at < size; at += piece) {
        g_autofree char *part = g_memdup2(body + at, MIN(piece, size - at));
        good = hearth_frames_push(frames, part, MIN(piece, size - at), error);
    }
    if (good)
        hearth_frames_finish(frames, error);
    return g_string_free(heard.text, FALSE);
}

static void files_are_told_apart_however_they_are_cut(void)
{
    static const char BODY[] = "{\"path\":\"/a\",\"size\":3}\nabc"
                               "{\"path\":\"/empty\",\"size\":0,\"mode\":\"600\"}\n"
                               "{\"path_bytes\":\"/caf%E9\",\"size\":4,\"path\":\"/x\"}\n{\"}\n";
    for (gsize piece = 1; piece <= sizeof BODY; piece++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *heard = feed(BODY, piece, FALSE, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(heard, ==, "/a 3 644 [abc]/empty 0 600 []/caf\xe9 4 644 [{\"}\n]");
    }
}

static void what_is_no_frame_is_refused(void)
{
    g_autofree char *endless = g_strnfill(HEARTH_FRAMES_LINE_MAX + 1, ' ');
    const char *const bodies[] = {"\n",
                                  "[]\n",
                                  "{}\n",
                                  "x\n",
                                  "{\"path\":\"/a\"}\n",
                                  "{\"size\":1}\na",
                                  "{\"path\":\"a\",\"size\":1}\na",
                                  "{\"path\":\"/a\",\"size\":-1}\n",
                                  "{\"path\":\"/a\",\"size\":1.5}\na",
                                  "{\"path\":\"/a\",\"size\":\"1\"}\na",
                                  "{\"path\":\"/a\",\"size\":1,\"mode\":\"9\"}\na",
                                  "{\"path_bytes\":\"/%00\",\"size\":1}\na",
                                  "{\"path\":\"/a\",\"size\":2}\na",
                                  "{\"path\":\"/a\"",
                                  endless};
    for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%.60s", bodies[i]);
        g_autofree char *heard = feed(bodies[i], 7, FALSE, &error);
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

static void a_refusal_ends_the_reading(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *heard =
        feed("{\"path\":\"/a\",\"size\":1}\na{\"path\":\"/b\",\"size\":1}\nb", 100, TRUE, &error);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE);
    g_assert_cmpstr(heard, ==, "/a 1 644 [a]");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/frames/cut", files_are_told_apart_however_they_are_cut);
    g_test_add_func("/web/frames/refused", what_is_no_frame_is_refused);
    g_test_add_func("/web/frames/refusal", a_refusal_ends_the_reading);
    return g_test_run();
}
