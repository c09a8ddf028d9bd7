/* What the translator writes, read by another: of every function of these libraries, in all views, and of calls. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sprockets/engine/cache-private.h"
#include "tests/unit/sprockets/engine/runner.h"
#include "tests/unit/sprockets/engine/verifier.h"

#define SECONDS_DEFAULT 1 /* of translating each library, at most */

static const char *const LIBRARIES[] = {"libc.so.6",     "libexif.so.12", "libjpeg.so.62",
                                        "libtag_c.so.0", "libz.so.1",     "libsqlite3.so.0",
                                        "libstdc++.so.6"};

/* --- Everything there is ----------------------------------------------------------------------- */

static gint64 deadline;

static gboolean in_time(void)
{
    return g_get_monotonic_time() < deadline;
}

static void translate(guint64 app, HearthView view)
{
    bool made;
    hearth_cache_translate(app, view, &made);
}

/* The table of symbols ends where that of their names begins. */
static void translate_exported(const struct link_map *object, HearthView view)
{
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    for (const ElfW(Dyn) *entry = object->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = (const void *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_STRTAB)
            names = (const void *)entry->d_un.d_ptr;
    }
    g_assert_true(symbols && (const char *)symbols < names);
    for (; (const char *)(symbols + 1) <= names && in_time(); symbols++) {
        guint type = ELF64_ST_TYPE(symbols->st_info);
        if (symbols->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC))
            translate(object->l_addr + symbols->st_value, view);
    }
}

/* And all that they lead to; linked, as calls would link it. */
static guint translate_reached(guint from)
{
    guint end = hearth_cache_next_exit();
    for (guint i = from; i < end && in_time(); i++) {
        const HearthExit exit = *hearth_cache_exit(i);
        bool made;
        const HearthFragment *target = hearth_cache_translate(exit.target, exit.view, &made);
        if (target)
            hearth_cache_link(&exit, target->code);
    }
    return end;
}

static void translate_reached_for(double seconds)
{
    guint reached = 0;
    deadline = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    while (in_time() && reached < hearth_cache_next_exit())
        reached = translate_reached(reached);
}

static void translate_library(const char *name)
{
    const char *seconds = g_getenv("HEARTH_VERIFIER_SECONDS");
    double span = seconds ? g_ascii_strtod(seconds, NULL) : SECONDS_DEFAULT;
    struct link_map *object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    guint reached = 0;
    if (!object)
        g_error("%s", dlerror());
    g_assert_nonnull(hearth_engine_area());
    deadline = g_get_monotonic_time() + (gint64)(span * G_USEC_PER_SEC);
    for (guint view = 0; view < HEARTH_VIEWS; view++)
        translate_exported(object, view);
    while (in_time() && reached < hearth_cache_next_exit())
        reached = translate_reached(reached);
}

/* In a process of its own: all of them do not fit in one cache. */
static void all_code_of_a_library_is_harmless(gconstpointer name)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed();
        return;
    }
    translate_library(name);
    verifier_assert();
}

/* --- Code that no compiler writes -------------------------------------------------------------- */

#define PAGE 4096
#define RANDOM_PAGES 4
#define RANDOM_SIZE 16384             /* bytes of each */
#define CODE_LIMIT ((size_t)24 << 20) /* bytes of the cache that this test may fill */

