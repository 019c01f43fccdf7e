// SPDX-License-Identifier: GPL-2.0
/*
 * What vvar-latency reads from a running kernel: a histogram that the kernel
 * keeps, and the locks that one first touch of vvar acquires.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tracefs.h>
#include <unistd.h>

#include "vvar-latency.h"

/* ---- hist ---- */

#define NR_BUCKETS	64

struct area {
	char		name[32];
	u64	count[NR_BUCKETS];
	u64	total;
	struct area	*next;
};

static struct area *find_area(struct area **list, const char *name)
{
	for (; *list; list = &(*list)->next)
		if (!strcmp((*list)->name, name))
			return *list;
	*list = must(calloc(1, sizeof(**list)));
	snprintf((*list)->name, sizeof((*list)->name), "%s", name);
	return *list;
}

/* Upper end of the bucket where the percentile lies */
static unsigned int bucket_of(const struct area *a, unsigned int percent)
{
	u64 rank = (a->total * percent + 99) / 100, sum = 0;
	unsigned int b;

	for (b = 0; b < NR_BUCKETS - 1; b++) {
		sum += a->count[b];
		if (sum >= rank)
			break;
	}
	return b;
}

static void print_area(const struct area *a)
{
	unsigned int lo, hi, b;
	u64 most = 1;

	for (lo = 0; lo < NR_BUCKETS - 1 && !a->count[lo]; lo++)
		;
	for (hi = NR_BUCKETS - 1; hi > lo && !a->count[hi]; hi--)
		;
	for (b = lo; b <= hi; b++)
		if (a->count[b] > most)
			most = a->count[b];
	printf("%s: %llu faults; p50 at most %llu, p99 at most %llu\n",
	       a->name, a->total, (u64)1 << bucket_of(a, 50),
	       (u64)1 << bucket_of(a, 99));
	for (b = lo; b <= hi; b++)
		printf("%10llu .. %-10llu%8llu |%-50.*s|\n",
		       b ? ((u64)1 << (b - 1)) + 1 : 0, (u64)1 << b,
		       a->count[b], (int)((a->count[b] * 50 + most - 1) / most),
		       "##################################################");
}

/*
 * Lines such as
 *   { area: [vvar]   , lat: ~ 2^10  } hitcount:         12
 * and, after them, "    Dropped: 0". The kernel rounds up: this one is for 513
 * to 1024.
 */
static int parse_hist(char *text, struct area **areas, u64 *dropped)
{
	char *line, *save, *s;
	int nr = 0;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char name[32] = "all";
		unsigned long long hits;
		struct area *a;
		unsigned int b;

		s = strstr(line, "Dropped:");
		if (s)
			*dropped += strtoull(s + strlen("Dropped:"), NULL, 10);
		if (line[0] != '{')
			continue;
		s = strstr(line, "hitcount:");
		if (!s || sscanf(s, "hitcount: %llu", &hits) != 1)
			return vvar_err("hist: a line without hitcount: %s", line);
		s = strstr(line, "~ 2^");
		if (!s || sscanf(s, "~ 2^%u", &b) != 1 || b >= NR_BUCKETS) {
			vvar_err("hist: a line without a power of two: %s: one key has to be lat.log2",
				 line);
			return -1;
		}
		s = strstr(line, "area:");
		if (s)
			sscanf(s, "area: %31s", name);
		a = find_area(areas, name);
		a->count[b] += hits;
		a->total += hits;
		nr++;
	}
	return nr;
}

static void print_hist_head(const char *name)
{
	char *clocks = tracefs_instance_file_read(NULL, "trace_clock", NULL);
	char clock[32] = "?";
	const char *s = clocks ? strchr(clocks, '[') : NULL;

	if (s)
		sscanf(s, "[%31[^]]", clock);
	free(clocks);
	printf("%s: in %s (trace clock '%s'), with what tracing adds\n", name,
	       clock_unit(clock) ?: UNIT_UNKNOWN, clock);
}

int cmd_hist(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "synthetic/vvar_latency";
	const char *event = strchr(name, '/'), *dir;
	struct area *areas = NULL, *next;
	u64 dropped = 0;
	char system[64], *text;
	int nr;

	if (argc > 2 || !event || event == name || name[0] == '-' ||
	    event - name >= (int)sizeof(system)) {
		vvar_err("hist: takes one SYSTEM/EVENT, such as synthetic/vvar_latency");
		return 2;
	}
	snprintf(system, sizeof(system), "%.*s", (int)(event - name), name);
	event++;
	dir = need_tracefs();
	if (!dir)
		return 1;
	if (!tracefs_event_file_exists(NULL, system, event, "enable")) {
		vvar_err("%s/events/%s: no such event: set it up as Documentation/mm/vvar_fault.rst says",
			 dir, name);
		return 1;
	}
	errno = 0;
	text = tracefs_event_file_read(NULL, system, event, "hist", NULL);
	/* An empty file is none, and no error */
	if (!text && errno) {
		vvar_err("%s/events/%s/hist: %s: the kernel needs CONFIG_HIST_TRIGGERS",
			 dir, name, strerror(errno));
		return 1;
	}
	if (!text || !strstr(text, "# event histogram")) {
		vvar_err("%s/events/%s: no histogram: its trigger is not set",
			 dir, name);
		free(text);
		return 1;
	}
	nr = parse_hist(text, &areas, &dropped);
	free(text);
	if (!nr)
		nr = vvar_err("%s/events/%s: the histogram is empty: no fault was seen",
			      dir, name);
	if (nr > 0)
		print_hist_head(name);
	for (; areas; areas = next) {
		next = areas->next;
		if (nr > 0)
			print_area(areas);
		free(areas);
	}
	if (nr > 0 && dropped)
		printf("LOST: %llu not counted: its trigger needs a larger :size=\n",
		       dropped);
	return nr > 0 ? 0 : 1;
}

