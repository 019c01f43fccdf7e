// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that user space can find out about its vvar and vDSO mappings,
 * and how every mm system call on them ends, as text to compare between two
 * kernels line by line (scripts/check/conformance). Addresses, and device and inode
 * of real files, are left out; all else is literal.
 *
 * "# " begins what may differ: it depends on how much one fault maps.
 * "improvement: " begins reads of pages with nothing behind them, which give
 * SIGBUS or EFAULT without vvar areas and zeros with them, and a debugger's reads
 * of all of [vvar], which give EIO without.
 *
 * A 64-bit program has each image in turn. Built for 32 bits, it has the image
 * of its exec, by compat system calls.
 *
 * A test of the KTAP output passes if what it is about could be observed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>

#include "../kselftest.h"
#include "areas.h"
#include "ring.h"

#ifndef PROCMAP_QUERY
#error "needs the kernel's own headers: make headers, or KHDR_INCLUDES"
#endif

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#ifdef __i386__
#define Elf_Ehdr	Elf32_Ehdr
#define Elf_Nhdr	Elf32_Nhdr
#define Elf_Phdr	Elf32_Phdr
#else
#define Elf_Ehdr	Elf64_Ehdr
#define Elf_Nhdr	Elf64_Nhdr
#define Elf_Phdr	Elf64_Phdr
#endif

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX	0x100000UL

static const struct image {
	const char *name;
	int map;
} images[] = {
#ifdef __i386__
	{ "compat" },
#else
	{ "64", AREAS_MAP_64 },
	{ "x32", AREAS_MAP_X32 },
	{ "32", AREAS_MAP_32 },
#endif
};

#ifdef __i386__
extern char int80[];
asm(".pushsection .text; int80: int $0x80; ret; .popsection");

/* libc's system calls go by the vDSO, which is taken to pieces here */
static void leave_vdso(void)
{
	asm volatile("movl %0, %%gs:0x10" : : "r" (int80));
}

/* None but those of exec, which nobody has touched since */
static bool make_areas(struct areas *as, const struct image *image)
{
	return areas_find(as, 0);
}
#else
static void leave_vdso(void)
{
}

static bool make_areas(struct areas *as, const struct image *image)
{
	return areas_renew(as, image->map);
}
#endif

/* What a child has to say, shared with it */
static struct report {
	size_t used;
	bool done;
	char text[TEXT_MAX];
} *report;

static unsigned long lines;

static __printf(1, 2) void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(report->text + report->used, TEXT_MAX - report->used,
		      fmt, ap);
	va_end(ap);
	if (n > 0 && report->used + n < TEXT_MAX)
		report->used += n;
}

/* Print the report, each line with @what before it but behind a mark */
static void print_report(const char *image, const char *what)
{
	static const char * const marks[] = { "# ", "improvement: " };
	char *line, *rest = report->text;
	const char *mark;
	unsigned int i;

	report->text[report->used] = 0;
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		mark = "";
		for (i = 0; i < ARRAY_LEN(marks); i++) {
			if (!strncmp(line, marks[i], strlen(marks[i]))) {
				mark = marks[i];
				line += strlen(mark);
			}
		}
		printf("%s%s %s: %s\n", mark, image, what, line);
		lines++;
	}
	report->used = 0;
}

static void arm_child(void)
{
	/* Of virtual time: under -icount it leaps while the guest waits for a disk */
	alarm(600);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void say_death(int status)
{
	if (WIFSIGNALED(status))
		say("killed by %s\n", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		say("exit status %d\n", WEXITSTATUS(status));
}

static bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 &&
		    write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

/* Areas of @image, made afresh in this process, which is a child */
static struct areas as;
static bool native;		/* it is the image that libc knows */

static void renew(const struct image *image, bool touch)
{
	if (!make_areas(&as, image)) {
		say("no areas of the %s image: %s\n", image->name,
		    areas_outcome(-1));
		_exit(1);
	}
	native = image == &images[0];
	if (touch)
		areas_touch(&as);
}

/*
 * Offset with nothing behind it, unless a vclock is in use. Where vclocks have an
 * area of their own, [vvar] has none.
 */
static bool is_hole(const struct area *a, int page)
{
	return !a->text && (strcmp(a->name, "[vvar]") ||
			    (page && !areas_named(&as, "[vvar_vclock]")));
}

static const char *mark_of(const struct area *a, int page)
{
	return is_hole(a, page) ? "improvement: " : "";
}

/* "[vvar]" for all of an area, "[vvar]+1" for a page of it */
static const char *label(const struct area *a, int page)
{
	static char text[48];

	if (page < 0)
		snprintf(text, sizeof(text), "%s", a->name);
	else
		snprintf(text, sizeof(text), "%s+%d", a->name, page);
	return text;
}

/*
 * /proc/PID/maps
 */
static void see_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512], *text;
	char perms[8], pgoff[16];
	int name;

	if (!maps)
		_exit(1);
	while (fgets(line, sizeof(line), maps)) {
		name = 0;
		if (sscanf(line, "%lx-%lx %7s %15s %*s %*s %n", &start, &end,
			   perms, pgoff, &name) < 4 || !name)
			_exit(1);
		text = line + name;
		if (!strcmp(text, "[heap]\n") || !strcmp(text, "[stack]\n"))
			say("%s %s", perms, text);
		else if (*text == '/')
			say("%lu pages %s %s %s", (end - start) / AREAS_PAGE,
			    perms, pgoff, text);
		else
			say("%lu pages%s", (end - start) / AREAS_PAGE,
			    strchr(line, ' '));
	}
	fclose(maps);
	for (name = 0; name < (int)as.nr; name++)
		say("%s is %ld pages from the first area\n",
		    as.area[name].name, (long)(as.area[name].start -
		    as.area[0].start) / (long)AREAS_PAGE);
}

/*
 * The areas in /proc/PID/smaps and numa_maps, and the sums. How many others have
 * a page of vDSO text mapped depends on how much a fault maps.
 */
static const char * const shares[] = {
	"Pss:", "Pss_Dirty:", "Shared_Clean:", "Private_Clean:",
};

static bool is_share(const char *key)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(shares); i++) {
		if (!strcmp(key, shares[i]))
			return true;
	}
	return false;
}

static void see_smaps(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512], key[64], name[64];
	unsigned long start, end;
	bool area = false, text = false;

	if (!smaps)
		_exit(1);
	while (fgets(line, sizeof(line), smaps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &start, &end,
			   name) >= 2) {
			area = areas_is_name(name);
			text = !strcmp(name, "[vdso]");
			if (area)
				say("%s", strchr(line, ' '));
			continue;
		}
		if (area && sscanf(line, "%63s", key) == 1)
			say("%s%s", text && is_share(key) ? "# " : "", line);
	}
	fclose(smaps);
}

/*
 * All but how much memory of its own the process happens to have touched, some of
 * which it shares with its parent
 */
static void see_smaps_rollup(void)
{
	static const char * const own[] = {
		"Rss:", "Pss_Anon:", "Pss_File:", "Private_Dirty:", "Referenced:",
		"Anonymous:", "Shared_Dirty:",
	};
	FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
	char line[512], key[64];
	bool varies;
	unsigned int i;

	if (!rollup || !fgets(line, sizeof(line), rollup))
		_exit(1);
	while (fgets(line, sizeof(line), rollup)) {
		if (sscanf(line, "%63s", key) != 1)
			_exit(1);
		varies = is_share(key);
		for (i = 0; i < ARRAY_LEN(own); i++)
			varies |= !strcmp(key, own[i]);
		say("%s%s", varies ? "# " : "", line);
	}
	fclose(rollup);
}

static void say_policies(void)
{
	FILE *maps = fopen("/proc/self/numa_maps", "r");
	unsigned long addr;
	char line[512];
	unsigned int i;

	if (!maps) {
		say(" numa_maps %s", areas_outcome(-1));
		return;
	}
	while (fgets(line, sizeof(line), maps)) {
		addr = strtoul(line, NULL, 16);
		line[strcspn(line, "\n")] = 0;
		for (i = 0; i < as.nr; i++) {
			if (addr == as.area[i].start)
				say(" %s%s;", as.area[i].name,
				    strchr(line, ' '));
		}
	}
	fclose(maps);
}

