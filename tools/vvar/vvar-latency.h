/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VVAR_LATENCY_H
#define VVAR_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define __printf(a, b)	__attribute__((format(printf, a, b)))

typedef unsigned long long u64;
typedef long long s64;
typedef uint32_t u32;

/* Names that record and the reader share */
#define PROBE_SYSTEM	"vvar_latency"
#define PROBE_DONE	"fault_done"
#define PROBE_MAP	"map"
#define PROBE_MOVED	"moved"
#define MARK		"vvar-latency: "
#define UNIT_UNKNOWN	"unknown units"

#define VM_FAULT_RETRY		0x0400
#define FAULT_FLAG_VMA_LOCK	0x1000

/* One fault, from exception entry to the return of handle_mm_fault() */
struct fault {
	u64	ts;
	u64	lat;		/* less what tracing adds, if that is known */
	u64	raw;
	u64	addr;
	u64	pgoff;
	const char	*area;		/* NULL: not vvar or vDSO */
	const char	*path;
	const char	*comm;
	int		pid;
	int		cpu;
	unsigned int	retries;
	/* parts of raw, none in two */
	u64	tried;		/* until it was to be tried again */
	u64	waited;		/* for locks, asleep or spinning */
	u64	off_cpu;	/* for anything else */
	bool		event;		/* vvar:vvar_fault fired in it */
	char		*notes;		/* of the worst ones: what happened */
};

/* vvar:vvar_replace: one change of one slot, and each time that it was made */
struct replace {
	const char	*area;
	u64	pgoff, old_pfn, new_pfn;
	const char	*old_cache, *new_cache;
	u64	*grace, *mappings;
	size_t		nr, room;
};

#define MAX_ENV		32

struct env {
	char		*name;
	char		*value;
};

/* What one trace.dat says */
struct trace {
	const char	*label;
	char		unit[24];
	bool		patched;	/* it knows vvar:vvar_fault */
	bool		probed;		/* it knows the end of a fault */
	bool		moves_seen;	/* it knows what mremap() moved */
	size_t		page_size;
	struct fault	*faults;	/* vvar and vDSO first, in time order */
	size_t		nr, room;
	struct env	*env;
	unsigned int	nr_env;
	/* what did not become a fault above */
	u64	events;
	u64	user_faults;
	u64	unfinished;
	u64	backwards;
	u64	lost;
	bool		lost_unknown;	/* lost, but nobody knows how many */
	u64	missed;		/* returns the kretprobe had no room for */
	u64	moved_unknown;	/* by mremap(), nobody knows what */
	u64	replaced, populated;
	struct replace	*replaces;
	size_t		nr_replaces;
	/* what tracing costs: see vvar-latency-record.c */
	bool		calibrated;
	s64		cost_fault, cost_retried, cost_event;
	u64	clamped;	/* faults that took less than that */
};

/* ---- the commands, which know nothing of each other: vvar-latency-read.c ---- */

int trace_read(struct trace *t, const char *file, unsigned int top, bool all,
	       bool raw);
void trace_free(struct trace *t);
void trace_set_env(struct trace *t, const char *s);

/* ---- vvar-latency-report.c ---- */

enum group_by { BY_AREA, BY_PAGE, BY_PATH, BY_COMM, BY_CPU, NR_BY };

extern const char * const by_names[NR_BY];

/* t[0..n), n being 1 or 2; @by may be NR_BY for all but CPU */
int report_text(struct trace *t, unsigned int n, enum group_by by, unsigned int top);
int report_json(struct trace *t, enum group_by by);
int report_svg(struct trace *t, unsigned int n, const char *file);
int report_outside(struct trace *t, const char *file);

/* ---- vvar-latency-record.c, vvar-latency-live.c ---- */

int cmd_record(int argc, char **argv);
int cmd_hist(int argc, char **argv);
int cmd_locks(int argc, char **argv);

/* ---- below them: vvar-latency-util.c ---- */

/* Reports on stderr. Always -1, or with a status as the exit status. */
__printf(1, 2) int vvar_err(const char *fmt, ...);
/* Is it NAME=VALUE, and not one too many? */
unsigned long parse_number(const char *s, const char *option, const char *what,
			   unsigned long most);
bool env_valid(const char *s, unsigned int nr);
/* Ends the program when there is no memory */
void *must(void *p);
/* Is tracefs there, and may we? The directory, or NULL after a message. */
const char *need_tracefs(void);
const char *clock_unit(const char *clock);

/* ---- first touches, vvar-latency-touch.c ---- */

struct room {
	char		*at;		/* the fresh mapping: areas, then text */
	size_t		time;		/* where the time data is in it */
	size_t		vvar;		/* size of the areas */
	size_t		size;		/* and of text as well */
	size_t		page;
};

bool touch_counts(void);
u64 touch(const char *p);
int touch_find(const char *name, unsigned long *start, unsigned long *end);
int touch_room(struct room *r);
int touch_map_vdso(const struct room *r);
int touch_unmap_vdso(const struct room *r);
char *touch_map_zero(const struct room *r);
u64 percentile(const u64 *sorted, size_t n, unsigned int percent);
int cmp_u64(const void *a, const void *b);

#endif
