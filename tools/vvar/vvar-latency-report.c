// SPDX-License-Identifier: GPL-2.0
/* What vvar-latency prints: histogram, tables, JSON, SVG */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vvar-latency.h"

#define NR_BUCKETS	64

const char * const by_names[NR_BY] = {
	[BY_AREA] = "area", [BY_PAGE] = "page", [BY_PATH] = "path", [BY_COMM] = "comm",
	[BY_CPU] = "cpu",
};

struct group {
	char		key[64];
	struct {
		u64	*val;		/* sorted */
		size_t	n;
	} t[2];
};

struct groups {
	struct group	*g;
	size_t		n;
};

static int cmp_group(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->key,
		      ((const struct group *)b)->key);
}

static void key_of(const struct fault *f, enum group_by by, char *key, size_t size)
{
	switch (by) {
	case BY_AREA:
		snprintf(key, size, "%s", f->area ?: "other");
		break;
	case BY_PAGE:
		if (f->area)
			snprintf(key, size, "%s+%llu", f->area, f->pgoff);
		else
			snprintf(key, size, "other");
		break;
	case BY_PATH:
		snprintf(key, size, "%s%s", f->area ? "" : "other: ", f->path);
		break;
	case BY_COMM:
		snprintf(key, size, "%s", f->comm);
		break;
	default:
		snprintf(key, size, "CPU %d", f->cpu);
		break;
	}
}

static struct groups make_groups(const struct trace *t, unsigned int n,
				 enum group_by by)
{
	struct group *g = NULL;
	struct groups gs = { };
	unsigned int which;
	char key[64];
	size_t i, j;

	for (which = 0; which < n; which++) {
		for (i = 0; i < t[which].nr; i++) {
			const struct fault *f = &t[which].faults[i];

			/* With --all the others have a row, but in these */
			if (!f->area && (by == BY_COMM || by == BY_CPU))
				continue;
			key_of(f, by, key, sizeof(key));
			if (!g || strcmp(g->key, key)) {
				for (j = 0; j < gs.n; j++)
					if (!strcmp(gs.g[j].key, key))
						break;
				if (j == gs.n) {
					gs.g = must(realloc(gs.g, ++gs.n *
							    sizeof(*gs.g)));
					memset(&gs.g[j], 0, sizeof(*gs.g));
					memcpy(gs.g[j].key, key, sizeof(key));
				}
				g = &gs.g[j];
			}
			j = g->t[which].n++;
			/* Doubles at powers of two */
			if (!(j & (j + 1)) || !j) {
				size_t room = 2 * (j + 1);

				g->t[which].val =
					must(realloc(g->t[which].val,
						     room * sizeof(u64)));
			}
			g->t[which].val[j] = f->lat;
		}
	}
	for (i = 0; i < gs.n; i++) {
		for (which = 0; which < n; which++) {
			size_t count = gs.g[i].t[which].n;

			if (!count)
				continue;
			qsort(gs.g[i].t[which].val, count, sizeof(u64),
			      cmp_u64);
		}
	}
	if (gs.n)
		qsort(gs.g, gs.n, sizeof(*gs.g), cmp_group);
	return gs;
}

static void free_groups(struct groups *gs)
{
	size_t i;

	for (i = 0; i < gs->n; i++) {
		free(gs->g[i].t[0].val);
		free(gs->g[i].t[1].val);
	}
	free(gs->g);
}

/* File name without directory and .dat */
static const char *short_label(const struct trace *t)
{
	static char buf[2][24];
	static unsigned int turn;
	const char *s = strrchr(t->label, '/');
	char *b = buf[turn++ % 2];
	size_t len;

	s = s ? s + 1 : t->label;
	len = strlen(s);
	if (len > 4 && !strcmp(s + len - 4, ".dat"))
		len -= 4;
	snprintf(b, sizeof(buf[0]), "%.*s", (int)len, s);
	return b;
}

