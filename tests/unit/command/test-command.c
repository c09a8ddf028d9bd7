#include "gateway/base/io.h"
#include "tests/unit/web/house.h"
#include "web/json.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The command hearth, run as a program against a house. */

typedef struct {
    int status;
    char *out;
    char *err;
} Result;

static void result_clear(Result *result)
{
    g_free(result->out);
    g_free(result->err);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

static char *program(void)
{
    return g_build_filename(g_getenv("HEARTH_BIN"), "hearth", NULL);
}

static char **arguments(const char *state, va_list words)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *path = program();
    g_strv_builder_add_many(builder, path, "--state", state, NULL);
    for (const char *word = va_arg(words, const char *); word; word = va_arg(words, const char *))
        g_strv_builder_add(builder, word);
    return g_strv_builder_end(builder);
}

static Result run_in(const char *state, va_list words)
{
    Result result = {0};
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = arguments(state, words);
    int wait_status;
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &result.out, &result.err,
                 &wait_status, &error);
    g_assert_no_error(error);
    result.status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128;
    return result;
}

static G_GNUC_NULL_TERMINATED Result run(House *house, ...)
{
    va_list words;
    va_start(words, house);
    Result result = run_in(house->state, words);
    va_end(words);
    return result;
}

static Result run_elsewhere(const char *state, ...) G_GNUC_NULL_TERMINATED;
static Result run_elsewhere(const char *state, ...)
{
    va_list words;
    va_start(words, state);
    Result result = run_in(state, words);
    va_end(words);
    return result;
}

/* Runs and wants exit status 0; the output, (transfer full). */
static char *output(House *house, ...) G_GNUC_NULL_TERMINATED;
static char *output(House *house, ...)
{
    va_list words;
    va_start(words, house);
    g_auto(Result) result = run_in(house->state, words);
    va_end(words);
    if (result.status != 0)
        g_error("exit status %d: %s%s", result.status, result.out, result.err);
    g_assert_cmpstr(result.err, ==, "");
    return g_steal_pointer(&result.out);
}

static void expect_status(House *house, int status, ...) G_GNUC_NULL_TERMINATED;
static void expect_status(House *house, int status, ...)
{
    va_list words;
    va_start(words, status);
    g_auto(Result) result = run_in(house->state, words);
    va_end(words);
    if (result.status != status)
        g_error("wanted %d, got %d: %s%s", status, result.status, result.out, result.err);
    g_assert_true(status == 0 || *result.err);
}

static GVariant *json_output(House *house, ...) G_GNUC_NULL_TERMINATED;
static GVariant *json_output(House *house, ...)
{
    va_list words;
    va_start(words, house);
    g_auto(Result) result = run_in(house->state, words);
    va_end(words);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(result.status, ==, 0);
    GVariant *value = hearth_json_parse(result.out, -1, &error);
    g_assert_no_error(error);
    return value;
}

