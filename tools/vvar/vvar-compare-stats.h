/* SPDX-License-Identifier: GPL-2.0 */
/* The statistics behind vvar-compare. */
#ifndef VVAR_COMPARE_STATS_H
#define VVAR_COMPARE_STATS_H

#include <stddef.h>

/* The samples of one metric from one file, in the order they were taken */
struct run {
	const char *file;
	const double *v;
	size_t n;
};

/* All runs of one metric on one side of a comparison */
struct sample_set {
	struct run *runs;
	size_t nr_runs;
	double *sorted;		/* all runs, by sort_samples() */
	size_t n;
};

struct interval {
	double lo, hi;
};

void *xcalloc(size_t n, size_t size);

void sort_samples(struct sample_set *s);

/* The nearest-rank quantile: always one of the samples */
double quantile(const double *sorted, size_t n, double q);
double set_mean(const struct sample_set *s);

/* b / a, where 0 / 0 is 1: nothing changed */
double ratio(double a, double b);

/*
 * Two-sided p of Mann and Whitney's U test. Below 50 values a side it is exact,
 * ties included; above, the normal approximation with the corrections for ties
 * and continuity. This is what wilcox.test() of R does, save that R goes to the
 * approximation for any tie.
 */
double mann_whitney(const double *x, size_t n, const double *y, size_t m);

/* p of "the q quantiles are equal" over all ways to relabel the samples; exact */
double permutation_p(const struct sample_set *a, const struct sample_set *b,
		     double q);

/*
 * Percentile bootstrap interval of quantile(b) / quantile(a), or of quantile(a)
 * if @b is NULL. Runs are resampled first, then the samples in them, since the
 * samples of one boot resemble each other more than those of two.
 */
struct interval bootstrap(const struct sample_set *a,
			  const struct sample_set *b, double q, double level,
			  int rounds);

/*
 * The relative difference between halves of one side, where there is none by
 * construction: the larger one of two ways to halve it.
 */
double split_noise(const struct sample_set *s, double q);

/* The largest relative difference between any two runs of one side */
double pair_noise(const struct sample_set *s, double q);

#endif
