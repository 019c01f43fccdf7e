// SPDX-License-Identifier: GPL-2.0
/*
 * The operations that scripts/lines counts: each in two processes, on two CPUs of
 * their own, one after the other. Prints what the numbers of the markers mean:
 *
 *	op GROUP OP NAME...
 *	with GROUP OP OP	another operation of the same rounds, to compare it with
 *	expect GROUP OP N	so many lines have been planted
 *	lock GROUP OP NAME	the lock of an inode that is taken in it
 *
 * usage: vvar-lines-load [touch] [process] [unpaired]
 *   touch     first touches, the planted case
 *   process   fork, exit, exec
 *   unpaired  an operation that does not end
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vvar-latency.h"
#include "vvar-lines.h"

#define ROUNDS		8
#define LOOP_SIZE	(64 << 10)
#define die(what)	err(1, "%s", what)

enum {
	OP_GETPPID = 1, OP_PLANTED, OP_VVAR, OP_TEXT, OP_ZERO, OP_LOOP,
	OP_FORK, OP_EXIT, OP_EXEC, OP_AWAY, OP_MAP_SELF, OP_MAP_STAMP, OP_MAP_LIBC,
	OP_MAP_LD,
};

enum { ALONE = 1, BESIDE, SEPARATE, PREFORK, MOVED };

/* Where the two work, where what moves has been before, and who tells them what to do */
static const int cpu_of[] = { 1, 2 };
#define CPU_BEFORE	3
#define CPU_AWAY	4
#define CPU_CONTROL	0

/* Lines that both write; that the first writes and the second reads; that both read */
#define PLANTED_BOTH	11
#define PLANTED_ONE	3
#define PLANTED_READ	7

struct worker {
	int		to, from;
	pid_t		pid;
};

static char *shared;
static const char *self, *stamp;

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "vvar-lines-load: no CPU %d (--smp 5 at least): %s\n",
			cpu, strerror(errno));
		exit(1);
	}
}

/* ---- the operations ---- */

/* The child waits for a word, so that it cannot exit before fork has ended here */
static void fork_exit(bool away)
{
	int go[2];
	pid_t pid;
	char c = 0;

	if (pipe(go))
		die("pipe");
	VVAR_LINES_BEGIN(OP_FORK);
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		if (away) {
			bind_to(CPU_AWAY);
			VVAR_LINES_BEGIN(OP_AWAY);
		} else {
			VVAR_LINES_BEGIN(OP_EXIT);
		}
		_exit(0);
	}
	VVAR_LINES_END(OP_FORK);
	if (pid < 0)
		die("fork");
	if (write(go[1], &c, 1) != 1)
		die("write");
	if (away)
		bind_to(CPU_AWAY);
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	if (away)
		VVAR_LINES_END(OP_AWAY);
	else
		VVAR_LINES_END(OP_EXIT);
	close(go[0]);
	close(go[1]);
}

