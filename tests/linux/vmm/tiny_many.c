// SPDX-License-Identifier: MIT
/*
 * Tiny guests on all processors at once.
 *
 * "each": one guest for each processor. They change places after each round, so every VMCS moves to another processor while all others
 * run theirs. "hotplug": the guests run wherever Linux puts them, without a pause, while NMIs are sent, and the processors beneath them go
 * offline and come back: KVM leaves and enters VMX operation there. The sums of every round have to be right.
 */
#include "tests/linux/lib/processors.h"
#include "vmm.h"

#include <pthread.h>
#include <stdio.h>

enum { EACH_ROUNDS = 4, NMI_TIMES = 2 };

struct runner {
	pthread_t thread;
	struct tiny *tiny;
	int index, rounds, wrong;
};

static int list[PROCESSORS_MAX], count;
static pthread_barrier_t round_begins;
static volatile int stop;

static void *each_thread(void *argument)
{
	struct runner *r = argument;

	for (; r->rounds < EACH_ROUNDS; r->rounds++) {
		pthread_barrier_wait(&round_begins);
		r->wrong |= processors_run_on(list[(r->index + r->rounds) % count]) < 0;
		r->wrong |= tiny_round(r->tiny, 1);
	}
	return NULL;
}

static void *free_thread(void *argument)
{
	struct runner *r = argument;

	for (; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); r->rounds++)
		r->wrong |= tiny_round(r->tiny, 1);
	return NULL;
}

static void start_runners(struct runner runners[], void *(*thread)(void *))
{
	count = processors_list(list);
	if (count < 1 || pthread_barrier_init(&round_begins, NULL, (unsigned int)count))
		fail("the processors are not known");
	for (int i = 0; i < count; i++) {
		runners[i].index = i;
		runners[i].tiny = tiny_create();
	}
	for (int i = 0; i < count; i++)
		if (pthread_create(&runners[i].thread, NULL, thread, &runners[i]))
			fail("no thread for a guest");
}

/* Returns whether any went wrong; a guest that never ran has gone wrong. */
static int join_runners(struct runner runners[], int *rounds)
{
	int wrong = 0;

	for (int i = 0; i < count; i++) {
		pthread_join(runners[i].thread, NULL);
		tiny_destroy(runners[i].tiny);
		wrong |= runners[i].wrong || runners[i].rounds == 0;
		*rounds += runners[i].rounds;
	}
	return wrong;
}

int tiny_each_main(void)
{
	static struct runner runners[PROCESSORS_MAX];
	int rounds = 0, wrong;

	start_runners(runners, each_thread);
	wrong = join_runners(runners, &rounds);
	printf("tiny L2: %d guests on %d processors at once, %d rounds, moved after each: %s\n", count, count, rounds,
	       wrong ? "WRONG" : "ok");
	return wrong;
}

int tiny_hotplug_main(int times)
{
	static struct runner runners[PROCESSORS_MAX];
	int rounds = 0, wrong;

	start_runners(runners, free_thread);
	wrong = interrupts_nmi("L1", NMI_TIMES);
	wrong |= processors_cycle("L1", times);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	wrong |= join_runners(runners, &rounds);
	printf("tiny L2: %d guests through NMIs and processors off and on: %s\n", count, wrong ? "WRONG" : "ok");
	printf("L1: rounds of the guests meanwhile %d\n", rounds);
	return wrong;
}
