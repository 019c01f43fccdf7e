// SPDX-License-Identifier: GPL-2.0
/*
 * Uprobes in the vDSO (CONFIG_VDSO_UPROBES), of the image that this program has:
 * where they may be, whom they reach, what they leave behind. "uprobes N": set and
 * remove one N times while processes exec, fork and read the clock.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/perf_event.h>

#include "../kselftest.h"
#include "../vDSO/parse_vdso.h"
#include "areas.h"
#include "number.h"
#include "process.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define IMAGE		"/sys/kernel/vdso/x86_64"
#define OWN_MAP		AREAS_MAP_64
#elif defined(__x86_64__)
#define IMAGE		"/sys/kernel/vdso/x32"
#define OWN_MAP		AREAS_MAP_X32
#else
#define IMAGE		"/sys/kernel/vdso/i386"
#define OWN_MAP		0
#endif

/* As this program is, so is its vDSO */
#define elf_ehdr	ElfW(Ehdr)
#define elf_shdr	ElfW(Shdr)
#define elf_sym		ElfW(Sym)

#define CALLS		1000
#define MAX_CPUS	64
#define BREAKPOINT	0xcc

typedef int (*gettime_t)(clockid_t clock, void *time);

static unsigned char *image;		/* what the file says */
static size_t image_size;
static unsigned char *text;		/* where it is mapped here */
static unsigned long gettime_at, getcpu_at;	/* offsets in it */
static const char *self;
static int uprobe_type = -1;

/* One for each CPU */
struct probe {
	int fd[MAX_CPUS];
	int nr;
};

