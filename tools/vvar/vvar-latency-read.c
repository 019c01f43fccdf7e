// SPDX-License-Identifier: GPL-2.0
/*
 * From a trace.dat to faults: exceptions:page_fault_user of a task opens one,
 * the return of handle_mm_fault() in the same task closes it, unless it says
 * that the fault is to be tried again. vvar:vvar_fault in between tells the
 * area and the path; an unpatched kernel has no such event, there the mappings
 * of each process tell the area, and they are followed when mremap() moves them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <trace-cmd.h>
#include <unistd.h>

#include "vvar-latency.h"

/* libtracecmd 3.1 has it, but no header that is installed */
__attribute__((weak))
const char *tracecmd_get_trace_clock(struct tracecmd_input *handle);

#define NR_MAPS		3
#define NR_RECENT	6
#define TASK_BUCKETS	4096

struct map {
	const char	*name;
	u64	start, end;
};

/* Shared by the threads of a process */
struct mm {
	unsigned int	users;
	struct map	maps[NR_MAPS];
};

struct task {
	struct task	*next;
	int		pid;
	const char	*comm;		/* or NULL: no event has told */
	struct mm	*mm;
	/* the fault that is open */
	bool		open;
	struct fault	f;
	bool		vma_lock, by_event;
	u64	contended, switched;	/* since when, or 0 */
	u64	lock;		/* the outermost that it waits for */
	FILE		*notes;
	char		*notes_buf;
	size_t		notes_len;
};

struct recent {
	u64	ts;
	char		text[80];
};

struct cpu {
	struct recent	recent[NR_RECENT];
	unsigned int	next;
};

enum event_id {
	EV_FAULT, EV_DONE, EV_VVAR, EV_MAP, EV_MOVED, EV_TASK, EV_RENAME,
	EV_SWITCH, EV_BEGIN, EV_END, EV_PRINT, EV_REPLACE, EV_POPULATE, NR_EV
};

static const struct {
	const char *system, *name;
} ev_names[NR_EV] = {
	[EV_FAULT]	= { "exceptions",	"page_fault_user" },
	[EV_DONE]	= { PROBE_SYSTEM,	PROBE_DONE },
	[EV_VVAR]	= { "vvar",		"vvar_fault" },
	[EV_MAP]	= { PROBE_SYSTEM,	PROBE_MAP },
	[EV_MOVED]	= { PROBE_SYSTEM,	PROBE_MOVED },
	[EV_TASK]	= { "task",		"task_newtask" },
	[EV_RENAME]	= { "task",		"task_rename" },
	[EV_SWITCH]	= { "sched",		"sched_switch" },
	[EV_BEGIN]	= { "lock",		"contention_begin" },
	[EV_END]	= { "lock",		"contention_end" },
	[EV_PRINT]	= { "ftrace",		"print" },
	[EV_REPLACE]	= { "vvar",		"vvar_replace" },
	[EV_POPULATE]	= { "vvar",		"vvar_populate" },
};

struct reader {
	struct trace	*t;
	struct tep_handle *tep;
	struct tep_event *ev[NR_EV];
	u64	seen[NR_EV];
	struct task	*tasks[TASK_BUCKETS];
	struct cpu	*cpus;
	int		nr_cpus;
	unsigned int	nr_top;
	size_t		*top;		/* indices of faults, any order */
	unsigned int	in_top;
	bool		all;
	const char	*clock;		/* of the faults, or NULL */
	bool		clocks;		/* of more than one buffer */
	/* the process that measured what tracing costs */
	int		calib_pid;
	u64	calib_addr;
	unsigned int	kind;		/* of what it touches: 1 is retried */
	s64		untraced[2];
	u64	*calib[2];
	size_t		nr_calib[2];
};

/* ---- small things ---- */

/* One copy of each string */
static const char *intern(const char *s)
{
	static char **strings[1024];
	static unsigned int counts[1024];
	unsigned int h = 0, i;
	const char *p;

	for (p = s; *p; p++)
		h = h * 31 + (unsigned char)*p;
	h %= 1024;
	for (i = 0; i < counts[h]; i++)
		if (!strcmp(strings[h][i], s))
			return strings[h][i];
	strings[h] = must(realloc(strings[h], (i + 1) * sizeof(char *)));
	strings[h][i] = must(strdup(s));
	counts[h]++;
	return strings[h][i];
}

