#pragma once

#include "namespace/object.h"

/**
 * SHA-256 by OpenSSL, which uses the processor's instructions for it. A digest is used again after
 * each finish, since fetching the algorithm and making a context cost more than hashing a small
 * file. One owner, one thread at a time.
 */
typedef struct HearthDigest HearthDigest;

HearthDigest *hearth_digest_new(void);
void hearth_digest_free(HearthDigest *digest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthDigest, hearth_digest_free)

void hearth_digest_update(HearthDigest *digest, const void *data, gsize size);
/** Gives the digest of what was added and starts anew. */
void hearth_digest_finish(HearthDigest *digest, guint8 ret_digest[HEARTH_CONTENT_ID_SIZE]);
/** Forgets what was added. */
void hearth_digest_reset(HearthDigest *digest);

/** SHA-256 of one piece of memory; any thread. */
void hearth_digest_of(const void *data, gsize size, guint8 ret_digest[HEARTH_CONTENT_ID_SIZE]);
