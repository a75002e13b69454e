// SPDX-License-Identifier: MIT
/*
 * Work for all processors at once, one thread on each, so that they need each other's interrupts.
 *
 * A token goes round: whoever has it adds to it and wakes the next, asleep on another processor. Each sleeps by its own timer. Then one
 * after the other puts a new page where the old one was, while all others read there: a translation that outlives the
 * kernel's interrupt shows the old page's value.
 */
#include "processors.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 20, NAPS = 3, NAP_NANOSECONDS = 2000000, PAGE = 4096, SUM_TO = 20000 };

struct team {
	int size;
	pthread_barrier_t barrier;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	unsigned int token; /* its holder is token % size */
	volatile uint32_t *page;
	volatile uint32_t renewed; /* how often the page was replaced */
};

struct member {
	struct team *team;
	pthread_t thread;
	int index, processor, wrong;
};

static int compute(void)
{
	volatile uint32_t sum = 0;

	for (uint32_t i = 1; i <= SUM_TO; i++)
		sum += i;
	return sum == (uint32_t)SUM_TO * (SUM_TO + 1) / 2 ? 0 : 1;
}

static int nap(void)
{
	struct timespec time = { .tv_nsec = NAP_NANOSECONDS }, before, after;

	for (int i = 0; i < NAPS; i++) {
		clock_gettime(CLOCK_MONOTONIC, &before);
		if (nanosleep(&time, NULL) < 0)
			return 1;
		clock_gettime(CLOCK_MONOTONIC, &after);

		long long slept = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;

		if (slept < NAP_NANOSECONDS)
			return 1;
	}
	return 0;
}

static void pass_token(struct team *team, int index)
{
	pthread_mutex_lock(&team->lock);
	for (int i = 0; i < ROUNDS; i++) {
		while (team->token % (unsigned int)team->size != (unsigned int)index)
			pthread_cond_wait(&team->turned, &team->lock);
		team->token++;
		pthread_cond_broadcast(&team->turned);
	}
	pthread_mutex_unlock(&team->lock);
}

static int renew_page(struct team *team, uint32_t value)
{
	void *page = mmap((void *)(uintptr_t)team->page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (page == MAP_FAILED)
		return 1;
	*team->page = value;
	__atomic_store_n(&team->renewed, value, __ATOMIC_RELEASE);
	return 0;
}

/* Each is the one to replace the page once; the others read it without a pause. */
static int share_page(struct team *team, int index)
{
	int wrong = 0;

	for (uint32_t turn = 1; turn <= (uint32_t)team->size; turn++) {
		pthread_barrier_wait(&team->barrier);
		if ((int)turn - 1 == index)
			wrong |= renew_page(team, turn);
		else
			while (__atomic_load_n(&team->renewed, __ATOMIC_ACQUIRE) != turn)
				(void)*team->page;
		if (*team->page != turn)
			wrong = 1;
		pthread_barrier_wait(&team->barrier);
	}
	return wrong;
}

static void *member_main(void *argument)
{
	struct member *member = argument;
	struct team *team = member->team;

	if (processors_run_on(member->processor) < 0)
		member->wrong = 1;
	member->wrong |= compute();
	pthread_barrier_wait(&team->barrier);
	pass_token(team, member->index);
	member->wrong |= nap();
	member->wrong |= share_page(team, member->index);
	return NULL;
}

int processors_work(const char *who)
{
	static struct team team = { .lock = PTHREAD_MUTEX_INITIALIZER, .turned = PTHREAD_COND_INITIALIZER };
	static struct member members[PROCESSORS_MAX];
	int list[PROCESSORS_MAX], wrong = 0;

	team.size = processors_list(list);
	team.token = team.renewed = 0;
	team.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (team.size < 1 || team.page == MAP_FAILED || pthread_barrier_init(&team.barrier, NULL, (unsigned int)team.size)) {
		printf("%s: no work for processors could be prepared\n", who);
		return 1;
	}
	for (int i = 0; i < team.size; i++) {
		members[i] = (struct member){ .team = &team, .index = i, .processor = list[i] };
		if (pthread_create(&members[i].thread, NULL, member_main, &members[i])) {
			printf("%s: no thread for processor %d\n", who, list[i]);
			return 1;
		}
	}
	for (int i = 0; i < team.size; i++) {
		pthread_join(members[i].thread, NULL);
		if (members[i].wrong)
			printf("%s: processor %d worked wrongly\n", who, members[i].processor);
		wrong |= members[i].wrong;
	}
	wrong |= team.token != (unsigned int)(ROUNDS * team.size);
	pthread_barrier_destroy(&team.barrier);
	munmap((void *)(uintptr_t)team.page, PAGE);
	printf("%s: work on %d processors: %s\n", who, team.size, wrong ? "WRONG" : "ok");
	return wrong;
}
