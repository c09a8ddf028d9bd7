#include "gateway/command/client.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "gateway/command/call.h"
#include "web/json.h"
#include "web/uri.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Longest time to wait for the daemon to take a connection, milliseconds. */
#define CONNECT_MS 10000L
/* Pieces in which files cross, bytes. */
#define PIECE (256 * 1024L)
/* Longest answer that is kept in memory, bytes; the longest page of a listing is far below. */
#define ANSWER_MAX (64 * 1024 * 1024)

struct HearthClient {
    char *socket_path;
    CURL *curl;
    char reason[CURL_ERROR_SIZE]; /* curl's own words for what went wrong */
};

/* One request on its way. */
typedef struct {
    HearthClient *client;
    GString *answer; /* kept; of a download only what is a problem */
    int fd;          /* where a download goes, or an upload comes from; -1: none */
    HearthClientFunc moved;
    HearthClientEventFunc event;
    HearthClientSource source;
    gpointer data;
    gboolean stopped; /* by `event` */
    GError *failure;  /* of our own side */
} Transfer;

HearthClient *hearth_client_new(const char *state)
{
    static gsize once;
    if (g_once_init_enter(&once)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        g_once_init_leave(&once, 1);
    }
    HearthClient *client = g_new0(HearthClient, 1);
    client->socket_path = g_build_filename(state, "hearthd.sock", NULL);
    client->curl = curl_easy_init();
    return client;
}

void hearth_client_free(HearthClient *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    g_free(client->socket_path);
    g_free(client);
}

char *hearth_client_tree_target(const char *path, const char *query)
{
    g_autofree char *encoded = hearth_uri_encode_path(path);
    return g_strconcat("tree", encoded, query, NULL);
}

/* --- What comes in ------------------------------------------------------------------------------ */

static long answer_status(const Transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->client->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t keep_answer(const char *bytes, size_t size, Transfer *transfer)
{
    if (transfer->answer->len + size > ANSWER_MAX)
        return 0;
    g_string_append_len(transfer->answer, bytes, (gssize)size);
    return size;
}

/* Hands on every whole event; the rest stays for the next piece. */
static void split_events(Transfer *transfer)
{
    char *end;
    while (!transfer->stopped && (end = strstr(transfer->answer->str, "\n\n"))) {
        *end = '\0';
        const char *data = strstr(transfer->answer->str, "data: ");
        g_autoptr(GVariant) event = data ? hearth_json_parse(data + 6, -1, NULL) : NULL;
        if (event)
            transfer->stopped = !transfer->event(event, transfer->data);
        g_string_erase(transfer->answer, 0, end + 2 - transfer->answer->str);
    }
}

static size_t on_bytes(char *bytes, size_t one, size_t size, void *data)
{
    Transfer *transfer = data;
    gboolean good = answer_status(transfer) < 300;
    if (good && transfer->event) {
        keep_answer(bytes, size, transfer);
        split_events(transfer);
        return transfer->stopped ? 0 : size;
    }
    if (!good || transfer->fd < 0)
        return keep_answer(bytes, size, transfer);
    if (!hearth_write_all(transfer->fd, bytes, size, "the output", &transfer->failure))
        return 0;
    if (transfer->moved)
        transfer->moved(size, transfer->data);
    return size;
}

static size_t on_wanted(char *buffer, size_t one, size_t size, void *data)
{
    Transfer *transfer = data;
    gssize got = hearth_read_up_to(transfer->fd, buffer, size, "the file", &transfer->failure);
    if (got < 0)
        return CURL_READFUNC_ABORT;
    if (transfer->moved)
        transfer->moved((gsize)got, transfer->data);
    return (size_t)got;
}

static size_t on_made(char *buffer, size_t one, size_t size, void *data)
{
    Transfer *transfer = data;
    gssize made = transfer->source(buffer, size, transfer->data, &transfer->failure);
    return made < 0 ? CURL_READFUNC_ABORT : (size_t)made;
}

/* --- Errors ------------------------------------------------------------------------------------ */

static HearthError code_of_word(const char *word)
{
    for (int code = 0; code < HEARTH_ERROR_LAST; code++) {
        g_autoptr(GError) sample = g_error_new_literal(HEARTH_ERROR, code, "");
        if (strcmp(hearth_error_word(sample), word) == 0)
            return (HearthError)code;
    }
    return HEARTH_ERROR_FAILED;
}

static gboolean refuse_problem(const Transfer *transfer, GError **error)
{
    const char *detail = NULL, *word = "";
    g_autoptr(GVariant) problem =
        hearth_json_parse(transfer->answer->str, (gssize)transfer->answer->len, NULL);
    if (problem && g_variant_is_of_type(problem, G_VARIANT_TYPE_VARDICT)) {
        g_variant_lookup(problem, "detail", "&s", &detail);
        g_variant_lookup(problem, "code", "&s", &word);
    }
    if (detail)
        g_set_error_literal(error, HEARTH_ERROR, code_of_word(word), detail);
    else
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL, "the daemon answered %ld",
                    answer_status(transfer));
    return FALSE;
}

