#include "sprockets/engine/decode-private.h"
#include "sprockets/engine/engine.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/sprockets/engine/insn-native.h"

/*
 * Every form of every instruction in the table, natively in a child and under the engine, from the
 * same registers, flags and memory: afterwards registers, flags, vectors, masks, MXCSR, x87 and
 * memory are the same, or both end with the same signal; and memory of the host is as it was.
 *
 * HEARTH_CAMPAIGN=SECONDS repeats it with new draws for that long.
 */

#define FAILURES_SHOWN 40
#define FAILURES_MAX 1000 /* end of a campaign */

static struct {
    GArray *forms;
    GRand *rand;
    HearthNativeResult *native;
    guint cases, failures, faults, refused, absent;
    guint outcomes[HEARTH_ENGINE_OUTCOMES];
    GHashTable *failed; /* name of an instruction → count */
} test;

/* --- What to run ------------------------------------------------------------------------------- */

static guint draw(guint bound)
{
    return (guint)g_rand_int_range(test.rand, 0, (gint32)bound);
}

static HearthAddress address_at(HearthPlace place)
{
    switch (place) {
    case HEARTH_PLACE_STACK:
        return HEARTH_ADDRESS_STACK;
    case HEARTH_PLACE_RIP:
        return HEARTH_ADDRESS_RIP;
    case HEARTH_PLACE_THREAD:
        return HEARTH_ADDRESS_THREAD;
    default:
        return HEARTH_ADDRESS_BASE;
    }
}

static void add_case(GArray *cases, const HearthForm *form, HearthPlace place, HearthPlace source)
{
    HearthCase one = {.form = form, .place = place, .source = source, .overwritten = 255};
    one.seed = g_rand_int(test.rand);
    one.live = draw(2);
    one.first = draw(2);
    one.careful = draw(3) == 0;
    if (draw(2)) {
        one.overwritten = (guint8)draw(16);
        one.overwritten = one.overwritten == 4 ? 255 : one.overwritten;
    }
    if (!hearth_form_instance(form, address_at(place), test.rand, &one.instance))
        return;
    bool small = place == HEARTH_PLACE_STACK || place == HEARTH_PLACE_THREAD;
    if (small && (one.instance.access > 64 || form->vsib))
        return;
    /* What an address in a register is needed for, saves do not take from rax and rdx. */
    guint32 mask = 1u << 0 | 1u << 2;
    guint32 address = one.instance.base < 16 ? 1u << one.instance.base : 0;
    if (!form->vsib && one.instance.index < 16)
        address |= 1u << one.instance.index;
    if (one.instance.access > 512 && (address & mask))
        return;
    g_array_append_val(cases, one);
}

static void add_cases(GArray *cases, const HearthForm *form)
{
    if (form->string) {
        for (guint i = 0; i < 4; i++)
            add_case(cases, form, 1 + draw(HEARTH_PLACE_STACK - 1),
                     1 + draw(HEARTH_PLACE_STACK - 1));
    } else if (!form->memory) {
        add_case(cases, form, HEARTH_PLACE_NONE, HEARTH_PLACE_NONE);
        add_case(cases, form, HEARTH_PLACE_NONE, HEARTH_PLACE_NONE);
    } else {
        static const HearthPlace ALWAYS[] = {HEARTH_PLACE_OWNED, HEARTH_PLACE_FOREIGN};
        for (guint i = 0; i < G_N_ELEMENTS(ALWAYS); i++)
            add_case(cases, form, ALWAYS[i], HEARTH_PLACE_NONE);
        for (guint i = 0; i < 2; i++)
            add_case(cases, form, HEARTH_PLACE_STRADDLE + draw(HEARTH_PLACES - 3),
                     HEARTH_PLACE_NONE);
    }
}

/* Forms that the engine refuses by what they are, whatever the mnemonic. */
static bool is_refused(const HearthCase *one)
{
    bool pop = one->instance.mnemonic == ZYDIS_MNEMONIC_POP && one->form->memory;
    return one->form->refused || (pop && one->place == HEARTH_PLACE_STACK);
}

/* What the engine may do in its own way, always to the safe side. */
static bool is_strict(const HearthCase *one, const HearthNativeResult *native,
                      const HearthEngineResult *result)
{
    bool half =
        one->place == HEARTH_PLACE_HALF_UNMAPPED || one->place == HEARTH_PLACE_HALF_READ_ONLY;
    /* Lanes of a gather are not looked up among pages that the call has stored to. */
    if (one->form->vsib && one->careful && result->outcome == HEARTH_ENGINE_UNSUPPORTED)
        return true;
    /* Of two faults at once it may be the other: a masked store is first done, then put in place. */
    if (one->form->mask && native->signal == SIGSEGV && strcmp(result->rule, "SIGFPE") == 0)
        return true;
    /* A save counts as long as it can be, whatever it is asked to save. */
    return half && one->instance.access > 512 && result->outcome == HEARTH_ENGINE_FAULTED;
}

/* --- What to compare --------------------------------------------------------------------------- */