static void print_table(const struct trace *t, unsigned int n, enum group_by by)
{
	struct groups gs = make_groups(t, n, by);
	int width = 8;
	unsigned int which;
	size_t i;

	for (i = 0; i < gs.n; i++)
		if ((int)strlen(gs.g[i].key) > width)
			width = strlen(gs.g[i].key);

	if (n == 2) {
		printf("\n%-*s", width, "");
		for (which = 0; which < n; which++)
			printf("  | %-46s", short_label(&t[which]));
	}
	printf("\nby %-*s", width - 3, by_names[by]);
	for (which = 0; which < n; which++)
		printf("  |%7s%10s%10s%10s%10s", "count", "p50", "p90", "p99",
		       "max");
	if (n == 2)
		printf("  | p50 %s/%s", short_label(&t[1]), short_label(&t[0]));
	putchar('\n');

	for (i = 0; i < gs.n; i++) {
		const struct group *g = &gs.g[i];

		printf("%-*s", width, g->key);
		for (which = 0; which < n; which++) {
			const u64 *v = g->t[which].val;
			size_t c = g->t[which].n;

			if (!c) {
				printf("  |%7d%10s%10s%10s%10s", 0, "-", "-",
				       "-", "-");
				continue;
			}
			printf("  |%7zu%10llu%10llu%10llu%10llu", c,
			       percentile(v, c, 50), percentile(v, c, 90),
			       percentile(v, c, 99), v[c - 1]);
		}
		if (n == 2 && g->t[0].n && g->t[1].n) {
			u64 p = percentile(g->t[0].val, g->t[0].n, 50);
			u64 q = percentile(g->t[1].val, g->t[1].n, 50);

			if (p)
				printf("  | %.2f", (double)q / p);
		}
		putchar('\n');
	}
	free_groups(&gs);
}

static unsigned int bucket(u64 lat)
{
	return lat ? 63 - __builtin_clzll(lat) : 0;
}

/* Counts by power of two. The range of buckets in use, or false. */
static bool histogram(const struct trace *t, unsigned int n,
		      size_t count[2][NR_BUCKETS], unsigned int *lo,
		      unsigned int *hi, size_t *most)
{
	unsigned int which;
	size_t i;

	memset(count, 0, 2 * sizeof(count[0]));
	*lo = NR_BUCKETS;
	*hi = 0;
	*most = 0;
	for (which = 0; which < n; which++) {
		for (i = 0; i < t[which].nr; i++) {
			unsigned int b = bucket(t[which].faults[i].lat);

			if (!t[which].faults[i].area)
				continue;
			if (++count[which][b] > *most)
				*most = count[which][b];
			if (b < *lo)
				*lo = b;
			if (b > *hi)
				*hi = b;
		}
	}
	return *most;
}

static void print_histogram(const struct trace *t, unsigned int n)
{
	size_t count[2][NR_BUCKETS], most;
	unsigned int lo, hi, b, which;
	const int width = n == 2 ? 24 : 50;

	if (!histogram(t, n, count, &lo, &hi, &most))
		return;
	printf("\n%23s", t[0].unit);
	for (which = 0; which < n; which++)
		printf("  %-*s", width + 9, short_label(&t[which]));
	putchar('\n');
	for (b = lo; b <= hi; b++) {
		printf("%10llu .. %-9llu", b ? (u64)1 << b : 0,
		       b == 63 ? ULLONG_MAX : ((u64)1 << (b + 1)) - 1);
		for (which = 0; which < n; which++) {
			int len = (count[which][b] * width + most - 1) / most;

			printf("%8zu |%-*.*s|", count[which][b], width, len,
			       "##################################################");
		}
		putchar('\n');
	}
}

static size_t ours(const struct trace *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->nr; i++)
		n += !!t->faults[i].area;
	return n;
}

/* ---- where the time goes ---- */

enum phase { PH_TRIED, PH_WAITED, PH_OFF, PH_REST, NR_PHASES };

static const char * const phase_names[NR_PHASES] = {
	[PH_TRIED]	= "a first try, to be tried again",
	[PH_WAITED]	= "waiting for locks",
	[PH_OFF]	= "off the CPU, for another reason",
	[PH_REST]	= "serving it, interrupts included",
};