static gboolean refuse_curl(Transfer *transfer, CURLcode code, GError **error)
{
    const HearthClient *client = transfer->client;
    if (transfer->failure) {
        g_propagate_error(error, g_steal_pointer(&transfer->failure));
        return FALSE;
    }
    if (code == CURLE_PARTIAL_FILE) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IO,
                    "the answer broke off; the content may be damaged: hearth scrub tells");
        return FALSE;
    }
    long number = 0;
    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &number);
    const char *why = code == CURLE_COULDNT_CONNECT && number ? g_strerror((int)number)
                      : client->reason[0]                     ? client->reason
                                                              : curl_easy_strerror(code);
    g_set_error(error, HEARTH_COMMAND_ERROR, HEARTH_COMMAND_ERROR_UNREACHABLE,
                code == CURLE_COULDNT_CONNECT ? "no gateway answers at %s (%s): is hearthd running?"
                                              : "the gateway at %s went away (%s)",
                client->socket_path, why);
    return FALSE;
}

/* --- Requests ---------------------------------------------------------------------------------- */

static void set_common(Transfer *transfer, const char *target)
{
    HearthClient *client = transfer->client;
    CURL *curl = client->curl;
    g_autofree char *url = g_strconcat("http://localhost/api/v1/", target, NULL);
    curl_easy_reset(curl);
    client->reason[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, PIECE);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, PIECE);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
}

static gboolean perform(Transfer *transfer, GError **error)
{
    /* What is printed already need not wait for the next answer. */
    fflush(stdout);
    CURLcode code = curl_easy_perform(transfer->client->curl);
    if (code != CURLE_OK && !(transfer->stopped && code == CURLE_WRITE_ERROR))
        return refuse_curl(transfer, code, error);
    return answer_status(transfer) < 300 || refuse_problem(transfer, error);
}

static GVariant *parse_answer(const Transfer *transfer, GError **error)
{
    if (transfer->answer->len == 0)
        return g_variant_ref_sink(g_variant_new("a{sv}", NULL));
    GVariant *answer =
        hearth_json_parse(transfer->answer->str, (gssize)transfer->answer->len, error);
    if (!answer || g_variant_is_of_type(answer, G_VARIANT_TYPE_VARDICT))
        return answer;
    g_variant_unref(answer);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL,
                "the daemon answered what is no object");
    return NULL;
}

gboolean hearth_client_send(HearthClient *client, const char *method, const char *target,
                            GVariant *body, GVariant **ret_answer, GError **error)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    Transfer transfer = {.client = client, .answer = answer, .fd = -1};
    g_autoptr(GVariant) owned = body ? g_variant_ref_sink(body) : NULL;
    g_autofree char *text = owned ? hearth_json_print(owned) : g_strdup("");
    set_common(&transfer, target);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
    if (owned || strcmp(method, "POST") == 0)
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, text);
    if (!perform(&transfer, error))
        return FALSE;
    g_autoptr(GVariant) value = parse_answer(&transfer, error);
    if (value && ret_answer)
        *ret_answer = g_variant_ref(value);
    return value != NULL;
}

GVariant *hearth_client_get(HearthClient *client, const char *target, GError **error)
{
    GVariant *answer = NULL;
    hearth_client_send(client, "GET", target, NULL, &answer, error);
    return answer;
}

gboolean hearth_client_download(HearthClient *client, const char *target, int fd,
                                HearthClientFunc moved, gpointer data, GError **error)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    Transfer transfer = {
        .client = client, .answer = answer, .fd = fd, .moved = moved, .data = data};
    set_common(&transfer, target);
    return perform(&transfer, error);
}

gboolean hearth_client_upload(HearthClient *client, const char *target, int fd, gint64 size,
                              HearthClientFunc moved, gpointer data, GError **error)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    Transfer transfer = {
        .client = client, .answer = answer, .fd = -1, .moved = moved, .data = data};
    Transfer source = {.client = client, .fd = fd, .moved = moved, .data = data};
    set_common(&transfer, target);
    curl_easy_setopt(client->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(client->curl, CURLOPT_READFUNCTION, on_wanted);
    curl_easy_setopt(client->curl, CURLOPT_READDATA, &source);
    curl_easy_setopt(client->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
    gboolean done = perform(&transfer, error);
    if (source.failure) {
        g_clear_error(error);
        g_propagate_error(error, g_steal_pointer(&source.failure));
    }
    return done;
}

gboolean hearth_client_post_stream(HearthClient *client, const char *target,
                                   HearthClientSource source, gpointer data, GVariant **ret_answer,
                                   GError **error)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    Transfer transfer = {
        .client = client, .answer = answer, .fd = -1, .source = source, .data = data};
    set_common(&transfer, target);
    curl_easy_setopt(client->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, "POST");
    curl_easy_setopt(client->curl, CURLOPT_READFUNCTION, on_made);
    curl_easy_setopt(client->curl, CURLOPT_READDATA, &transfer);
    if (!perform(&transfer, error))
        return FALSE;
    *ret_answer = parse_answer(&transfer, error);
    return *ret_answer != NULL;
}

gboolean hearth_client_listen(HearthClient *client, const char *target, HearthClientEventFunc func,
                              gpointer data, GError **error)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    Transfer transfer = {.client = client, .answer = answer, .fd = -1, .event = func, .data = data};
    set_common(&transfer, target);
    return perform(&transfer, error);
}