static void exec_stamp(void)
{
	pid_t pid = vfork();

	if (!pid) {
		VVAR_LINES_BEGIN(OP_EXEC);
		execl(stamp, stamp, "stamp", NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("vfork");
}

static void planted(bool first)
{
	volatile char *p = shared;
	int i, line = 0;

	VVAR_LINES_BEGIN(OP_PLANTED);
	for (i = 0; i < PLANTED_BOTH; i++, line++)
		p[64 * line] = first;
	for (i = 0; i < PLANTED_ONE; i++, line++) {
		if (first)
			p[64 * line] = 1;
		else
			(void)p[64 * line];
	}
	for (i = 0; i < PLANTED_READ; i++, line++)
		(void)p[64 * line];
	VVAR_LINES_END(OP_PLANTED);
}

/* Inlined, so that the marker has a constant */
static __always_inline void touch_as(int op, const volatile char *p)
{
	VVAR_LINES_BEGIN(op);
	(void)*p;
	VVAR_LINES_END(op);
}

static void first_touch(const struct room *r, int op)
{
	char *zero;

	if (op == OP_ZERO) {
		zero = touch_map_zero(r);
		if (!zero)
			die("mmap");
		touch_as(OP_ZERO, zero);
		munmap(zero, r->page);
		return;
	}
	errno = -touch_map_vdso(r);
	if (errno)
		die("arch_prctl(ARCH_MAP_VDSO_64)");
	if (op == OP_VVAR)
		touch_as(OP_VVAR, r->at + r->time);
	else
		touch_as(OP_TEXT, r->at + r->vvar);
	touch_unmap_vdso(r);
}

static void mmap_loop(void)
{
	void *p;

	VVAR_LINES_BEGIN(OP_LOOP);
	p = mmap(NULL, LOOP_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	munmap(p, LOOP_SIZE);
	VVAR_LINES_END(OP_LOOP);
	if (p == MAP_FAILED)
		die("mmap");
}

/* The file that this process has mapped whose path has @part */
static const char *file_of(const char *part)
{
	static char line[512];
	FILE *f = fopen("/proc/self/maps", "re");
	char *path = NULL;

	while (f && !path && fgets(line, sizeof(line), f)) {
		path = strchr(line, '/');
		if (path && !strstr(path, part))
			path = NULL;
	}
	if (f)
		fclose(f);
	if (!path) {
		fprintf(stderr, "vvar-lines-load: no %s in /proc/self/maps\n", part);
		exit(1);
	}
	path[strcspn(path, "\n")] = 0;
	return path;
}

static __always_inline void *map_as(int op, int fd)
{
	void *p;

	VVAR_LINES_BEGIN(op);
	p = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	VVAR_LINES_END(op);
	return p;
}

/* Takes its i_mmap_rwsem, which is how that gets a name */
static void map_file(const char *path, int op)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p;

	switch (op) {
	case OP_MAP_SELF:
		p = map_as(OP_MAP_SELF, fd);
		break;
	case OP_MAP_STAMP:
		p = map_as(OP_MAP_STAMP, fd);
		break;
	case OP_MAP_LIBC:
		p = map_as(OP_MAP_LIBC, fd);
		break;
	default:
		p = map_as(OP_MAP_LD, fd);
	}
	if (p == MAP_FAILED)
		die(path);
	munmap(p, 1);
	close(fd);
}

static void operate(struct room *r, int op, bool first)
{
	switch (op) {
	case OP_GETPPID:
		VVAR_LINES_BEGIN(OP_GETPPID);
		syscall(SYS_getppid);
		VVAR_LINES_END(OP_GETPPID);
		break;
	case OP_PLANTED:
		planted(first);
		break;
	case OP_FORK:
		fork_exit(false);
		break;
	case OP_AWAY:
		fork_exit(true);
		break;
	case OP_EXEC:
		exec_stamp();
		break;
	case OP_LOOP:
		mmap_loop();
		break;
	case OP_MAP_SELF:
		map_file(file_of("/vvar-lines-load"), op);
		break;
	case OP_MAP_STAMP:
		map_file(stamp, op);
		break;
	case OP_MAP_LIBC:
		map_file(file_of("/libc.so"), op);
		break;
	case OP_MAP_LD:
		map_file(file_of("/ld-linux"), op);
		break;
	default:
		if (!r->at) {
			errno = -touch_room(r);
			if (errno)
				die("a place for fresh mappings");
		}
		first_touch(r, op);
	}
}

/* ---- who does them ---- */

/* Bound to its CPU by now. Policy BATCH: what is woken or forked takes no CPU away. */
static void work(int from, int to, int cpu, bool first)
{
	struct sched_param none = { };
	struct room r = { };
	char op;

	if (sched_setscheduler(0, SCHED_BATCH, &none))
		die("sched_setscheduler");
	while (read(from, &op, 1) == 1) {
		operate(&r, op, first);
		bind_to(cpu);
		if (write(to, &op, 1) != 1)
			die("write");
	}
}

struct loop {
	int from, to;
};

static void *loop_thread(void *arg)
{
	struct loop *l = arg;

	work(l->from, l->to, cpu_of[1], false);
	return NULL;
}

/* Pipes 10..13: to and from the first, to and from the second */
#define PIPE_BASE	10

static void pipes(struct worker *w)
{
	int i, p[2], ours, theirs;

	for (i = 0; i < 4; i++) {
		if (pipe2(p, O_CLOEXEC))
			die("pipe2");
		/* The worker reads its orders from the even ones */
		theirs = p[i % 2];
		ours = fcntl(p[!(i % 2)], F_DUPFD_CLOEXEC, 100);
		if (ours < 0 || dup2(theirs, PIPE_BASE + i) < 0)
			die("dup2");
		close(p[0]);
		close(p[1]);
		if (i % 2)
			w[i / 2].from = ours;
		else
			w[i / 2].to = ours;
	}
}

static void order(struct worker *w, int op)
{
	char c = op;

	if (write(w->to, &c, 1) != 1 || read(w->from, &c, 1) != 1) {
		fprintf(stderr, "vvar-lines-load: a worker has died at operation %d\n",
			op);
		exit(1);
	}
}

/* Executes this program again, bound to @cpu */
static pid_t start(const char *role, int which, int cpu)
{
	char nr[12];
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	bind_to(cpu);
	snprintf(nr, sizeof(nr), "%d", which);
	execl(self, self, role, nr, NULL);
	die(self);
}

static void finish(struct worker *w)
{
	int i;

	for (i = 0; i < 2; i++) {
		close(w[i].to);
		close(w[i].from);
	}
	for (i = 0; i < 4; i++)
		close(PIPE_BASE + i);
	while (wait(NULL) > 0)
		;
}

/* In new processes: the operations of @ops, in turns. */
static void arrange(int arrangement, const int *ops)
{
	static const char * const roles[] = {
		[ALONE] = "worker", [BESIDE] = "beside", [SEPARATE] = "worker",
		[PREFORK] = "prefork", [MOVED] = "worker",
	};
	bool each = arrangement != BESIDE && arrangement != PREFORK;
	struct worker w[2];
	int i, round;

	pipes(w);
	for (i = 0; i < (each ? 2 : 1); i++)
		start(roles[arrangement], i, arrangement == MOVED ? CPU_BEFORE :
		      each ? cpu_of[i] : CPU_CONTROL);
	/* What is left of their exec */
	usleep(50000);
	for (; *ops; ops++) {
		for (round = 0; round < ROUNDS; round++) {
			order(&w[0], *ops);
			/* What goes to another CPU meets its parent's next fork */
			if (*ops != OP_AWAY)
				order(&w[1], arrangement == BESIDE ? OP_LOOP : *ops);
		}
	}
	finish(w);
}

static int be_worker(int which)
{
	bind_to(cpu_of[which]);
	work(PIPE_BASE + 2 * which, PIPE_BASE + 2 * which + 1, cpu_of[which],
	     !which);
	return 0;
}

static int be_beside(void)
{
	struct loop l = { PIPE_BASE + 2, PIPE_BASE + 3 };
	pthread_attr_t attr;
	pthread_t t;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu_of[1], &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (pthread_create(&t, &attr, loop_thread, &l))
		die("pthread_create");
	bind_to(cpu_of[0]);
	work(PIPE_BASE, PIPE_BASE + 1, cpu_of[0], true);
	return 0;
}

static int be_prefork(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			/* The pipes of the other end when its own do */
			close(PIPE_BASE + 2 * !i);
			close(PIPE_BASE + 2 * !i + 1);
			exit(be_worker(i));
		}
	}
	for (i = 0; i < 4; i++)
		close(PIPE_BASE + i);
	while (wait(NULL) > 0)
		;
	return 0;
}