/*
 * The mean fault in parts. What tracing adds is not in them, if it is known, and
 * all of them together are the mean.
 */
static void phases(const struct trace *t, double mean[NR_PHASES])
{
	s64 twice = t->calibrated ? t->cost_retried - t->cost_fault : 0;
	s64 sum[NR_PHASES] = { };
	size_t i, n = 0;

	for (i = 0; i < t->nr; i++) {
		const struct fault *f = &t->faults[i];
		s64 tried = f->tried - (f->retries ? twice : 0);

		if (!f->area)
			continue;
		n++;
		sum[PH_TRIED] += tried;
		sum[PH_WAITED] += f->waited;
		sum[PH_OFF] += f->off_cpu;
		sum[PH_REST] += f->lat - tried - f->waited - f->off_cpu;
	}
	for (i = 0; i < NR_PHASES; i++)
		mean[i] = n ? (double)sum[i] / n : 0;
}

static double phase_sum(const double mean[NR_PHASES])
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < NR_PHASES; i++)
		sum += mean[i];
	return sum;
}

static void print_phases(const struct trace *t, unsigned int n)
{
	double mean[2][NR_PHASES];
	unsigned int which, i;

	printf("\nwhere the mean fault spends its time, in %s\n%-32s", t->unit, "");
	for (which = 0; which < n; which++) {
		phases(&t[which], mean[which]);
		printf("  |%22s", short_label(&t[which]));
	}
	putchar('\n');
	for (i = 0; i < NR_PHASES; i++) {
		printf("%-32s", phase_names[i]);
		for (which = 0; which < n; which++)
			printf("  |%12.0f%8.1f %%", mean[which][i],
			       100 * mean[which][i] / (phase_sum(mean[which]) ?: 1));
		putchar('\n');
	}
	printf("%-32s", "all of it");
	for (which = 0; which < n; which++)
		printf("  |%12.0f%10s", phase_sum(mean[which]), "");
	putchar('\n');
}

/* ---- replaces ---- */

#define MAX_REPLACES	16

static void print_replaces(const struct trace *t)
{
	unsigned int i;

	printf("\n%s: slots replaced; p50 and max of the grace period in ns, and of the mappings zapped\n",
	       t->label);
	printf("%-12s%7s  %-40s%12s%12s%8s%8s\n", "slot", "times",
	       "old -> new: pfn, cache type", "grace p50", "max", "zapped",
	       "max");
	for (i = 0; i < t->nr_replaces && i < MAX_REPLACES; i++) {
		struct replace *p = &t->replaces[i];
		char slot[48], change[96];

		qsort(p->grace, p->nr, sizeof(u64), cmp_u64);
		qsort(p->mappings, p->nr, sizeof(u64), cmp_u64);
		snprintf(slot, sizeof(slot), "%s+%llu", p->area, p->pgoff);
		snprintf(change, sizeof(change), "0x%llx %s -> 0x%llx %s",
			 p->old_pfn, p->old_cache, p->new_pfn, p->new_cache);
		printf("%-12s%7zu  %-40s%12llu%12llu%8llu%8llu\n", slot, p->nr,
		       change, percentile(p->grace, p->nr, 50),
		       p->grace[p->nr - 1], percentile(p->mappings, p->nr, 50),
		       p->mappings[p->nr - 1]);
	}
	if (i < t->nr_replaces)
		printf("and %zu other changes\n", t->nr_replaces - i);
}

