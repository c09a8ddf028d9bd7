#include "tests/unit/namespace/mount-fixture.h"

#include "gateway/base/io.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#define MIB (1024 * 1024)

static void bytes_come_back_as_written(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    static const gsize SIZES[] = {0, 1, 4095, 4096, 262145, 5 * MIB + 3};
    g_autofree guint8 *bytes = fixture_bytes(1, 6 * MIB);
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        g_autofree char *name = g_strdup_printf("file-%u", (guint)i);
        g_autofree char *path = at(f, name), *walk = g_strconcat("/", name, NULL);
        put(path, bytes, SIZES[i]);
        assert_holds(path, bytes, SIZES[i]);
        g_assert_cmpint(stored(f, walk).size, ==, SIZES[i]);
    }
    mount_fixture_restart(f);
    for (gsize i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        g_autofree char *name = g_strdup_printf("file-%u", (guint)i), *path = at(f, name);
        assert_holds(path, bytes, SIZES[i]);
    }
}

static void a_changed_file_is_one_version_at_close(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    put(path, "first", 5);
    g_assert_cmpuint(stored(f, "/file").version, ==, 1);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(close(fd), ==, 0); /* unchanged */
    g_assert_cmpuint(stored(f, "/file").version, ==, 1);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    g_assert_cmpint(write(fd, " and", 4), ==, 4);
    g_assert_cmpint(write(fd, " more", 5), ==, 5);
    g_assert_cmpint(stored(f, "/file").size, ==, 5); /* not yet */
    g_assert_cmpint(close(fd), ==, 0);
    g_assert_cmpuint(stored(f, "/file").version, ==, 2);
    assert_holds(path, "first and more", 14);
}

static void fsync_makes_a_version_of_an_open_file(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    hearth_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(write(fd, "one", 3), ==, 3);
    g_assert_cmpint(fsync(fd), ==, 0);
    g_assert_cmpint(stored(f, "/file").size, ==, 3);
    g_assert_cmpint(pwrite(fd, "2", 1, 1), ==, 1); /* and it can be changed further */
    g_assert_cmpint(fdatasync(fd), ==, 0);
    g_assert_cmpuint(stored(f, "/file").version, ==, 2);
    assert_holds(path, "o2e", 3);
    hearth_autofd int folder = open(f->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(fsync(folder), ==, 0);
}

static void all_opens_of_a_file_see_one_state(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    char got[8] = "";
    struct stat status;
    g_autofree char *path = at(f, "file");
    put(path, "abcdef", 6);
    hearth_autofd int a = open(path, O_RDWR | O_CLOEXEC), b = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(pwrite(a, "X", 1, 0), ==, 1);
    g_assert_cmpint(pwrite(b, "Y", 1, 9), ==, 1);
    g_assert_cmpint(pread(b, got, 6, 0), ==, 6);
    g_assert_cmpstr(got, ==, "Xbcdef");
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_size, ==, 10);
    close(hearth_steal_fd(&a));
    close(hearth_steal_fd(&b));
    assert_holds(path, "Xbcdef\0\0\0Y", 10);
}

static void lengths_can_be_set(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    g_autofree guint8 *bytes = fixture_bytes(2, 3 * MIB);
    put(path, bytes, 3 * MIB);
    g_assert_cmpint(truncate(path, 2 * MIB + 5), ==, 0); /* not open: a version at once */
    g_assert_cmpint(stored(f, "/file").size, ==, 2 * MIB + 5);
    assert_holds(path, bytes, 2 * MIB + 5);
    hearth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, 10), ==, 0);
    g_assert_cmpint(ftruncate(fd, 20), ==, 0);
    memset(bytes + 10, 0, 10);
    assert_holds(path, bytes, 20);
    g_assert_cmpint(posix_fallocate(fd, 0, 30), ==, 0);
    memset(bytes + 20, 0, 10);
    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, 30);
    g_assert_cmpint(lseek(fd, 0, SEEK_HOLE), ==, 30);
    g_assert_cmpint(lseek(fd, 3, SEEK_DATA), ==, 3);
    close(hearth_steal_fd(&fd));
    assert_holds(path, bytes, 30);
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    close(hearth_steal_fd(&fd));
    g_assert_cmpint(stored(f, "/file").size, ==, 0);
    assert_holds(path, "", 0);
}

#define MAP_SIZE ((gsize)2 * MIB)