static void see_numa_maps(void)
{
	say_policies();
	say("\n");
}

/* Sums over the process that a file in a VMA could move to another line */
static void see_status(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	if (!status)
		_exit(1);
	while (fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "VmLck:", 6) || !strncmp(line, "VmPin:", 6) ||
		    !strncmp(line, "VmExe:", 6) || !strncmp(line, "VmLib:", 6))
			say("%s", line);
	}
	fclose(status);
}

/*
 * /proc/PID/map_files
 */
static void see_map_files(void)
{
	char path[128], buf[256];
	unsigned long start, end;
	DIR *dir = opendir("/proc/self/map_files");
	struct dirent *de;
	struct stat st;
	unsigned int i;
	int fd;

	if (!dir)
		_exit(1);
	while ((de = readdir(dir))) {
		if (sscanf(de->d_name, "%lx-%lx", &start, &end) != 2)
			continue;
		snprintf(path, sizeof(path), "/proc/self/map_files/%.64s",
			 de->d_name);
		memset(buf, 0, sizeof(buf));
		if (readlink(path, buf, sizeof(buf) - 1) < 0)
			snprintf(buf, sizeof(buf), "%s", areas_outcome(-1));
		say("%lu pages -> %s\n", (end - start) / AREAS_PAGE, buf);
	}
	closedir(dir);

	for (i = 0; i < as.nr; i++) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
			 as.area[i].start, as.area[i].end);
		say("%s: readlink = %s", as.area[i].name,
		    areas_outcome(readlink(path, buf, sizeof(buf))));
		say(", lstat = %s", areas_outcome(lstat(path, &st)));
		fd = open(path, O_RDONLY);
		say(", open = %s\n", areas_outcome(fd < 0 ? -1 : 0));
	}
}

/*
 * PROCMAP_QUERY
 */
static void query(int fd, const struct area *a, unsigned int flags,
		  unsigned int name_size, unsigned int build_id_size)
{
	char name[256] = "", build_id[64] = "";
	struct procmap_query q = {
		.size = sizeof(q),
		.query_flags = flags,
		.query_addr = a->start,
		.vma_name_size = name_size,
		.vma_name_addr = name_size ? (uintptr_t)name : 0,
		.build_id_size = build_id_size,
		.build_id_addr = build_id_size ? (uintptr_t)build_id : 0,
	};
	int ret = ioctl(fd, PROCMAP_QUERY, &q);

	say("%s flags %#x name %u build id %u = %s", a->name, flags, name_size,
	    build_id_size, areas_outcome(ret));
	if (ret) {
		say("\n");
	} else if (q.vma_start != a->start) {
		say(" another: %s\n", name);
	} else {
		say(" %llu pages flags %#llx page %llu offset %llu",
		    (q.vma_end - q.vma_start) / AREAS_PAGE, q.vma_flags,
		    q.vma_page_size, q.vma_offset);
		say(" dev %u:%u inode %llu name %u '%s' build id %u\n",
		    q.dev_major, q.dev_minor, q.inode, q.vma_name_size, name,
		    q.build_id_size);
	}
}

static void see_procmap_query(void)
{
	static const unsigned int flags[] = {
		0, PROCMAP_QUERY_VMA_READABLE, PROCMAP_QUERY_VMA_WRITABLE,
		PROCMAP_QUERY_VMA_EXECUTABLE, PROCMAP_QUERY_VMA_SHARED,
		PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
		PROCMAP_QUERY_FILE_BACKED_VMA,
		PROCMAP_QUERY_FILE_BACKED_VMA |
			PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
	};
	int fd = open("/proc/self/maps", O_RDONLY);
	unsigned int i, f;

	if (fd < 0)
		_exit(1);
	for (i = 0; i < as.nr; i++) {
		for (f = 0; f < ARRAY_LEN(flags); f++) {
			query(fd, &as.area[i], flags[f], 256, 0);
			query(fd, &as.area[i], flags[f], 256, 20);
		}
		query(fd, &as.area[i], 0, 0, 0);
		query(fd, &as.area[i], 0, 2, 0);
		query(fd, &as.area[i], 0, 0, 1);
		query(fd, &as.area[i], 0, 0, 64);
	}
	close(fd);
}

/*
 * /proc/PID/pagemap
 */
static uint64_t pagemap_entry(unsigned long addr)
{
	uint64_t entry = ~0ULL;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    addr / AREAS_PAGE * sizeof(entry)) != sizeof(entry))
		_exit(1);
	close(fd);
	return entry;
}

/* Whether others map the page too (bit 56) depends on fault-around */
static void say_pagemap(unsigned long addr)
{
	uint64_t entry = pagemap_entry(addr) & ~(1ULL << 56);
	uint64_t pfn = entry & ((1ULL << 55) - 1);

	if (!entry)
		say("nothing");
	else
		say("flags %#llx %s", (unsigned long long)(entry >> 55),
		    pfn ? "pfn" : "no pfn");
}

static void see_pagemap(void)
{
	struct page_region region;
	struct pm_scan_arg scan;
	unsigned int i, p;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		_exit(1);
	for (i = 0; i < as.nr; i++) {
		const struct area *a = &as.area[i];

		for (p = 0; p < area_pages(a); p++) {
			long ret;

			say("%s%s = ", mark_of(a, p), label(a, p));
			say_pagemap(a->start + p * AREAS_PAGE);
			memset(&region, 0, sizeof(region));
			scan = (struct pm_scan_arg) {
				.size = sizeof(scan),
				.start = a->start + p * AREAS_PAGE,
				.end = a->start + (p + 1) * AREAS_PAGE,
				.vec = (uintptr_t)&region,
				.vec_len = 1,
				.return_mask = 0xff & ~PAGE_IS_SOFT_DIRTY,
			};
			ret = ioctl(fd, PAGEMAP_SCAN, &scan);
			say(", scan %s categories %#llx\n", areas_outcome(ret),
			    (unsigned long long)region.categories);
		}
	}
	close(fd);
}

static const char *access_outcome(unsigned long addr, bool store)
{
	int sig = areas_access(addr, store);

	return sig ? strsignal(sig) : "ok";
}

static void see_reads(void)
{
	unsigned int i, p;

	for (i = 0; i < as.nr; i++) {
		for (p = 0; p < area_pages(&as.area[i]); p++) {
			say("%s%s load = %s\n", mark_of(&as.area[i], p),
			    label(&as.area[i], p),
			    access_outcome(as.area[i].start + p * AREAS_PAGE,
					   false));
		}
	}
}

static void see_stores(void)
{
	unsigned int i, p;

	for (i = 0; i < as.nr; i++) {
		for (p = 0; p < area_pages(&as.area[i]); p++) {
			say("%s store = %s\n", label(&as.area[i], p),
			    access_outcome(as.area[i].start + p * AREAS_PAGE,
					   true));
		}
	}
}

/*
 * What the kernel's log says of a process that dies with its instruction pointer
 * in an area, [vvar] or text that may not be executed
 */
static void say_segfault(const struct area *a)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), status;
	char record[1024], *text;
	ssize_t n;
	pid_t pid;

	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		_exit(1);
	pid = fork();
	if (!pid) {
		if (mprotect((void *)a->start, a->end - a->start, PROT_READ))
			_exit(1);
		((void (*)(void))a->start)();
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		_exit(1);
	/* No page, no fetch that it refuses */
	say("%s%s: %s,", is_hole(a, 0) ? "# " : "", a->name,
	    strsignal(WTERMSIG(status)));
	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		record[n > 0 ? n : 0] = 0;
		text = strstr(record, " error ");
		if (text && strstr(record, ": segfault at "))
			say("%.*s", (int)strcspn(text, "\n"), text);
	}
	say("\n");
	close(kmsg);
}

static void see_segfault(void)
{
	unsigned int i;

	/* By default ten of them, and of the others, in five seconds */
	if (!put_file("/proc/sys/kernel/printk_ratelimit", "0\n"))
		_exit(1);
	for (i = 0; i < as.nr; i++)
		say_segfault(&as.area[i]);
}

/*
 * The same in a trace of page faults with user stacks, which names the file of
 * an address as long as the process lives
 */
#define TRACING		"/sys/kernel/tracing/"
#define FAULT		TRACING "events/exceptions/page_fault_user/"

