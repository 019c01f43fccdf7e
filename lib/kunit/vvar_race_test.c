// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of vvar areas: a replace among faults, fork and munmap. */
#include <kunit/resource.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "../../kernel/rcu/rcu.h"
#include "vvar_test.h"

#define RACE_ROUNDS	200
#define RACE_FAULTERS	2

/* What goes on in the test's mm beside the test */
struct race {
	struct test_area *t;
	struct mm_struct *mm;
	unsigned long addr[4];		/* where slot 0 may be */
	unsigned long start;		/* jiffies */
	struct task_struct *replacer;
	unsigned int page;		/* of slot 0, the last that was set */
	bool stop;
	atomic_t faulters;
	struct completion gone;
	atomic_long_t begun, vma_locked, unreadable, replaces, stale;
};

/* A thread of the process whose mm it is: no kthread, as those take mmap_lock */
static int race_faulter_fn(void *data)
{
	struct race *r = data;
	unsigned int i;

	for (i = 0; !READ_ONCE(r->stop); i++) {
		unsigned long addr = r->addr[i % ARRAY_SIZE(r->addr)];

		if (!IS_ENABLED(CONFIG_PER_VMA_LOCK) ||
		    (vvt_user_fault(addr, true) & VM_FAULT_SIGSEGV)) {
			/* As the fault entry does then */
			mmap_read_lock(r->mm);
			vvt_user_fault(addr, true);
			mmap_read_unlock(r->mm);
		} else {
			atomic_long_inc(&r->vma_locked);
		}
		/* And from kernel mode, by an exception, under mmap_lock */
		if (!vvt_readable(addr))
			atomic_long_inc(&r->unreadable);
		if (!i)
			atomic_long_inc(&r->begun);
		cond_resched();
	}
	if (atomic_dec_and_test(&r->faulters))
		complete(&r->gone);
	do_exit(0);
}

/* Does this page show in the mm? Looks twice, as mremap() may move the PTE */
static bool race_shows(struct race *r, struct mm_struct *mm, unsigned int page)
{
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(r->addr); i++) {
		pte_t pte = vvt_get_pte(mm, r->addr[i % ARRAY_SIZE(r->addr)]);

		if (pte_present(pte) &&
		    pte_pfn(pte) == page_to_pfn(r->t->page[page]))
			return true;
	}
	return false;
}

/* None of this takes mmap_lock */
static void race_set_slot(struct race *r)
{
	r->page ^= 1;
	vvt_set_slot(r->t, 0, r->page);
	if (race_shows(r, r->mm, r->page ^ 1))
		atomic_long_inc(&r->stale);
	atomic_long_inc(&r->replaces);
}

static int race_replacer_fn(void *data)
{
	while (!kthread_should_stop()) {
		race_set_slot(data);
		cond_resched();
	}
	return 0;
}

static struct task_struct *race_replace(struct kunit *test, struct race *r,
					int (*fn)(void *))
{
	r->replacer = kthread_create(fn, r, "vvar_replacer");
	if (IS_ERR(r->replacer)) {
		r->replacer = NULL;
		KUNIT_FAIL_AND_ABORT(test, "no thread to replace");
	}
	return r->replacer;
}

static void race_replace_stop(struct race *r)
{
	if (r->replacer)
		kthread_stop(r->replacer);
	r->replacer = NULL;
}

/* At the end of the test, if it has not done so */
static void race_stop(void *data)
{
	struct race *r = data;

	WRITE_ONCE(r->stop, true);
	race_replace_stop(r);
	if (atomic_dec_and_test(&r->faulters))
		complete(&r->gone);
	wait_for_completion(&r->gone);
	mmput(r->mm);
}

/* The area in question, with the pages that slot 0 shows by turns, mapped once */
static struct race *race_prepare(struct kunit *test)
{
	struct race *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->t = vvt_make_area(test, 2, BIT(0) | BIT(1));
	for (i = 0; i < ARRAY_SIZE(r->addr); i++)
		r->addr[i] = TEST_ADDR + PAGE_SIZE;
	r->mm = current->mm;
	init_completion(&r->gone);
	atomic_set(&r->faulters, 1);
	vvt_map_area(test, &r->t->area, r->addr[0]);
	/* The test's thread may go first */
	mmget(r->mm);
	vvt_add_action(test, race_stop, r);
	return r;
}

