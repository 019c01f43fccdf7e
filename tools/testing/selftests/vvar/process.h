/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests: how a child ended, a text for a file, what pagemap says, and how many
 * faults there were.
 */
#ifndef VVAR_PROCESS_H
#define VVAR_PROCESS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* libc may be older than the kernel */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x80
#endif

/* The status of a child once it has ended, 0 if it did well; -1 for no such child */
static inline int child_status(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

/* All of @text in one call, or false with errno. A signal handler may use it. */
static inline bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;
	bool put;

	if (fd < 0)
		return false;
	put = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	err = errno;
	close(fd);
	errno = err;
	return put;
}

/* Of process @pid, 0 for this one, where its pages are 4 KiB */
static inline bool pagemap_entry(pid_t pid, unsigned long addr, uint64_t *entry)
{
	char path[64] = "/proc/self/pagemap";
	bool got;
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	got = pread(fd, entry, sizeof(*entry), addr / 4096 * sizeof(*entry)) ==
	      sizeof(*entry);
	close(fd);
	return got;
}

/* Minor faults of RUSAGE_SELF or RUSAGE_THREAD so far */
static inline long minor_faults(int who)
{
	struct rusage ru;

	if (getrusage(who, &ru))
		_exit(1);
	return ru.ru_minflt;
}

#endif /* VVAR_PROCESS_H */
