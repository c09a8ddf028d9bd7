#include "web/route-private.h"

#include "gateway/base/error.h"
#include "web/reply-private.h"

#include <string.h>

static const HearthRoute *const TABLES[] = {
    HEARTH_ROUTES_TREE,  HEARTH_ROUTES_CHANGE, HEARTH_ROUTES_BATCH,  HEARTH_ROUTES_STATUS,
    HEARTH_ROUTES_FIND,  HEARTH_ROUTES_JOB,    HEARTH_ROUTES_DEVICE, HEARTH_ROUTES_EVENT,
    HEARTH_ROUTES_TRASH, HEARTH_ROUTES_LOG,
};

/* TRUE if the word at *pattern, which is moved past it, takes the segment. */
static gboolean word_fits(const char **pattern, const char *segment)
{
    const char *word = *pattern + 1;
    gsize length = strcspn(word, "/");
    *pattern = word + length;
    return (length == 1 && *word == '*') ||
           (strlen(segment) == length && memcmp(word, segment, length) == 0);
}

static gboolean pattern_fits(const char *pattern, const GPtrArray *segments)
{
    guint at = 0;
    if (strcmp(pattern, "/") == 0)
        return segments->len == 0;
    while (*pattern && strcmp(pattern, "/**") != 0)
        if (at == segments->len || !word_fits(&pattern, g_ptr_array_index(segments, at++)))
            return FALSE;
    return *pattern || at == segments->len;
}

/* Segments before the first wildcard. */
static guint fixed_segments(const char *pattern)
{
    guint count = 0;
    for (const char *at = pattern; *at && at[1] != '*'; at += 1 + strcspn(at + 1, "/"))
        count++;
    return count;
}

static gboolean method_fits(const char *method, const char *asked)
{
    return strcmp(method, asked) == 0 || (strcmp(method, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static gboolean refuse(const GString *allowed, char **ret_allow, GError **error)
{
    if (allowed->len == 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND,
                    "nothing is served at this address");
        return FALSE;
    }
    *ret_allow = g_strdup(allowed->str);
    g_set_error(error, HEARTH_HTTP_ERROR, MHD_HTTP_METHOD_NOT_ALLOWED, "this address takes %s",
                allowed->str);
    return FALSE;
}

static void allow(GString *allowed, const char *method)
{
    g_string_append_printf(allowed, "%s%s%s", allowed->len > 0 ? ", " : "", method,
                           strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

gboolean hearth_route_find(HearthRequest *request, char **ret_allow, GError **error)
{
    g_autoptr(GString) allowed = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(TABLES); i++) {
        for (const HearthRoute *route = TABLES[i]; route->method; route++) {
            if (!pattern_fits(route->pattern, request->segments))
                continue;
            if (!method_fits(route->method, request->method)) {
                allow(allowed, route->method);
                continue;
            }
            request->route = route;
            request->fixed = fixed_segments(route->pattern);
            return TRUE;
        }
    }
    return refuse(allowed, ret_allow, error);
}

const HearthRoute *hearth_route_nth(guint n)
{
    for (gsize i = 0; i < G_N_ELEMENTS(TABLES); i++)
        for (const HearthRoute *route = TABLES[i]; route->method; route++)
            if (n-- == 0)
                return route;
    return NULL;
}