/* "NAME=VALUE"; the last value holds */
void trace_set_env(struct trace *t, const char *s)
{
	size_t len = strcspn(s, "=");
	unsigned int i;

	if (!s[len])
		return;
	for (i = 0; i < t->nr_env; i++)
		if (strlen(t->env[i].name) == len &&
		    !strncmp(t->env[i].name, s, len))
			break;
	if (i == t->nr_env) {
		t->env = must(realloc(t->env, ++t->nr_env * sizeof(*t->env)));
		t->env[i].name = must(strndup(s, len));
	} else {
		free(t->env[i].value);
	}
	t->env[i].value = must(strdup(s + len + 1));
}

static struct task *find_task(struct reader *r, int pid)
{
	struct task **p = &r->tasks[(unsigned int)pid % TASK_BUCKETS];

	for (; *p; p = &(*p)->next)
		if ((*p)->pid == pid)
			return *p;
	*p = must(calloc(1, sizeof(**p)));
	(*p)->pid = pid;
	(*p)->mm = must(calloc(1, sizeof(*(*p)->mm)));
	(*p)->mm->users = 1;
	return *p;
}

static void drop_mm(struct task *task)
{
	if (!--task->mm->users)
		free(task->mm);
}

static void share_mm(struct task *task, struct mm *mm)
{
	mm->users++;
	drop_mm(task);
	task->mm = mm;
}

static u64 number(struct reader *r, enum event_id ev, struct tep_record *rec,
		  const char *name)
{
	unsigned long long val = 0;

	tep_get_field_val(NULL, r->ev[ev], name, rec, &val, 0);
	return val;
}

/* A string of a record, without the quotes that none has; "" if it is absent */
static const char *text(struct reader *r, enum event_id ev, struct tep_record *rec,
			const char *name, char *buf, size_t size)
{
	int len = 0;
	const char *s = tep_get_field_raw(NULL, r->ev[ev], name, rec, &len, 0);

	if (!s || len < 0)
		len = 0;
	if ((size_t)len >= size)
		len = size - 1;
	memcpy(buf, s ?: "", len);
	buf[len] = 0;
	return buf;
}

static bool area_name(const char *s)
{
	return !strcmp(s, "[vdso]") || !strncmp(s, "[vvar", 5);
}

__printf(3, 4)
static void note(struct task *task, u64 ts, const char *fmt, ...)
{
	va_list ap;

	if (!task->notes)
		task->notes = must(open_memstream(&task->notes_buf,
						  &task->notes_len));
	fprintf(task->notes, "      +%-9llu ", ts - task->f.ts);
	va_start(ap, fmt);
	vfprintf(task->notes, fmt, ap);
	va_end(ap);
	fputc('\n', task->notes);
}

__printf(4, 5)
static void remember(struct reader *r, int cpu, u64 ts, const char *fmt,
		     ...)
{
	struct recent *m;
	struct cpu *c;
	va_list ap;

	if (!r->nr_top || cpu < 0 || cpu >= r->nr_cpus)
		return;
	c = &r->cpus[cpu];
	m = &c->recent[c->next++ % NR_RECENT];
	m->ts = ts;
	va_start(ap, fmt);
	vsnprintf(m->text, sizeof(m->text), fmt, ap);
	va_end(ap);
}

static void drop_notes(struct task *task)
{
	if (!task->notes)
		return;
	fclose(task->notes);
	free(task->notes_buf);
	task->notes = NULL;
	task->notes_buf = NULL;
}

/* ---- mappings ---- */

static void set_map(struct task *task, const char *name, u64 start,
		    u64 end)
{
	unsigned int i;

	if (!area_name(name))
		return;
	name = intern(name);
	for (i = 0; i < NR_MAPS; i++) {
		struct map *m = &task->mm->maps[i];

		if (m->name && m->name != name)
			continue;
		*m = (struct map){ name, start, end };
		return;
	}
}

static const struct map *find_map(const struct task *task, u64 addr)
{
	unsigned int i;

	for (i = 0; i < NR_MAPS; i++) {
		const struct map *m = &task->mm->maps[i];

		if (m->name && addr >= m->start && addr < m->end)
			return m;
	}
	return NULL;
}

/*
 * A thread has its process's mappings. A vfork() child has copies: what it maps
 * next is for the program that it execs.
 */
