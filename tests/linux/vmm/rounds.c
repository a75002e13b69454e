// SPDX-License-Identifier: MIT
/*
 * What one round trip costs: a guest in real mode that executes CPUID, which KVM answers by itself, and takes the time of each.
 *
 * Prints "B" lines as the test guests do: the median in ticks of the time-stamp counter, and what L0 did for one round as far as it tells:
 * all of its counters where Testudo is directly beneath, else what can be asked (lib/below.h). They are read after a short run and after
 * a long one, so that what all runs have in common is not counted.
 */
#include "tests/linux/lib/below.h"
#include "tests/linux/lib/l0.h"
#include "vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT = 1000, LONG = 3000 };
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

/* For one round, without what a run costs besides. */
static void print_one(const char *name, const char *what, unsigned long long few, unsigned long long many)
{
	printf("B %s.%s %.2f\n", name, what, (double)((long long)many - (long long)few) / (LONG - SHORT));
}

static const struct {
	const char *name;
	uint32_t counter;
} kinds[] = {
	{ "l0_exits", 0 },	{ "l0_vmread_exits", 6 }, { "l0_vmwrite_exits", 7 }, { "l0_vmreads", 10 },
	{ "l0_vmwrites", 11 },	{ "l0_vmptrlds", 12 },	  { "l0_vmclears", 13 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void print_l0(const char *name, const struct l0_counts *few, const struct l0_counts *many)
{
	char what[40];

	for (int i = 0; i < KINDS; i++)
		if (below_count(kinds[i].counter) != BELOW_UNKNOWN)
			print_one(name, kinds[i].name, few->counter[kinds[i].counter], many->counter[kinds[i].counter]);
	for (int i = 0; i < L0_REASONS; i++) {
		if (many->from_l1[i] != few->from_l1[i]) {
			snprintf(what, sizeof what, "l1_reason_%d", i);
			print_one(name, what, few->from_l1[i], many->from_l1[i]);
		}
		if (many->from_l2[i] != few->from_l2[i]) {
			snprintf(what, sizeof what, "l2_reason_%d", i);
			print_one(name, what, few->from_l2[i], many->from_l2[i]);
		}
	}
}

static void read_l0(struct l0_counts *counts)
{
	if (l0_present())
		l0_add(counts);
	else
		for (int i = 0; i < KINDS; i++)
			counts->counter[kinds[i].counter] = below_count(kinds[i].counter);
}

/* The counters of one run: the second reading has the first one's exits in it, in each run as many. */
static void counted(struct vm *vm, uint32_t rounds, struct l0_counts *counts)
{
	struct l0_counts before = { 0 };

	*counts = (struct l0_counts){ 0 };
	read_l0(&before);
	run(vm, rounds);
	read_l0(counts);
	for (int i = 0; i < L0_COUNTERS; i++)
		counts->counter[i] -= before.counter[i];
	for (int i = 0; i < L0_REASONS; i++) {
		counts->from_l1[i] -= before.from_l1[i];
		counts->from_l2[i] -= before.from_l2[i];
	}
}

int rounds_main(const char *name)
{
	static uint32_t sample[LONG];
	static struct l0_counts few, many;
	struct vm vm;

	prepare(&vm);
	run(&vm, SHORT); /* everything is warm then */
	counted(&vm, SHORT, &few);
	printf("I %s begins\n", name);
	fflush(stdout);
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
	print_l0(name, &few, &many);
	return 0;
}
