// SPDX-License-Identifier: GPL-2.0
/*
 * Read what perf bench vdso-clock wrote (schema vdso-clock/1), and say what
 * changed between two kernels, and whether to believe it.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare-stats.h"

#define __printf(a, b)	__attribute__((format(printf, a, b)))

#define die(...)	errx(BAD_INPUT, __VA_ARGS__)

#define SCHEMA		"vdso-clock/1"
#define ROUNDS		2000	/* of bootstrap */
#define CLUSTERS	5	/* with so many runs, runs are the unit */
/*
 * Boots of one kernel differ: by a fifth at times, and calls of 2 ns by twice
 * that and more. A few boots don't show how much, so only a factor of two is
 * believed of them.
 */
#define BOOT_NOISE	1.0
/*
 * What is counted, and no two alike, differs too: fork and exec by up to 1 %
 * between boots of one kernel image (results/README.md).
 */
#define COUNTED_NOISE	0.01
#define TAIL_SAMPLES	300	/* three beyond p99 */
#define MAX_MORE	999
#define MAX_CPUS	65536
#define ROUNDING	0.000001	/* of a writer that prints 6 digits */

enum { OLD, NEW, AA, SIDES };

enum status { SAME = 0, REGRESSION = 1, BAD_INPUT = 2, NOT_COMPARABLE = 3,
	      UNDECIDED = 4 };

/* What a file says of where it was taken */
struct env {
	const char *kernel, *commit, *config, *compiler, *command;
	const char *accel, *clocksource, *cpu_model;
	long cpus;
};

struct file {
	const char *name;
	int side;
	json_t *root;
	struct env env;
};

/* One metric under one environment, from all files */
struct metric {
	const char *name, *unit;
	bool exact, higher;
	const struct env *env;
	const char *file;	/* the first to name it */
	struct sample_set set[SIDES];
};

static struct file *files;
static size_t nr_files;
static struct metric *metrics;
static size_t nr_metrics;

static const char **wanted;
static size_t nr_wanted;
static double tolerance, tolerance_share, threshold = 0.03, alpha = 0.01;
static const char *side_name[SIDES] = { "old", "new", "A/A" };

static char *__printf(1, 2) format(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	return s;
}

/* --- reading ----------------------------------------------------------- */

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
static bool same_env(const struct env *a, const struct env *b)
{
	return !strcmp(a->accel, b->accel) && a->cpus == b->cpus &&
		!strcmp(a->clocksource, b->clocksource) &&
		!strcmp(a->cpu_model, b->cpu_model);
}

static struct metric *find_metric(const char *name, const struct env *env)
{
	size_t i;

	for (i = 0; i < nr_metrics; i++)
		if (!strcmp(metrics[i].name, name) &&
		    same_env(metrics[i].env, env))
			return &metrics[i];
	return NULL;
}

static bool is_wanted(const char *name)
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

static void add_file(const char *name, int side)
{
	size_t i;

	for (i = 0; i < nr_files; i++)
		if (files[i].side == side && !strcmp(files[i].name, name))
			die("%s: given twice; its samples would count twice",
			    name);
	files[nr_files++] = (struct file){ .name = name, .side = side };
}

static size_t side_files(int side)
{
	size_t i, n = 0;

	for (i = 0; i < nr_files; i++)
		n += files[i].side == side;
	return n;
}

static void read_files(void)
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

/* --- printing ---------------------------------------------------------- */

#define MAX_COLUMNS	9

struct table {
	char *(*cell)[MAX_COLUMNS];
	size_t rows, columns;
};

/* Takes over the cells, which are malloc()ed; a row without any is a gap */
static void add_row(struct table *t, ...)
{
	va_list ap;
	size_t i;

	t->cell = reallocarray(t->cell, t->rows + 1, sizeof(*t->cell));
	if (!t->cell)
		die("out of memory");
	va_start(ap, t);
	for (i = 0; i < t->columns; i++)
		t->cell[t->rows][i] = va_arg(ap, char *);
	va_end(ap);
	t->rows++;
}

