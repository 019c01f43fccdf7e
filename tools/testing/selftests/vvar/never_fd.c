// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody gets a file descriptor of the files behind vvar and vDSO mappings,
 * nor a probe, a watch, a mark or a mount of them: every way that a path, a
 * name or a handle offers fails for root as it does for a mapping that has no
 * file at all, which is tried beside it. A mapping of a real file shows that
 * the ways are ways.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>

#include "../kselftest.h"
#include "areas.h"

#define IMAGES		"/sys/kernel/vdso"
#define WORK_DIR	"/tmp/vvar-never-fd"
#define WORK_FILE	WORK_DIR "/file"
#define WORK_POINT	WORK_DIR "/point"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID	AT_REMOVEDIR
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE	1
#endif

static const char *tracefs;	/* where its uprobe_events is, or NULL */
static int uprobe_type = -1;	/* of the uprobe PMU */

/* A way: 0 if it led somewhere (and was taken back), else errno */
struct way {
	const char *name;
	int (*go)(const char *path, long arg);
	long arg;
	bool control;		/* it leads somewhere for a real file */
};

/* Is an fd what we got? Its errno if not */
static int got(int fd)
{
	int err = errno;

	if (fd < 0)
		return err;
	close(fd);
	return 0;
}

static int by_open(const char *path, long flags)
{
	return got(open(path, flags));
}

