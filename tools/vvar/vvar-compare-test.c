// SPDX-License-Identifier: GPL-2.0
/*
 * The statistics of vvar-compare against published tables and against R 4.2.2
 * (with the packages exactRankTests 0.8-35 and coin 1.4-2). Above each group
 * stands the R code that gave the numbers; data sets are R's own.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "vvar-compare-stats.h"

#define LEN(a)	(sizeof(a) / sizeof(*(a)))

static int nr, failed;

static void result(bool ok, const char *what)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++nr, what);
	failed += !ok;
}

/* R's numbers below have nine digits or more */
static void equal(const char *what, double got, double want)
{
	bool ok = fabs(got - want) <= 0.00000001 * fabs(want);

	result(ok, what);
	if (!ok)
		printf("# got %.12g, want %.12g\n", got, want);
}

static void within(const char *what, double got, double lo, double hi)
{
	bool ok = got >= lo && got <= hi;

	result(ok, what);
	if (!ok)
		printf("# got %.12g, want %.12g .. %.12g\n", got, lo, hi);
}

/* x, y: the example of wilcox.test() in R (Hollander and Wolfe 1973, 69f) */
static const double x[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64,
			    0.73, 1.46 };
static const double y[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };

/* a, b: mtcars$mpg with mtcars$am == 0, and == 1 */
static const double a[] = { 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8,
			    16.4, 17.3, 15.2, 10.4, 10.4, 14.7, 21.5, 15.5,
			    15.2, 13.3, 19.2 };
static const double b[] = { 21.0, 21.0, 22.8, 32.4, 30.4, 33.9, 27.3, 26.0,
			    30.4, 15.8, 19.7, 15.0, 21.4 };

static const double f[] = { 74, 74, 75, 76, 76, 76 };
static const double g[] = { 74, 76, 77, 77, 78, 79, 79 };

/* iris$Sepal.Width * 10, by iris$Species */
static const double setosa[] = {
	35, 30, 32, 31, 36, 39, 34, 34, 29, 31, 37, 34, 30, 30, 40, 44, 39,
	35, 38, 38, 34, 37, 36, 33, 34, 30, 34, 35, 34, 32, 31, 34, 41, 42,
	31, 32, 35, 36, 30, 34, 35, 23, 32, 35, 38, 30, 38, 32, 37, 33
};

static const double versicolor[] = {
	32, 32, 31, 23, 28, 28, 33, 24, 29, 27, 20, 30, 22, 29, 29, 31, 30,
	27, 22, 25, 32, 28, 25, 28, 29, 30, 28, 30, 29, 26, 24, 24, 27, 27,
	30, 34, 31, 23, 30, 25, 26, 30, 26, 23, 27, 30, 29, 29, 25, 28
};

static const double virginica[] = {
	33, 27, 30, 29, 30, 30, 25, 29, 25, 36, 32, 27, 30, 25, 28, 32, 30,
	38, 26, 22, 32, 28, 28, 27, 33, 32, 28, 30, 28, 30, 28, 38, 28, 28,
	26, 30, 34, 31, 30, 31, 31, 31, 27, 32, 33, 30, 25, 30, 34, 30
};

/*
 * Mann and Whitney, "On a test of whether one of two random variables is
 * stochastically larger than the other", 1947, table I: P(U <= u), one-sided,
 * to three digits; here for n = m = 5 and u = 0 .. 11.
 */
static void test_published_table(void)
{
	static const double table[] = { 0.004, 0.008, 0.016, 0.028, 0.048,
					0.075, 0.111, 0.155, 0.210, 0.274,
					0.345, 0.421 };
	double p[5], q[5];
	size_t u, i;
	char what[64];

	for (i = 0; i < 5; i++)
		q[i] = 10 * (i + 1);
	for (u = 0; u < LEN(table); u++) {
		size_t left = u;

		/* Lift as many of the five above so many of the other five */
		for (i = 5; i-- > 0;) {
			size_t above = left > 5 ? 5 : left;

			p[i] = 10 * above + 1 + i;
			left -= above;
		}
		snprintf(what, sizeof(what), "Mann, Whitney 1947: U = %zu", u);
		within(what, mann_whitney(p, 5, q, 5) / 2, table[u] - 0.0005,
		       table[u] + 0.0005);
	}
}

