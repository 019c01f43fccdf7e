/* SPDX-License-Identifier: GPL-2.0 */
/* The TSC of 64-bit x86, read in order: neither end drifts over what is timed. */
#ifndef VVAR_TSC_H
#define VVAR_TSC_H

#include <stdint.h>

/* 0 elsewhere */
static inline uint64_t ordered_tsc(void)
{
#ifdef __x86_64__
	uint32_t lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a" (lo), "=d" (hi) ::
		     "memory");
	return (uint64_t)hi << 32 | lo;
#else
	return 0;
#endif
}

#endif /* VVAR_TSC_H */
