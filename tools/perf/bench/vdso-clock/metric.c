// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: what came of it: metrics, and notes for the reader */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>
#include "front.h"

struct vc_metric *vc_metrics;
unsigned int vc_nr_metrics;

struct vc_notes vc_skipped, vc_warnings, vc_texts, vc_env_given;

int vc_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "vdso-clock: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return -1;
}

/* Nothing here goes on without memory */
void *vc_must(void *p)
{
	if (!p) {
		vc_fail("out of memory: use fewer --loops or --repeat");
		exit(1);
	}
	return p;
}

void vc_note(struct vc_notes *notes, const char *fmt, ...)
{
	char **more = vc_must(realloc(notes->line,
				      (notes->nr + 1) * sizeof(*more)));
	char *line = NULL;
	unsigned int i;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	vc_must(line);
	notes->line = more;
	/* Repeats say it again */
	for (i = 0; i < notes->nr; i++) {
		if (!strcmp(more[i], line) && notes != &vc_texts) {
			free(line);
			return;
		}
	}
	more[notes->nr++] = line;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(const double *sorted, unsigned long n, double p)
{
	unsigned long rank = ceil(p * n);

	return sorted[rank ? rank - 1 : 0];
}

struct vc_metric *vc_find_metric(const char *name)
{
	unsigned int i;

	for (i = 0; i < vc_nr_metrics; i++)
		if (!strcmp(vc_metrics[i].name, name))
			return &vc_metrics[i];
	return NULL;
}

/* A second report of the same name is a repeat: its samples join the first's */
void vc_add_samples(const char *name, const char *unit, bool exact,
		    const char *better, const double *val, unsigned long n)
{
	struct vc_metric *m = vc_find_metric(name);
	double *sorted;

	if (!m) {
		vc_metrics = vc_must(realloc(vc_metrics,
					     (vc_nr_metrics + 1) * sizeof(*vc_metrics)));
		m = &vc_metrics[vc_nr_metrics++];
		memset(m, 0, sizeof(*m));
		m->name = vc_must(strdup(name));
		m->unit = vc_must(strdup(unit));
		m->better = vc_must(strdup(better));
		m->exact = exact;
		init_stats(&m->medians);
	}
	m->val = vc_must(realloc(m->val, (m->n + n) * sizeof(*val)));
	memcpy(m->val + m->n, val, n * sizeof(*val));
	m->n += n;

	sorted = vc_must(malloc(n * sizeof(*val)));
	memcpy(sorted, val, n * sizeof(*val));
	qsort(sorted, n, sizeof(*val), cmp_double);
	update_stats(&m->medians, fabs(percentile(sorted, n, 0.5)) * 1000);
	free(sorted);
}

void vc_sort_metrics(void)
{
	unsigned int i;

	for (i = 0; i < vc_nr_metrics; i++) {
		struct vc_metric *m = &vc_metrics[i];

		m->sorted = vc_must(realloc(m->sorted, m->n * sizeof(*m->val)));
		memcpy(m->sorted, m->val, m->n * sizeof(*m->val));
		qsort(m->sorted, m->n, sizeof(*m->val), cmp_double);
	}
}

double vc_p_of(const struct vc_metric *m, double p)
{
	return percentile(m->sorted, m->n, p);
}

double vc_mean(const struct vc_metric *m)
{
	double sum = 0;
	unsigned long i;

	for (i = 0; i < m->n; i++)
		sum += m->val[i];
	return sum / m->n;
}

/*
 * 95 % confidence interval of the median, from the ranks that a binomial
 * distribution gives: right for any distribution of the samples.
 */
bool vc_median_ci(const struct vc_metric *m, double *lo, double *hi)
{
	double half = 1.96 * sqrt(m->n) / 2;
	long low = floor(m->n / 2.0 - half), high = ceil(m->n / 2.0 + half);

	if (m->n < 6 || low < 1)
		return false;
	*lo = m->sorted[low - 1];
	*hi = m->sorted[high < (long)m->n ? high : (long)m->n - 1];
	return true;
}
