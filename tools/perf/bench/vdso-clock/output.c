// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: the formats: tables, simple, JSON, benchstat */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/kernel.h>
#include "../bench.h"
#include "front.h"

/* Ten beyond p99.9 */
#define TAIL_SAMPLES	10000

void vc_json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		if ((unsigned char)*s < ' ')
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void json_notes(FILE *f, const char *name, const struct vc_notes *notes)
{
	unsigned int i;

	fprintf(f, "  \"%s\": [", name);
	for (i = 0; i < notes->nr; i++) {
		fprintf(f, "%s\n    ", i ? "," : "");
		vc_json_string(f, notes->line[i]);
	}
	fprintf(f, "%s],\n", notes->nr ? "\n  " : "");
}

static void print_json(FILE *f)
{
	unsigned int i;
	unsigned long k;
	double lo, hi;

	fprintf(f, "{\n  \"schema\": \"vdso-clock/1\",\n");
	vc_json_env(f);
	json_notes(f, "warnings", &vc_warnings);
	json_notes(f, "skipped", &vc_skipped);
	json_notes(f, "report", &vc_texts);
	fprintf(f, "  \"metrics\": [");
	for (i = 0; i < vc_nr_metrics; i++) {
		const struct vc_metric *m = &vc_metrics[i];

		fprintf(f,
			"%s\n    { \"name\": \"%s\", \"unit\": \"%s\", \"exact\": %s, \"better\": \"%s\",\n",
			i ? "," : "", m->name, m->unit,
			m->exact ? "true" : "false", m->better);
		fprintf(f,
			"      \"n\": %lu, \"min\": %.9g, \"p50\": %.9g, \"p90\": %.9g, \"p99\": %.9g, \"max\": %.9g, \"mean\": %.9g,\n",
			m->n, m->sorted[0], vc_p_of(m, .5), vc_p_of(m, .9),
			vc_p_of(m, .99), m->sorted[m->n - 1], vc_mean(m));
		if (m->n >= TAIL_SAMPLES)
			fprintf(f, "      \"p999\": %.9g,\n", vc_p_of(m, .999));
		if (vc_median_ci(m, &lo, &hi))
			fprintf(f, "      \"p50_ci95\": [%.9g, %.9g],\n", lo, hi);
		fprintf(f, "      \"samples\": [");
		for (k = 0; k < m->n; k++)
			fprintf(f, "%s%.9g", k ? "," : "", m->val[k]);
		fprintf(f, "] }");
	}
	fprintf(f, "\n  ]\n}\n");
}

static void print_simple(FILE *f)
{
	unsigned int i;

	for (i = 0; i < vc_nr_metrics; i++)
		fprintf(f, "%s %.9g %s %.9g %.9g %lu\n", vc_metrics[i].name,
			vc_p_of(&vc_metrics[i], .5), vc_metrics[i].unit,
			vc_metrics[i].sorted[0], vc_p_of(&vc_metrics[i], .99),
			vc_metrics[i].n);
}

/* As Go's benchstat reads it: one line for each sample */
static void print_benchstat(FILE *f)
{
	unsigned int i;
	unsigned long k;
	char *p;

	for (i = 0; i < vc_nr_metrics; i++) {
		char *name = vc_must(strdup(vc_metrics[i].name));
		const char *unit = vc_metrics[i].unit;

		for (p = name; *p; p++)
			if (*p == '.')
				*p = '/';
		name[0] = name[0] >= 'a' && name[0] <= 'z' ?
			  name[0] - 'a' + 'A' : name[0];
		for (k = 0; k < vc_metrics[i].n; k++)
			fprintf(f, "Benchmark%s 1 %.9g %s/op\n", name,
				vc_metrics[i].val[k], unit);
		free(name);
	}
}

static void print_repeats(FILE *f, const struct vc_metric *m)
{
	struct stats medians = m->medians;

	if (medians.n > 1)
		fprintf(f, "  (+- %.2f %% in %.0f runs)",
			rel_stddev_stats(stddev_stats(&medians),
					 avg_stats(&medians)), medians.n);
}