/*
 * wilcox.test(x, y)$p.value
 * library(exactRankTests); wilcox.exact(a, b)$p.value; wilcox.exact(f, g)
 * library(coin); wilcox_test(v ~ s, data.frame(v = c(f, g),
 *	s = factor(rep(1:2, c(6, 7)))), distribution = "exact")
 * wilcox.test(setosa, versicolor)$p.value, and so on
 */
static void test_mann_whitney(void)
{
	double same[60];
	size_t i;

	equal("wilcox.test, no ties",
	      mann_whitney(x, LEN(x), y, LEN(y)), 0.254412254412);
	equal("wilcox.test, sides swapped",
	      mann_whitney(y, LEN(y), x, LEN(x)), 0.254412254412);
	equal("wilcox.exact, ties",
	      mann_whitney(a, LEN(a), b, LEN(b)), 0.00115929074633);
	equal("wilcox.exact and coin, many ties",
	      mann_whitney(f, LEN(f), g, LEN(g)), 0.034965034965);
	equal("wilcox.test, approximation, far apart",
	      mann_whitney(setosa, LEN(setosa), versicolor, LEN(versicolor)),
	      0.000000000000214337972808);
	equal("wilcox.test, approximation",
	      mann_whitney(versicolor, LEN(versicolor), virginica,
			   LEN(virginica)), 0.00457214220688);
	equal("wilcox.test, a sample against itself",
	      mann_whitney(setosa, LEN(setosa), setosa, LEN(setosa)), 1);
	for (i = 0; i < LEN(same); i++)
		same[i] = 74;
	equal("one value only, approximation",
	      mann_whitney(same, LEN(same), same, LEN(same)), 1);
	equal("one value only, exact", mann_whitney(same, 7, same, 9), 1);
}

static struct sample_set make(struct run *run, const double *v, size_t n)
{
	struct sample_set s = { .runs = run, .nr_runs = 1 };

	*run = (struct run){ .v = v, .n = n };
	sort_samples(&s);
	return s;
}

/*
 * The bootstrap distribution of a nearest-rank median is known: that the k-th
 * of n draws is at most the i-th value is P(Bin(n, i / n) >= k).
 *
 * pm <- function(x) { n <- length(x); k <- ceiling(n / 2)
 *	list(v = sort(x), p = diff(1 - pbinom(k - 1, n, (0:n) / n))) }
 * wq <- function(v, p, at) { o <- order(v); v <- v[o]; c <- cumsum(p[o])
 *	sapply(at, function(t) v[which(c >= t - 1e-12)[1]]) }
 * A <- pm(a); B <- pm(b); r <- outer(B$v, A$v, "/"); p <- outer(B$p, A$p)
 * wq(as.vector(r), as.vector(p), c(.0025, .005, .0075, .9925, .995, .9975))
 * wq(as.vector(r), as.vector(p), c(.02, .025, .03, .97, .975, .98))
 *
 * The drawn one must lie between the neighbours of each level.
 */
static void test_bootstrap(void)
{
	struct run r1, r2;
	struct sample_set s = make(&r1, a, LEN(a)), t = make(&r2, b, LEN(b));
	struct interval iv;

	iv = bootstrap(&s, &t, 0.5, 0.99, 20000);
	within("bootstrap, mtcars, 99 %, low", iv.lo, 1.02604166666,
	       1.09375000001);
	equal("bootstrap, mtcars, 99 %, high", iv.hi, 2);
	iv = bootstrap(&s, &t, 0.5, 0.95, 20000);
	within("bootstrap, mtcars, 95 %, low", iv.lo, 1.11458333333,
	       1.12299465242);
	equal("bootstrap, mtcars, 95 %, high", iv.hi, 1.85365853659);
	free(s.sorted);
	free(t.sorted);

	s = make(&r1, versicolor, LEN(versicolor));
	t = make(&r2, virginica, LEN(virginica));
	iv = bootstrap(&s, &t, 0.5, 0.99, 20000);
	equal("bootstrap, iris, low", iv.lo, 0.965517241379);
	within("bootstrap, iris, high", iv.hi, 1.1111111111, 1.153846153847);
	iv = bootstrap(&s, NULL, 0.5, 0.99, 20000);
	within("bootstrap of one side, low", iv.lo, 26, 27);
	within("bootstrap of one side, high", iv.hi, 29, 30);
	free(s.sorted);
	free(t.sorted);
}