static void report(const HearthCase *one, const char *what, const char *expected, const char *got)
{
    static const char *const PLACES[HEARTH_PLACES] = {
        "register",  "owned",          "foreign", "straddle", "half-unmapped", "unmapped",
        "read-only", "half-read-only", "stack",   "rip",      "thread"};
    const char *name = ZydisMnemonicGetString(one->instance.mnemonic);
    guint count = GPOINTER_TO_UINT(g_hash_table_lookup(test.failed, name));
    g_hash_table_insert(test.failed, (gpointer)name, GUINT_TO_POINTER(count + 1));
    test.failures++;
    if (count >= 2 || test.failures > FAILURES_SHOWN)
        return;
    g_autofree char *text = hearth_instance_text(&one->instance);
    g_test_message("%s: %s, %s%s%s, flags %s%s%s, seed %u: expected %s, got %s", what, text,
                   PLACES[one->place], one->form->string ? " from " : "",
                   one->form->string ? PLACES[one->source] : "", one->live ? "live" : "dead",
                   one->first ? ", first in its block" : "", one->careful ? ", careful" : "",
                   one->seed, expected, got);
}

/* The first difference of two pieces of memory; false if there is none. */
static bool differ(const HearthCase *one, const char *what, const void *expected, const void *got,
                   gsize size)
{
    const guint8 *a = expected, *b = got;
    gsize at = 0;
    if (memcmp(a, b, size) == 0)
        return false;
    while (a[at] == b[at])
        at++;
    gsize from = at & ~(gsize)7, length = MIN(8, size - from);
    g_autoptr(GString) left = g_string_new(NULL);
    g_autoptr(GString) right = g_string_new(NULL);
    for (gsize i = 0; i < length; i++) {
        g_string_append_printf(left, "%02x", a[from + i]);
        g_string_append_printf(right, "%02x", b[from + i]);
    }
    g_autofree char *where = g_strdup_printf("%s+%zu", what, from);
    report(one, where, left->str, right->str);
    return true;
}

/* Where an image of the x87 has addresses of instructions and operands: offset and bytes. */
static void pointers_of(ZydisMnemonic mnemonic, guint operand, guint *ret_from, guint *ret_size)
{
    *ret_from = *ret_size = 0;
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
        *ret_from = operand == 14 || operand == 94 ? 6 : 12;
        *ret_size = operand == 14 || operand == 94 ? 8 : 16;
        break;
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
        *ret_from = 6;
        *ret_size = 18;
        break;
    default:
        break;
    }
}

static void hide_pointers(const HearthCase *one, const HearthState *state, HearthOutput *out)
{
    guint from, size;
    memset(out->x87 + 12, 0, 16);
    pointers_of(one->instance.mnemonic, one->instance.access, &from, &size);
    if (size == 0)
        return;
    guint64 operand = hearth_insn_target() - state->windows[0].from;
    if (one->place == HEARTH_PLACE_STACK)
        memset(out->stack, 0, sizeof out->stack);
    else if (one->place == HEARTH_PLACE_THREAD)
        memset(out->windows[1], 0, sizeof out->windows[1]);
    else if (state->windows[0].words)
        for (guint i = 0; i < size && operand + from + i < HEARTH_WINDOW; i++)
            out->windows[0][operand + from + i] = 0;
}

static void compare(const HearthCase *one, HearthState *state, HearthOutput *native)
{
    HearthOutput *out = &state->out;
    guint64 mask = one->live ? (HEARTH_ARITHMETIC_FLAGS & ~(guint64)one->instance.undefined) : 0;
    native->gpr[4] = out->gpr[4] = 0;
    native->flags &= mask | 0x400;
    out->flags &= mask | 0x400;
    hide_pointers(one, state, native);
    hide_pointers(one, state, out);
    bool bad = differ(one, "registers", native->gpr, out->gpr, sizeof out->gpr) ||
               differ(one, "flags", &native->flags, &out->flags, sizeof out->flags) ||
               differ(one, "mxcsr", &native->mxcsr, &out->mxcsr, sizeof out->mxcsr) ||
               differ(one, "x87", native->x87, out->x87, sizeof out->x87) ||
               differ(one, "masks", native->k, out->k, sizeof out->k) ||
               differ(one, "vectors", native->vectors, out->vectors, sizeof out->vectors) ||
               differ(one, "stack", native->stack, out->stack, sizeof out->stack);
    for (guint i = 0; i < 2 && !bad; i++)
        bad = differ(one, i ? "source" : "memory", native->windows[i], out->windows[i],
                     hearth_insn_window(state, i));
}

static void check_fault(const HearthCase *one, const HearthNativeResult *native,
                        const HearthEngineResult *result)
{
    const char *name = sigabbrev_np(native->signal);
    g_autofree char *got =
        g_strdup_printf("%s (%s)", hearth_engine_outcome_word(result->outcome), result->rule);
    g_assert_cmpuint(native->pc, ==, hearth_insn_pc(one));
    test.faults++;
    test.absent += native->signal == SIGILL;
    if (result->outcome != HEARTH_ENGINE_FAULTED || !strstr(result->rule, name))
        report(one, "outcome", name, got);
    else if (result->pc && result->pc != native->pc)
        report(one, "pc of the fault", "that of the instruction", result->symbol);
}