static void say_user_stack(const struct area *a)
{
	bool innermost = false, said = false;
	char line[512];
	FILE *trace;
	int n;

	snprintf(line, sizeof(line), "ip == %#lx\n", a->start);
	if (mprotect((void *)a->start, a->end - a->start, PROT_READ) ||
	    !put_file(FAULT "filter", line) ||
	    !put_file(FAULT "enable", "1\n"))
		_exit(1);
	if (!sigsetjmp(areas_back, 1))
		((void (*)(void))a->start)();
	put_file(FAULT "enable", "0\n");
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		_exit(1);
	while (fgets(line, sizeof(line), trace)) {
		/* How many faults it took is another matter */
		if (innermost && !said) {
			n = strcspn(line, "<\n");
			say("%s%s:%.*s%s\n", is_hole(a, 0) ? "# " : "",
			    a->name, n, line, line[n] == '<' ? "address" : "");
			said = true;
		}
		innermost = strstr(line, "<user stack trace>");
	}
	fclose(trace);
	if (truncate(TRACING "trace", 0))
		_exit(1);
}

static void see_user_stack(void)
{
	unsigned int i;

	signal(SIGBUS, areas_on_signal);
	signal(SIGSEGV, areas_on_signal);
	if (!put_file(TRACING "trace_options", "sym-userobj\n") ||
	    !put_file(TRACING "trace_options", "userstacktrace\n"))
		_exit(1);
	for (i = 0; i < as.nr; i++)
		say_user_stack(&as.area[i]);
	put_file(TRACING "trace_options", "nouserstacktrace\n");
	put_file(TRACING "trace_options", "nosym-userobj\n");
}

static const struct view {
	const char *name;
	void (*see)(void);
	bool touch;
} views[] = {
	{ "maps", see_maps },
	{ "smaps", see_smaps, true },
	{ "smaps_rollup", see_smaps_rollup, true },
	{ "numa_maps", see_numa_maps, true },
	{ "status", see_status },
	{ "map_files", see_map_files, true },
	{ "PROCMAP_QUERY", see_procmap_query, true },
	{ "pagemap", see_pagemap, true },
	{ "load", see_reads },
	{ "store", see_stores },
	{ "segfault", see_segfault },
	{ "user stack", see_user_stack },
};

/* The status that a child has to end with, and at least a line from it */
static bool finish(pid_t pid, const char *image, const char *what)
{
	unsigned long before = lines;
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	say_death(status);
	print_report(image, what);
	return !status && lines > before;
}

static bool observe(const struct image *image, const struct view *view)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		arm_child();
		renew(image, view->touch);
		view->see();
		_exit(0);
	}
	return finish(pid, image->name, view->name);
}

/*
 * Core dumps
 */
#define CORE	"/tmp/vvar-conformance-core"

static char core_pattern[256];

static void restore_core_pattern(void)
{
	if (core_pattern[0])
		put_file("/proc/sys/kernel/core_pattern", core_pattern);
	core_pattern[0] = 0;
}

static bool divert_cores(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, core_pattern,
				       sizeof(core_pattern) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	atexit(restore_core_pattern);
	/* %p, so that core_uses_pid doesn't matter */
	return put_file("/proc/sys/kernel/core_pattern", CORE ".%p\n") &&
	       !setrlimit(RLIMIT_CORE, &unlimited);
}

static void say_nt_file(const char *desc, size_t size)
{
	const unsigned long *word = (const unsigned long *)desc;
	const char *name, *end = desc + size;
	unsigned long i, n;

	if (size < 2 * sizeof(*word))
		return;
	n = word[0];
	name = (const char *)(word + 2 + 3 * n);
	say("NT_FILE: %lu entries, unit %lu\n", n, word[1]);
	for (i = 0; i < n && name < end; i++) {
		say("NT_FILE: %lu pages at %lu %s\n",
		    (word[3 + 3 * i] - word[2 + 3 * i]) / AREAS_PAGE,
		    word[4 + 3 * i], name);
		name += strlen(name) + 1;
	}
}

static void say_core_note(const char *core, const Elf_Phdr *ph)
{
	const char *at = core + ph->p_offset, *end = at + ph->p_filesz;
	const Elf_Nhdr *note;
	const unsigned long *aux;
	const char *desc;
	unsigned int i;

	while (at + sizeof(*note) <= end) {
		note = (const Elf_Nhdr *)at;
		desc = at + sizeof(*note) + ((note->n_namesz + 3) & ~3U);
		if (note->n_type == NT_FILE)
			say_nt_file(desc, note->n_descsz);
		else if (note->n_type == NT_AUXV)
			for (i = 0, aux = (const unsigned long *)desc;
			     i + 1 < note->n_descsz / sizeof(*aux); i += 2)
				if (aux[i] == AT_SYSINFO_EHDR)
					say("AT_SYSINFO_EHDR: %s\n", aux[i + 1]
					    == getauxval(AT_SYSINFO_EHDR) ?
					    "the vDSO of exec" : "another");
		at = desc + ((note->n_descsz + 3) & ~3U);
	}
}

/* @was: the areas of the process that dumped, @bytes: of its vDSO text */
static bool say_core(const char *core, size_t size, const struct areas *was,
		     const char *bytes)
{
	const Elf_Ehdr *eh = (const Elf_Ehdr *)core;
	unsigned int i, j, loads = 0, other = 0;
	size_t b, differ, nonzero;

	if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_phoff + eh->e_phnum * sizeof(Elf_Phdr) > size)
		return false;
	for (i = 0; i < eh->e_phnum; i++) {
		const Elf_Phdr *ph = (const Elf_Phdr *)(core + eh->e_phoff) +
				       i;
		const struct area *a = NULL;

		if (ph->p_offset + ph->p_filesz > size)
			return false;
		if (ph->p_type == PT_NOTE)
			say_core_note(core, ph);
		if (ph->p_type != PT_LOAD)
			continue;
		loads++;
		for (j = 0; j < was->nr; j++) {
			if (ph->p_vaddr >= was->area[j].start &&
			    ph->p_vaddr < was->area[j].end)
				a = &was->area[j];
		}
		if (!a) {
			other += ph->p_filesz != 0;
			continue;
		}
		differ = 0;
		nonzero = 0;
		for (b = 0; b < ph->p_filesz; b++) {
			nonzero += core[ph->p_offset + b] != 0;
			if (a->text)
				differ += core[ph->p_offset + b] != bytes[b];
		}
		say("PT_LOAD %s+%lu flags %#x filesz %lu memsz %lu align %lu ",
		    a->name, (unsigned long)(ph->p_vaddr - a->start) /
		    AREAS_PAGE, ph->p_flags, (unsigned long)ph->p_filesz,
		    (unsigned long)ph->p_memsz, (unsigned long)ph->p_align);
		if (a->text && ph->p_filesz)
			say("%s\n", differ ? "not as in memory" : "as in memory");
		else
			say("%s\n", nonzero ? "with content" : "no content");
	}
	say("PT_LOAD: %u, with content outside the areas: %u\n", loads, other);
	return true;
}

enum core_kind { CORE_PLAIN, CORE_TOUCHED, CORE_NONE, CORE_DONTDUMP, CORE_COW };

static const char * const core_kinds[] = {
	"fresh", "touched", "mprotect none", "MADV_DONTDUMP", "vDSO copied",
};

