// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/vdso has the image of each ABI, byte by byte as processes have it
 * mapped, and of no other.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "areas.h"

#define DIR_PATH	"/sys/kernel/vdso/"

#if defined(__x86_64__) && !defined(__ILP32__)
#define OWN	"x86_64"
#elif defined(__x86_64__)
#define OWN	"x32"
#elif defined(__i386__)
#define OWN	"i386"
#elif defined(__aarch64__)
#define OWN	"aarch64"
#define OTHER	"arm"		/* image_32 compares it */
#elif defined(__arm__)
#define OWN	"arm"
#elif defined(__riscv)
#define OWN	"riscv64"
#endif

/* What a process can map, here of an ABI that may be another's */
static const struct abi {
	const char *name;
	int map;		/* AREAS_MAP_* */
} abis[] = {
#ifdef SYS_arch_prctl
	{ "x86_64", AREAS_MAP_64 },
	{ "x32", AREAS_MAP_X32 },
	{ "i386", AREAS_MAP_32 },
#else
	{ OWN },
#endif
};

#define NR_ABIS	(sizeof(abis) / sizeof(abis[0]))

/* Does the file say what is mapped at @vdso, read in pieces of @piece bytes? */
static bool same(const char *name, const struct area *vdso, size_t piece)
{
	size_t size = vdso->end - vdso->start, done = 0;
	char path[64], *buf = malloc(size + piece);
	struct stat st;
	bool good;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), DIR_PATH "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) || !buf) {
		ksft_print_msg("%s: %s\n", path, strerror(errno));
		return false;
	}
	while (done <= size && (n = pread(fd, buf + done, piece, done)) > 0)
		done += n;
	good = done == size && !memcmp(buf, (void *)vdso->start, size);
	if (!good || st.st_size != size || st.st_mode != (S_IFREG | 0444)) {
		ksft_print_msg("%s: %zu bytes read, %lld by stat, %zu mapped, mode %o\n",
			       path, done, (long long)st.st_size, size, st.st_mode);
		good = false;
	}
	close(fd);
	free(buf);
	return good;
}

/* 0: the same; 1: not so; 2: the kernel has no such image. In a child. */
static int compare_mapped(const struct abi *abi)
{
	const struct area *vdso = NULL;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		struct areas as;

		if (areas_renew(&as, abi->map))
			vdso = areas_named(&as, "[vdso]");
		_exit(vdso ? !same(abi->name, vdso, AREAS_PAGE) : 2);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(void)
{
	unsigned int i, known = 0, files = 0;
	const struct area *vdso;
	struct dirent *de;
	struct areas as;
	DIR *dir;

	ksft_print_header();
	if (!areas_find(&as, 0))
		ksft_exit_skip("no [vvar] and [vdso] in /proc/self/maps\n");
	vdso = areas_named(&as, "[vdso]");
	if (!vdso)
		ksft_exit_fail_msg("no [vdso]\n");
	ksft_set_plan(3 + (sizeof(long) == 8 ? NR_ABIS + 1 : 0));

	ksft_test_result(same(OWN, vdso, AREAS_PAGE), "%s is what is mapped\n", OWN);
	ksft_test_result(same(OWN, vdso, 777), "%s, read in pieces\n", OWN);
	ksft_test_result(same(OWN, vdso, 64 * AREAS_PAGE), "%s, read at once\n", OWN);
	if (sizeof(long) != 8)
		ksft_finished();

	dir = opendir(DIR_PATH);
	while (dir && (de = readdir(dir)))
		files += de->d_name[0] != '.';
	if (dir)
		closedir(dir);
	for (i = 0; i < NR_ABIS; i++) {
		char path[64];
		int how = compare_mapped(&abis[i]);
		bool there;

		snprintf(path, sizeof(path), DIR_PATH "%s", abis[i].name);
		there = !access(path, R_OK);
		known += there;
		ksft_test_result(how == (there ? 0 : 2), "%s: %s, %s\n", abis[i].name,
				 there ? "in sysfs" : "not in sysfs",
				 how == 2 ? "cannot be mapped" : "mapped");
	}
#ifdef OTHER
	known += !access(DIR_PATH OTHER, R_OK);
#endif
	ksft_test_result(known == files, "%u images, %u files\n", known, files);
	ksft_finished();
}
