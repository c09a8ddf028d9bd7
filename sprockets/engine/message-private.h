#pragma once

/**
 * gettext for calls: messages stay in the language they were written in, so that a result does not depend on the
 * locale of the host. These functions run translated in place of libc's; binding a domain changes nothing.
 */

char *hearth_message_same(const char *message);                          /* gettext */
char *hearth_message_of_domain(const char *domain, const char *message); /* dgettext, dcgettext */
char *hearth_message_counted(const char *one, const char *many, unsigned long count); /* ngettext */
/* dngettext, dcngettext */
char *hearth_message_of_domain_counted(const char *domain, const char *one, const char *many,
                                       unsigned long count);
/** bindtextdomain, bind_textdomain_codeset: what was asked for. */
char *hearth_message_bind(const char *domain, const char *value);
/** textdomain. */
char *hearth_message_domain(const char *domain);