static void on_task(struct reader *r, struct task *task, struct tep_record *rec)
{
	struct task *child = find_task(r, number(r, EV_TASK, rec, "pid"));
	char buf[32];

	if (number(r, EV_TASK, rec, "clone_flags") & CLONE_THREAD) {
		share_mm(child, task->mm);
	} else {
		drop_mm(child);
		child->mm = must(malloc(sizeof(*child->mm)));
		*child->mm = *task->mm;
		child->mm->users = 1;
	}
	child->comm = intern(text(r, EV_TASK, rec, "comm", buf, sizeof(buf)));
	child->open = false;
}

/* The probe sees where to, but not what: the size has to tell */
static void on_moved(struct reader *r, struct task *task, struct tep_record *rec)
{
	u64 start = number(r, EV_MOVED, rec, "start");
	u64 end = number(r, EV_MOVED, rec, "end");
	struct map *maps = task->mm->maps, *found[NR_MAPS];
	unsigned int i, n = 0;

	for (i = 0; i < NR_MAPS; i++)
		if (maps[i].name && maps[i].end - maps[i].start == end - start)
			found[n++] = &maps[i];
	if (n == 1) {
		found[0]->start = start;
		found[0]->end = end;
		return;
	}
	r->t->moved_unknown++;
	while (n--)
		found[n]->name = NULL;
}

/* ---- faults ---- */

/* Keeps the notes of the worst faults only */
static void keep_notes(struct reader *r, struct task *task, size_t index)
{
	struct trace *t = r->t;
	struct fault *f = &t->faults[index];
	unsigned int i, least = 0;

	if (!r->nr_top)
		return;
	if (r->in_top == r->nr_top) {
		for (i = 1; i < r->in_top; i++)
			if (t->faults[r->top[i]].lat <
			    t->faults[r->top[least]].lat)
				least = i;
		if (t->faults[r->top[least]].lat >= f->lat)
			return;
		free(t->faults[r->top[least]].notes);
		t->faults[r->top[least]].notes = NULL;
		r->top[least] = index;
	} else {
		r->top[r->in_top++] = index;
	}
	note(task, f->ts + f->lat, "back from the handler");
	fclose(task->notes);
	f->notes = task->notes_buf;
	task->notes = NULL;
	task->notes_buf = NULL;
}

static const char *comm_of(struct reader *r, const struct task *task)
{
	return task->comm ?: intern(tep_data_comm_from_pid(r->tep, task->pid));
}

static void close_fault(struct reader *r, struct task *task, u64 ts,
			u64 flags)
{
	struct fault *f = &task->f;
	struct trace *t = r->t;
	const struct map *map;
	char path[64];

	task->open = false;
	if (ts < f->ts) {
		t->backwards++;
		goto out;
	}
	f->lat = ts - f->ts;
	if (task->pid == r->calib_pid) {
		if (f->addr == r->calib_addr) {
			u64 **c = &r->calib[r->kind];
			size_t n = r->nr_calib[r->kind]++;

			*c = must(realloc(*c, (n + 1) * sizeof(**c)));
			(*c)[n] = f->lat;
		}
		goto out;
	}
	/* Without the probe, no end is seen of the others */
	t->user_faults += t->probed;

	if (!f->area) {
		/*
		 * A patched kernel says what is ours. Elsewhere the page may
		 * be another's by now, but a special mapping is never served
		 * under the VMA lock.
		 */
		map = t->patched || (flags != ULLONG_MAX &&
				     flags & FAULT_FLAG_VMA_LOCK) ? NULL :
		      find_map(task, f->addr);
		if (map) {
			f->area = map->name;
			f->pgoff = (f->addr - map->start) / t->page_size;
		} else if (!r->all) {
			goto out;
		}
	}
	if (!task->by_event)
		task->vma_lock = flags & FAULT_FLAG_VMA_LOCK;
	/* Unpatched, ->fault() is all that a special mapping has */
	snprintf(path, sizeof(path), "%s, %s%s",
		 f->path ?: f->area && !t->patched ? "fault" : "?",
		 !task->by_event && flags == ULLONG_MAX ? "?" :
		 task->vma_lock ? "vma lock" : "mmap_lock",
		 f->retries ? " after retry" : "");
	f->path = intern(path);
	f->comm = comm_of(r, task);

	if (t->nr == t->room) {
		t->room = t->room ? 2 * t->room : 1024;
		t->faults = must(realloc(t->faults,
					 t->room * sizeof(*t->faults)));
	}
	f->raw = f->lat;
	t->faults[t->nr] = *f;
	if (f->area)
		keep_notes(r, task, t->nr);
	t->nr++;
out:
	drop_notes(task);
}