static int by_openat2(const char *path, long resolve)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = resolve };

	return got(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

/* The directory first, then the name in it */
static int by_openat(const char *path, long flags)
{
	char dir[128];
	int dirfd, err;

	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = 0;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	if (dirfd < 0)
		return errno;
	err = got(openat(dirfd, strrchr(path, '/') + 1, flags));
	close(dirfd);
	return err;
}

/* What the link says, opened by that name */
static int by_readlink(const char *path, long open_it)
{
	char name[256] = "";

	if (readlink(path, name, sizeof(name) - 1) < 0)
		return errno;
	return open_it ? got(open(name, O_RDONLY)) : 0;
}

static int by_stat(const char *path, long flags)
{
	struct stat st;

	return fstatat(AT_FDCWD, path, &st, flags) ? errno : 0;
}

static int by_statfs(const char *path, long arg)
{
	struct statfs st;

	(void)arg;
	return statfs(path, &st) ? errno : 0;
}

static int by_access(const char *path, long mode)
{
	return access(path, mode) ? errno : 0;
}

static int by_xattr(const char *path, long arg)
{
	char list[256];

	(void)arg;
	return listxattr(path, list, sizeof(list)) < 0 ? errno : 0;
}

static int by_truncate(const char *path, long size)
{
	return truncate(path, size) ? errno : 0;
}

static int by_link(const char *path, long flags)
{
	if (linkat(AT_FDCWD, path, AT_FDCWD, WORK_DIR "/link", flags))
		return errno;
	unlink(WORK_DIR "/link");
	return 0;
}

static int by_exec(const char *path, long arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		execl(path, path, NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int by_swapon(const char *path, long arg)
{
	(void)arg;
	if (swapon(path, 0))
		return errno;
	swapoff(path);
	return 0;
}

static int by_bind(const char *path, long arg)
{
	(void)arg;
	if (mount(path, WORK_POINT, NULL, MS_BIND, NULL))
		return errno;
	umount2(WORK_POINT, MNT_DETACH);
	return 0;
}

static int by_open_tree(const char *path, long flags)
{
	return got(syscall(SYS_open_tree, AT_FDCWD, path, flags));
}

static int by_handle(const char *path, long flags)
{
	struct {
		struct file_handle h;
		char room[MAX_HANDLE_SZ];
	} handle = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	return name_to_handle_at(AT_FDCWD, path, &handle.h, &mount_id, flags) ?
	       errno : 0;
}

static int by_fanotify(const char *path, long flags)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
	int err;

	if (fd < 0)
		return errno;
	err = fanotify_mark(fd, FAN_MARK_ADD | flags, FAN_OPEN | FAN_ACCESS,
			    AT_FDCWD, path) ? errno : 0;
	close(fd);
	return err;
}

static int by_inotify(const char *path, long flags)
{
	int fd = inotify_init1(IN_CLOEXEC);
	int err = inotify_add_watch(fd, path, IN_OPEN | flags) < 0 ? errno : 0;

	close(fd);
	return err;
}

static int by_uprobe_events(const char *path, long kind)
{
	static const char remove[] = "-:vvar_never_fd/probe\n";
	char text[512];
	int fd = open(tracefs, O_WRONLY | O_APPEND);
	int n, err = 0;

	if (fd < 0)
		return errno;
	n = snprintf(text, sizeof(text), "%c:vvar_never_fd/probe %s:0x10\n",
		     (char)kind, path);
	if (write(fd, text, n) != n)
		err = errno;
	else if (write(fd, remove, strlen(remove)) < 0)
		ksft_print_msg("the probe stays: %s\n", strerror(errno));
	close(fd);
	return err;
}

static int by_perf_uprobe(const char *path, long config)
{
	struct perf_event_attr attr = {
		.type = uprobe_type,
		.size = sizeof(attr),
		.config = config,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = 0x10,
	};

	return got(syscall(SYS_perf_event_open, &attr, -1, 0, -1,
			   PERF_FLAG_FD_CLOEXEC));
}

static const struct way ways[] = {
	{ "open(O_RDONLY)", by_open, O_RDONLY, true },
	{ "open(O_RDWR)", by_open, O_RDWR, true },
	{ "open(O_PATH)", by_open, O_PATH, true },
	{ "open(O_PATH|O_NOFOLLOW)", by_open, O_PATH | O_NOFOLLOW, true },
	{ "open(O_NOFOLLOW)", by_open, O_RDONLY | O_NOFOLLOW, false },
	{ "open(O_CREAT)", by_open, O_RDWR | O_CREAT, true },
	{ "openat", by_openat, O_RDONLY, true },
	{ "openat(O_PATH)", by_openat, O_PATH, true },
	{ "openat2", by_openat2, 0, true },
	{ "openat2(NO_MAGICLINKS)", by_openat2, RESOLVE_NO_MAGICLINKS, false },
	{ "openat2(NO_XDEV)", by_openat2, RESOLVE_NO_XDEV, false },
	{ "readlink", by_readlink, 0, true },
	{ "readlink, open", by_readlink, 1, true },
	{ "stat", by_stat, 0, true },
	{ "lstat", by_stat, AT_SYMLINK_NOFOLLOW, true },
	{ "statfs", by_statfs, 0, true },
	{ "access(F_OK)", by_access, F_OK, true },
	{ "access(W_OK)", by_access, W_OK, true },
	{ "listxattr", by_xattr, 0, true },
	{ "truncate", by_truncate, 3 * AREAS_PAGE, true },
	{ "linkat", by_link, 0, false },
	{ "linkat(FOLLOW)", by_link, AT_SYMLINK_FOLLOW, false },
	{ "execve", by_exec, 0, false },
	{ "swapon", by_swapon, 0, false },
	{ "bind mount", by_bind, 0, true },
	{ "open_tree", by_open_tree, 0, true },
	{ "open_tree(CLONE)", by_open_tree, OPEN_TREE_CLONE, false },
	{ "name_to_handle_at", by_handle, 0, false },
	{ "name_to_handle_at(FOLLOW)", by_handle, AT_SYMLINK_FOLLOW, false },
	{ "name_to_handle_at(FOLLOW|FID)", by_handle,
	  AT_SYMLINK_FOLLOW | AT_HANDLE_FID, false },
	{ "fanotify_mark", by_fanotify, 0, true },
	{ "fanotify_mark(DONT_FOLLOW)", by_fanotify, FAN_MARK_DONT_FOLLOW,
	  true },
	{ "fanotify_mark(MOUNT)", by_fanotify, FAN_MARK_MOUNT, true },
	{ "fanotify_mark(FILESYSTEM)", by_fanotify, FAN_MARK_FILESYSTEM, true },
	{ "inotify_add_watch", by_inotify, 0, true },
	{ "inotify_add_watch(DONT_FOLLOW)", by_inotify, IN_DONT_FOLLOW, true },
	{ "tracefs uprobe_events p", by_uprobe_events, 'p', true },
	{ "tracefs uprobe_events r", by_uprobe_events, 'r', true },
	{ "perf uprobe", by_perf_uprobe, 0, true },
	{ "perf uretprobe", by_perf_uprobe, 1, true },
};

/* Names that a path to such a file might have */
static const char * const names[] = {
	"[vvar]", "[vdso]", "/[vvar]", "/[vdso]", "//[vvar]", "vvarfs:[vvar]",
	"anon_inode:[vvar]", "anon_inode:[vdso]", "/vvarfs/[vvar]",
	"/proc/self/map_files/[vvar]", "/proc/self/map_files/[vdso]",
};

static const char *err_name(int err)
{
	return err ? strerrorname_np(err) ?: "a signal" : "success";
}

static bool have(const struct way *way)
{
	if (way->go == by_uprobe_events)
		return tracefs;
	if (way->go == by_perf_uprobe)
		return uprobe_type >= 0;
	return true;
}

/* Go each way to @what, a part of @pid's (0: our) address space */
static void try_ways(int pid, const char *what, unsigned long start,
		     unsigned long end, unsigned long anon,
		     unsigned long file)
{
	char path[128], anon_path[128], file_path[128], proc[32] = "self";
	unsigned int i, bad = 0, tried = 0;
	int err, want, control, probe = 0;

	if (pid)
		snprintf(proc, sizeof(proc), "%d", pid);
	snprintf(path, sizeof(path), "/proc/%s/map_files/%lx-%lx", proc, start,
		 end);
	snprintf(anon_path, sizeof(anon_path), "/proc/%s/map_files/%lx-%lx",
		 proc, anon, anon + end - start);
	snprintf(file_path, sizeof(file_path), "/proc/%s/map_files/%lx-%lx",
		 proc, file, file + 2 * AREAS_PAGE);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!have(&ways[i]))
			continue;
		tried++;
		err = ways[i].go(path, ways[i].arg);
		want = ways[i].go(anon_path, ways[i].arg);
		control = ways[i].go(file_path, ways[i].arg);
		if (ways[i].go == by_uprobe_events ||
		    ways[i].go == by_perf_uprobe)
			probe = err;
		if (!err || err != want) {
			ksft_print_msg("%s of %s: %s, without a file: %s\n",
				       ways[i].name, what, err_name(err),
				       err_name(want));
			bad++;
		}
		if (ways[i].control && control) {
			ksft_print_msg("%s of a real file: %s\n", ways[i].name,
				       err_name(control));
			bad++;
		}
	}
	ksft_test_result(!bad && tried, "%s of %s: %u ways refused, uprobes: %s\n",
			 what, pid ? "another process" : "this process", tried,
			 probe ? err_name(probe) : "not tried");
}

