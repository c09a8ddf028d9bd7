#include "tests/rigs/simulator/faults.h"

#include "gateway/base/error.h"

#include <string.h>

void sim_faults_init(SimFaults *faults)
{
    memset(faults, 0, sizeof *faults);
    faults->fail_after = G_MAXUINT64;
}

static gboolean flag(gboolean *where, const char *word)
{
    *where = word == NULL || strcmp(word, "0") != 0;
    return TRUE;
}

static guint64 number(const char *word)
{
    return word ? g_ascii_strtoull(word, NULL, 0) : 0;
}

static guint16 code(const char *word)
{
    return word ? g_ascii_strtoull(word, NULL, 16) : 0;
}

static gboolean set_flag(SimFaults *faults, char **words)
{
    const struct {
        const char *word;
        gboolean *where;
    } flags[] = {
        {"hang", &faults->hang},           {"stall", &faults->stall},
        {"busy", &faults->busy},           {"locked", &faults->locked},
        {"undefined", &faults->undefined}, {"smallsizes", &faults->small_sizes},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
        if (strcmp(words[0], flags[i].word) == 0)
            return flag(flags[i].where, words[1]);
    return FALSE;
}

gboolean sim_faults_set(SimFaults *faults, char **words, GError **error)
{
    const char *first = words[1];
    const char *second = first ? words[2] : NULL;

    if (set_flag(faults, words))
        return TRUE;
    if (strcmp(words[0], "failafter") == 0) {
        faults->fail_after = first ? number(first) : G_MAXUINT64;
    } else if (strcmp(words[0], "sizeerror") == 0) {
        faults->size_error = first ? g_ascii_strtoll(first, NULL, 0) : 0;
    } else if (strcmp(words[0], "nonsense") == 0) {
        faults->nonsense = code(first);
    } else if (strcmp(words[0], "refuse") == 0) {
        faults->refuse = code(first);
        faults->refuse_with = code(second);
        if (first != NULL && second == NULL)
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "refuse OPERATION CODE");
    } else if (strcmp(words[0], "short") == 0) {
        faults->shorten = code(first);
        faults->shorten_by = number(second);
    } else {
        return FALSE;
    }
    return TRUE;
}
