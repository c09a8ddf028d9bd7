#include "namespace/content-pins.h"

#include <string.h>

#define CONDEMNED (-1)

struct HearthContentPins {
    GMutex lock;        /* guards `counts`; never held over I/O */
    GCond settled;      /* a condemned content was settled */
    GHashTable *counts; /* HearthContentId (owned) -> count of pins, or CONDEMNED */
};

static guint id_hash(gconstpointer id)
{
    guint hash;
    memcpy(&hash, id, sizeof hash); /* of a digest any four bytes are as good as all */
    return hash;
}

static gboolean id_equal(gconstpointer a, gconstpointer b)
{
    return hearth_content_id_equal(a, b);
}

HearthContentPins *hearth_content_pins_new(void)
{
    HearthContentPins *pins = g_new0(HearthContentPins, 1);
    g_mutex_init(&pins->lock);
    g_cond_init(&pins->settled);
    pins->counts = g_hash_table_new_full(id_hash, id_equal, g_free, NULL);
    return pins;
}

void hearth_content_pins_free(HearthContentPins *pins)
{
    if (pins == NULL)
        return;
    g_hash_table_unref(pins->counts);
    g_cond_clear(&pins->settled);
    g_mutex_clear(&pins->lock);
    g_free(pins);
}

static int count_of(HearthContentPins *pins, const HearthContentId *id)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(pins->counts, id));
}

static void set_count(HearthContentPins *pins, const HearthContentId *id, int count)
{
    if (count == 0)
        g_hash_table_remove(pins->counts, id);
    else
        g_hash_table_insert(pins->counts, g_memdup2(id, sizeof *id), GINT_TO_POINTER(count));
}

void hearth_content_pins_take(HearthContentPins *pins, const HearthContentId *id)
{
    g_mutex_lock(&pins->lock);
    while (count_of(pins, id) == CONDEMNED)
        g_cond_wait(&pins->settled, &pins->lock);
    set_count(pins, id, count_of(pins, id) + 1);
    g_mutex_unlock(&pins->lock);
}

void hearth_content_pins_drop(HearthContentPins *pins, const HearthContentId *id)
{
    g_mutex_lock(&pins->lock);
    set_count(pins, id, count_of(pins, id) - 1);
    g_mutex_unlock(&pins->lock);
}

gboolean hearth_content_pins_condemn(HearthContentPins *pins, const HearthContentId *id)
{
    g_mutex_lock(&pins->lock);
    gboolean unpinned = count_of(pins, id) == 0;
    if (unpinned)
        set_count(pins, id, CONDEMNED);
    g_mutex_unlock(&pins->lock);
    return unpinned;
}

void hearth_content_pins_settle(HearthContentPins *pins, const HearthContentId *id)
{
    g_mutex_lock(&pins->lock);
    set_count(pins, id, 0);
    g_cond_broadcast(&pins->settled);
    g_mutex_unlock(&pins->lock);
}