/* Bytes are not columns in UTF-8 */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void print_table(struct table *t, const char *align)
{
	size_t i, j;

	for (i = 0; i < t->rows; i++) {
		for (j = 0; j < t->columns; j++) {
			const char *s = t->cell[i][j];
			int pad = 0;
			size_t k;

			for (k = 0; k < t->rows; k++)
				if (width(t->cell[k][j]) > pad)
					pad = width(t->cell[k][j]);
			pad -= width(s);
			if (align[j] == 'r')
				printf("%*s%s", pad, "", s);
			else if (j + 1 < t->columns)
				printf("%s%*s", s, pad, "");
			else
				printf("%s", s);
			printf(j + 1 < t->columns ? "  " : "\n");
		}
	}
	for (i = 0; i < t->rows; i++)
		for (j = 0; j < t->columns; j++)
			free(t->cell[i][j]);
	free(t->cell);
	*t = (struct table){ .columns = t->columns };
}

static char *number(double v)
{
	if (v == rint(v) && fabs(v) < 1e15)
		return format("%.0f", v);
	if (fabs(v) >= 100)
		return format("%.1f", v);
	return format("%.3g", v);
}

static char *percent(double v)
{
	if (!isfinite(v))
		return format("from 0");
	return format("%+.1f%%", v * 100);
}

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
static bool is_steady(const struct metric *m)
{
	return m->exact && (mostly_median(&m->set[OLD]) ||
			    mostly_median(&m->set[NEW]));
}

/* How far a figure can be trusted */
static char *mark(const struct metric *m)
{
	if (m->exact)
		return format("%s, %s", m->unit,
			      is_steady(m) ? "exact" : "counted, varies");
	return format("%s, %s wall", m->unit, m->env->accel);
}

static bool has_tail(const struct metric *m)
{
	return !m->exact && strcmp(m->unit, "count") &&
		(!fnmatch("contend.*", m->name, 0) ||
		 !strcmp(m->name, "first.timestamp"));
}

/*
 * Of these no change matters (results/README.md): they say whether the
 * measurement was alike. Whoever asks for one by its name is told.
 */
static bool is_judged(const struct metric *m)
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

/* The distinct values of a field over the files of one side */
static char *over_files(int side, char *(*get)(const struct file *))
{
	char *all = NULL;
	size_t i, j;

	for (i = 0; i < nr_files; i++) {
		char *v, *old = all;
		bool known = false;

		if (files[i].side != side)
			continue;
		v = get(&files[i]);
		for (j = 0; j < i && !known; j++) {
			char *w;

			if (files[j].side != side)
				continue;
			w = get(&files[j]);
			known = !strcmp(v, w);
			free(w);
		}
		if (!known) {
			all = old ? format("%s; %s", old, v) : strdup(v);
			free(old);
		}
		free(v);
	}
	return all ? all : strdup("-");
}

static char *get_kernel(const struct file *f)
{
	return strdup(f->env.kernel);
}

static char *get_commit(const struct file *f)
{
	return strdup(f->env.commit);
}

static char *get_where(const struct file *f)
{
	return format("%s, %ld CPU%s, clocksource %s", f->env.accel,
		      f->env.cpus, f->env.cpus == 1 ? "" : "s",
		      f->env.clocksource);
}

static char *get_cpu(const struct file *f)
{
	return strdup(f->env.cpu_model);
}

static char *get_config(const struct file *f)
{
	return format("%.12s", f->env.config);
}

static char *get_compiler(const struct file *f)
{
	return strdup(f->env.compiler);
}

