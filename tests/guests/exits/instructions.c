/* SPDX-License-Identifier: MIT */
/*
 * Instructions that exit before they do anything: length, qualification and
 * instruction information of each form. SDM "Instructions That Cause VM Exits
 * Unconditionally", "Instructions That Cause VM Exits Conditionally", "VM-Exit
 * Instruction Information".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(plain); L2(invlpg_forms); L2(tables); L2(random); L2(invalidations); L2(vmcs_operands); L2(extended_state);

/* Bases that show where FS and GS count. */
#define FS_BASE 0x10000000ull
#define GS_BASE 0x20000000ull

static struct vm *create(const u8 *code)
{
	struct vm *vm = vm_create(code);

	vmwrite(GUEST_FS_BASE, FS_BASE);
	vmwrite(GUEST_GS_BASE, GS_BASE);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[RDI] = 0x200;
	return vm;
}

#define CONDITIONAL                                                                                                \
	(PROC_RDPMC_EXITING | PROC_RDTSC_EXITING | PROC_PAUSE_EXITING | PROC_MONITOR_EXITING | PROC_MWAIT_EXITING | \
	 PROC_INVLPG_EXITING)

static bool has_conditional(void)
{
	return proc_offers(CONDITIONAL) && proc2_offers(PROC2_WBINVD_EXITING | PROC2_ENABLE_RDTSCP) && cpuid(1, 0).ecx & BIT(3);
}

static void plain(void)
{
	static const struct exit_line lines[] = {
		{ "exit.cpuid", NULL }, { "exit.hlt", NULL }, { "exit.invd", NULL }, { "exit.wbinvd", NULL }, { "exit.rdpmc", NULL },
		{ "exit.rdtsc", NULL }, { "exit.rdtscp", NULL }, { "exit.pause", NULL }, { "exit.xsetbv", NULL },
		{ "exit.rdmsr", NULL }, { "exit.wrmsr", NULL }, { "exit.monitor", NULL },
		{ "exit.mwait", NULL }, { "exit.vmlaunch", NULL }, { "exit.vmresume", NULL }, { "exit.vmxoff", NULL },
		{ "exit.prefixes", NULL },
	};
	struct vm *vm = create(l2_plain);

	vm_set(PROCESSOR_BASED_CONTROLS, CONDITIONAL);
	vm_set_secondary(PROC2_WBINVD_EXITING | PROC2_ENABLE_RDTSCP);
	vm_set(GUEST_CR4, CR4_OSXSAVE);
	walk(vm, lines, ARRAY_SIZE(lines));
}

static void invlpg_forms(void)
{
	static const struct exit_line lines[] = {
		{ "exit.invlpg", NULL }, { "exit.invlpg.scaled", NULL }, { "exit.invlpg.fs", NULL }, { "exit.invlpg.short", NULL },
		{ "exit.invlpg.stack", NULL },
	};
	struct vm *vm = create(l2_invlpg_forms);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INVLPG_EXITING);
	walk(vm, lines, ARRAY_SIZE(lines));
}

static bool has_tables(void)
{
	return proc2_offers(PROC2_DESCRIPTOR_TABLE_EXITING);
}

static void tables(void)
{
	static const struct exit_line lines[] = {
		{ "exit.sgdt", NULL }, { "exit.sidt", NULL }, { "exit.lgdt", NULL }, { "exit.lidt", NULL },
		{ "exit.sgdt.relative", NULL }, { "exit.sldt", NULL }, { "exit.sldt.wide", NULL }, { "exit.sldt.memory", NULL },
		{ "exit.str", NULL }, { "exit.str.memory", NULL }, { "exit.lldt", NULL }, { "exit.lldt.memory", NULL },
		{ "exit.ltr", NULL }, { "exit.ltr.memory", NULL },
	};
	struct vm *vm = create(l2_tables);

	vm_set_secondary(PROC2_DESCRIPTOR_TABLE_EXITING);
	walk(vm, lines, ARRAY_SIZE(lines));
}

static bool has_random(void)
{
	return proc2_offers(PROC2_RDRAND_EXITING | PROC2_RDSEED_EXITING);
}

static void random_numbers(void)
{
	static const struct exit_line lines[] = {
		{ "exit.rdrand", NULL }, { "exit.rdrand.32", NULL }, { "exit.rdrand.64", NULL },
		{ "exit.rdseed", NULL }, { "exit.rdseed.32", NULL }, { "exit.rdseed.64", NULL },
	};
	struct vm *vm = create(l2_random);

	vm_set_secondary(PROC2_RDRAND_EXITING | PROC2_RDSEED_EXITING);
	walk(vm, lines, ARRAY_SIZE(lines));
}

static bool has_invpcid(void)
{
	return proc2_offers(PROC2_ENABLE_INVPCID);
}

static void invalidations(void)
{
	static const struct exit_line lines[] = {
		{ "exit.invpcid", NULL }, { "exit.invpcid.scaled", NULL }, { "exit.invept", NULL }, { "exit.invvpid", NULL },
	};
	struct vm *vm = create(l2_invalidations);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INVLPG_EXITING);
	vm_set_secondary(PROC2_ENABLE_INVPCID);
	walk(vm, lines, ARRAY_SIZE(lines));
}

static void vmcs_operands(void)
{
	static const struct exit_line lines[] = {
		{ "exit.vmptrld", NULL }, { "exit.vmptrst", NULL }, { "exit.vmclear", NULL }, { "exit.vmxon", NULL },
		{ "exit.vmread", NULL }, { "exit.vmread.memory", NULL }, { "exit.vmwrite", NULL }, { "exit.vmwrite.memory", NULL },
	};

	walk(create(l2_vmcs_operands), lines, ARRAY_SIZE(lines));
}

static bool has_xsaves(void)
{
	/* It exits for a component that IA32_XSS has, too. */
	return proc2_offers(PROC2_ENABLE_XSAVES) && cpuid(1, 0).ecx & BIT(26) && cpuid(13, 1).ecx;
}

static void extended_state(void)
{
	static const struct exit_line lines[] = {
		{ "exit.xsaves", NULL }, { "exit.xrstors", NULL }, { "exit.xsaves.64", NULL }, { "exit.xrstors.64", NULL },
	};
	struct vm *vm = create(l2_extended_state);

	vm_set_secondary(PROC2_ENABLE_XSAVES);
	vm_set(GUEST_CR4, CR4_OSXSAVE);
	wrmsr(IA32_XSS, cpuid(13, 1).ecx);
	vmwrite(XSS_EXITING_BITMAP, ~0ull);
	vm->gpr[RAX] = vm->gpr[RDX] = 0xffffffff;
	walk(vm, lines, ARRAY_SIZE(lines));
	wrmsr(IA32_XSS, 0);
}

SCENARIOS(instruction_scenarios,
	{ "exit.plain", plain, "", has_conditional },
	{ "exit.invlpg_forms", invlpg_forms, "", NULL },
	{ "exit.tables", tables, "", has_tables },
	{ "exit.random", random_numbers, "", has_random },
	{ "exit.invalidations", invalidations, "", has_invpcid },
	{ "exit.vmcs_operands", vmcs_operands, "", NULL },
	{ "exit.extended_state", extended_state, "", has_xsaves },
);
