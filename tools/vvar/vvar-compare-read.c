// SPDX-License-Identifier: GPL-2.0
/* Reading what perf bench vdso-clock wrote, and refusing what it cannot have written. */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

struct file *files;
size_t nr_files;
struct metric *metrics;
size_t nr_metrics;

static const char *get_string(const struct file *f, const json_t *obj,
			      const char *where, const char *key,
			      const char *missing)
{
	const json_t *v = json_object_get(obj, key);

	if (!v && missing)
		return missing;
	if (!v)
		die("%s: %s.%s is missing", f->name, where, key);
	if (!json_is_string(v))
		die("%s: %s.%s is not a string", f->name, where, key);
	if (!*json_string_value(v) && !missing)
		die("%s: %s.%s is empty", f->name, where, key);
	return json_string_value(v);
}

static double get_number(const struct file *f, const json_t *v,
			 const char *where)
{
	if (!v)
		die("%s: %s is missing", f->name, where);
	if (!json_is_number(v))
		die("%s: %s is not a number", f->name, where);
	if (json_number_value(v) < 0)
		die("%s: %s is %g, below zero", f->name, where,
		    json_number_value(v));
	return json_number_value(v);
}

static void read_env(struct file *f)
{
	const json_t *e = json_object_get(f->root, "environment");
	const char *w = "environment";
	double cpus;

	if (!json_is_object(e))
		die("%s: environment is %s", f->name,
		    e ? "not an object" : "missing");
	f->env.kernel = get_string(f, e, w, "kernel", NULL);
	f->env.accel = get_string(f, e, w, "accelerator", NULL);
	f->env.clocksource = get_string(f, e, w, "clocksource", NULL);
	f->env.cpu_model = get_string(f, e, w, "cpu_model", "unknown");
	f->env.commit = get_string(f, e, w, "commit", "unknown");
	f->env.config = get_string(f, e, w, "config_sha256", "unknown");
	f->env.compiler = get_string(f, e, w, "compiler", "unknown");
	f->env.command = get_string(f, e, w, "command", "unknown");
	cpus = get_number(f, json_object_get(e, "cpus"), "environment.cpus");
	if (cpus < 1 || cpus > MAX_CPUS || cpus != rint(cpus))
		die("%s: environment.cpus is %g, not a whole number from 1 to %d",
		    f->name, cpus, MAX_CPUS);
	f->env.cpus = cpus;
}

/* Numbers under another of these four are other numbers */
bool same_env(const struct env *a, const struct env *b)
{
	return !strcmp(a->accel, b->accel) && a->cpus == b->cpus &&
		!strcmp(a->clocksource, b->clocksource) &&
		!strcmp(a->cpu_model, b->cpu_model);
}

struct metric *find_metric(const char *name, const struct env *env)
{
	size_t i;

	for (i = 0; i < nr_metrics; i++)
		if (!strcmp(metrics[i].name, name) &&
		    same_env(metrics[i].env, env))
			return &metrics[i];
	return NULL;
}

bool is_wanted(const char *name)
{
	size_t i;

	for (i = 0; i < nr_wanted; i++)
		if (!fnmatch(wanted[i], name, 0))
			return true;
	return !nr_wanted;
}

static struct metric *add_metric(const struct file *f, const struct metric *m)
{
	struct metric *known = find_metric(m->name, m->env);

	if (!known) {
		metrics = reallocarray(metrics, nr_metrics + 1,
				       sizeof(*metrics));
		if (!metrics)
			die("out of memory");
		known = &metrics[nr_metrics++];
		*known = *m;
		return known;
	}
	if (strcmp(known->unit, m->unit))
		die("%s: %s has unit '%s', but '%s' in %s: mixed units",
		    f->name, m->name, m->unit, known->unit, known->file);
	if (known->exact != m->exact)
		die("%s: %s is %s, but not in %s", f->name, m->name,
		    m->exact ? "exact" : "statistical", known->file);
	if (known->higher != m->higher)
		die("%s: %s is better when %s, but not in %s", f->name,
		    m->name, m->higher ? "higher" : "lower", known->file);
	return known;
}

static bool get_bool(const struct file *f, const json_t *obj,
		     const char *where, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	if (!json_is_boolean(v))
		die("%s: %s.%s is %s", f->name, where, key,
		    v ? "neither true nor false" : "missing");
	return json_is_true(v);
}

static void check_within(const struct file *f, const json_t *obj,
			 const char *where, const char *key, double lo,
			 double hi, double right)
{
	char *at = format("%s.%s", where, key);
	double said = get_number(f, json_object_get(obj, key), at);

	if (said < lo * (1 - ROUNDING) || said > hi * (1 + ROUNDING))
		die("%s: %s is %.10g, its samples say %.10g", f->name, at,
		    said, right);
	free(at);
}

