// SPDX-License-Identifier: GPL-2.0
/* What others read: benchstat, tab-separated lines, several runs as one. */
#define _GNU_SOURCE
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-compare.h"

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
enum status print_benchstat(void)
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
enum status print_tsv(bool samples)
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

enum status print_env(void)
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

enum status print_merged(void)
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
