// SPDX-License-Identifier: GPL-2.0
/* What is a change, and whether to believe it: results/README.md has the rules. */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

size_t nr_tests;

static bool mostly_median(const struct sample_set *s)
{
	double median;
	size_t i, same = 0;

	if (!s->n)
		return false;
	median = quantile(s->sorted, s->n, 0.5);
	for (i = 0; i < s->n; i++)
		same += s->sorted[i] == median;
	return 2 * same >= s->n;
}

/*
 * Counting is exact, what is counted need not be: a fork does more or less
 * work from one boot of the same kernel to the next. Only where most samples
 * are one number is another number a change.
 */
bool is_steady(const struct metric *m)
{
	return m->exact && (mostly_median(&m->set[OLD]) ||
			    mostly_median(&m->set[NEW]));
}

bool has_tail(const struct metric *m)
{
	return !m->exact && strcmp(m->unit, "count") &&
		(!fnmatch("contend.*", m->name, 0) ||
		 !strcmp(m->name, "first.timestamp"));
}

/*
 * Of these no change matters (results/README.md): they say whether the
 * measurement was alike. Whoever asks for one by its name is told.
 */
bool is_judged(const struct metric *m)
{
	static const char * const shown_only[] = {
		"contend.*.rounds", "first.pressure.*", "first.second_call",
		"gettime.tsc.ordered", "overhead.*",
	};
	size_t i;

	for (i = 0; i < nr_wanted; i++)
		if (!strcmp(wanted[i], m->name))
			return true;
	for (i = 0; i < sizeof(shown_only) / sizeof(*shown_only); i++)
		if (!fnmatch(shown_only[i], m->name, 0))
			return false;
	return true;
}

/* --metric may leave a file without a word in the comparison */
static bool env_used(const struct env *env, int side)
{
	size_t i;

	for (i = 0; i < nr_metrics; i++)
		if (metrics[i].set[side].nr_runs &&
		    same_env(metrics[i].env, env))
			return true;
	return false;
}

static void name_difference(const struct file *f, const struct file *g)
{
	const struct env *a = &f->env, *b = &g->env;

	fprintf(stderr, "%s: not comparable: %s and %s:",
		program_invocation_short_name, f->name, g->name);
	if (strcmp(a->accel, b->accel))
		fprintf(stderr, " accelerator %s and %s;", a->accel, b->accel);
	if (a->cpus != b->cpus)
		fprintf(stderr, " %ld and %ld CPUs;", a->cpus, b->cpus);
	if (strcmp(a->clocksource, b->clocksource))
		fprintf(stderr, " clocksource %s and %s;", a->clocksource,
			b->clocksource);
	if (strcmp(a->cpu_model, b->cpu_model))
		fprintf(stderr, " CPU model '%s' and '%s';", a->cpu_model,
			b->cpu_model);
	fputs(" compare runs that agree in these\n", stderr);
}

static int env_distance(const struct env *a, const struct env *b)
{
	return !!strcmp(a->accel, b->accel) + (a->cpus != b->cpus) +
		!!strcmp(a->clocksource, b->clocksource) +
		!!strcmp(a->cpu_model, b->cpu_model);
}

/* Each environment of one side must be on the other one too */
bool comparable(void)
{
	bool ok = true;
	size_t i, j;

	for (i = 0; i < nr_files; i++) {
		const struct file *f = &files[i], *near = NULL;
		int other = f->side == OLD ? NEW : OLD;

		if (!env_used(&f->env, f->side) || env_used(&f->env, other))
			continue;
		for (j = 0; j < nr_files; j++)
			if (files[j].side == other &&
			    (!near || env_distance(&f->env, &files[j].env) <
				      env_distance(&f->env, &near->env)))
				near = &files[j];
		name_difference(f, near);
		ok = false;
	}
	return ok;
}

/* So many runs a side that p can be small enough: 2 / (2n over n) at its least */
static size_t least_runs(void)
{
	double p = 2;
	size_t n;

	for (n = 0; p * nr_tests >= alpha; n++)
		p *= (n + 1.0) / (2 * (2 * n + 1.0));
	return n;
}

static double *run_quantiles(const struct sample_set *s, double q)
{
	double *v = xcalloc(s->nr_runs, sizeof(*v));
	size_t i;

	for (i = 0; i < s->nr_runs; i++) {
		struct sample_set one = { .runs = &s->runs[i], .nr_runs = 1 };

		sort_samples(&one);
		v[i] = quantile(one.sorted, one.n, q);
		free(one.sorted);
	}
	return v;
}

static bool enough_runs(const struct metric *m)
{
	return m->set[OLD].nr_runs >= CLUSTERS &&
		m->set[NEW].nr_runs >= CLUSTERS;
}

