/* Deterministic random numbers: splitmix64. */
#include "ops.h"

void rng_seed(rng *r, uint64_t seed)
{
    /* Two rounds of the mixer, so that neighbouring seeds do not walk along the same sequence. */
    r->state = seed;
    uint64_t high = rng_u32(r);
    r->state = high << 32 | rng_u32(r);
}

uint32_t rng_u32(rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

uint32_t rng_below(rng *r, uint32_t n)
{
    return (uint32_t)(((uint64_t)rng_u32(r) * n) >> 32);
}

int rng_range(rng *r, int lo, int hi)
{
    return lo + (int)rng_below(r, (uint32_t)(hi - lo + 1));
}

bool rng_chance(rng *r, uint32_t percent)
{
    return rng_below(r, 100) < percent;
}

size_t rng_weighted(rng *r, const unsigned *weights, size_t count)
{
    unsigned total = 0;
    for (size_t i = 0; i < count; i++)
        total += weights[i];
    unsigned at = rng_below(r, total);
    for (size_t i = 0; i < count; i++) {
        if (at < weights[i])
            return i;
        at -= weights[i];
    }
    return count - 1;
}