/* What the events of a buffer were stamped with */
static void see_clock(struct reader *r, struct tracecmd_input *handle)
{
	const char *clock = NULL;

	if (tracecmd_get_trace_clock)
		clock = tracecmd_get_trace_clock(handle);
	if (clock && r->clock && strcmp(clock, r->clock))
		r->clocks = true;
	if (clock && !r->clock)
		r->clock = intern(clock);
}

static void on_fault(struct reader *r, struct task *task,
		     struct tep_record *rec)
{
	unsigned int i;

	if (r->t->probed)
		r->t->unfinished += task->open;
	else
		r->t->user_faults++;
	drop_notes(task);
	task->open = true;
	task->by_event = false;
	task->contended = 0;
	task->switched = 0;
	task->f = (struct fault){
		.ts = rec->ts,
		.addr = number(r, EV_FAULT, rec, "address"),
		.pid = task->pid,
		.cpu = rec->cpu,
	};
	if (!r->nr_top || rec->cpu >= r->nr_cpus)
		return;
	for (i = 0; i < NR_RECENT; i++) {
		struct cpu *c = &r->cpus[rec->cpu];
		struct recent *m = &c->recent[(c->next + i) % NR_RECENT];

		if (!m->ts || m->ts > rec->ts)
			continue;
		if (!task->notes)
			task->notes = must(open_memstream(&task->notes_buf,
							  &task->notes_len));
		fprintf(task->notes, "      -%-9llu %s\n", rec->ts - m->ts,
			m->text);
	}
}

static void on_vvar(struct reader *r, struct task *task,
		    struct tep_record *rec)
{
	u64 page = ~(u64)(r->t->page_size - 1);
	struct fault *f = &task->f;
	char buf[32];

	if (!task->open ||
	    ((f->addr ^ number(r, EV_VVAR, rec, "address")) & page))
		return;
	f->area = intern(text(r, EV_VVAR, rec, "area", buf, sizeof(buf)));
	f->pgoff = number(r, EV_VVAR, rec, "pgoff");
	f->path = number(r, EV_VVAR, rec, "path") ? "fault" : "map_pages";
	f->event = true;
	task->vma_lock = number(r, EV_VVAR, rec, "vma_lock");
	task->by_event = true;
	if (r->nr_top)
		note(task, rec->ts, "%s: published %llu, lost races %llu",
		     f->path, number(r, EV_VVAR, rec, "published"),
		     number(r, EV_VVAR, rec, "lost"));
	/* Recorded without the probe, the handler's end has to do */
	if (!r->ev[EV_DONE])
		close_fault(r, task, rec->ts, 0);
}

static void on_done(struct reader *r, struct task *task,
		    struct tep_record *rec)
{
	struct tep_event *ev = r->ev[EV_DONE];
	u64 flags = ULLONG_MAX;

	if (!task->open)
		return;
	/* Another fault of the task, a kernel-mode one: before 6.9, no addr */
	if (tep_find_field(ev, "addr") &&
	    number(r, EV_DONE, rec, "addr") != task->f.addr)
		return;
	if (number(r, EV_DONE, rec, "ret") & VM_FAULT_RETRY) {
		task->f.retries++;
		task->f.tried = rec->ts - task->f.ts - task->f.waited -
				task->f.off_cpu;
		if (r->nr_top)
			note(task, rec->ts, "to be tried again under mmap_lock");
		return;
	}
	if (tep_find_field(ev, "flags"))
		flags = number(r, EV_DONE, rec, "flags");
	close_fault(r, task, rec->ts, flags);
}

/* ---- what happens around them ---- */

static const char *lock_kind(u64 flags)
{
	/* LCB_F_* of trace/events/lock.h */
	if (flags & 32)
		return "mutex";
	if (flags & 8)
		return "rt_mutex";
	if (flags & 16)
		return "percpu rwsem";
	if (flags & 2)
		return flags & 1 ? "rwlock, for read" : "rwsem, for read";
	if (flags & 4)
		return flags & 1 ? "rwlock, for write" : "rwsem, for write";
	return flags & 1 ? "spinlock" : "lock";
}