static int open_probe(unsigned long offset, pid_t pid, int cpu, bool ret)
{
	struct perf_event_attr attr = {
		.type = uprobe_type,
		.size = sizeof(attr),
		.config = ret,
		.uprobe_path = (uintptr_t)IMAGE,
		.probe_offset = offset,
	};

	return syscall(SYS_perf_event_open, &attr, pid, cpu, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

static void probe_all(struct probe *probe, unsigned long offset, bool ret)
{
	probe->nr = sysconf(_SC_NPROCESSORS_CONF);
	for (int i = 0; i < probe->nr; i++) {
		probe->fd[i] = open_probe(offset, -1, i, ret);
		if (probe->fd[i] < 0)
			ksft_exit_fail_msg("probe at %#lx: %s\n", offset,
					   strerror(errno));
	}
}

/*
 * Later kernels give a private copy back only if nothing else holds it, such as a
 * batch of pages on its way to the LRU lists.
 */
static void drain(void)
{
	if (!put_text("/proc/sys/vm/drop_caches", "1"))
		ksft_exit_fail_msg("drop_caches: %s\n", strerror(errno));
}

static void unprobe(struct probe *probe)
{
	drain();
	for (int i = 0; i < probe->nr; i++)
		close(probe->fd[i]);
}

static uint64_t hits(const struct probe *probe)
{
	uint64_t sum = 0, n;

	for (int i = 0; i < probe->nr; i++) {
		if (read(probe->fd[i], &n, sizeof(n)) == sizeof(n))
			sum += n;
	}
	return sum;
}

/* Of this process's vDSO, wherever it is now */
static unsigned char *find_text(void)
{
	const struct area *vdso = NULL;
	struct areas as;

	if (areas_find(&as, 0))
		vdso = areas_named(&as, "[vdso]");
	return vdso ? (unsigned char *)vdso->start : NULL;
}

static int64_t by_syscall(void)
{
	struct timespec t;

	/* By the kernel's own types, of which the x32 and 64-bit ones agree */
#ifdef __i386__
	struct { int64_t sec, nsec; } k;

	if (syscall(SYS_clock_gettime64, CLOCK_MONOTONIC, &k))
		return -1;
	t.tv_sec = k.sec;
	t.tv_nsec = k.nsec;
#else
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t))
		return -1;
#endif
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t by_vdso(unsigned char *at)
{
	union {
		struct { int32_t sec, nsec; } old;
		struct { int64_t sec, nsec; } k;
	} t;

	if (((gettime_t)(at + gettime_at))(CLOCK_MONOTONIC, &t))
		return -1;
#ifdef __i386__
	return t.old.sec * 1000000000LL + t.old.nsec;
#else
	return t.k.sec * 1000000000LL + t.k.nsec;
#endif
}

/* @calls calls, each between two system calls in time: 0, or 1 if one was not */
static int read_clock(unsigned int calls)
{
	unsigned char *at = find_text();
	int64_t before, now, after;

	for (; at && calls; calls--) {
		before = by_syscall();
		now = by_vdso(at);
		after = by_syscall();
		if (now < before || now > after)
			return 1;
	}
	return !at;
}

/* This program afresh, which makes @calls calls */
static pid_t run(unsigned int calls)
{
	char text_calls[16];
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(text_calls, sizeof(text_calls), "%u", calls);
	execl(self, self, "read", text_calls, NULL);
	_exit(127);
}

/* Is the page of the probed function a private copy? -1 if pagemap does not say */
static int private_copy(const unsigned char *at)
{
	uint64_t entry;

	/* Present */
	(void)*(volatile unsigned char *)at;
	if (!pagemap_entry(0, (unsigned long)at, &entry) || !(entry & (1ULL << 63)))
		return -1;
	return !(entry & (1ULL << 61));
}

/* The text is the image's, but for a breakpoint in a private copy if @probed */
static bool text_is(bool probed)
{
	unsigned char *at = find_text();
	bool good;

	if (!at)
		return false;
	good = at[gettime_at] == (probed ? BREAKPOINT : image[gettime_at]) &&
	       !memcmp(at, image, gettime_at) &&
	       !memcmp(at + gettime_at + 1, image + gettime_at + 1,
		       image_size - gettime_at - 1) &&
	       (!probed || private_copy(at + gettime_at) == 1);
	if (!good)
		ksft_print_msg("byte %#x, private copy: %d\n", at[gettime_at],
			       private_copy(at + gettime_at));
	return good;
}

/* And everybody's */
static bool text_is_shared(void)
{
	return text_is(false) && !private_copy(find_text() + gettime_at);
}

static bool load_image(void)
{
	int fd = open(IMAGE, O_RDONLY);
	struct stat st;
	size_t done = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return false;
	image_size = st.st_size;
	image = malloc(image_size);
	while (done < image_size &&
	       (n = read(fd, image + done, image_size - done)) > 0)
		done += n;
	if (done < image_size)
		return false;
	close(fd);
	text = find_text();
	vdso_init_from_sysinfo_ehdr(getauxval(AT_SYSINFO_EHDR));
	gettime_at = (unsigned char *)vdso_sym("LINUX_2.6", "__vdso_clock_gettime") - text;
	getcpu_at = (unsigned char *)vdso_sym("LINUX_2.6", "__vdso_getcpu") - text;
	return text && gettime_at < image_size && getcpu_at < image_size;
}

/* The symbols, of the section headers: the function that begins at @offset, or NULL */
static const char *exported(unsigned long offset)
{
	const elf_ehdr *ehdr = (void *)image;
	const elf_shdr *sh = (void *)(image + ehdr->e_shoff);
	unsigned int i, j;

	for (i = 0; i < ehdr->e_shnum; i++) {
		const elf_sym *sym = (void *)(image + sh[i].sh_offset);

		for (j = 0; sh[i].sh_type == SHT_DYNSYM &&
		     j < sh[i].sh_size / sizeof(*sym); j++) {
			if ((sym[j].st_info & 0xf) == STT_FUNC &&
			    sym[j].st_shndx && sym[j].st_value == offset)
				return (char *)image + sh[sh[i].sh_link].sh_offset +
				       sym[j].st_name;
		}
	}
	return NULL;
}

static void try_offsets(void)
{
	unsigned int taken = 0, refused = 0, trampolines = 0, bad = 0;
	unsigned long offset;
	const char *name;
	bool want;
	int fd;

	for (offset = 0; offset <= image_size + 1; offset++) {
		name = offset < image_size ? exported(offset) : NULL;
		want = name && !strstr(name, "sigreturn");
		trampolines += name && !want;
		fd = open_probe(offset, 0, -1, false);
		if (fd >= 0 && want)
			taken++;
		else if (fd < 0 && !want && errno == EINVAL)
			refused++;
		else if (bad++ < 5)
			ksft_print_msg("%#lx %s: %s\n", offset, name ?: "",
				       fd < 0 ? strerror(errno) : "taken");
		if (fd >= 0)
			close(fd);
	}
	ksft_test_result(!bad && taken >= 5, "%u starts taken, %u other offsets and %u trampolines refused\n",
			 taken, refused - trampolines, trampolines);
}

static const char *tracefs(void)
{
	return access("/sys/kernel/tracing/uprobe_events", W_OK) ?
	       "/sys/kernel/debug/tracing" : "/sys/kernel/tracing";
}

static void try_error_log(void)
{
	char path[64], probe[96], log[4096] = "";
	int fd, len, err = 0;
	bool said;

	snprintf(path, sizeof(path), "%s/uprobe_events", tracefs());
	len = snprintf(probe, sizeof(probe), "p:vvar_uprobes/bad " IMAGE ":%#lx\n",
		       gettime_at + 1);
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, probe, len) >= 0)
		err = -1;
	else
		err = errno;
	close(fd);
	snprintf(path, sizeof(path), "%s/error_log", tracefs());
	fd = open(path, O_RDONLY);
	len = read(fd, log, sizeof(log) - 1);
	close(fd);
	said = strstr(log, "Not the start of a function that the vDSO exports");
	ksft_test_result(err == EINVAL && said, "uprobe_events: %s, %s in error_log\n",
			 err > 0 ? strerror(err) : "taken", said ? "why" : "nothing");
}