/* Another program's exit status. */
static int status_of(const char *line)
{
    g_autoptr(GError) error = NULL;
    int status;
    g_spawn_command_line_sync(line, NULL, NULL, &status, &error);
    g_assert_no_error(error);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static char *local_path(House *house, const char *name)
{
    return g_build_filename(house->state, name, NULL);
}

static char *write_local(House *house, const char *name, const char *text)
{
    char *path = local_path(house, name);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

/* --- Exit status and usage ---------------------------------------------------------------------- */

static void the_exit_status_says_what_went_wrong(void)
{
    g_autoptr(House) house = house_new();
    expect_status(house, 0, "status", NULL);
    expect_status(house, 0, "--help", NULL);
    expect_status(house, 0, "ls", "--help", NULL);
    expect_status(house, 0, "trash", "list", "--help", NULL);
    expect_status(house, 1, "stat", "/nothing", NULL);
    expect_status(house, 1, "rm", "/", NULL);
    expect_status(house, 2, NULL);
    expect_status(house, 2, "dance", NULL);
    expect_status(house, 2, "trash", NULL);
    expect_status(house, 2, "ls", "/", "/a", NULL);
    expect_status(house, 2, "mv", "/a", NULL);
    expect_status(house, 2, "ls", "--loud", NULL);
    expect_status(house, 2, "ls", "-x", NULL);
    expect_status(house, 2, "find", "size > 1", "--limit", "x", NULL);
    expect_status(house, 2, "find", "size > 1", "--limit", NULL);
    expect_status(house, 2, "ls", "--long=1", NULL);
    expect_status(house, 2, "get", "/", "/tmp", NULL);
    expect_status(house, 2, "import", "/DCIM", NULL);
    g_auto(Result) gone = run_elsewhere("/nonexistent", "status", NULL);
    g_assert_cmpint(gone.status, ==, 3);
    g_assert_nonnull(strstr(gone.err, "/nonexistent/hearthd.sock"));
    g_assert_cmpstr(gone.out, ==, "");
}

static void the_state_is_found_by_the_environment(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *path = program();
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "HEARTH_STATE", house->state, TRUE);
    char *argv[] = {path, (char *)"status", NULL};
    int wait_status;
    g_spawn_sync(NULL, argv, environment, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, NULL,
                 &wait_status, NULL);
    g_assert_cmpint(wait_status, ==, 0);
}

static void every_command_that_prints_prints_json(void)
{
    static const char *const CALLS[][5] = {
        {"status"},
        {"devices"},
        {"jobs"},
        {"ls", "/"},
        {"ls", "-R", "/"},
        {"stat", "/a/f"},
        {"find", "kind = file"},
        {"history", "/a/f"},
        {"trash", "list"},
        {"log"},
        {"sprocket", "list"},
        {"sprocket", "show", "org.hearth.played"},
        {"scrub"},
        {"scrub", "--wait"},
        {"gc"},
        {"fsck"},
        {"device", "attach", "disk:/tmp"},
        {"import", "device-0", "--dry-run"},
        {"import", "device-0"},
        {"import", "device-0", "--wait"},
        {"mkdir", "/new"},
        {"mv", "/a/f", "/a/g"},
        {"restore", "/a/g", "1"},
        {"trash", "empty"},
    };
    g_autoptr(House) house = house_new();
    house_add(house, "/a/f", "text");
    for (gsize i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        g_test_message("%s %s", CALLS[i][0], CALLS[i][1] ? CALLS[i][1] : "");
        g_autoptr(GVariant) value = json_output(house, "--json", CALLS[i][0], CALLS[i][1],
                                                CALLS[i][2], CALLS[i][3], CALLS[i][4], NULL);
        g_assert_true(g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT));
    }
}

/* --- The tree ---------------------------------------------------------------------------------- */

static void a_folder_is_listed_one_name_a_line(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/b/deep/f", "12345");
    house_add(house, "/a", "x");
    g_autofree char *plain = output(house, "ls", NULL);
    g_assert_cmpstr(plain, ==, "a\nb\n");
    g_autofree char *deep = output(house, "ls", "-R", "/", NULL);
    g_assert_cmpstr(deep, ==, "/a\n/b\n/b/deep\n/b/deep/f\n");
    g_autofree char *wide = output(house, "ls", "-l", "/b/deep/", NULL);
    g_assert_true(g_str_has_prefix(wide, "-rw-r-----  5 B  2023-11-1"));
    g_assert_true(g_str_has_suffix(wide, "  f\n"));
    g_autofree char *file = output(house, "ls", "/b/deep/f", NULL);
    g_assert_cmpstr(file, ==, "f\n");
}

static void many_entries_come_in_pages(void)
{
    g_autoptr(House) house = house_new();
    for (guint i = 0; i < 2100; i++) {
        g_autofree char *path = g_strdup_printf("/many/%04u", i);
        HearthNewFile file = {.path = path, .mode = 0644};
        HearthObject object;
        g_assert_true(hearth_store_add_file(house->store, &file, 0, &object, NULL));
    }
    g_autofree char *text = output(house, "ls", "/many", NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 2101);
    g_assert_cmpstr(lines[0], ==, "0000");
    g_assert_cmpstr(lines[2099], ==, "2099");
}

