#include "namespace/digest.h"

#include <openssl/evp.h>

struct HearthDigest {
    EVP_MD_CTX *context; /* always initialised and ready for update */
};

/* OpenSSL fails here only without memory or without its own providers: both end the process, as a
 * failing g_malloc does. */
static void must(int result)
{
    if (result != 1)
        g_error("OpenSSL cannot compute SHA-256");
}

static const EVP_MD *algorithm(void)
{
    static gsize sha256; /* the pointer itself: what guards it is what is read */
    if (g_once_init_enter(&sha256)) {
        EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
        must(fetched != NULL);
        g_once_init_leave(&sha256, (gsize)fetched);
    }
    return (const EVP_MD *)sha256;
}

HearthDigest *hearth_digest_new(void)
{
    HearthDigest *digest = g_new0(HearthDigest, 1);
    digest->context = EVP_MD_CTX_new();
    must(digest->context != NULL);
    must(EVP_DigestInit_ex2(digest->context, algorithm(), NULL));
    return digest;
}

void hearth_digest_free(HearthDigest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    g_free(digest);
}

void hearth_digest_update(HearthDigest *digest, const void *data, gsize size)
{
    must(EVP_DigestUpdate(digest->context, data, size));
}

void hearth_digest_finish(HearthDigest *digest, guint8 ret_digest[HEARTH_CONTENT_ID_SIZE])
{
    must(EVP_DigestFinal_ex(digest->context, ret_digest, NULL));
    hearth_digest_reset(digest);
}

void hearth_digest_reset(HearthDigest *digest)
{
    /* Without naming the algorithm again: OpenSSL then keeps the context's buffers. */
    must(EVP_DigestInit_ex2(digest->context, NULL, NULL));
}

void hearth_digest_of(const void *data, gsize size, guint8 ret_digest[HEARTH_CONTENT_ID_SIZE])
{
    must(EVP_Digest(data, size, ret_digest, NULL, algorithm(), NULL));
}
