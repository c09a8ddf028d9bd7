/*
 * Runs a fuzz target over files and folders of examples, without a fuzzer:
 *
 *     fuzz-NOUN [--mutations N] FILE|FOLDER...
 *
 * Each example is given as it is, then N times with a few bytes changed, cut or doubled. The changes
 * follow from the example alone, so a failure comes back; it names the example and the round.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXAMPLE_MAX (16u << 20) /* bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long mutations;
static unsigned long inputs;
static char current[4200]; /* what runs, for the report of a crash */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* In a block of exactly that size, so that a read past the end is seen. */
static void give(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static size_t mutate(uint8_t *data, size_t size, uint32_t *state)
{
    static const uint8_t EDGES[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
    for (uint32_t i = next_random(state) % 8; size > 0; i--) {
        size_t at = next_random(state) % size;
        switch (next_random(state) % 8) {
        case 0:
            size = at;
            break;
        case 1:
            memmove(data + at, data + at / 2, size - at);
            break;
        case 2:
        case 3:
            data[at] = EDGES[next_random(state) % sizeof EDGES];
            break;
        default:
            data[at] ^= (uint8_t)(1u << next_random(state) % 8);
            break;
        }
        if (i == 0)
            break;
    }
    return size;
}

static void run_file(const char *path)
{
    uint8_t *data = malloc(EXAMPLE_MAX), *changed = malloc(EXAMPLE_MAX);
    FILE *file = fopen(path, "rb");
    if (!file || !data || !changed) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    size_t size = fread(data, 1, EXAMPLE_MAX, file);
    fclose(file);
    snprintf(current, sizeof current, "%s", path);
    give(data, size);
    uint32_t state = (uint32_t)size;
    for (unsigned long round = 0; round < mutations; round++) {
        snprintf(current, sizeof current, "%s, mutation %lu", path, round);
        memcpy(changed, data, size);
        give(changed, mutate(changed, size, &state));
    }
    free(changed);
    free(data);
}

static int compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_path(const char *path)
{
    struct stat state;
    struct dirent **entries;
    char inside[4096];
    if (stat(path, &state) == 0 && !S_ISDIR(state.st_mode)) {
        run_file(path);
        return;
    }
    int count = scandir(path, &entries, NULL, compare);
    if (count < 0) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_file(inside);
        free(entries[i]);
    }
    free(entries);
}

static void tell(void)
{
    if (current[0])
        fprintf(stderr, "in: %s\n", current);
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

int main(int argc, char **argv)
{
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--mutations") == 0) {
        mutations = strtoul(argv[2], NULL, 10);
        first = 3;
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(tell);
#endif
    for (int i = first; i < argc; i++)
        run_path(argv[i]);
    current[0] = '\0';
    tell();
    if (inputs == 0) {
        fprintf(stderr, "no examples\n");
        return 1;
    }
    printf("%lu inputs\n", inputs);
    return 0;
}