static void files_go_in_and_come_out(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *local = write_local(house, "local.txt", "from here");
    g_autofree char *back = local_path(house, "back.txt");
    g_autofree char *text = NULL;
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1500000000, .tv_nsec = 123456789}};
    struct stat status;
    utimensat(AT_FDCWD, local, times, 0);
    chmod(local, 0604);
    g_autofree char *nothing = output(house, "put", local, "/copy.txt", NULL);
    g_assert_cmpstr(nothing, ==, "");
    g_autofree char *cat = output(house, "cat", "/copy.txt", "/copy.txt", NULL);
    g_assert_cmpstr(cat, ==, "from herefrom here");
    g_autofree char *none = output(house, "get", "/copy.txt", back, NULL);
    g_assert_true(g_file_get_contents(back, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "from here");
    g_assert_cmpint(stat(back, &status), ==, 0);
    g_assert_cmpint(status.st_mtim.tv_sec, ==, 1500000000);
    g_assert_cmpint(status.st_mtim.tv_nsec, ==, 123456789);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0604);
    g_autofree char *folder = output(house, "mkdir", "/folder", NULL);
    g_autofree char *into = output(house, "put", local, "/folder", NULL);
    g_assert_true(house_has(house, "/folder/local.txt"));
    expect_status(house, 1, "put", "/nonexistent", "/x", NULL);
    expect_status(house, 1, "put", local, "/nowhere/x", NULL);
    expect_status(house, 1, "cat", "/folder", NULL);
    expect_status(house, 2, "put", house->state, "/x", NULL);
}

