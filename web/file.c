#include "web/file-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "web/range.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Answers up to this are checked before the first byte goes; longer ones as they go. Bytes. */
#define CHECK_FIRST_MAX (8 * 1024 * 1024)
/* One piece of a long answer, bytes. */
#define PIECE (256 * 1024)

typedef struct {
    HearthContentReader *reader;
    gint64 start; /* of the answer in the content */
} Sending;

static void sending_free(void *data)
{
    Sending *sending = data;
    hearth_content_reader_free(sending->reader);
    g_free(sending);
}

static ssize_t read_piece(void *data, uint64_t position, char *buffer, size_t size)
{
    Sending *sending = data;
    g_autoptr(GError) error = NULL;
    gssize got = hearth_content_reader_read(sending->reader, buffer, size,
                                            sending->start + (gint64)position, &error);
    if (got > 0)
        return got;
    g_warning("a download broke off: %s", error ? error->message : "the content is too short");
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Takes `reader`. */
static struct MHD_Response *send_checking(HearthContentReader *reader, gint64 start, gint64 length)
{
    Sending *sending = g_new0(Sending, 1);
    sending->reader = reader;
    sending->start = start;
    return MHD_create_response_from_callback((uint64_t)length, PIECE, read_piece, sending,
                                             sending_free);
}

static struct MHD_Response *send_checked(HearthContentReader *reader, gint64 start, gint64 length,
                                         GError **error)
{
    if (!hearth_content_reader_check(reader, start, (gsize)length, error))
        return NULL;
    hearth_autofd int fd = fcntl(hearth_content_reader_fd(reader), F_DUPFD_CLOEXEC, 3);
    struct MHD_Response *response =
        fd < 0 ? NULL
               : MHD_create_response_from_fd_at_offset64((uint64_t)length, fd, (uint64_t)start);
    if (response)
        hearth_steal_fd(&fd);
    else
        hearth_set_errno(error, fd < 0 ? errno : ENOMEM, "cannot send the content");
    return response;
}

static struct MHD_Response *open_part(HearthRequest *request, const HearthContentId *content,
                                      gint64 start, gint64 length, GError **error)
{
    if (length == 0)
        return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    HearthContents *contents = hearth_store_contents(request->options->store);
    g_autoptr(HearthContentReader) reader = hearth_contents_read(contents, content, error);
    if (!reader)
        return NULL;
    if (length > CHECK_FIRST_MAX)
        return send_checking(g_steal_pointer(&reader), start, length);
    return send_checked(reader, start, length, error);
}

gboolean hearth_file_etag_listed(const char *list, const char *etag)
{
    gsize length = strlen(etag);
    if (strcmp(list, "*") == 0)
        return TRUE;
    for (const char *at = strstr(list, etag); at; at = strstr(at + 1, etag))
        if ((at == list || strchr(", \t", at[-1])) && (!at[length] || strchr(", \t", at[length])))
            return TRUE;
    return FALSE;
}

gboolean hearth_file_is_known(HearthRequest *request, const char *etag, HearthReply *reply)
{
    const char *list = hearth_request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    if (!list || !hearth_file_etag_listed(list, etag))
        return FALSE;
    hearth_reply_empty(reply, MHD_HTTP_NOT_MODIFIED);
    hearth_reply_header(reply, MHD_HTTP_HEADER_ETAG, etag);
    return TRUE;
}

/* What a browser shows without running anything that stands in it. */
static const char *safe_media_type(const char *media_type)
{
    static const char *const SAFE[] = {"image/jpeg", "image/png",  "image/gif",  "image/webp",
                                       "image/avif", "image/heic", "image/tiff", "text/plain"};
    if (!media_type || strpbrk(media_type, "\r\n;"))
        return "application/octet-stream";
    if (g_str_has_prefix(media_type, "audio/") || g_str_has_prefix(media_type, "video/"))
        return media_type;
    for (gsize i = 0; i < G_N_ELEMENTS(SAFE); i++)
        if (strcmp(media_type, SAFE[i]) == 0)
            return media_type;
    return "application/octet-stream";
}

static void add_headers(const HearthFileAnswer *file, const char *etag, HearthReply *reply)
{
    g_autofree char *date = hearth_reply_http_date(file->mtime_ns);
    hearth_reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, safe_media_type(file->media_type));
    hearth_reply_header(reply, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    hearth_reply_header(reply, MHD_HTTP_HEADER_LAST_MODIFIED, date);
    hearth_reply_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL, "private, no-cache");
    hearth_reply_header(reply, MHD_HTTP_HEADER_ETAG, etag);
}

/* If-Range asks for the whole when the bytes are others than the client has. */
static HearthRange asked_range(HearthRequest *request, const HearthFileAnswer *file,
                               const char *etag, gint64 *ret_start, gint64 *ret_length)
{
    const char *if_range = hearth_request_header(request, MHD_HTTP_HEADER_IF_RANGE);
    *ret_start = 0;
    *ret_length = file->size;
    if (if_range && strcmp(if_range, etag) != 0)
        return HEARTH_RANGE_WHOLE;
    const char *range = hearth_request_header(request, MHD_HTTP_HEADER_RANGE);
    return hearth_range_parse(range, file->size, ret_start, ret_length);
}

static gboolean reply_unsatisfiable(gint64 size, HearthReply *reply)
{
    g_autoptr(GError) problem =
        g_error_new(HEARTH_HTTP_ERROR, MHD_HTTP_RANGE_NOT_SATISFIABLE,
                    "the range lies outside of the %" G_GINT64_FORMAT " bytes", size);
    g_autofree char *extent = g_strdup_printf("bytes */%" G_GINT64_FORMAT, size);
    hearth_reply_problem(reply, problem);
    hearth_reply_header(reply, MHD_HTTP_HEADER_CONTENT_RANGE, extent);
    return TRUE;
}

gboolean hearth_file_reply(HearthRequest *request, const HearthFileAnswer *file, HearthReply *reply,
                           GError **error)
{
    char id[HEARTH_CONTENT_ID_TEXT];
    g_autofree char *etag =
        g_strdup_printf("\"%s\"", hearth_content_id_to_text(&file->content, id));
    if (hearth_file_is_known(request, etag, reply))
        return TRUE;
    gint64 start, length;
    HearthRange range = asked_range(request, file, etag, &start, &length);
    if (range == HEARTH_RANGE_UNSATISFIABLE)
        return reply_unsatisfiable(file->size, reply);
    reply->response = open_part(request, &file->content, start, length, error);
    if (!reply->response)
        return FALSE;
    reply->status = range == HEARTH_RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK;
    add_headers(file, etag, reply);
    if (range == HEARTH_RANGE_PART) {
        g_autofree char *extent =
            g_strdup_printf("bytes %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT,
                            start, start + length - 1, file->size);
        hearth_reply_header(reply, MHD_HTTP_HEADER_CONTENT_RANGE, extent);
    }
    return TRUE;
}