static void try_names(void)
{
	unsigned int i, bad = 0;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		fd = open(names[i], O_PATH);
		if (fd >= 0 || errno != ENOENT) {
			ksft_print_msg("open(%s): %s\n", names[i],
				       fd < 0 ? strerror(errno) : "success");
			bad++;
		}
		if (fd >= 0)
			close(fd);
	}
	ksft_test_result(!bad, "no file of that name (%u)\n", i);
}

/* The listings of two processes have no entry that meets an area */
static void try_listing(int pid, const struct areas *as)
{
	unsigned long start, end;
	unsigned int i, bad = 0, entries = 0;
	char path[64] = "/proc/self/map_files";
	struct dirent *de;
	DIR *dir;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/map_files", pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (sscanf(de->d_name, "%lx-%lx", &start, &end) != 2)
			continue;
		entries++;
		for (i = 0; i < as->nr; i++)
			bad += start < as->area[i].end &&
			       end > as->area[i].start;
	}
	if (dir)
		closedir(dir);
	ksft_test_result(!bad && entries, "%s lists none (%u entries)\n",
			 pid ? "map_files of another" : "map_files", entries);
}

/*
 * The images that tools read are files of sysfs, other inodes than those of what is
 * mapped: nobody maps, writes or runs them. The real file shows that one could.
 */
