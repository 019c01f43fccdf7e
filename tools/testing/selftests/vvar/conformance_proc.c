// SPDX-License-Identifier: GPL-2.0
/* The conformance test: files of /proc/PID that show mappings. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/fs.h>

#include "conformance.h"

#ifndef PROCMAP_QUERY
#error "needs the kernel's own headers: make headers, or KHDR_INCLUDES"
#endif

/*
 * /proc/PID/maps
 */
void see_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512], *text;
	char perms[8], pgoff[16];
	int name;

	if (!maps)
		_exit(1);
	while (fgets(line, sizeof(line), maps)) {
		name = 0;
		if (sscanf(line, "%lx-%lx %7s %15s %*s %*s %n", &start, &end,
			   perms, pgoff, &name) < 4 || !name)
			_exit(1);
		text = line + name;
		if (!strcmp(text, "[heap]\n") || !strcmp(text, "[stack]\n"))
			say("%s %s", perms, text);
		else if (*text == '/')
			say("%lu pages %s %s %s", (end - start) / AREAS_PAGE,
			    perms, pgoff, text);
		else
			say("%lu pages%s", (end - start) / AREAS_PAGE,
			    strchr(line, ' '));
	}
	fclose(maps);
	for (name = 0; name < (int)as.nr; name++)
		say("%s is %ld pages from the first area\n",
		    as.area[name].name, (long)(as.area[name].start -
		    as.area[0].start) / (long)AREAS_PAGE);
}

/*
 * The areas in /proc/PID/smaps and numa_maps, and the sums. How many others have
 * a page of vDSO text mapped depends on how much a fault maps.
 */
static const char * const shares[] = {
	"Pss:", "Pss_Dirty:", "Shared_Clean:", "Private_Clean:",
};

static bool is_share(const char *key)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shares); i++) {
		if (!strcmp(key, shares[i]))
			return true;
	}
	return false;
}

void see_smaps(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512], key[64], name[64];
	unsigned long start, end;
	bool area = false, text = false;

	if (!smaps)
		_exit(1);
	while (fgets(line, sizeof(line), smaps)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &start, &end,
			   name) >= 2) {
			area = areas_is_name(name);
			text = !strcmp(name, "[vdso]");
			if (area)
				say("%s", strchr(line, ' '));
			continue;
		}
		if (area && sscanf(line, "%63s", key) == 1)
			say("%s%s", text && is_share(key) ? "# " : "", line);
	}
	fclose(smaps);
}

/*
 * All but how much memory of its own the process happens to have touched, some of
 * which it shares with its parent
 */
void see_smaps_rollup(void)
{
	static const char * const own[] = {
		"Rss:", "Pss_Anon:", "Pss_File:", "Private_Dirty:", "Referenced:",
		"Anonymous:", "Shared_Dirty:",
	};
	FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
	char line[512], key[64];
	bool varies;
	unsigned int i;

	if (!rollup || !fgets(line, sizeof(line), rollup))
		_exit(1);
	while (fgets(line, sizeof(line), rollup)) {
		if (sscanf(line, "%63s", key) != 1)
			_exit(1);
		varies = is_share(key);
		for (i = 0; i < ARRAY_SIZE(own); i++)
			varies |= !strcmp(key, own[i]);
		say("%s%s", varies ? "# " : "", line);
	}
	fclose(rollup);
}

void see_numa_maps(void)
{
	say_policies();
	say("\n");
}

/* Sums over the process that a file in a VMA could move to another line */
void see_status(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	if (!status)
		_exit(1);
	while (fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "VmLck:", 6) || !strncmp(line, "VmPin:", 6) ||
		    !strncmp(line, "VmExe:", 6) || !strncmp(line, "VmLib:", 6))
			say("%s", line);
	}
	fclose(status);
}

/*
 * /proc/PID/map_files
 */
void see_map_files(void)
{
	char path[128], buf[256];
	unsigned long start, end;
	DIR *dir = opendir("/proc/self/map_files");
	struct dirent *de;
	struct stat st;
	unsigned int i;
	int fd;

	if (!dir)
		_exit(1);
	while ((de = readdir(dir))) {
		if (sscanf(de->d_name, "%lx-%lx", &start, &end) != 2)
			continue;
		snprintf(path, sizeof(path), "/proc/self/map_files/%.64s",
			 de->d_name);
		memset(buf, 0, sizeof(buf));
		if (readlink(path, buf, sizeof(buf) - 1) < 0)
			snprintf(buf, sizeof(buf), "%s", areas_outcome(-1));
		say("%lu pages -> %s\n", (end - start) / AREAS_PAGE, buf);
	}
	closedir(dir);

	for (i = 0; i < as.nr; i++) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
			 as.area[i].start, as.area[i].end);
		say("%s: readlink = %s", as.area[i].name,
		    areas_outcome(readlink(path, buf, sizeof(buf))));
		say(", lstat = %s", areas_outcome(lstat(path, &st)));
		fd = open(path, O_RDONLY);
		say(", open = %s\n", areas_outcome(fd < 0 ? -1 : 0));
	}
}

/*
 * PROCMAP_QUERY
 */
static void query(int fd, const struct area *a, unsigned int flags,
		  unsigned int name_size, unsigned int build_id_size)
{
	char name[256] = "", build_id[64] = "";
	struct procmap_query q = {
		.size = sizeof(q),
		.query_flags = flags,
		.query_addr = a->start,
		.vma_name_size = name_size,
		.vma_name_addr = name_size ? (uintptr_t)name : 0,
		.build_id_size = build_id_size,
		.build_id_addr = build_id_size ? (uintptr_t)build_id : 0,
	};
	int ret = ioctl(fd, PROCMAP_QUERY, &q);

	say("%s flags %#x name %u build id %u = %s", a->name, flags, name_size,
	    build_id_size, areas_outcome(ret));
	if (ret) {
		say("\n");
	} else if (q.vma_start != a->start) {
		say(" another: %s\n", name);
	} else {
		say(" %llu pages flags %#llx page %llu offset %llu",
		    (q.vma_end - q.vma_start) / AREAS_PAGE, q.vma_flags,
		    q.vma_page_size, q.vma_offset);
		say(" dev %u:%u inode %llu name %u '%s' build id %u\n",
		    q.dev_major, q.dev_minor, q.inode, q.vma_name_size, name,
		    q.build_id_size);
	}
}

void see_procmap_query(void)
{
	static const unsigned int flags[] = {
		0, PROCMAP_QUERY_VMA_READABLE, PROCMAP_QUERY_VMA_WRITABLE,
		PROCMAP_QUERY_VMA_EXECUTABLE, PROCMAP_QUERY_VMA_SHARED,
		PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
		PROCMAP_QUERY_FILE_BACKED_VMA,
		PROCMAP_QUERY_FILE_BACKED_VMA |
			PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
	};
	int fd = open("/proc/self/maps", O_RDONLY);
	unsigned int i, f;

	if (fd < 0)
		_exit(1);
	for (i = 0; i < as.nr; i++) {
		for (f = 0; f < ARRAY_SIZE(flags); f++) {
			query(fd, &as.area[i], flags[f], 256, 0);
			query(fd, &as.area[i], flags[f], 256, 20);
		}
		query(fd, &as.area[i], 0, 0, 0);
		query(fd, &as.area[i], 0, 2, 0);
		query(fd, &as.area[i], 0, 0, 1);
		query(fd, &as.area[i], 0, 0, 64);
	}
	close(fd);
}