/* Mapped as the code of a file is. */
static const guint8 *map_code(const guint8 *bytes, gsize size)
{
    int file = memfd_create("code", MFD_CLOEXEC);
    gsize whole = (size + PAGE) & ~(gsize)(PAGE - 1);
    g_assert_cmpint(ftruncate(file, (off_t)whole), ==, 0);
    g_assert_cmpint(pwrite(file, bytes, size, 0), ==, (gssize)size);
    void *code = mmap(NULL, whole, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    g_assert_true(code != MAP_FAILED);
    close(file);
    return code;
}

static const char *const NASTY[] = {
    "64 64 48 89 04 25 e8 ff ff ff", /* segments given twice */
    "65 64 48 89 04 25 e8 ff ff ff",
    "64 65 64 48 89 04 25 e8 ff ff ff",
    "64 2e 48 89 04 25 e8 ff ff ff",
    "64 48 64 89 04 25 e8 ff ff ff",
    "64 64 48 89 07",
    "65 48 89 04 25 00 00 00 00",
    "65 48 89 07",
    "65 48 89 04 25 00 00 10 00",
    "48 0f c7 f4 50",
    "48 0f c7 fc 50",    /* rdrand rsp, rdseed rsp */
    "f3 48 0f c7 fc 50", /* rdpid rsp */
    "66 50 c3",
    "66 58 c3",
    "66 9c c3",
    "66 6a 01 c3",
    "48 89 e0 48 ff c8 48 89 c4 c3",
    "5c c3",
    "41 5c c3",
    "c9 c3",
    "48 8d 24 24 c3",
    "48 ff c4 c3",
    "40 8a e0 c3",
    "fe c4 40 fe c4 c3",
    "c4 e1 f9 7e c4 50 c3", /* vmovq rsp, xmm0 */
    "c4 e1 fb 93 e1 50 c3",
    "c2 07 00",
    "c2 08 00",
    "67 89 07",
    "67 48 89 84 24 00 00 00 00",
    "0f ab 07",
    "48 0f bb 37",
    "f3 aa",
    "67 f3 aa",
    "64 a4",
    "f2 a6",
    "66 0f f7 c1",
    "0f f7 c1",
    "0f 01 fc",
    "66 0f 38 f8 07",
    "f3 48 0f ae d8",
    "8e d8",
    "0f a1",
    "c8 00 00 00",
    "cd 80",
    "0f 05",
    "0f 34",
    "0f 31",
    "0f a2",
    "f1",
    "cc",
    "0f 0b",
    "f4",
    "ff 2f",
    "ff 1f",
    "66 ff 27",
    "ff 24 24",
    "ff 14 24",
    "ff 64 24 f8",
    "64 ff 14 25 00 00 00 00",
    "62 f1 7d 48 7f 07",
    "62 f2 7d 4a a0 04 07", /* a scatter */
    "62 f2 7d 48 8a 47 01",
    "62 f1 7c 48 11 47 7f",
    "d7",
    "48 a3 00 00 00 00 00 00 00 00",
    "64 48 a3 e8 ff ff ff ff ff ff ff",
    "8f 44 24 08",
    "8f 07",
    "ff 34 25 00 10 00 00",
    "48 89 a4 24 00 00 10 00",
    "48 89 84 04 00 00 00 00",
    "48 89 44 24 7f",
    "48 87 e0",
    "48 0f b1 20",
    "48 87 20",
    "f3 0f 1e c8",
    "eb fe",
    "e2 fe",
    "e3 00",
    "67 e3 00",
    "e8 00 00 00 00",
    "e8 fb ff ff ff",
    "0f 01 ef",
    "66 e0 89",
    "66 e2 00",
    "66 e3 10",
    "66 66 e2 d3",
    "66 74 10", /* 16 bits of a target */
    "41 f0 30 01",
    "49 f2 89 01",
    "4f 66 89 01",
    "41 2e 89 01",
    "45 f3 0f 7f 01",
    "49 67 89 01", /* REX too soon */
    "64 48 8b 05 00 00 00 00",
    "64 48 89 05 00 00 00 00", /* by fs and rip */
    "64 48 89 04 25 00 00 10 00",
    "64 48 89 04 25 00 20 00 00",
    "64 48 89 04 25 00 00 e0 ff", /* by fs alone, far: the third is where the window begins */
    "64 48 89 04 25 00 00 8e 3f",
    "0f ae 2f",
    "0f c7 1f",
    "48 cf",
};

/* As if each access had met foreign memory. */
static void bounce_all(void)
{
    for (guint i = 0; i < hearth_cache_next_site(); i++) {
        HearthSite *site = hearth_cache_site(i);
        if (site->insn.kind == HEARTH_INSN_PLAIN && site->insn.has_memory &&
            !site->insn.memory.vector_index)
            hearth_cache_bounce(site);
    }
}

static gsize take_hex(const char *text, guint8 *bytes)
{
    gsize size = 0;
    for (; *text; text += text[2] ? 3 : 2)
        bytes[size++] =
            (guint8)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
    return size;
}

static void expect_harmless(const char *const *rows, gsize count)
{
    g_assert_nonnull(hearth_engine_area());
    for (gsize i = 0; i < count; i++) {
        guint8 bytes[64];
        gsize size = take_hex(rows[i], bytes);
        bytes[size] = 0xC3;
        const guint8 *code = map_code(bytes, size + 1);
        for (guint view = 0; view < HEARTH_VIEWS; view++)
            translate((guint64)code, view);
    }
    bounce_all();
    verifier_assert();
    hearth_engine_flush();
}

static void nasty_code_is_harmless(void)
{
    expect_harmless(NASTY, G_N_ELEMENTS(NASTY));
}

/* Stores, a string operation, and stores once more by the same register. */
static void a_base_that_a_string_operation_moved_is_compared_anew(void)
{
    static const char *const ROWS[] = {
        "89 06 a4 89 46 08",    "89 07 a4 89 47 08",    "89 06 f3 a5 89 46 08",
        "89 06 a7 89 46 08",    "89 07 a7 89 47 08",    "89 06 f3 a6 89 46 08",
        "89 06 ad 89 46 08",    "89 00 ac 89 40 08",    "89 07 ab 89 47 08",
        "89 01 f3 ab 89 41 08", "89 07 af 89 47 08",    "89 07 f2 ae 89 47 08",
        "89 01 f2 ae 89 41 08", "89 01 f3 a6 89 41 08",
    };
    expect_harmless(ROWS, G_N_ELEMENTS(ROWS));
}

/* The stack pointer is set twice: the second reads by the first. */
static void a_stack_pointer_that_is_used_is_checked_before(void)
{
    static const char *const ROWS[] = {"48 89 fc 5c", "48 83 ec 08 c9", "48 83 ec 08 48 83 e4 f0",
                                       "48 89 fc 48 8b 24 24", "48 89 fc 48 87 24 24"};
    expect_harmless(ROWS, G_N_ELEMENTS(ROWS));
}

/* MVEX of Knights Corner: what its bytes mean here depends on the processor. */
static void vectors_of_another_processor_are_refused(void)
{
    static const char *const ROWS[] = {"62 f3 49 24 1e ba 43 69 d2 aa 18", "62 21 41 0f fe 01"};
    expect_harmless(ROWS, G_N_ELEMENTS(ROWS));
}

/* Bytes that are more often an instruction than chance would have it. */
static void fill_random(guint8 *bytes, gsize size, GRand *random)
{
    static const guint8 PREFIXES[] = {0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E,
                                      0x3E, 0x48, 0x49, 0x41, 0x44, 0x4C, 0x40, 0x0F};
    static const guint8 OPCODES[] = {0x89, 0x8B, 0xC7, 0x01, 0x81, 0x83, 0x8D, 0x0F, 0xFF, 0x50,
                                     0x5C, 0xA4, 0xAA, 0x87, 0x8F, 0xC4, 0xC5, 0x62, 0xD9, 0xDD};
    for (gsize i = 0; i < size; i++) {
        guint32 kind = g_rand_int(random) % 8;
        bytes[i] = kind == 0   ? PREFIXES[g_rand_int(random) % sizeof PREFIXES]
                   : kind == 1 ? OPCODES[g_rand_int(random) % sizeof OPCODES]
                   : kind == 2 ? 0x24 /* by the stack pointer, or a SIB that says so */
                               : (guint8)g_rand_int(random);
    }
}

static void random_code_is_harmless(void)
{
    const char *given = g_getenv("HEARTH_VERIFIER_SEED");
    guint32 seed = given ? (guint32)g_ascii_strtoull(given, NULL, 10) : 1;
    GRand *random = g_rand_new_with_seed(seed);
    guint8 bytes[RANDOM_SIZE];
    size_t used = 0, fragments;
    g_assert_nonnull(hearth_engine_area());
    deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    for (guint i = 0; i < RANDOM_PAGES && in_time(); i++) {
        fill_random(bytes, sizeof bytes, random);
        const guint8 *code = map_code(bytes, sizeof bytes);
        for (guint at = 0; at < RANDOM_SIZE && used < CODE_LIMIT; at += 3) {
            translate((guint64)code + at, at / 3 % HEARTH_VIEWS);
            hearth_cache_usage(&used, &fragments);
        }
    }
    g_test_message("seed %u", seed);
    bounce_all();
    verifier_assert();
    g_rand_free(random);
    hearth_engine_flush();
}

/* --- The verifier itself ----------------------------------------------------------------------- */

/* Changes of one byte or more in what the translator writes, each of which takes a rule away. */
typedef struct {
    const char *what;
    const char *find; /* in hexadecimal */
    const char *put;
} Damage;

static const Damage DAMAGES[] = {
    {"a larger window", "00 00 00 40 0f 83", "00 00 00 60 0f 83"},
    {"a larger window, scratch kept", "f9 00 00 00 40 65", "f9 00 00 00 60 65"},
    {"the other way round", "00 00 00 40 0f 83", "00 00 00 40 0f 82"},
    {"another register is compared", "48 81 f9 00 00 00 40", "48 81 fa 00 00 00 40"},
    {"not less the window", "48 2b 0c 25 00 00", "48 2b 0c 25 10 00"},
    {"another lower end", "48 3b 3c 25 00 00 8e 3f 0f 82", "48 3b 3c 25 10 00 8e 3f 0f 82"},
    {"another upper end", "48 3b 3c 25 08 00 8e 3f 0f 83", "48 3b 3c 25 10 00 8e 3f 0f 83"},
    {"half of a base", "65 48 3b 3c 25 08 00", "65 40 3b 3c 25 08 00"},
    {"another base", "48 3b 3c 25 08 00 8e 3f 0f 83", "48 3b 34 25 08 00 8e 3f 0f 83"},
    {"what is below stays", "25 00 00 8e 3f 0f 82", "25 00 00 8e 3f 0f 83"},
    {"what is above stays", "25 08 00 8e 3f 0f 83", "25 08 00 8e 3f 0f 87"},
    {"a larger stack", "48 c1 c9 03 48 81 f9 00 00 10 00", "48 c1 c9 03 48 81 f9 00 00 20 00"},
    {"an odd stack", "48 c1 c9 03 48 81 f9", "48 c1 c9 02 48 81 f9"},
    {"a stack of any alignment", "48 c1 c9 03 48 81 f9", "90 90 90 90 48 81 f9"},
    {"not less the stack", "48 2b 0c 25 10 00", "48 2b 0c 25 00 00"},
    {"not the stack pointer", "48 89 e1 65 48 2b 0c 25 10 00", "48 89 f1 65 48 2b 0c 25 10 00"},
    {"the return address is not all compared", "81 7c 24 04", "81 7c 24 08"},
    {"a return drops more", "48 8d 64 24 08", "48 8d 64 24 10"},
    {"a return by the stack", "ff b4 24 00 00 00 41 c3", "ff b4 24 00 00 00 01 c3"},
    {"a return without its push", "00 00 00 41 c3", "00 00 00 41 cb"},
    {"a hash out of the table", "25 ff 07 00 00", "25 ff ff 00 00"},
    {"a target that is not compared", "65 48 3b 88", "65 48 3b 98"},
    {"a gate that is none", "65 ff 24 25 08 01", "65 ff 24 25 0c 01"},
    {"a shadow elsewhere", "8f 84 24 f8 ff ff 40", "8f 84 24 f8 ff ff 30"},
    {"a site of others", "65 c7 04 25 50 00 8e 3f", "65 c7 04 25 48 00 8e 3f"},
    {"a system call", "48 8b 04 25 28 00 8e 3f", "0f 05 90 90 90 90 90 90"},
    {"another page", "48 c1 e9 0c 40 0f b7 c9", "48 c1 e9 0d 40 0f b7 c9"},
    {"another mark", "65 40 80 b9 78 81 8f 3f 00", "65 40 80 b9 78 81 8f 3f 01"},
    {"marked pages stay", "80 b9 78 81 8f 3f 00 0f 85", "80 b9 78 81 8f 3f 00 0f 84"},
    {"a place out of the table", "81 e2 ff 03 00 00", "81 e2 ff 07 00 00"},
    {"another place", "39 0c d5 78 81 90 3f", "39 0c cd 78 81 90 3f"},
    {"another clean page", "65 48 39 0c d5 78 81 90 3f", "65 48 39 14 d5 78 81 90 3f"},
};

static const guint8 *find_bytes(const HearthFragment *fragment, const guint8 *bytes, gsize size)
{
    return memmem((const void *)fragment->branch_entry, fragment->size, bytes, size);
}

typedef struct {
    guint8 bytes[16];
    gsize size;
    const guint8 *found;
} Search;

static void search(const HearthFragment *fragment, void *data)
{
    Search *wanted = data;
    if (!wanted->found)
        wanted->found = find_bytes(fragment, wanted->bytes, wanted->size);
}

static void expect_more(const VerifierReport *before, const char *what)
{
    g_autoptr(VerifierReport) after = verifier_run();
    if (after->count <= before->count) {
        g_test_message("not found: %s", what);
        g_test_fail();
    }
}

static void expect_found(const VerifierReport *before, const Damage *damage)
{
    Search wanted = {0};
    guint8 bytes[16], kept[16];
    wanted.size = take_hex(damage->find, wanted.bytes);
    g_assert_cmpuint(take_hex(damage->put, bytes), ==, wanted.size);
    hearth_cache_each(search, &wanted);
    if (!wanted.found) {
        g_test_message("the translator writes no %s: %s", damage->find, damage->what);
        g_test_fail();
        return;
    }
    guint8 *at = hearth_cache_alias((guint64)wanted.found);
    memcpy(kept, at, wanted.size);
    memcpy(at, bytes, wanted.size);
    expect_more(before, damage->what);
    memcpy(at, kept, wanted.size);
}

/* What a site says counts as much as the code does. */
static void expect_sites_found(const VerifierReport *before)
{
    guint leaving = 0, checked = 0;
    while (leaving < hearth_cache_next_site() && !hearth_cache_site(leaving)->leaves)
        leaving++;
    while (checked < hearth_cache_next_site() &&
           (hearth_cache_site(checked)->leaves || !hearth_cache_site(checked)->native))
        checked++;
    g_assert_cmpuint(MAX(leaving, checked), <, hearth_cache_next_site());
    HearthSite *site = hearth_cache_site(leaving), kept = *site;
    site->leaves = FALSE;
    expect_more(before, "a site that comes back to what relies on its check");
    *site = kept;
    site = hearth_cache_site(checked);
    kept = *site;
    site->native += site->insn.length;
    expect_more(before, "a site of another instruction");
    *site = kept;
    site->resume -= 1;
    expect_more(before, "a site that goes on within an instruction");
    *site = kept;
}

static void what_is_broken_is_found(void)
{
    g_autoptr(VerifierReport) before = NULL;
    static const char *const NAMES[] = {"qsort_r",     "vfprintf", "regexec", "strtod", "fwrite",
                                        "getaddrinfo", "strcoll",  "mbrtowc", "iconv"};
    g_assert_nonnull(hearth_engine_area());
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        for (guint view = 0; view < HEARTH_VIEWS; view++)
            translate((guint64)dlsym(RTLD_DEFAULT, NAMES[i]), view);
    translate_reached_for(0.05);
    before = verifier_run();
    for (guint i = 0; i < G_N_ELEMENTS(DAMAGES); i++)
        expect_found(before, &DAMAGES[i]);
    expect_sites_found(before);
    hearth_engine_flush();
}

/* --- What calls left --------------------------------------------------------------------------- */

static void code_of_calls_is_harmless(void)
{
    static const char *const FUNCTIONS[] = {
        "recurse_deep", "switch_by_table", "long_jumps",      "vectors",        "blocks_of_memory",
        "sort_numbers", "format_text",     "scan_text",       "handle_strings", "match_expressions",
        "convert_text", "write_streams",   "throw_and_catch", "use_containers"};
    static HearthEngineResult result;
    const HearthEnginePolicy validating = {.validate_reads = true};
    void *guest = runner_load("HEARTH_ENGINE_GUESTS", "engine-guest", FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(FUNCTIONS); i++) {
        RunnerFunction function = runner_find(guest, FUNCTIONS[i]);
        runner_run(function, 20, 0, NULL, NULL, &result);
        runner_run(function, 20, 0, NULL, &validating, &result);
    }
    guint64 words[64] = {0};
    runner_run(runner_find(guest, "store_words"), (guint64)words, 64, NULL, NULL, &result);
    verifier_assert();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    if (!runner_available())
        return 77;
    for (guint i = 0; i < G_N_ELEMENTS(LIBRARIES); i++) {
        g_autofree char *path = g_strdup_printf("/engine/verifier/%s", LIBRARIES[i]);
        g_test_add_data_func(path, LIBRARIES[i], all_code_of_a_library_is_harmless);
    }
    g_test_add_func("/engine/verifier/blind", what_is_broken_is_found);
    g_test_add_func("/engine/verifier/nasty", nasty_code_is_harmless);
    g_test_add_func("/engine/verifier/strings",
                    a_base_that_a_string_operation_moved_is_compared_anew);
    g_test_add_func("/engine/verifier/stack", a_stack_pointer_that_is_used_is_checked_before);
    g_test_add_func("/engine/verifier/mvex", vectors_of_another_processor_are_refused);
    g_test_add_func("/engine/verifier/random", random_code_is_harmless);
    g_test_add_func("/engine/verifier/calls", code_of_calls_is_harmless);
    return g_test_run();
}
