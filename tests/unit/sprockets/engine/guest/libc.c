/* glibc's string, stdio, qsort, regex, iconv and time: each leaves text in the area. */
#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <limits.h>
#include <math.h>
#include <regex.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

static int by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

GUEST(sort_numbers)
{
    uint32_t *numbers = (uint32_t *)area, seed = 1;
    for (uint64_t i = 0; i < first; i++)
        numbers[i] = seed = seed * 1664525 + 1013904223;
    qsort(numbers, first, sizeof *numbers, by_value);
    uint32_t key = numbers[first / 2];
    uint32_t *found = bsearch(&key, numbers, first, sizeof *numbers, by_value);
    return found ? *found : 0;
}

GUEST(format_text)
{
    int n = 0;
    for (int i = 0; i < 50; i++) {
        double x = i * 1234.56789;
        n += snprintf(area + n, 200000 - (size_t)n, "%d %5.2f %-10s|%+08ld|%x %e %g %a %c %% %p\n",
                      i, x, "text", (long)i * -77, i * 4099, x, x / 3, x, 'a' + i % 26,
                      (void *)0x1234);
        n += snprintf(area + n, 200000 - (size_t)n, "%.*Lf %ls %zu %hhd\n", i % 9,
                      (long double)x / 7, L"wide", (size_t)i << 33, (signed char)i);
    }
    return (uint64_t)n;
}

GUEST(scan_text)
{
    int a, b, n = 0;
    double x;
    char word[32];
    for (uint64_t i = 0; i < first; i++) {
        n += sscanf(" 12 0x1f 2.5e3 [hello] ", "%d %i %lf [%31[a-z]]", &a, &b, &x, word);
        n += a + b + (int)x + (int)strlen(word);
    }
    double values[6] = {strtod("3.14159265358979", NULL),
                        strtod("1e-310", NULL),
                        strtod("0x1.8p4", NULL),
                        strtod("inf", NULL),
                        strtold("2.718281828459045235", NULL),
                        atof("-0.1")};
    memcpy(area, values, sizeof values);
    errno = 0;
    n += strtol("999999999999999999999", NULL, 10) == LONG_MAX && errno == ERANGE;
    return (uint64_t)n + strtoull("zz", NULL, 36);
}

/* Lengths and positions at which vector code changes its mind. */
GUEST(handle_strings)
{
    char *from = calloc(1, 9000), *to = calloc(1, 9000);
    uint64_t sum = 0;
    for (size_t length = 0; length < 600; length += length < 150 ? 1 : 37) {
        size_t shift = length % 67;
        memset(from, 'a' + (int)(length % 26), 9000);
        from[shift + length] = '\0';
        strcpy(to + 64 - shift % 64, from + shift);
        sum += strlen(to + 64 - shift % 64) +
               (uint64_t)(strcmp(from + shift, to + 64 - shift % 64) != 0);
        memmove(to + 3, to, length + 200);
        memcpy(to + 1000, from, length * 10);
        sum += (uint64_t)(memcmp(to + 1000, from, length * 10) == 0);
        char *found = memchr(from, 0, 9000);
        sum += (uint64_t)(found - from) + strnlen(from + shift, 300);
        sum += (uint64_t)(strrchr(from + shift, 'a' + (int)(length % 26)) != NULL);
        sum = sum * 31 + (uint64_t)(strstr(from + shift, "aaaa") != NULL) +
              strcspn(from + shift, "xyz");
    }
    char text[] = "one,two;three four", *rest = NULL;
    for (char *word = strtok_r(text, ",; ", &rest); word; word = strtok_r(NULL, ",; ", &rest))
        strcat(strcat(area, word), "/");
    strcat(area, strerror(ENOENT));
    memcpy(area + 1000, to, 8000);
    free(from);
    free(to);
    return sum;
}