static void print_header(void)
{
	static const struct {
		const char *name;
		char *(*get)(const struct file *f);
	} field[] = {
		{ "kernel", get_kernel }, { "commit", get_commit },
		{ "config", get_config }, { "compiler", get_compiler },
		{ "taken on", get_where }, { "CPU", get_cpu },
	};
	size_t i;

	for (i = 0; i < sizeof(field) / sizeof(*field); i++) {
		char *a = over_files(OLD, field[i].get);
		char *b = over_files(NEW, field[i].get);

		if (!strcmp(a, b)) {
			printf("%-8s  %s\n", field[i].name, a);
		} else {
			printf("%-8s  %s: %s\n", field[i].name, side_name[OLD],
			       a);
			printf("%-8s  %s: %s\n", "", side_name[NEW], b);
		}
		free(a);
		free(b);
	}
	putchar('\n');
}

static char *quantile_cell(const struct sample_set *s, double q)
{
	return s->n ? number(quantile(s->sorted, s->n, q)) : strdup("-");
}

static char *share(double a, double b)
{
	if (!a)
		return strdup(b ? "from 0" : "1.00");
	return format(b / a < 0.1 ? "%.3f" : "%.2f", b / a);
}

static char *ratio_cell(const struct sample_set *a, const struct sample_set *b,
			double q)
{
	if (!a->n || !b->n)
		return strdup("-");
	return share(quantile(a->sorted, a->n, q), quantile(b->sorted, b->n, q));
}

static void table_row(struct table *t, const struct metric *m, double q,
		      const char *suffix)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];

	add_row(t, format("%s%s", m->name, suffix), quantile_cell(a, q),
		quantile_cell(b, q), ratio_cell(a, b, q), mark(m));
}

/* X.vvar beside the X.zero of the same file: the yardstick is the point */
static void yardstick_row(struct table *t, const struct metric *m, double q,
			  const char *suffix)
{
	size_t stem = strlen(m->name) - strlen(".zero");
	char *name = format("%.*s.vvar", (int)stem, m->name);
	const struct metric *v = find_metric(name, m->env);

	free(name);
	if (!v || strcmp(v->unit, m->unit))
		return;
	add_row(t, format("%.*s vvar/zero%s", (int)stem, m->name, suffix),
		ratio_cell(&m->set[OLD], &v->set[OLD], q),
		ratio_cell(&m->set[NEW], &v->set[NEW], q), strdup(""),
		strdup("times the zero-page fault"));
}

static bool is_yardstick(const struct metric *m)
{
	return !fnmatch("?*.zero", m->name, 0);
}

static enum status print_figures(void)
{
	struct table t = { .columns = 5 };
	size_t i;

	print_header();
	add_row(&t, strdup("metric"), strdup(side_name[OLD]),
		strdup(side_name[NEW]), strdup("ratio"), strdup("unit"));
	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];
		/* For these the worst case is the point */
		bool first = !fnmatch("first.*", m->name, 0);
		bool tail = has_tail(m) && !first;

		table_row(&t, m, 0.5, tail ? " p50" : "");
		if (tail)
			table_row(&t, m, 0.99, " p99");
		if (!first || m->set[OLD].n <= 1)
			continue;
		table_row(&t, m, 0.99, " p99");
		if (m->set[OLD].n >= 10000 && m->set[NEW].n >= 10000)
			table_row(&t, m, 0.999, " p99.9");
		table_row(&t, m, 1, " max");
	}
	/* By now either file order of the two is fine */
	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];
		bool tail = has_tail(m);

		if (!is_yardstick(m))
			continue;
		yardstick_row(&t, m, 0.5, tail ? " p50" : "");
		if (tail)
			yardstick_row(&t, m, 0.99, " p99");
	}
	print_table(&t, "lrrrl");
	return SAME;
}

/* --- comparing --------------------------------------------------------- */

enum verdict { BETTER, WORSE, NO_CHANGE, NOISY, NOT_JUDGED, VERDICTS };

static size_t verdicts[VERDICTS];

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
static bool comparable(void)
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

struct change {
	double old, new, by;	/* by: relative */
	struct interval iv;
	double p, noise, more;
	enum verdict verdict;
	bool exact;
};