/* ---- locks ---- */

struct touched {
	u64	vvar, next;	/* the touch, and one of another page */
	char		tables[800];	/* what page tables had of vvar then */
	int		error;
};

#define MAX_LOCKS	64

struct list {
	unsigned int	nr;
	char		line[MAX_LOCKS][80];
	bool		fine[MAX_LOCKS];
};

struct locks {
	const struct touched *touched;
	int		pid;
	bool		inside;
	unsigned int	rounds;
	bool		lost;
	struct list	now;
	struct list	least;	/* the shortest: preemption only adds to it */
};

#define ROUNDS		8

static int on_lock(struct tep_event *event, struct tep_record *rec, int cpu,
		   void *data)
{
	struct locks *l = data;
	struct list *now = &l->now;
	unsigned long long val = 0;
	const char *name;
	int len, flags;

	(void)cpu;
	l->lost |= rec->missed_events;
	if (tep_data_pid(event->tep, rec) != l->pid)
		return 0;
	if (strcmp(event->system, "lock")) {
		tep_get_field_val(NULL, event, "address", rec, &val, 0);
		if (val == l->touched->vvar) {
			l->inside = true;
			now->nr = 0;
		} else if (l->inside && val == l->touched->next) {
			l->inside = false;
			if (!l->rounds++ || now->nr < l->least.nr)
				l->least = *now;
		}
		return 0;
	}
	/* An interrupt in between is no part of the fault */
	flags = tep_data_flags(event->tep, rec);
	if (!l->inside || flags & (TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ) ||
	    now->nr == MAX_LOCKS)
		return 0;
	tep_get_field_val(NULL, event, "flags", rec, &val, 0);
	name = tep_get_field_raw(NULL, event, "name", rec, &len, 0);
	if (!name)
		name = "?";
	snprintf(now->line[now->nr], sizeof(now->line[0]), "%s%s%s", name,
		 val & 2 ? ", read" : "", val & 1 ? ", trylock" : "");
	/* Or rcu_read_lock_sched, that of pfn_valid() */
	now->fine[now->nr] = !strncmp(name, "rcu_read_lock", 13) ||
			     (strstr(name, "vm_lock") && val & 2);
	now->nr++;
	return 0;
}

/*
 * One line for each run of pages alike. PCD: not cached, device registers. Without
 * CONFIG_PTDUMP_DEBUGFS there is none.
 */
static void read_tables(struct touched *t, const struct room *r)
{
	FILE *f = fopen("/sys/kernel/debug/page_tables/current_kernel", "re");
	unsigned long start, at = (unsigned long)r->at;
	size_t len = 0;
	char line[160];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-", &start) == 1 && start >= at &&
		    start < at + r->vvar && strstr(line, " USR ") &&
		    len + strlen(line) + 3 < sizeof(t->tables))
			len += sprintf(t->tables + len, "# %s", line);
	if (f)
		fclose(f);
}

/*
 * In a child: first touches of the first area, which is that of device registers
 * where they are shown, each followed by one of another page
 */
