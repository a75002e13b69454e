// SPDX-License-Identifier: MIT
/*
 * What one round trip costs: a guest in real mode that executes CPUID, which KVM answers by itself, and takes the time of each.
 *
 * Prints "B" lines as the test guests do: the median in ticks of the time-stamp counter, and what L0 did for one round as far as it tells
 * (lib/below.h). Its counters are read after a short run and after a long one, so that what all runs have in common is not counted.
 */
#include "tests/linux/lib/below.h"
#include "vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { SHORT = 1000, LONG = 3000, REASONS = 80 };
enum { MEMORY = 0x10000, CODE = 0x1000, COUNT = 0x1ffc, SAMPLES = 0x2000 };
enum { DONE_PORT = 0x5ff };
enum { LEAF = 0x40000001, ANSWER = 12345 };

extern const uint8_t rounds_begin[], rounds_end[];

/* For each of COUNT rounds 4 bytes: the low half of the time it took, or 0 where CPUID gave a wrong answer. */
__asm__(".pushsection .rodata\n"
	".code16\n"
	"rounds_begin:\n"
	"	movl	0x1ffc, %ebp\n"
	"	movw	$0x2000, %di\n"
	"1:	rdtsc\n"
	"	movl	%eax, %esi\n"
	"	movl	$0x40000001, %eax\n"
	"	cpuid\n"
	"	rdtsc\n"
	"	subl	%esi, %eax\n"
	"	cmpl	$12345, %ebx\n"
	"	je	2f\n"
	"	xorl	%eax, %eax\n"
	"2:	movl	%eax, (%di)\n"
	"	addw	$4, %di\n"
	"	decl	%ebp\n"
	"	jnz	1b\n"
	"	movw	$0x5ff, %dx\n"
	"	outb	%al, %dx\n"
	"3:	hlt\n"
	"	jmp	3b\n"
	"rounds_end:\n"
	".code64\n"
	".popsection\n");

static void prepare(struct vm *vm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[2];
	} cpuid = { .head.nent = 2 };

	cpuid.entry[0] = (struct kvm_cpuid_entry2){ .function = 0x40000000, .eax = LEAF };
	cpuid.entry[1] = (struct kvm_cpuid_entry2){ .function = LEAF, .ebx = ANSWER };
	vm_create(vm, MEMORY, 1, 0);
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2");
	memcpy(vm->memory + CODE, rounds_begin, (size_t)(rounds_end - rounds_begin));
}

/* Everything before the first entry and after the guest's last exit is the same for any number of rounds. */
static void run(struct vm *vm, uint32_t rounds)
{
	struct kvm_sregs s;
	struct kvm_regs r = { .rip = CODE, .rsp = 0x1000, .rflags = 2 };

	vm_ioctl(vm->vcpu[0].fd, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
	s.cs.base = 0;
	s.cs.selector = 0;
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_REGS, &r, "KVM_SET_REGS");
	memcpy(vm->memory + COUNT, &rounds, sizeof rounds);
	while (vcpu_run(&vm->vcpu[0]) < 0)
		;
	if (vm->vcpu[0].run->exit_reason != KVM_EXIT_IO || port_access(&vm->vcpu[0]).port != DONE_PORT)
		fail("the guest ended by exit reason %u", vm->vcpu[0].run->exit_reason);
}

static int smaller(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static const struct {
	const char *name;
	uint32_t index;
} kinds[] = {
	{ "l0_exits", BELOW_EXITS }, { "l0_vmread_exits", 6 }, { "l0_vmwrite_exits", 7 }, { "l0_vmreads", 10 },
	{ "l0_vmwrites", 11 },	     { "l0_vmptrlds", 12 },    { "l0_vmclears", 13 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* By the indices of lib/below.h; 32 bits, and so are their differences. */
struct counts {
	uint32_t of[BELOW_END];
};

static int tells(uint32_t index)
{
	return below_count(index) != BELOW_UNKNOWN;
}

static void read_counts(struct counts *counts)
{
	int detailed = tells(BELOW_FROM_L1);

	for (int i = 0; i < KINDS; i++)
		counts->of[kinds[i].index] = below_count(kinds[i].index);
	for (uint32_t i = BELOW_FROM_L1; detailed && i < BELOW_END; i++)
		if (i % BELOW_FROM_L1 < REASONS)
			counts->of[i] = below_count(i);
}

/* The counts of one run: the second reading has the first one's exits in it, in each run as many. */
static void counted(struct vm *vm, uint32_t rounds, struct counts *counts)
{
	static struct counts before;

	read_counts(&before);
	run(vm, rounds);
	read_counts(counts);
	for (uint32_t i = 0; i < BELOW_END; i++)
		counts->of[i] -= before.of[i];
}

/* For one round, without what a run costs besides. */
static void print_one(const char *name, const char *what, uint32_t few, uint32_t many)
{
	printf("B %s.%s %.2f\n", name, what, (double)(int32_t)(many - few) / (LONG - SHORT));
}

static void print_counts(const char *name, const struct counts *few, const struct counts *many)
{
	char what[40];

	for (int i = 0; i < KINDS; i++)
		if (tells(kinds[i].index))
			print_one(name, kinds[i].name, few->of[kinds[i].index], many->of[kinds[i].index]);
	for (uint32_t i = BELOW_FROM_L1; i < BELOW_END; i++) {
		if (many->of[i] == few->of[i])
			continue;
		snprintf(what, sizeof what, "l%u_reason_%u", i / BELOW_FROM_L1, i % BELOW_FROM_L1);
		print_one(name, what, few->of[i], many->of[i]);
	}
}

int rounds_main(const char *name)
{
	static uint32_t sample[LONG];
	static struct counts few, many;
	struct vm vm;

	prepare(&vm);
	run(&vm, SHORT); /* everything is warm then */
	counted(&vm, SHORT, &few);
	printf("I %s begins\n", name);
	/* A console that is still busy would be counted. */
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	usleep(20000);
	counted(&vm, LONG, &many);
	printf("I %s ends\n", name);
	memcpy(sample, vm.memory + SAMPLES, sizeof sample);
	vm_destroy(&vm);
	qsort(sample, LONG, sizeof sample[0], smaller);
	if (sample[0] == 0) {
		printf("I %s: CPUID had a wrong answer\n", name);
		return 1;
	}
	printf("B %s %.2f\n", name, (double)sample[LONG / 2]);
	printf("B %s.least %.2f\n", name, (double)sample[0]);
	print_counts(name, &few, &many);
	return 0;
}
