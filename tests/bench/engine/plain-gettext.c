/*
 * gettext that returns the message, exported to the libraries that this program loads: what the engine gives to
 * its calls, given to native ones, too. So a call does the same work in both.
 */
char *gettext(const char *message);
char *dgettext(const char *domain, const char *message);
char *dcgettext(const char *domain, const char *message, int category);
char *bindtextdomain(const char *domain, const char *folder);
char *bind_textdomain_codeset(const char *domain, const char *codeset);

char *gettext(const char *message)
{
    return (char *)message;
}

char *dgettext(const char *domain, const char *message)
{
    return (char *)message;
}

char *dcgettext(const char *domain, const char *message, int category)
{
    return (char *)message;
}

char *bindtextdomain(const char *domain, const char *folder)
{
    return (char *)folder;
}

char *bind_textdomain_codeset(const char *domain, const char *codeset)
{
    return (char *)codeset;
}
