#include "sprockets/engine/message-private.h"

#include <stddef.h>

char *hearth_message_same(const char *message)
{
    return (char *)message;
}

char *hearth_message_of_domain(const char *domain, const char *message)
{
    return (char *)message;
}

char *hearth_message_counted(const char *one, const char *many, unsigned long count)
{
    return (char *)(count == 1 ? one : many);
}

char *hearth_message_of_domain_counted(const char *domain, const char *one, const char *many,
                                       unsigned long count)
{
    return (char *)(count == 1 ? one : many);
}

char *hearth_message_bind(const char *domain, const char *value)
{
    return (char *)value;
}

char *hearth_message_domain(const char *domain)
{
    return (char *)(domain ? domain : "messages");
}
