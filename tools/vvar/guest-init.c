// SPDX-License-Identifier: GPL-2.0
/*
 * init of the guest that scripts/guest boots, and the only program in its
 * initramfs: the host's file system (9p) under a tmpfs overlay becomes the
 * root, then the command runs in the host's directory and environment.
 *
 * The environment's VVAR_COMMAND (from the kernel command line) names a file of
 * NUL-terminated strings: directory, PATH, argv. Virtio ports vvar.out and
 * vvar.err carry the command's output, vvar.status its exit status as a decimal
 * number.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "guest-init: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(ap);
	/* No status was written: scripts/guest reports a dead guest */
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void do_mount(const char *src, const char *dir, const char *type,
		     unsigned long flags, const char *data)
{
	mkdir(dir, 0755);
	if (mount(src, dir, type, flags, data))
		die("mount %s on %s", type, dir);
}

static int open_port(const char *want, int flags)
{
	char path[300], name[64] = "";
	struct dirent *d;
	int tries, fd;
	DIR *dir;

	/* The ports come up a moment after their device */
	for (tries = 0; tries < 1000; tries++) {
		dir = opendir("/sys/class/virtio-ports");
		while (dir && (d = readdir(dir))) {
			snprintf(path, sizeof(path),
				 "/sys/class/virtio-ports/%s/name", d->d_name);
			fd = open(path, O_RDONLY);
			if (fd < 0)
				continue;
			memset(name, 0, sizeof(name));
			if (read(fd, name, sizeof(name) - 1) < 0)
				name[0] = 0;
			close(fd);
			name[strcspn(name, "\n")] = 0;
			if (strcmp(name, want))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, flags | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		usleep(5000);
	}
	die("no virtio port %s", want);
	return -1;
}

static void overlay_root(void)
{
	do_mount("host", "/host", "9p", MS_RDONLY | MS_NOATIME,
		 "trans=virtio,version=9p2000.L,msize=512000,cache=loose");
	do_mount("tmpfs", "/rw", "tmpfs", 0, NULL);
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	do_mount("overlay", "/root", "overlay", 0,
		 "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work");

	do_mount("proc", "/root/proc", "proc", 0, NULL);
	do_mount("sysfs", "/root/sys", "sysfs", 0, NULL);
	do_mount("devtmpfs", "/root/dev", "devtmpfs", 0, NULL);
	do_mount("devpts", "/root/dev/pts", "devpts", 0, NULL);
	do_mount("tmpfs", "/root/dev/shm", "tmpfs", 0, NULL);
	do_mount("tmpfs", "/root/run", "tmpfs", 0, NULL);
	do_mount("debugfs", "/root/sys/kernel/debug", "debugfs", 0, NULL);
	do_mount("tracefs", "/root/sys/kernel/tracing", "tracefs", 0, NULL);
	symlink("/proc/self/fd", "/root/dev/fd");
	symlink("/proc/self/fd/0", "/root/dev/stdin");
	symlink("/proc/self/fd/1", "/root/dev/stdout");
	symlink("/proc/self/fd/2", "/root/dev/stderr");

	if (chroot("/root") || chdir("/"))
		die("chroot");
}

/* The file that scripts/guest wrote, at the host's path: NUL-terminated strings */
static char **read_command(const char *path, char **cwd)
{
	size_t len = 0, size = 4 << 20, i;
	char *buf = malloc(size);
	char **argv = NULL;
	int fd, argc = 0;
	ssize_t n;

	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		die("VVAR_COMMAND=%s", path ?: "");
	while ((n = read(fd, buf + len, size - len)) > 0)
		len += n;
	if (n < 0 || !len || buf[len - 1])
		die("%s is not a command", path);
	close(fd);

	*cwd = buf;
	i = strlen(buf) + 1;
	setenv("PATH", buf + i, 1);
	for (i += strlen(buf + i) + 1; i < len; i += strlen(buf + i) + 1) {
		argv = realloc(argv, (argc + 2) * sizeof(*argv));
		argv[argc++] = buf + i;
		argv[argc] = NULL;
	}
	return argv;
}

static void drain(int fd)
{
	/* A write to a port returns when the host has taken it */
	fsync(fd);
	close(fd);
}

int main(void)
{
	int out, err, status, wstatus, code;
	char **argv, *cwd, buf[16];
	pid_t pid, p;

	do_mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	do_mount("sysfs", "/sys", "sysfs", 0, NULL);

	out = open_port("vvar.out", O_WRONLY);
	err = open_port("vvar.err", O_WRONLY);
	status = open_port("vvar.status", O_WRONLY);
	overlay_root();
	argv = read_command(getenv("VVAR_COMMAND"), &cwd);
	unsetenv("VVAR_COMMAND");

	setenv("HOME", "/root", 1);
	setenv("TERM", "dumb", 1);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		dup2(null, 0);
		dup2(out, 1);
		dup2(err, 2);
		if (chdir(cwd)) {
			dprintf(2, "guest-init: %s: %s\n", cwd, strerror(errno));
			_exit(126);
		}
		execvp(argv[0], argv);
		dprintf(2, "guest-init: %s: %s\n", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}

	do {
		p = wait(&wstatus);
	} while (p != pid);

	/* As a shell would say it */
	code = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) :
				    128 + WTERMSIG(wstatus);
	drain(out);
	drain(err);
	snprintf(buf, sizeof(buf), "%d\n", code);
	if (write(status, buf, strlen(buf)) < 0)
		die("writing the status");
	drain(status);
	reboot(RB_POWER_OFF);
	return 0;
}
