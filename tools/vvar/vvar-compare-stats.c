// SPDX-License-Identifier: GPL-2.0
/* The statistics behind vvar-compare. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare-stats.h"

#define EXACT_BELOW	50
#define ROUNDING	0.000000001
#define NEGLIGIBLE	-60	/* as a logarithm */

/* A verdict must not depend on the moment: every run draws the same numbers */
static unsigned short seed[3];

static void reset_random(void)
{
	seed[0] = 0x330e;
	seed[1] = 0xabcd;
	seed[2] = 0x1234;
}

static size_t random_below(size_t n)
{
	return erand48(seed) * n;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p) {
		fputs("vvar-compare: out of memory\n", stderr);
		exit(2);
	}
	return p;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void sort_samples(struct sample_set *s)
{
	size_t i;

	for (i = 0, s->n = 0; i < s->nr_runs; i++)
		s->n += s->runs[i].n;
	free(s->sorted);
	s->sorted = xcalloc(s->n, sizeof(*s->sorted));
	for (i = 0, s->n = 0; i < s->nr_runs; i++) {
		memcpy(s->sorted + s->n, s->runs[i].v,
		       s->runs[i].n * sizeof(*s->sorted));
		s->n += s->runs[i].n;
	}
	qsort(s->sorted, s->n, sizeof(*s->sorted), by_value);
}

/* The index of the q quantile of n sorted values */
static size_t quantile_rank(size_t n, double q)
{
	/* 0.07 * 100 is a little above 7 in binary, and must not become 8 */
	double rank = ceil(q * n - ROUNDING);

	return rank < 1 ? 0 : (size_t)rank - 1;
}

double quantile(const double *sorted, size_t n, double q)
{
	return sorted[quantile_rank(n, q)];
}

double set_mean(const struct sample_set *s)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		sum += s->sorted[i];
	return sum / s->n;
}

double ratio(double a, double b)
{
	return a == b ? 1 : b / a;
}

struct ranked {
	double v;
	int from_x;
	long rank2;		/* twice the rank: ties share a mean */
};

static int by_ranked_value(const void *a, const void *b)
{
	return by_value(&((const struct ranked *)a)->v,
			&((const struct ranked *)b)->v);
}

/*
 * Of all ways to choose which k of the n ranks are x's, the share whose sum is
 * as far from the expected one as what was observed. ways[j][s] counts the
 * choices of j ranks with the sum s, one rank after the other.
 */
static double exact_p(const struct ranked *r, size_t n, size_t k, long observed)
{
	double **ways = xcalloc(k + 1, sizeof(*ways));
	long s, max = 0, expected = k * (n + 1);
	double all = 0, far = 0;
	size_t i, j;

	for (i = n - k; i < n; i++)
		max += r[i].rank2;
	for (j = 0; j <= k; j++)
		ways[j] = xcalloc(max + 1, sizeof(**ways));
	ways[0][0] = 1;
	for (i = 0; i < n; i++)
		for (j = i < k ? i + 1 : k; j > 0; j--)
			for (s = r[i].rank2; s <= max; s++)
				ways[j][s] += ways[j - 1][s - r[i].rank2];
	for (s = 0; s <= max; s++) {
		all += ways[k][s];
		if (labs(s - expected) >= labs(observed - expected))
			far += ways[k][s];
	}
	for (j = 0; j <= k; j++)
		free(ways[j]);
	free(ways);
	return far / all;
}

double mann_whitney(const double *x, size_t n, const double *y, size_t m)
{
	size_t all = n + m, i, j;
	struct ranked *r = xcalloc(all, sizeof(*r));
	double ties = 0, u, var, p;
	long sum2 = 0;

	for (i = 0; i < n; i++)
		r[i] = (struct ranked){ .v = x[i], .from_x = 1 };
	for (i = 0; i < m; i++)
		r[n + i] = (struct ranked){ .v = y[i] };
	qsort(r, all, sizeof(*r), by_ranked_value);
	for (i = 0; i < all; i = j) {
		double t;

		for (j = i; j < all && r[j].v == r[i].v; j++)
			;
		t = j - i;
		ties += t * t * t - t;
		for (size_t l = i; l < j; l++) {
			r[l].rank2 = i + 1 + j;
			if (r[l].from_x)
				sum2 += r[l].rank2;
		}
	}
	if (n < EXACT_BELOW && m < EXACT_BELOW) {
		p = exact_p(r, all, n, sum2);
		free(r);
		return p;
	}
	free(r);
	u = sum2 / 2.0 - n * (n + 1) / 2.0 - n * m / 2.0;
	var = n * m / 12.0 * (all + 1 - ties / (all * (all - 1.0)));
	if (u == 0 || var <= 0)
		return 1;
	return fmin(1, erfc((fabs(u) - 0.5) / sqrt(2 * var)));
}

/* log(n!) for n up to @n */
static double *log_factorials(size_t n)
{
	double *f = xcalloc(n + 1, sizeof(*f));
	size_t i;

	for (i = 2; i <= n; i++)
		f[i] = f[i - 1] + log(i);
	return f;
}

static double log_choose(const double *f, size_t n, size_t k)
{
	return f[n] - f[k] - f[n - k];
}

/*
 * Of all ways to choose which n of the sorted values v are x's, the rest being
 * y's, the share where the value number kx of the x's is above the value number
 * ky of the y's by @observed or more. If they are at i and j, j < i, then below
 * j are ky y's, below i are kx x's, and so j <= kx + ky < i.
 */