static void change_through_mapping(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    g_autofree guint8 *bytes = fixture_bytes(3, MAP_SIZE);
    guint8 *map = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(map != MAP_FAILED);
    g_assert_cmpmem(map, MAP_SIZE, bytes, MAP_SIZE);
    memset(map + MIB - 10, 'm', 20);
    g_assert_cmpint(msync(map, MAP_SIZE, MS_SYNC), ==, 0);
    map[0] = 'x';
    g_assert_cmpint(close(fd), ==, 0);
    map[1] = 'y'; /* after the close: written at the latest when the mapping ends */
    g_assert_cmpint(munmap(map, MAP_SIZE), ==, 0);
}

static void a_hole_larger_than_the_disk_is_refused(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct stat status;
    const off_t exbibyte = (off_t)1 << 60;
    g_autofree char *path = at(f, "file");
    hearth_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    assert_fails_with(ftruncate(fd, exbibyte), ENOSPC);
    assert_fails_with(pwrite(fd, "y", 1, exbibyte), ENOSPC);
    g_assert_cmpint(posix_fallocate(fd, 0, exbibyte), ==, ENOSPC);
    g_assert_cmpint(fsync(fd), ==, 0);
    g_assert_cmpint(fstat(fd, &status), ==, 0);
    g_assert_cmpint(status.st_size, ==, 1);
}

static void a_shared_mapping_is_written_back(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    g_autofree guint8 *bytes = fixture_bytes(3, MAP_SIZE);
    put(path, bytes, MAP_SIZE);
    in_another_process("map", path);
    memset(bytes + MIB - 10, 'm', 20);
    bytes[0] = 'x';
    bytes[1] = 'y';
    assert_holds(path, bytes, MAP_SIZE);
    mount_fixture_restart(f);
    assert_holds(path, bytes, MAP_SIZE);
    g_assert_cmpuint(stored(f, "/file").version, >=, 3); /* msync, close, end of the mapping */
}

static void an_unlinked_open_file_goes_on(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    char got[16] = "";
    struct stat status;
    g_autofree char *path = at(f, "file"), *other = at(f, "other");
    put(path, "before", 6);
    hearth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_cmpint(fstat(fd, &status), ==, 0);
    g_assert_cmpint(status.st_nlink, ==, 0);
    g_assert_cmpint(pread(fd, got, 6, 0), ==, 6);
    g_assert_cmpstr(got, ==, "before");
    g_assert_cmpint(pwrite(fd, "after!!", 7, 0), ==, 7);
    g_assert_cmpint(fsync(fd), ==, 0);
    g_assert_cmpint(pread(fd, got, 7, 0), ==, 7);
    g_assert_cmpstr(got, ==, "after!!");
    g_assert_cmpint(ftruncate(fd, 2), ==, 0);
    g_assert_cmpint(fstat(fd, &status), ==, 0);
    g_assert_cmpint(status.st_size, ==, 2);
    put(other, "x", 1); /* and one that is renamed over */
    hearth_autofd int covered = open(other, O_RDONLY | O_CLOEXEC);
    put(path, "cover", 5);
    g_assert_cmpint(rename(path, other), ==, 0);
    g_assert_cmpint(read(covered, got, 5), ==, 1);
    g_assert_cmpint(got[0], ==, 'x');
    assert_holds(other, "cover", 5);
}

static void times_modes_and_owners_are_kept(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct stat status;
    g_autofree char *path = at(f, "file");
    struct timespec times[2] = {{5, 0}, {1234567890, 123456789}};
    hearth_autofd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    g_assert_cmpint(futimens(fd, times), ==, 0); /* as cp -p does: set before the close */
    g_assert_cmpint(fchmod(fd, 0604), ==, 0);
    g_assert_cmpint(fchown(fd, 12, 34), ==, 0);
    close(hearth_steal_fd(&fd));
    mount_fixture_restart(f);
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_mtim.tv_sec, ==, 1234567890);
    g_assert_cmpint(status.st_mtim.tv_nsec, ==, 123456789);
    g_assert_cmpint(status.st_mode, ==, S_IFREG | 0604);
    g_assert_cmpint(status.st_uid, ==, 12);
    g_assert_cmpint(status.st_gid, ==, 34);
    g_assert_cmpint(utimensat(AT_FDCWD, path, NULL, 0), ==, 0);
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(labs(status.st_mtim.tv_sec - time(NULL)), <, 10);
}

/* Programs compare the time of change that they saw before a close with what is there later. */
static void the_time_of_change_is_that_of_the_write(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct stat before, status;
    g_autofree char *path = at(f, "file");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    g_usleep(2000);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    g_assert_cmpint(fstat(fd, &before), ==, 0);
    g_assert_cmpmem(&before.st_ctim, sizeof before.st_ctim, &before.st_mtim, sizeof before.st_mtim);
    g_usleep(2000);
    g_assert_cmpint(close(fd), ==, 0);
    mount_fixture_restart(f);
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpmem(&before.st_ctim, sizeof before.st_ctim, &status.st_ctim, sizeof status.st_ctim);
}