static void name(int arrangement, int op, const char *what)
{
	static const char * const where[] = {
		[ALONE] = "", [BESIDE] = " beside mmap", [SEPARATE] = "",
		[PREFORK] = ", prefork", [MOVED] = ", moved",
	};

	printf("op %d %d %s%s\n", arrangement, op, what, where[arrangement]);
	if (arrangement == BESIDE)
		printf("with %d %d %d\n", arrangement, op, OP_LOOP);
}

static void touches(void)
{
	static const int alone[] = {
		OP_GETPPID, OP_PLANTED, OP_VVAR, OP_TEXT, OP_ZERO, 0
	};
	int i;

	name(ALONE, OP_GETPPID, "getppid");
	name(ALONE, OP_PLANTED, "planted");
	printf("expect %d %d %d\n", ALONE, OP_PLANTED, PLANTED_BOTH + PLANTED_ONE);
	for (i = ALONE; i <= BESIDE; i++) {
		name(i, OP_VVAR, "first touch of vvar");
		name(i, OP_TEXT, "first touch of text");
		name(i, OP_ZERO, "first touch of the zero page");
	}
	VVAR_LINES_GROUP(ALONE);
	arrange(ALONE, alone);
	VVAR_LINES_GROUP(BESIDE);
	arrange(BESIDE, alone + 2);
}