static bool observe_core(const struct image *image, enum core_kind kind,
			 unsigned int filter)
{
	struct {
		struct areas as;
		char bytes[8 * AREAS_PAGE];
	} *was;
	unsigned int i;
	char what[64], path[64], text[32], *core = NULL;
	struct stat st;
	bool good = false;
	int fd, status;
	pid_t pid;

	snprintf(what, sizeof(what), "core filter %#x %s", filter,
		 core_kinds[kind]);
	was = mmap(NULL, sizeof(*was), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (was == MAP_FAILED)
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		arm_child();
		renew(image, kind == CORE_TOUCHED);
		snprintf(text, sizeof(text), "%#x\n", filter);
		put_file("/proc/self/coredump_filter", text);
		for (i = 0; i < as.nr; i++) {
			struct area *a = &as.area[i];
			size_t len = a->end - a->start;

			if (kind == CORE_DONTDUMP)
				madvise((void *)a->start, len, MADV_DONTDUMP);
			if (kind == CORE_COW && a->text) {
				if (mprotect((void *)a->start, len,
					     PROT_READ | PROT_WRITE))
					_exit(1);
				*((char *)a->start + AREAS_PAGE - 1) ^= 1;
			}
			if (a->text && kind != CORE_PLAIN && len <=
			    sizeof(was->bytes))
				memcpy(was->bytes, (void *)a->start, len);
			if (kind == CORE_NONE)
				mprotect((void *)a->start, len, PROT_NONE);
		}
		was->as = as;
		/* The dump has to fault the text in itself */
		if (kind == CORE_PLAIN && !fork()) {
			for (i = 0; i < as.nr; i++)
				if (as.area[i].text)
					memcpy(was->bytes,
					       (void *)as.area[i].start,
					       as.area[i].end -
					       as.area[i].start);
			_exit(0);
		}
		while (wait(NULL) > 0)
			;
		signal(SIGABRT, SIG_DFL);
		raise(SIGABRT);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	snprintf(path, sizeof(path), CORE ".%d", pid);
	if (WIFSIGNALED(status) && WCOREDUMP(status)) {
		fd = open(path, O_RDONLY);
		if (fd >= 0 && !fstat(fd, &st)) {
			core = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE,
				    fd, 0);
			good = core != MAP_FAILED &&
			       say_core(core, st.st_size, &was->as, was->bytes);
			if (core != MAP_FAILED)
				munmap(core, st.st_size);
		}
		if (fd >= 0)
			close(fd);
		unlink(path);
	}
	if (!good)
		say("no core: %s\n", WIFSIGNALED(status) ? "not dumped" :
		    "not killed");
	munmap(was, sizeof(*was));
	print_report(image->name, what);
	return good;
}

/*
 * perf's mmap records of an exec of this program
 */
#define RING_PAGES	64

static void say_record(const struct perf_event_header *eh)
{
	const char *body = (const char *)(eh + 1), *name;
	unsigned int maj = 0, min = 0, prot = 0, flags = 0, build_id = 0;
	uint64_t len, pgoff, ino = 0;

	if (eh->type != PERF_RECORD_MMAP && eh->type != PERF_RECORD_MMAP2)
		return;
	/* u32 pid, tid; u64 addr, len, pgoff */
	len = *(const uint64_t *)(body + 16);
	pgoff = *(const uint64_t *)(body + 24);
	name = body + 32;
	if (eh->type == PERF_RECORD_MMAP2) {
		/* u32 maj, min; u64 ino, gen; u32 prot, flags, or a build ID */
		build_id = !!(eh->misc & PERF_RECORD_MISC_MMAP_BUILD_ID);
		if (!build_id) {
			maj = *(const uint32_t *)(body + 32);
			min = *(const uint32_t *)(body + 36);
			ino = *(const uint64_t *)(body + 40);
		}
		prot = *(const uint32_t *)(body + 56);
		flags = *(const uint32_t *)(body + 60);
		name = body + 64;
	}
	say("MMAP%s misc %#x %llu pages pgoff %llu prot %#x flags %#x build id %u %s",
	    eh->type == PERF_RECORD_MMAP ? "" : "2",
	    eh->misc & ~PERF_RECORD_MISC_CPUMODE_MASK,
	    (unsigned long long)len / AREAS_PAGE,
	    /* of anonymous memory: its address */
	    !strncmp(name, "//", 2) || !strcmp(name, "[stack]") ||
	    !strcmp(name, "[heap]") ? 0ULL : (unsigned long long)pgoff, prot,
	    flags, build_id, name);
	if (name[0] == '/')
		say("\n");
	else
		say(" %u:%u %llu\n", maj, min, (unsigned long long)ino);
}

static bool observe_perf(const struct image *image, bool mmap2, bool build_id,
			 bool exec)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.mmap = 1,
		.mmap_data = 1,
		.mmap2 = mmap2,
		.build_id = build_id,
		.enable_on_exec = exec,
	};
	size_t size = (1 + RING_PAGES) * AREAS_PAGE;
	struct perf_event_mmap_page *ring;
	char what[64], *data, go = 0;
	uint64_t at;
	bool good;
	int fd, status, gate[2];
	pid_t pid;

	snprintf(what, sizeof(what), "perf %s%s%s", exec ? "exec" : "prctl",
		 mmap2 ? " mmap2" : "", build_id ? " build_id" : "");
	if (pipe(gate))
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		arm_child();
		if (read(gate[0], &go, 1) != 1)
			_exit(1);
		if (exec) {
			execl("/proc/self/exe", "conformance", "--exit", NULL);
			_exit(1);
		}
		renew(image, false);
		for (fd = 0; fd < (int)as.nr; fd++)
			mprotect((void *)as.area[fd].start, as.area[fd].end -
				 as.area[fd].start, PROT_READ);
		_exit(0);
	}
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		say("perf_event_open = %s\n", areas_outcome(fd));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		print_report(image->name, what);
		return false;
	}
	ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!exec)
		ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	if (ring == MAP_FAILED || write(gate[1], &go, 1) != 1) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return false;
	}
	waitpid(pid, &status, 0);
	say_death(status);
	data = (char *)ring + AREAS_PAGE;
	for (at = 0; at < ring->data_head;) {
		/* The ring is larger than all records: none wraps */
		const struct perf_event_header *eh = (void *)(data + at);

		if (!eh->size || at + eh->size > RING_PAGES * AREAS_PAGE)
			break;
		say_record(eh);
		at += eh->size;
	}
	if (at != ring->data_head)
		say("records lost: at %llu of %llu\n", (unsigned long long)at,
		    (unsigned long long)ring->data_head);
	good = !status && at && at == ring->data_head;
	munmap(ring, size);
	close(fd);
	close(gate[0]);
	close(gate[1]);
	print_report(image->name, what);
	return good;
}

/*
 * System calls on an area and on each of its pages
 */
#define SHOW	1	/* say what became of the mappings */
#define FLAGS	2	/* and of VmFlags */
#define READS	4	/* reads what is behind the page */
#define ADDR	8	/* the value is an address */
#define ONCE	16	/* about the process: the first area only */
#define REMOTE	32	/* runs in the parent, on a stopped child */
#define PAGES	64	/* on pages only, not on the whole area */
#define TOUCHED	128	/* only when all pages have been touched */
#define DEBUGS	256	/* reads as a debugger does */

struct op {
	const char *name;
	long (*call)(const struct op *op, char *addr, size_t len);
	unsigned int flags;
	long a;
	long b;
};

static pid_t target;		/* of a REMOTE op */
static bool on_hole;		/* the op is about a page with nothing there */

/* What is where the areas were, and the areas wherever they are now */
static void say_layout(bool vmflags)
{
	unsigned long start, end, first = as.area[0].start;
	unsigned long last = as.area[as.nr - 1].end;
	FILE *maps = fopen(vmflags ? "/proc/self/smaps" : "/proc/self/maps",
			   "r");
	char line[512], perms[8], rest[64], name[64];
	const char *word[3];
	bool area = false;
	int column;

	if (!maps)
		_exit(1);
	while (fgets(line, sizeof(line), maps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %63[^\n]", &start, &end, perms,
			   rest) != 4) {
			if (area && !strncmp(line, "VmFlags:", 8))
				say(" %.*s", (int)strcspn(line, "\n"), line);
			continue;
		}
		area = sscanf(rest, "%*s %*s %*s %63s", name) == 1 &&
		       areas_is_name(name);
		if (!area && (end <= first || start >= last))
			continue;
		if (start >= first && start < last)
			say("; at %lu", (start - first) / AREAS_PAGE);
		else
			say("; moved");
		for (column = 0; column < 3; column++)
			word[column] = strtok(column ? NULL : rest, " ") ?: "?";
		say(" %lu %s %s %s %s %s", (end - start) / AREAS_PAGE, perms,
		    word[0], word[1], word[2], name);
	}
	fclose(maps);
}