static struct race *race_start(struct kunit *test)
{
	struct race *r = race_prepare(test);
	unsigned int i;

	for (i = 0; i < RACE_FAULTERS; i++) {
		atomic_inc(&r->faulters);
		if (user_mode_thread(race_faulter_fn, r,
				     CLONE_VM | CLONE_FILES | SIGCHLD) > 0)
			continue;
		atomic_dec(&r->faulters);
		KUNIT_FAIL_AND_ABORT(test, "no thread to fault");
	}
	r->start = jiffies;
	return r;
}

/* Has all begun that race_end() wants to have seen, or failed to for too long? */
static bool racing(struct race *r)
{
	return (atomic_long_read(&r->begun) == RACE_FAULTERS &&
		atomic_long_read(&r->replaces) &&
		(!IS_ENABLED(CONFIG_PER_VMA_LOCK) ||
		 atomic_long_read(&r->vma_locked))) ||
	       time_after(jiffies, r->start + 30 * HZ);
}

/* What holds after every race */
static void race_end(struct kunit *test, struct race *r)
{
	race_replace_stop(r);
	KUNIT_EXPECT_GT(test, atomic_long_read(&r->replaces), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->stale), 0);
	KUNIT_EXPECT_FALSE(test, race_shows(r, r->mm, r->page ^ 1));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->begun), RACE_FAULTERS);
	if (IS_ENABLED(CONFIG_PER_VMA_LOCK))
		KUNIT_EXPECT_GT(test, atomic_long_read(&r->vma_locked), 0);
	kunit_release_action(test, race_stop, r);
	vvt_expect_readable(test, r->addr[0], true);
}

static void vvar_race_replace_leaves_no_stale_pte(struct kunit *test)
{
	struct race *r = race_start(test);

	/* A single CPU has to get round to all of them */
	wake_up_process(race_replace(test, r, race_replacer_fn));
	while (atomic_long_read(&r->replaces) < RACE_ROUNDS || !racing(r))
		vvt_others_turn();
	race_end(test, r);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->unreadable), 0);
}

static unsigned int count_ptes(struct mm_struct *mm, unsigned long addr)
{
	return !pte_none(vvt_get_pte(mm, addr)) +
	       !pte_none(vvt_get_pte(mm, addr + PAGE_SIZE));
}

static void vvar_race_munmap_leaves_no_pte(struct kunit *test)
{
	struct race *r = race_start(test);
	unsigned int i, left = 0;

	wake_up_process(race_replace(test, r, race_replacer_fn));
	for (i = 0; i < RACE_ROUNDS || !racing(r); i++) {
		vm_munmap(r->addr[0], 2 * PAGE_SIZE);
		left += count_ptes(r->mm, r->addr[0]);
		vvt_map_area(test, &r->t->area, r->addr[0]);
		vvt_others_turn();
	}
	KUNIT_EXPECT_EQ(test, left, 0);
	race_end(test, r);
}

static void vvar_race_mremap_leaves_no_pte_behind(struct kunit *test)
{
	unsigned long other = TEST_ADDR + PMD_SIZE + PAGE_SIZE;
	struct race *r = race_start(test);
	unsigned int i, left = 0, refused = 0;

	/* Keeps that page table in place, too */
	KUNIT_ASSERT_EQ(test, other - PAGE_SIZE,
			kunit_vm_mmap(test, NULL, other - PAGE_SIZE, PAGE_SIZE,
				      PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE |
				      MAP_FIXED, 0));
	r->addr[1] = other;
	r->addr[3] = other;
	wake_up_process(race_replace(test, r, race_replacer_fn));
	for (i = 0; i < RACE_ROUNDS || (i & 1) || !racing(r); i++) {
		unsigned long from = r->addr[i & 1], to = r->addr[~i & 1];

		refused += user_call(mremap, from, 2 * PAGE_SIZE,
				     2 * PAGE_SIZE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to) != to;
		left += count_ptes(r->mm, from);
		vvt_others_turn();
	}
	KUNIT_EXPECT_EQ(test, refused, 0);
	KUNIT_EXPECT_EQ(test, left, 0);
	race_end(test, r);
}