static void print_gettime(FILE *f)
{
	static const char * const path[] = { "vdso", "libc", "syscall" };
	double lo, hi;
	struct vc_metric *tsc = vc_find_metric("gettime.tsc.ordered");
	unsigned int i, k;

	if (!tsc)
		return;
	fprintf(f, "\n# gettime: median %s per call; an ordered TSC read: %.1f\n",
		tsc->unit, vc_p_of(tsc, .5));
	fprintf(f, "%-28s %10s %10s %10s %12s %9s  95 %% of vDSO, libc, syscall\n",
		"", "vDSO", "libc", "syscall", "vDSO/syscall", "vDSO/TSC");
	for (i = 0; i < vc_nr_metrics; i++) {
		const char *name = vc_metrics[i].name;
		char full[128];
		const char *row = strstr(name, "gettime.");
		size_t len = strlen(name);
		struct vc_metric *m[3];

		/* One line for each system call row */
		if (!row || len < 8 || strcmp(name + len - 8, ".syscall"))
			continue;
		len -= 8;
		for (k = 0; k < 3; k++) {
			snprintf(full, sizeof(full), "%.*s.%s", (int)len, name,
				 path[k]);
			m[k] = vc_find_metric(full);
		}
		/* "MONOTONIC", but "compat.gettime.MONOTONIC" */
		if (row == name) {
			name += 8;
			len -= 8;
		}
		fprintf(f, "%-28.*s", (int)len, name);
		for (k = 0; k < 3; k++) {
			if (m[k])
				fprintf(f, " %10.1f", vc_p_of(m[k], .5));
			else
				fprintf(f, " %10s", "-");
		}
		if (m[0])
			fprintf(f, " %12.3f %9.2f", vc_p_of(m[0], .5) /
				vc_p_of(m[2], .5), vc_p_of(m[0], .5) / vc_p_of(tsc, .5));
		else
			fprintf(f, " %12s %9s", "-", "-");
		for (k = 0; k < 3; k++) {
			if (m[k] && vc_median_ci(m[k], &lo, &hi))
				fprintf(f, "%s%.1f..%.1f", k ? ", " : "  ", lo, hi);
			else
				fprintf(f, "%s-", k ? ", " : "  ");
		}
		print_repeats(f, m[0] ?: m[2]);
		fputc('\n', f);
	}
}

static void print_check(FILE *f)
{
	static const char * const column[] = {
		"resolution", "step_min", "same_time", "handovers", "backward"
	};
	bool head = false;
	unsigned int i, k;

	for (i = 0; i < vc_nr_metrics; i++) {
		const char *name = vc_metrics[i].name;
		int len = strcspn(name + 6, ".");

		/* One line for each clock */
		if (strncmp(name, "check.", 6) ||
		    strcmp(name + 6 + len, ".backward"))
			continue;
		if (!head) {
			fprintf(f, "\n# check: resolution and smallest step in ns, %% of second reads with the same time,\n# reads that followed one on another CPU, steps backward (any is a failure)\n%-20s", "");
			for (k = 0; k < ARRAY_SIZE(column); k++)
				fprintf(f, " %11s", column[k]);
			fputc('\n', f);
		}
		head = true;
		fprintf(f, "%-20.*s", len, name + 6);
		for (k = 0; k < ARRAY_SIZE(column); k++) {
			struct vc_metric *m;
			char full[128];

			snprintf(full, sizeof(full), "check.%.*s.%s", len,
				 name + 6, column[k]);
			m = vc_find_metric(full);
			if (m)
				fprintf(f, " %11.10g", vc_p_of(m, .5));
			else
				fprintf(f, " %11s", "-");
		}
		fputc('\n', f);
	}
}

/* "fault.vvar.faults" is a column of the line of "fault.vvar" */
static const char * const columns[] = { "faults", "vma_lock_retry" };

static bool is_column(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const char *dot = strrchr(name, '.');
		char base[128];

		if (strcmp(dot ? dot + 1 : name, columns[i]))
			continue;
		snprintf(base, sizeof(base), "%.*s", (int)(dot - name), name);
		if (vc_find_metric(base))
			return true;
	}
	return false;
}

