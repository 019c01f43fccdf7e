// SPDX-License-Identifier: GPL-2.0
/*
 * init of a guest of any architecture (scripts/check/archs), a static program: does
 * it read the clock through [vvar], is every page of that readable, tombstones
 * included, and what does a first touch of one take? Then it runs what is in
 * /selftests. Each answer is a line that begins with "arch-init: ", the last is
 * "arch-init: end".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define RUNS	16
#define READS	1000

static sigjmp_buf back;

static void on_signal(int sig)
{
	siglongjmp(back, sig);
}

/* No stdio before the first touches are measured: that could read the clock */
static unsigned long start, end;

static void find_vvar(void)
{
	static char maps[16384];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t n = 0;
	char *line;
	ssize_t r;

	while (fd >= 0 && (r = read(fd, maps + n, sizeof(maps) - 1 - n)) > 0)
		n += r;
	close(fd);
	for (line = strtok(maps, "\n"); line; line = strtok(NULL, "\n")) {
		if (strstr(line, "[vvar]"))
			sscanf(line, "%lx-%lx", &start, &end);
	}
}

/* Is the page present? */
static int present(unsigned long addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;
	ssize_t n = pread(fd, &entry, sizeof(entry),
			  addr / getpagesize() * sizeof(entry));

	close(fd);
	return n == sizeof(entry) ? (int)(entry >> 63) : -1;
}

/* Instructions of this thread, kernel and user */
static int counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t count(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

/* What a read of an address takes, less what counting takes; 0 if not countable */
static long touch(int fd, unsigned long addr)
{
	uint64_t a, b, c;

	count(fd);
	a = count(fd);
	b = count(fd);
	*(volatile char *)addr;
	c = count(fd);
	return (long)(c - b) - (long)(b - a);
}

/*
 * In a fresh process: has a page that is there in its page table, so that no touch
 * has to make one. Reports by pipe.
 */
static int measure(int to)
{
	unsigned long page = getpagesize();
	long result[3] = { 0 };
	int fd = counter();
	char *zero;

	find_vvar();
	if (fd < 0 || !start || !count(fd))
		return 1;
	/* A neighbour, if its place is free */
	zero = mmap((void *)(start - 4 * page), 4 * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (zero == MAP_FAILED)
		return 1;
	zero[0] = 1;
	touch(fd, (unsigned long)zero);
	result[0] = touch(fd, start);
	result[1] = touch(fd, (unsigned long)zero + page);
	result[2] = touch(fd, start);
	return write(to, result, sizeof(result)) != sizeof(result);
}

static void measure_all(char *self)
{
	long least[3] = { 0 }, result[3];
	int run, i, fds[2], got = 0;

	for (run = 0; run < RUNS; run++) {
		pid_t pid;

		if (pipe(fds))
			return;
		pid = fork();
		if (!pid) {
			char to[12];

			snprintf(to, sizeof(to), "%d", fds[1]);
			execl(self, self, to, NULL);
			_exit(1);
		}
		close(fds[1]);
		if (read(fds[0], result, sizeof(result)) == sizeof(result)) {
			for (i = 0; i < 3; i++) {
				if (!got || result[i] < least[i])
					least[i] = result[i];
			}
			got++;
		}
		close(fds[0]);
		waitpid(pid, NULL, 0);
	}
	if (got)
		printf("arch-init: touch vvar %ld zero %ld warm %ld\n", least[0],
		       least[1], least[2]);
	else
		printf("arch-init: touch not counted: no instruction counter\n");
}

static long long ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000LL + t->tv_nsec;
}

/* The vDSO's time between two of the kernel's; returns how often it was not */
static int wrong(clockid_t clock)
{
	struct timespec before, t, after;
	int i, bad = 0;

	for (i = 0; i < READS; i++) {
		t = (struct timespec){ 0 };
		syscall(SYS_clock_gettime, clock, &before);
		if (clock_gettime(clock, &t))
			bad++;
		syscall(SYS_clock_gettime, clock, &after);
		if (ns(&t) < ns(&before) || ns(&t) > ns(&after))
			bad++;
	}
	return bad;
}

/* Is it read without a system call? One would be the end of a child that may make none */
static int by_vdso(clockid_t clock)
{
	struct timespec t;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			_exit(2);
		clock_gettime(clock, &t);
		syscall(SYS_exit, 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? -1 : 1;
	return WTERMSIG(status) == SIGKILL ? 0 : -1;
}

/* The clocksource may have no mode for the vDSO; the coarse clocks need none */
static void tell_vdso(void)
{
	int coarse = by_vdso(CLOCK_MONOTONIC_COARSE), fine = by_vdso(CLOCK_MONOTONIC);
	char name[64] = "unknown";
	int fd;

	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  O_RDONLY);
	if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0)
		name[strcspn(name, "\n")] = 0;
	close(fd);
	printf("arch-init: vdso %s, clocksource %s\n",
	       coarse < 0 || fine < 0 ? "unknown" : coarse && fine ? "all" :
	       coarse ? "coarse" : "none", name);
}