static void print_head(const struct trace *t)
{
	printf("%s: %zu vvar and vDSO faults among %llu user faults, in %s\n",
	       t->label, ours(t), t->user_faults, t->unit);
	printf("  from exceptions:page_fault_user to %s\n", t->probed ?
	       "the return of handle_mm_fault()" :
	       "vvar:vvar_fault, inside the handler: record with 'vvar-latency record' for the whole fault");
	if (t->calibrated) {
		printf("  less what tracing adds: %lld, %lld if a fault is tried again",
		       t->cost_fault, t->cost_retried);
		if (t->patched)
			printf(", %lld for vvar:vvar_fault", t->cost_event);
		putchar('\n');
		if (t->clamped)
			printf("  %llu faults took less than that, and are shown as 0\n",
			       t->clamped);
	} else {
		puts("  with what tracing adds");
	}
	if (t->lost || t->lost_unknown)
		printf("  LOST EVENTS: %s%llu of them; record with a larger --buffer\n",
		       t->lost_unknown ? "at least " : "", t->lost);
	else
		puts("  no events lost");
	if (t->missed)
		printf("  MISSED: %llu returns, for want of kretprobe instances\n",
		       t->missed);
	if (t->unfinished)
		printf("  %llu faults with no end (signal, exit, or the trace ended)\n",
		       t->unfinished);
	if (t->backwards)
		printf("  %llu faults that end before they begin: record with --clock global\n",
		       t->backwards);
	if (t->moved_unknown)
		printf("  %llu mappings moved by mremap() that nobody can name: their faults are not counted\n",
		       t->moved_unknown);
	if (!t->patched && !t->moves_seen)
		puts("  faults in a vvar or vDSO that mremap() moved are not counted: no vvar_latency:moved");
	if (t->replaced || t->populated)
		printf("  %llu slots replaced, %llu mappings populated\n",
		       t->replaced, t->populated);
}

static int cmp_lat(const void *a, const void *b)
{
	const struct fault *x = *(const struct fault * const *)a;
	const struct fault *y = *(const struct fault * const *)b;

	return (x->lat < y->lat) - (x->lat > y->lat);
}

static void print_top(const struct trace *t, unsigned int top)
{
	const struct fault **f = must(calloc(ours(t) + 1, sizeof(*f)));
	size_t i, n = 0;

	for (i = 0; i < t->nr; i++)
		if (t->faults[i].notes)
			f[n++] = &t->faults[i];
	qsort(f, n, sizeof(*f), cmp_lat);
	printf("\n%s: the %zu worst of %zu; what happened in %s before it (-), on the same CPU, and in it (+), as traced\n",
	       t->label, n < top ? n : top, ours(t), t->unit);
	for (i = 0; i < n && i < top; i++) {
		printf("  %llu (traced: %llu) %s: %s+%llu at 0x%llx, %s;",
		       f[i]->lat, f[i]->raw, t->unit, f[i]->area, f[i]->pgoff,
		       f[i]->addr, f[i]->path);
		printf(" %s %d on CPU %d at %llu.%09llu\n", f[i]->comm,
		       f[i]->pid, f[i]->cpu, f[i]->ts / 1000000000,
		       f[i]->ts % 1000000000);
		fputs(f[i]->notes, stdout);
	}
	free(f);
}

int report_text(struct trace *t, unsigned int n, enum group_by by, unsigned int top)
{
	static const enum group_by all[] = { BY_AREA, BY_PAGE, BY_PATH, BY_COMM };
	unsigned int i;

	for (i = 0; i < n; i++)
		print_head(&t[i]);
	print_histogram(t, n);
	print_phases(t, n);
	for (i = 0; i < n; i++)
		if (t[i].nr_replaces)
			print_replaces(&t[i]);
	if (by != NR_BY)
		print_table(t, n, by);
	else
		for (i = 0; i < sizeof(all) / sizeof(*all); i++)
			print_table(t, n, all[i]);
	for (i = 0; top && i < n; i++)
		print_top(&t[i], top);
	return 0;
}

/* ---- JSON, schema vdso-clock/1 ---- */

