#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void a_replaced_file_is_whole_and_alone(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("hearth-io-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "file", NULL), *text = NULL;
    g_assert_true(hearth_replace_file(path, "old", 3, 0600, &error));
    g_assert_true(hearth_replace_file(path, "newer", 5, 0600, &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "newer");
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* fails if a temporary file stayed */
}

static void a_full_disk_leaves_an_error_that_says_so(void)
{
    g_autoptr(GError) error = NULL;
    hearth_autofd int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_false(hearth_write_all(fd, "x", 1, "the spool", &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE);
    g_assert_nonnull(strstr(error->message, "the spool"));
    g_assert_cmpint(hearth_error_to_errno(error), ==, ENOSPC);
    g_assert_cmpuint(hearth_error_to_http(error), ==, 507);
}

static void a_short_file_gives_what_it_has(void)
{
    g_autoptr(GError) error = NULL;
    int ends[2];
    char got[8];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_true(hearth_write_all(ends[1], "abc", 3, "pipe", &error));
    close(ends[1]);
    g_assert_cmpint(hearth_read_up_to(ends[0], got, sizeof got, "pipe", &error), ==, 3);
    close(ends[0]);
}

static void every_errno_of_a_code_comes_back_as_that_errno(void)
{
    static const int NUMBERS[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EROFS,       ENOSPC,
                                  EBUSY,  ENODEV, EINVAL,  EACCES, EIO,       ENAMETOOLONG};
    for (gsize i = 0; i < G_N_ELEMENTS(NUMBERS); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(hearth_set_errno(&error, NUMBERS[i], "at %u", (guint)i));
        g_assert_cmpint(hearth_error_to_errno(error), ==, NUMBERS[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/io/replaced-file-is-whole", a_replaced_file_is_whole_and_alone);
    g_test_add_func("/base/io/full-disk", a_full_disk_leaves_an_error_that_says_so);
    g_test_add_func("/base/io/short-file", a_short_file_gives_what_it_has);
    g_test_add_func("/base/error/errno-round-trip", every_errno_of_a_code_comes_back_as_that_errno);
    return g_test_run();
}