static void run_op(const struct op *op, const struct area *a, int page,
		   bool touched)
{
	char *addr = (char *)a->start + (page < 0 ? 0 : page * AREAS_PAGE);
	size_t len = page < 0 ? a->end - a->start : AREAS_PAGE;
	long ret;

	if (op->flags & READS)
		say("%s", mark_of(a, page));
	else if (op->flags & DEBUGS && !a->text)
		say("improvement: ");
	say("%s%s %s", label(a, page), touched ? " touched" : "", op->name);
	on_hole = page >= 0 && is_hole(a, page);
	errno = 0;
	ret = op->call(op, addr, len);
	say(" = %s", op->flags & ADDR && ret != -1 ? "mapped" :
	    areas_outcome(ret));
	if (op->flags & (SHOW | FLAGS))
		say_layout(op->flags & FLAGS);
	say("\n");
}

/* A stopped child with fresh areas; false if there is none */
static bool stop_target(const struct image *image, bool touched)
{
	struct areas *shared = mmap(NULL, sizeof(*shared),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	if (shared == MAP_FAILED)
		return false;
	target = fork();
	if (!target) {
		arm_child();
		renew(image, touched);
		*shared = as;
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	as.nr = 0;
	if (target > 0 && waitpid(target, &status, 0) == target &&
	    WIFSTOPPED(status))
		as = *shared;
	munmap(shared, sizeof(*shared));
	return as.nr;
}

/* One op on one target, in a process of its own */
static bool one_op(const struct image *image, const struct op *op,
		   unsigned int i, int page, bool touched)
{
	bool good = true;
	int status;
	pid_t pid;

	if (op->flags & REMOTE) {
		good = stop_target(image, touched);
		if (good)
			run_op(op, &as.area[i], page, touched);
		if (target > 0) {
			kill(target, SIGKILL);
			waitpid(target, &status, 0);
		}
		return good;
	}
	pid = fork();
	if (!pid) {
		arm_child();
		renew(image, touched);
		run_op(op, &as.area[i], page, touched);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	say_death(status);
	return !status;
}

static struct areas layout;	/* the areas of the image at work */

static bool each_target(const struct image *image, const struct op *op)
{
	/* Another image is the same code with other pages: once will do */
	unsigned int states = image->map == AREAS_MAP_64 ? 2 : 1;
	unsigned int i, touched;
	bool good = true;
	int page;

	fflush(stdout);
	for (i = 0; i < layout.nr; i++) {
		for (page = -1; page < (int)area_pages(&layout.area[i]);
		     page++) {
			if (page < 0 && op->flags & PAGES)
				continue;
			if (op->flags & ONCE && (i || page >= 0))
				continue;
			if (op->flags & TOUCHED) {
				good &= one_op(image, op, i, page, true);
				continue;
			}
			for (touched = 0; touched < states; touched++)
				good &= one_op(image, op, i, page, touched);
		}
	}
	return good;
}

static long do_mprotect(const struct op *op, char *addr, size_t len)
{
	return mprotect(addr, len, op->a);
}

static long do_pkey_mprotect(const struct op *op, char *addr, size_t len)
{
	int key = op->b;

	if (key > 0) {
		key = syscall(SYS_pkey_alloc, 0, 0);
		say(" key %s", key < 0 ? areas_outcome(-1) : "allocated");
	}
	return syscall(SYS_pkey_mprotect, addr, len, op->a, key);
}

static long do_madvise(const struct op *op, char *addr, size_t len)
{
	return madvise(addr, len, op->a);
}

static long do_process_madvise(const struct op *op, char *addr, size_t len)
{
	struct iovec iov = { addr, len };
	int fd = syscall(SYS_pidfd_open, op->flags & REMOTE ? target : getpid(),
			 0);
	long ret;
	int err;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_process_madvise, fd, &iov, 1, op->a, 0);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static long do_mincore(const struct op *op, char *addr, size_t len)
{
	unsigned char vec[64] = { 0 };
	long ret, i;

	(void)op;
	if (op->a && setresuid(65534, 65534, 65534))
		_exit(1);
	memset(vec, 0xaa, sizeof(vec));
	ret = mincore(addr, len, vec);
	for (i = 0; i < (long)(len / AREAS_PAGE); i++)
		say(" %02x", vec[i]);
	return ret;
}

static long do_mlock(const struct op *op, char *addr, size_t len)
{
	return mlock2(addr, len, op->a);
}

static long do_munlock(const struct op *op, char *addr, size_t len)
{
	if (op->a)
		mlock(addr, len);
	return munlock(addr, len);
}

static long do_mlockall(const struct op *op, char *addr, size_t len)
{
	(void)addr;
	(void)len;
	return mlockall(op->a);
}

static long do_munlockall(const struct op *op, char *addr, size_t len)
{
	(void)addr;
	(void)len;
	mlockall(op->a);
	return munlockall();
}

static long do_msync(const struct op *op, char *addr, size_t len)
{
	return msync(addr, len, op->a);
}

enum { SAME, SHRINK, GROW, EMPTY };

static long do_mremap(const struct op *op, char *addr, size_t len)
{
	size_t old = len, new = len;
	char *to = NULL, *at;

	if (op->b == SHRINK)
		new = len - AREAS_PAGE;
	else if (op->b == GROW)
		new = len + AREAS_PAGE;
	else if (op->b == EMPTY)
		old = 0;
	if (op->a & MREMAP_FIXED) {
		to = mmap(NULL, 16 * AREAS_PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (to == MAP_FAILED)
			_exit(1);
		to += AREAS_PAGE;
	}
	at = mremap(addr, old, new, (int)op->a, to);
	if (at == MAP_FAILED)
		return -1;
	say("%s", at == addr ? " in place" : at == to ? " at the place" :
	    " elsewhere");
	if (new && !on_hole)
		say(" load %s", access_outcome((long)at, false));
	return 0;
}

static long do_munmap(const struct op *op, char *addr, size_t len)
{
	(void)op;
	return munmap(addr, len);
}

static long do_mmap(const struct op *op, char *addr, size_t len)
{
	char *at = mmap(addr, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | op->a, -1, 0);

	return at == MAP_FAILED ? -1 : 0;
}

static long do_shmat(const struct op *op, char *addr, size_t len)
{
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0600);
	char *at;
	int err;

	if (id < 0)
		return -1;
	at = shmat(id, addr, op->a);
	err = errno;
	shmctl(id, IPC_RMID, NULL);
	errno = err;
	return at == (void *)-1 ? -1 : 0;
}

static long do_shmdt(const struct op *op, char *addr, size_t len)
{
	(void)op;
	(void)len;
	return shmdt(addr);
}

static long do_mseal(const struct op *op, char *addr, size_t len)
{
	long ret = syscall(462, addr, len, 0);

	say(" mseal %s", areas_outcome(ret));
	if (op->a == 0)
		return munmap(addr, len);
	if (op->a == 1)
		return mprotect(addr, len, PROT_NONE);
	return madvise(addr, len, MADV_DONTNEED);
}

static long do_userfaultfd(const struct op *op, char *addr, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API, .features = op->b };
	struct uffdio_register reg = {
		.range = { (uintptr_t)addr, len },
		.mode = op->a,
	};
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)addr, len },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	long ret;

	if (fd < 0)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api)) {
		say(" UFFDIO_API");
		return -1;
	}
	ret = ioctl(fd, UFFDIO_REGISTER, &reg);
	if (ret || !(op->a & UFFDIO_REGISTER_MODE_WP))
		return ret;

	say(" registered, ioctls %#llx", (unsigned long long)reg.ioctls);
	ret = ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
	say(" WRITEPROTECT %s", areas_outcome(ret));
	if (op->b & UFFD_FEATURE_WP_ASYNC) {
		areas_access((long)addr, false);
		say(" ");
		say_pagemap((long)addr);
		if (!mprotect(addr, len, PROT_READ | PROT_WRITE)) {
			say(" store %s ", access_outcome((long)addr, true));
			say_pagemap((long)addr);
		}
	}
	return 0;
}

