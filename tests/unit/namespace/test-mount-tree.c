#include "tests/unit/namespace/mount-fixture.h"

#include "gateway/base/io.h"

#include <dirent.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/xattr.h>

static int rename_with(const char *from, const char *to, unsigned flags)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void files_are_moved_as_rename_says(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *a = at(f, "a"), *b = at(f, "b"), *folder = at(f, "d"), *inside = at(f, "d/e");
    put(a, "A", 1);
    put(b, "B", 1);
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    assert_fails_with(rename_with(a, b, RENAME_NOREPLACE), EEXIST);
    g_assert_cmpint(rename_with(a, b, RENAME_EXCHANGE), ==, 0);
    assert_holds(a, "B", 1);
    assert_holds(b, "A", 1);
    g_assert_cmpint(rename_with(a, b, 0), ==, 0);
    assert_holds(b, "B", 1);
    assert_fails_with(access(a, F_OK), ENOENT);
    g_assert_cmpint(rename_with(b, inside, RENAME_NOREPLACE), ==, 0);
    assert_holds(inside, "B", 1);
    assert_fails_with(rename_with(folder, inside, 0), EINVAL); /* into itself */
    put(a, "A", 1);
    assert_fails_with(rename_with(a, folder, 0), EISDIR);
    assert_fails_with(rename_with(folder, a, 0), ENOTDIR);
    g_assert_cmpint(rename_with(a, folder, RENAME_EXCHANGE), ==, 0);
    assert_fails_with(rmdir(a), ENOTEMPTY);
    assert_fails_with(rename_with(b, a, RENAME_EXCHANGE), ENOENT);
    mount_fixture_restart(f);
    g_autofree char *moved = at(f, "a/e");
    assert_holds(moved, "B", 1);
    assert_holds(folder, "A", 1);
}

static void what_a_tree_of_contents_cannot_hold_is_refused(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *a = at(f, "a"), *b = at(f, "b"), *long_name = g_strnfill(256, 'n');
    g_autofree char *too_long = at(f, long_name);
    put(a, "A", 1);
    assert_fails_with(link(a, b), EPERM);
    assert_fails_with(mknod(b, S_IFIFO | 0600, 0), EPERM);
    assert_fails_with(mknod(b, S_IFSOCK | 0600, 0), EPERM);
    g_assert_cmpint(mknod(b, S_IFREG | 0600, 0), ==, 0);
    assert_fails_with(open(too_long, O_WRONLY | O_CREAT, 0600), ENAMETOOLONG);
    assert_fails_with(g_mkdir(too_long, 0755), ENAMETOOLONG);
    assert_fails_with(rename(a, too_long), ENAMETOOLONG);
    assert_fails_with(open(b, O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    assert_fails_with(g_rmdir(a), ENOTDIR);
}

static void a_symlink_keeps_its_target(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    char target[64] = "";
    struct stat status;
    g_autofree char *file = at(f, "file"), *link_path = at(f, "link");
    put(file, "target", 6);
    g_assert_cmpint(symlink("file", link_path), ==, 0);
    assert_holds(link_path, "target", 6);
    mount_fixture_restart(f);
    g_assert_cmpint(readlink(link_path, target, sizeof target), ==, 4);
    g_assert_cmpstr(target, ==, "file");
    g_assert_cmpint(lstat(link_path, &status), ==, 0);
    g_assert_cmpint(status.st_mode, ==, S_IFLNK | 0777);
    g_assert_cmpint(status.st_size, ==, 4);
    g_assert_cmpint(unlink(link_path), ==, 0);
    assert_holds(file, "target", 6);
}

static void any_bytes_can_be_a_name(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *longest = g_strnfill(255, '\xe4');
    const char *names[] = {"a\nb",
                           "\xff\xfe",
                           "Gr\xc3\xbc\xc3\x9f"
                           "e",
                           "Gru\xcc\x88\xc3\x9f"
                           "e",
                           "\x01\x7f",
                           "-rf *",
                           " ",
                           "A",
                           "a",
                           "...",
                           "\\",
                           longest};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = at(f, names[i]);
        put(path, names[i], strlen(names[i]));
    }
    mount_fixture_restart(f);
    guint seen = 0;
    DIR *dir = opendir(f->mount_point);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
            seen += strcmp(entry->d_name, names[i]) == 0;
    closedir(dir);
    g_assert_cmpuint(seen, ==, G_N_ELEMENTS(names));
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = at(f, names[i]);
        assert_holds(path, names[i], strlen(names[i]));
    }
}

static void inode_numbers_stay(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct stat before, after, other;
    g_autofree char *a = at(f, "a"), *b = at(f, "b");
    put(a, "A", 1);
    g_assert_cmpint(stat(a, &before), ==, 0);
    g_assert_cmpint(rename(a, b), ==, 0);
    put(b, "longer", 6);
    mount_fixture_restart(f);
    g_assert_cmpint(stat(b, &after), ==, 0);
    g_assert_cmpuint(after.st_ino, ==, before.st_ino);
    g_assert_cmpint(unlink(b), ==, 0);
    put(b, "another", 7);
    g_assert_cmpint(stat(b, &other), ==, 0);
    g_assert_cmpuint(other.st_ino, !=, before.st_ino);
}

