// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what vvar-lines-plugin.so has recorded: how many lines of memory do two
 * CPUs fight over when each does the same thing, in a process of its own?
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "vvar-lines-plugin.h"

static const char usage[] =
"usage: vvar-lines [--json|--tsv] [--all] [--unnamed] [--warm N]\n"
"                  [--ns-line NS] [--ns-insn NS] LABEL=PREFIX...\n"
"\n"
"PREFIX.lines is what the plugin has recorded, PREFIX.names what the program has\n"
"printed, PREFIX.map the System.map, PREFIX.types (it need not be there) members of\n"
"types, by offset. Of one label the first that has an operation counts.\n"
"\n"
"  --all      every line by name, with the functions that touch it\n"
"  --unnamed  operations without a name, too\n"
"  --warm     rounds that do not count (default 2)\n"
"  --ns-line, --ns-insn\n"
"             what a line that another CPU has costs, and an instruction (100, 0.3)\n";

#define die(...)	errx(2, __VA_ARGS__)

#define READ	1
#define WRITTEN	2
#define OURS	4
#define OTHERS	8

#define NODE_SIZE	0x4000	/* of struct pglist_data, at least */

struct touched {
	u64	nr, vaddr;
	u8	how;
	char	*fns;
};

struct hold {
	u64	nr, vaddr, insns;
	const char *fn;
	u64	*lines;
	u32	n;
};

struct inst {
	int	group, op;
	unsigned int cpu;
	u64	insns;
	struct touched *line;
	struct hold *hold;
	u32	n, nr_holds;
};

struct slab {
	u64	pfn, first;
	char	cache[48];
	u32	size;
};

struct percpu {
	unsigned int cpu;
	u64	offset;
};

/* What a kernel type has at an offset */
struct member {
	char	type[48], name[48];
	u64	offset;
};

struct op {
	int	group, op, with;
	long	expect;
	char	name[80];
};

/* One boot */
struct run {
	const char *label, *prefix;
	struct inst *inst;
	struct slab *slab;
	struct percpu *cpu;
	struct op *op;
	u64	*made;		/* addresses in our objects, then lines of theirs */
	u64	vmemmap, node;
	u32	nr_inst, nr_slabs, nr_cpus, nr_ops, nr_made;
	bool	complete;
	struct sym *syms;
	struct member *member;	/* sorted */
	u32	nr_syms, nr_members;
	struct {
		u64 nr;
		char name[64];
	} lock[32];
	u32	nr_locks;
};

/* A line that is shared in some round */
struct common {
	u64	nr, vaddr;
	u32	rounds;
	bool	ours;
	const struct touched *a, *b;
};

struct lock_sum {
	u64	nr, vaddr;
	u32	taken;
	double	insns, lines;
	bool	ours, common;
};

/* What one operation of one label comes to */
struct row {
	const struct run *run;
	const struct op *op;
	u32	rounds;
	u32	*count;		/* of each round, sorted */
	u32	ours_max;
	struct common *line;
	u32	n;
	struct lock_sum *lock;
	u32	nr_locks;
	double	insns;
};

static unsigned int warm = 2;
static double ns_line = 100, ns_insn = 0.3;

static void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

/* One more in an array of @n, which grows by powers of two */
static void *more(void *array, u32 *n, size_t size)
{
	char *p;

	memcpy(&p, array, sizeof(p));
	if (!(*n & (*n - 1)) && (!*n || *n >= 16)) {
		p = must(realloc(p, (*n < 16 ? 16 : 2 * (size_t)*n) * size));
		memcpy(array, &p, sizeof(p));
	}
	return p + (*n)++ * size;
}

#define MORE(array, n)	\
	((__typeof__(array))more(&(array), &(n), sizeof((array)[0])))

/* ---- reading ---- */

static int by_nr(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x == y ? 0 : x < y ? -1 : 1;
}