/* What vvar-compare does not do without, and must not be guessed */
static int check_env(const struct trace *t)
{
	static const char * const wanted[] = {
		"kernel", "accelerator", "cpus", "clocksource"
	};
	char missing[64] = "";
	unsigned int i, j;

	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		for (j = 0; j < t->nr_env; j++)
			if (!strcmp(t->env[j].name, wanted[i]))
				break;
		if (j == t->nr_env)
			sprintf(missing + strlen(missing), " %s", wanted[i]);
		else if (!strcmp(wanted[i], "cpus") && atoi(t->env[j].value) < 1)
			return vvar_err("--env cpus=%s: not a number above 0",
					t->env[j].value);
	}
	if (*missing)
		return vvar_err("%s: --json: the trace does not say where it was taken, as vvar-compare has to know: add --env NAME=VALUE for each of:%s",
				t->label, missing);
	if (!strcmp(t->unit, UNIT_UNKNOWN))
		return vvar_err("%s: --json: the trace does not name its clock, so its figures have no unit: record it with 'vvar-latency record'",
				t->label);
	return 0;
}

/* @val is sorted */
static json_t *metric(const char *name, const char *unit, bool exact,
		      const u64 *val, size_t n)
{
	json_t *samples = json_array();
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		json_array_append_new(samples, json_integer(val[i]));
		sum += val[i];
	}
	return json_pack("{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o}",
			 "name", name, "unit", unit, "exact", exact,
			 "better", "lower", "n", (json_int_t)n,
			 "min", (json_int_t)val[0],
			 "p50", (json_int_t)percentile(val, n, 50),
			 "p90", (json_int_t)percentile(val, n, 90),
			 "p99", (json_int_t)percentile(val, n, 99),
			 "max", (json_int_t)val[n - 1], "mean", sum / n,
			 "samples", samples);
}

/* "[vvar]+0", "map_pages, vma lock" -> "vvar.0", "map_pages.vma_lock" */
static void metric_name(char *out, size_t size, const char *by,
			const char *key)
{
	size_t at = snprintf(out, size, "trace.%s.", by);

	for (; *key && at + 1 < size; key++) {
		if (*key == '+' || (*key == ',' && key[1] == ' '))
			out[at++] = '.';
		else if (*key == ' ' && key[-1] == ',')
			continue;
		else if (*key == ' ' || *key == ':')
			out[at++] = '_';
		else if (*key != '[' && *key != ']')
			out[at++] = *key;
	}
	out[at] = 0;
}

static void json_replaces(const struct trace *t, json_t *metrics)
{
	u64 *grace, *mappings;
	size_t i, n = 0;

	if (!t->replaced)
		return;
	grace = must(calloc(t->replaced, sizeof(*grace)));
	mappings = must(calloc(t->replaced, sizeof(*mappings)));
	for (i = 0; i < t->nr_replaces; i++) {
		const struct replace *p = &t->replaces[i];

		memcpy(grace + n, p->grace, p->nr * sizeof(*grace));
		memcpy(mappings + n, p->mappings, p->nr * sizeof(*mappings));
		n += p->nr;
	}
	qsort(grace, n, sizeof(*grace), cmp_u64);
	qsort(mappings, n, sizeof(*mappings), cmp_u64);
	json_array_append_new(metrics, metric("trace.replace.grace", "ns",
					      false, grace, n));
	json_array_append_new(metrics, metric("trace.replace.mappings", "count",
					      false, mappings, n));
	free(grace);
	free(mappings);
}

