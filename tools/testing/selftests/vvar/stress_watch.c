// SPDX-License-Identifier: GPL-2.0
/* The stress test: looking at another process's vvar: ptrace, /proc, core dumps. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "stress.h"

bool peekable;

static void watch_child(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		touch_page(vd.base);
		read_clock(vd.base);
		sleep_ms(1);
	}
	_exit(0);
}

static void peek_and_poke(pid_t pid)
{
	long word;
	int status;

	/* No SIGSTOP, which would outlive us in a child that we leave behind */
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_EXITKILL) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL)) {
		wrong("PTRACE_SEIZE: %s", strerror(errno));
		return;
	}
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, vd.base + vd.text, NULL);
	if (errno || memcmp(&word, ELFMAG, SELFMAG))
		wrong("PTRACE_PEEKDATA of the vDSO: %#lx, errno %d", word,
		      errno);
	/* A breakpoint of a debugger: copy on write, of this process only */
	if (ptrace(PTRACE_POKEDATA, pid, vd.base + vd.text, word + 1) ||
	    ptrace(PTRACE_PEEKDATA, pid, vd.base + vd.text, NULL) != word + 1 ||
	    ptrace(PTRACE_POKEDATA, pid, vd.base + vd.text, word))
		wrong("PTRACE_POKEDATA of the vDSO: errno %d", errno);
	if (memcmp((void *)(vd.base + vd.text), ELFMAG, SELFMAG))
		wrong("another process's breakpoint is in the vDSO");
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, vd.base + vd.touch[0], NULL);
	if (errno && (peekable || errno != EIO))
		wrong("PTRACE_PEEKDATA of vvar: errno %d", errno);
	if (!ptrace(PTRACE_POKEDATA, pid, vd.base + vd.touch[0], 1UL))
		wrong("PTRACE_POKEDATA wrote to vvar");
	counted(PTRACE);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

int open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

static void proc_mem(pid_t pid)
{
	int fd = open_proc(pid, "mem", O_RDWR);
	char buf[8];

	if (fd < 0)
		return;
	if (pread(fd, buf, SELFMAG, vd.base + vd.text) != SELFMAG ||
	    memcmp(buf, ELFMAG, SELFMAG))
		wrong("/proc/PID/mem of the vDSO: %s", strerror(errno));
	if (pread(fd, buf, 1, vd.base + vd.touch[0]) != 1 &&
	    (peekable || errno != EIO))
		wrong("/proc/PID/mem of vvar: %s", strerror(errno));
	if (pwrite(fd, buf, 1, vd.base + vd.touch[0]) >= 0)
		wrong("/proc/PID/mem wrote to vvar");
	close(fd);
	counted(PROC_MEM);
}

static void proc_maps(pid_t pid)
{
	static char buf[65536];
	unsigned long entry[16];
	int smaps = open_proc(pid, "smaps", O_RDONLY);
	int pagemap = open_proc(pid, "pagemap", O_RDONLY);
	size_t nr = vd.text / page;

	while (smaps >= 0 && read(smaps, buf, sizeof(buf)) > 0)
		;
	if (nr > ARRAY_SIZE(entry))
		nr = ARRAY_SIZE(entry);
	if (pagemap >= 0 && pread(pagemap, entry, nr * 8, vd.base / page * 8) < 0)
		wrong("pagemap: %s", strerror(errno));
	if (smaps >= 0 && pagemap >= 0)
		counted(PROC_MAPS);
	close(smaps);
	close(pagemap);
}

void job_watch(void)
{
	pid_t pid, self = getpid();
	int i;

	while (!stopping()) {
		pid = fork();
		if (!pid)
			watch_child(self);
		if (pid < 0)
			continue;
		for (i = 0; i < 20 && !stopping(); i++) {
			peek_and_poke(pid);
			proc_mem(pid);
			proc_maps(pid);
			vm_readv(pid, vd.base);
		}
		kill(pid, SIGKILL);
		reap(pid, "child that is watched");
	}
}

void job_core(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	char dir[] = "/tmp/vvar-stress.XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(dir) || chdir(dir)) {
		wrong("%s: %s", dir, strerror(errno));
		return;
	}
	while (!stopping()) {
		rnd(2);
		pid = fork();
		if (!pid) {
			signal(SIGABRT, SIG_DFL);
			setrlimit(RLIMIT_CORE, &unlimited);
			if (rnd(2))
				touch_all(vd.base);
			read_clock(vd.base);
			abort();
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			continue;
		if (WIFSIGNALED(status) && WCOREDUMP(status))
			counted(CORE);
		unlink("core");
		sleep_ms(20);
	}
	if (chdir("/") || rmdir(dir))
		wrong("%s: %s", dir, strerror(errno));
}