static void read_record(struct run *r, char *s, char **end)
{
	struct inst *i = r->nr_inst ? &r->inst[r->nr_inst - 1] : NULL;
	struct touched *t;
	struct slab *slab;
	struct percpu *cpu;
	struct hold *h;
	char *word;

	switch (*s) {
	case 'B':
		i = MORE(r->inst, r->nr_inst);
		memset(i, 0, sizeof(*i));
		if (sscanf(s, "B %d %d %u", &i->group, &i->op, &i->cpu) != 3)
			break;
		return;
	case 'L':
		if (!i)
			break;
		t = MORE(i->line, i->n);
		t->nr = strtoull(s + 2, end, 16) >> 6;
		t->vaddr = strtoull(*end, end, 16);
		t->how = strtoul(*end, end, 10);
		t->fns = must(strdup(**end ? *end + 1 : ""));
		return;
	case 'K':
		if (!i)
			break;
		h = MORE(i->hold, i->nr_holds);
		memset(h, 0, sizeof(*h));
		h->nr = strtoull(s + 2, end, 16) >> 6;
		h->vaddr = strtoull(*end, end, 16);
		h->insns = strtoull(*end, end, 10);
		word = strtok(*end, " ");
		h->fn = must(strdup(word ? word : ""));
		while ((word = strtok(NULL, " ")))
			*MORE(h->lines, h->n) = strtoull(word, NULL, 16) >> 6;
		return;
	case 'E':
		if (!i)
			break;
		i->insns = strtoull(s + 2, NULL, 10);
		qsort(i->line, i->n, sizeof(*i->line), by_nr);
		return;
	case 'F':
		return;
	case 'O':
		*MORE(r->made, r->nr_made) = strtoull(s + 2, NULL, 16);
		return;
	case 'P':
		slab = MORE(r->slab, r->nr_slabs);
		if (sscanf(s, "P %llx %llx %47s %u", &slab->pfn, &slab->first,
			   slab->cache, &slab->size) != 4)
			break;
		return;
	case 'C':
		cpu = MORE(r->cpu, r->nr_cpus);
		if (sscanf(s, "C %u %llx", &cpu->cpu, &cpu->offset) != 2)
			break;
		return;
	case 'M':
		r->vmemmap = strtoull(s + 2, NULL, 16);
		return;
	case 'N':
		r->node = strtoull(s + 2, NULL, 16);
		return;
	case 'Z':
		r->complete = true;
		return;
	case 'X':
		die("%s: %s", r->label, s + 2);
	}
	die("%s.lines: '%.60s': not a record", r->prefix, s);
}

static struct op *op_of(struct run *r, int group, int op)
{
	u32 i;

	for (i = 0; i < r->nr_ops; i++) {
		if (r->op[i].group == group && r->op[i].op == op)
			return &r->op[i];
	}
	return NULL;
}

static struct op *op_new(struct run *r, int group, int nr)
{
	struct op *op = MORE(r->op, r->nr_ops);

	memset(op, 0, sizeof(*op));
	op->group = group;
	op->op = nr;
	op->with = nr;
	op->expect = -1;
	return op;
}

static const struct slab *slab_of(const struct run *r, u64 paddr)
{
	u64 pfn = paddr >> 12;

	return bsearch(&pfn, r->slab, r->nr_slabs, sizeof(*r->slab), by_nr);
}

/* Objects that have been made become all lines that they are in */
static void extend_made(struct run *r)
{
	u64 *lines = NULL, at, last;
	u32 n = 0, i;

	for (i = 0; i < r->nr_made; i++) {
		const struct slab *s = slab_of(r, r->made[i]);

		at = r->made[i];
		last = at;
		if (s) {
			at -= (at - (s->first << 12)) % s->size;
			last = at + s->size - 1;
		}
		for (at >>= 6; at <= last >> 6; at++)
			*MORE(lines, n) = at;
	}
	if (n)
		qsort(lines, n, sizeof(*lines), by_nr);
	free(r->made);
	r->made = lines;
	r->nr_made = n;
}

/* "op G O NAME", "with G O O2", "expect G O N", "lock G O NAME" */
static void read_names(struct run *r)
{
	char file[4096], line[256], what[16], rest[80];
	int group, nr;
	struct op *op;
	FILE *f;
	u32 i, k;

	snprintf(file, sizeof(file), "%s.names", r->prefix);
	f = fopen(file, "re");
	if (!f)
		die("%s: %s", file, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%15s %d %d %79[^\n]", what, &group, &nr, rest) != 4)
			continue;
		if (!strcmp(what, "lock")) {
			/* The lock of an inode that was taken in it */
			for (i = 0; i < r->nr_inst; i++) {
				struct inst *in = &r->inst[i];

				for (k = 0; in->group == group && in->op == nr &&
				     k < in->nr_holds; k++) {
					const struct slab *s;

					s = slab_of(r, in->hold[k].nr << 6);
					if (!s || !strstr(s->cache, "inode") ||
					    r->nr_locks == 32)
						continue;
					r->lock[r->nr_locks].nr = in->hold[k].nr;
					snprintf(r->lock[r->nr_locks++].name, 64,
						 "%.63s", rest);
				}
			}
			continue;
		}
		op = op_of(r, group, nr);
		if (!strcmp(what, "op")) {
			if (op)
				die("%s: operation %d of group %d is named twice",
				    file, nr, group);
			op = op_new(r, group, nr);
			snprintf(op->name, sizeof(op->name), "%s", rest);
		} else if (op && !strcmp(what, "with")) {
			op->with = atoi(rest);
		} else if (op && !strcmp(what, "expect")) {
			op->expect = atol(rest);
		}
	}
	fclose(f);
}

