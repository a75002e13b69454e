// SPDX-License-Identifier: MIT
/*
 * The tiny guest: real-mode code that leaves its machine a known number of times, and checks of everything that came back.
 *
 * Each of its loops makes one kind of exit and adds up what it was given; the sums are compared with what this side gave. CPUID exits are
 * answered inside KVM, so their proof is the value the guest read. Must not need an interrupt controller. A guest may be run many times,
 * and by different threads one after the other.
 */
#include "vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPUID_COUNT = 100, IO_COUNT = 100, MMIO_COUNT = 100 };
enum { PORT = 0x5a0, DONE_PORT = 0x5ff };
enum {
	MEMORY = 0x10000,
	CODE = 0x1000,
	RESULTS = 0x2000
}; /* MEMORY is 64 KB: DS = 0x2000 lies beyond, where nothing is */

struct results {
	uint32_t cpuid_sum, io_sum, mmio_sum, cpuid_eax;
};

extern const uint8_t tiny_begin[], tiny_end[];

/*
 * CPUID leaf 0x40000001 stands for a value chosen by this side (see set_cpuid). I/O: OUT of the counter, IN of what is answered. MMIO:
 * a write and a read of 4 bytes at 0x20010, where the VM has no memory.
 */
__asm__(".pushsection .rodata\n"
	".code16\n"
	"tiny_begin:\n"
	"	xorl	%ebp, %ebp\n"
	"	movw	$100, %si\n"
	"1:	movl	$0x40000001, %eax\n"
	"	xorl	%ecx, %ecx\n"
	"	cpuid\n"
	"	addl	%ebx, %ebp\n"
	"	decw	%si\n"
	"	jnz	1b\n"
	"	movl	%ebp, 0x2000\n"
	"	movl	%eax, 0x200c\n"
	"	xorl	%ebp, %ebp\n"
	"	movw	$100, %si\n"
	"	movw	$0x5a0, %dx\n"
	"2:	movl	%esi, %eax\n"
	"	outl	%eax, %dx\n"
	"	inl	%dx, %eax\n"
	"	addl	%eax, %ebp\n"
	"	decw	%si\n"
	"	jnz	2b\n"
	"	movl	%ebp, 0x2004\n"
	"	xorl	%ebp, %ebp\n"
	"	movw	$100, %si\n"
	"	movw	$0x2000, %ax\n"
	"	movw	%ax, %es\n"
	"3:	movl	%esi, %eax\n"
	"	movl	%eax, %es:0x10\n"
	"	movl	%es:0x10, %eax\n"
	"	addl	%eax, %ebp\n"
	"	decw	%si\n"
	"	jnz	3b\n"
	"	movl	%ebp, 0x2008\n"
	"	movw	$0x5ff, %dx\n"
	"	outb	%al, %dx\n"
	"4:	hlt\n"
	"	jmp	4b\n"
	"tiny_end:\n"
	".code64\n"
	".popsection\n");

struct tiny {
	struct vm vm;
	struct kvm_sregs reset; /* as KVM made them */
};

struct counts {
	unsigned int io_writes, io_reads, mmio_writes, mmio_reads, wrong;
	uint32_t io_last, mmio_last;
};

static uint32_t sum_to(uint32_t n)
{
	return n * (n + 1) / 2;
}

/* One leaf with values that no real CPUID has: an answer from anywhere else shows in the sum. */
static void set_cpuid(struct vm *vm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[2];
	} cpuid = { .head.nent = 2 };

	cpuid.entry[0] = (struct kvm_cpuid_entry2){ .function = 0x40000000, .eax = 0x40000001 };
	cpuid.entry[1] = (struct kvm_cpuid_entry2){ .function = 0x40000001, .eax = 0x7e57, .ebx = 12345 };
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2");
}

static void start(struct tiny *tiny)
{
	struct vm *vm = &tiny->vm;
	struct kvm_sregs s = tiny->reset;
	struct kvm_regs r = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };

	s.cs.base = 0;
	s.cs.selector = 0;
	memset(vm->memory + RESULTS, 0, sizeof(struct results));
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_REGS, &r, "KVM_SET_REGS");
}

