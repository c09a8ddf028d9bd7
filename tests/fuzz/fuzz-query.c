#include "namespace/query.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *type_of(const char *key)
{
    return strcmp(key, "exposure.iso") == 0 ? "u" : strchr(key, '.') ? "s" : NULL;
}

/* A query is refused with a message, or it is a tree in which each test has what it needs. */
static void check(const HearthQueryNode *node)
{
    if (node->kind != HEARTH_QUERY_TEST) {
        check(node->left);
        if (node->right)
            check(node->right);
        return;
    }
    if ((node->type == HEARTH_QUERY_TEXT) != (node->text != NULL) ||
        (node->field == HEARTH_QUERY_ATTRIBUTE) != (node->key != NULL) ||
        node->whole > node->whole_high)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    for (int open = 0; open < 2; open++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(HearthQuery) query = hearth_query_parse(text, open ? NULL : type_of, &error);
        if ((query == NULL) != (error != NULL))
            abort();
        if (query)
            check(hearth_query_root(query));
    }
    return 0;
}