/* MADV_DONTNEED is refused; this is what it would do */
static void vvar_race_zap_leaves_no_stale_pte(struct kunit *test)
{
	struct race *r = race_start(test);
	struct vm_area_struct *vma;
	unsigned int i, refused = 0;

	wake_up_process(race_replace(test, r, race_replacer_fn));
	for (i = 0; i < RACE_ROUNDS || !racing(r); i++) {
		mmap_read_lock(r->mm);
		vma = vma_lookup(r->mm, r->addr[0]);
		zap_vma(vma);
		mmap_read_unlock(r->mm);
		/* The VMA write-locked, other flags */
		refused += user_call(madvise, r->addr[0], 2 * PAGE_SIZE,
				     i & 1 ? MADV_NORMAL : MADV_RANDOM, 0, 0) != 0;
		vvt_others_turn();
	}
	KUNIT_EXPECT_EQ(test, refused, 0);
	race_end(test, r);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->unreadable), 0);
}

/* A fault that is late: it has read a slot and not yet published it */
struct late_reader {
	struct completion in;
	bool left;
};

static int late_reader_fn(void *data)
{
	struct late_reader *r = data;

	rcu_read_lock();
	complete(&r->in);
	mdelay(200);
	WRITE_ONCE(r->left, true);
	rcu_read_unlock();
	return 0;
}

static void vvar_race_replace_waits_for_readers(struct kunit *test)
{
	struct test_area *t = vvt_make_area(test, 2, BIT(0));
	struct task_struct *task;
	struct late_reader r = { };

	init_completion(&r.in);
	task = kthread_create(late_reader_fn, &r, "vvar_late");
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(task), "%pe", task);
	/* It ends by itself */
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&r.in);

	KUNIT_EXPECT_EQ(test, vvt_set_slot(t, 0, 1), 0);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(r.left));
	kthread_stop_put(task);
}

/* A process with a copy of the mm that this thread has borrowed */
void vvt_fork_mm(struct kunit *test, int (*fn)(void *), void *arg)
{
	/* No CLONE_VM: dup_mm() */
	struct kernel_clone_args args = {
		.flags = CLONE_FS | CLONE_FILES | CLONE_UNTRACED,
		.exit_signal = SIGCHLD,
		.fn = fn,
		.fn_arg = arg,
	};

	KUNIT_ASSERT_GT(test, kernel_clone(&args), 0);
}

/* One that touches the area till told to go */
static int fork_child_fn(void *data)
{
	struct fork_child *c = data;
	unsigned long addr = TEST_ADDR + PAGE_SIZE;

	c->mm = current->mm;
	complete(&c->ready);
	while (!READ_ONCE(c->stop)) {
		vvt_readable(addr);
		cond_resched();
	}
	wait_for_completion(&c->go);
	complete(&c->gone);
	do_exit(0);
}

void vvt_fork_start(struct kunit *test, struct fork_child *c)
{
	*c = (struct fork_child){ };
	init_completion(&c->ready);
	init_completion(&c->go);
	init_completion(&c->gone);
	vvt_fork_mm(test, fork_child_fn, c);
}

void vvt_fork_stop(struct fork_child *c)
{
	WRITE_ONCE(c->stop, true);
	complete(&c->go);
	wait_for_completion(&c->gone);
}