static void try_images(void)
{
	static const struct {
		const char *name;
		int prot, flags;
	} maps[] = {
		{ "private", PROT_READ, MAP_PRIVATE },
		{ "private, executable", PROT_READ | PROT_EXEC, MAP_PRIVATE },
		{ "private, writable", PROT_READ | PROT_WRITE, MAP_PRIVATE },
		{ "shared", PROT_READ, MAP_SHARED },
		{ "shared, executable", PROT_READ | PROT_EXEC, MAP_SHARED },
	};
	static const char * const places[] = { IMAGES, WORK_DIR };
	unsigned int i, j, nr[2] = {}, refused[2] = {}, ways[2] = {}, bad = 0;
	struct dirent *de;
	struct statfs fs;
	char path[300];
	DIR *dir;
	void *at;
	int fd;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		dir = opendir(places[i]);
		while (dir && (de = readdir(dir))) {
			if (de->d_type != DT_REG || !strcmp(de->d_name, "point"))
				continue;
			nr[i]++;
			snprintf(path, sizeof(path), "%s/%s", places[i], de->d_name);
			fd = open(path, O_RDONLY);
			bad += !i && (fstatfs(fd, &fs) || fs.f_type != SYSFS_MAGIC);
			for (j = 0; j < ARRAY_SIZE(maps); j++) {
				at = mmap(NULL, AREAS_PAGE, maps[j].prot,
					  maps[j].flags, fd, 0);
				ways[i]++;
				refused[i] += at == MAP_FAILED;
				if (at == MAP_FAILED)
					continue;
				munmap(at, AREAS_PAGE);
				if (!i)
					ksft_print_msg("%s mapped, %s\n", path,
						       maps[j].name);
			}
			close(fd);
			ways[i]++;
			refused[i] += by_open(path, O_RDWR) != 0;
			bad += !i && by_exec(path, 0) != EACCES;
			bad += !i && !by_swapon(path, 0);
		}
		if (dir)
			closedir(dir);
	}
	ksft_test_result(nr[0] && nr[1] == 1 && !bad && refused[0] == ways[0] &&
			 !refused[1], IMAGES ": %u images, %u of %u ways refused, of a real file %u\n",
			 nr[0], refused[0], ways[0], refused[1]);
}

