#include "gateway/command/batch.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "web/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const HearthUploadItem *const *items; /* borrowed */
    guint count;
    guint next;    /* index of the item whose line comes next */
    GString *line; /* of the item under way */
    gsize line_at; /* bytes of it that were handed out */
    int fd;        /* of the item under way; -1: none */
    gint64 wanted; /* bytes of it still to come */
    HearthClientFunc moved;
    gpointer data;
} Batch;

static gboolean begin_item(Batch *batch, GError **error)
{
    const HearthUploadItem *item = batch->items[batch->next++];
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    char mode[8];
    hearth_close_at(&batch->fd);
    batch->fd = open(item->local, O_RDONLY | O_CLOEXEC);
    if (batch->fd < 0)
        return hearth_set_errno(error, errno, "cannot read %s", item->local);
    g_snprintf(mode, sizeof mode, "%o", (guint)item->mode);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(item->path));
    g_variant_dict_insert(&dict, "size", "x", item->size);
    g_variant_dict_insert(&dict, "mtime_ns", "x", item->mtime_ns);
    g_variant_dict_insert(&dict, "mode", "s", mode);
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_dict_end(&dict));
    g_autofree char *text = hearth_json_print(value);
    g_string_printf(batch->line, "%s\n", text);
    batch->line_at = 0;
    batch->wanted = item->size;
    return TRUE;
}

static gsize hand_out_line(Batch *batch, char *buffer, gsize size)
{
    gsize count = MIN(size, batch->line->len - batch->line_at);
    memcpy(buffer, batch->line->str + batch->line_at, count);
    batch->line_at += count;
    return count;
}

/* A file that became shorter cannot be what its line says. */
static gssize hand_out_bytes(Batch *batch, char *buffer, gsize size, GError **error)
{
    gsize count = (gsize)MIN((guint64)batch->wanted, size);
    const HearthUploadItem *item = batch->items[batch->next - 1];
    gssize got = hearth_read_up_to(batch->fd, buffer, count, item->local, error);
    if (got >= 0 && (gsize)got < count) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT, "%s changed while it was read",
                    item->local);
        return -1;
    }
    batch->wanted -= got;
    return got;
}

/* Fills the buffer as far as it goes: small files would else cross one by one. */
static gssize make_body(void *buffer, gsize size, gpointer data, GError **error)
{
    Batch *batch = data;
    gsize made = 0;
    while (made < size) {
        char *at = (char *)buffer + made;
        gboolean in_line = batch->line_at < batch->line->len;
        if (!in_line && batch->wanted == 0 && batch->next == batch->count)
            break;
        if (!in_line && batch->wanted == 0) {
            if (!begin_item(batch, error))
                return -1;
            continue;
        }
        gssize count = in_line ? (gssize)hand_out_line(batch, at, size - made)
                               : hand_out_bytes(batch, at, size - made, error);
        if (count < 0)
            return -1;
        if (!in_line && batch->moved)
            batch->moved((gsize)count, batch->data);
        made += (gsize)count;
    }
    return (gssize)made;
}

gboolean hearth_batch_send(HearthClient *client, const HearthUploadItem *const *items, guint count,
                           HearthClientFunc moved, gpointer data, GVariant **ret_answer,
                           GError **error)
{
    Batch batch = {.items = items,
                   .count = count,
                   .line = g_string_new(NULL),
                   .fd = -1,
                   .moved = moved,
                   .data = data};
    gboolean done =
        hearth_client_post_stream(client, "files", make_body, &batch, ret_answer, error);
    hearth_close_at(&batch.fd);
    g_string_free(batch.line, TRUE);
    return done;
}
