// SPDX-License-Identifier: GPL-2.0
/* perf bench vdso-clock: children that measure, and what they report */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "front.h"

const struct vc_helper vc_static = {
	"static", vc_helper_static, vc_helper_static_end,
	"perf was built without a static libc (libc6-dev has it)"
}, vc_compat = {
	"32-bit", vc_helper_32, vc_helper_32_end,
	"perf was built without a 32-bit compiler (gcc-multilib has it)"
};

/* Put before the names of what comes in */
static const char *name_prefix = "";

/* Takes in one child's report. 0, or -1 when it is not one. */
static int read_report(FILE *f)
{
	char *line = NULL, *save;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	while ((len = getline(&line, &room, f)) > 0) {
		char *name, *unit, *exact, *better, *count, full[128];
		unsigned long i, n;
		double *val;

		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		if (line[0] == 's' && line[1] == ' ') {
			vc_note(&vc_skipped, "%s%s", name_prefix, line + 2);
			continue;
		}
		if (line[0] == 'w' && line[1] == ' ') {
			vc_note(&vc_warnings, "%s", line + 2);
			continue;
		}
		if (line[0] == 'r' && line[1] == ' ') {
			vc_note(&vc_texts, "%s", line + 2);
			continue;
		}
		strtok_r(line, " ", &save);
		name = strtok_r(NULL, " ", &save);
		unit = strtok_r(NULL, " ", &save);
		exact = strtok_r(NULL, " ", &save);
		better = strtok_r(NULL, " ", &save);
		count = strtok_r(NULL, " ", &save);
		if (line[0] != 'm' || !count) {
			ret = vc_fail("a measuring child said '%s'", line);
			break;
		}
		snprintf(full, sizeof(full), "%s%s", name_prefix, name);
		n = strtoul(count, NULL, 10);
		val = vc_must(calloc(n + 1, sizeof(*val)));
		for (i = 0; i < n; i++)
			if (fscanf(f, "%lf\n", &val[i]) != 1)
				break;
		if (i < n)
			ret = vc_fail("%s: %lu samples of %lu", name, i, n);
		else if (n)
			vc_add_samples(full, unit, *exact == '1', better, val, n);
		free(val);
		if (ret)
			break;
	}
	free(line);
	return ret;
}

/* 0, a positive exit status, or -1 after a message */
static int reap(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return vc_fail("%s: waitpid: %s", what, strerror(errno));
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGSYS)
			vc_note(&vc_warnings, "%s: killed by a seccomp filter", what);
		else
			vc_fail("%s: killed by signal %d (%s)", what,
				WTERMSIG(status), strsignal(WTERMSIG(status)));
		return WTERMSIG(status) == SIGSYS ? VC_EXIT_FALLBACK : -1;
	}
	return WEXITSTATUS(status);
}

int vc_run_child(const char *what, int (*fn)(const struct vc_conf *c))
{
	int fd[2], ret, err;
	FILE *f;
	pid_t pid;

	fflush(stdout);
	if (pipe(fd))
		return vc_fail("%s: pipe: %s", what, strerror(errno));
	pid = fork();
	if (pid < 0)
		return vc_fail("%s: fork: %s", what, strerror(errno));
	if (!pid) {
		close(fd[0]);
		vc_run.out = fdopen(fd[1], "w");
		if (!vc_run.out)
			_exit(1);
		ret = fn(&vc_run);
		if (ret < 0) {
			fprintf(stderr, "vdso-clock: %s: %s\n", what,
				strerror(-ret));
			ret = 1;
		}
		if (fclose(vc_run.out))
			ret = 1;
		_exit(ret);
	}
	close(fd[1]);
	f = fdopen(fd[0], "r");
	err = f ? read_report(f) : vc_fail("%s: no memory", what);
	if (f)
		fclose(f);
	ret = reap(pid, what);
	return err ? err : ret;
}

/* A helper as a file that can be exec'ed. Close it after use. */
int vc_helper_fd(const struct vc_helper *h)
{
	size_t len = h->end - h->start, done = 0;
	int fd;

	if (!len) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("vdso-clock", MFD_CLOEXEC);
	while (fd >= 0 && done < len) {
		ssize_t n = write(fd, h->start + done, len - done);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += n;
	}
	return fd;
}

static const struct vc_helper *helper_now;
static const char *helper_mode;

static int exec_helper(const struct vc_conf *c)
{
	char arg[6][32], path[64];
	const char *argv[] = {
		"vdso-clock", helper_mode, arg[0], arg[1], arg[2], arg[3],
		c->unit, arg[4], arg[5], c->clocks ?: "", c->program, NULL
	};
	int fd = vc_helper_fd(helper_now);

	if (fd < 0)
		return -errno;
	snprintf(arg[0], sizeof(arg[0]), "%lu", c->loops);
	snprintf(arg[1], sizeof(arg[1]), "%lu", c->warmup);
	snprintf(arg[2], sizeof(arg[2]), "%lu", c->batch);
	snprintf(arg[3], sizeof(arg[3]), "%g", c->seconds);
	snprintf(arg[4], sizeof(arg[4]), "%.17g", c->scale);
	snprintf(arg[5], sizeof(arg[5]), "%d", c->nr_cpus ? c->cpus[0] : -1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (dup2(fileno(c->out), STDOUT_FILENO) < 0)
		return -errno;
	execv(path, (char **)argv);
	return -errno;
}

bool vc_have_helper(const struct vc_helper *h, const char *what)
{
	if (h->end > h->start)
		return true;
	vc_note(&vc_skipped, "%s %s", what, h->missing);
	return false;
}

int vc_run_helper(const struct vc_helper *h, const char *mode)
{
	char what[64];

	int ret;

	helper_now = h;
	helper_mode = mode;
	name_prefix = h == &vc_compat ? "compat." : "";
	snprintf(what, sizeof(what), "%s (%s helper)", mode, h->name);
	ret = vc_run_child(what, exec_helper);
	name_prefix = "";
	return ret;
}

/* ---- exec: page faults from exec to exit, told apart by address ---- */