/* --- Running ----------------------------------------------------------------------------------- */

static void run_case(const HearthCase *one, HearthNativeResult *native)
{
    static HearthEngineResult result;
    HearthState *state = hearth_insn_prepare(one);
    HearthEnginePolicy policy = {.validate_reads = one->careful && one->live};
    HearthEngineCall call = {
        .entry = hearth_insn_entry(), .arguments = {(guint64)state}, .policy = &policy};
    hearth_engine_run(&call, &result);
    test.cases++;
    test.outcomes[result.outcome]++;
    g_autofree char *got =
        g_strdup_printf("%s (%s)", hearth_engine_outcome_word(result.outcome), result.rule);
    if (!hearth_insn_undisturbed())
        g_error("memory of the host has changed");
    if (is_refused(one)) {
        test.refused++;
        if (result.outcome != HEARTH_ENGINE_UNSUPPORTED)
            report(one, "outcome", "unsupported", got);
    } else if (is_strict(one, native, &result)) {
        test.refused++;
    } else if (native->signal) {
        check_fault(one, native, &result);
    } else if (result.outcome != HEARTH_ENGINE_RETURNED || result.value != HEARTH_INSN_RETURNS) {
        report(one, "outcome", "returned", got);
    } else {
        compare(one, state, &native->out);
    }
}

static void run_batch(HearthCase *cases, guint count)
{
    hearth_engine_flush();
    hearth_insn_load(cases, count);
    hearth_insn_run_natively(cases, count, test.native);
    for (guint i = 0; i < count; i++)
        run_case(&cases[i], &test.native[i]);
}

static void run_all(void)
{
    g_autoptr(GArray) cases = g_array_new(FALSE, FALSE, sizeof(HearthCase));
    for (guint i = 0; i < test.forms->len; i++)
        add_cases(cases, &g_array_index(test.forms, HearthForm, i));
    for (guint i = 0; i < cases->len; i += HEARTH_CASES_MAX)
        run_batch(&g_array_index(cases, HearthCase, i), MIN(HEARTH_CASES_MAX, cases->len - i));
}

static void show(void)
{
    GHashTableIter iter;
    gpointer name, count;
    g_test_message("%u forms, %u cases: %u faulted (%u as this processor does not have them), "
                   "%u refused, %u failures",
                   test.forms->len, test.cases, test.faults, test.absent, test.refused,
                   test.failures);
    for (guint i = 0; i < HEARTH_ENGINE_OUTCOMES; i++)
        g_test_message("%s: %u", hearth_engine_outcome_word(i), test.outcomes[i]);
    g_hash_table_iter_init(&iter, test.failed);
    while (g_hash_table_iter_next(&iter, &name, &count))
        g_test_message("%s failed %u times", (const char *)name, GPOINTER_TO_UINT(count));
}

static void every_form_does_natively_and_under_the_engine_the_same(void)
{
    const char *reason, *campaign = g_getenv("HEARTH_CAMPAIGN");
    gint64 end = g_get_monotonic_time();
    end += campaign ? g_ascii_strtoll(campaign, NULL, 10) * G_USEC_PER_SEC : 0;
    if (!hearth_engine_available(&reason)) {
        g_test_skip(reason);
        return;
    }
    gsize size = HEARTH_CASES_MAX * sizeof(HearthNativeResult);
    guint32 seed = (guint32)g_test_rand_int();
    g_test_message("seed %u", seed);
    test.rand = g_rand_new_with_seed(seed);
    test.native = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(test.native != MAP_FAILED);
    test.failed = g_hash_table_new(g_str_hash, g_str_equal);
    test.forms = hearth_forms_new(hearth_instruction_allowed);
    hearth_insn_init(hearth_engine_area());
    do
        run_all();
    while (g_get_monotonic_time() < end && test.failures < FAILURES_MAX);
    show();
    g_assert_cmpuint(test.failures, ==, 0);
    hearth_insn_clear();
    g_array_unref(test.forms);
    g_hash_table_unref(test.failed);
    g_rand_free(test.rand);
    munmap(test.native, size);
}

static void every_mnemonic_of_the_table_has_a_form(void)
{
    bool found[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {false};
    g_autoptr(GArray) forms = hearth_forms_new(hearth_instruction_allowed);
    for (guint i = 0; i < forms->len; i++)
        found[g_array_index(forms, HearthForm, i).mnemonic] = true;
    for (guint i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
        if (hearth_instruction_allowed((guint16)i) && !found[i])
            g_error("%s is in the table, and no bytes were found for it",
                    ZydisMnemonicGetString(i));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sprockets/engine/instructions/have-forms",
                    every_mnemonic_of_the_table_has_a_form);
    g_test_add_func("/sprockets/engine/instructions/same-as-natively",
                    every_form_does_natively_and_under_the_engine_the_same);
    return g_test_run();
}
