// SPDX-License-Identifier: GPL-2.0
/* The table of all changes, with a verdict each. */
#define _GNU_SOURCE
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

static size_t verdicts[VERDICTS];

static char *verdict_cell(const struct change *c)
{
	switch (c->verdict) {
	case BETTER:
		return strdup("better");
	case WORSE:
		return strdup("WORSE");
	case NO_CHANGE:
		return strdup("no change");
	case NOT_JUDGED:
		return strdup("not judged");
	default:
		return format("too noisy: need %.0f more", c->more);
	}
}

static char *p_cell(double p)
{
	return p < 0.0001 ? strdup("<0.0001") : format("%.4f", p);
}

static void change_row(struct table *t, const struct metric *m,
		       const struct change *c, const char *suffix)
{
	char *by, *interval, *p, *noise;

	verdicts[c->verdict]++;
	if (c->exact || c->verdict == NOT_JUDGED) {
		char *n = number(c->new - c->old), *r = percent(c->by);

		by = format("%s%s (%s)", c->new > c->old ? "+" : "", n, r);
		free(n);
		free(r);
		interval = strdup(c->exact ? "exact" : "-");
		p = strdup("-");
		noise = strdup("-");
	} else {
		char *lo = percent(c->iv.lo), *hi = percent(c->iv.hi);

		by = percent(c->by);
		interval = format("%s .. %s", lo, hi);
		free(lo);
		free(hi);
		p = p_cell(c->p);
		noise = format("%.1f%%", c->noise * 100);
	}
	add_row(t, format("%s%s", m->name, suffix), number(c->old),
		number(c->new), strdup(m->unit), by, interval, p, noise,
		verdict_cell(c));
}

static void note_differences(void)
{
	static const struct {
		const char *name;
		char *(*get)(const struct file *f);
	} field[] = { { "config", get_config }, { "compiler", get_compiler } };
	size_t i;

	for (i = 0; i < sizeof(field) / sizeof(*field); i++) {
		char *a = over_files(OLD, field[i].get);
		char *b = over_files(NEW, field[i].get);

		if (strcmp(a, b))
			warnx("note: the %ss differ: %s, %s", field[i].name, a,
			      b);
		free(a);
		free(b);
	}
}

/*
 * Exact counters can still vary from one event to the next. A slow path taken
 * by a few of them leaves the median alone, so p90 is looked at too, and
 * believed if the whole distribution has moved. Not of gettime: it samples eight
 * parts of a second, of which one or two carry into the next, as the boot had it.
 */
static bool tail_moved(const struct metric *m, struct change *c)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];

	if ((a->sorted[0] == a->sorted[a->n - 1] &&
	     b->sorted[0] == b->sorted[b->n - 1]) || strstr(m->name, "gettime."))
		return false;
	*c = exact(m, 0.9);
	return c->verdict != NO_CHANGE && fabs(c->by) > threshold &&
		mann_whitney(a->sorted, a->n, b->sorted, b->n) < alpha;
}

static void check_missing(void)
{
	size_t i;

	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];

		if (m->set[OLD].n && !m->set[NEW].n)
			die("%s is in %s, but missing from %s",
			    m->name, m->file, side_name[NEW]);
	}
}

static void count_tests(void)
{
	size_t i;

	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];

		if (m->set[OLD].n && m->set[NEW].n && is_judged(m) &&
		    !is_steady(m))
			nr_tests += has_tail(m) ? 2 : 1;
	}
}

enum status compare(void)
{
	struct table t = { .columns = 9 };
	struct change c;
	size_t i;

	if (!comparable())
		return NOT_COMPARABLE;
	check_missing();
	note_differences();
	count_tests();
	add_row(&t, strdup("metric"), strdup(side_name[OLD]),
		strdup(side_name[NEW]), strdup("unit"), strdup("change"),
		format("%g%% interval", 100 * (1 - alpha)), strdup("p"),
		strdup("noise"), strdup("verdict"));
	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];

		if (!m->set[NEW].n)
			continue;	/* known from A/A files only */
		if (!m->set[OLD].n) {
			warnx("note: %s is new in %s", m->name, m->file);
			continue;
		}
		if (!is_judged(m)) {
			c = exact(m, 0.5);
			c.exact = m->exact;
			c.verdict = NOT_JUDGED;
			change_row(&t, m, &c, "");
			continue;
		}
		if (is_steady(m)) {
			c = exact(m, 0.5);
			change_row(&t, m, &c, "");
			if (c.verdict == NO_CHANGE && tail_moved(m, &c))
				change_row(&t, m, &c, " p90");
			continue;
		}
		c = statistical(m, 0.5);
		change_row(&t, m, &c, has_tail(m) ? " p50" : "");
		if (has_tail(m)) {
			c = statistical(m, 0.99);
			change_row(&t, m, &c, " p99");
		}
	}
	if (t.rows == 1)
		die("the two sides have no metric in common");
	if (t.rows == verdicts[NOT_JUDGED] + 1)
		die("nothing to judge: of %s%s no change matters; --metric with the whole name judges it",
		    metrics[0].name, nr_metrics > 1 ? " and so on" : "");
	print_table(&t, "lrrlrrrrl");
	printf("%zu worse, %zu better, %zu no change, %zu too noisy",
	       verdicts[WORSE], verdicts[BETTER], verdicts[NO_CHANGE],
	       verdicts[NOISY]);
	printf(" (files: %zu and %zu; a change is: exact, more than %g%s;"
	       " else p < %g over %zu tests and surely more than %g%% and the noise)\n",
	       side_files(OLD), side_files(NEW),
	       tolerance_share ? tolerance_share * 100 : tolerance,
	       tolerance_share ? "%" : " counts", alpha, nr_tests,
	       threshold * 100);
	return verdicts[WORSE] ? REGRESSION : verdicts[NOISY] ? UNDECIDED :
		SAME;
}
