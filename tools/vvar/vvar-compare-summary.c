// SPDX-License-Identifier: GPL-2.0
/* What make bench is to prove, in a dozen lines. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

/* What a bench is to prove; results/README.md has the metrics */
static const struct {
	const char *what, *metric, *yardstick;
	double q;
} claims[] = {
	{ "first touch of a vvar page", "fault.vvar", NULL, 0.5 },
	{ "  beside that of the zero page", "fault.vvar", "fault.zero", 0.5 },
	{ "vvar and vDSO faults to the first timestamp",
	  "exec.faults.static.vdso", NULL, 0.5 },
	{ "first timestamp under pressure, p50", "first.timestamp", NULL, 0.5 },
	{ "  p99", "first.timestamp", NULL, 0.99 },
	{ "  max", "first.timestamp", NULL, 1 },
	{ "first touch, mmap_lock contended, p50", "contend.2M.vvar",
	  NULL, 0.5 },
	{ "  p99", "contend.2M.vvar", NULL, 0.99 },
	{ "fork and exit", "exec.fork_exit", NULL, 0.5 },
	{ "vfork, exec and exit", "exec.vfork_exec_exit", NULL, 0.5 },
	{ "clock_gettime(CLOCK_MONOTONIC), warm", "gettime.MONOTONIC.vdso",
	  NULL, 0.5 },
};

#define NR_CLAIMS	(sizeof(claims) / sizeof(*claims))

/* Taken on whatever machine counts it, if several do */
static const struct metric *find_measured(const char *name)
{
	const struct metric *found = NULL;
	size_t i;

	for (i = 0; i < nr_metrics; i++)
		if (!strcmp(metrics[i].name, name) && metrics[i].set[OLD].n &&
		    metrics[i].set[NEW].n && (!found || metrics[i].exact))
			found = &metrics[i];
	return found;
}

static struct change beside(const struct metric *m, const struct metric *zero)
{
	struct change c = exact(m, 0.5), z = exact(zero, 0.5);

	c.old = ratio(z.old, c.old);
	c.new = ratio(z.new, c.new);
	c.by = ratio(c.old, c.new) - 1;
	c.verdict = c.new == c.old ? NO_CHANGE : direction(m, c.new - c.old);
	return c;
}

/* A difference that boots of one kernel show is none, be it proven or not */
static const char *claim_mark(const struct change *c)
{
	switch (c->verdict) {
	case BETTER:
		return "better";
	case WORSE:
		return "WORSE";
	case NO_CHANGE:
		return "same";
	default:
		return size(c) <= c->noise ? "same" : "unclear";
	}
}

static char *claim_noise(const struct change *c)
{
	return c->exact ? strdup("exact") :
			  format("noise %.0f%%", c->noise * 100);
}

enum status print_summary(void)
{
	const struct metric *m[NR_CLAIMS], *zero;
	struct table t = { .columns = 7 };
	bool worse = false;
	struct change c;
	size_t i;

	if (!comparable())
		return NOT_COMPARABLE;
	for (i = 0; i < NR_CLAIMS; i++) {
		m[i] = find_measured(claims[i].metric);
		nr_tests += m[i] && !is_steady(m[i]);
	}
	add_row(&t, strdup(""), strdup(side_name[OLD]), strdup(side_name[NEW]),
		strdup("ratio"), strdup("unit"), strdup(""),
		strdup("judged against"));
	for (i = 0; i < NR_CLAIMS; i++) {
		zero = claims[i].yardstick ?
			find_measured(claims[i].yardstick) : NULL;
		if (!m[i] || (claims[i].yardstick && !zero))
			continue;
		if (zero)
			c = beside(m[i], zero);
		else if (is_steady(m[i]))
			c = exact(m[i], claims[i].q);
		else
			c = statistical(m[i], claims[i].q);
		worse = worse || c.verdict == WORSE;
		add_row(&t, strdup(claims[i].what), number(c.old),
			number(c.new), share(c.old, c.new),
			strdup(zero ? "times" : m[i]->unit),
			strdup(claim_mark(&c)), claim_noise(&c));
	}
	if (t.rows == 1)
		die("nothing of what the summary is made of was measured on both sides");
	print_table(&t, "lrrrlll");
	return worse ? REGRESSION : SAME;
}