static unsigned int count_fds(unsigned int *ours)
{
	char path[300], name[256];
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *de;
	unsigned int n = 0;
	ssize_t len;

	*ours = 0;
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		n++;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", de->d_name);
		len = readlink(path, name, sizeof(name) - 1);
		if (len < 0)
			continue;
		name[len] = 0;
		*ours += strstr(name, "[vvar") || strstr(name, "[vdso]") ||
			 strstr(name, "vvarfs");
		/* Opened again, it is what it was */
		len = open(path, O_PATH);
		if (len >= 0)
			close(len);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void try_exe(const char *self)
{
	char link[256] = "", *real = realpath(self, NULL);
	struct stat exe, file;
	bool good;

	good = real && readlink("/proc/self/exe", link, sizeof(link) - 1) > 0 &&
	       !strcmp(link, real) && !stat("/proc/self/exe", &exe) &&
	       !stat(real, &file) && exe.st_ino == file.st_ino;
	ksft_test_result(good, "/proc/self/exe is %s\n", link);
	free(real);
}

static bool listed(const char *fs)
{
	FILE *list = fopen("/proc/filesystems", "r");
	char line[128], name[64];
	bool found = false;

	while (list && fgets(line, sizeof(line), list)) {
		if (sscanf(line, "nodev %63s", name) == 1 ||
		    sscanf(line, "%63s", name) == 1)
			found |= !strcmp(name, fs);
	}
	if (list)
		fclose(list);
	return found;
}

/* 0 or errno, by mount(2), or by fsopen() and so on */
static int mount_fs(const char *fs, bool new_api)
{
	int fd, mnt, err = 0;

	if (!new_api) {
		if (mount("none", WORK_DIR, fs, 0, NULL))
			return errno;
		umount2(WORK_DIR, MNT_DETACH);
		return 0;
	}
	fd = syscall(SYS_fsopen, fs, 0);
	if (fd < 0)
		return errno;
	/* 6: FSCONFIG_CMD_CREATE */
	if (syscall(SYS_fsconfig, fd, 6, NULL, NULL, 0)) {
		err = errno;
	} else {
		mnt = syscall(SYS_fsmount, fd, 0, 0);
		if (mnt < 0)
			err = errno;
		else
			close(mnt);
	}
	close(fd);
	return err;
}

/* A pseudo filesystem that is registered, pipefs, shows what is expected */
static void try_mount(const char *fs)
{
	unsigned int bad = 0;
	int api, err, want;

	for (api = 0; api < 2; api++) {
		err = mount_fs(fs, api);
		want = listed(fs) ? mount_fs("pipefs", api) : ENODEV;
		if (!err || err != want || mount_fs("tmpfs", api)) {
			ksft_print_msg("%s %s: %s, want %s\n",
				       api ? "fsmount" : "mount", fs,
				       err_name(err), err_name(want));
			bad++;
		}
	}
	ksft_test_result(!bad, "%s can't be mounted: %s\n", fs,
			 err_name(mount_fs(fs, false)));
}

/* A made-up handle never leads out of the file system it is opened in */
static void try_handles(void)
{
	static const char * const roots[] = { "/", "/proc", "/dev/shm", "/sys" };
	struct {
		struct file_handle h;
		uint32_t ino, gen, parent, pgen;
	} handle;
	unsigned int i, type, ino, tried = 0, bad = 0;
	struct stat root, st;
	int dir, fd;

	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		dir = open(roots[i], O_RDONLY | O_DIRECTORY);
		if (dir < 0 || fstat(dir, &root))
			continue;
		for (type = 1; type <= 2; type++) {
			for (ino = 0; ino < 64; ino++) {
				memset(&handle, 0, sizeof(handle));
				handle.h.handle_bytes = 8 * type;
				handle.h.handle_type = type;
				handle.ino = ino;
				fd = open_by_handle_at(dir, &handle.h, O_PATH);
				tried++;
				if (fd < 0)
					continue;
				bad += fstat(fd, &st) || st.st_dev != root.st_dev;
				close(fd);
			}
		}
		close(dir);
	}
	ksft_test_result(!bad && tried, "handles stay inside (%u)\n", tried);
}

/*
 * BPF: an iterator over the VMAs, which looks at vm_file and asks for its path
 */
#define BTF		"/sys/kernel/btf/vmlinux"

static const struct btf_type **btf_types;	/* by ID, from 1 */
static const char *btf_strings;
static int btf_nr;