static void touch_child(struct touched *t, int go)
{
	struct room r;
	char *next, c;
	int i;

	t->error = touch_room(&r);
	if (t->error)
		return;
	next = mmap(NULL, r.page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (next == MAP_FAILED) {
		t->error = -errno;
		return;
	}
	t->vvar = (uintptr_t)r.at;
	t->next = (uintptr_t)next;
	if (read(go, &c, 1) != 1) {
		t->error = -EPIPE;
		return;
	}
	for (i = 0; i < ROUNDS && !t->error; i++) {
		t->error = touch_map_vdso(&r);
		if (t->error)
			return;
		touch(r.at);
		touch(next);
		if (i == ROUNDS - 1)
			read_tables(t, &r);
		t->error = touch_unmap_vdso(&r);
		if (madvise(next, r.page, MADV_DONTNEED))
			t->error = -errno;
	}
}

static int trace_touch(struct tracefs_instance *in, struct locks *l,
		       struct touched *touched, const char *fault_system,
		       const char *fault)
{
	const char * const systems[] = { "lock", fault_system, NULL };
	const char * const ev[][2] = {
		{ "lock", "lock_acquire" },
		{ fault_system, fault },
	};
	struct tep_handle *tep;
	int go[2], status, i;
	char filter[40];
	pid_t pid;

	if (pipe(go))
		return vvar_err("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return vvar_err("fork: %s", strerror(errno));
	if (!pid) {
		close(go[1]);
		touch_child(touched, go[0]);
		_exit(0);
	}
	close(go[0]);
	l->pid = pid;
	snprintf(filter, sizeof(filter), "common_pid == %d", pid);
	for (i = 0; i < 2; i++) {
		if (tracefs_event_file_write(in, ev[i][0], ev[i][1], "filter",
					     filter) < 0 ||
		    tracefs_event_enable(in, ev[i][0], ev[i][1])) {
			vvar_err("%s:%s: %s", ev[i][0], ev[i][1], strerror(errno));
			close(go[1]);
			waitpid(pid, &status, 0);
			return -1;
		}
	}
	if (write(go[1], "", 1) != 1)
		vvar_err("pipe: %s", strerror(errno));
	close(go[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		return vvar_err("the touching child ended with wait status %#x",
				status);
	for (i = 0; i < 2; i++)
		tracefs_event_disable(in, ev[i][0], ev[i][1]);
	if (touched->error)
		return vvar_err("mapping a fresh vvar: %s",
				strerror(-touched->error));

	tep = tracefs_local_events_system(NULL, systems);
	if (!tep)
		return vvar_err("the formats of lock and %s events: %s",
				fault_system, strerror(errno));
	i = tracefs_iterate_raw_events(tep, in, NULL, 0, on_lock, l);
	tep_free(tep);
	if (i)
		return vvar_err("reading the trace: %s", strerror(errno));
	return 0;
}

#define PROBE_FAULT	"fault"

/* Where a fault has no tracepoint: a probe of the first that it calls */
static struct tracefs_dynevent *probe_fault(void)
{
	struct tracefs_dynevent *probe;

	probe = tracefs_kprobe_alloc(PROBE_SYSTEM, PROBE_FAULT, "lock_vma_under_rcu",
				     "address=$arg2:x64");
	if (probe && !tracefs_dynevent_create(probe))
		return probe;
	vvar_err("no event exceptions:page_fault_user, and no probe of lock_vma_under_rcu(): %s",
		 strerror(errno));
	tracefs_dynevent_free(probe);
	return NULL;
}

static void end_probe(struct tracefs_dynevent *probe)
{
	if (probe)
		tracefs_dynevent_destroy(probe, true);
	tracefs_dynevent_free(probe);
}

int cmd_locks(int argc, char **argv)
{
	const char *system = "exceptions", *fault = "page_fault_user";
	struct tracefs_dynevent *probe = NULL;
	struct tracefs_instance *in;
	struct locks l = { 0 };
	char name[40];
	unsigned int i;
	int ret;

	if (argc > 1) {
		vvar_err("locks: takes no argument, not '%s'", argv[1]);
		return 2;
	}
	if (!need_tracefs())
		return 1;
	if (!tracefs_event_file_exists(NULL, "lock", "lock_acquire",
				       "enable")) {
		vvar_err("no event lock:lock_acquire: the kernel needs CONFIG_PROVE_LOCKING (configs/lockdep.config)");
		return 1;
	}
	l.touched = mmap(NULL, sizeof(*l.touched), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l.touched == MAP_FAILED) {
		vvar_err("mmap: %s", strerror(errno));
		return 1;
	}
	if (!tracefs_event_file_exists(NULL, system, fault, "enable")) {
		probe = probe_fault();
		if (!probe)
			return 1;
		system = PROBE_SYSTEM;
		fault = PROBE_FAULT;
	}
	snprintf(name, sizeof(name), "vvar-locks.%d", getpid());
	in = tracefs_instance_create(name);
	if (!in) {
		vvar_err("trace instance %s: %s", name, strerror(errno));
		end_probe(probe);
		return 1;
	}
	tracefs_instance_set_buffer_size(in, 4096, -1);
	ret = trace_touch(in, &l, (struct touched *)l.touched, system, fault);
	tracefs_instance_destroy(in);
	tracefs_instance_free(in);
	end_probe(probe);
	if (ret)
		return 1;
	if (l.lost) {
		vvar_err("events were lost");
		return 1;
	}
	if (l.rounds < 2 || !l.least.nr) {
		vvar_err("%u of %d touches were seen, with %u locks at least: was lockdep switched off (by a report in dmesg)?",
			 l.rounds, ROUNDS, l.least.nr);
		return 1;
	}
	for (i = 0; i < l.least.nr; i++)
		printf("%s %s\n", l.least.fine[i] ? " " : "!",
		       l.least.line[i]);
	fputs(l.touched->tables, stdout);
	return 0;
}