static void on_contention(struct reader *r, struct task *task, enum event_id ev,
			  struct tep_record *rec)
{
	u64 lock = number(r, ev, rec, "lock_addr");

	if (ev == EV_BEGIN) {
		u64 flags = number(r, ev, rec, "flags");

		remember(r, rec->cpu, rec->ts, "%s %d waits for %s 0x%llx",
			 comm_of(r, task), task->pid, lock_kind(flags),
			 lock);
		if (!task->open)
			return;
		if (!task->contended) {
			task->contended = rec->ts;
			task->lock = lock;
		}
		if (r->nr_top)
			note(task, rec->ts, "waits for %s 0x%llx",
			     lock_kind(flags), lock);
	} else if (task->open && task->contended && task->lock == lock) {
		task->f.waited += rec->ts - task->contended;
		if (r->nr_top)
			note(task, rec->ts, "has lock 0x%llx after %llu", lock,
			     rec->ts - task->contended);
		task->contended = 0;
	}
}

static void on_switch(struct reader *r, struct tep_record *rec)
{
	struct task *prev, *next;
	char from[32], to[32];

	prev = find_task(r, number(r, EV_SWITCH, rec, "prev_pid"));
	next = find_task(r, number(r, EV_SWITCH, rec, "next_pid"));
	text(r, EV_SWITCH, rec, "prev_comm", from, sizeof(from));
	text(r, EV_SWITCH, rec, "next_comm", to, sizeof(to));
	remember(r, rec->cpu, rec->ts, "CPU goes from %s %d to %s %d", from,
		 prev->pid, to, next->pid);
	if (prev->pid && prev->open) {
		prev->switched = rec->ts;
		if (r->nr_top)
			note(prev, rec->ts, "off the CPU, which %s %d gets", to,
			     next->pid);
	}
	if (next->pid && next->open && next->switched) {
		/* Asleep for a lock is waiting for it */
		if (!next->contended)
			next->f.off_cpu += rec->ts - next->switched;
		if (r->nr_top)
			note(next, rec->ts, "on CPU %d after %llu", rec->cpu,
			     rec->ts - next->switched);
		next->switched = 0;
	}
}

/* The word after "name=" in what the event prints */
static const char *printed(const char *s, const char *name)
{
	const char *p = strstr(s, name);
	char buf[32] = "?";

	if (p)
		sscanf(p + strlen(name), "%31s", buf);
	return intern(buf);
}

static void on_replace(struct reader *r, struct tep_record *rec)
{
	struct trace *t = r->t;
	struct replace now, *p;
	struct trace_seq s;
	char area[32];
	size_t i;

	/* It knows the names of its enum */
	trace_seq_init(&s);
	tep_print_event(r->tep, &s, rec, "%s", TEP_PRINT_INFO);
	trace_seq_terminate(&s);
	now = (struct replace){
		.area = intern(text(r, EV_REPLACE, rec, "area", area,
				    sizeof(area))),
		.pgoff = number(r, EV_REPLACE, rec, "pgoff"),
		.old_pfn = number(r, EV_REPLACE, rec, "old_pfn"),
		.new_pfn = number(r, EV_REPLACE, rec, "new_pfn"),
		.old_cache = printed(s.buffer, " old_cache="),
		.new_cache = printed(s.buffer, " new_cache="),
	};
	trace_seq_destroy(&s);

	for (i = 0; i < t->nr_replaces; i++) {
		p = &t->replaces[i];
		if (p->area == now.area && p->pgoff == now.pgoff &&
		    p->old_pfn == now.old_pfn && p->new_pfn == now.new_pfn &&
		    p->old_cache == now.old_cache &&
		    p->new_cache == now.new_cache)
			break;
	}
	if (i == t->nr_replaces) {
		t->replaces = must(realloc(t->replaces, ++t->nr_replaces *
					   sizeof(*t->replaces)));
		t->replaces[i] = now;
	}
	p = &t->replaces[i];
	if (p->nr == p->room) {
		p->room = p->room ? 2 * p->room : 4;
		p->grace = must(realloc(p->grace, p->room * sizeof(u64)));
		p->mappings = must(realloc(p->mappings, p->room * sizeof(u64)));
	}
	p->grace[p->nr] = number(r, EV_REPLACE, rec, "grace_ns");
	p->mappings[p->nr++] = number(r, EV_REPLACE, rec, "mappings");
	t->replaced++;
}