/* Of forty true "no change"s one may look like a change: alpha is for them all */
static size_t nr_tests;

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

static enum verdict direction(const struct metric *m, double by)
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
static double size(const struct change *c)
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

static struct change statistical(const struct metric *m, double q)
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

static struct change exact(const struct metric *m, double q)
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

/*
 * Exact counters can still vary from one event to the next. A slow path taken
 * by a few of them leaves the median alone, so p90 is looked at too, and
 * believed if the whole distribution has moved.
 */
static bool tail_moved(const struct metric *m, struct change *c)
{
	const struct sample_set *a = &m->set[OLD], *b = &m->set[NEW];

	if (a->sorted[0] == a->sorted[a->n - 1] &&
	    b->sorted[0] == b->sorted[b->n - 1])
		return false;
	*c = exact(m, 0.9);
	return c->verdict != NO_CHANGE && fabs(c->by) > threshold &&
		mann_whitney(a->sorted, a->n, b->sorted, b->n) < alpha;
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

static enum status compare(void)
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

/* --- the summary ------------------------------------------------------- */

/* What a bench is to prove; results/README.md has the metrics */
static const struct {
	const char *what, *metric, *yardstick;
	double q;
} claims[] = {
	{ "first touch of a vvar page", "fault.vvar", NULL, 0.5 },
	{ "  beside that of the zero page", "fault.vvar", "fault.zero", 0.5 },
	{ "faults on vvar and vDSO to the first timestamp",
	  "exec.faults.static.vdso", NULL, 0.5 },
	{ "first timestamp under pressure, p50", "first.timestamp", NULL, 0.5 },
	{ "  p99", "first.timestamp", NULL, 0.99 },
	{ "  max", "first.timestamp", NULL, 1 },
	{ "first touch while mmap_lock is contended, p50", "contend.2M.vvar",
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

static enum status print_summary(void)
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

/* --- a limit ----------------------------------------------------------- */

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

static enum status check_limit(const char *text)
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

/* --- other formats ----------------------------------------------------- */

/* benchstat believes this of all that is measured in a unit */
static bool unit_is_steady(const char *unit)
{
	size_t i;

	for (i = 0; i < nr_metrics; i++)
		if (!strcmp(metrics[i].unit, unit) && !is_steady(&metrics[i]))
			return false;
	return true;
}

/* What Go's benchstat reads: metadata, then a line for each sample */
static enum status print_benchstat(void)
{
	size_t i, j, k;

	for (k = 0; k < nr_files; k++) {
		const struct file *f = &files[k];

		printf("kernel: %s\ncommit: %s\nconfig: %s\ncompiler: %s\n",
		       f->env.kernel, f->env.commit, f->env.config,
		       f->env.compiler);
		printf("accelerator: %s\ncpus: %ld\n", f->env.accel,
		       f->env.cpus);
		printf("clocksource: %s\ncpu: %s\n\n", f->env.clocksource,
		       f->env.cpu_model);
		for (i = 0; i < nr_metrics; i++) {
			const struct metric *m = &metrics[i];
			const struct sample_set *s = &m->set[f->side];
			const struct run *r = NULL;

			for (j = 0; j < s->nr_runs; j++)
				if (s->runs[j].file == f->name)
					r = &s->runs[j];
			if (!r)
				continue;
			printf("Unit %s better=%s%s\n", m->unit,
			       m->higher ? "higher" : "lower",
			       unit_is_steady(m->unit) ? " assume=exact" : "");
			for (j = 0; j < r->n; j++)
				printf("BenchmarkVdsoClock/%s 1 %.12g %s\n",
				       m->name, r->v[j], m->unit);
		}
		putchar('\n');
	}
	return SAME;
}

static void print_tsv_figures(const char *head, const struct metric *m,
			      const struct sample_set *s)
{
	static const double q[] = { 0, 0.5, 0.9, 0.99, 1 };
	size_t i;

	printf("%s\t%s\t%s\t%zu", head, m->exact ? "exact" : "wall",
	       m->higher ? "higher" : "lower", s->n);
	for (i = 0; i < sizeof(q) / sizeof(*q); i++)
		printf("\t%.10g", quantile(s->sorted, s->n, q[i]));
	printf("\t%.10g\t%s\n", set_mean(s), m->env->clocksource);
}

/* For scripts/report and other shell tools; one line a metric and side */
static enum status print_tsv(bool samples)
{
	size_t i, j, k;

	printf("side\tmetric\taccelerator\tcpus\tunit\t");
	puts(samples ? "file\tvalue" :
		       "exact\tbetter\tn\tmin\tp50\tp90\tp99\tmax\tmean\tclocksource");
	for (i = 0; i < nr_metrics; i++) {
		const struct metric *m = &metrics[i];

		for (k = OLD; k <= NEW; k++) {
			const struct sample_set *s = &m->set[k];
			char *head;

			if (!s->n)
				continue;
			head = format("%s\t%s\t%s\t%ld\t%s", side_name[k],
				      m->name, m->env->accel, m->env->cpus,
				      m->unit);
			for (j = 0; samples && j < s->nr_runs; j++)
				for (size_t l = 0; l < s->runs[j].n; l++)
					printf("%s\t%s\t%.10g\n", head,
					       s->runs[j].file,
					       s->runs[j].v[l]);
			if (!samples)
				print_tsv_figures(head, m, s);
			free(head);
		}
	}
	return SAME;
}

static enum status print_env(void)
{
	size_t i;

	puts("side\tfile\tfield\tvalue");
	for (i = 0; i < nr_files; i++) {
		const struct file *f = &files[i];
		const char *key;
		json_t *v;

		json_object_foreach(json_object_get(f->root, "environment"),
				    key, v) {
			char *text = json_is_string(v) ?
				strdup(json_string_value(v)) :
				json_dumps(v, JSON_ENCODE_ANY |
					      JSON_REAL_PRECISION(12));

			if (!text)
				die("out of memory");
			printf("%s\t%s\t%s\t%s\n", side_name[f->side],
			       f->name, key, text);
			free(text);
		}
	}
	return SAME;
}

/* --- several runs to one file ------------------------------------------ */

static void join_env(const struct file *to, const struct file *from)
{
	static const char * const same[] = {
		"kernel", "commit", "config_sha256", "compiler", "accelerator",
		"cpus", "clocksource", "cpu_model",
	};
	json_t *a = json_object_get(to->root, "environment");
	json_t *b = json_object_get(from->root, "environment");
	const char *key;
	json_t *v;
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(*same); i++) {
		const json_t *x = json_object_get(a, same[i]);
		const json_t *y = json_object_get(b, same[i]);

		if (x != y && !json_equal(x, y))
			die("%s: environment.%s is not that of %s: no one result",
			    from->name, same[i], to->name);
	}
	/* They may have been run differently: then both ways are named */
	json_object_foreach(b, key, v) {
		const char *x = json_string_value(json_object_get(a, key));
		const char *y = json_string_value(v);
		char *both;

		if (!x || !y || !strcmp(x, y))
			continue;
		both = format("%s; %s", x, y);
		json_object_set_new(a, key, json_string(both));
		free(both);
	}
}

static void dump(const json_t *v)
{
	/* More digits than anything is measured with; 0.1 stays 0.1 */
	if (json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY |
		       JSON_REAL_PRECISION(12)))
		die("cannot write the output: %m");
}

/* A line for each field and metric, so that a diff can be read */
static void dump_lines(json_t *container)
{
	const char *key, *comma = "\n";
	json_t *v;
	size_t i;

	json_object_foreach(container, key, v) {
		printf("%s\"%s\":", comma, key);
		dump(v);
		comma = ",\n";
	}
	json_array_foreach(container, i, v) {
		fputs(comma, stdout);
		dump(v);
		comma = ",\n";
	}
	putchar('\n');
}

static enum status print_merged(void)
{
	json_t *list = json_array(), *m;
	size_t i, j;

	for (i = 0; i < nr_metrics; i++)
		if (metrics[i].set[OLD].nr_runs > 1)
			die("%s is in %s and in %s: no one result",
			    metrics[i].name, metrics[i].set[OLD].runs[0].file,
			    metrics[i].set[OLD].runs[1].file);
	for (i = 0; i < nr_files; i++) {
		if (i)
			join_env(&files[0], &files[i]);
		json_array_foreach(json_object_get(files[i].root, "metrics"),
				   j, m)
			if (is_wanted(json_string_value(json_object_get(m,
									"name"))) &&
			    json_array_append(list, m))
				die("out of memory");
	}
	printf("{\n\"schema\":\"" SCHEMA "\",\n\"environment\":{");
	dump_lines(json_object_get(files[0].root, "environment"));
	printf("},\n\"metrics\":[");
	dump_lines(list);
	puts("]\n}");
	return SAME;
}

/* --- main -------------------------------------------------------------- */

static void usage(void)
{
	puts("usage: vvar-compare [OPTION...] OLD.json NEW.json\n"
	     "       vvar-compare [OPTION...] OLD.json... -- NEW.json...\n"
	     "       vvar-compare --table|--summary STOCK.json... -- PATCHED.json...\n"
	     "       vvar-compare --limit 'OP N' --metric NAME FILE.json...\n"
	     "       vvar-compare --benchstat|--tsv|--samples|--env FILE...\n"
	     "       vvar-compare --merge FILE.json...\n"
	     "\n"
	     "Says what changed from OLD to NEW, and whether to believe it.\n"
	     "\n"
	     "  --table          figures side by side, without verdicts\n"
	     "  --summary        what make bench is to prove, with verdicts, in a dozen lines\n"
	     "  --limit 'OP N'   does the median hold it? OP: <, <=, >, >=\n"
	     "  --benchstat      write what Go's benchstat reads\n"
	     "  --tsv            write figures, tab-separated\n"
	     "  --samples        write every sample, tab-separated\n"
	     "  --env            write the environments, tab-separated\n"
	     "  --merge          write runs of one kernel as one result\n"
	     "  --metric GLOB    only these metrics; may be given again\n"
	     "  --tolerance N    exact: so many counts are no change (0);\n"
	     "                   N%: such a share of the old one\n"
	     "  --threshold PCT  statistical: no smaller change counts (3)\n"
	     "  --alpha P        statistical: significance (0.01)\n"
	     "  --aa FILE        an A/A run: its differences are noise;\n"
	     "                   give at least two, of one kernel\n"
	     "  --names OLD,NEW  how to call the two sides\n"
	     "  --decided        exit 4, not 0, if something was too noisy\n"
	     "\n"
	     "Exit status: 0 no regression, 1 regression or a limit broken,\n"
	     "2 usage or unreadable input, 3 not comparable, 4 undecided\n"
	     "(with --decided or --limit).");
}

static double get_option(const char *name, const char *text, double above,
			 double below)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= above && v < below))
		die("--%s %s: not a number from %g to below %g", name, text,
		    above, below);
	return v;
}

