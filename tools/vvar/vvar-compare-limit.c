// SPDX-License-Identifier: GPL-2.0
/* --limit: does the median hold it? */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vvar-compare.h"

static bool holds(double v, const char *op, double limit)
{
	if (!strcmp(op, "<"))
		return v < limit;
	if (!strcmp(op, "<="))
		return v <= limit;
	if (!strcmp(op, ">"))
		return v > limit;
	return v >= limit;
}

enum status check_limit(const char *text)
{
	const struct metric *m = &metrics[0];
	const struct sample_set *s = &m->set[OLD];
	char op[3], rest;
	struct interval iv;
	size_t more = 0;
	bool lo, hi;
	double limit;

	if (sscanf(text, " %2[<>=] %lf %c", op, &limit, &rest) != 2 ||
	    (op[0] != '<' && op[0] != '>') || (op[1] && op[1] != '=') ||
	    !isfinite(limit))
		die("--limit '%s': not one of <, <=, >, >= and a number", text);
	if (nr_metrics != 1)
		die("--limit is for one metric, not %s in %s and %s in %s",
		    m->name, m->file, metrics[1].name, metrics[1].file);
	iv.lo = quantile(s->sorted, s->n, 0.5);
	iv.hi = iv.lo;
	if (!is_steady(m))
		iv = bootstrap(s, NULL, 0.5, 1 - alpha, ROUNDS);
	lo = holds(iv.lo, op, limit);
	hi = holds(iv.hi, op, limit);
	if (!m->exact && s->nr_runs < CLUSTERS) {
		more = CLUSTERS - s->nr_runs;
		lo = holds(iv.lo / (1 + BOOT_NOISE), op, limit);
		hi = holds(iv.hi * (1 + BOOT_NOISE), op, limit);
	}
	printf("%s %.10g", m->name, quantile(s->sorted, s->n, 0.5));
	if (!is_steady(m))
		printf(" (%g%% interval %.10g .. %.10g)", 100 * (1 - alpha),
		       iv.lo, iv.hi);
	printf(" %s, limit %s %.10g: %s", m->unit, op, limit,
	       lo != hi ? "too noisy" : lo ? "holds" : "BROKEN");
	if (lo != hi && more)
		printf(": need %zu more", more);
	putchar('\n');
	return lo != hi ? UNDECIDED : lo ? SAME : REGRESSION;
}