/* A summary that its own samples contradict comes from a broken writer */
static void check_summary(const struct file *f, const json_t *obj,
			  const char *where, const struct run *run)
{
	struct sample_set s = { .runs = (struct run *)run, .nr_runs = 1 };
	static const char * const key[] = { "min", "p50", "p90", "p99", "max" };
	static const double q[] = { 0, 0.5, 0.9, 0.99, 1 };
	double mean;
	size_t i;

	sort_samples(&s);
	for (i = 0; i < sizeof(q) / sizeof(*q); i++) {
		/* Writers that interpolate end up between two samples */
		size_t rank = q[i] * (s.n - 1);
		double lo = s.sorted[rank];
		double hi = s.sorted[rank + 1 < s.n && q[i] ? rank + 1 : rank];

		lo = fmin(lo, quantile(s.sorted, s.n, q[i]));
		check_within(f, obj, where, key[i], lo, hi,
			     quantile(s.sorted, s.n, q[i]));
	}
	mean = set_mean(&s);
	check_within(f, obj, where, "mean", mean, mean, mean);
	free(s.sorted);
}

static void read_metric(struct file *f, const json_t *obj, size_t index)
{
	char *where = format("metrics[%zu]", index);
	struct metric m = { .env = &f->env, .file = f->name };
	const char *better;
	const json_t *list, *v;
	struct sample_set *set;
	struct run run = { .file = f->name };
	struct metric *known;
	double *values, n;
	size_t i;

	if (!json_is_object(obj))
		die("%s: %s is not an object", f->name, where);
	m.name = get_string(f, obj, where, "name", NULL);
	free(where);
	where = format("metrics[%zu] (%s)", index, m.name);
	m.unit = get_string(f, obj, where, "unit", NULL);
	m.exact = get_bool(f, obj, where, "exact");
	better = get_string(f, obj, where, "better", NULL);
	m.higher = !strcmp(better, "higher");
	if (!m.higher && strcmp(better, "lower"))
		die("%s: %s.better is '%s', not 'lower' or 'higher'", f->name,
		    where, better);

	list = json_object_get(obj, "samples");
	if (!json_is_array(list))
		die("%s: %s.samples is %s", f->name, where,
		    list ? "not an array" : "missing");
	run.n = json_array_size(list);
	if (!run.n)
		die("%s: %s.samples is empty: nothing was measured", f->name,
		    where);
	values = xcalloc(run.n, sizeof(*values));
	json_array_foreach(list, i, v) {
		char *at = format("%s.samples[%zu]", where, i);

		values[i] = get_number(f, v, at);
		free(at);
	}
	run.v = values;

	free(where);
	where = format("metrics[%zu] (%s).n", index, m.name);
	n = get_number(f, json_object_get(obj, "n"), where);
	if (n != run.n)
		die("%s: %s is %g, but there are %zu samples", f->name, where,
		    n, run.n);
	free(where);
	where = format("metrics[%zu] (%s)", index, m.name);
	check_summary(f, obj, where, &run);
	free(where);

	if (!is_wanted(m.name)) {
		free(values);
		return;
	}
	known = add_metric(f, &m);
	set = &known->set[f->side];
	for (i = 0; i < set->nr_runs; i++)
		if (set->runs[i].file == f->name)
			die("%s: metric %s is there twice", f->name, m.name);
	set->runs = reallocarray(set->runs, set->nr_runs + 1,
				 sizeof(*set->runs));
	if (!set->runs)
		die("out of memory");
	set->runs[set->nr_runs++] = run;
}

static void read_file(struct file *f)
{
	json_error_t err;
	const json_t *list, *v;
	const char *schema;
	size_t i;

	f->root = json_load_file(f->name, JSON_REJECT_DUPLICATES, &err);
	if (!f->root && err.line < 0)
		die("%s", err.text);
	if (!f->root)
		die("%s:%d:%d: not JSON: %s", f->name, err.line, err.column,
		    err.text);
	if (!json_is_object(f->root))
		die("%s: not a JSON object", f->name);
	schema = json_string_value(json_object_get(f->root, "schema"));
	if (!schema)
		die("%s: schema is missing: not a result file", f->name);
	if (strcmp(schema, SCHEMA))
		die("%s: schema is '%s', this program reads '" SCHEMA "'",
		    f->name, schema);
	read_env(f);
	list = json_object_get(f->root, "metrics");
	if (!json_is_array(list))
		die("%s: metrics is %s", f->name,
		    list ? "not an array" : "missing");
	if (!json_array_size(list))
		die("%s: metrics is empty", f->name);
	json_array_foreach(list, i, v)
		read_metric(f, v, i);
}

void add_file(const char *name, int side)
{
	size_t i;

	for (i = 0; i < nr_files; i++)
		if (files[i].side == side && !strcmp(files[i].name, name))
			die("%s: given twice; its samples would count twice",
			    name);
	files[nr_files++] = (struct file){ .name = name, .side = side };
}

size_t side_files(int side)
{
	size_t i, n = 0;

	for (i = 0; i < nr_files; i++)
		n += files[i].side == side;
	return n;
}

void read_files(void)
{
	size_t i, j;

	for (i = 0; i < nr_files; i++)
		read_file(&files[i]);
	if (!nr_metrics)
		die("no metric matches --metric %s", wanted[0]);
	for (i = 0; i < nr_metrics; i++)
		for (j = 0; j < SIDES; j++)
			sort_samples(&metrics[i].set[j]);
}