/* The kernel's types; stays */
static bool btf_load(void)
{
	static char btf[64 << 20];
	const struct btf_header *hdr = (const struct btf_header *)btf;
	const struct btf_type *t;
	char *at, *end;
	size_t done = 0, more;
	ssize_t n;
	int fd;

	fd = open(BTF, O_RDONLY);
	while (fd >= 0 && (n = read(fd, btf + done, sizeof(btf) - done)) > 0)
		done += n;
	if (fd >= 0)
		close(fd);
	if (done < sizeof(*hdr) || hdr->magic != BTF_MAGIC)
		return false;
	btf_types = calloc(hdr->type_len / sizeof(*t) + 1, sizeof(*btf_types));
	if (!btf_types)
		return false;
	btf_strings = btf + hdr->hdr_len + hdr->str_off;
	at = btf + hdr->hdr_len + hdr->type_off;
	for (end = at + hdr->type_len; at < end; at += sizeof(*t) + more) {
		t = (const struct btf_type *)at;
		btf_types[++btf_nr] = t;
		more = 0;
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_VAR:
		case BTF_KIND_DECL_TAG:
			more = 4;
			break;
		case BTF_KIND_ARRAY:
			more = sizeof(struct btf_array);
			break;
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_DATASEC:
		case BTF_KIND_ENUM64:
			more = 12 * BTF_INFO_VLEN(t->info);
			break;
		case BTF_KIND_ENUM:
		case BTF_KIND_FUNC_PROTO:
			more = 8 * BTF_INFO_VLEN(t->info);
			break;
		}
	}
	return true;
}

/* 0 if there is none */
static int btf_id(unsigned int kind, const char *name)
{
	int id;

	for (id = 1; id <= btf_nr; id++) {
		if (BTF_INFO_KIND(btf_types[id]->info) == kind &&
		    !strcmp(btf_strings + btf_types[id]->name_off, name))
			return id;
	}
	return 0;
}

/* Where a member is in a struct, be it in one without a name; -1 for none */
static int btf_offset(int id, const char *name)
{
	const struct btf_type *t = btf_types[id];
	const struct btf_member *m = (const struct btf_member *)(t + 1);
	unsigned int i, bits;
	int in;

	for (i = 0; id && i < BTF_INFO_VLEN(t->info); i++, m++) {
		bits = BTF_INFO_KFLAG(t->info) ?
		       BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
		if (!strcmp(btf_strings + m->name_off, name))
			return bits / 8;
		if (btf_strings[m->name_off] ||
		    (BTF_INFO_KIND(btf_types[m->type]->info) != BTF_KIND_STRUCT &&
		     BTF_INFO_KIND(btf_types[m->type]->info) != BTF_KIND_UNION))
			continue;
		in = btf_offset(m->type, name);
		if (in >= 0)
			return bits / 8 + in;
	}
	return -1;
}

/* What the program below writes for each VMA, from its stack */
struct seen {
	uint64_t start;
	uint64_t has_file;
	int64_t len;		/* of the path, or an error */
	char path[104];
};

#define SEEN(member)	((short)offsetof(struct seen, member) - (short)sizeof(struct seen))

/* All VMAs of this process. How many, or 0 after a word about why not */
static unsigned int walk_vmas(int func, int vm_start, int vm_file, int f_path,
			      struct seen *seen, unsigned int max)
{
	/* ctx: meta, task, vma; meta: seq */
	struct bpf_insn insns[64] = {
		{ BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, 7, 6, 16, 0 },
		{ BPF_JMP | BPF_JNE | BPF_K, 7, 0, 2, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	const struct bpf_insn rest[] = {
		{ BPF_LDX | BPF_MEM | BPF_DW, 3, 7, vm_start, 0 },
		{ BPF_STX | BPF_MEM | BPF_DW, 10, 3, SEEN(start), 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, 8, 7, vm_file, 0 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 8, 0, 8, 0 },
		{ BPF_ST | BPF_MEM | BPF_DW, 10, 0, SEEN(has_file), 1 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 1, 8, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, f_path },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, SEEN(path) },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, sizeof(seen->path) },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_d_path },
		{ BPF_STX | BPF_MEM | BPF_DW, 10, 0, SEEN(len), 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, 1, 6, 0, 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, 1, 1, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, SEEN(start) },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, sizeof(*seen) },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_iter_link_info who = { .task.pid = getpid() };
	static char log[1 << 16];
	union bpf_attr attr;
	unsigned int i, n = 5;
	int prog, link = -1, iter = -1;
	size_t got_bytes = 0;
	ssize_t len;

	for (i = 0; i < sizeof(*seen) / 8; i++)
		insns[n++] = (struct bpf_insn) {
			BPF_ST | BPF_MEM | BPF_DW, 10, 0, SEEN(start) + 8 * i, 0
		};
	memcpy(insns + n, rest, sizeof(rest));
	n += ARRAY_SIZE(rest);

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.expected_attach_type = BPF_TRACE_ITER;
	attr.attach_btf_id = func;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = n;
	attr.license = (uintptr_t)"GPL";
	attr.log_level = 1;
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	prog = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (prog < 0) {
		ksft_print_msg("BPF_PROG_LOAD: %s: %s\n", strerror(errno), log);
		return 0;
	}
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	attr.link_create.iter_info = (uintptr_t)&who;
	attr.link_create.iter_info_len = sizeof(who);
	link = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (link >= 0) {
		memset(&attr, 0, sizeof(attr));
		attr.iter_create.link_fd = link;
		iter = syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));
	}
	if (iter < 0)
		ksft_print_msg("%s: %s\n", link < 0 ? "BPF_LINK_CREATE" :
			       "BPF_ITER_CREATE", strerror(errno));
	while (iter >= 0 && got_bytes < max * sizeof(*seen)) {
		len = read(iter, (char *)seen + got_bytes,
			   max * sizeof(*seen) - got_bytes);
		if (len <= 0)
			break;
		got_bytes += len;
	}
	close(iter);
	close(link);
	close(prog);
	return got_bytes / sizeof(*seen);
}