/* What the guest wrote comes back with its complement, so that a stale answer does not pass. */
static int do_port(struct vm *vm, struct counts *c)
{
	struct port_access access = port_access(&vm->vcpu[0]);

	if (access.port == DONE_PORT)
		return 0;
	if (access.port != PORT || access.size != 4 || access.count != 1) {
		c->wrong++;
	} else if (access.is_write) {
		c->io_writes++;
		memcpy(&c->io_last, access.data, 4);
	} else {
		c->io_reads++;
		c->io_last += 1000;
		memcpy(access.data, &c->io_last, 4);
	}
	return 1;
}

static void do_mmio(struct vm *vm, struct counts *c)
{
	struct kvm_run *run = vm->vcpu[0].run;

	if (run->mmio.phys_addr != 0x20010 || run->mmio.len != 4) {
		c->wrong++;
	} else if (run->mmio.is_write) {
		c->mmio_writes++;
		memcpy(&c->mmio_last, run->mmio.data, 4);
	} else {
		c->mmio_reads++;
		c->mmio_last += 2000;
		memcpy(run->mmio.data, &c->mmio_last, 4);
	}
}

static int check(const char *what, uint32_t got, uint32_t expected)
{
	if (got == expected)
		return 0;
	printf("tiny L2: %s is %u, expected %u\n", what, got, expected);
	return 1;
}

/* A wrong round is always reported. */
static int verdict(const struct vm *vm, const struct counts *c, int quiet)
{
	struct results r;
	int wrong = 0;

	memcpy(&r, vm->memory + RESULTS, sizeof r);
	wrong |= check("cpuid leaf", r.cpuid_eax, 0x7e57);
	wrong |= check("cpuid sum", r.cpuid_sum, CPUID_COUNT * 12345);
	wrong |= check("io sum", r.io_sum, sum_to(IO_COUNT) + 1000 * IO_COUNT);
	wrong |= check("mmio sum", r.mmio_sum, sum_to(MMIO_COUNT) + 2000 * MMIO_COUNT);
	wrong |= check("io writes", c->io_writes, IO_COUNT);
	wrong |= check("io reads", c->io_reads, IO_COUNT);
	wrong |= check("mmio writes", c->mmio_writes, MMIO_COUNT);
	wrong |= check("mmio reads", c->mmio_reads, MMIO_COUNT);
	wrong |= check("wrong exits", c->wrong, 0);
	if (!quiet || wrong)
		printf("tiny L2: cpuid %u, io %u, mmio %u: %s\n", r.cpuid_sum / 12345, c->io_writes + c->io_reads,
		       c->mmio_writes + c->mmio_reads, wrong ? "WRONG" : "ok");
	return wrong;
}

struct tiny *tiny_create(void)
{
	struct tiny *tiny = calloc(1, sizeof *tiny);

	if (!tiny)
		fail("out of memory");
	vm_create(&tiny->vm, MEMORY, 1, 0);
	set_cpuid(&tiny->vm);
	memcpy(tiny->vm.memory + CODE, tiny_begin, (size_t)(tiny_end - tiny_begin));
	vm_ioctl(tiny->vm.vcpu[0].fd, KVM_GET_SREGS, &tiny->reset, "KVM_GET_SREGS");
	return tiny;
}

int tiny_round(struct tiny *tiny, int quiet)
{
	struct vm *vm = &tiny->vm;
	struct counts counts = { 0 };
	int more = 1;

	start(tiny);
	while (more) {
		if (vcpu_run(&vm->vcpu[0]) < 0)
			continue;
		switch (vm->vcpu[0].run->exit_reason) {
		case KVM_EXIT_IO:
			more = do_port(vm, &counts);
			break;
		case KVM_EXIT_MMIO:
			do_mmio(vm, &counts);
			break;
		default:
			printf("tiny L2: unexpected exit reason %u\n", vm->vcpu[0].run->exit_reason);
			counts.wrong++;
			more = 0;
			break;
		}
	}
	return verdict(vm, &counts, quiet);
}

void tiny_destroy(struct tiny *tiny)
{
	vm_destroy(&tiny->vm);
	free(tiny);
}

int tiny_main(void)
{
	struct tiny *tiny = tiny_create();
	int wrong = tiny_round(tiny, 0);

	tiny_destroy(tiny);
	return wrong;
}