static void print_line(FILE *f, int width, const struct vc_metric *m)
{
	double lo, hi;
	unsigned int i;

	if (m->n == 1) {
		fprintf(f, "%-*s %-12s %7d %10s %10.1f\n", width, m->name,
			m->unit, 1, "", m->val[0]);
		return;
	}
	fprintf(f, "%-*s %-12s %7lu %10.1f %10.1f %10.1f %10.1f %10.1f",
		width, m->name, m->unit, m->n, m->sorted[0], vc_p_of(m, .5),
		vc_p_of(m, .9), vc_p_of(m, .99), m->sorted[m->n - 1]);
	if (vc_median_ci(m, &lo, &hi))
		fprintf(f, "  %.1f..%.1f", lo, hi);
	if (m->n >= TAIL_SAMPLES)
		fprintf(f, "  p99.9 %.1f", vc_p_of(m, .999));
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		struct vc_metric *column;
		char name[128];

		snprintf(name, sizeof(name), "%s.%s", m->name, columns[i]);
		column = vc_find_metric(name);
		if (column)
			fprintf(f, "  %s %g", columns[i], vc_p_of(column, .5));
	}
	print_repeats(f, m);
	fputc('\n', f);
}

/* The others are in the tables of gettime and check, or a column of another line */
static bool has_line(const struct vc_metric *m)
{
	return (!strstr(m->name, "gettime.") || strstr(m->name, ".ordered")) &&
	       strncmp(m->name, "check.", 6) && !is_column(m->name);
}

static void print_default(FILE *f)
{
	bool head = false;
	int width = 28;
	unsigned int i;

	print_gettime(f);
	print_check(f);
	for (i = 0; i < vc_nr_metrics; i++)
		if (has_line(&vc_metrics[i]) && (int)strlen(vc_metrics[i].name) > width)
			width = strlen(vc_metrics[i].name);
	for (i = 0; i < vc_nr_metrics; i++) {
		if (!has_line(&vc_metrics[i]))
			continue;
		if (!head)
			fprintf(f, "\n%-*s %-12s %7s %10s %10s %10s %10s %10s  %s\n",
				width, "", "unit", "samples", "min", "p50", "p90",
				"p99", "max", "95 % of p50");
		head = true;
		print_line(f, width, &vc_metrics[i]);
	}
	if (vc_texts.nr)
		fputc('\n', f);
	for (i = 0; i < vc_texts.nr; i++)
		fprintf(f, "%s\n", vc_texts.line[i]);
	if (vc_skipped.nr)
		fprintf(f, "\n# Skipped:\n");
	for (i = 0; i < vc_skipped.nr; i++) {
		int len = strcspn(vc_skipped.line[i], " ");

		fprintf(f, "#   %.*s:%s\n", len, vc_skipped.line[i],
			vc_skipped.line[i] + len);
	}
}

static const struct vc_format formats[] = {
	{ "default",	BENCH_FORMAT_DEFAULT,	print_default },
	{ "simple",	BENCH_FORMAT_SIMPLE,	print_simple },
	{ "json",	BENCH_FORMAT_JSON,	print_json },
	{ "benchstat",	BENCH_FORMAT_BENCHSTAT,	print_benchstat },
};

/* In one piece: perf bench has made stdout unbuffered */
int vc_print(const struct vc_format *format)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return vc_fail("no memory for the output");
	format->print(f);
	if (fclose(f))
		return vc_fail("no memory for the output");
	if (fwrite(text, 1, len, stdout) != len || fflush(stdout) ||
	    fsync(STDOUT_FILENO)) {
		/* A pipe or a terminal can't be synced and needn't be */
		if (errno != EINVAL && errno != EROFS)
			return vc_fail("can't write the results: %s",
				       strerror(errno));
	}
	free(text);
	return 0;
}

const struct vc_format *vc_find_format(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (name ? !strcmp(name, formats[i].name) :
				 bench_format == formats[i].id)
			return &formats[i];
	}
	vc_fail("--format %s: not one of default, simple, json, benchstat",
		name ?: "?");
	return NULL;
}