/* @file: where WORK_FILE is mapped. No path leads to what an area has for a file */
static void try_bpf(const struct areas *as, unsigned long file)
{
	static struct seen seen[512];
	unsigned int i, j, nr, found = 0, bad = 0;
	int func, vma, vm_start, vm_file, f_path;
	bool real = false;

	if (!btf_load()) {
		ksft_test_result_skip("BPF task_vma: no " BTF ", CONFIG_DEBUG_INFO_BTF is off\n");
		return;
	}
	func = btf_id(BTF_KIND_FUNC, "bpf_iter_task_vma");
	if (!func) {
		ksft_test_result_skip("BPF task_vma: no bpf_iter_task_vma in " BTF ", CONFIG_BPF_SYSCALL or CONFIG_PROC_FS is off\n");
		return;
	}
	vma = btf_id(BTF_KIND_STRUCT, "vm_area_struct");
	vm_start = btf_offset(vma, "vm_start");
	vm_file = btf_offset(vma, "vm_file");
	f_path = btf_offset(btf_id(BTF_KIND_STRUCT, "file"), "f_path");
	if (vm_start < 0 || vm_file < 0 || f_path < 0) {
		ksft_test_result_fail("BPF task_vma: " BTF " has no vm_start, vm_file or f_path\n");
		return;
	}
	nr = walk_vmas(func, vm_start, vm_file, f_path, seen, ARRAY_SIZE(seen));
	for (j = 0; j < nr; j++) {
		struct seen *s = &seen[j];

		s->path[sizeof(s->path) - 1] = 0;
		real |= s->start == file && s->has_file &&
			!strcmp(s->path, WORK_FILE);
		for (i = 0; i < as->nr; i++) {
			if (s->start != as->area[i].start)
				continue;
			found++;
			ksft_print_msg("BPF: %s has %s file, path %lld '%s'\n",
				       as->area[i].name,
				       s->has_file ? "a" : "no",
				       (long long)s->len, s->path);
			bad += s->path[0] && !got(open(s->path, O_PATH));
		}
	}
	ksft_test_result(found == as->nr && real && !bad,
			 "BPF task_vma: %u VMAs, %u areas, a real file %sfound, %u paths that lead somewhere\n",
			 nr, found, real ? "" : "not ", bad);
}