static void name_all(struct run *r)
{
	u32 i;

	for (i = 0; i < r->nr_inst; i++) {
		const struct inst *in = &r->inst[i];
		struct op *op;

		if (op_of(r, in->group, in->op))
			continue;
		op = op_new(r, in->group, in->op);
		if (in->group)
			snprintf(op->name, sizeof(op->name), "operation %d of group %d",
				 in->op, in->group);
		else
			snprintf(op->name, sizeof(op->name), "operation %d", in->op);
	}
}

static int by_member(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int d = strcmp(x->type, y->type);

	return d ? d : x->offset == y->offset ? 0 : x->offset < y->offset ? -1 : 1;
}

static void read_types(struct run *r)
{
	char file[4096], line[256];
	FILE *f;

	snprintf(file, sizeof(file), "%s.types", r->prefix);
	f = fopen(file, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		struct member *m = MORE(r->member, r->nr_members);

		if (sscanf(line, "%47s %llu %47s", m->type, &m->offset, m->name) != 3)
			die("%s: '%.60s': not TYPE OFFSET MEMBER", file, line);
	}
	fclose(f);
	if (r->nr_members)
		qsort(r->member, r->nr_members, sizeof(*r->member), by_member);
}

static void run_read(struct run *r, char *arg)
{
	char file[4096], *line = NULL, *end, *eq = strchr(arg, '=');
	size_t room = 0;
	ssize_t len;
	FILE *f;

	memset(r, 0, sizeof(*r));
	if (!eq)
		die("'%s': not LABEL=PREFIX", arg);
	*eq = 0;
	r->label = arg;
	r->prefix = eq + 1;
	snprintf(file, sizeof(file), "%s.map", r->prefix);
	if (syms_read(file))
		exit(2);
	r->syms = syms;
	r->nr_syms = nr_syms;
	syms = NULL;
	snprintf(file, sizeof(file), "%s.lines", r->prefix);
	f = fopen(file, "re");
	if (!f)
		die("%s: %s", file, strerror(errno));
	while ((len = getline(&line, &room, f)) > 0) {
		if (line[len - 1] != '\n')
			die("%s: ends within a record", file);
		line[len - 1] = 0;
		read_record(r, line, &end);
	}
	free(line);
	fclose(f);
	if (!r->complete)
		die("%s: %s ends before VVAR_LINES_STOP()", r->label, file);
	if (r->nr_slabs)
		qsort(r->slab, r->nr_slabs, sizeof(*r->slab), by_nr);
	extend_made(r);
	read_names(r);
	read_types(r);
}

/* ---- names of lines ---- */

static void select_syms(const struct run *r)
{
	syms = r->syms;
	nr_syms = r->nr_syms;
}

static const char *data_name(u64 vaddr, bool offset, char *buf, size_t size)
{
	u32 s = syms_at(vaddr);

	if (s == nr_syms)
		return "?";
	if (offset && vaddr != syms[s].addr)
		snprintf(buf, size, "%s+0x%llx", syms[s].name,
			 vaddr - syms[s].addr);
	else
		snprintf(buf, size, "%s", syms[s].name);
	return buf;
}

/* Caches that are not called like their type */
static const char *const type_of[][2] = {
	{ "cred_jar", "cred" },
	{ "files_cache", "files_struct" },
	{ "filp", "file" },
	{ "fs_cache", "fs_struct" },
	{ "inode_cache", "inode" },
	{ "sighand_cache", "sighand_struct" },
	{ "signal_cache", "signal_struct" },
};

/* The member that begins last, up to @offset; NULL where the type is not known */
static const char *member_at(const struct run *r, const char *type, u64 offset)
{
	const struct member *found = NULL;
	u32 i;

	for (i = 0; i < sizeof(type_of) / sizeof(*type_of); i++) {
		if (!strcmp(type_of[i][0], type))
			type = type_of[i][1];
	}
	for (i = 0; i < r->nr_members; i++) {
		const struct member *m = &r->member[i];

		if (!strcmp(m->type, type) && m->offset <= offset)
			found = m;
	}
	return found ? found->name : NULL;
}

/* The member that is touched first of a line; NULL where it is not known */
static const char *line_member(const struct run *r, u64 nr, u64 vaddr)
{
	const struct slab *s = slab_of(r, nr << 6);
	u64 paddr = nr << 6 | (vaddr & 63);

	if (r->vmemmap && vaddr >= r->vmemmap && vaddr < r->vmemmap + (1ULL << 40))
		return member_at(r, "page", vaddr & 63);
	if (s)
		return member_at(r, s->cache, (paddr - (s->first << 12)) % s->size);
	if (r->node && paddr - r->node < NODE_SIZE)
		return member_at(r, "pglist_data", paddr - r->node);
	return NULL;
}