int report_json(struct trace *t, enum group_by by)
{
	bool exact = !strcmp(t->unit, "instructions");
	json_t *env, *metrics, *root;
	/* Lost, and nobody knows how many: one at least */
	u64 counts[] = { t->lost + t->lost_unknown, t->missed, t->unfinished,
			 t->moved_unknown, t->clamped };
	static const char * const names[] = {
		"trace.lost_events", "trace.missed_returns", "trace.unfinished",
		"trace.moved_unknown", "trace.clamped"
	};
	unsigned int i, b;
	char name[128];
	size_t j;

	if (check_env(t))
		return -1;
	env = json_object();
	metrics = json_array();
	for (i = 0; i < t->nr_env; i++) {
		const char *v = t->env[i].value;

		if (!strcmp(t->env[i].name, "cpus"))
			json_object_set_new(env, "cpus",
					    json_integer(atoi(v)));
		else
			json_object_set_new(env, t->env[i].name,
					    json_string(v) ?: json_null());
	}
	for (b = 0; b < NR_BY; b++) {
		struct groups gs;

		if (by != NR_BY ? b != by : b == BY_CPU)
			continue;
		gs = make_groups(t, 1, b);
		for (j = 0; j < gs.n; j++) {
			u64 *val = gs.g[j].t[0].val;
			json_t *m;

			metric_name(name, sizeof(name), by_names[b],
				    gs.g[j].key);
			m = metric(name, t->unit, exact, val, gs.g[j].t[0].n);
			if (!m)
				break;
			json_array_append_new(metrics, m);
		}
		if (j < gs.n) {
			free_groups(&gs);
			return vvar_err("%s: '%s' does not make a metric: is it UTF-8?",
					t->label, name);
		}
		free_groups(&gs);
	}
	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		json_array_append_new(metrics,
				      metric(names[i], "count", true,
					     &counts[i], 1));
	json_replaces(t, metrics);
	root = json_pack("{s:s, s:o, s:o}", "schema", "vdso-clock/1",
			 "environment", env, "metrics", metrics);
	if (!root || json_dumpf(root, stdout, JSON_INDENT(1)))
		return vvar_err("writing JSON: %s", strerror(errno));
	putchar('\n');
	json_decref(root);
	return 0;
}

/* ---- SVG ---- */

static void svg_text(FILE *f, const char *s)
{
	for (; *s; s++)
		if (strchr("<>&\"", *s))
			fprintf(f, "&#%d;", *s);
		else
			fputc(*s, f);
}

/* The mean fault of each trace as a bar of its parts */
static void svg_phases(FILE *f, const struct trace *t, unsigned int n, int left,
		       int y, int width)
{
	static const char * const color[NR_PHASES] = {
		"#d8a03c", "#7d5ba6", "#8c8c8c", "#5b8c5a"
	};
	double mean[2][NR_PHASES], most = 0;
	unsigned int which, i;

	fprintf(f, "<text x=\"%d\" y=\"%d\" font-size=\"14\">where the mean fault spends its time (%s)</text>\n",
		left, y, t[0].unit);
	for (which = 0; which < n; which++) {
		phases(&t[which], mean[which]);
		if (phase_sum(mean[which]) > most)
			most = phase_sum(mean[which]);
	}
	for (which = 0; which < n; which++) {
		double x = left;

		y += 22;
		for (i = 0; i < NR_PHASES; i++) {
			double w = mean[which][i] * width / (most ?: 1);

			/* Of what was too little for what was taken off */
			if (w < 0)
				continue;
			fprintf(f, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>\n",
				x, y - 12, w, color[i]);
			x += w;
		}
		fprintf(f, "<text x=\"%d\" y=\"%d\">", left + 4, y);
		svg_text(f, short_label(&t[which]));
		fprintf(f, ": %.0f %s</text>\n", phase_sum(mean[which]), t[0].unit);
	}
	for (i = 0; i < NR_PHASES; i++) {
		y += 18;
		fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
			left, y - 9, color[i], left + 14, y, phase_names[i]);
	}
}

