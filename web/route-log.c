#include "web/entry-private.h"
#include "web/route-private.h"
#include "web/server-private.h"
#include "web/stream-private.h"

#include "gateway/base/error.h"

/* GET /log: the change log, a page of it or, with follow, all that is to come. */

#define PAGE_DEFAULT 1000
#define PAGE_MAX 10000
/* Records in one burst to a follower. */
#define BURST 256

static const char *const WORDS[] = {
    [HEARTH_CHANGE_CREATED] = "created",       [HEARTH_CHANGE_CONTENT] = "content",
    [HEARTH_CHANGE_ATTRIBUTES] = "attributes", [HEARTH_CHANGE_MOVED] = "moved",
    [HEARTH_CHANGE_TRASHED] = "trashed",       [HEARTH_CHANGE_RESTORED] = "restored",
    [HEARTH_CHANGE_FORGOTTEN] = "forgotten",
};

/* One record, read and kept until the store may be called again for its path. */
typedef struct {
    GVariantDict dict;
    gint64 ino;
    guint64 sequence;
} Record;

static void record_free(gpointer data)
{
    Record *record = data;
    g_variant_dict_clear(&record->dict);
    g_free(record);
}

static void insert_name(GVariantDict *dict, const char *key, const char *name)
{
    if (name)
        g_variant_dict_insert_value(dict, key, g_variant_new_bytestring(name));
}

static gboolean add_record(const HearthChange *change, gpointer data)
{
    char id[HEARTH_ID_TEXT];
    Record *record = g_new0(Record, 1);
    GVariantDict *dict = &record->dict;
    /* The clock holds milliseconds above a counter of sixteen bits. */
    g_autofree char *time = hearth_reply_moment((gint64)(change->clock >> 16) * 1000000);
    guint kind = change->kind < G_N_ELEMENTS(WORDS) ? change->kind : 0;
    g_variant_dict_init(dict, NULL);
    g_variant_dict_insert(dict, "sequence", "t", change->sequence);
    g_variant_dict_insert(dict, "time", "s", time);
    g_variant_dict_insert(dict, "change", "s", WORDS[kind] ? WORDS[kind] : "other");
    g_variant_dict_insert(dict, "ino", "x", change->ino);
    g_variant_dict_insert(dict, "id", "s", hearth_id_to_text(&change->object, id));
    g_variant_dict_insert(dict, "kind", "s", hearth_entry_kind_word(change->object_kind));
    g_variant_dict_insert(dict, "size", "x", change->size);
    insert_name(dict, "name", change->name);
    insert_name(dict, "old_name", change->old_name);
    record->ino = change->ino;
    record->sequence = change->sequence;
    g_ptr_array_add(data, record);
    return TRUE;
}

/* Gives the record with the path the object has now, if it is in the tree. */
static GVariant *record_value(HearthStore *store, Record *record)
{
    g_autofree char *path = hearth_store_path(store, record->ino, NULL);
    insert_name(&record->dict, "path", path);
    return g_variant_dict_end(&record->dict);
}

static GPtrArray *read_log(HearthStore *store, guint64 after, guint limit, GError **error)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(record_free);
    if (!hearth_store_log(store, after, limit, add_record, records, error))
        return NULL;
    return g_steal_pointer(&records);
}

typedef struct {
    HearthWebServer *server; /* borrowed */
    guint64 seen;            /* sequence of the last record sent */
} Follower;

static gboolean fill(GString *out, gpointer data)
{
    Follower *follower = data;
    HearthStore *store = follower->server->options.store;
    if (!hearth_web_server_wait_log(follower->server, follower->seen, HEARTH_STREAM_PING_MS))
        return FALSE;
    g_autoptr(GPtrArray) records = read_log(store, follower->seen, BURST, NULL);
    if (!records)
        return FALSE;
    for (guint i = 0; i < records->len; i++) {
        Record *record = g_ptr_array_index(records, i);
        g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, record->sequence);
        hearth_stream_event(out, id, "change", record_value(store, record));
        follower->seen = record->sequence;
    }
    if (records->len == 0)
        g_string_append(out, HEARTH_STREAM_PING);
    return TRUE;
}

static gboolean follow(HearthRequest *request, guint64 after, HearthReply *reply)
{
    Follower *follower = g_new0(Follower, 1);
    const char *id = hearth_request_header(request, "Last-Event-ID");
    follower->server = request->server;
    follower->seen = after;
    if (id)
        g_ascii_string_to_unsigned(id, 10, 0, G_MAXINT64, &follower->seen, NULL);
    return hearth_stream_reply(reply, fill, follower, g_free);
}

static gboolean reply_page(HearthRequest *request, guint64 after, guint64 limit, HearthReply *reply,
                           GError **error)
{
    HearthStore *store = request->options->store;
    g_autoptr(GPtrArray) records = read_log(store, after, (guint)MAX(limit, 1), error);
    if (!records)
        return FALSE;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_auto(GVariantBuilder) changes = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < records->len; i++) {
        Record *record = g_ptr_array_index(records, i);
        g_variant_builder_add_value(&changes, record_value(store, record));
        after = record->sequence;
    }
    g_variant_dict_insert_value(&dict, "changes", g_variant_builder_end(&changes));
    g_variant_dict_insert(&dict, "last", "t", after);
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

/* Where to begin: after the record asked for, or with the last so many. */
static gboolean read_start(HearthRequest *request, guint64 *ret_after, GError **error)
{
    HearthStoreCounts counts;
    guint64 tail;
    if (!hearth_request_number(request, "after", 0, G_MAXINT64, ret_after, error) ||
        !hearth_request_number(request, "tail", 0, G_MAXINT64, &tail, error) ||
        !hearth_store_counts(request->options->store, &counts, error))
        return FALSE;
    if (hearth_request_query(request, "tail"))
        *ret_after = counts.last_sequence > tail ? counts.last_sequence - tail : 0;
    /* A server that just started was told of no change yet. */
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&request->server->lock);
    request->server->last_sequence = MAX(request->server->last_sequence, counts.last_sequence);
    return TRUE;
}

static gboolean get_log(HearthRequest *request, HearthReply *reply, GError **error)
{
    guint64 after, limit;
    if (!read_start(request, &after, error) ||
        !hearth_request_number(request, "limit", PAGE_DEFAULT, PAGE_MAX, &limit, error))
        return FALSE;
    if (hearth_request_flag(request, "follow"))
        return follow(request, after, reply);
    return reply_page(request, after, limit, reply, error);
}

const HearthRoute HEARTH_ROUTES_LOG[] = {
    {"GET", "/api/v1/log", get_log, NULL},
    {NULL},
};