/* One replace, some grace periods later: the fork has got farther each time */
static int race_replace_once_fn(void *data)
{
	struct race *r = data;
	unsigned int i;

	for (i = atomic_long_read(&r->replaces) / 2 % 8; i; i--)
		synchronize_rcu();
	race_set_slot(r);
	/* It is stopped, not gone */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int fork_pre(struct kprobe *kp, struct pt_regs *regs)
{
	cpu_relax();
	return 0;
}

/* Where an emulated CPU lets another one go on, once for each VMA */
static struct kprobe fork_probe = {
	.symbol_name = "copy_page_range",
	.pre_handler = fork_pre,
};

static void fork_probe_action(void *unused)
{
	unregister_kprobe(&fork_probe);
	/* Or it can't be registered again */
	fork_probe.addr = NULL;
	fork_probe.flags = 0;
}

static void unexpedite_action(void *unused)
{
	rcu_unexpedite_gp();
}

/*
 * One replace for each fork, as another would mend what the first one left in
 * the child. Every other time on the CPU that forks: there it goes on in the
 * middle of dup_mm(), wherever that can be preempted.
 */
static void vvar_race_fork_leaves_no_stale_pte(struct kunit *test)
{
	struct race *r = race_prepare(test);
	unsigned int i, stale = 0, copied = 0, during = 0;
	int cpu = raw_smp_processor_id();

	/* In the child, in the middle of the fork */
	vvar_populate_on = true;
	for (i = 1; i < ARRAY_SIZE(r->addr); i++) {
		r->addr[i] = r->addr[0] + i * 2 * PAGE_SIZE;
		vvt_map_area(test, &r->t->area, r->addr[i]);
	}
	if (IS_ENABLED(CONFIG_KPROBES)) {
		KUNIT_ASSERT_EQ(test, register_kprobe(&fork_probe), 0);
		vvt_add_action(test, fork_probe_action, NULL);
	}
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	/* Shorter than a fork */
	rcu_expedite_gp();
	vvt_add_action(test, unexpedite_action, NULL);
	r->start = jiffies;
	for (i = 0; i < RACE_ROUNDS ||
	     (!during && time_before(jiffies, r->start + 30 * HZ)); i++) {
		struct task_struct *replacer;
		struct fork_child c;
		unsigned int j;

		replacer = race_replace(test, r, race_replace_once_fn);
		if (i & 1) {
			set_cpus_allowed_ptr(replacer, cpumask_of(cpu));
			sched_set_fifo(replacer);
		}
		for (j = 0; j < ARRAY_SIZE(r->addr); j++)
			vvt_readable(r->addr[j]);
		wake_up_process(replacer);
		vvt_fork_start(test, &c);
		during += atomic_long_read(&r->replaces) == i + 1;
		while (atomic_long_read(&r->replaces) == i)
			vvt_others_turn();
		race_replace_stop(r);
		wait_for_completion(&c.ready);
		copied += c.mm != r->mm;
		stale += race_shows(r, c.mm, r->page ^ 1) ||
			 race_shows(r, r->mm, r->page ^ 1);
		vvt_fork_stop(&c);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, copied, i);
	KUNIT_EXPECT_EQ(test, stale, 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&r->stale), 0);
	KUNIT_EXPECT_GT_MSG(test, during, 0,
			    "no replace ended before the fork that it raced");
	kunit_info(test, "%u forks, %u replaces during one", i, during);
}

static struct kunit_case vvar_race_cases[] = {
	KUNIT_CASE_SLOW(vvar_race_replace_waits_for_readers),
	KUNIT_CASE_SLOW(vvar_race_fork_leaves_no_stale_pte),
	KUNIT_CASE_SLOW(vvar_race_replace_leaves_no_stale_pte),
	KUNIT_CASE_SLOW(vvar_race_munmap_leaves_no_pte),
	KUNIT_CASE_SLOW(vvar_race_mremap_leaves_no_pte_behind),
	KUNIT_CASE_SLOW(vvar_race_zap_leaves_no_stale_pte),
	{}
};

static struct kunit_suite vvar_race_suite = {
	.name = "vvar_race",
	.init = vvt_no_populate,
	.exit = vvt_restore_populate,
	.test_cases = vvar_race_cases,
};

kunit_test_suite(vvar_race_suite);

MODULE_DESCRIPTION("KUnit tests of races on vvar areas");
MODULE_LICENSE("GPL");