/* Whoever calls is counted, call by call */
static void expect(struct probe *probe, const char *who, int status, uint64_t calls)
{
	static uint64_t so_far;
	uint64_t now = hits(probe);

	if (!who) {
		so_far = now;
		return;
	}
	ksft_test_result(!status && now - so_far == calls, "%s: status %#x, %llu calls counted, %llu made\n",
			 who, status, (unsigned long long)(now - so_far),
			 (unsigned long long)calls);
	so_far = now;
}

static void *in_thread(void *arg)
{
	return (void *)(long)read_clock(CALLS);
}

/* All areas, to addresses as far from each other */
static int moved(void)
{
	unsigned long size, shift;
	struct areas as;
	unsigned int i;
	char *to;

	if (!areas_find(&as, 0))
		return 2;
	size = as.area[as.nr - 1].end - as.area[0].start;
	to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shift = (unsigned long)to - as.area[0].start;
	for (i = 0; i < as.nr; i++) {
		const struct area *a = &as.area[i];

		if (mremap((void *)a->start, a->end - a->start, a->end - a->start,
			   MREMAP_MAYMOVE | MREMAP_FIXED, a->start + shift) == MAP_FAILED)
			return 3;
#ifdef __i386__
		/* Through which libc calls the system */
		if (a->text)
			asm volatile("addl %0, %%gs:0x10" : : "r" (shift));
#endif
	}
	return find_text() == text + shift ? read_clock(CALLS) : 4;
}

static int afresh(void)
{
	struct areas as;

	if (!areas_renew(&as, OWN_MAP))
		return 2;
	return text_is(true) ? read_clock(CALLS) : 3;
}

/* Run @body in a child */
static int in_child(int (*body)(void))
{
	pid_t pid = fork();

	if (!pid)
		_exit(body());
	return child_status(pid);
}

static int reads(void)
{
	return read_clock(CALLS);
}

static int reads_in_grandchild(void)
{
	return in_child(reads) ? 1 : reads();
}

static int has_no_breakpoint(void)
{
	return !text_is_shared() || read_clock(CALLS);
}