static void emptying_an_empty_file_sets_its_time(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct stat status;
    struct timespec old[2] = {{5, 0}, {5, 0}};
    g_autofree char *path = at(f, "stamp");
    put(path, "", 0);
    g_assert_cmpint(utimensat(AT_FDCWD, path, old, 0), ==, 0);
    put(path, "", 0);
    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_mtim.tv_sec, >, 5);
}

static void direct_reads_and_writes_work(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    guint8 *page = aligned_alloc(4096, 8192);
    memset(page, 'd', 8192);
    hearth_autofd int fd = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    g_assert_cmpint(pwrite(fd, page, 8192, 0), ==, 8192);
    memset(page, 0, 8192);
    g_assert_cmpint(pread(fd, page, 8192, 4096), ==, 4096);
    g_assert_cmpint(page[4095], ==, 'd');
    free(page);
}

static void locks_hold_between_opens(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    put(path, "x", 1);
    hearth_autofd int a = open(path, O_RDWR | O_CLOEXEC), b = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(flock(a, LOCK_EX | LOCK_NB), ==, 0);
    assert_fails_with(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    g_assert_cmpint(flock(a, LOCK_UN), ==, 0);
    struct flock region = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    g_assert_cmpint(fcntl(a, F_OFD_SETLK, &region), ==, 0);
    assert_fails_with(fcntl(b, F_OFD_SETLK, &region), EAGAIN);
}

static void the_space_is_that_of_the_disk(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    struct statvfs here, below;
    g_assert_cmpint(statvfs(f->mount_point, &here), ==, 0);
    g_assert_cmpint(statvfs(f->state, &below), ==, 0);
    g_assert_cmpuint(here.f_namemax, ==, 255);
    g_assert_cmpuint(here.f_blocks * here.f_frsize, ==, below.f_blocks * below.f_frsize);
    g_assert_cmpuint(here.f_ffree, >, 0);
}

static gpointer write_part(gpointer data)
{
    gpointer *args = data;
    gsize part = GPOINTER_TO_SIZE(args[1]);
    const guint8 *bytes = args[2];
    hearth_autofd int fd = open(args[0], O_WRONLY | O_CLOEXEC);
    for (gsize done = 0; done < MIB; done += 65536)
        g_assert_cmpint(pwrite(fd, bytes + part * MIB + done, 65536, (off_t)(part * MIB + done)),
                        ==, 65536);
    return NULL;
}

static void writers_of_one_file_do_not_lose_bytes(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    enum { WRITERS = 6 };
    GThread *threads[WRITERS];
    gpointer args[WRITERS][3];
    g_autofree char *path = at(f, "file");
    g_autofree guint8 *bytes = fixture_bytes(4, WRITERS * MIB);
    put(path, "", 0);
    for (gsize i = 0; i < WRITERS; i++) {
        args[i][0] = path;
        args[i][1] = GSIZE_TO_POINTER(i);
        args[i][2] = bytes;
        threads[i] = g_thread_new("writer", write_part, args[i]);
    }
    for (gsize i = 0; i < WRITERS; i++)
        g_thread_join(threads[i]);
    mount_fixture_restart(f);
    assert_holds(path, bytes, WRITERS * MIB);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--do") == 0) {
        change_through_mapping(argv[3]);
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    MOUNT_CASE("file/bytes", bytes_come_back_as_written);
    MOUNT_CASE("file/version-at-close", a_changed_file_is_one_version_at_close);
    MOUNT_CASE("file/version-at-fsync", fsync_makes_a_version_of_an_open_file);
    MOUNT_CASE("file/shared-state", all_opens_of_a_file_see_one_state);
    MOUNT_CASE("file/lengths", lengths_can_be_set);
    MOUNT_CASE("file/hole", a_hole_larger_than_the_disk_is_refused);
    MOUNT_CASE("file/mapping", a_shared_mapping_is_written_back);
    MOUNT_CASE("file/unlinked", an_unlinked_open_file_goes_on);
    MOUNT_CASE("file/attributes", times_modes_and_owners_are_kept);
    MOUNT_CASE("file/time-of-change", the_time_of_change_is_that_of_the_write);
    MOUNT_CASE("file/emptied", emptying_an_empty_file_sets_its_time);
    MOUNT_CASE("file/direct", direct_reads_and_writes_work);
    MOUNT_CASE("file/locks", locks_hold_between_opens);
    MOUNT_CASE("file/space", the_space_is_that_of_the_disk);
    MOUNT_CASE("file/parallel", writers_of_one_file_do_not_lose_bytes);
    return g_test_run();
}