static void object_name(const struct run *r, u64 nr, u64 vaddr, bool offset,
			char *buf, size_t size)
{
	const struct slab *s = slab_of(r, nr << 6);
	u64 first, last, paddr = nr << 6 | (vaddr & 63);
	char sym[128];
	u32 i;

	select_syms(r);
	first = syms_addr("__per_cpu_start");
	last = syms_addr("__per_cpu_end");
	for (i = 0; i < r->nr_locks; i++) {
		if (r->lock[i].nr == nr) {
			snprintf(buf, size, "%s", r->lock[i].name);
			return;
		}
	}
	for (i = 0; i < r->nr_cpus; i++) {
		u64 at = vaddr - r->cpu[i].offset;

		if (at >= first && at < last) {
			snprintf(buf, size, "CPU %u's %s", r->cpu[i].cpu,
				 data_name(at, offset, sym, sizeof(sym)));
			return;
		}
		/* The first chunk; where the next CPU's begins, this one's ends */
		if (at >= last && r->nr_cpus > 1 &&
		    at - first < r->cpu[1].offset - r->cpu[0].offset) {
			snprintf(buf, size, "CPU %u's dynamic per-CPU data",
				 r->cpu[i].cpu);
			return;
		}
	}
	if (vaddr >= 0xffffffff80000000ULL) {
		data_name(vaddr, offset, buf, size);
	} else if (r->vmemmap && vaddr >= r->vmemmap &&
		   vaddr < r->vmemmap + (1ULL << 40)) {
		u64 pfn = (vaddr - r->vmemmap) / 64;
		u64 data = 0xffffffff80000000ULL + (pfn << 12);

		s = slab_of(r, pfn << 12);
		if (syms_at(data) < nr_syms &&
		    data < syms_addr("_end") && data >= syms_addr("_text"))
			snprintf(buf, size, "struct page of %s",
				 data_name(data, offset, sym, sizeof(sym)));
		else if (s)
			snprintf(buf, size, "struct slab of %s", s->cache);
		else if (offset)
			snprintf(buf, size, "struct page %llx", pfn);
		else
			snprintf(buf, size, "struct page");
	} else if (s) {
		if (offset)
			snprintf(buf, size, "%s+0x%llx", s->cache,
				 (paddr - (s->first << 12)) % s->size);
		else
			snprintf(buf, size, "%s", s->cache);
	} else if (r->node && paddr - r->node < NODE_SIZE) {
		if (offset)
			snprintf(buf, size, "pglist_data+0x%llx", paddr - r->node);
		else
			snprintf(buf, size, "pglist_data (zones)");
	} else if (!(vaddr >> 63)) {
		snprintf(buf, size, offset ? "user %llx" : "user", vaddr);
	} else {
		snprintf(buf, size, offset ? "0x%llx" : "unnamed", nr << 6);
	}
}

/* @offset: where in it, too, and the member that is there */
static void line_name(const struct run *r, u64 nr, u64 vaddr, bool offset,
		      char *buf, size_t size)
{
	const char *member = offset ? line_member(r, nr, vaddr) : NULL;
	size_t n;

	object_name(r, nr, vaddr, offset, buf, size);
	n = strlen(buf);
	if (member)
		snprintf(buf + n, size - n, " %s", member);
}

static bool is_our_name(const char *name)
{
	return !strncmp(name, "vvar_", 5) || !strncmp(name, "vdso_", 5) ||
	       !strcmp(name, "raw_data");
}

/* By address: in an object that vvar_file*() made, in our static data, or the struct
 * page of a page of ours.
 */
static bool line_in_ours(const struct run *r, u64 nr, u64 vaddr)
{
	u64 at = vaddr & ~63ULL;
	u32 s;

	if (bsearch(&nr, r->made, r->nr_made, sizeof(*r->made), by_nr))
		return true;
	select_syms(r);
	if (r->vmemmap && vaddr >= r->vmemmap && vaddr < r->vmemmap + (1ULL << 40)) {
		at = 0xffffffff80000000ULL + ((at - r->vmemmap) / 64 << 12);
		s = syms_at(at);
		return s < nr_syms && at < syms_addr("_end") &&
		       is_our_name(syms[s].name);
	}
	if (at < 0xffffffff80000000ULL)
		return false;
	for (s = syms_at(at); s < nr_syms && syms[s].addr < at + 64; s++) {
		if (is_our_name(syms[s].name))
			return true;
	}
	return false;
}

/* ---- comparing ---- */

