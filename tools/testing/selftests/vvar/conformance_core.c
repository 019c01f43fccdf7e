// SPDX-License-Identifier: GPL-2.0
/* The conformance test: core dumps. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "conformance.h"

#ifdef __i386__
#define Elf_Ehdr	Elf32_Ehdr
#define Elf_Nhdr	Elf32_Nhdr
#define Elf_Phdr	Elf32_Phdr
#else
#define Elf_Ehdr	Elf64_Ehdr
#define Elf_Nhdr	Elf64_Nhdr
#define Elf_Phdr	Elf64_Phdr
#endif

#define CORE	"/tmp/vvar-conformance-core"

static char core_pattern[256];

static void restore_core_pattern(void)
{
	if (core_pattern[0])
		put_text("/proc/sys/kernel/core_pattern", core_pattern);
	core_pattern[0] = 0;
}

static bool divert_cores(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, core_pattern,
				       sizeof(core_pattern) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	atexit(restore_core_pattern);
	/* %p, so that core_uses_pid doesn't matter */
	return put_text("/proc/sys/kernel/core_pattern", CORE ".%p\n") &&
	       !setrlimit(RLIMIT_CORE, &unlimited);
}

static void say_nt_file(const char *desc, size_t size)
{
	const unsigned long *word = (const unsigned long *)desc;
	const char *name, *end = desc + size;
	unsigned long i, n;

	if (size < 2 * sizeof(*word))
		return;
	n = word[0];
	name = (const char *)(word + 2 + 3 * n);
	say("NT_FILE: %lu entries, unit %lu\n", n, word[1]);
	for (i = 0; i < n && name < end; i++) {
		say("NT_FILE: %lu pages at %lu %s\n",
		    (word[3 + 3 * i] - word[2 + 3 * i]) / AREAS_PAGE,
		    word[4 + 3 * i], name);
		name += strlen(name) + 1;
	}
}

static void say_core_note(const char *core, const Elf_Phdr *ph)
{
	const char *at = core + ph->p_offset, *end = at + ph->p_filesz;
	const Elf_Nhdr *note;
	const unsigned long *aux;
	const char *desc;
	unsigned int i;

	while (at + sizeof(*note) <= end) {
		note = (const Elf_Nhdr *)at;
		desc = at + sizeof(*note) + ((note->n_namesz + 3) & ~3U);
		if (note->n_type == NT_FILE)
			say_nt_file(desc, note->n_descsz);
		else if (note->n_type == NT_AUXV)
			for (i = 0, aux = (const unsigned long *)desc;
			     i + 1 < note->n_descsz / sizeof(*aux); i += 2)
				if (aux[i] == AT_SYSINFO_EHDR)
					say("AT_SYSINFO_EHDR: %s\n", aux[i + 1]
					    == getauxval(AT_SYSINFO_EHDR) ?
					    "the vDSO of exec" : "another");
		at = desc + ((note->n_descsz + 3) & ~3U);
	}
}

/* @was: the areas of the process that dumped, @bytes: of its vDSO text */
static bool say_core(const char *core, size_t size, const struct areas *was,
		     const char *bytes)
{
	const Elf_Ehdr *eh = (const Elf_Ehdr *)core;
	unsigned int i, j, loads = 0, other = 0;
	size_t b, differ, nonzero;

	if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_phoff + eh->e_phnum * sizeof(Elf_Phdr) > size)
		return false;
	for (i = 0; i < eh->e_phnum; i++) {
		const Elf_Phdr *ph = (const Elf_Phdr *)(core + eh->e_phoff) +
				       i;
		const struct area *a = NULL;

		if (ph->p_offset + ph->p_filesz > size)
			return false;
		if (ph->p_type == PT_NOTE)
			say_core_note(core, ph);
		if (ph->p_type != PT_LOAD)
			continue;
		loads++;
		for (j = 0; j < was->nr; j++) {
			if (ph->p_vaddr >= was->area[j].start &&
			    ph->p_vaddr < was->area[j].end)
				a = &was->area[j];
		}
		if (!a) {
			other += ph->p_filesz != 0;
			continue;
		}
		differ = 0;
		nonzero = 0;
		for (b = 0; b < ph->p_filesz; b++) {
			nonzero += core[ph->p_offset + b] != 0;
			if (a->text)
				differ += core[ph->p_offset + b] != bytes[b];
		}
		say("PT_LOAD %s+%lu flags %#x filesz %lu memsz %lu align %lu ",
		    a->name, (unsigned long)(ph->p_vaddr - a->start) /
		    AREAS_PAGE, ph->p_flags, (unsigned long)ph->p_filesz,
		    (unsigned long)ph->p_memsz, (unsigned long)ph->p_align);
		if (a->text && ph->p_filesz)
			say("%s\n", differ ? "not as in memory" : "as in memory");
		else
			say("%s\n", nonzero ? "with content" : "no content");
	}
	say("PT_LOAD: %u, with content outside the areas: %u\n", loads, other);
	return true;
}

