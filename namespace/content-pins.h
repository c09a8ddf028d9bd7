#pragma once

#include "namespace/object.h"

/**
 * Which contents are being stored right now, so that the collector of garbage never takes one
 * between its staging and the commit that refers to it. Any thread.
 */
typedef struct HearthContentPins HearthContentPins;

HearthContentPins *hearth_content_pins_new(void);
void hearth_content_pins_free(HearthContentPins *pins);

/** Counts one more need of `id`; waits while it is condemned. */
void hearth_content_pins_take(HearthContentPins *pins, const HearthContentId *id);
void hearth_content_pins_drop(HearthContentPins *pins, const HearthContentId *id);

/** FALSE if someone needs `id` or it is condemned already; after TRUE no one gets a pin on it until
 * hearth_content_pins_settle(). */
gboolean hearth_content_pins_condemn(HearthContentPins *pins, const HearthContentId *id);
void hearth_content_pins_settle(HearthContentPins *pins, const HearthContentId *id);