static void processes(void)
{
	static const int ops[] = { OP_FORK, OP_EXEC, OP_AWAY, 0 };
	static const int files[] = {
		OP_MAP_SELF, OP_MAP_STAMP, OP_MAP_LIBC, OP_MAP_LD, 0
	};
	int i;

	for (i = SEPARATE; i <= MOVED; i++) {
		name(i, OP_FORK, "fork");
		name(i, OP_EXIT, "exit");
		name(i, OP_EXEC, "exec to first timestamp");
		name(i, OP_AWAY, "exit on another CPU");
		printf("with %d %d %d\n", i, OP_AWAY, OP_FORK);
	}
	printf("lock %d %d i_mmap_rwsem of the program\n", ALONE, OP_MAP_SELF);
	printf("lock %d %d i_mmap_rwsem of the executed\n", ALONE, OP_MAP_STAMP);
	printf("lock %d %d i_mmap_rwsem of libc\n", ALONE, OP_MAP_LIBC);
	printf("lock %d %d i_mmap_rwsem of ld.so\n", ALONE, OP_MAP_LD);
	VVAR_LINES_GROUP(ALONE);
	arrange(ALONE, files);
	VVAR_LINES_GROUP(SEPARATE);
	arrange(SEPARATE, ops);
	VVAR_LINES_GROUP(PREFORK);
	arrange(PREFORK, ops);
	VVAR_LINES_GROUP(MOVED);
	arrange(MOVED, ops);
}

int main(int argc, char **argv)
{
	int i, fd;

	self = "/proc/self/exe";
	if (argc > 1 && !strcmp(argv[1], "stamp")) {
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		VVAR_LINES_END(OP_EXEC);
		return 0;
	}
	stamp = getenv("VVAR_LINES_STAMP");
	if (!stamp) {
		fputs("vvar-lines-load: started by scripts/lines, which sets VVAR_LINES_STAMP\n",
		      stderr);
		return 2;
	}
	fd = open("/dev/shm/vvar-lines", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096))
		die("/dev/shm/vvar-lines");
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	*(volatile char *)shared = 0;
	if (argc > 2 && !strcmp(argv[1], "worker"))
		return be_worker(atoi(argv[2]));
	if (argc > 1 && !strcmp(argv[1], "beside"))
		return be_beside();
	if (argc > 1 && !strcmp(argv[1], "prefork"))
		return be_prefork();

	bind_to(CPU_CONTROL);
	VVAR_LINES_START();
	usleep(1000);
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "touch")) {
			touches();
		} else if (!strcmp(argv[i], "process")) {
			processes();
		} else if (!strcmp(argv[i], "unpaired")) {
			VVAR_LINES_BEGIN(OP_GETPPID);
		} else {
			fprintf(stderr, "vvar-lines-load: unknown argument '%s'\n",
				argv[i]);
			return 2;
		}
	}
	VVAR_LINES_STOP();
	return 0;
}