/* UFFDIO_COPY, ZEROPAGE, MOVE and CONTINUE into, and MOVE out of, an area */
static long do_uffd_fill(const struct op *op, char *addr, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API, .features = op->b };
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_register reg = {
		.range = { (uintptr_t)buf, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)addr, .src = (uintptr_t)buf, .len = len,
	};
	struct uffdio_zeropage zero = { .range = { (uintptr_t)addr, len } };
	struct uffdio_continue cont = { .range = { (uintptr_t)addr, len } };
	struct uffdio_poison poison = { .range = { (uintptr_t)addr, len } };
	struct uffdio_move move = {
		.dst = (uintptr_t)addr, .src = (uintptr_t)buf, .len = len,
	};

	if (fd < 0 || buf == MAP_FAILED || ioctl(fd, UFFDIO_API, &api))
		return -1;
	switch (op->a) {
	case 0:
		return ioctl(fd, UFFDIO_COPY, &copy);
	case 1:
		return ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	case 2:
		return ioctl(fd, UFFDIO_CONTINUE, &cont);
	case 3:
		return ioctl(fd, UFFDIO_POISON, &poison);
	case 4:
		memset(buf, 1, len);
		return ioctl(fd, UFFDIO_MOVE, &move);
	default:
		if (ioctl(fd, UFFDIO_REGISTER, &reg))
			return -1;
		move.dst = (uintptr_t)buf;
		move.src = (uintptr_t)addr;
		return ioctl(fd, UFFDIO_MOVE, &move);
	}
}

static long do_remap_file_pages(const struct op *op, char *addr, size_t len)
{
	return syscall(SYS_remap_file_pages, addr, len, 0, op->a, 0);
}

static long do_get_mempolicy(const struct op *op, char *addr, size_t len)
{
	unsigned long mask[16] = { 0 };
	int mode = -1;
	long ret = syscall(SYS_get_mempolicy, &mode,
			   op->a & MPOL_F_NODE ? NULL : mask, 8 * sizeof(mask),
			   addr, op->a);

	(void)len;
	say(" mode %d mask %lx", mode, mask[0]);
	return ret;
}

static long do_mbind(const struct op *op, char *addr, size_t len)
{
	unsigned long mask = 1;
	bool none = op->a == MPOL_DEFAULT || op->a == MPOL_LOCAL;
	long ret;

	ret = syscall(SYS_mbind, addr, len, op->a, none ? NULL : &mask,
		      none ? 0 : 8 * sizeof(mask), op->b);
	if (!ret) {
		say(" policy");
		say_policies();
	}
	return ret;
}

static long do_home_node(const struct op *op, char *addr, size_t len)
{
	unsigned long mask = 1;

	if (syscall(SYS_mbind, addr, len, MPOL_BIND, &mask, 8 * sizeof(mask), 0))
		say(" mbind %s", areas_outcome(-1));
	return syscall(450, addr, len, op->a, 0);
}

static long do_move_pages(const struct op *op, char *addr, size_t len)
{
	int node = 0, status = 12345;
	void *page = addr;
	long ret = syscall(SYS_move_pages, 0, 1, &page, op->a ? &node : NULL,
			   &status, op->b);

	(void)len;
	say(" status %d", status);
	return ret;
}

static long do_migrate_pages(const struct op *op, char *addr, size_t len)
{
	unsigned long from = 1, to = 1;

	(void)op;
	(void)addr;
	(void)len;
	return syscall(SYS_migrate_pages, 0, 8 * sizeof(from), &from, &to);
}

static long do_process_vm(const struct op *op, char *addr, size_t len)
{
	static char buf[64 * AREAS_PAGE];
	struct iovec local = { buf, len }, remote = { addr, len };

	if (op->a)
		return process_vm_writev(target, &local, 1, &remote, 1, 0);
	return process_vm_readv(target, &local, 1, &remote, 1, 0);
}

/* The area at this end, a buffer at the other */
static long do_process_vm_local(const struct op *op, char *addr, size_t len)
{
	static char buf[64 * AREAS_PAGE];
	struct iovec local = { addr, len }, remote = { buf, len };

	if (op->a)
		return process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static long do_ptrace(const struct op *op, char *addr, size_t len)
{
	const uint64_t poke = 0x1122334455667788;
	long word;

	(void)len;
	if (op->a == PTRACE_PEEKDATA || op->a == PTRACE_PEEKTEXT) {
		word = ptrace(op->a, target, addr, 0);
		/* The word itself may be anything */
		return word == -1 && errno ? -1 : 0;
	}
	word = ptrace(op->a, target, addr, (long)poke);
	if (!word)
		say(" reads %lx", ptrace(PTRACE_PEEKTEXT, target, addr, 0));
	return word;
}

static long do_proc_mem(const struct op *op, char *addr, size_t len)
{
	static char buf[64 * AREAS_PAGE];
	char path[64];
	long ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", target);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return -1;
	if (op->a)
		ret = pwrite(fd, buf, len, (uintptr_t)addr);
	else
		ret = pread(fd, buf, len, (uintptr_t)addr);
	close(fd);
	return ret;
}

static long do_io_uring(const struct op *op, char *addr, size_t len)
{
	struct io_uring_params p = { 0 };
	struct iovec iov = { addr, len };
	int fd, file = memfd_create("conformance", 0);
	bool fixed = op->a == IORING_OP_READ_FIXED ||
		     op->a == IORING_OP_WRITE_FIXED;
	long ret;

	fd = syscall(SYS_io_uring_setup, 4, &p);
	if (fd < 0 || file < 0 || ftruncate(file, len))
		return -1;
	if (op->b && mprotect(addr, len, PROT_READ | PROT_WRITE))
		say(" mprotect %s", areas_outcome(-1));
	if (fixed) {
		ret = syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS,
			      &iov, 1);
		if (ret)
			return ret;
		say(" registered");
	}
	return ring_one(fd, &p, op->a, 0, file, addr, len);
}

static long do_vmsplice(const struct op *op, char *addr, size_t len)
{
	struct iovec iov = { addr, len };
	int fds[2], file = memfd_create("conformance", 0);
	long ret;

	if (pipe2(fds, O_NONBLOCK) || file < 0)
		return -1;
	if (op->a) {	/* into the area */
		if (write(fds[1], "0123", 4) != 4)
			return -1;
		return vmsplice(fds[0], &iov, 1, 0);
	}
	ret = vmsplice(fds[1], &iov, 1, op->b);
	if (ret > 0)
		say(" splice %s", areas_outcome(splice(fds[0], NULL, file, NULL,
						       len, 0)));
	return ret;
}

enum { TO_MEMFD, TO_PIPE, TO_SOCKET };

static long do_write(const struct op *op, char *addr, size_t len)
{
	int fds[2];

	if (op->a == TO_MEMFD)
		return write(memfd_create("conformance", 0), addr, len);
	if (op->a == TO_PIPE)
		return pipe2(fds, O_NONBLOCK) ?: write(fds[1], addr, len);
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) ?:
	       send(fds[1], addr, len, MSG_DONTWAIT);
}

static long do_read(const struct op *op, char *addr, size_t len)
{
	int fd = open("/dev/zero", O_RDONLY);

	(void)op;
	return read(fd, addr, len);
}

static long do_futex(const struct op *op, char *addr, size_t len)
{
	struct timespec soon = { 0, 1000000 };
	static unsigned int other;

	(void)len;
	if ((op->a & FUTEX_CMD_MASK) == FUTEX_WAKE_OP)
		return syscall(SYS_futex, &other, op->a, 1, 1, addr,
			       FUTEX_OP(FUTEX_OP_OR, 1, FUTEX_OP_CMP_EQ, 0));
	/* A value that isn't there */
	return syscall(SYS_futex, addr, op->a, 0xdeadbeef, &soon, &other, 0);
}

static long do_set_vma_name(const struct op *op, char *addr, size_t len)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len,
		     op->a ? "conformance" : NULL);
}

static long do_clear_refs(const struct op *op, char *addr, size_t len)
{
	char text[8];

	(void)addr;
	(void)len;
	snprintf(text, sizeof(text), "%ld\n", op->a);
	return put_file("/proc/self/clear_refs", text) ? 0 : -1;
}

static long do_map_again(const struct op *op, char *addr, size_t len)
{
	if (op->b)
		say(" munmap %s", areas_outcome(munmap(addr, len)));
	/* An address of any value; the image's size on success */
	return syscall(SYS_arch_prctl, op->a, 0) > 0 ? 0 : -1;
}

