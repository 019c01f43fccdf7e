/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The front end of perf bench vdso-clock: what ../vdso-clock.c, which has the table
 * of benchmarks, and the files below it share. No measuring code: that is probe.h's.
 */
#ifndef BENCH_VDSO_CLOCK_FRONT_H
#define BENCH_VDSO_CLOCK_FRONT_H

#include <linux/compiler.h>
#include <stdbool.h>
#include <stdio.h>
#include "../../util/stat.h"
#include "../vdso-clock.h"

/* ../vdso-clock.c: what this run was asked for */
extern struct vc_conf vc_run;

/* metric.c */
struct vc_metric {
	char		*name, *unit, *better;
	bool		exact;
	unsigned long	n;
	double		*val;		/* in the order they were taken */
	double		*sorted;
	struct stats	medians;	/* of the repeats, in thousandths */
};

extern struct vc_metric *vc_metrics;
extern unsigned int vc_nr_metrics;

/* Lines for the reader: name by name what was left out, and warnings */
struct vc_notes {
	char		**line;
	unsigned int	nr;
};

extern struct vc_notes vc_skipped, vc_warnings, vc_texts, vc_env_given;

__printf(1, 2) int vc_fail(const char *fmt, ...);
void *vc_must(void *p);
__printf(2, 3) void vc_note(struct vc_notes *notes, const char *fmt, ...);
struct vc_metric *vc_find_metric(const char *name);
void vc_add_samples(const char *name, const char *unit, bool exact,
		    const char *better, const double *val, unsigned long n);
void vc_sort_metrics(void);
double vc_p_of(const struct vc_metric *m, double p);
double vc_mean(const struct vc_metric *m);
bool vc_median_ci(const struct vc_metric *m, double *lo, double *hi);

/* child.c */
struct vc_helper {
	const char	*name, *start, *end, *missing;
};

extern const struct vc_helper vc_static, vc_compat;

int vc_run_child(const char *what, int (*fn)(const struct vc_conf *c));
int vc_helper_fd(const struct vc_helper *h);
bool vc_have_helper(const struct vc_helper *h, const char *what);
int vc_run_helper(const struct vc_helper *h, const char *mode);

/* exec-count.c */
int vc_exec_faults(const char *name, const char *path, const char **argv);

/* env.c */
extern const char *vc_accelerator;
extern char *vc_clocksource, *vc_command_line;

const char *vc_hypervisor(void);
char *vc_settled_clocksource(void);
void vc_json_env(FILE *f);

/* output.c */
struct vc_format {
	const char	*name;
	int		id;
	void		(*print)(FILE *f);
};

void vc_json_string(FILE *f, const char *s);
const struct vc_format *vc_find_format(const char *name);
int vc_print(const struct vc_format *format);

#endif
