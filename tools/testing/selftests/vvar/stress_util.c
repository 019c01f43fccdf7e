// SPDX-License-Identifier: GPL-2.0
/* The stress test: what the jobs share: clocks, touches, children. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "../vDSO/parse_vdso.h"
#include "areas.h"
#include "stress.h"

long page;
time_t clock_floor;
__thread sigjmp_buf * volatile recover;
unsigned long seed;
struct shared *sh;
struct vdso vd;

static __thread int devnull_pipe[2];
static __thread unsigned long rng_state;

/* xorshift64*: the same for every thread that starts from the same seed */
unsigned int rnd(unsigned int below)
{
	unsigned long x = rng_state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng_state = x;
	return (unsigned int)((x * 0x2545f4914f6cdd1dUL) >> 32) % below;
}

void rnd_start(unsigned long salt)
{
	rng_state = (seed + salt) * 0x9e3779b97f4a7c15UL | 1;
}

/* libc's own sleep and clock functions may call a vDSO that has moved */
void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	syscall(SYS_nanosleep, &ts, NULL);
}

void now(clockid_t clock, struct timespec *ts)
{
	syscall(SYS_clock_gettime, clock, ts);
}

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	if (sig == SIGBUS)
		wrong("SIGBUS at vvar + %#lx",
		      (unsigned long)si->si_addr - vd_base());
	if (recover)
		siglongjmp(*recover, sig == SIGSEGV &&
			   si->si_code == SEGV_PKUERR ? SIGSYS : sig);
	wrong("pid %d: signal %d at %p, vvar is at %#lx", getpid(), sig,
	      si->si_addr, vd_base());
	_exit(99);
}

/* Also when the parent is gone: nothing stays off line, or in /tmp */
static void on_stop(int sig)
{
	__atomic_store_n(&sh->stop, 1, __ATOMIC_RELAXED);
}

void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
}

bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* One read through the vDSO at @base, checked */
void read_clock(unsigned long base)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME,
					    CLOCK_BOOTTIME };
	int (*gettime)(clockid_t clock, struct timespec *ts) =
		(void *)(base + vd.text + vd.gettime);
	clockid_t clock = clocks[rnd(ARRAY_SIZE(clocks))];
	struct timespec a, b = { -1, -1 }, c;

	now(clock, &a);
	if (gettime(clock, &b))
		wrong("clock %d: the vDSO returned an error", clock);
	now(clock, &c);
	if (before(&b, &a) || before(&c, &b) || (unsigned long)b.tv_nsec >= 1000000000)
		wrong("clock %d: system call %ld.%09ld, vDSO %ld.%09ld, system call %ld.%09ld",
		      clock, a.tv_sec, a.tv_nsec, b.tv_sec, b.tv_nsec, c.tv_sec,
		      c.tv_nsec);
	if (clock != CLOCK_REALTIME &&
	    (b.tv_sec < clock_floor || b.tv_sec > clock_floor + OFFSET / 2))
		wrong("vDSO shows %ld s, not its namespace's %ld s and later",
		      b.tv_sec, clock_floor);
	counted(READ);
}

void touch(unsigned long addr)
{
	*(volatile char *)addr;
}

static void check_word(unsigned long word)
{
	if (word == VVAR_LIVE)
		counted(LIVE);
	else if (word)
		wrong("%#lx in the slot that is replaced: a page that it no longer shows",
		      word);
}

static void touch_slot(unsigned long base, size_t off)
{
	if (off && off == vd.replaced)
		check_word(*(volatile unsigned long *)(base + off + page -
						       sizeof(long)));
	else
		touch(base + off);
}

void touch_page(unsigned long base)
{
	touch_slot(base, vd.touch[rnd(vd.nr_touch)]);
}

/* Of this thread, so far */
long faults(void)
{
	return minor_faults(RUSAGE_THREAD);
}

void touch_all(unsigned long base)
{
	long begin, first;
	unsigned int i;

	/* fork does not copy the PTEs of what is shared: not a fault of vvar */
	count(TOUCH, 0);
	begin = faults();
	touch_slot(base, vd.touch[0]);
	first = faults();
	for (i = 1; i < vd.nr_touch; i++)
		touch_slot(base, vd.touch[i]);
	count(TOUCH_TIME, first - begin);
	count(TOUCH, faults() - begin);
}

/* A kernel-mode access: copy_from_user() of a vvar page */
bool touch_kernel(unsigned long base)
{
	size_t off = vd.touch[rnd(vd.nr_touch)];
	unsigned long word;
	long begin = faults();

	if (write(devnull_pipe[1], (void *)(base + off + page - sizeof(word)),
		  sizeof(word)) != sizeof(word))
		return false;
	count(KTOUCH, faults() - begin);
	if (read(devnull_pipe[0], &word, sizeof(word)) != sizeof(word))
		wrong("pipe lost a word");
	else if (off && off == vd.replaced)
		check_word(word);
	return true;
}

