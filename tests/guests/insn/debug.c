/* SPDX-License-Identifier: MIT */
/*
 * Debug traps around instructions that a hypervisor below carries out: single steps,
 * data breakpoints on memory operands, instruction breakpoints. SDM "Debug
 * Exceptions", "Priority Among Concurrent Events".
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/x86.h"

#define DR6_TOLD 0xe00ful
#define DR6_CLEAR 0xffff0ff0ull
#define DR7_CLEAR 0x400ull
enum { ON_EXECUTION, ON_WRITE, ON_IO, ON_ACCESS };
enum { BYTES_1, BYTES_2, BYTES_8, BYTES_4 };

static u64 read_dr6(void)
{
	u64 value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static void write_dr6(u64 value)
{
	__asm__ volatile("mov %0, %%dr6" : : "r"(value));
}

static void write_dr7(u64 value)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(value));
}

static void write_dr01(u64 first, u64 second)
{
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1" : : "r"(first), "r"(second));
}

/* A breakpoint in DR0, enabled. */
static u64 first(u64 condition, u64 length)
{
	return DR7_CLEAR | 2 | condition << 16 | length << 18;
}

static u64 second(u64 condition, u64 length)
{
	return DR7_CLEAR | 8 | condition << 20 | length << 22;
}

/* Runs it, and says the exception with RIP relative to `end`, what DR6 tells, and what else there is to say. */
static void run(vmx_op op, const u8 *end, u64 a, u64 b)
{
	struct guard guard;

	write_dr6(DR6_CLEAR);
	if (guard_enter(&guard)) {
		write_dr7(DR7_CLEAR);
		say("#%u at %lx dr6=%lx", guard.vector, guard.trap_rip - (u64)end, read_dr6() & DR6_TOLD);
		return;
	}
	op(a, b);
	guard_leave(&guard);
	write_dr7(DR7_CLEAR);
	say("no trap, dr6=%lx", read_dr6() & DR6_TOLD);
}

#define TRACED(name)                                                            \
	u32 debug_##name(u64 a, u64 b);                                         \
	extern const u8 debug_##name##_at[], debug_##name##_end[]
#define STEPPED(name)                                                           \
	u32 debug_step_##name(u64 a, u64 b);                                    \
	extern const u8 debug_step_##name##_at[], debug_step_##name##_end[]
TRACED(vmptrst);
TRACED(vmptrld);
TRACED(vmread);
TRACED(vmwrite);
TRACED(vmclear);
TRACED(invept);
TRACED(resumed);
u32 debug_in(u64 a, u64 b), debug_step_in(u64 a, u64 b);
extern const u8 debug_in_end[], debug_step_in_end[];
STEPPED(vmptrst);
STEPPED(vmread);
STEPPED(vmwrite);
STEPPED(vmresume);
STEPPED(vmptrld);
STEPPED(cpuid);
STEPPED(nop);
STEPPED(vmptrst_after_mov_ss);

/* Expect: one trap, right behind the instruction, whether it succeeds or fails. */
static void single_steps(u64 vmcs)
{
	static const struct {
		const char *name;
		vmx_op op;
		const u8 *end;
		u64 b;
	} list[] = {
		{ "debug.step.nop", debug_step_nop, debug_step_nop_end, 0 },
		{ "debug.step.cpuid", debug_step_cpuid, debug_step_cpuid_end, 0 },
		{ "debug.step.vmptrst", debug_step_vmptrst, debug_step_vmptrst_end, 0 },
		{ "debug.step.vmptrst_after_mov_ss", debug_step_vmptrst_after_mov_ss, debug_step_vmptrst_after_mov_ss_end, 0 },
		{ "debug.step.vmptrld", debug_step_vmptrld, debug_step_vmptrld_end, 0 },
		{ "debug.step.vmread", debug_step_vmread, debug_step_vmread_end, GUEST_RIP },
		{ "debug.step.vmread_rare", debug_step_vmread, debug_step_vmread_end, HOST_IA32_SYSENTER_EIP },
		{ "debug.step.vmread_fails", debug_step_vmread, debug_step_vmread_end, 0x69fe },
		{ "debug.step.vmwrite", debug_step_vmwrite, debug_step_vmwrite_end, GUEST_RIP },
		{ "debug.step.vmwrite_rare", debug_step_vmwrite, debug_step_vmwrite_end, HOST_IA32_SYSENTER_EIP },
		{ "debug.step.vmresume_fails", debug_step_vmresume, debug_step_vmresume_end, 0 },
	};
	u64 *pointer = page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		*pointer = vmcs;
		run(list[i].op, list[i].end, (u64)pointer, list[i].b);
		check_said(list[i].name, "#1 at 0 dr6=0x4000");
	}
	/* Expect: the fault alone; TF is in the flags that it saves. */
	run(debug_step_vmptrst, debug_step_vmptrst_at, UNMAPPED, 0);
	check_said("debug.step.fault", "#14 at 0 dr6=0");
}

