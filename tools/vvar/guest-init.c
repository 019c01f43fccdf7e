// SPDX-License-Identifier: GPL-2.0
/*
 * init of the guest that scripts/guest boots, and the only program in its
 * initramfs: the host's file system (9p) under a tmpfs overlay becomes the
 * root, then the command runs in the host's directory and environment.
 *
 * The environment's VVAR_COMMAND (from the kernel command line) names a file of
 * NUL-terminated strings: directory, PATH, input, writable directories, argv.
 * Virtio ports vvar.out and vvar.err carry the command's output, vvar.status its
 * exit status as a decimal number. Input is
 *   empty	for /dev/null,
 *   "pipe"	for what port vvar.in says,
 *   "terminal ROWS COLUMNS TERM [err]" for a pty, whose other end is port vvar.in,
 *		both ways. Port vvar.size says "ROWS COLUMNS" when the size has changed.
 *		With "err", stderr goes to vvar.err all the same.
 * Writable directories are a line each, and their 9p tags rw1, rw2, ...
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* @over: the host's programs are of another architecture, those of tag "over" are not */
static void overlay_root(bool over)
{
	static const char how[] =
		"trans=virtio,version=9p2000.L,msize=512000,cache=loose";

	do_mount("host", "/host", "9p", MS_RDONLY | MS_NOATIME, how);
	if (over)
		do_mount("over", "/over", "9p", MS_RDONLY | MS_NOATIME, how);
	do_mount("tmpfs", "/rw", "tmpfs", 0, NULL);
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	do_mount("overlay", "/root", "overlay", 0, over ?
		 "lowerdir=/over:/host,upperdir=/rw/upper,workdir=/rw/work" :
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

struct command {
	char *cwd, *input, *writable, **argv;
};

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* The file that scripts/guest wrote, at the host's path */
static struct command read_command(const char *path)
{
	enum { CWD, PATH, INPUT, WRITABLE, ARGV };
	size_t len = 0, size = 4 << 20, i, n = 0;
	char *buf = malloc(size), **string;
	ssize_t got;
	int fd;

	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		die("VVAR_COMMAND=%s", path ?: "");
	while ((got = read(fd, buf + len, size - len)) > 0)
		len += got;
	if (got < 0 || !len || buf[len - 1])
		die("%s is not a command", path);
	close(fd);

	string = calloc(len + 1, sizeof(*string));
	for (i = 0; i < len; i += strlen(buf + i) + 1)
		string[n++] = buf + i;
	if (n <= ARGV)
		die("%s is not a command", path);
	setenv("PATH", string[PATH], 1);
	return (struct command){ string[CWD], string[INPUT], string[WRITABLE],
				 string + ARGV };
}

/* At the host's paths, past the overlay */
static void mount_writable(char *list)
{
	char *dir, tag[16];
	int n = 0;

	while ((dir = strsep(&list, "\n"))) {
		if (!*dir)
			continue;
		snprintf(tag, sizeof(tag), "rw%d", ++n);
		/* What the host changes meanwhile shows, and mmap() works */
		do_mount(tag, dir, "9p", 0,
			 "trans=virtio,version=9p2000.L,msize=512000,cache=mmap");
	}
}

static void drain(int fd)
{
	/* A write to a port returns when the host has taken it */
	fsync(fd);
	close(fd);
}

static void run(const struct command *c)
{
	if (chdir(c->cwd)) {
		dprintf(2, "guest-init: %s: %s\n", c->cwd, strerror(errno));
		_exit(126);
	}
	execvp(c->argv[0], c->argv);
	dprintf(2, "guest-init: %s: %s\n", c->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0)
			die("writing the output");
		buf += n;
		len -= n;
	}
}

/* PID 1 reaps orphans, too. True when @pid has ended. */
static bool reap(pid_t pid, int *wstatus, int flags)
{
	int status;
	pid_t p;

	while ((p = waitpid(-1, &status, flags)) > 0) {
		if (p == pid) {
			*wstatus = status;
			return true;
		}
	}
	return false;
}

static void on_child(int sig)
{
}

static void resize(int master, int port)
{
	struct winsize ws = { };
	char buf[64];
	ssize_t n = read(port, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = 0;
	if (sscanf(buf, "%hu %hu", &ws.ws_row, &ws.ws_col) == 2)
		ioctl(master, TIOCSWINSZ, &ws);
}

/*
 * Relay between the host's terminal, which is in raw mode, and a pty of the guest, whose
 * line discipline makes ^C and ^D what they are.
 */
static int run_terminal(const struct command *c, int err)
{
	struct winsize ws = { };
	char term[64], in[4096], out[4096];
	size_t pending = 0;
	int tty, size, master, wstatus;
	sigset_t set, old;
	bool ended = false, hung_up = false;
	ssize_t n;
	pid_t pid;

	errno = EINVAL;
	if (sscanf(c->input, "terminal %hu %hu %63s", &ws.ws_row, &ws.ws_col,
		   term) != 3)
		die("%s", c->input);
	setenv("TERM", term, 1);
	tty = open_port("vvar.in", O_RDWR);
	size = open_port("vvar.size", O_RDONLY);
	/* Only ppoll() is interrupted by the end of a child */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = on_child }, NULL);

	pid = forkpty(&master, NULL, NULL, &ws);
	if (pid < 0)
		die("forkpty");
	if (!pid) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		if (strstr(c->input, " err"))
			dup2(err, 2);
		run(c);
	}
	/* A pty that nobody reads must not keep its output from being read */
	fcntl(master, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p[] = {
			{ .fd = master, .events = POLLIN | (pending ? POLLOUT : 0) },
			{ .fd = pending || hung_up ? -1 : tty, .events = POLLIN },
			{ .fd = size, .events = POLLIN },
		};
		const struct timespec now = { };

		if (ppoll(p, 3, ended ? &now : NULL, &old) < 0 && errno != EINTR)
			die("ppoll");
		n = read(master, out, sizeof(out));
		if (n > 0)
			write_all(tty, out, n);
		else if (ended)
			break;
		if (p[1].revents & POLLIN) {
			n = read(tty, in, sizeof(in));
			pending = n > 0 ? n : 0;
		} else if (p[1].revents & POLLHUP) {
			hung_up = true;
			kill(pid, SIGHUP);
		}
		if (pending) {
			n = write(master, in, pending);
			if (n > 0) {
				pending -= n;
				memmove(in, in + n, pending);
			}
		}
		if (p[2].revents & POLLIN)
			resize(master, size);
		ended = ended || reap(pid, &wstatus, WNOHANG);
	}
	drain(tty);
	return wstatus;
}

