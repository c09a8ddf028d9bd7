/*
 * Row 48: masked stores and stores across pages, at the end of what is mapped. As the
 * processor does them; the masked lanes are not touched.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    static const int mask[8] = {-1, -1, -1, -1};
    float *to = (float *)(victim->edge - 16);
    asm volatile("vmovdqu (%0), %%ymm0\n"
                 "vpcmpeqd %%ymm1, %%ymm1, %%ymm1\n"
                 "vmaskmovps %%ymm1, %%ymm0, (%1)\n"
                 "vzeroupper"
                 :
                 : "r"(mask), "r"(to)
                 : "memory");
    return *(uint32_t *)(victim->edge - 4) == 0xffffffff ? 0 : 1;
}

uint64_t misbehave_opmask(uint64_t *area, Victim *victim)
{
    asm volatile("mov $0xf, %%eax\n"
                 "kmovw %%eax, %%k1\n"
                 "vpternlogd $0xff, %%zmm1, %%zmm1, %%zmm1\n"
                 "vmovdqu32 %%zmm1, (%0) %{%%k1%}\n"
                 "vzeroupper"
                 :
                 : "r"(victim->edge - 16)
                 : "rax", "memory");
    return *(uint32_t *)(victim->edge - 4) == 0xffffffff ? 0 : 1;
}

uint64_t misbehave_over(uint64_t *area, Victim *victim)
{
    *(volatile uint64_t *)(victim->edge - 4) = 0x4141414141414141;
    return 1;
}

uint64_t misbehave_across(uint64_t *area, Victim *victim)
{
    volatile uint64_t *word = (uint64_t *)(victim->edge - 4096 - 4);
    *word = 0x0102030405060708;
    return *word == 0x0102030405060708 && *(uint32_t *)(victim->edge - 4096) == 0x01020304 ? 0 : 1;
}