static double samples_p(const struct metric *m, double q)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];

	return q == 0.5 ? mann_whitney(a->sorted, a->n, b->sorted, b->n) :
			  permutation_p(a, b, q);
}

/*
 * Samples of one boot are no independent witnesses; with enough boots, each
 * has one vote.
 */
static double runs_p(const struct metric *m, double q)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];
	double *x = run_quantiles(a, q), *y = run_quantiles(b, q);
	double p = mann_whitney(x, a->nr_runs, y, b->nr_runs);

	free(x);
	free(y);
	return p;
}

enum verdict direction(const struct metric *m, double by)
{
	return (by > 0) == m->higher ? BETTER : WORSE;
}

static double noise_of(const struct metric *m, double q)
{
	double noise = fmax(split_noise(&m->set[OLD], q),
			    split_noise(&m->set[NEW], q));

	return m->set[AA].n ? fmax(noise, pair_noise(&m->set[AA], q)) : noise;
}

/* What boots may differ by, if nothing says how much they do */
static double boot_noise(const struct metric *m)
{
	if (m->set[AA].n)
		return 0;
	/* The host's load doesn't get into a count */
	return m->exact ? COUNTED_NOISE : BOOT_NOISE;
}

/* Half and double are changes of one size */
double size(const struct change *c)
{
	return c->old > c->new ? ratio(c->new, c->old) - 1 :
				 ratio(c->old, c->new) - 1;
}

/* The smallest change, by the same measure, that the interval leaves open */
static double sure_size(const struct change *c)
{
	if (c->iv.lo > 0)
		return c->iv.lo;
	return c->iv.hi < 0 ? ratio(1 + c->iv.hi, 1) - 1 : 0;
}

static bool is_change(const struct change *c, double by)
{
	return c->p * nr_tests < alpha && by > c->noise &&
		(c->iv.lo > threshold || c->iv.hi < -threshold);
}

/*
 * What is believed of a few boots is so of many: a change of more than boots
 * differ by. A smaller one takes many boots, of which each has one vote.
 */
static bool find_change(const struct metric *m, double q, struct change *c)
{
	double noise = noise_of(m, q);

	c->p = samples_p(m, q);
	c->noise = fmax(noise, boot_noise(m));
	if (is_change(c, sure_size(c)))
		return true;
	if (!enough_runs(m))
		return false;
	c->p = runs_p(m, q);
	c->noise = noise;
	return is_change(c, size(c));
}

/* How many more runs a side until the interval is as narrow as it must be */
static double runs_needed(const struct change *c, size_t runs)
{
	double half = (c->iv.hi - c->iv.lo) / 2;
	double room = fmax(fabs(threshold - fabs(c->by)), threshold / 10);
	double factor = half / room;

	/* Large enough, but not above the noise */
	if (fabs(c->by) > threshold && runs >= CLUSTERS)
		factor = fmax(factor, c->noise / size(c));
	if (!isfinite(factor))
		return MAX_MORE;
	return fmin(fmax(ceil(runs * (factor * factor - 1)), 1), MAX_MORE);
}

struct change statistical(const struct metric *m, double q)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];
	size_t least = a->n < b->n ? a->n : b->n;
	size_t runs = a->nr_runs < b->nr_runs ? a->nr_runs : b->nr_runs;
	struct change c = {
		.old = quantile(a->sorted, a->n, q),
		.new = quantile(b->sorted, b->n, q),
	};
	bool change;

	c.by = ratio(c.old, c.new) - 1;
	c.iv = bootstrap(a, b, q, 1 - alpha, ROUNDS);
	c.iv.lo -= 1;
	c.iv.hi -= 1;
	change = find_change(m, q, &c);

	if (q > 0.9 && least < TAIL_SAMPLES) {
		c.verdict = NOISY;
		c.more = ceil(runs * ((double)TAIL_SAMPLES / least - 1));
	} else if (change) {
		c.verdict = direction(m, c.by);
	} else if (c.iv.lo >= -threshold && c.iv.hi <= threshold) {
		c.verdict = NO_CHANGE;
	} else {
		c.verdict = NOISY;
		c.more = runs_needed(&c, runs);
		if (!m->exact)
			c.more = fmax(c.more, (enough_runs(m) ?
				(double)least_runs() : CLUSTERS) - runs);
	}
	return c;
}

struct change exact(const struct metric *m, double q)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];
	struct change c = {
		.old = quantile(a->sorted, a->n, q),
		.new = quantile(b->sorted, b->n, q),
		.exact = true,
	};

	c.by = ratio(c.old, c.new) - 1;
	if (fabs(c.new - c.old) <= fmax(tolerance, tolerance_share * c.old))
		c.verdict = NO_CHANGE;
	else
		c.verdict = direction(m, c.new - c.old);
	return c;
}