/*
 * A debugger's breakpoint in another function of the same page, and the probe:
 * neither is taken for the other, and each goes without the other.
 */
static void try_ptrace(void)
{
	unsigned long at = (unsigned long)text + getcpu_at;
	bool kept, stopped, whole;
	struct probe probe;
	long word, was;
	int status;
	uint64_t n;
	pid_t pid;

	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		read_clock(CALLS);
		((int (*)(void *, void *, void *))(text + getcpu_at))(NULL, NULL, NULL);
		_exit(find_text()[gettime_at] == BREAKPOINT);
	}
	waitpid(pid, &status, 0);
	was = ptrace(PTRACE_PEEKTEXT, pid, at, 0);
	word = (was & ~0xffL) | BREAKPOINT;
	ptrace(PTRACE_POKETEXT, pid, at, word);
	probe_all(&probe, gettime_at, false);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	stopped = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
	n = hits(&probe);
	unprobe(&probe);
	/* The debugger's own is still there */
	kept = ptrace(PTRACE_PEEKTEXT, pid, at, 0) == word;
	whole = (ptrace(PTRACE_PEEKTEXT, pid, text + gettime_at, 0) & 0xff) ==
		image[gettime_at];
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ksft_test_result(stopped && kept && whole && n == CALLS,
			 "a debugger's breakpoint: %s, %s, the probe: %llu calls of %u, %s\n",
			 stopped ? "hit" : "not hit", kept ? "stays" : "lost",
			 (unsigned long long)n, CALLS, whole ? "gone" : "stays");
}

/* Only who is asked for has a copy */
static void try_one_process(void)
{
	int go[2], back[2], fd, status;
	uint64_t n = 0;
	bool mine, child_has;
	pid_t pid;
	char c = 0;

	if (pipe(go) || pipe(back))
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(3);
		c = text_is(true);
		c = c && !read_clock(CALLS);
		if (write(back[1], &c, 1) != 1)
			_exit(4);
		_exit(0);
	}
	fd = open_probe(gettime_at, pid, -1, false);
	if (fd < 0 || write(go[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		ksft_exit_fail_msg("probe in one process: %s\n", strerror(errno));
	child_has = c;
	mine = text_is_shared() && !read_clock(CALLS);
	status = child_status(pid);
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		n = 0;
	close(fd);
	close(go[0]);
	close(go[1]);
	close(back[0]);
	close(back[1]);
	ksft_test_result(child_has && mine && !status && n == CALLS,
			 "one process has a copy: %d, this one has none: %d, %llu calls of %u\n",
			 child_has, mine, (unsigned long long)n, CALLS);
}

/* Of both: a call, and its return */
static void try_return(void)
{
	struct probe probe;
	int status;
	uint64_t n;

	probe_all(&probe, gettime_at, true);
	status = in_child(reads) || read_clock(CALLS);
	n = hits(&probe);
	unprobe(&probe);
	ksft_test_result(!status && n == 2 * CALLS && text_is_shared(),
			 "return probe: status %#x, %llu returns of %u\n", status,
			 (unsigned long long)n, 2 * CALLS);
}

/* Readers, forkers and execers until told to stop; their statuses */
static volatile bool *stop;

static int go_on_reading(void)
{
	while (!*stop) {
		if (read_clock(100))
			return 1;
	}
	return !text_is(false);
}

static int go_on_forking(void)
{
	while (!*stop) {
		pid_t pid = fork();

		if (!pid)
			_exit(read_clock(20));
		if (pid > 0 && child_status(pid))
			return 1;
	}
	return !text_is(false);
}

static int go_on_executing(void)
{
	while (!*stop) {
		if (child_status(run(20)))
			return 1;
	}
	return !text_is(false);
}

static int go_on_moving(void)
{
	while (!*stop) {
		if (in_child(moved))
			return 1;
	}
	return 0;
}

static unsigned int race_times;

/* Two at the same function share a probe, whose last one takes it away */
static void *set_and_remove(void *arg)
{
	unsigned long which = (unsigned long)arg, failed = 0;
	unsigned int i;
	int fd;

	for (i = which; i < race_times; i += 4) {
		fd = open_probe(which & 1 ? getcpu_at : gettime_at, -1, 0,
				which & 2);
		failed += fd < 0;
		/* Let somebody meet it */
		if (i & 4)
			sched_yield();
		close(fd);
	}
	return (void *)failed;
}

static void race(unsigned int times)
{
	static int (* const bodies[])(void) = {
		go_on_reading, go_on_forking, go_on_executing, go_on_moving,
	};
	unsigned long i, bad = 0, failed = 0;
	pthread_t threads[4];
	pid_t pids[4];
	void *ret;
	int status;

	race_times = times;
	stop = mmap(NULL, AREAS_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(bodies[i]());
		}
	}
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, set_and_remove, (void *)i);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &ret);
		failed += (unsigned long)ret;
	}
	*stop = true;
	for (i = 0; i < 4; i++) {
		status = child_status(pids[i]);
		if (status)
			ksft_print_msg("process %lu: status %#x\n", i, status);
		bad += status != 0;
	}
	ksft_test_result(!bad && !failed && text_is(false),
			 "set and removed %u times: %lu failed, %lu processes went wrong\n",
			 times, failed, bad);
}