/* Expect: DR0 watches the operand: a trap where the condition fits, whatever the instruction comes to. */
static void data_breakpoints(u64 vmcs)
{
	static const struct {
		const char *name, *expected;
		vmx_op op;
		const u8 *end;
		u64 condition, b;
	} list[] = {
		{ "debug.data.vmptrst_on_write", "#1 at 0 dr6=1", debug_vmptrst, debug_vmptrst_end, ON_WRITE, 0 },
		{ "debug.data.vmptrst_on_access", "#1 at 0 dr6=1", debug_vmptrst, debug_vmptrst_end, ON_ACCESS, 0 },
		{ "debug.data.vmptrst_on_execution", "no trap, dr6=0", debug_vmptrst, debug_vmptrst_end, ON_EXECUTION, 0 },
		{ "debug.data.vmptrld_on_write", "no trap, dr6=0", debug_vmptrld, debug_vmptrld_end, ON_WRITE, 0 },
		{ "debug.data.vmptrld_on_access", "#1 at 0 dr6=1", debug_vmptrld, debug_vmptrld_end, ON_ACCESS, 0 },
		{ "debug.data.vmread_on_write", "#1 at 0 dr6=1", debug_vmread, debug_vmread_end, ON_WRITE, HOST_IA32_SYSENTER_EIP },
		{ "debug.data.vmread_fails", "no trap, dr6=0", debug_vmread, debug_vmread_end, ON_ACCESS, 0x69fe },
		{ "debug.data.vmwrite_on_access", "#1 at 0 dr6=1", debug_vmwrite, debug_vmwrite_end, ON_ACCESS, HOST_IA32_SYSENTER_EIP },
		{ "debug.data.vmwrite_on_write", "no trap, dr6=0", debug_vmwrite, debug_vmwrite_end, ON_WRITE, HOST_IA32_SYSENTER_EIP },
		{ "debug.data.vmclear_on_access", "#1 at 0 dr6=1", debug_vmclear, debug_vmclear_end, ON_ACCESS, 0 },
		{ "debug.data.invept_on_access", "#1 at 0 dr6=1", debug_invept, debug_invept_end, ON_ACCESS, 2 },
	};
	u64 *pointer = page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		pointer[0] = vmcs;
		pointer[1] = 0;
		vmptrld(vmcs);
		write_dr01((u64)pointer, 0);
		write_dr7(first(list[i].condition, list[i].condition == ON_EXECUTION ? BYTES_1 : BYTES_4));
		run(list[i].op, list[i].end, (u64)pointer, list[i].b);
		check_said(list[i].name, list[i].expected);
	}
	vmptrld(vmcs);
}

/* What lies beside the operand, across a page, or behind a fault. */
static void data_breakpoint_places(void)
{
	u8 *pages = pages_alloc(2, PAGE_SIZE);
	u64 border = (u64)pages + PAGE_SIZE;

	write_dr01(border, 0);
	write_dr7(first(ON_WRITE, BYTES_8));
	run(debug_vmptrst, debug_vmptrst_end, border - 1, 0);
	check_said("debug.data.across_pages", "#1 at 0 dr6=1");
	write_dr7(first(ON_WRITE, BYTES_8));
	run(debug_vmptrst, debug_vmptrst_end, border - 8, 0);
	check_said("debug.data.right_beside", "no trap, dr6=0");
	write_dr01(UNMAPPED, 0);
	write_dr7(first(ON_WRITE, BYTES_8));
	run(debug_vmptrst, debug_vmptrst_at, UNMAPPED, 0);
	check_said("debug.data.behind_a_fault", "#14 at 0 dr6=0");
}

/* Expect: single step and breakpoint in one trap; the breakpoint of the next instruction after it. */
static void together(void)
{
	u64 *pointer = page_alloc();

	write_dr01((u64)pointer, 0);
	write_dr7(first(ON_WRITE, BYTES_8));
	run(debug_step_vmptrst, debug_step_vmptrst_end, (u64)pointer, 0);
	check_said("debug.step_and_data", "#1 at 0 dr6=0x4001");
	write_dr01((u64)debug_vmptrst_at, 0);
	write_dr7(first(ON_EXECUTION, BYTES_1));
	run(debug_vmptrst, debug_vmptrst_at, (u64)pointer, 0);
	check_said("debug.execution", "#1 at 0 dr6=1");
	write_dr01((u64)debug_vmptrst_end, 0);
	write_dr7(first(ON_EXECUTION, BYTES_1));
	run(debug_vmptrst, debug_vmptrst_end, (u64)pointer, 0);
	check_said("debug.execution_of_the_next", "#1 at 0 dr6=1");
	write_dr01((u64)debug_resumed_at, (u64)debug_resumed_end);
	write_dr7(first(ON_EXECUTION, BYTES_1) | second(ON_EXECUTION, BYTES_1));
	run(debug_resumed, debug_resumed_end, (u64)pointer, 0);
	check_said("debug.resume_flag", "#1 at 0 dr6=2");
}

/* COM1's modem control, which a hypervisor below may watch. SDM "Debug Registers": CR4.DE is set. */
static void port_breakpoints(void)
{
	const u64 port = 0x3fc;

	write_dr01(port, 0);
	write_dr7(first(ON_IO, BYTES_1));
	run(debug_in, debug_in_end, port, 0);
	check_said("debug.port", "#1 at 0 dr6=1");
	write_dr7(first(ON_IO, BYTES_4));
	run(debug_in, debug_in_end, port - 1, 0);
	check_said("debug.port_beside", "no trap, dr6=0");
	write_dr7(first(ON_ACCESS, BYTES_4));
	run(debug_in, debug_in_end, port, 0);
	check_said("debug.port_is_no_address", "no trap, dr6=0");
	write_dr7(first(ON_IO, BYTES_4));
	run(debug_step_in, debug_step_in_end, port, 0);
	check_said("debug.step_and_port", "#1 at 0 dr6=0x4001");
}

void group_debug(void)
{
	u64 vmcs = vmx_region_alloc();

	vmclear(vmcs);
	vmptrld(vmcs);
	single_steps(vmcs);
	data_breakpoints(vmcs);
	data_breakpoint_places();
	together();
	port_breakpoints();
	vmclear(vmcs);
	say("complete");
}
