/* SPDX-License-Identifier: MIT */
/*
 * The machine beneath, as instructions tell it that a hypervisor below may have a hand
 * in: CPUID, MSRs, XCR0, and registers that must survive its work. What has
 * no fixed answer is said, and compared between bare and Testudo.
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define CPUID1_ECX_SMX BIT(6)
#define CPUID1_ECX_OSXSAVE BIT(27)
#define CPUID7_ECX_OSPKE BIT(4)
#define CR4_PKE BIT(22)
#define LEAF_EXTENDED_STATE 0xd

static void say_leaf(u32 leaf, u32 subleaf)
{
	struct cpuid_result r = cpuid(leaf, subleaf);

	/* docs/features.md: SMX is not offered. */
	if (leaf == 1)
		r.ecx &= ~(u32)CPUID1_ECX_SMX;
	say("%x.%x %x %x %x %x", leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
	check_said("machine.cpuid", NULL);
}

static void say_leaves(u32 from)
{
	static const u32 with_subleaves[] = { 4, 7, 0xb, LEAF_EXTENDED_STATE, 0xf, 0x10, 0x12, 0x14, 0x17, 0x18 };
	u32 last = cpuid(from, 0).eax;

	if (last < from || last > from + 0x40)
		return;
	for (u32 leaf = from; leaf <= last; leaf++) {
		u32 subleaves = 1;

		for (u32 i = 0; i < ARRAY_SIZE(with_subleaves); i++)
			if (with_subleaves[i] == leaf)
				subleaves = leaf == LEAF_EXTENDED_STATE ? 10 : 4;
		for (u32 subleaf = 0; subleaf < subleaves; subleaf++)
			say_leaf(leaf, subleaf);
	}
}

/* Expect: beyond the last leaf the processor answers with its highest basic one; 0x400000xx is a hypervisor's. */
static void say_cpuid(void)
{
	static const u32 beyond[] = { 0x100, 0x3fffffff, 0x40000010, 0x40000100, 0x7fffffff, 0x80000040, 0xffffffff };

	say_leaves(0);
	say_leaves(0x80000000);
	for (u32 i = 0; i < ARRAY_SIZE(beyond); i++)
		say_leaf(beyond[i], 0);
}

/* Expect: both bits follow CR4. */
static void cpuid_follows_cr4(void)
{
	u64 cr4 = read_cr4();
	bool pke = cpuid(7, 0).ecx & BIT(3);

	if (!(cpuid(1, 0).ecx & BIT(26)))
		return;
	write_cr4(cr4 & ~CR4_OSXSAVE);
	say("%u", !!(cpuid(1, 0).ecx & CPUID1_ECX_OSXSAVE));
	write_cr4(cr4 | CR4_OSXSAVE);
	say("%u", !!(cpuid(1, 0).ecx & CPUID1_ECX_OSXSAVE));
	write_cr4(cr4 & ~CR4_PKE);
	say(" %u", !!(cpuid(7, 0).ecx & CPUID7_ECX_OSPKE));
	write_cr4(pke ? cr4 | CR4_PKE : cr4);
	say("%u", !!(cpuid(7, 0).ecx & CPUID7_ECX_OSPKE) == pke);
	write_cr4(cr4);
	check_said("machine.cpuid_follows_cr4", "01 01");
}

/* --- MSRs ---------------------------------------------------------------------- */

/* Those that count time, tell what VMX offers (the guest `caps`), or are hidden (docs/features.md). */
static bool is_left_out(u32 msr)
{
	static const struct {
		u32 from, to;
	} ranges[] = { { 0x10, 0x10 }, { 0xe7, 0xe8 }, { 0x480, 0x493 }, { 0x560, 0x58f }, { 0x800, 0x8ff } };

	for (u32 i = 0; i < ARRAY_SIZE(ranges); i++)
		if (msr >= ranges[i].from && msr <= ranges[i].to)
			return true;
	return false;
}

static u64 msr_value;

static u32 op_rdmsr(u64 msr, u64 unused)
{
	(void)unused;
	msr_value = rdmsr((u32)msr);
	return OUTCOME_OK;
}

static void say_msrs(u32 from, u32 *readable)
{
	for (u32 msr = from; msr < from + 0x2000; msr++) {
		if (is_left_out(msr) || attempt(op_rdmsr, msr, 0) != OUTCOME_OK)
			continue;
		(*readable)++;
		if (msr_value) {
			say("%x %lx", msr, msr_value);
			check_said("machine.msr", NULL);
		}
	}
}

static void say_all_msrs(void)
{
	u32 readable = 0;

	say_msrs(0, &readable);
	say_msrs(0xc0000000, &readable);
	say("%u", readable);
	check_said("machine.readable_msrs", NULL);
}

/* --- XCR0 ------------------------------------------------------------------------- */

static u32 op_xsetbv(u64 index, u64 value)
{
	__asm__ volatile("xsetbv" : : "c"((u32)index), "a"((u32)value), "d"((u32)(value >> 32)));
	return OUTCOME_OK;
}