static void set_tolerance(char *text)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '%') {
		text[n - 1] = 0;
		tolerance_share = get_option("tolerance", text, 0, 1000) / 100;
	} else {
		tolerance = get_option("tolerance", text, 0, 1e15);
	}
}

static void set_names(char *text)
{
	char *comma = strchr(text, ',');

	if (!comma || comma == text || !comma[1])
		die("--names %s: not OLD,NEW", text);
	*comma = 0;
	side_name[OLD] = text;
	side_name[NEW] = comma + 1;
}

int main(int argc, char **argv)
{
	enum { TABLE = 256, SUMMARY, LIMIT, BENCHSTAT, TSV, SAMPLES, ENV, MERGE, METRIC,
	       TOLERANCE, THRESHOLD, ALPHA, AA_FILE, NAMES, DECIDED };
	static const struct option options[] = {
		{ "table", no_argument, NULL, TABLE },
		{ "summary", no_argument, NULL, SUMMARY },
		{ "limit", required_argument, NULL, LIMIT },
		{ "benchstat", no_argument, NULL, BENCHSTAT },
		{ "tsv", no_argument, NULL, TSV },
		{ "samples", no_argument, NULL, SAMPLES },
		{ "env", no_argument, NULL, ENV },
		{ "merge", no_argument, NULL, MERGE },
		{ "metric", required_argument, NULL, METRIC },
		{ "tolerance", required_argument, NULL, TOLERANCE },
		{ "threshold", required_argument, NULL, THRESHOLD },
		{ "alpha", required_argument, NULL, ALPHA },
		{ "aa", required_argument, NULL, AA_FILE },
		{ "names", required_argument, NULL, NAMES },
		{ "decided", no_argument, NULL, DECIDED },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *limit = NULL;
	bool decided = false, two_sided, two;
	int mode = 0, split = 1, c, i, n;
	enum status status;

	files = xcalloc(argc, sizeof(*files));
	wanted = xcalloc(argc, sizeof(*wanted));

	/* getopt_long() would hide where the separator was */
	while (split < argc && strcmp(argv[split], "--"))
		split++;

	while ((c = getopt_long(split, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case LIMIT:
			limit = optarg;
			__attribute__((fallthrough));
		case TABLE:
		case SUMMARY:
		case BENCHSTAT:
		case TSV:
		case SAMPLES:
		case ENV:
		case MERGE:
			if (mode && mode != c)
				die("choose one way of output");
			mode = c;
			break;
		case METRIC:
			wanted[nr_wanted++] = optarg;
			break;
		case TOLERANCE:
			set_tolerance(optarg);
			break;
		case THRESHOLD:
			threshold = get_option("threshold", optarg, 0.1,
					       1000) / 100;
			break;
		case ALPHA:
			alpha = get_option("alpha", optarg, 0.000001, 0.5);
			break;
		case AA_FILE:
			add_file(optarg, AA);
			break;
		case NAMES:
			set_names(optarg);
			break;
		case DECIDED:
			decided = true;
			break;
		case 'h':
			usage();
			return 0;
		default:
			die("see --help");
		}
	}

	n = split - optind;
	two_sided = !mode || mode == TABLE || mode == SUMMARY;
	two = split == argc && n == 2 && two_sided;
	for (i = optind; i < split; i++)
		add_file(argv[i], two && i > optind ? NEW : OLD);
	for (i = split + 1; i < argc; i++)
		add_file(argv[i], NEW);
	if (!side_files(OLD))
		die("no files to read; see --help");
	if (two_sided && !side_files(NEW))
		die("%zu file(s), and no -- between OLD and NEW; see --help",
		    side_files(OLD));
	if ((mode == LIMIT || mode == MERGE) && side_files(NEW))
		die("--%s is for the files of one side",
		    mode == LIMIT ? "limit" : "merge");
	if (side_files(AA) == 1)
		die("--aa needs another one to compare this file with");

	read_files();
	if ((mode == TABLE || mode == SUMMARY) &&
	    !strcmp(side_name[OLD], "old")) {
		side_name[OLD] = "stock";
		side_name[NEW] = "patched";
	}
	switch (mode) {
	case TABLE:
		status = print_figures();
		break;
	case SUMMARY:
		status = print_summary();
		break;
	case LIMIT:
		status = check_limit(limit);
		break;
	case BENCHSTAT:
		status = print_benchstat();
		break;
	case TSV:
	case SAMPLES:
		status = print_tsv(mode == SAMPLES);
		break;
	case ENV:
		status = print_env();
		break;
	case MERGE:
		status = print_merged();
		break;
	default:
		status = compare();
		if (status == UNDECIDED && !decided)
			status = SAME;
	}
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output: %m");
	return status;
}
