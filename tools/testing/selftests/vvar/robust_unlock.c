// SPDX-License-Identifier: GPL-2.0
/*
 * The vDSO unlocks a robust futex in two steps: it lets go of the lock, then clears
 * the pending operation. Whoever is interrupted between them has the second done by
 * the kernel, which knows where that is in the vDSO. It has to know so of a vDSO
 * that was mapped afresh, and of one that was moved.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <x86intrin.h>

#include "areas.h"
#include "../kselftest.h"
#include "../vDSO/parse_vdso.h"

#define X86_EFLAGS_TF	0x100UL
#define TID		0x1234u
#define PENDING		0x5678

typedef uint32_t unlock_t(volatile uint32_t *lock, uint32_t tid, void *pop);

static const char * const names[] = {
	"__vdso_futex_robust_list64_try_unlock",
	"__vdso_futex_robust_list32_try_unlock",
};

#define NR_NAMES	(sizeof(names) / sizeof(names[0]))

static volatile uint32_t lock;
static volatile uint64_t pop;

/* Was the operation still pending at the first instruction without the lock? */
static volatile sig_atomic_t released, pending;

static void on_trap(int sig)
{
	if (lock || released)
		return;
	released = 1;
	pending = pop != 0;
}

/* Run @unlock step by step */
static void step(unlock_t *unlock)
{
	lock = TID;
	pop = PENDING;
	released = 0;
	pending = 0;
	__writeeflags(__readeflags() | X86_EFLAGS_TF);
	unlock(&lock, TID, (void *)&pop);
	__writeeflags(__readeflags() & ~X86_EFLAGS_TF);
}

static void check(const struct area *text, const unsigned long *offsets,
		  const char *what, bool covered)
{
	unsigned int i;

	for (i = 0; i < NR_NAMES; i++) {
		step((unlock_t *)(text->start + offsets[i]));
		ksft_test_result(released && !pop && !pending == covered,
				 "%s %s: the kernel %s\n", what, names[i] + 7,
				 covered ? "clears what is pending" : "keeps out");
	}
}

static const struct area *text_now(struct areas *as)
{
	const struct area *text = areas_find(as, 0) ? areas_named(as, "[vdso]") : NULL;

	if (!text)
		ksft_exit_fail_msg("no [vdso] in /proc/self/maps\n");
	return text;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_trap };
	unsigned long offsets[NR_NAMES], start;
	struct areas as;
	const struct area *text;
	struct area copy;
	unsigned int i;
	size_t len;

	ksft_print_header();
	text = text_now(&as);
	len = text->end - text->start;
	vdso_init_from_sysinfo_ehdr(text->start);
	for (i = 0; i < NR_NAMES; i++) {
		offsets[i] = (unsigned long)vdso_sym("LINUX_2.6", names[i]);
		if (!offsets[i])
			ksft_exit_skip("no %s in this kernel's vDSO\n", names[i]);
		offsets[i] -= text->start;
	}
	sigaction(SIGTRAP, &sa, NULL);
	ksft_set_plan(4 * NR_NAMES);

	check(text, offsets, "as exec mapped it,", true);

	if (!areas_renew(&as, AREAS_MAP_64))
		ksft_exit_fail_msg("no fresh vDSO: %s\n", areas_outcome(-1));
	text = text_now(&as);
	check(text, offsets, "mapped afresh,", true);

	start = (unsigned long)mmap(NULL, len, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy.start = (unsigned long)mmap(NULL, len, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy((void *)copy.start, (void *)text->start, len);
	if (mprotect((void *)copy.start, len, PROT_READ | PROT_EXEC) ||
	    mremap((void *)text->start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   start) != (void *)start)
		ksft_exit_fail_msg("cannot move the vDSO: %s\n", areas_outcome(-1));
	text = text_now(&as);
	if (text->start != start)
		ksft_exit_fail_msg("[vdso] is at %#lx, not at %#lx\n",
				   text->start, start);
	check(text, offsets, "moved,", true);

	/* What would be seen if the kernel did not know */
	check(&copy, offsets, "a copy of it,", false);
	ksft_finished();
}