int report_svg(struct trace *t, unsigned int n, const char *file)
{
	static const char * const color[] = { "#b04a3a", "#2f6f9f" };
	size_t count[2][NR_BUCKETS], most;
	unsigned int lo, hi, b, which;
	const int step = 56, height = 300, top = 60, left = 60;
	int width, bad;
	FILE *f;

	if (!histogram(t, n, count, &lo, &hi, &most))
		return vvar_err("%s: nothing to draw", t->label);
	f = fopen(file, "we");
	if (!f)
		return vvar_err("%s: %s", file, strerror(errno));
	width = left + (hi - lo + 1) * step + 20;
	if (width < 480)
		width = 480;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		width, top + height + 190);
	fprintf(f,
		"<text x=\"%d\" y=\"18\" font-size=\"14\">vvar and vDSO faults by latency (%s)</text>\n",
		left, t->unit);
	for (which = 0; which < n; which++) {
		fprintf(f,
			"<rect x=\"%d\" y=\"28\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"37\">",
			left + (int)which * 200, color[which],
			left + 14 + (int)which * 200);
		svg_text(f, short_label(&t[which]));
		fprintf(f, ": %zu faults</text>\n", ours(&t[which]));
	}
	for (b = lo; b <= hi; b++) {
		for (which = 0; which < n; which++) {
			int w = (step - 12) / n;
			int h = (double)count[which][b] * height / most;
			int x = left + (b - lo) * step + which * w;

			if (!count[which][b])
				continue;
			fprintf(f,
				"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/><text x=\"%d\" y=\"%d\" font-size=\"9\">%zu</text>\n",
				x, top + height - h, w - 1, h ?: 1,
				color[which], x, top + height - h - 3,
				count[which][b]);
		}
		fprintf(f, "<text x=\"%d\" y=\"%d\">%llu</text>\n",
			left + (int)(b - lo) * step, top + height + 16,
			b ? (u64)1 << b : 0);
	}
	fprintf(f,
		"<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"black\"/>\n<text x=\"%d\" y=\"%d\">latency in %s, up to the next</text>\n",
		left - 6, top + height, width - 10, top + height, left,
		top + height + 36, t->unit);
	svg_phases(f, t, n, left, top + height + 66, width - left - 20);
	fputs("</svg>\n", f);
	bad = ferror(f);
	if (fclose(f) || bad)
		return vvar_err("%s: %s", file, strerror(errno));
	return 0;
}

/* ---- the outside check ---- */

/*
 * What perf bench vdso-clock fault measured untraced in the same boot, beside
 * our figures less what tracing adds. Both are prices that user space pays, so
 * they should agree.
 */
int report_outside(struct trace *t, const char *file)
{
	static const struct {
		const char *metric, *key;
	} pairs[] = {
		{ "fault.vvar", "[vvar]+0" },
		{ "fault.text", "[vdso]+0" },
	};
	json_t *root, *metrics, *m;
	unsigned int i, seen = 0;
	int bad = 0;
	json_error_t error;
	struct groups gs;
	size_t j;

	if (!t->calibrated) {
		vvar_err("%s: was not recorded by 'vvar-latency record', or with --raw: what tracing adds is in its figures",
			 t->label);
		return -1;
	}
	root = json_load_file(file, 0, &error);
	if (!root)
		return vvar_err("%s: line %d: %s", file, error.line, error.text);
	metrics = json_object_get(root, "metrics");
	if (!json_is_array(metrics)) {
		json_decref(root);
		return vvar_err("%s: no \"metrics\": not what perf bench vdso-clock -f json writes",
				file);
	}

	gs = make_groups(t, 1, BY_PAGE);
	printf("\nOutside check: p50 in %s\n%-24s%14s%14s%8s\n", t->unit, "",
	       "perf bench", "this trace", "ratio");
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const char *unit = NULL;
		double outside = 0, inside;

		json_array_foreach(metrics, j, m) {
			const char *s = json_string_value(json_object_get(m, "name"));

			if (!s || strcmp(s, pairs[i].metric))
				continue;
			outside = json_number_value(json_object_get(m, "p50"));
			unit = json_string_value(json_object_get(m, "unit"));
		}
		for (j = 0; j < gs.n; j++)
			if (!strcmp(gs.g[j].key, pairs[i].key))
				break;
		if (!outside || j == gs.n)
			continue;
		seen++;
		if (!unit || strcmp(unit, t->unit)) {
			bad = vvar_err("%s: %s is in %s, %s in %s",
				       file, pairs[i].metric, unit ?: "no unit",
				       t->label, t->unit);
			break;
		}
		inside = percentile(gs.g[j].t[0].val, gs.g[j].t[0].n, 50);
		printf("  %-11s %-10s %14.0f%14.0f%8.2f\n", pairs[i].metric,
		       pairs[i].key, outside, inside, inside / outside);
	}
	free_groups(&gs);
	json_decref(root);
	if (bad)
		return bad;
	return seen ? 0 : vvar_err("%s: no fault.vvar or fault.text in it that %s has too",
				   file, t->label);
}