/* The vDSO's text, another way in; and vvar, which must give EFAULT or data */
void vm_readv(pid_t pid, unsigned long base)
{
	char buf[64];
	struct iovec to = { buf, SELFMAG };
	struct iovec from = { (void *)(base + vd.text), SELFMAG };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	if (n != SELFMAG || memcmp(buf, ELFMAG, SELFMAG))
		wrong("process_vm_readv of the vDSO: %zd, errno %d", n, errno);
	from.iov_base = (void *)(base + vd.touch[0]);
	n = process_vm_readv(pid, &to, 1, &from, 1, 0);
	if (n < 0 && errno != EFAULT)
		wrong("process_vm_readv of vvar: errno %d", errno);
	if (process_vm_writev(pid, &to, 1, &from, 1, 0) >= 0)
		wrong("process_vm_writev wrote to vvar");
	counted(VMREADV);
}

void find_vdso(void)
{
	char line[256], name[64];
	unsigned long start, end, text = getauxval(AT_SYSINFO_EHDR);
	FILE *maps = fopen("/proc/self/maps", "r");

	if (!maps)
		ksft_exit_fail_msg("/proc/self/maps: %s\n", strerror(errno));
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &start, &end,
			   name) != 3 ||
		    (strncmp(name, "[vvar", 5) && strcmp(name, "[vdso]")))
			continue;
		if (vd.nr == ARRAY_SIZE(vd.start))
			ksft_exit_fail_msg("more than %d VMAs of vvar and vDSO\n",
					   vd.nr);
		if (!vd.nr)
			vd.base = start;
		vd.start[vd.nr] = start - vd.base;
		if (!strcmp(name, "[vvar]"))
			vd.time = vd.start[vd.nr];
		vd.end[vd.nr++] = end - vd.base;
		vd.len = end - vd.base;
	}
	fclose(maps);
	if (vd.nr < 2 || vd.base + vd.start[vd.nr - 1] != text)
		ksft_exit_skip("no vvar followed by a vDSO in /proc/self/maps\n");
	vd.text = vd.start[vd.nr - 1];
	vdso_init_from_sysinfo_ehdr(text);
	vd.gettime = (unsigned long)vdso_sym("LINUX_2.6",
					     "__vdso_clock_gettime") - text;
}

/* Pages that the stock kernel has nothing for give SIGBUS: leave them out */
void find_touchable(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	struct areas as;
	size_t off, i;
	int status;
	pid_t pid;

	for (i = 0; i < vd.text; i += page) {
		off = (vd.time + i) % vd.text;
		pid = fork();
		if (!pid) {
			sigaction(SIGBUS, &sa, NULL);
			touch(vd.base + off);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			ksft_exit_fail_msg("waitpid: %s\n", strerror(errno));
		if (status)
			ksft_print_msg("vvar page %zu: signal %d, left out\n",
				       off / page, WTERMSIG(status));
		else if (vd.nr_touch < ARRAY_SIZE(vd.touch))
			vd.touch[vd.nr_touch++] = off;
	}
	if (!vd.nr_touch || vd.touch[0] != vd.time)
		ksft_exit_fail_msg("the first page of [vvar] cannot be read\n");
	if (!access(REPLACE, W_OK) && areas_find(&as, 0))
		vd.replaced = areas_replaced(&as) - vd.base;
}

/* Wait for a child that must end with status 0, or by a SIGKILL of ours; was there one? */
bool reap(pid_t pid, const char *what)
{
	int status;

	if (pid < 0) {
		if (errno != EAGAIN && errno != ENOMEM)
			wrong("%s: %s", what, strerror(errno));
		return false;
	}
	while (waitpid(pid, &status, 0) != pid) {
		if (errno != EINTR)
			return true;
	}
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		wrong("%s: child's status %#x", what, status);
	return true;
}

pid_t vfork_exec(void)
{
	char floor_arg[32], seed_arg[32];
	char *argv[] = { "stress", "--check", floor_arg, seed_arg, NULL };
	pid_t pid;

	snprintf(floor_arg, sizeof(floor_arg), "%ld", (long)clock_floor);
	snprintf(seed_arg, sizeof(seed_arg), "%u", rnd(UINT_MAX));
	pid = vfork();
	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	return pid;
}

/* What vfork_exec() runs: status 0 if what it reads is right */
int exec_check(const char *floor_arg, const char *seed_arg)
{
	static struct shared local;
	int i;

	sh = &local;
	clock_floor = atol(floor_arg);
	seed = atol(seed_arg);
	rnd_start(0);
	catch_signals();
	find_vdso();
	for (i = 0; i < 10; i++)
		read_clock(vd.base);
	return local.wrong ? 97 : 0;
}

void own_pipe(void)
{
	if (pipe(devnull_pipe)) {
		wrong("pipe: %s", strerror(errno));
		_exit(1);
	}
}

void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}
