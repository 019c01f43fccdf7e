/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vvar-compare: results that perf bench vdso-clock wrote (schema vdso-clock/1),
 * what changed between two kernels, and whether to believe it.
 */
#ifndef VVAR_COMPARE_H
#define VVAR_COMPARE_H

#include <err.h>
#include <jansson.h>
#include <stdbool.h>

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

/* --- vvar-compare.c: what was asked for --- */
extern const char **wanted;
extern size_t nr_wanted;
extern double tolerance, tolerance_share, threshold, alpha;
extern const char *side_name[SIDES];

/* --- vvar-compare-read.c --- */
extern struct file *files;
extern size_t nr_files;
extern struct metric *metrics;
extern size_t nr_metrics;

bool same_env(const struct env *a, const struct env *b);
struct metric *find_metric(const char *name, const struct env *env);
bool is_wanted(const char *name);
void add_file(const char *name, int side);
size_t side_files(int side);
void read_files(void);

/* --- vvar-compare-table.c --- */
#define MAX_COLUMNS	9

struct table {
	char *(*cell)[MAX_COLUMNS];
	size_t rows, columns;
};

char *__printf(1, 2) format(const char *fmt, ...);
void add_row(struct table *t, ...);
void print_table(struct table *t, const char *align);
char *number(double v);
char *percent(double v);
char *over_files(int side, char *(*get)(const struct file *));
char *get_config(const struct file *f);
char *get_compiler(const struct file *f);
char *share(double a, double b);
enum status print_figures(void);

/* --- vvar-compare-judge.c --- */
enum verdict { BETTER, WORSE, NO_CHANGE, NOISY, NOT_JUDGED, VERDICTS };

struct change {
	double old, new, by;	/* by: relative */
	struct interval iv;
	double p, noise, more;
	enum verdict verdict;
	bool exact;
};

/* Of forty true "no change"s one may look like a change: alpha is for them all */
extern size_t nr_tests;

bool is_steady(const struct metric *m);
bool has_tail(const struct metric *m);
bool is_judged(const struct metric *m);
bool comparable(void);
enum verdict direction(const struct metric *m, double by);
double size(const struct change *c);
struct change statistical(const struct metric *m, double q);
struct change exact(const struct metric *m, double q);

/* --- vvar-compare-changes.c --- */
enum status compare(void);

/* --- vvar-compare-summary.c --- */
enum status print_summary(void);

/* --- vvar-compare-limit.c --- */
enum status check_limit(const char *text);

/* --- vvar-compare-formats.c --- */
enum status print_benchstat(void);
enum status print_tsv(bool samples);
enum status print_env(void);
enum status print_merged(void);

#endif