/*
 * nr <- function(v) sort(v)[ceiling(q * length(v))]
 * o <- abs(nr(y) - nr(x)); z <- c(x, y)
 * mean(apply(combn(length(z), length(x)), 2,
 *	function(i) abs(nr(z[-i]) - nr(z[i])) >= o))
 */
static void test_permutation(void)
{
	static const struct {
		const char *what;
		const double *v, *w;
		size_t n, m;
		double q, p;
	} c[] = {
		{ "permutation, p90 of x and y", x, y, LEN(x), LEN(y), 0.9,
		  0.043956043956 },
		{ "permutation, median of f and g", f, g, LEN(f), LEN(g), 0.5,
		  0.149184149184 },
		{ "permutation, p90 of f and g", f, g, LEN(f), LEN(g), 0.9,
		  0.020979020979 },
	};
	size_t i;

	for (i = 0; i < LEN(c); i++) {
		struct run r1, r2;
		struct sample_set s = make(&r1, c[i].v, c[i].n);
		struct sample_set t = make(&r2, c[i].w, c[i].m);

		equal(c[i].what, permutation_p(&s, &t, c[i].q), c[i].p);
		free(s.sorted);
		free(t.sorted);
	}
}

/* Noise is no larger than what differs, and no smaller */
static void test_noise(void)
{
	static const double low[] = { 100, 100, 100 }, high[] = { 110, 110,
								  110 };
	static const double drift[] = { 100, 100, 100, 110, 110, 110 };
	struct run runs[] = { { .v = low, .n = 3 }, { .v = low, .n = 3 },
			      { .v = high, .n = 3 }, { .v = high, .n = 3 } };
	struct run alternating[] = { runs[0], runs[2], runs[1], runs[3] };
	struct sample_set s = { .runs = runs, .nr_runs = 4 };
	struct run one;

	sort_samples(&s);
	equal("noise: two boots, then two others", split_noise(&s, 0.5), 0.1);
	equal("noise: any two boots", pair_noise(&s, 0.5), 0.1);
	s.runs = alternating;
	sort_samples(&s);
	equal("noise: every other boot", split_noise(&s, 0.5), 0.1);
	free(s.sorted);
	s = make(&one, drift, LEN(drift));
	equal("noise: a drift in one boot", split_noise(&s, 0.5), 0.1);
	equal("noise: one boot has no pair", pair_noise(&s, 0.5), 0);
	free(s.sorted);
	s = make(&one, low, LEN(low));
	equal("noise: none", split_noise(&s, 0.5), 0);
	free(s.sorted);
}

static void test_quantiles(void)
{
	double v[100];
	size_t i;

	for (i = 0; i < LEN(v); i++)
		v[i] = i + 1;
	equal("p0 of 1 .. 100", quantile(v, 100, 0), 1);
	equal("p7 of 1 .. 100", quantile(v, 100, 0.07), 7);
	equal("p50 of 1 .. 100", quantile(v, 100, 0.5), 50);
	equal("p50 of 1 .. 99", quantile(v, 99, 0.5), 50);
	equal("p99 of 1 .. 100", quantile(v, 100, 0.99), 99);
	equal("p100 of 1 .. 100", quantile(v, 100, 1), 100);
	equal("p99 of one value", quantile(v, 1, 0.99), 1);
	equal("ratio of zeros", ratio(0, 0), 1);
	result(isinf(ratio(0, 1)), "ratio to zero");
}

int main(void)
{
	puts("TAP version 13");
	test_quantiles();
	test_published_table();
	test_mann_whitney();
	test_bootstrap();
	test_permutation();
	test_noise();
	printf("1..%d\n", nr);
	return failed ? 1 : 0;
}