static void find_probes(void)
{
	static const char * const places[] = {
		"/sys/kernel/tracing/uprobe_events",
		"/sys/kernel/debug/tracing/uprobe_events",
	};
	unsigned int i;
	FILE *type;

	for (i = 0; i < ARRAY_SIZE(places) && !tracefs; i++) {
		if (!access(places[i], W_OK))
			tracefs = places[i];
	}
	if (!tracefs)
		ksft_print_msg("no tracefs uprobe_events: not tried\n");
	type = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	if (!type || fscanf(type, "%d", &uprobe_type) != 1)
		ksft_print_msg("no uprobe PMU: not tried\n");
	if (type)
		fclose(type);
}

/* A real file of three pages of nops, two of them mapped */
static char *map_file(void)
{
	static char nops[3 * AREAS_PAGE];
	int fd;
	char *at;

	memset(nops, 0x90, sizeof(nops));
	mkdir(WORK_DIR, 0700);
	close(open(WORK_POINT, O_WRONLY | O_CREAT, 0600));
	fd = open(WORK_FILE, O_RDWR | O_CREAT | O_TRUNC, 0700);
	if (fd < 0 || write(fd, nops, sizeof(nops)) != sizeof(nops))
		return MAP_FAILED;
	at = mmap(NULL, 2 * AREAS_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
		  0);
	close(fd);
	return at;
}

/* Of @len bytes, and merged with no neighbour */
static char *map_anon(size_t len)
{
	char *at = mmap(NULL, len + 2 * AREAS_PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + AREAS_PAGE, len, PROT_READ))
		return MAP_FAILED;
	return at + AREAS_PAGE;
}

int main(int argc, char **argv)
{
	unsigned int i, fds, fds_before, ours;
	const struct area *vdso = NULL;
	char *anon[AREAS_MAX], *file;
	struct areas as;
	pid_t pid;

	(void)argc;
	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("needs root\n");
	if (!areas_find(&as, 0))
		ksft_exit_skip("no [vvar] and [vdso] in /proc/self/maps\n");
	ksft_set_plan(3 * as.nr + 10);
	try_exe(argv[0]);
	/* Mounts made here are nobody else's */
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		ksft_exit_skip("no mount namespace: %s\n", strerror(errno));
	file = map_file();
	/* For each area a VMA of the same size, without a file */
	for (i = 0; i < as.nr; i++) {
		anon[i] = map_anon(as.area[i].end - as.area[i].start);
		if (as.area[i].text)
			vdso = &as.area[i];
		if (anon[i] == MAP_FAILED)
			ksft_exit_fail_msg("cannot map: %s\n",
					   strerror(errno));
	}
	if (file == MAP_FAILED)
		ksft_exit_fail_msg(WORK_FILE ": %s\n", strerror(errno));
	find_probes();
	fds_before = count_fds(&ours);

	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	for (i = 0; i < as.nr; i++) {
		const struct area *a = &as.area[i];
		char what[64];

		try_ways(0, a->name, a->start, a->end, (long)anon[i],
			 (long)file);
		try_ways(pid, a->name, a->start, a->end, (long)anon[i],
			 (long)file);
		snprintf(what, sizeof(what), "the first page of %s", a->name);
		try_ways(0, what, a->start, a->start + AREAS_PAGE,
			 (long)anon[i], (long)file);
	}
	try_listing(0, &as);
	try_listing(pid, &as);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	/* With a private copy of the vDSO */
	if (!vdso || mprotect((void *)vdso->start, vdso->end - vdso->start,
			      PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    areas_access(vdso->start + AREAS_PAGE - 1, true))
		ksft_exit_fail_msg("[vdso] can't be written: %s\n",
				   strerror(errno));
	try_ways(0, "a written [vdso]", vdso->start, vdso->end,
		 (long)anon[vdso - as.area], (long)file);

	try_names();
	try_images();
	try_mount("vvarfs");
	try_handles();
	try_bpf(&as, (unsigned long)file);
	fds = count_fds(&ours);
	ksft_test_result(!ours && fds == fds_before,
			 "/proc/self/fd has none of them (%u fds)\n", fds);

	unlink(WORK_FILE);
	unlink(WORK_POINT);
	rmdir(WORK_DIR);
	ksft_finished();
}