static double share_above(const double *v, const double *f, size_t all,
			  size_t n, size_t kx, size_t ky, double observed)
{
	size_t middle = kx + ky, i, j;
	double share = 0;

	for (i = middle + 1; i < all + kx + 1 - n; i++) {
		double rest = log_choose(f, all - 1 - i, n - 1 - kx) -
			log_choose(f, all, n);
		double add, last = -INFINITY;

		for (j = middle + 1; j-- > ky;) {
			if (v[i] - v[j] < observed)
				continue;
			add = rest + log_choose(f, j, ky) +
				log_choose(f, i - j - 1, middle - j);
			share += exp(add);
			/* Past their peak they only get smaller */
			if (add < NEGLIGIBLE && add < last)
				break;
			last = add;
		}
	}
	return share;
}

double permutation_p(const struct sample_set *a, const struct sample_set *b,
		     double q)
{
	size_t all = a->n + b->n;
	size_t ka = quantile_rank(a->n, q), kb = quantile_rank(b->n, q);
	double observed = fabs(b->sorted[kb] - a->sorted[ka]), p;
	double *v, *f;

	if (!observed)
		return 1;
	v = xcalloc(all, sizeof(*v));
	f = log_factorials(all);
	memcpy(v, a->sorted, a->n * sizeof(*v));
	memcpy(v + a->n, b->sorted, b->n * sizeof(*v));
	qsort(v, all, sizeof(*v), by_value);
	p = share_above(v, f, all, a->n, ka, kb, observed) +
		share_above(v, f, all, b->n, kb, ka, observed);
	free(f);
	free(v);
	return fmin(1, p);
}

/* For each sample of each run, its place among the sorted samples of all */
static size_t **places(const struct sample_set *s)
{
	size_t **at = xcalloc(s->nr_runs, sizeof(*at));
	size_t i, j;

	for (i = 0; i < s->nr_runs; i++) {
		at[i] = xcalloc(s->runs[i].n, sizeof(**at));
		for (j = 0; j < s->runs[i].n; j++) {
			const double *p = bsearch(&s->runs[i].v[j], s->sorted,
						  s->n, sizeof(*p), by_value);

			at[i][j] = p - s->sorted;
		}
	}
	return at;
}

static void free_places(size_t **at, size_t nr_runs)
{
	while (nr_runs)
		free(at[--nr_runs]);
	free(at);
}

/* One bootstrap replicate of the q quantile. @count is of n zeros. */
static double resample(const struct sample_set *s, size_t **at, size_t *count,
		       double q)
{
	size_t drawn = 0, i, j, below = 0, rank;

	for (i = 0; i < s->nr_runs; i++) {
		size_t run = random_below(s->nr_runs), n = s->runs[run].n;

		for (j = 0; j < n; j++)
			count[at[run][random_below(n)]]++;
		drawn += n;
	}
	rank = quantile_rank(drawn, q);
	for (i = 0; below + count[i] <= rank; i++)
		below += count[i];
	memset(count, 0, s->n * sizeof(*count));
	return s->sorted[i];
}

struct interval bootstrap(const struct sample_set *a,
			  const struct sample_set *b, double q, double level,
			  int rounds)
{
	size_t **at_a = places(a), **at_b = b ? places(b) : NULL;
	size_t n = b && b->n > a->n ? b->n : a->n;
	size_t *count = xcalloc(n, sizeof(*count));
	double *got = xcalloc(rounds, sizeof(*got));
	struct interval iv;
	int i;

	reset_random();
	for (i = 0; i < rounds; i++) {
		got[i] = resample(a, at_a, count, q);
		if (b)
			got[i] = ratio(got[i], resample(b, at_b, count, q));
	}
	qsort(got, rounds, sizeof(*got), by_value);
	iv.lo = quantile(got, rounds, (1 - level) / 2);
	iv.hi = quantile(got, rounds, (1 + level) / 2);
	free(got);
	free(count);
	free_places(at_a, a->nr_runs);
	if (b)
		free_places(at_b, b->nr_runs);
	return iv;
}

static double difference(double a, double b)
{
	return fabs(a > b ? ratio(b, a) - 1 : ratio(a, b) - 1);
}

static double runs_quantile(struct run *runs, size_t n, double q)
{
	struct sample_set s = { .runs = runs, .nr_runs = n };
	double v;

	sort_samples(&s);
	v = quantile(s.sorted, s.n, q);
	free(s.sorted);
	return v;
}

double split_noise(const struct sample_set *s, double q)
{
	struct run *order, halves[2];
	size_t n = s->nr_runs, half = n / 2, i;
	double noise;

	if (s->n < 2)
		return 0;
	if (n == 1) {
		half = s->n / 2;
		halves[0] = (struct run){ .v = s->runs->v, .n = half };
		halves[1] = (struct run){ .v = s->runs->v + half,
					  .n = s->n - half };
		return difference(runs_quantile(&halves[0], 1, q),
				  runs_quantile(&halves[1], 1, q));
	}
	noise = difference(runs_quantile(s->runs, half, q),
			   runs_quantile(s->runs + half, n - half, q));
	/* Then the even ones against the odd ones */
	order = xcalloc(n, sizeof(*order));
	for (i = 0; i < n; i++)
		order[i % 2 ? i / 2 : n - 1 - i / 2] = s->runs[i];
	noise = fmax(noise, difference(runs_quantile(order, half, q),
				       runs_quantile(order + half,
						     n - half, q)));
	free(order);
	return noise;
}

double pair_noise(const struct sample_set *s, double q)
{
	double lo = INFINITY, hi = 0;
	size_t i;

	for (i = 0; i < s->nr_runs; i++) {
		double v = runs_quantile(&s->runs[i], 1, q);

		lo = fmin(lo, v);
		hi = fmax(hi, v);
	}
	return s->nr_runs < 2 ? 0 : difference(lo, hi);
}
