// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: samples, and what children and helpers report */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "probe.h"

double *vc_alloc(unsigned long n)
{
	double *p = calloc(n ? n : 1, sizeof(*p));

	if (!p) {
		fprintf(stderr, "vdso-clock: no memory for %lu samples: use a smaller --loops\n",
			n);
		exit(1);
	}
	return p;
}

void vc_emit(const struct vc_conf *c, const char *name, const char *unit,
	     bool exact, const double *val, unsigned long n)
{
	unsigned long i;

	fprintf(c->out, "m %s %s %d lower %lu\n", name, unit, exact, n);
	for (i = 0; i < n; i++)
		fprintf(c->out, "%.12g\n", val[i]);
}

void vc_skip(const struct vc_conf *c, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(c->out, "s %s ", name);
	vfprintf(c->out, fmt, ap);
	fputc('\n', c->out);
	va_end(ap);
}

void vc_say(const struct vc_conf *c, char kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(c->out, "%c ", kind);
	vfprintf(c->out, fmt, ap);
	fputc('\n', c->out);
	va_end(ap);
}

/* Ticks become units, less what the timing itself costs */
void vc_emit_ticks(const struct vc_conf *c, const char *name, double *val,
		   unsigned long n, double overhead, double per)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		val[i] = (val[i] - overhead) * c->scale / per;
	vc_emit(c, name, c->unit, c->exact, val, n);
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double vc_median(const double *val, unsigned long n)
{
	double *copy = vc_alloc(n), m;

	memcpy(copy, val, n * sizeof(*val));
	qsort(copy, n, sizeof(*copy), cmp_double);
	m = n ? copy[(n - 1) / 2] : 0;
	free(copy);
	return m;
}