/* Lines that record wrote with trace_marker */
static void on_print(struct reader *r, struct tep_record *rec)
{
	unsigned long long start, end;
	long long a, b, c;
	unsigned int kind;
	struct tep_format_field *buf_field;
	char buf[512], name[64];
	struct trace *t = r->t;
	const char *s;
	int pid, of;

	/* An array of no length: it ends where the record does */
	buf_field = tep_find_field(r->ev[EV_PRINT], "buf");
	if (!buf_field || buf_field->offset >= rec->size)
		return;
	snprintf(buf, sizeof(buf), "%.*s", rec->size - buf_field->offset,
		 (char *)rec->data + buf_field->offset);
	buf[strcspn(buf, "\n")] = 0;
	s = buf;
	if (strncmp(s, MARK, strlen(MARK)))
		return;
	s += strlen(MARK);
	if (sscanf(s, "map pid=%d start=%llx end=%llx name=%63s", &pid, &start,
		   &end, name) == 4) {
		set_map(find_task(r, pid), name, start, end);
	} else if (sscanf(s, "thread pid=%d of=%d", &pid, &of) == 2) {
		share_mm(find_task(r, pid), find_task(r, of)->mm);
	} else if (sscanf(s, "calibrate pid=%d addr=%llx kind=%u", &pid, &start,
			  &kind) == 3) {
		r->calib_pid = pid;
		r->calib_addr = start;
		r->kind = kind == 1;
	} else if (sscanf(s, "calibrated zero=%lld retried=%lld event=%lld",
			  &a, &b, &c) == 3) {
		r->untraced[0] = a;
		r->untraced[1] = b;
		t->cost_event = c;
		t->calibrated = true;
	} else if (sscanf(s, "missed=%llu", &start) == 1) {
		t->missed += start;
	} else if (sscanf(s, "unit=%23s", t->unit) == 1) {
		return;
	} else if (!strncmp(s, "env ", 4)) {
		trace_set_env(t, s + 4);
	}
}

static int on_record(struct tracecmd_input *handle, struct tep_record *rec,
		     int cpu, void *data)
{
	struct reader *r = data;
	struct task *task;
	u64 addr;
	char name[64];
	unsigned int i;
	int type;
	enum event_id ev;

	(void)cpu;	/* not the CPU's number if there are several buffers */
	r->t->events++;
	if (rec->missed_events) {
		if (rec->missed_events > 0)
			r->t->lost += rec->missed_events;
		else
			r->t->lost_unknown = true;
		/* Whatever is open may have been closed in between */
		for (i = 0; i < TASK_BUCKETS; i++) {
			for (task = r->tasks[i]; task; task = task->next) {
				r->t->unfinished += task->open && r->t->probed;
				task->open = false;
			}
		}
	}

	type = tep_data_type(r->tep, rec);
	for (ev = 0; ev < NR_EV; ev++)
		if (r->ev[ev] && r->ev[ev]->id == type)
			break;
	if (ev == NR_EV)
		return 0;
	r->seen[ev]++;
	task = find_task(r, tep_data_pid(r->tep, rec));

	switch (ev) {
	case EV_FAULT:
		see_clock(r, handle);
		on_fault(r, task, rec);
		break;
	case EV_DONE:
		on_done(r, task, rec);
		break;
	case EV_VVAR:
		on_vvar(r, task, rec);
		break;
	case EV_MAP:
		addr = number(r, ev, rec, "addr");
		set_map(task, text(r, ev, rec, "name", name, sizeof(name)),
			addr, addr + number(r, ev, rec, "len"));
		break;
	case EV_MOVED:
		on_moved(r, task, rec);
		break;
	case EV_TASK:
		on_task(r, task, rec);
		break;
	case EV_RENAME:
		find_task(r, number(r, ev, rec, "pid"))->comm =
			intern(text(r, ev, rec, "newcomm", name, sizeof(name)));
		break;
	case EV_SWITCH:
		on_switch(r, rec);
		break;
	case EV_BEGIN:
	case EV_END:
		on_contention(r, task, ev, rec);
		break;
	case EV_PRINT:
		on_print(r, rec);
		break;
	case EV_REPLACE:
		on_replace(r, rec);
		break;
	case EV_POPULATE:
		r->t->populated++;
		break;
	default:
		break;
	}
	return 0;
}

/* ---- the file ---- */

