// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: clocks by name, and calls of them */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

const struct vc_clock vc_clocks[] = {
	{ "REALTIME",		0 },
	{ "MONOTONIC",		1 },
	{ "PROCESS_CPUTIME_ID",	2 },
	{ "THREAD_CPUTIME_ID",	3 },
	{ "MONOTONIC_RAW",	4 },
	{ "REALTIME_COARSE",	5 },
	{ "MONOTONIC_COARSE",	6 },
	{ "BOOTTIME",		7 },
	{ "REALTIME_ALARM",	8 },
	{ "BOOTTIME_ALARM",	9 },
	{ "TAI",		11 },
	{ "AUX0",		16 },
	{ "AUX1",		17 },
	{ "AUX2",		18 },
	{ "AUX3",		19 },
	{ "AUX4",		20 },
	{ "AUX5",		21 },
	{ "AUX6",		22 },
	{ "AUX7",		23 },
	{ NULL,			0 }
};

long vc_sys_gettime(unsigned long clk, void *ts)
{
	return syscall(NR_GETTIME, clk, ts);
}

long vc_sys_getres(unsigned long clk, void *ts)
{
	return syscall(NR_GETRES, clk, ts);
}

bool vc_same_clock(const char *a, const char *b)
{
	if (!strncasecmp(b, "CLOCK_", 6) && strncasecmp(a, "clock_", 6))
		b += 6;
	return !strcasecmp(a, b);
}

const struct vc_clock *vc_find_clock(const char *name)
{
	const struct vc_clock *k;

	for (k = vc_clocks; k->name; k++)
		if (vc_same_clock(k->name, name))
			return k;
	return NULL;
}

bool vc_wanted(const struct vc_conf *c, const char *name)
{
	char *list, *tok, *save;
	bool yes = false;

	if (!c->clocks)
		return true;
	list = strdup(c->clocks);
	for (tok = strtok_r(list, ",", &save); tok && !yes;
	     tok = strtok_r(NULL, ",", &save))
		yes = vc_same_clock(name, tok);
	free(list);
	return yes;
}

#ifdef VC_STATIC
/* No dlopen() in a static program */
vc_fn vc_vdso_sym(const char *name __maybe_unused)
{
	return NULL;
}
#else
vc_fn vc_vdso_sym(const char *name)
{
	static const char * const soname[] = {
		"linux-vdso.so.1", "linux-gate.so.1", "linux-vdso64.so.1",
		"linux-vdso32.so.1"
	};
	static const char * const prefix[] = { "__vdso_", "__kernel_" };
	void *vdso = NULL, *sym = NULL;
	char full[64];
	unsigned int i;

	if (!getauxval(AT_SYSINFO_EHDR))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(soname) && !vdso; i++)
		vdso = dlopen(soname[i], RTLD_LAZY | RTLD_NOLOAD);
	if (!vdso)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(prefix) && !sym; i++) {
		snprintf(full, sizeof(full), "%s%s", prefix[i], name);
		sym = dlsym(vdso, full);
	}
	return VC_FN(sym);
}
#endif

/* What a call costs before it does anything */
noinline long vc_empty_call(unsigned long a __maybe_unused, void *b __maybe_unused)
{
	asm volatile("");
	return 0;
}

noinline uint64_t vc_time_calls(vc_fn fn, unsigned long a, void *b,
				unsigned long n)
{
	uint64_t t = ticks();

	do {
		fn(a, b);
	} while (--n);
	return ticks() - t;
}
