// SPDX-License-Identifier: GPL-2.0
/*
 * perf bench vdso-clock: programs, from exec to exit. In the static helper, whose
 * address space is small.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "probe.h"

pid_t vc_spawn(const char *mode, const char *arg)
{
	const char *argv[] = { "vdso-clock", mode, arg, NULL };
	pid_t pid = vfork();

	if (!pid) {
		execve("/proc/self/exe", (char **)argv, environ);
		_exit(127);
	}
	return pid;
}

int vc_finish(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* The page tables of a child that has stopped itself, in KiB; it goes on */
static double page_tables(pid_t pid)
{
	char path[64], line[128];
	unsigned long kb = 0;
	int status;
	FILE *f;

	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid ||
	    !WIFSTOPPED(status))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPTE: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	kill(pid, SIGCONT);
	return vc_finish(pid) ? -1 : (double)kb;
}

static pid_t fork_stop(void)
{
	pid_t pid = fork();

	if (!pid) {
		raise(SIGSTOP);
		_exit(0);
	}
	return pid;
}

#define NR_PAGE_TABLES	10

static int vc_page_tables(const struct vc_conf *c)
{
	static const char * const name[] = {
		"exec.page_tables.fork", "exec.page_tables.static",
		"exec.page_tables.static_noclock",
	};
	double val[3][NR_PAGE_TABLES];
	int i, k;

	/*
	 * vfork() lets this process go on at the exec, so it can wait for the
	 * child to stop
	 */
	for (i = 0; i < NR_PAGE_TABLES; i++) {
		val[0][i] = page_tables(fork_stop());
		val[1][i] = page_tables(vc_spawn("child-clock", "stop"));
		val[2][i] = page_tables(vc_spawn("child-nothing", "stop"));
		for (k = 0; k < 3; k++)
			if (val[k][i] <= 0)
				return -ECHILD;
	}
	for (k = 0; k < 3; k++)
		vc_emit(c, name[k], "KiB", true, val[k], NR_PAGE_TABLES);
	return 0;
}

/* What a program knows of its first timestamp */
struct stamp {
	uint64_t	before, after;
	long		flt;
};

int vc_child_stamp(const char *arg)
{
	int fd = arg ? atoi(arg) : -1;
	struct stamp stamp;
	struct timespec ts;

	stamp.before = ticks();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	stamp.after = ticks();
	stamp.flt = vc_minflt();
	return write(fd, &stamp, sizeof(stamp)) != sizeof(stamp);
}

/* @start: the same of just before the exec: vfork() shares the memory */
static pid_t spawn_stamp(const char *arg, struct stamp *start)
{
	const char *argv[] = { "vdso-clock", "child-stamp", arg, NULL };
	pid_t pid = vfork();

	if (!pid) {
		start->flt = vc_minflt();
		start->after = ticks();
		execve("/proc/self/exe", (char **)argv, environ);
		_exit(127);
	}
	return pid;
}

static int vc_first_timestamp(const struct vc_conf *c)
{
	double *val[3] = {
		vc_alloc(c->loops), vc_alloc(c->loops), vc_alloc(c->loops)
	};
	double start = vc_now();
	struct stamp from, stamp;
	unsigned long i, n = 0;
	char arg[16];
	int k, fd[2];

	if (pipe(fd))
		return -errno;
	snprintf(arg, sizeof(arg), "%d", fd[1]);
	for (i = 0; i < c->warmup + c->loops; i++) {
		if (n && vc_expired(c, start))
			break;
		if (vc_finish(spawn_stamp(arg, &from)) ||
		    read(fd[0], &stamp, sizeof(stamp)) != sizeof(stamp))
			return -ECHILD;
		if (i < c->warmup)
			continue;
		val[0][n] = stamp.after - from.after;
		val[1][n] = stamp.after - stamp.before;
		val[2][n++] = stamp.flt - from.flt;
	}
	vc_emit_ticks(c, "exec.first_timestamp", val[0], n, 0, 1);
	vc_emit_ticks(c, "exec.first_call", val[1], n, 0, 1);
	vc_emit(c, "exec.first_timestamp.faults", "faults", true, val[2], n);
	for (k = 0; k < 3; k++)
		free(val[k]);
	return 0;
}

static pid_t spawn_program(const char *path, int out)
{
	const char *argv[] = { path, NULL };
	pid_t pid = vfork();

	if (!pid) {
		if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO)
			execve(path, (char **)argv, environ);
		_exit(127);
	}
	return pid;
}

static int vc_fork_dynamic(const struct vc_conf *c)
{
	const char name[] = "exec.vfork_exec_exit_dynamic";
	double *val = vc_alloc(c->loops), start = vc_now();
	int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	unsigned long i, n = 0;
	struct rusage ru;

	if (null < 0)
		return -errno;
	for (i = 0; i < c->warmup + c->loops; i++) {
		uint64_t t;
		pid_t pid;

		if (i && vc_expired(c, start))
			break;
		t = ticks();
		pid = spawn_program(c->program, null);
		if (pid < 0 || wait4(pid, &status, 0, &ru) != pid)
			return -errno;
		t = ticks() - t;
		if (status)
			return -ECHILD;
		/*
		 * Under -icount the TSC goes on where all wait for the disk, so
		 * that is no count. Exiting is one wait.
		 */
		if (i >= c->warmup && !(c->exact && ru.ru_nvcsw > 1))
			val[n++] = t;
	}
	if (n)
		vc_emit_ticks(c, name, val, n, 0, 1);
	else
		vc_skip(c, name, "%s waits for its files, and waits are no instructions: run all in a tmpfs",
			c->program);
	free(val);
	close(null);
	return 0;
}

static int fork_exit(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return vc_finish(pid);
}

int vc_fork(const struct vc_conf *c)
{
	static const char * const name[] = {
		"exec.fork_exit", "exec.vfork_exec_exit",
		"exec.vfork_exec_exit_noclock",
	};
	double *val[3] = {
		vc_alloc(c->loops), vc_alloc(c->loops), vc_alloc(c->loops)
	};
	double start = vc_now();
	unsigned long i, n = 0;
	int k;

	if (vc_pin(c, 0))
		return -errno;
	for (i = 0; i < c->warmup + c->loops; i++) {
		long s = (long)i - (long)c->warmup;
		uint64_t t[4];

		if (s > 0 && vc_expired(c, start))
			break;
		t[0] = ticks();
		if (fork_exit())
			return -ECHILD;
		t[1] = ticks();
		if (vc_finish(vc_spawn("child-clock", NULL)))
			return -ECHILD;
		t[2] = ticks();
		if (vc_finish(vc_spawn("child-nothing", NULL)))
			return -ECHILD;
		t[3] = ticks();
		/*
		 * The kernel makes the stack canaries of twelve new tasks at once:
		 * with three tasks a round, one of the three would always pay, which
		 * one by chance. With five they take turns.
		 */
		if (fork_exit() || fork_exit())
			return -ECHILD;
		if (s < 0)
			continue;
		for (k = 0; k < 3; k++)
			val[k][s] = t[k + 1] - t[k];
		n++;
	}
	for (k = 0; k < 3; k++) {
		vc_emit_ticks(c, name[k], val[k], n, 0, 1);
		free(val[k]);
	}
	return vc_page_tables(c) ?: vc_first_timestamp(c) ?: vc_fork_dynamic(c);
}