static const struct inst *nth(const struct run *r, int group, int op,
			      unsigned int cpu, u32 n)
{
	u32 i;

	for (i = 0; i < r->nr_inst; i++) {
		const struct inst *in = &r->inst[i];

		if (in->group == group && in->op == op && in->cpu == cpu && !n--)
			return in;
	}
	return NULL;
}

/* The next @op on another CPU than @a's */
static const struct inst *next_on_other(const struct run *r, const struct inst *a,
					int op)
{
	const struct inst *b;

	for (b = a + 1; b < r->inst + r->nr_inst; b++) {
		if (b->group == a->group && b->op == op && b->cpu != a->cpu)
			return b;
	}
	return NULL;
}

static bool touched_under_ours(const struct run *r, const struct inst *i, u64 nr)
{
	u32 k, l;

	for (k = 0; k < i->nr_holds; k++) {
		if (!bsearch(&i->hold[k].nr, r->made, r->nr_made,
			     sizeof(*r->made), by_nr))
			continue;
		for (l = 0; l < i->hold[k].n; l++) {
			if (i->hold[k].lines[l] == nr)
				return true;
		}
	}
	return false;
}

static void add_locks(struct row *row, const struct inst *a, const u64 *shared,
		      u32 n)
{
	struct lock_sum *s;
	u32 i, k;

	for (i = 0; i < a->nr_holds; i++) {
		const struct hold *h = &a->hold[i];

		for (k = 0; k < row->nr_locks && row->lock[k].vaddr != h->vaddr; k++)
			;
		if (k == row->nr_locks) {
			s = MORE(row->lock, row->nr_locks);
			memset(s, 0, sizeof(*s));
			s->nr = h->nr;
			s->vaddr = h->vaddr;
			s->ours = bsearch(&h->nr, row->run->made,
					  row->run->nr_made, sizeof(u64), by_nr);
		}
		s = &row->lock[k];
		s->taken++;
		s->insns += h->insns;
		s->common |= !!bsearch(&h->nr, shared, n, sizeof(u64), by_nr);
		for (k = 0; k < h->n; k++)
			s->lines += !!bsearch(&h->lines[k], shared, n,
					      sizeof(u64), by_nr);
	}
}

/* Without us, the operation would not have touched it */
static bool ours_alone(const struct touched *t)
{
	return (t->how & (OURS | OTHERS)) == OURS;
}

static void add_round(struct row *row, const struct inst *a, const struct inst *b)
{
	const struct run *r = row->run;
	u64 *shared = NULL;
	u32 i = 0, k = 0, n = 0, ours = 0, l;

	while (i < a->n && k < b->n) {
		const struct touched *x = &a->line[i], *y = &b->line[k];
		struct common *c;
		bool is_ours;

		if (x->nr != y->nr) {
			x->nr < y->nr ? i++ : k++;
			continue;
		}
		i++;
		k++;
		if (!((x->how | y->how) & WRITTEN))
			continue;
		is_ours = ours_alone(x) || ours_alone(y) ||
			  line_in_ours(r, x->nr, x->vaddr) ||
			  touched_under_ours(r, a, x->nr) ||
			  touched_under_ours(r, b, x->nr);
		ours += is_ours;
		*MORE(shared, n) = x->nr;
		for (l = 0; l < row->n && row->line[l].nr != x->nr; l++)
			;
		if (l == row->n) {
			c = MORE(row->line, row->n);
			memset(c, 0, sizeof(*c));
			c->nr = x->nr;
			c->vaddr = x->vaddr;
		}
		c = &row->line[l];
		c->a = x;
		c->b = y;
		c->rounds++;
		c->ours |= is_ours;
	}
	*MORE(row->count, row->rounds) = n;
	if (ours > row->ours_max)
		row->ours_max = ours;
	row->insns += a->insns;
	add_locks(row, a, shared, n);
	free(shared);
}

static int by_count(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x == y ? 0 : x < y ? -1 : 1;
}

static void row_make(struct row *row, const struct run *r, const struct op *op)
{
	unsigned int cpu[2] = { -1, -1 };
	const struct inst *a, *b;
	u32 i, n;

	memset(row, 0, sizeof(*row));
	row->run = r;
	row->op = op;
	for (i = 0; i < r->nr_inst; i++) {
		a = &r->inst[i];
		if (a->group != op->group || a->op != op->op || a->cpu == cpu[0])
			continue;
		if (cpu[0] == (unsigned int)-1)
			cpu[0] = a->cpu;
		else if (cpu[1] == (unsigned int)-1)
			cpu[1] = a->cpu;
	}
	if (cpu[0] == (unsigned int)-1)
		die("%s: '%s' (operation %d of group %d) was never reached",
		    r->label, op->name, op->op, op->group);
	if (op->with == op->op && cpu[1] == (unsigned int)-1)
		die("%s: '%s' ran on CPU %u alone: there is nothing to compare it with",
		    r->label, op->name, cpu[0]);
	for (n = warm; ; n++) {
		a = nth(r, op->group, op->op, cpu[0], n);
		if (!a)
			break;
		b = op->with == op->op ? nth(r, op->group, op->op, cpu[1], n) :
					 next_on_other(r, a, op->with);
		if (b)
			add_round(row, a, b);
	}
	if (!row->rounds)
		die("%s: '%s' has no more than the %u rounds that --warm drops",
		    r->label, op->name, warm);
	qsort(row->count, row->rounds, sizeof(*row->count), by_count);
}

