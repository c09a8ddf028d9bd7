/*
 * One load on a file system, timed inside the process so that starting it does not count.
 *
 * Usage: bench-fsload create|stat|list|rename|unlink DIR COUNT
 *        bench-fsload read FILE
 *        bench-fsload write FILE BYTES
 *
 * Prints the seconds it took. `stat` looks at every entry once before the clock starts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 }; /* bytes of one read or write */

static void die(const char *what)
{
    fprintf(stderr, "bench-fsload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static const char *name_of(char path[PATH_MAX], const char *folder, char letter,
                           unsigned long number)
{
    snprintf(path, PATH_MAX, "%s/%c%06lu", folder, letter, number);
    return path;
}

static void create(const char *folder, unsigned long count)
{
    char path[PATH_MAX];

    for (unsigned long i = 0; i < count; i++) {
        int fd = open(name_of(path, folder, 'f', i), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 || close(fd) != 0)
            die(path);
    }
}

static void stat_all(const char *folder, unsigned long count)
{
    char path[PATH_MAX];
    struct stat found;

    for (unsigned long i = 0; i < count; i++) {
        if (stat(name_of(path, folder, 'f', i), &found) != 0)
            die(path);
    }
}

static void list(const char *folder, unsigned long count)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    struct stat found;
    unsigned long seen = 0;

    if (dir == NULL)
        die(folder);
    while ((entry = readdir(dir)) != NULL) {
        if (fstatat(dirfd(dir), entry->d_name, &found, 0) != 0)
            die(entry->d_name);
        seen++;
    }
    closedir(dir);
    if (seen < count) {
        fprintf(stderr, "bench-fsload: %s: %lu entries, %lu expected\n", folder, seen, count);
        exit(1);
    }
}

static void rename_all(const char *folder, unsigned long count)
{
    char from[PATH_MAX], to[PATH_MAX];

    for (unsigned long i = 0; i < count; i++) {
        if (rename(name_of(from, folder, 'f', i), name_of(to, folder, 'g', i)) != 0)
            die(from);
    }
}

static void unlink_all(const char *folder, unsigned long count)
{
    char path[PATH_MAX];

    for (unsigned long i = 0; i < count; i++) {
        if (unlink(name_of(path, folder, 'g', i)) != 0)
            die(path);
    }
}

static void read_file(const char *path, uint8_t *block)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        die(path);
    while ((got = read(fd, block, BLOCK)) > 0)
        ;
    if (got < 0)
        die(path);
    close(fd);
}

/* Bytes that no block repeats, cheaply made before the clock starts but for the counter. */
static void fill(uint8_t *block)
{
    uint64_t state = 88172645463325252u;

    for (size_t i = 0; i < BLOCK; i += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(block + i, &state, sizeof state);
    }
}

static void write_file(const char *path, unsigned long long size, uint8_t *block)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        die(path);
    for (unsigned long long at = 0; at < size; at += BLOCK) {
        memcpy(block, &at, sizeof at);
        size_t want = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        if (write(fd, block, want) != (ssize_t)want)
            die(path);
    }
    if (fsync(fd) != 0 || close(fd) != 0)
        die(path);
}

static int run(const char *load, const char *path, const char *amount, uint8_t *block)
{
    unsigned long long number = strtoull(amount, NULL, 10);
    unsigned long count = (unsigned long)number;

    if (strcmp(load, "create") == 0)
        create(path, count);
    else if (strcmp(load, "stat") == 0)
        stat_all(path, count);
    else if (strcmp(load, "list") == 0)
        list(path, count);
    else if (strcmp(load, "rename") == 0)
        rename_all(path, count);
    else if (strcmp(load, "unlink") == 0)
        unlink_all(path, count);
    else if (strcmp(load, "read") == 0)
        read_file(path, block);
    else if (strcmp(load, "write") == 0)
        write_file(path, number, block);
    else
        return 2;
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t block[BLOCK];

    if (argc < 3) {
        fprintf(stderr, "usage: bench-fsload LOAD PATH [AMOUNT]\n");
        return 2;
    }
    const char *amount = argc > 3 ? argv[3] : "0";

    fill(block);
    if (strcmp(argv[1], "stat") == 0)
        run(argv[1], argv[2], amount, block);
    double start = now();
    int status = run(argv[1], argv[2], amount, block);
    printf("%.6f\n", now() - start);
    return status;
}