/*
 * What libtracecmd would not say clearly. Format: trace-cmd.dat(5): magic,
 * version, endianness, size of long, page size.
 */
static int check_header(const char *file)
{
	static const char magic[] = "\x17\x08\x44tracing";
	const size_t len = sizeof(magic) - 1;
	char head[64] = "";
	u32 page_size;
	struct stat st;
	size_t got, at;
	FILE *f;

	f = fopen(file, "re");
	if (!f)
		return vvar_err("%s: %s", file, strerror(errno));
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
		fclose(f);
		return vvar_err("%s: not a regular file", file);
	}
	got = fread(head, 1, sizeof(head), f);
	fclose(f);
	if (!got)
		return vvar_err("%s: empty file, not a trace.dat", file);
	if (got < len || memcmp(head, magic, len)) {
		vvar_err("%s: not a trace.dat: it does not begin as trace-cmd(1) or vvar-latency record write it",
			 file);
		return -1;
	}
	at = len + strnlen(head + len, sizeof(head) - len) + 1;
	if (at + 6 > got)
		return vvar_err("%s: truncated in its header, after %zu bytes", file,
				got);
	if (head[at] != tep_is_bigendian()) {
		vvar_err("%s: recorded on a %s-endian machine, this reader is for %s-endian ones: read it on such a machine",
			 file, head[at] ? "big" : "little",
			 head[at] ? "little" : "big");
		return -1;
	}
	if (head[at + 1] != sizeof(long))
		return vvar_err("%s: recorded with %d-byte longs, this reader knows %zu-byte ones",
				file, head[at + 1], sizeof(long));
	memcpy(&page_size, head + at + 2, sizeof(page_size));
	if (page_size != (u32)sysconf(_SC_PAGESIZE)) {
		vvar_err("%s: recorded with pages of %u bytes, this reader is for pages of %ld: read it on such a machine",
			 file, page_size, sysconf(_SC_PAGESIZE));
		return -1;
	}
	return 0;
}

/* Faults before @t->nr that are of vvar or vDSO? */
static size_t count_ours(const struct trace *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->nr; i++)
		n += !!t->faults[i].area;
	return n;
}

static int check_result(const struct reader *r, const char *file)
{
	const struct trace *t = r->t;

	if (!t->events)
		return vvar_err("%s: an empty trace: no events were recorded", file);
	if (!r->ev[EV_FAULT] || !r->seen[EV_FAULT]) {
		vvar_err("%s: %llu events, but no exceptions:page_fault_user among them: record with 'vvar-latency record', or trace-cmd record -e exceptions:page_fault_user",
			 file, t->events);
		return -1;
	}
	if (!r->ev[EV_DONE] && !r->ev[EV_VVAR]) {
		vvar_err("%s: the end of a fault was not recorded: neither vvar:vvar_fault nor vvar_latency:fault_done is known there: record with 'vvar-latency record'",
			 file);
		return -1;
	}
	if (!r->seen[EV_DONE] && !r->seen[EV_VVAR]) {
		vvar_err("%s: %llu faults begin and none ends: neither vvar:vvar_fault nor vvar_latency:fault_done was enabled",
			 file, r->seen[EV_FAULT]);
		return -1;
	}
	if (t->populated && !r->seen[EV_VVAR]) {
		vvar_err("%s: %llu user faults, none of vvar or vDSO: %llu mappings were populated when they were made; boot with vvar.populate=0 to see faults",
			 file, t->user_faults, t->populated);
		return -1;
	}
	if (t->patched && !r->seen[EV_VVAR]) {
		vvar_err("%s: %llu user faults of a kernel that has vvar:vvar_fault, but that was not enabled, or never fired: record with 'vvar-latency record'",
			 file, t->user_faults);
		return -1;
	}
	if (!count_ours(t))
		return vvar_err("%s: %llu user faults, none of vvar or vDSO%s", file,
				t->user_faults, r->seen[EV_MAP] ? "" :
				" (and no mappings were recorded to tell them by)");
	return 0;
}

/* Where record did not say it, the clock of the file does */
static int set_unit(struct reader *r, const char *file)
{
	struct trace *t = r->t;
	const char *unit;

	if (r->clocks)
		return vvar_err("%s: its buffers have different clocks, one of them '%s': record with one",
				file, r->clock);
	if (*t->unit)
		return 0;
	unit = clock_unit(r->clock ?: "");
	if (!unit)
		return vvar_err("%s: recorded with the clock '%s', which is no time: record with 'local'",
				file, r->clock);
	snprintf(t->unit, sizeof(t->unit), "%s", unit);
	return 0;
}