static void a_group_is_handed_down(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct stat status;
    g_autofree char *folder = at(f, "d"), *file = at(f, "d/f"), *below = at(f, "d/s");
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    g_assert_cmpint(chown(folder, 0, 77), ==, 0);
    g_assert_cmpint(chmod(folder, 02755), ==, 0);
    put(file, "x", 1);
    g_assert_cmpint(g_mkdir(below, 0755), ==, 0);
    g_assert_cmpint(stat(file, &status), ==, 0);
    g_assert_cmpint(status.st_gid, ==, 77);
    g_assert_cmpint(stat(below, &status), ==, 0);
    g_assert_cmpint(status.st_gid, ==, 77);
    g_assert_cmpint(status.st_mode & S_ISGID, !=, 0);
}

/* --- Extended attributes --- */

static void set_known_attributes(MountFixture *f, const char *path)
{
    g_autoptr(GError) error = NULL;
    const char *words[] = {"sea", "sun", NULL};
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "camera.make", g_variant_new_string("Acme"));
    g_variant_builder_add(&builder, "{sv}", "image.width", g_variant_new_uint32(640));
    g_variant_builder_add(&builder, "{sv}", "exposure.time", g_variant_new_double(0.004));
    g_variant_builder_add(&builder, "{sv}", "text.keywords", g_variant_new_strv(words, -1));
    g_autoptr(GVariant) attributes = g_variant_ref_sink(g_variant_builder_end(&builder));
    g_assert_true(hearth_store_set_attributes(f->store, stored(f, path).ino, attributes, &error));
    g_assert_no_error(error);
}

static void assert_attribute(const char *path, const char *name, const char *value)
{
    char got[64] = "";
    g_assert_cmpint(getxattr(path, name, NULL, 0), ==, strlen(value));
    g_assert_cmpint(getxattr(path, name, got, sizeof got), ==, strlen(value));
    g_assert_cmpstr(got, ==, value);
}

static void metadata_are_read_only_attributes(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    char list[512] = "", small[2];
    g_autofree char *path = at(f, "file");
    put(path, "x", 1);
    g_assert_cmpint(listxattr(path, list, sizeof list), ==, 0);
    set_known_attributes(f, "/file");
    assert_attribute(path, "user.hearth.camera.make", "Acme");
    assert_attribute(path, "user.hearth.image.width", "640");
    assert_attribute(path, "user.hearth.exposure.time", "0.004");
    assert_attribute(path, "user.hearth.text.keywords", "sea\nsun");
    ssize_t length = listxattr(path, list, sizeof list);
    guint names = 0;
    for (const char *name = list; name < list + length; name += strlen(name) + 1)
        names += g_str_has_prefix(name, "user.hearth.");
    g_assert_cmpuint(names, ==, 4);
    assert_fails_with(listxattr(path, small, sizeof small), ERANGE);
    assert_fails_with(getxattr(path, "user.hearth.camera.make", small, sizeof small), ERANGE);
    assert_fails_with(getxattr(path, "user.hearth.gps.altitude", small, sizeof small), ENODATA);
    assert_fails_with(getxattr(path, "user.other", small, sizeof small), ENODATA);
    assert_fails_with(setxattr(path, "user.hearth.camera.make", "x", 1, 0), EPERM);
    assert_fails_with(removexattr(path, "user.hearth.camera.make"), EPERM);
    assert_fails_with(setxattr(path, "user.other", "x", 1, 0), EOPNOTSUPP);
}

/* --- A large folder --- */

#define MANY 20000

static gpointer come_and_go(gpointer data)
{
    MountFixture *f = data;
    for (guint i = 0; i < 300; i++) {
        g_autofree char *name = g_strdup_printf("moving-%u", i), *path = at(f, name);
        hearth_autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(unlink(path), ==, 0);
    }
    return NULL;
}

static void fill_large_folder(MountFixture *f)
{
    g_autoptr(GError) error = NULL;
    HearthNewObject file = {.kind = HEARTH_KIND_FILE, .mode = 0644};
    for (guint i = 0; i < MANY; i++) {
        HearthObject object;
        g_autofree char *name = g_strdup_printf("%u", i);
        hearth_store_create(f->store, HEARTH_ROOT_INO, name, &file, 0, &object, &error);
        g_assert_no_error(error);
    }
}

static void a_large_folder_lists_each_entry_once_while_others_come_and_go(MountFixture *f,
                                                                          gconstpointer data)
{
    NEEDS_MOUNT(f);
    fill_large_folder(f);
    GThread *other = g_thread_new("other", come_and_go, f);
    for (guint round = 0; round < 3; round++) {
        g_autofree guint8 *seen = g_malloc0(MANY);
        DIR *dir = opendir(f->mount_point);
        guint count = 0;
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
            if (g_ascii_isdigit(entry->d_name[0]))
                count += seen[atoi(entry->d_name)]++ == 0;
        closedir(dir);
        g_assert_cmpuint(count, ==, MANY);
        for (guint i = 0; i < MANY; i++)
            g_assert_cmpuint(seen[i], ==, 1);
    }
    g_thread_join(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    MOUNT_CASE("tree/rename", files_are_moved_as_rename_says);
    MOUNT_CASE("tree/refused", what_a_tree_of_contents_cannot_hold_is_refused);
    MOUNT_CASE("tree/symlink", a_symlink_keeps_its_target);
    MOUNT_CASE("tree/names", any_bytes_can_be_a_name);
    MOUNT_CASE("tree/inodes", inode_numbers_stay);
    MOUNT_CASE("tree/group", a_group_is_handed_down);
    MOUNT_CASE("tree/metadata", metadata_are_read_only_attributes);
    MOUNT_CASE("tree/large-folder", a_large_folder_lists_each_entry_once_while_others_come_and_go);
    return g_test_run();
}