static int run_ports(const struct command *c, int out, int err)
{
	int wstatus = 0, in;
	pid_t pid;

	in = *c->input ? open_port("vvar.in", O_RDONLY) :
			 open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		setsid();
		dup2(in, 0);
		dup2(out, 1);
		dup2(err, 2);
		run(c);
	}
	/* Who reads it sees its end, not a second reader */
	close(in);
	while (!reap(pid, &wstatus, 0))
		;
	return wstatus;
}

int main(void)
{
	int out, err, status, wstatus, code;
	struct command command;
	char buf[16];

	do_mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	do_mount("sysfs", "/sys", "sysfs", 0, NULL);

	out = open_port("vvar.out", O_WRONLY);
	err = open_port("vvar.err", O_WRONLY);
	status = open_port("vvar.status", O_WRONLY);
	overlay_root(getenv("VVAR_OVER"));
	unsetenv("VVAR_OVER");
	command = read_command(getenv("VVAR_COMMAND"));
	unsetenv("VVAR_COMMAND");
	mount_writable(command.writable);

	setenv("HOME", "/root", 1);
	setenv("TERM", "dumb", 1);
	wstatus = starts(command.input, "terminal ") ?
		run_terminal(&command, err) : run_ports(&command, out, err);

	/* As a shell would say it */
	code = WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) :
				    128 + WTERMSIG(wstatus);
	sync();
	drain(out);
	drain(err);
	snprintf(buf, sizeof(buf), "%d\n", code);
	if (write(status, buf, strlen(buf)) < 0)
		die("writing the status");
	drain(status);
	reboot(RB_POWER_OFF);
	return 0;
}