/* Without special PTEs [vvar] is VM_PFNMAP, and pagemap shows nothing of that */
static bool hidden(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool here = false, pf = false;
	unsigned long from, to;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from == start;
		else if (here && !strncmp(line, "VmFlags:", 8))
			pf = strstr(line, " pf");
	}
	if (smaps)
		fclose(smaps);
	return pf;
}

static void read_clocks(void)
{
	static const clockid_t clocks[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI,
	};
	int was = present(start), is, bad = 0;
	struct timespec t;
	const char *seen;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	clock_gettime(CLOCK_MONOTONIC, &t);
	is = present(start) == 1;
	seen = hidden() ? "hidden" : is ? "present" : "not present";
	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		bad += wrong(clocks[i]);
	printf("arch-init: clock %s: %d wrong of %zu, [vvar] %s before, %s after\n",
	       bad || was || !strcmp(seen, "not present") ? "FAILED" : "ok", bad,
	       READS * sizeof(clocks) / sizeof(clocks[0]),
	       was ? "present" : "not present", seen);
}

static void read_all(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	volatile unsigned long pages = 0, vvar = 0, bad = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	volatile unsigned long addr;
	char line[512], name[256], prot[8];

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	while (maps && fgets(line, sizeof(line), maps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &from, &to,
			   prot, name) < 3 || prot[0] != 'r')
			continue;
		for (addr = from; addr < to; addr += getpagesize()) {
			if (sigsetjmp(back, 1)) {
				printf("arch-init: %s at %lx: signal\n", name, addr);
				bad++;
				continue;
			}
			*(volatile char *)addr;
			pages++;
			vvar += !strcmp(name, "[vvar]");
		}
	}
	printf("arch-init: read_all %s: %lu pages, %lu of [vvar], %lu bad\n",
	       bad || !vvar ? "FAILED" : "ok", pages, vvar, bad);
}

static void run_selftests(void)
{
	DIR *dir = opendir("/selftests");
	const struct dirent *entry;
	int status;
	pid_t pid;

	mkdir("/tmp", 01777);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		pid = fork();
		if (!pid) {
			if (!chdir("/selftests"))
				execl(entry->d_name, entry->d_name, NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			status = -1;
		printf("arch-init: selftest %s status %d\n", entry->d_name,
		       WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	}
	if (dir)
		closedir(dir);
}

int main(int argc, char **argv)
{
	if (argc > 1 && getpid() != 1)
		return measure(atoi(argv[1]));

	setvbuf(stdout, NULL, _IONBF, 0);
	mkdir("/proc", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL))
		printf("arch-init: no /proc: %s\n", strerror(errno));
	find_vvar();
	if (start)
		read_clocks();
	else
		printf("arch-init: clock FAILED: no [vvar]\n");
	tell_vdso();
	read_all();
	measure_all("/init");
	run_selftests();
	printf("arch-init: end\n");
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