int main(int argc, char **argv)
{
	unsigned int times = 0;
	struct probe probe;
	pthread_t thread;
	int status, go[2];
	void *ret;
	FILE *type;
	pid_t pid;
	char c = 0;

	self = argv[0];
	if (argc == 3 && !strcmp(argv[1], "read"))
		return !load_image() || read_clock(atoi(argv[2]));
	if (argc > 1)
		times = parse_number(argv[1], "rounds", 1, UINT_MAX);

	ksft_print_header();
	type = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	if (geteuid() || !type || fscanf(type, "%d", &uprobe_type) != 1)
		ksft_exit_skip("needs root, and the uprobe PMU\n");
	fclose(type);
	if (!load_image())
		ksft_exit_fail_msg("no image in " IMAGE ", or it is not that of [vdso]\n");
	/* Without, it is a file like any other, of which nobody has a mapping */
	status = open_probe(gettime_at + 1, 0, -1, false);
	close(status);
	if (status >= 0)
		ksft_exit_skip("CONFIG_VDSO_UPROBES is off\n");
	if (times) {
		ksft_set_plan(1);
		race(times);
		ksft_finished();
	}
	ksft_set_plan(14 + !!OWN_MAP);

	ksft_test_result(text_is_shared(), "no copy without a probe\n");
	try_offsets();
	try_error_log();

	/* One that was there before, and one that is made later */
	if (pipe(go))
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
	pid = fork();
	if (!pid)
		_exit(read(go[0], &c, 1) != 1 || !text_is(true) || read_clock(CALLS));
	probe_all(&probe, gettime_at, false);
	ksft_test_result(text_is(true), "a private copy with one\n");
	expect(&probe, NULL, 0, 0);
	if (write(go[1], &c, 1) != 1)
		ksft_exit_fail_msg("pipe: %s\n", strerror(errno));
	expect(&probe, "a process that was there", child_status(pid), CALLS);
	expect(&probe, "this process", read_clock(CALLS), CALLS);
	expect(&probe, "a program run later", child_status(run(CALLS)), CALLS);
	expect(&probe, "a child, and a child of it", in_child(reads_in_grandchild),
	       2 * CALLS);
	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, &ret);
	expect(&probe, "a thread", (long)ret, CALLS);
	expect(&probe, "the vDSO moved", in_child(moved), CALLS);
	if (OWN_MAP)
		expect(&probe, "the vDSO mapped afresh", in_child(afresh), CALLS);
	unprobe(&probe);
	status = in_child(has_no_breakpoint);
	ksft_test_result(!status && text_is_shared(), "no copy when it is gone, in a child neither: status %#x\n",
			 status);

	try_one_process();
	try_return();
	try_ptrace();
	ksft_finished();
}
