// SPDX-License-Identifier: GPL-2.0
/* Tables, and the one of all figures side by side. */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

char *format(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	return s;
}

/* Takes over the cells, which are malloc()ed; a row without any is a gap */
void add_row(struct table *t, ...)
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

void print_table(struct table *t, const char *align)
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

char *number(double v)
{
	if (v == rint(v) && fabs(v) < 1e15)
		return format("%.0f", v);
	if (fabs(v) >= 100)
		return format("%.1f", v);
	return format("%.3g", v);
}

char *percent(double v)
{
	if (!isfinite(v))
		return format("from 0");
	return format("%+.1f%%", v * 100);
}

/* How far a figure can be trusted */
static char *mark(const struct metric *m)
{
	if (m->exact)
		return format("%s, %s", m->unit,
			      is_steady(m) ? "exact" : "counted, varies");
	return format("%s, %s wall", m->unit, m->env->accel);
}

/* The distinct values of a field over the files of one side */
char *over_files(int side, char *(*get)(const struct file *))
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

char *get_config(const struct file *f)
{
	return format("%.12s", f->env.config);
}

char *get_compiler(const struct file *f)
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

char *share(double a, double b)
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

enum status print_figures(void)
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