GUEST(match_expressions)
{
    static const char *const TEXTS[] = {"IMG_2041.JPG", "2024-05-06T07:08:09", "a@b.example",
                                        "none"};
    static const char *const EXPRESSIONS[] = {"^([A-Z]+)_([0-9]+)\\.(jpg|JPG)$",
                                              "([0-9]{4})-([0-9]{2})-([0-9]{2})",
                                              "[[:alnum:]]+@[^ ]+", "(a*)*b|n(o)ne"};
    int n = 0;
    for (size_t i = 0; i < 4; i++) {
        regex_t regex;
        regmatch_t matches[4];
        if (regcomp(&regex, EXPRESSIONS[i], REG_EXTENDED) != 0)
            return 1;
        for (size_t j = 0; j < 4; j++)
            if (regexec(&regex, TEXTS[j], 4, matches, 0) == 0)
                for (int k = 0; k < 4; k++)
                    n += sprintf(area + n, "%d-%d ", (int)matches[k].rm_so, (int)matches[k].rm_eo);
        regfree(&regex);
    }
    return (uint64_t)n;
}

GUEST(convert_text)
{
    static const char *const SETS[] = {"UTF-16LE", "ISO-8859-1", "UTF-32BE", "CP1252", "UTF-7"};
    size_t used = 0;
    for (size_t i = 0; i < 5; i++) {
        char text[] = "Gr\xc3\xbc\xc3\x9f"
                      "e aus K\xc3\xb6ln";
        char *from = text, *to = area + used;
        size_t left = strlen(text), room = 1000;
        iconv_t converter = iconv_open(SETS[i], "UTF-8");
        if (converter == (iconv_t)-1) {
            area[used++] = '!';
            continue;
        }
        if (iconv(converter, &from, &left, &to, &room) == (size_t)-1)
            area[used++] = '?';
        iconv_close(converter);
        used += 1000 - room;
    }
    return used;
}

GUEST(write_streams)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return 1;
    for (uint64_t i = 0; i < first; i++)
        fprintf(stream, "line %d\n", (int)i);
    fputs("end", stream);
    fclose(stream);
    memcpy(area, text, size);
    FILE *back = fmemopen(text, size, "r");
    char line[64];
    uint64_t lines = 0;
    while (fgets(line, sizeof line, back))
        lines += strlen(line);
    fclose(back);
    free(text);
    return lines;
}

GUEST(tell_time)
{
    time_t when = 1700000000;
    struct tm parts;
    gmtime_r(&when, &parts);
    size_t n = strftime(area, 200, "%Y-%m-%d %H:%M:%S %A %B %j %U %%", &parts);
    parts.tm_mday += 40;
    when = timegm(&parts);
    return n + (uint64_t)when;
}

GUEST(compute)
{
    double *out = (double *)area;
    for (int i = 0; i < 100; i++) {
        double x = i * 0.37 - 9;
        *out++ = sin(x) + cos(x) * tan(x);
        *out++ = exp(x) + log(x * x + 1) + pow(fabs(x), 1.7);
        *out++ = sqrt(x * x) + cbrt(x) + fmod(x, 0.7) + floor(x) + nearbyint(x);
        *out++ = (double)(sinl(x) + expl(x)) + hypot(x, 3) + atan2(x, 2);
    }
    return (uint64_t)lrint(out[-1]);
}

GUEST(classify)
{
    uint64_t sum = 0;
    for (int i = 0; i < 256; i++)
        sum = sum * 3 + (uint64_t)(!!isalpha(i) + !!isdigit(i) * 2 + !!isspace(i) * 4) +
              (uint64_t)toupper(i);
    for (wint_t i = 0; i < 300; i++)
        sum = sum * 3 + (uint64_t) !!iswalpha(i) + (uint64_t)towlower(i);
    return sum + strlen(nl_langinfo(CODESET)) + strlen(getenv("PATH") ? "set" : "");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

GUEST(search_trees)
{
    void *root = NULL;
    static char names[100][8];
    uint64_t found = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i * 37 % 100);
        tsearch(names[i], &root, by_name);
    }
    for (int i = 0; i < 100; i++)
        found += tfind(names[i], &root, by_name) != NULL;
    for (int i = 0; i < 100; i++)
        tdelete(names[i], &root, by_name);
    return found + (root == NULL);
}
