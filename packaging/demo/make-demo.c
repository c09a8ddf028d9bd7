/*
 * Fills a folder with what a weekend leaves on a camera's card and a phone: pictures of several
 * days and cameras, one of them turned, a RAW with its JPEG and sidecar, one picture twice, some
 * music. All of it is computed, so that a demonstration needs no files from anywhere.
 *
 * Usage: hearth-demo FOLDER
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "packaging/demo/picture.h"
#include "packaging/demo/wave.h"

enum {
    WIDTH = 1200, /* pixels of a JPEG */
    HEIGHT = 900,
    RAW_WIDTH = 600, /* of the RAW: not compressed, so smaller */
    RAW_HEIGHT = 450,
};

#define CAMERA "DCIM/100HEART"
#define PHONE "DCIM/Camera"
#define MUSIC "Music"

static const char sidecar[] =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
    " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
    "  <rdf:Description xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmp:Rating=\"4\"/>\n"
    " </rdf:RDF>\n"
    "</x:xmpmeta>\n";

static const DemoShot camera_shots[] = {
    {"IMG_0001.JPG", "Hearth", "Lumen 1", "2026:07:18 06:12:04", "21", NULL, 1, 400, 6},
    {"IMG_0002.JPG", "Hearth", "Lumen 1", "2026:07:18 09:45:30", "07", NULL, 1, 100, 9},
    {"IMG_0003.JPG", "Hearth", "Lumen 1", "2026:07:18 13:02:11", "50", NULL, 1, 100, 13},
    {"IMG_0004.JPG", "Hearth", "Lumen 1", "2026:07:18 19:31:59", "90", NULL, 6, 200, 19},
    {"IMG_0005.JPG", "Hearth", "Lumen 1", "2026:07:19 10:20:00", "01", NULL, 1, 100, 10},
    {"IMG_0006.JPG", "Hearth", "Lumen 1", "2026:07:19 10:20:00", "31", NULL, 1, 100, 10},
    {"IMG_0007.JPG", "Hearth", "Lumen 1", "2026:07:19 21:48:17", "66", NULL, 1, 1600, 21},
    {"IMG_0008.JPG", "Hearth", "Lumen 1", "2026:08:02 07:05:43", "12", NULL, 1, 200, 7},
};

static const DemoShot phone_shots[] = {
    {"PXL_20260719_121500.jpg", "Hearth", "Pocket", "2026:07:19 12:15:00", "004", "+02:00", 1, 64,
     12},
    {"PXL_20260719_201144.jpg", "Hearth", "Pocket", "2026:07:19 20:11:44", "712", "+02:00", 6, 320,
     20},
    {"PXL_20260802_160931.jpg", "Hearth", "Pocket", "2026:08:02 16:09:31", "120", "+02:00", 1, 50,
     16},
};

static const DemoSong songs[] = {
    {"01 Morning.wav", "The Embers", "Hearth Side", "Morning", "2026", "1",
     "dhkpkhdhkpkhfjmrmjfjmrmj"},
    {"02 Noon.wav", "The Embers", "Hearth Side", "Noon", "2026", "2", "mkihd hikmm kihdf fhikhfd"},
    {"03 Dusk.wav", "The Embers", "Hearth Side", "Dusk", "2026", "3", "ad hda  ceg gec  dfi if d "},
};

static void path_of(char path[PATH_MAX], const char *root, const char *folder, const char *name)
{
    if (snprintf(path, PATH_MAX, "%s/%s/%s", root, folder, name) >= PATH_MAX) {
        fprintf(stderr, "hearth-demo: %s: the name is too long\n", root);
        exit(1);
    }
}

static void make_folder(const char *root, const char *folder)
{
    char path[PATH_MAX];

    path_of(path, root, folder, "");
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "hearth-demo: %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

/* A camera dates its files by its own clock, which knows no zone: the machine's is as good as any.
 */
static void date_file(const char *path, const char *taken)
{
    struct tm clock = {.tm_isdst = -1};

    if (strptime(taken, "%Y:%m:%d %H:%M:%S", &clock) == NULL)
        return;
    struct timespec times[2] = {{.tv_sec = mktime(&clock)}, {.tv_sec = mktime(&clock)}};
    if (utimensat(AT_FDCWD, path, times, 0) != 0)
        fprintf(stderr, "hearth-demo: %s: %s\n", path, strerror(errno));
}

static void take(const char *root, const char *folder, const DemoShot *shot, const char *name)
{
    char path[PATH_MAX];

    path_of(path, root, folder, name);
    demo_picture_write_jpeg(shot, path, WIDTH, HEIGHT);
    date_file(path, shot->taken);
}

/* The third picture has all that may belong to one: a RAW, a sidecar, and a copy under another
 * name. */
static void take_group(const char *root, const DemoShot *shot)
{
    char path[PATH_MAX];

    path_of(path, root, CAMERA, "IMG_0003.DNG");
    demo_picture_write_raw(shot, path, RAW_WIDTH, RAW_HEIGHT);
    date_file(path, shot->taken);
    path_of(path, root, CAMERA, "IMG_0003.XMP");
    FILE *file = fopen(path, "wb");
    if (file == NULL || fputs(sidecar, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "hearth-demo: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    date_file(path, shot->taken);
    take(root, PHONE, shot, shot->name);
}

static void play(const char *root, const DemoSong *song)
{
    char path[PATH_MAX];

    path_of(path, root, MUSIC, song->name);
    demo_wave_write(song, path);
    date_file(path, "2026:06:01 20:00:00");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: hearth-demo FOLDER\n");
        return 2;
    }
    const char *root = argv[1], *folders[] = {"", "DCIM", CAMERA, PHONE, MUSIC};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder(root, folders[i]);
    for (size_t i = 0; i < sizeof camera_shots / sizeof *camera_shots; i++)
        take(root, CAMERA, &camera_shots[i], camera_shots[i].name);
    for (size_t i = 0; i < sizeof phone_shots / sizeof *phone_shots; i++)
        take(root, PHONE, &phone_shots[i], phone_shots[i].name);
    take_group(root, &camera_shots[2]);
    for (size_t i = 0; i < sizeof songs / sizeof *songs; i++)
        play(root, &songs[i]);
    return 0;
}