/* From what the trace shows to what user space would see untraced */
static void take_off_costs(struct trace *t)
{
	size_t i;

	for (i = 0; i < t->nr; i++) {
		struct fault *f = &t->faults[i];
		s64 cost = (f->retries ? t->cost_retried : t->cost_fault) +
			   (f->event ? t->cost_event : 0);

		t->clamped += f->area && (s64)f->lat < cost;
		f->lat = (s64)f->lat > cost ? f->lat - cost : 0;
	}
}

int trace_read(struct trace *t, const char *file, unsigned int top, bool all,
	       bool raw)
{
	struct tracecmd_input *in, **handles = NULL;
	struct reader r = { .t = t, .nr_top = top, .all = all };
	int i, n, ret = -1;
	enum event_id ev;

	t->label = file;
	if (check_header(file))
		return -1;

	in = tracecmd_open(file, TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!in)
		return vvar_err("%s: damaged or truncated: libtracecmd cannot read it",
				file);
	r.tep = tracecmd_get_tep(in);
	/* check_header() saw to it; tep_get_page_size() does not know it */
	t->page_size = sysconf(_SC_PAGESIZE);
	for (ev = 0; ev < NR_EV; ev++)
		r.ev[ev] = tep_find_event_by_name(r.tep, ev_names[ev].system,
						  ev_names[ev].name);
	t->patched = r.ev[EV_VVAR];
	t->probed = r.ev[EV_DONE];
	t->moves_seen = r.ev[EV_MOVED];
	r.nr_cpus = tep_get_cpus(r.tep);
	r.cpus = must(calloc(r.nr_cpus ?: 1, sizeof(*r.cpus)));
	r.top = must(calloc(top ?: 1, sizeof(*r.top)));

	/* The top buffer, and those of instances */
	n = tracecmd_buffer_instances(in);
	handles = must(calloc(n + 1, sizeof(*handles)));
	handles[0] = in;
	for (i = 0; i < n; i++) {
		handles[i + 1] = tracecmd_buffer_instance_handle(in, i);
		if (!handles[i + 1]) {
			vvar_err("%s: damaged or truncated: its buffer '%s' cannot be read",
				 file, tracecmd_buffer_instance_name(in, i));
			goto out;
		}
	}
	if (tracecmd_iterate_events_multi(handles, n + 1, on_record, &r)) {
		vvar_err("%s: damaged: libtracecmd stopped after %llu events",
			 file, t->events);
		goto out;
	}
	if (set_unit(&r, file))
		goto out;
	t->calibrated &= r.nr_calib[0] && r.nr_calib[1];
	for (i = 0; t->calibrated && i < 2; i++) {
		s64 *cost = i ? &t->cost_retried : &t->cost_fault;

		qsort(r.calib[i], r.nr_calib[i], sizeof(**r.calib), cmp_u64);
		*cost = (s64)percentile(r.calib[i], r.nr_calib[i], 50) -
			r.untraced[i];
	}
	t->calibrated &= !raw;
	if (t->calibrated)
		take_off_costs(t);
	ret = check_result(&r, file);
out:
	for (i = 1; i <= n; i++)
		if (handles[i])
			tracecmd_close(handles[i]);
	free(handles);
	tracecmd_close(in);
	for (i = 0; i < TASK_BUCKETS; i++) {
		while (r.tasks[i]) {
			struct task *next = r.tasks[i]->next;

			t->unfinished += r.tasks[i]->open && t->probed;
			drop_notes(r.tasks[i]);
			drop_mm(r.tasks[i]);
			free(r.tasks[i]);
			r.tasks[i] = next;
		}
	}
	free(r.cpus);
	free(r.top);
	free(r.calib[0]);
	free(r.calib[1]);
	return ret;
}

void trace_free(struct trace *t)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		free(t->faults[i].notes);
	free(t->faults);
	for (i = 0; i < t->nr_replaces; i++) {
		free(t->replaces[i].grace);
		free(t->replaces[i].mappings);
	}
	free(t->replaces);
	for (i = 0; i < t->nr_env; i++) {
		free(t->env[i].name);
		free(t->env[i].value);
	}
	free(t->env);
}