static void a_get_that_fails_leaves_nothing(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *folder = local_path(house, "empty");
    g_autofree char *target = g_build_filename(folder, "f", NULL);
    g_mkdir(folder, 0700);
    expect_status(house, 1, "get", "/nothing", target, NULL);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static char *make_local_tree(House *house)
{
    char *root = local_path(house, "trip");
    g_autofree char *sub = g_build_filename(root, "day 1", "caf\xe9", NULL);
    g_mkdir_with_parents(sub, 0700);
    for (guint i = 0; i < 40; i++) {
        g_autofree char *path = g_strdup_printf("%s/%u.txt", sub, i);
        g_autofree char *text = g_strdup_printf("file %u", i);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    }
    g_autofree char *empty = g_build_filename(root, "empty", NULL);
    g_assert_true(g_file_set_contents(empty, "", 0, NULL));
    g_autofree char *link = g_build_filename(root, "link", NULL);
    g_assert_cmpint(symlink("day 1/caf\xe9", link), ==, 0);
    return root;
}

static void a_folder_goes_in_and_comes_out(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *root = make_local_tree(house);
    g_autofree char *back = local_path(house, "back");
    g_autofree char *none = output(house, "put", "-r", root, "/", NULL);
    g_assert_true(house_has(house, "/trip/day 1/caf\xe9/39.txt"));
    g_autofree char *got = output(house, "get", "-r", "/trip", back, NULL);
    g_autofree char *compare = g_strdup_printf("diff -r --no-dereference '%s' '%s'", root, back);
    g_assert_cmpint(status_of(compare), ==, 0);
}

static void a_second_put_sends_what_is_new(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *root = make_local_tree(house);
    g_autoptr(GVariant) first = json_output(house, "--json", "put", "-r", root, "/", NULL);
    g_autofree char *added = g_build_filename(root, "new.txt", NULL);
    g_assert_true(g_file_set_contents(added, "new", -1, NULL));
    g_autoptr(GVariant) second = json_output(house, "--json", "put", "-r", root, "/", NULL);
    gint64 files = 0, unchanged = 0;
    g_variant_lookup(first, "files", "x", &files);
    g_assert_cmpint(files, ==, 41);
    g_variant_lookup(second, "files", "x", &files);
    g_variant_lookup(second, "unchanged", "x", &unchanged);
    g_assert_cmpint(files, ==, 1);
    g_assert_cmpint(unchanged, ==, 41);
}

static void what_cannot_be_read_is_named_and_the_rest_is_brought(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *root = make_local_tree(house);
    g_autofree char *pipe = g_build_filename(root, "pipe", NULL);
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    g_auto(Result) result = run(house, "put", "-r", root, "/", NULL);
    g_assert_cmpint(result.status, ==, 1);
    g_assert_nonnull(strstr(result.err, pipe));
    g_assert_true(house_has(house, "/trip/day 1/caf\xe9/39.txt"));
    g_assert_false(house_has(house, "/trip/pipe"));
}

static void things_move_as_they_do_elsewhere(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a", "a");
    house_add(house, "/b", "b");
    house_add(house, "/folder/x", "x");
    expect_status(house, 1, "mv", "/a", "/b", NULL);
    expect_status(house, 0, "mv", "-f", "/a", "/b", NULL);
    expect_status(house, 0, "mv", "/b", "/folder", NULL);
    g_assert_true(house_has(house, "/folder/b"));
    expect_status(house, 1, "rm", "/folder", NULL);
    expect_status(house, 0, "rm", "-r", "/folder", NULL);
    expect_status(house, 1, "mkdir", "/p/q", NULL);
    expect_status(house, 0, "mkdir", "-p", "/p/q", NULL);
    expect_status(house, 0, "mkdir", "-p", "/p/q", NULL);
    expect_status(house, 0, "rm", "--", "/p/q", NULL);
}

static void what_was_removed_comes_back(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a/f", "f");
    expect_status(house, 0, "rm", "/a/f", NULL);
    g_autofree char *list = output(house, "trash", "list", NULL);
    g_assert_nonnull(strstr(list, "/a/f\n"));
    g_autofree char *where = output(house, "trash", "restore", "/a/f", NULL);
    g_assert_cmpstr(where, ==, "/a/f\n");
    expect_status(house, 1, "trash", "restore", "/a/f", NULL);
    expect_status(house, 0, "rm", "/a/f", NULL);
    g_autofree char *young = output(house, "trash", "empty", "--older-than", "1", NULL);
    g_assert_true(g_str_has_prefix(young, "0 forgotten"));
    g_autofree char *emptied = output(house, "trash", "empty", NULL);
    g_assert_true(g_str_has_prefix(emptied, "1 forgotten"));
}

static void an_old_version_comes_back(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *one = write_local(house, "one", "one"),
                    *two = write_local(house, "two", "two!");
    expect_status(house, 0, "put", one, "/f", NULL);
    expect_status(house, 0, "put", two, "/f", NULL);
    g_autofree char *history = output(house, "history", "/f", NULL);
    g_assert_true(g_str_has_prefix(history, "2  "));
    g_assert_nonnull(strstr(history, "\n1  "));
    expect_status(house, 0, "restore", "/f", "1", NULL);
    g_autofree char *now = output(house, "cat", "/f", NULL);
    g_assert_cmpstr(now, ==, "one");
    expect_status(house, 2, "restore", "/f", "first", NULL);
    expect_status(house, 1, "restore", "/f", "9", NULL);
}

static void what_matches_is_found(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a/red.txt", "x");
    house_add(house, "/a/blue.txt", "xxx");
    g_autofree char *one = output(house, "find", "name ~ \"red\"", NULL);
    g_assert_cmpstr(one, ==, "/a/red.txt\n");
    g_autofree char *both = output(house, "find", "kind = file", NULL);
    g_assert_nonnull(strstr(both, "/a/red.txt\n"));
    g_assert_nonnull(strstr(both, "/a/blue.txt\n"));
    g_autofree char *limited = output(house, "find", "kind = file", "--limit", "1", NULL);
    g_auto(GStrv) lines = g_strsplit(limited, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
    g_auto(Result) bad = run(house, "find", "name ~~ 1", NULL);
    g_assert_cmpint(bad.status, ==, 1);
    g_assert_nonnull(strstr(bad.err, "column"));
}

static void the_log_shows_what_changed(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/a/f", "f");
    g_autofree char *text = output(house, "log", NULL);
    g_assert_nonnull(strstr(text, "created"));
    g_assert_nonnull(strstr(text, "/a/f\n"));
    g_autofree char *last = output(house, "log", "-n", "1", NULL);
    g_auto(GStrv) lines = g_strsplit(last, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
}

static void the_log_goes_on_as_changes_happen(void)
{
    g_autoptr(House) house = house_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = program();
    char *argv[] = {
        path,         (char *)"--state", house->state, (char *)"log", (char *)"--follow",
        (char *)"-n", (char *)"0",       NULL};
    char piece[4096] = "";
    GPid child;
    int out;
    g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &child, NULL,
                             &out, NULL, &error);
    g_assert_no_error(error);
    g_usleep(300000);
    house_add(house, "/late", "late");
    g_assert_cmpint(read(out, piece, sizeof piece - 1), >, 0);
    g_assert_nonnull(strstr(piece, "/late"));
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    close(out);
}

/* --- Devices and jobs --------------------------------------------------------------------------- */

static void devices_come_and_go(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *none = output(house, "devices", NULL);
    g_assert_cmpstr(none, ==, "");
    g_autofree char *id = output(house, "device", "attach", "disk:/mnt/caf\xe9", NULL);
    g_assert_cmpstr(id, ==, "device-0\n");
    g_autofree char *port = house_attached(house, 0);
    g_assert_cmpstr(port, ==, "disk:/mnt/caf\xe9");
    g_autofree char *list = output(house, "devices", NULL);
    g_assert_nonnull(strstr(list, "device-0  Cam\xc3\xa9ra \\x1b[31m  volume  ready"));
    g_autofree char *status = output(house, "status", NULL);
    g_assert_nonnull(strstr(status, "the disk is older than the house"));
    expect_status(house, 1, "device", "attach", "tape:/dev/st0", NULL);
    expect_status(house, 0, "device", "detach", "device-0", NULL);
    expect_status(house, 1, "device", "detach", "device-0", NULL);
}

static void an_import_is_planned_begun_and_waited_for(void)
{
    g_autoptr(House) house = house_new();
    expect_status(house, 1, "import", NULL);
    expect_status(house, 0, "device", "attach", "disk:/mnt/card", NULL);
    g_autofree char *plan = output(house, "import", "device-0", "--dry-run", NULL);
    g_assert_cmpstr(plan, ==, "import  /DCIM/caf\xe9.jpg -> /Photos/caf\xe9.jpg\n");
    g_autofree char *id = output(house, "import", "device-0", NULL);
    g_assert_cmpstr(id, ==, "import-1\n");
    g_autofree char *done = output(house, "import", "--wait", NULL);
    g_assert_cmpstr(done, ==, "device-0: 3 files (3.0 MB), 0 skipped\n");
    g_autofree char *chosen = output(house, "import", "device-0", "/DCIM/caf\xe9", NULL);
    g_autofree char *imported = house_imported(house);
    g_assert_cmpstr(imported, ==, "/DCIM/caf\xe9");
    expect_status(house, 0, "job", "cancel", "import-3", NULL);
    g_assert_true(house_was_cancelled(house));
    expect_status(house, 1, "import", "device-7", NULL);
}

static void upkeep_says_what_it_found(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *scrub = output(house, "scrub", "--wait", NULL);
    g_assert_cmpstr(scrub, ==, "all is well\n");
    g_autofree char *begun = output(house, "scrub", NULL);
    g_assert_cmpstr(begun, ==, "scrub-2\n");
    g_autofree char *freed = output(house, "gc", NULL);
    g_assert_cmpstr(freed, ==, "4.2 kB freed\n");
    g_autofree char *fsck = output(house, "fsck", NULL);
    g_assert_cmpstr(fsck, ==, "all is well\n");
}

/* --- Terminals --------------------------------------------------------------------------------- */

/* Runs with standard output and error on a terminal; what it wrote there, (transfer full). */
static char *on_terminal(House *house, ...) G_GNUC_NULL_TERMINATED;
static char *on_terminal(House *house, ...)
{
    va_list words;
    va_start(words, house);
    g_auto(GStrv) argv = arguments(house->state, words);
    va_end(words);
    hearth_autofd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct winsize size = {.ws_row = 24, .ws_col = 100};
    g_assert_cmpint(grantpt(master), ==, 0);
    g_assert_cmpint(unlockpt(master), ==, 0);
    ioctl(master, TIOCSWINSZ, &size);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        dup2(slave, STDOUT_FILENO);
        dup2(slave, STDERR_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    close(slave);
    GString *text = g_string_new(NULL);
    char piece[4096];
    ssize_t got;
    while ((got = read(master, piece, sizeof piece)) > 0)
        g_string_append_len(text, piece, got);
    waitpid(child, NULL, 0);
    return g_string_free(text, FALSE);
}

static void a_bar_is_drawn_on_a_terminal_alone(void)
{
    g_autoptr(House) house = house_new();
    expect_status(house, 0, "device", "attach", "disk:/mnt/card", NULL);
    g_autofree char *terminal = on_terminal(house, "import", "device-0", "--wait", NULL);
    g_assert_nonnull(strstr(terminal, "import ["));
    g_assert_nonnull(strstr(terminal, "of 3 files"));
    g_assert_nonnull(strstr(terminal, "1.5 MB/s"));
    g_assert_nonnull(strstr(terminal, "0:02 left"));
    g_assert_nonnull(strstr(terminal, "\r\x1b[Kdevice-0: 3 files"));
    g_autofree char *piped = output(house, "import", "device-0", "--wait", NULL);
    g_assert_null(strchr(piped, '['));
}

static void a_name_does_no_harm_to_a_terminal(void)
{
    g_autoptr(House) house = house_new();
    house_add(house, "/\x1b[31mred\xff", "x");
    house_add(house, "/plain/f", "x");
    g_autofree char *terminal = on_terminal(house, "ls", NULL);
    g_assert_cmpstr(terminal, ==, "\\x1b[31mred\\xff\r\nplain/\r\n");
    g_autofree char *piped = output(house, "ls", NULL);
    g_assert_cmpstr(piped, ==, "\x1b[31mred\xff\nplain\n");
    g_auto(Result) gone = run(house, "stat", "/\x1b[32m", NULL);
    g_assert_null(strchr(gone.err, 0x1b));
}

static void a_full_disk_behind_the_output_is_a_failure(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *path = program();
    g_autofree char *line = g_strdup_printf(
        "sh -c \"'%s' --state '%s' status >/dev/full 2>/dev/null\"", path, house->state);
    g_assert_cmpint(status_of(line), ==, 1);
}

/* --- Without a daemon --------------------------------------------------------------------------- */

static void a_state_can_be_checked_without_a_daemon(void)
{
    g_autofree char *state = g_dir_make_tmp("hearth-command-XXXXXX", NULL);
    HearthStoreOptions options = {.state = state, .engine = "sqlite"};
    HearthStore *store = hearth_store_open(&options, NULL);
    g_assert_nonnull(store);
    hearth_store_close(store);
    g_auto(Result) result = run_elsewhere(state, "fsck", NULL);
    g_assert_cmpstr(result.err, ==, "");
    g_assert_cmpstr(result.out, ==, "all is well\n");
    g_assert_cmpint(result.status, ==, 0);
    g_auto(Result) nothing = run_elsewhere("/nonexistent", "fsck", NULL);
    g_assert_cmpint(nothing.status, ==, 1);
    g_autofree char *clean = g_strdup_printf("rm -r '%s'", state);
    g_assert_cmpint(status_of(clean), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/exit-status", the_exit_status_says_what_went_wrong);
    g_test_add_func("/command/environment", the_state_is_found_by_the_environment);
    g_test_add_func("/command/json", every_command_that_prints_prints_json);
    g_test_add_func("/command/ls", a_folder_is_listed_one_name_a_line);
    g_test_add_func("/command/ls-pages", many_entries_come_in_pages);
    g_test_add_func("/command/put-get", files_go_in_and_come_out);
    g_test_add_func("/command/get-failed", a_get_that_fails_leaves_nothing);
    g_test_add_func("/command/put-get-folder", a_folder_goes_in_and_comes_out);
    g_test_add_func("/command/put-again", a_second_put_sends_what_is_new);
    g_test_add_func("/command/put-partly", what_cannot_be_read_is_named_and_the_rest_is_brought);
    g_test_add_func("/command/mv-rm-mkdir", things_move_as_they_do_elsewhere);
    g_test_add_func("/command/trash", what_was_removed_comes_back);
    g_test_add_func("/command/history", an_old_version_comes_back);
    g_test_add_func("/command/find", what_matches_is_found);
    g_test_add_func("/command/log", the_log_shows_what_changed);
    g_test_add_func("/command/log-follow", the_log_goes_on_as_changes_happen);
    g_test_add_func("/command/devices", devices_come_and_go);
    g_test_add_func("/command/import", an_import_is_planned_begun_and_waited_for);
    g_test_add_func("/command/upkeep", upkeep_says_what_it_found);
    g_test_add_func("/command/bar", a_bar_is_drawn_on_a_terminal_alone);
    g_test_add_func("/command/harmless-names", a_name_does_no_harm_to_a_terminal);
    g_test_add_func("/command/full-output", a_full_disk_behind_the_output_is_a_failure);
    g_test_add_func("/command/fsck-alone", a_state_can_be_checked_without_a_daemon);
    return g_test_run();
}