enum core_kind { CORE_PLAIN, CORE_TOUCHED, CORE_NONE, CORE_DONTDUMP, CORE_COW };

static const char * const core_kinds[] = {
	"fresh", "touched", "mprotect none", "MADV_DONTDUMP", "vDSO copied",
};

static bool observe_core(const struct image *image, enum core_kind kind,
			 unsigned int filter)
{
	struct {
		struct areas as;
		char bytes[8 * AREAS_PAGE];
	} *was;
	unsigned int i;
	char what[64], path[64], text[32], *core = NULL;
	struct stat st;
	bool good = false;
	int fd, status;
	pid_t pid;

	snprintf(what, sizeof(what), "core filter %#x %s", filter,
		 core_kinds[kind]);
	was = mmap(NULL, sizeof(*was), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (was == MAP_FAILED)
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		arm_child();
		renew(image, kind == CORE_TOUCHED);
		snprintf(text, sizeof(text), "%#x\n", filter);
		put_text("/proc/self/coredump_filter", text);
		for (i = 0; i < as.nr; i++) {
			struct area *a = &as.area[i];
			size_t len = a->end - a->start;

			if (kind == CORE_DONTDUMP)
				madvise((void *)a->start, len, MADV_DONTDUMP);
			if (kind == CORE_COW && a->text) {
				if (mprotect((void *)a->start, len,
					     PROT_READ | PROT_WRITE))
					_exit(1);
				*((char *)a->start + AREAS_PAGE - 1) ^= 1;
			}
			if (a->text && kind != CORE_PLAIN && len <=
			    sizeof(was->bytes))
				memcpy(was->bytes, (void *)a->start, len);
			if (kind == CORE_NONE)
				mprotect((void *)a->start, len, PROT_NONE);
		}
		was->as = as;
		/* The dump has to fault the text in itself */
		if (kind == CORE_PLAIN && !fork()) {
			for (i = 0; i < as.nr; i++)
				if (as.area[i].text)
					memcpy(was->bytes,
					       (void *)as.area[i].start,
					       as.area[i].end -
					       as.area[i].start);
			_exit(0);
		}
		while (wait(NULL) > 0)
			;
		signal(SIGABRT, SIG_DFL);
		raise(SIGABRT);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	snprintf(path, sizeof(path), CORE ".%d", pid);
	if (WIFSIGNALED(status) && WCOREDUMP(status)) {
		fd = open(path, O_RDONLY);
		if (fd >= 0 && !fstat(fd, &st)) {
			core = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE,
				    fd, 0);
			good = core != MAP_FAILED &&
			       say_core(core, st.st_size, &was->as, was->bytes);
			if (core != MAP_FAILED)
				munmap(core, st.st_size);
		}
		if (fd >= 0)
			close(fd);
		unlink(path);
	}
	if (!good)
		say("no core: %s\n", WIFSIGNALED(status) ? "not dumped" :
		    "not killed");
	munmap(was, sizeof(*was));
	print_report(image->name, what);
	return good;
}

bool observe_cores(const struct image *image)
{
	static const unsigned int filters[] = { 0x33, 0x7f, 0x1ff, 0, 4, 8 };
	bool good = divert_cores();
	unsigned int i, j;

	for (i = 0; good && i < ARRAY_SIZE(core_kinds); i++)
		for (j = 0; j < ARRAY_SIZE(filters); j++)
			good &= observe_core(image, i, filters[j]);
	restore_core_pattern();
	return good;
}
