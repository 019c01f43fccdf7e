// SPDX-License-Identifier: GPL-2.0
/*
 * The plain loop that anyone would write, to compare perf bench vdso-clock
 * with: "clock-loop ns" prints ns per call, "clock-loop tsc" TSC ticks, which
 * are instructions under QEMU -icount.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

typedef long fn_t(long clk, struct timespec *ts);

static __attribute__((noinline)) long nothing(long clk, struct timespec *ts)
{
	asm volatile("" : : "r" (clk), "r" (ts));
	return 0;
}

static long system_call(long clk, struct timespec *ts)
{
	return syscall(SYS_clock_gettime, clk, ts);
}

/* The best of 200 rounds of 100 calls */
static double loop(fn_t *fn, long clk)
{
	uint64_t t, best = UINT64_MAX;
	struct timespec ts;
	int i, n;

	for (i = 0; i < 200; i++) {
		_mm_lfence();
		t = __rdtsc();
		for (n = 0; n < 100; n++)
			fn(clk, &ts);
		_mm_lfence();
		t = __rdtsc() - t;
		if (t < best)
			best = t;
	}
	return best / 100.0;
}

static double ns_per_tick(void)
{
	struct timespec a, b;
	uint64_t t;
	double ns;

	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	t = __rdtsc();
	do {
		clock_gettime(CLOCK_MONOTONIC_RAW, &b);
		ns = (b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec;
	} while (ns < 1e8);
	return ns / (__rdtsc() - t);
}

int main(int argc, char **argv)
{
	static const struct {
		const char	*name;
		long		id;
	} clocks[] = {
		{ "REALTIME",		CLOCK_REALTIME },
		{ "MONOTONIC",		CLOCK_MONOTONIC },
		{ "REALTIME_COARSE",	CLOCK_REALTIME_COARSE },
		{ "MONOTONIC_COARSE",	CLOCK_MONOTONIC_COARSE },
	};
	fn_t *volatile libc = (fn_t *)(void *)clock_gettime;
	fn_t *volatile direct = system_call;
	fn_t *volatile empty = nothing;
	double scale = 1;
	unsigned int i;

	if (argc != 2 || (strcmp(argv[1], "ns") && strcmp(argv[1], "tsc"))) {
		fprintf(stderr, "usage: clock-loop ns|tsc\n");
		return 2;
	}
	if (!strcmp(argv[1], "ns"))
		scale = ns_per_tick();
	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		double none = loop(empty, clocks[i].id);

		printf("gettime.%s.libc %g\n", clocks[i].name,
		       (loop(libc, clocks[i].id) - none) * scale);
		printf("gettime.%s.syscall %g\n", clocks[i].name,
		       (loop(direct, clocks[i].id) - none) * scale);
	}
	return 0;
}