static u32 median(const struct row *row)
{
	return row->count[(row->rounds - 1) / 2];
}

/* Lines that are shared in at least half of the rounds */
static bool usual(const struct row *row, const struct common *c)
{
	return 2 * c->rounds >= row->rounds;
}

static u32 ours_of(const struct row *row)
{
	u32 i, n = 0;

	for (i = 0; i < row->n; i++)
		n += row->line[i].ours && usual(row, &row->line[i]);
	return n;
}

/* ---- printing ---- */

struct named {
	char	name[128];
	const char *member[16];
	u32	n, nr_members;
	bool	ours;
};

static void add_member(struct named *m, const char *member)
{
	u32 i;

	for (i = 0; i < m->nr_members; i++) {
		if (!strcmp(m->member[i], member))
			return;
	}
	if (m->nr_members < sizeof(m->member) / sizeof(*m->member))
		m->member[m->nr_members++] = member;
}

static int by_number(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->name, y->name);
}

static u32 names_of(const struct row *row, struct named **names)
{
	char name[128];
	u32 n = 0, i, k;

	*names = NULL;
	for (i = 0; i < row->n; i++) {
		const struct common *c = &row->line[i];
		const char *member;
		struct named *m;

		if (!usual(row, c))
			continue;
		member = line_member(row->run, c->nr, c->vaddr);
		line_name(row->run, c->nr, c->vaddr, false, name, sizeof(name));
		for (k = 0; k < n && (strcmp((*names)[k].name, name) ||
				      (*names)[k].ours != c->ours); k++)
			;
		if (k == n) {
			m = MORE(*names, n);
			snprintf(m->name, sizeof(m->name), "%s", name);
			m->n = 0;
			m->nr_members = 0;
			m->ours = c->ours;
		}
		(*names)[k].n++;
		if (member)
			add_member(&(*names)[k], member);
	}
	if (n)
		qsort(*names, n, sizeof(**names), by_number);
	return n;
}

static void print_names(const struct row *row)
{
	struct named *names;
	u32 n = names_of(row, &names), i, k;

	printf("  %-12s", row->run->label);
	for (i = 0; i < n && i < 8; i++) {
		const struct named *m = &names[i];

		printf("%s%s%s %u", i ? ", " : "", m->ours ? "*" : "", m->name, m->n);
		for (k = 0; k < m->nr_members && k < 3; k++)
			printf("%s%s", k ? " " : " (", m->member[k]);
		if (k)
			fputs(m->nr_members > k ? " ...)" : ")", stdout);
	}
	if (n > 8)
		printf(", %u more", n - 8);
	puts(n ? "" : "-");
	free(names);
}

static void print_all(const struct row *row)
{
	char name[160];
	u32 i;

	printf("\n%s, %s: lines in at least half of %u rounds (* ours)\n",
	       row->op->name, row->run->label, row->rounds);
	for (i = 0; i < row->n; i++) {
		const struct common *c = &row->line[i];

		if (!usual(row, c))
			continue;
		line_name(row->run, c->nr, c->vaddr, true, name, sizeof(name));
		printf("%c %-44s %s%s/%s%s %s\n", c->ours ? '*' : ' ', name,
		       c->a->how & READ ? "r" : "", c->a->how & WRITTEN ? "w" : "",
		       c->b->how & READ ? "r" : "", c->b->how & WRITTEN ? "w" : "",
		       c->a->fns);
	}
}

static const struct row *row_of(const struct row *rows, u32 n, const char *label,
				const char *name)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (!strcmp(rows[i].run->label, label) &&
		    !strcmp(rows[i].op->name, name))
			return &rows[i];
	}
	return NULL;
}

static double hold_ns(const struct lock_sum *l)
{
	return l->insns * ns_insn + l->lines * ns_line;
}

static int by_hold(const void *a, const void *b)
{
	const struct lock_sum *x = a, *y = b;
	double d = hold_ns(y) - hold_ns(x);

	return d > 0 ? 1 : d < 0 ? -1 : 0;
}