static u64 xgetbv(void)
{
	u32 low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

/* SDM "XSETBV-Set Extended Control Register". */
static void xcr0(void)
{
	u64 cr4 = read_cr4(), supported = cpuid(LEAF_EXTENDED_STATE, 0).eax;

	if (!(cpuid(1, 0).ecx & BIT(26)))
		return;
	write_cr4(cr4 & ~CR4_OSXSAVE);
	check_outcome("machine.xsetbv.without_osxsave", attempt(op_xsetbv, 0, 1), FAULT(VECTOR_UD));
	write_cr4(cr4 | CR4_OSXSAVE);
	check_outcome("machine.xsetbv.without_x87", attempt(op_xsetbv, 0, 2), FAULT(VECTOR_GP));
	check_outcome("machine.xsetbv.avx_without_sse", attempt(op_xsetbv, 0, 5), FAULT(VECTOR_GP));
	check_outcome("machine.xsetbv.reserved", attempt(op_xsetbv, 0, BIT(62) | 1), FAULT(VECTOR_GP));
	check_outcome("machine.xsetbv.xcr1", attempt(op_xsetbv, 1, 1), FAULT(VECTOR_GP));
	check_outcome("machine.xsetbv.x87", attempt(op_xsetbv, 0, 1), OUTCOME_OK);
	say("%lx size %u", xgetbv(), cpuid(LEAF_EXTENDED_STATE, 0).ebx);
	check_said("machine.xcr0.x87", NULL);
	check_outcome("machine.xsetbv.all", attempt(op_xsetbv, 0, supported), OUTCOME_OK);
	say("%lx size %u", xgetbv() ^ supported, cpuid(LEAF_EXTENDED_STATE, 0).ebx);
	check_said("machine.xcr0.all", NULL);
	attempt(op_xsetbv, 0, 1);
	write_cr4(cr4);
}

/* --- registers that an exit must not change ---------------------------------------------- */

#define DR7_SOME 0x00000402ull	/* G0, an instruction breakpoint at an address that is never executed */

static void debug_registers_survive(void)
{
	u64 dr[4], dr6, dr7;

	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
			 : : "r"(0x1234560000ull), "r"(0x1ull), "r"(0x7fffffff0000ull), "r"(0x3ull));
	__asm__ volatile("mov %0, %%dr6; mov %1, %%dr7" : : "r"(0xffff0ff5ull), "r"(DR7_SOME));
	cpuid(0, 0);
	__asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3" : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
	__asm__ volatile("mov %%dr6, %0; mov %%dr7, %1" : "=r"(dr6), "=r"(dr7));
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
	say("%lx %lx %lx %lx dr6=%lx dr7=%lx", dr[0], dr[1], dr[2], dr[3], dr6, dr7);
	check_said("machine.debug_registers_survive", "0x1234560000 1 0x7fffffff0000 3 dr6=0xffff0ff5 dr7=0x402");
}

static void msrs_survive(void)
{
	static const u32 msrs[] = { IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, IA32_STAR, IA32_LSTAR, IA32_CSTAR, IA32_FMASK,
				    IA32_FS_BASE, IA32_KERNEL_GS_BASE };
	u32 same = 0;

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		wrmsr(msrs[i], 0x1230 + i);
	cpuid(0, 0);
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		same += rdmsr(msrs[i]) == 0x1230 + i;
	wrmsr(IA32_FS_BASE, 0);
	say("%u of %u", same, (u32)ARRAY_SIZE(msrs));
	check_said("machine.msrs_survive", "9 of 9");
}

/* Expect: CPUID changes four registers, upper halves cleared, and no flag. */
static void cpuid_changes_nothing_else(void)
{
	u64 a = ~0ull << 32, b = ~0ull, c = ~0ull << 32, d = ~0ull, before, after;

	__asm__ volatile("push $0xad7; popfq; pushfq; pop %4; cpuid; pushfq; pop %5; push $2; popfq"
			 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "=&r"(before), "=&r"(after) : : "cc");
	say("upper %lx, flags %u", (a | b | c | d) >> 32, before == after);
	check_said("machine.cpuid_changes_nothing_else", "upper 0, flags 1");
}

/* Expect: time passes, also across exits, and only forward. */
static void time_goes_forward(void)
{
	u64 last = rdtsc();
	u32 backward = 0;

	for (u32 i = 0; i < 1000; i++) {
		u64 now;

		if (i % 10 == 0)
			cpuid(0, 0);
		now = rdtsc();
		backward += now <= last;
		last = now;
	}
	say("backward %u", backward);
	check_said("machine.time", "backward 0");
}

void group_machine(void)
{
	say_cpuid();
	cpuid_follows_cr4();
	say_all_msrs();
	xcr0();
	debug_registers_survive();
	msrs_survive();
	cpuid_changes_nothing_else();
	time_goes_forward();
	say("complete");
}