/* A private copy, made through mprotect: seen, inherited and dropped again */
static long do_copy(const struct op *op, char *addr, size_t len)
{
	char was;
	int status;

	if (mprotect(addr, len, PROT_READ | PROT_WRITE | PROT_EXEC))
		return -1;
	was = addr[16];
	addr[16] = was + 1;
	say(" ");
	say_pagemap((long)addr);
	if (op->a == 0) {
		if (!fork())
			_exit(addr[16] == (char)(was + 1));
		wait(&status);
		say(" child %d", WEXITSTATUS(status));
	} else if (op->a == 1) {
		say(" DONTNEED %s", areas_outcome(madvise(addr, len,
							  MADV_DONTNEED)));
		say(" %d", addr[16] - was);
	} else {
		say(" mremap %s", areas_outcome(mremap(addr, len, len,
						       MREMAP_MAYMOVE) ==
						MAP_FAILED ? -1 : 0));
		say(" %d", addr[16] - was);
	}
	return 0;
}

struct call {
	const char *format;
	struct op op;
	long a0, a1;		/* range of op.a, or just op.a if empty */
};

#define BOTH (UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING)
#define ASYNC (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED)
#define PRIV FUTEX_PRIVATE_FLAG

static const struct call calls[] = {
	{ "mprotect(%ld)", { .call = do_mprotect, .flags = SHOW }, 0, 7 },
	{ "mprotect(GROWSDOWN)", { .call = do_mprotect, .flags = SHOW,
	  .a = PROT_READ | PROT_GROWSDOWN } },
	{ "mprotect(GROWSUP)", { .call = do_mprotect, .flags = SHOW,
	  .a = PROT_READ | PROT_GROWSUP } },
	{ "mprotect(8)", { .call = do_mprotect, .flags = SHOW, .a = 8 } },
	{ "pkey_mprotect(%ld, -1)", { .call = do_pkey_mprotect, .flags = SHOW,
	  .b = -1 }, 0, 7 },
	{ "pkey_mprotect(%ld, 0)", { .call = do_pkey_mprotect, .flags = SHOW,
	  .b = 0 }, 0, 7 },
	{ "pkey_mprotect(%ld, new)", { .call = do_pkey_mprotect, .flags = FLAGS,
	  .b = 1 }, 0, 7 },
	{ "madvise(%ld)", { .call = do_madvise, .flags = FLAGS }, 0, 30 },
	{ "madvise(%ld)", { .call = do_madvise, .flags = FLAGS }, 100, 105 },
	{ "process_madvise(%ld)", { .call = do_process_madvise }, 0, 30 },
	{ "process_madvise(%ld)", { .call = do_process_madvise }, 100, 105 },
	{ "process_madvise(another, %ld)", { .call = do_process_madvise,
	  .flags = REMOTE }, 0, 30 },
	{ "mincore", { .call = do_mincore } },
	{ "mincore by nobody", { .call = do_mincore, .a = 1 } },
	{ "mlock2(%ld)", { .call = do_mlock, .flags = FLAGS }, 0, 2 },
	{ "munlock", { .call = do_munlock, .flags = FLAGS } },
	{ "mlock, munlock", { .call = do_munlock, .flags = FLAGS, .a = 1 } },
	{ "mlockall(%ld)", { .call = do_mlockall, .flags = FLAGS | ONCE }, 0, 8 },
	{ "munlockall", { .call = do_munlockall, .flags = FLAGS | ONCE,
	  .a = MCL_CURRENT | MCL_FUTURE } },
	{ "msync(%ld)", { .call = do_msync }, 0, 7 },
	{ "mremap", { .call = do_mremap, .flags = SHOW } },
	{ "mremap(MAYMOVE)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE } },
	{ "mremap(FIXED)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED } },
	{ "mremap(DONTUNMAP)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_DONTUNMAP } },
	{ "mremap(DONTUNMAP, FIXED)", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED } },
	{ "mremap shrink", { .call = do_mremap, .flags = SHOW, .b = SHRINK } },
	{ "mremap(FIXED) shrink", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED, .b = SHRINK } },
	{ "mremap grow", { .call = do_mremap, .flags = SHOW, .b = GROW } },
	{ "mremap(MAYMOVE) grow", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE, .b = GROW } },
	{ "mremap(FIXED) grow", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED, .b = GROW } },
	{ "mremap(MAYMOVE) of length 0", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE, .b = EMPTY } },
	{ "mremap(FIXED) of length 0", { .call = do_mremap, .flags = SHOW,
	  .a = MREMAP_MAYMOVE | MREMAP_FIXED, .b = EMPTY } },
	{ "munmap", { .call = do_munmap, .flags = SHOW } },
	{ "mmap(FIXED) over it", { .call = do_mmap, .flags = SHOW,
	  .a = MAP_FIXED } },
	{ "mmap(FIXED_NOREPLACE) over it", { .call = do_mmap, .flags = SHOW,
	  .a = MAP_FIXED_NOREPLACE } },
	{ "shmat over it", { .call = do_shmat, .flags = SHOW } },
	{ "shmat(REMAP) over it", { .call = do_shmat, .flags = SHOW,
	  .a = SHM_REMAP } },
	{ "shmdt", { .call = do_shmdt, .flags = SHOW } },
	{ "mseal, munmap", { .call = do_mseal, .flags = FLAGS } },
	{ "mseal, mprotect", { .call = do_mseal, .flags = FLAGS, .a = 1 } },
	{ "mseal, madvise", { .call = do_mseal, .flags = FLAGS, .a = 2 } },
	{ "userfaultfd(%ld)", { .call = do_userfaultfd, .flags = FLAGS }, 0, 8 },
	{ "userfaultfd(%ld) async", { .call = do_userfaultfd, .flags = FLAGS,
	  .b = ASYNC }, 1, 7 },
	{ "UFFDIO into it %ld", { .call = do_uffd_fill,
	  .b = UFFD_FEATURE_MOVE }, 0, 4 },
	{ "UFFDIO_MOVE out of it", { .call = do_uffd_fill, .a = 5,
	  .b = UFFD_FEATURE_MOVE } },
	{ "remap_file_pages(%ld)", { .call = do_remap_file_pages,
	  .flags = SHOW }, 0, 1 },
	{ "get_mempolicy(ADDR)", { .call = do_get_mempolicy,
	  .a = MPOL_F_ADDR } },
	{ "get_mempolicy(ADDR, NODE)", { .call = do_get_mempolicy,
	  .a = MPOL_F_ADDR | MPOL_F_NODE } },
	{ "mbind(%ld)", { .call = do_mbind }, 0, 6 },
	{ "mbind(%ld, STRICT)", { .call = do_mbind, .b = MPOL_MF_STRICT },
	  0, 4 },
	{ "mbind(%ld, MOVE)", { .call = do_mbind, .b = MPOL_MF_MOVE }, 0, 4 },
	{ "mbind(%ld, MOVE_ALL, STRICT)", { .call = do_mbind,
	  .b = MPOL_MF_MOVE_ALL | MPOL_MF_STRICT }, 0, 4 },
	{ "set_mempolicy_home_node(%ld)", { .call = do_home_node }, 0, 1 },
	{ "move_pages query", { .call = do_move_pages,
	  .flags = PAGES | READS | TOUCHED } },
	{ "move_pages(MOVE)", { .call = do_move_pages,
	  .flags = PAGES | READS | TOUCHED, .a = 1, .b = MPOL_MF_MOVE } },
	{ "move_pages(MOVE_ALL)", { .call = do_move_pages,
	  .flags = PAGES | READS | TOUCHED, .a = 1, .b = MPOL_MF_MOVE_ALL } },
	{ "migrate_pages", { .call = do_migrate_pages, .flags = ONCE } },
	{ "process_vm_readv", { .call = do_process_vm, .flags = REMOTE } },
	{ "process_vm_writev", { .call = do_process_vm, .flags = REMOTE,
	  .a = 1 } },
	{ "process_vm_readv into it", { .call = do_process_vm_local } },
	{ "process_vm_writev from it", { .call = do_process_vm_local,
	  .flags = READS, .a = 1 } },
	{ "PTRACE_PEEKTEXT", { .call = do_ptrace,
	  .flags = REMOTE | PAGES | DEBUGS, .a = PTRACE_PEEKTEXT } },
	{ "PTRACE_PEEKDATA", { .call = do_ptrace,
	  .flags = REMOTE | PAGES | DEBUGS, .a = PTRACE_PEEKDATA } },
	{ "PTRACE_POKETEXT", { .call = do_ptrace, .flags = REMOTE | PAGES,
	  .a = PTRACE_POKETEXT } },
	{ "PTRACE_POKEDATA", { .call = do_ptrace, .flags = REMOTE | PAGES,
	  .a = PTRACE_POKEDATA } },
	{ "/proc/PID/mem read", { .call = do_proc_mem,
	  .flags = REMOTE | DEBUGS } },
	{ "/proc/PID/mem write", { .call = do_proc_mem, .flags = REMOTE,
	  .a = 1 } },
	{ "io_uring WRITE from it", { .call = do_io_uring, .flags = READS,
	  .a = IORING_OP_WRITE } },
	{ "io_uring READ into it", { .call = do_io_uring,
	  .a = IORING_OP_READ } },
	{ "io_uring WRITE_FIXED", { .call = do_io_uring,
	  .a = IORING_OP_WRITE_FIXED } },
	{ "io_uring READ_FIXED", { .call = do_io_uring,
	  .a = IORING_OP_READ_FIXED } },
	{ "io_uring READ_FIXED, writable", { .call = do_io_uring,
	  .a = IORING_OP_READ_FIXED, .b = 1 } },
	{ "vmsplice from it", { .call = do_vmsplice } },
	{ "vmsplice(GIFT) from it", { .call = do_vmsplice,
	  .b = SPLICE_F_GIFT } },
	{ "vmsplice into it", { .call = do_vmsplice, .a = 1 } },
	{ "write to a memfd", { .call = do_write, .flags = READS,
	  .a = TO_MEMFD } },
	{ "write to a pipe", { .call = do_write, .flags = READS,
	  .a = TO_PIPE } },
	{ "send", { .call = do_write, .flags = READS, .a = TO_SOCKET } },
	{ "read into it", { .call = do_read } },
	{ "futex(WAIT, private)", { .call = do_futex, .flags = PAGES | READS,
	  .a = FUTEX_WAIT | PRIV } },
	{ "futex(WAIT)", { .call = do_futex, .flags = PAGES | READS,
	  .a = FUTEX_WAIT } },
	{ "futex(WAKE, private)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_WAKE | PRIV } },
	{ "futex(WAKE)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_WAKE } },
	{ "futex(LOCK_PI)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_LOCK_PI } },
	{ "futex(LOCK_PI, private)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_LOCK_PI | PRIV } },
	{ "futex(WAKE_OP, private)", { .call = do_futex, .flags = PAGES,
	  .a = FUTEX_WAKE_OP | PRIV } },
	{ "prctl(SET_VMA_ANON_NAME, %ld)", { .call = do_set_vma_name,
	  .flags = SHOW }, 0, 1 },
	{ "clear_refs %ld", { .call = do_clear_refs, .flags = FLAGS | ONCE },
	  1, 5 },
	{ "ARCH_MAP_VDSO again %#lx", { .call = do_map_again,
	  .flags = SHOW | ONCE }, AREAS_MAP_X32, AREAS_MAP_64 },
	{ "ARCH_MAP_VDSO after munmap %#lx", { .call = do_map_again,
	  .flags = SHOW, .b = 1 }, AREAS_MAP_X32, AREAS_MAP_64 },
	{ "store, fork", { .call = do_copy, .flags = SHOW } },
	{ "store, DONTNEED", { .call = do_copy, .flags = SHOW, .a = 1 } },
	{ "store, mremap", { .call = do_copy, .flags = SHOW, .a = 2 } },
};

/* Memory that is poisoned stays so, for every process on the machine */
static bool poisons(const struct call *call, long a)
{
	static int memory_failure = -1;
	char line[128];
	FILE *meminfo;

	if (memory_failure < 0) {
		memory_failure = 0;
		meminfo = fopen("/proc/meminfo", "r");
		while (meminfo && fgets(line, sizeof(line), meminfo))
			memory_failure |= !strncmp(line, "HardwareCor", 11);
		if (meminfo)
			fclose(meminfo);
	}
	return memory_failure && (a == MADV_HWPOISON || a == 101) &&
	       (call->op.call == do_madvise ||
		call->op.call == do_process_madvise);
}

static bool run_call(const struct image *image, const struct call *call)
{
	unsigned long before = lines;
	struct op op = call->op;
	bool good = true;
	char name[64];

	op.name = name;
	for (long a = call->a0; a <= call->a1; a++) {
		if (call->a0 != call->a1)
			op.a = a;
		snprintf(name, sizeof(name), call->format, op.a);
		if (poisons(call, op.a))
			say("%s not tried: CONFIG_MEMORY_FAILURE\n", name);
		else
			good &= each_target(image, &op);
	}
	print_report(image->name, "call");
	return good && lines > before;
}

/*
 * In a time namespace the pages of the time data change places
 */
static void see_timens(void)
{
	struct timespec now, direct;
	int status;

	if (unshare(CLONE_NEWTIME)) {
		say("unshare = %s\n", areas_outcome(-1));
		_exit(0);
	}
	put_file("/proc/self/timens_offsets", "monotonic 100000 0\n");
	if (!fork()) {
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &direct);
		now = direct;
		/* libc calls the 64-bit image, where it was */
		if (native) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			say("vDSO and system call %s\n",
			    labs(now.tv_sec - direct.tv_sec) < 10 ? "agree" :
			    "disagree");
		}
		say("the offset is %sthere\n",
		    now.tv_sec >= 100000 ? "" : "not ");
		see_reads();
		see_stores();
		see_pagemap();
		_exit(0);
	}
	wait(&status);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static bool map_image(const struct image *image)
{
	int status;
	pid_t pid = fork();
	struct areas *shared = (void *)report->text;

	/* layout, for the loop over targets */
	if (!pid) {
		if (!make_areas(&as, image))
			_exit(1);
		memcpy(shared, &as, sizeof(as));
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return false;
	memcpy(&layout, shared, sizeof(layout));
	return true;
}

int main(int argc, char **argv)
{
	static const struct view timens = { "time namespace", see_timens };
	static const unsigned int filters[] = { 0x33, 0x7f, 0x1ff, 0, 4, 8 };
	const struct image *image;
	unsigned int i, j, k;
	struct utsname un;
	bool good;

	if (argc == 2 && !strcmp(argv[1], "--exit"))
		return 0;
	if (argc != 1) {
		fprintf(stderr, "usage: %s\n", argv[0]);
		return 2;
	}
	leave_vdso();
	/* Each line once: no child prints what the parent has buffered */
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	ksft_set_plan(ARRAY_LEN(images) * (ARRAY_LEN(views) + 4));

	uname(&un);
	ksft_print_msg("kernel %s %s, %s vvar areas\n", un.release, un.version,
		       access("/sys/module/vvar", F_OK) ? "without" : "with");

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		ksft_exit_fail_msg("no memory for the report\n");

	for (i = 0; i < ARRAY_LEN(images); i++) {
		image = &images[i];
		if (!map_image(image)) {
			for (j = 0; j < ARRAY_LEN(views) + 4; j++)
				ksft_test_result_skip("%s image\n", image->name);
			continue;
		}
		for (j = 0; j < ARRAY_LEN(views); j++)
			ksft_test_result(observe(image, &views[j]), "%s %s\n",
					 image->name, views[j].name);
		ksft_test_result(observe(image, &timens), "%s %s\n",
				 image->name, timens.name);

		good = divert_cores();
		for (j = 0; good && j < ARRAY_LEN(core_kinds); j++)
			for (k = 0; k < ARRAY_LEN(filters); k++)
				good &= observe_core(image, j, filters[k]);
		restore_core_pattern();
		ksft_test_result(good, "%s core dumps\n", image->name);

		good = true;
		for (j = 0; j < 8; j++)
			good &= observe_perf(image, j & 1, j & 2, j & 4);
		ksft_test_result(good, "%s perf records\n", image->name);

		good = true;
		for (j = 0; j < ARRAY_LEN(calls); j++)
			good &= run_call(image, &calls[j]);
		ksft_test_result(good, "%s system calls\n", image->name);
	}
	ksft_finished();
}