/* One operation, or two that make one: their locks, for one of each */
static u32 locks_of(const struct row *a, const struct row *b, struct lock_sum **sum)
{
	const struct row *rows[] = { a, b };
	u32 n = 0, i, k, j;

	*sum = NULL;
	for (i = 0; i < 2 && rows[i]; i++) {
		for (k = 0; k < rows[i]->nr_locks; k++) {
			const struct lock_sum *l = &rows[i]->lock[k];
			struct lock_sum *s;

			if (!l->common && !l->ours)
				continue;
			for (j = 0; j < n && (*sum)[j].vaddr != l->vaddr; j++)
				;
			if (j == n) {
				s = MORE(*sum, n);
				*s = *l;
				s->taken = 0;
				s->insns = 0;
				s->lines = 0;
			}
			s = &(*sum)[j];
			/* Hundredths, so that what is taken now and then shows */
			s->taken += l->taken * 100 / rows[i]->rounds;
			s->insns += l->insns / rows[i]->rounds;
			s->lines += l->lines / rows[i]->rounds;
		}
	}
	if (n)
		qsort(*sum, n, sizeof(**sum), by_hold);
	return n;
}

static void print_paper(const struct row *rows, u32 nr, const char *label,
			const char *what, const char *first, const char *second)
{
	const struct row *a = row_of(rows, nr, label, first);
	const struct row *b = second ? row_of(rows, nr, label, second) : NULL;
	struct lock_sum *locks;
	char name[128];
	u32 n, i, shown = 0;

	if (!a || (second && !b))
		return;
	n = locks_of(a, b, &locks);
	for (i = 0; i < n; i++) {
		const struct lock_sum *l = &locks[i];

		line_name(a->run, l->nr, l->vaddr, true, name, sizeof(name));
		/* The five longest, and two that every fork is known to meet */
		if (shown >= 5 && !l->ours && strncmp(name, "tasklist_lock", 13) &&
		    strncmp(name, "pidmap_lock", 11))
			continue;
		printf("%-18s %-12s %s%-38s %6.2f %8.0f %7.1f %8.0f %8.2f\n", what,
		       label, l->ours ? "*" : " ", l->ours ? "vvar's i_mmap_rwsem" : name,
		       l->taken / 100.0, l->insns, l->lines, hold_ns(l),
		       1000 / hold_ns(l));
		shown += !l->ours;
	}
	free(locks);
}

static void print_text(const struct row *rows, u32 n, const struct run *runs,
		       u32 nr_runs, bool all)
{
	const char *labels[8];
	u32 nr_labels = 0, i, k;

	for (i = 0; i < nr_runs; i++) {
		for (k = 0; k < nr_labels && strcmp(labels[k], runs[i].label); k++)
			;
		if (k == nr_labels && nr_labels < 8)
			labels[nr_labels++] = runs[i].label;
	}
	printf("Lines of 64 bytes that one writes and the other touches (of them ours)\n%-36s",
	       "");
	for (k = 0; k < nr_labels; k++)
		printf(" %18s", labels[k]);
	putchar('\n');
	for (i = 0; i < n; i++) {
		/* Where it comes first, all labels */
		for (k = 0; k < i && strcmp(rows[k].op->name, rows[i].op->name); k++)
			;
		if (k < i)
			continue;
		printf("%-36s", rows[i].op->name);
		for (k = 0; k < nr_labels; k++) {
			const struct row *r = row_of(rows, n, labels[k],
						     rows[i].op->name);
			char cell[32] = "";

			if (r)
				snprintf(cell, sizeof(cell), "%u (%u)", median(r),
					 ours_of(r));
			printf(" %18s", cell);
		}
		putchar('\n');
	}
	puts("\nWhich they are, in at least half of the rounds (* ours)");
	for (i = 0; i < n; i++) {
		for (k = 0; k < i && strcmp(rows[k].op->name, rows[i].op->name); k++)
			;
		if (k < i)
			continue;
		printf("%s\n", rows[i].op->name);
		for (k = i; k < n; k++) {
			if (!strcmp(rows[k].op->name, rows[i].op->name))
				print_names(&rows[k]);
		}
	}
	for (k = 0; k < nr_labels && !row_of(rows, n, labels[k], "fork"); k++)
		;
	if (k < nr_labels)
		printf("\nOn paper: what one operation does under each lock, and how many a second a machine\n"
	       "can do for its sake, however many CPUs it has: %.1f ns an instruction, %.0f ns a shared\n"
	       "line. (* ours)\n"
	       "%-18s %-12s  %-38s %6s %8s %7s %8s %8s\n", ns_insn, ns_line,
	       "", "", "lock", "taken", "insns", "lines", "ns", "M/s");
	for (k = 0; k < nr_labels; k++) {
		print_paper(rows, n, labels[k], "fork+exit+reap", "fork", "exit");
		print_paper(rows, n, labels[k], "the same, prefork", "fork, prefork",
			    "exit, prefork");
		print_paper(rows, n, labels[k], "exec", "exec to first timestamp", NULL);
	}
	for (i = 0; all && i < n; i++)
		print_all(&rows[i]);
}

