/*
 * Runs a fuzz target over files and folders of examples, without a fuzzer:
 *
 *     fuzz-NOUN [--mutations N] FILE|FOLDER...
 *     fuzz-NOUN --random SEED COUNT LAST FILE|FOLDER...
 *
 * Each example is given as it is, then N times with a few bytes changed, cut or doubled. The changes
 * follow from the example alone, so a failure comes back; it names the example and the round.
 *
 * The second form is for tests/fuzz/campaign: COUNT examples drawn and changed by SEED, by the target's own
 * LLVMFuzzerCustomMutator if it has one. The file LAST has the input that runs, also after the process has died of it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXAMPLE_MAX (16u << 20) /* bytes */
#define EXAMPLES_MAX 4096       /* that are drawn from */
#define LAST_MAX (1u << 20)     /* bytes of the input that runs */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
                                                     unsigned seed);

typedef struct {
    uint8_t *data;
    size_t size;
} Example;

static Example examples[EXAMPLES_MAX];
static size_t example_count;
static int drawing; /* examples are kept, not given */
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

static void keep(uint8_t *data, size_t size)
{
    if (example_count == EXAMPLES_MAX || size > LAST_MAX) {
        free(data);
        return;
    }
    uint8_t *smaller = realloc(data, size ? size : 1);
    examples[example_count++] = (Example){smaller ? smaller : data, size};
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
    if (drawing) {
        keep(data, size);
        free(changed);
        return;
    }
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

/* --- Inputs without end ------------------------------------------------------------------------ */

/* A file that has what is written here even if this process dies: its size, then its bytes. */
static uint8_t *map_last(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, sizeof(uint64_t) + LAST_MAX) != 0) {
        perror(path);
        exit(1);
    }
    void *last =
        mmap(NULL, sizeof(uint64_t) + LAST_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (last == MAP_FAILED)
        abort();
    return last;
}

static size_t change(uint8_t *data, size_t size, uint32_t *state)
{
    if (!LLVMFuzzerCustomMutator)
        return mutate(data, size, state);
    return LLVMFuzzerCustomMutator(data, size, LAST_MAX, next_random(state));
}

static void run_random(unsigned long seed, unsigned long count, const char *path)
{
    uint8_t *last = map_last(path), *changed = last + sizeof(uint64_t);
    uint32_t state = (uint32_t)seed * 2654435761u;
    for (unsigned long round = 0; round < count && example_count > 0; round++) {
        const Example *example = &examples[next_random(&state) % example_count];
        snprintf(current, sizeof current, "seed %lu, round %lu", seed, round);
        memcpy(changed, example->data, example->size);
        uint64_t size = change(changed, example->size, &state);
        memcpy(last, &size, sizeof size);
        give(changed, size);
    }
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
    } else if (argc > 4 && strcmp(argv[1], "--random") == 0) {
        drawing = 1;
        first = 5;
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(tell);
#endif
    for (int i = first; i < argc; i++)
        run_path(argv[i]);
    if (drawing)
        run_random(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv[4]);
    current[0] = '\0';
    tell();
    if (inputs == 0) {
        fprintf(stderr, "no examples\n");
        return 1;
    }
    printf("%lu inputs\n", inputs);
    return 0;
}
