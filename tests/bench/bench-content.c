/* How fast contents are cut, hashed and stored: lines of `NAME VALUE UNIT`, each the median of five
 * runs. Usage: bench-content FOLDER (on the disk to be measured). */
#include "gateway/base/io.h"
#include "namespace/block-hasher.h"
#include "namespace/chunker.h"
#include "namespace/content-private.h"
#include "namespace/digest.h"

#include <stdio.h>
#include <stdlib.h>

#define SIZE (256 * 1024 * 1024) /* bytes hashed in a run */
#define RUNS 5
#define SMALL_COUNT 5000
#define SMALL_SIZE 20000 /* bytes */

typedef struct {
    HearthContents *contents;
    const guint8 *bytes;
    guint run;
} Bench;

typedef void (*Work)(Bench *bench);

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(Bench *bench, const char *name, Work work, double amount, const char *unit)
{
    double rates[RUNS];
    for (bench->run = 0; bench->run < RUNS; bench->run++) {
        gint64 start = g_get_monotonic_time();
        work(bench);
        rates[bench->run] = amount / ((double)(g_get_monotonic_time() - start) / 1e6);
    }
    qsort(rates, RUNS, sizeof *rates, compare);
    printf("%s %.2f %s\n", name, rates[RUNS / 2], unit);
    fflush(stdout);
}

static void hash_alone(Bench *bench)
{
    guint8 digest[HEARTH_CONTENT_ID_SIZE];
    hearth_digest_of(bench->bytes, SIZE, digest);
}

static void cut_alone(Bench *bench)
{
    HearthChunker chunker;
    guint32 length;
    hearth_chunker_init(&chunker);
    for (gsize at = 0; at < SIZE;)
        at += hearth_chunker_scan(&chunker, bench->bytes + at, SIZE - at, &length);
}

static void cut_and_hash(Bench *bench)
{
    g_autoptr(HearthBlockHasher) hasher = hearth_block_hasher_new();
    hearth_block_hasher_feed(hasher, bench->bytes, SIZE);
    hearth_block_hasher_finish(hasher);
}

static void must(gboolean good, GError *error)
{
    if (!good)
        g_error("%s", error != NULL ? error->message : "failed");
}

static HearthStagedContent *stage(Bench *bench, gsize size, guint number)
{
    g_autoptr(GError) error = NULL;
    guint stamp[2] = {bench->run, number}; /* so that no content is stored before */
    g_autoptr(HearthContentWriter) writer = hearth_content_writer_new(bench->contents, -1, &error);
    must(writer != NULL && hearth_content_writer_write(writer, stamp, sizeof stamp, &error), error);
    for (gsize at = 0; at < size; at += 1024 * 1024)
        must(hearth_content_writer_write(writer, bench->bytes + at, MIN(size - at, 1024 * 1024),
                                         &error),
             error);
    HearthStagedContent *staged = hearth_content_writer_finish(writer, &error);
    must(staged != NULL, error);
    return staged;
}

static void store_large(Bench *bench)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthStagedContent) staged = stage(bench, SIZE, 0);
    must(hearth_contents_publish(bench->contents, &staged, 1, &error), error);
}

static void store_small(Bench *bench)
{
    enum { BATCH = 250 };
    for (guint i = 0; i < SMALL_COUNT; i += BATCH) {
        g_autoptr(GError) error = NULL;
        HearthStagedContent *staged[BATCH];
        for (guint j = 0; j < BATCH; j++)
            staged[j] = stage(bench, SMALL_SIZE, i + j + 1);
        must(hearth_contents_publish(bench->contents, staged, BATCH, &error), error);
        for (guint j = 0; j < BATCH; j++)
            hearth_staged_content_free(staged[j]);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: bench-content FOLDER\n");
        return 2;
    }
    g_autofree guint8 *bytes = g_malloc(SIZE);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (gsize i = 0; i < SIZE; i += sizeof(guint32))
        *(guint32 *)(void *)(bytes + i) = g_rand_int(random);
    g_autofree char *state = g_build_filename(argv[1], "bench-content", NULL);
    g_autoptr(HearthContents) contents = hearth_contents_open(state, &error);
    must(contents != NULL, error);
    Bench bench = {contents, bytes, 0};
    measure(&bench, "sha256", hash_alone, SIZE / 1e9, "GB/s");
    measure(&bench, "cut", cut_alone, SIZE / 1e9, "GB/s");
    measure(&bench, "cut-and-hash", cut_and_hash, SIZE / 1e9, "GB/s");
    measure(&bench, "store-256-mib", store_large, SIZE / 1e6, "MB/s");
    measure(&bench, "store-20-kb", store_small, SMALL_COUNT, "files/s");
    return 0;
}