static void print_tsv(const struct row *rows, u32 n)
{
	u32 i;

	puts("label\toperation\trounds\tmedian\tmin\tmax\tours\tours_max\texpected\tinsns");
	for (i = 0; i < n; i++)
		printf("%s\t%s\t%u\t%u\t%u\t%u\t%u\t%u\t%ld\t%.0f\n",
		       rows[i].run->label, rows[i].op->name, rows[i].rounds,
		       median(&rows[i]), rows[i].count[0],
		       rows[i].count[rows[i].rounds - 1], ours_of(&rows[i]),
		       rows[i].ours_max, rows[i].op->expect,
		       rows[i].insns / rows[i].rounds);
}

static void print_json(const struct row *rows, u32 n)
{
	json_t *top = json_array();
	char name[160];
	u32 i, k;

	for (i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		json_t *lines = json_array(), *locks = json_array();

		for (k = 0; k < r->n; k++) {
			const struct common *c = &r->line[k];

			line_name(r->run, c->nr, c->vaddr, true, name, sizeof(name));
			json_array_append_new(lines, json_pack("{s:s, s:i, s:b, s:s}",
							       "name", name, "rounds",
							       (int)c->rounds, "ours",
							       c->ours, "functions",
							       c->a->fns));
		}
		for (k = 0; k < r->nr_locks; k++) {
			const struct lock_sum *l = &r->lock[k];

			if (!l->common && !l->ours)
				continue;
			line_name(r->run, l->nr, l->vaddr, true, name, sizeof(name));
			json_array_append_new(locks,
					      json_pack("{s:s, s:b, s:f, s:f, s:f}",
							"name", name, "ours", l->ours,
							"taken", (double)l->taken / r->rounds,
							"instructions", l->insns / r->rounds,
							"lines", l->lines / r->rounds));
		}
		json_array_append_new(top,
				      json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o}",
						"label", r->run->label,
						"operation", r->op->name,
						"rounds", (int)r->rounds,
						"median", (int)median(r),
						"min", (int)r->count[0],
						"max", (int)r->count[r->rounds - 1],
						"ours", (int)ours_of(r),
						"ours_max", (int)r->ours_max,
						"lines", lines, "locks", locks));
	}
	json_dumpf(top, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(top);
}

static double number(const char *option, const char *s)
{
	char *end;
	double v = s ? strtod(s, &end) : -1;

	if (!s || end == s || *end || v < 0)
		die("%s %s: not a number", option, s ? s : "");
	return v;
}

int main(int argc, char **argv)
{
	bool json = false, tsv = false, all = false, unnamed = false;
	struct run *runs = NULL;
	struct row *rows = NULL;
	u32 nr_runs = 0, n = 0, k;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--tsv")) {
			tsv = true;
		} else if (!strcmp(argv[i], "--all")) {
			all = true;
		} else if (!strcmp(argv[i], "--unnamed")) {
			unnamed = true;
		} else if (!strcmp(argv[i], "--warm")) {
			warm = number("--warm", argv[i + 1]);
			i++;
		} else if (!strcmp(argv[i], "--ns-line")) {
			ns_line = number("--ns-line", argv[i + 1]);
			i++;
		} else if (!strcmp(argv[i], "--ns-insn")) {
			ns_insn = number("--ns-insn", argv[i + 1]);
			i++;
		} else {
			fputs(usage, strcmp(argv[i], "--help") ? stderr : stdout);
			return strcmp(argv[i], "--help") ? 2 : 0;
		}
	}
	if (i >= argc) {
		fputs(usage, stderr);
		return 2;
	}
	runs = must(calloc(argc, sizeof(*runs)));
	for (; i < argc; i++)
		run_read(&runs[nr_runs++], argv[i]);
	for (k = 0; k < nr_runs; k++) {
		u32 o;

		if (unnamed)
			name_all(&runs[k]);
		if (!runs[k].nr_ops)
			die("%s: no operation was reached", runs[k].label);
		for (o = 0; o < runs[k].nr_ops; o++) {
			if (!row_of(rows, n, runs[k].label, runs[k].op[o].name)) {
				struct row *row = MORE(rows, n);

				row_make(row, &runs[k], &runs[k].op[o]);
			}
		}
	}
	if (json)
		print_json(rows, n);
	else if (tsv)
		print_tsv(rows, n);
	else
		print_text(rows, n, runs, nr_runs, all);
	return 0;
}
