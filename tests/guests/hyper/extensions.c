/* SPDX-License-Identifier: MIT */
/*
 * TSC scaling, PAUSE loops, MONITOR and MWAIT, XSAVES and XRSTORS. SDM
 * "Secondary Processor-Based VM-Execution Controls", "Changes to Instruction
 * Behavior in VMX Non-Root Operation".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define ONE (1ull << 48) /* of the multiplier */
#define HEADER 512	 /* of an XSAVE area */
#define COMPACTED BIT(63)

static bool has_scaling(void)
{
	return proc2_offers(PROC2_USE_TSC_SCALING);
}

static u64 scaled(u64 tsc, u64 multiplier, u64 offset)
{
	return (u64)((unsigned __int128)tsc * multiplier >> 48) + offset;
}

/* Does L2 see what the SDM makes of L1's counter, by each of its three ways? */
static void scaling(void)
{
	static const u64 multipliers[] = { ONE, 2 * ONE, ONE / 4, 5 * ONE / 3, 1, 1000 * ONE + 12345 };
	static const u8 *const ways[] = { l2_rdtsc, l2_rdtscp, l2_rdmsr };
	struct vm *vm = vm_create(l2_rdtsc);
	u64 offset = 0x8000000000000123;

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING);
	vm_set_secondary(PROC2_USE_TSC_SCALING | PROC2_ENABLE_RDTSCP);
	*((u8 *)vm->msr_bitmap + IA32_TIME_STAMP_COUNTER / 8) = 0;
	vmwrite(TSC_OFFSET, offset);
	for (u32 i = 0; i < ARRAY_SIZE(multipliers) * ARRAY_SIZE(ways); i++) {
		u64 multiplier = multipliers[i / ARRAY_SIZE(ways)], before = rdtsc(), seen;

		vmwrite(TSC_MULTIPLIER, multiplier);
		vm_restart(vm, ways[i % ARRAY_SIZE(ways)]);
		vm->gpr[RCX] = IA32_TIME_STAMP_COUNTER;
		vm_run(vm);
		seen = vm->gpr[RDX] << 32 | vm->gpr[RAX];
		say("%u", vm->basic_reason == REASON_VMCALL &&
				  seen - scaled(before, multiplier, offset) <=
					  scaled(rdtsc(), multiplier, 0) - scaled(before, multiplier, 0));
	}
}

/* Expect: without "use TSC offsetting" the multiplier does nothing. */
static void scaling_without_offsetting(void)
{
	struct vm *vm = vm_create(l2_rdtsc);
	u64 before = rdtsc(), seen;

	vm_set_secondary(PROC2_USE_TSC_SCALING);
	vmwrite(TSC_MULTIPLIER, 3 * ONE);
	vmwrite(TSC_OFFSET, 1ull << 60);
	vm_step(vm);
	seen = vm->gpr[RDX] << 32 | vm->gpr[RAX];
	say(" between=%u", seen >= before && seen <= rdtsc());
}

/* --- waiting -------------------------------------------------------------- */

static bool has_loop_exits(void)
{
	return proc2_offers(PROC2_PAUSE_LOOP_EXITING) && pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER);
}

/* Expect: a close loop of PAUSEs exits once the window is over; one with a gap that is too small never. */
static void pause_loop(void)
{
	struct vm *vm = vm_create(l2_spin);

	vm_set_secondary(PROC2_PAUSE_LOOP_EXITING);
	vmwrite(PLE_GAP, 1000);
	vmwrite(PLE_WINDOW, 50000);
	vm_run(vm);
	say("%s rip=+%lu ran=%u; ", exit_reason_name(vm->basic_reason), vmread(GUEST_RIP) - vm->code,
	    vm->gpr[RBX] > 100);
	vm_restart(vm, l2_spin);
	vmwrite(PLE_GAP, 0);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 100000);
	vm_run(vm);
	say("%s", exit_reason_name(vm->basic_reason));
}

static bool has_monitor(void)
{
	return cpuid(1, 0).ecx & BIT(3) && proc_offers(PROC_MONITOR_EXITING | PROC_MWAIT_EXITING);
}

/* Expect: both exit; MWAIT tells whether an address was being watched. */
static void monitor_exits(void)
{
	struct vm *vm = vm_create(l2_monitor_mwait);

	vm->gpr[RSI] = (u64)page_alloc();
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_EXITING | PROC_MWAIT_EXITING);
	vm_step(vm);
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say(" watching=%lu; ", vmread(EXIT_QUALIFICATION) & 1);
	vm_skip(vm);
	vm_step(vm);
}

static void mwait_while_watching(void)
{
	struct vm *vm = vm_create(l2_monitor_mwait);

	vm->gpr[RSI] = (u64)page_alloc();
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MWAIT_EXITING);
	vm_step(vm);
	say(" watching=%lu", vmread(EXIT_QUALIFICATION) & 1);
}

/* --- XSAVES, XRSTORS ------------------------------------------------------ */

static bool has_xsaves(void)
{
	return proc2_offers(PROC2_ENABLE_XSAVES) && cpuid(0xd, 1).eax & BIT(3);
}

static u64 xcr0_of_firmware, cr4_of_firmware;

static u64 xgetbv(void)
{
	u32 low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

static void xsetbv(u64 value)
{
	__asm__ volatile("xsetbv" : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(0));
}

static void xsave_on(void)
{
	cr4_of_firmware = read_cr4();
	write_cr4(cr4_of_firmware | CR4_OSXSAVE | CR4_OSFXSR);
	xcr0_of_firmware = xgetbv();
	xsetbv(3);
}

static void xsave_off(void)
{
	xsetbv(xcr0_of_firmware);
	write_cr4(cr4_of_firmware);
}

/* Expect: #UD without the control. */
static void xsaves_undefined(void)
{
	struct vm *vm;

	xsave_on();
	vm = vm_create(l2_xsaves);
	vm->gpr[RSI] = (u64)page_alloc();
	vm_step(vm);
	vm_restart(vm, l2_xrstors);
	vm->gpr[RSI] = (u64)page_alloc();
	say("; ");
	vm_step(vm);
	xsave_off();
}

/* Expect: no exit for components that IA32_XSS does not have; the compacted format. */
static void xsaves_runs(void)
{
	struct vm *vm;
	u64 *area = page_alloc(), bitmap = 0;

	xsave_on();
	vm = vm_create(l2_xsaves);
	vm_set_secondary(PROC2_ENABLE_XSAVES);
	vmwrite(XSS_EXITING_BITMAP, ~0ull);
	vm->gpr[RSI] = (u64)area;
	vm_step(vm);
	say(" xcomp=%lx; ", area[HEADER / 8 + 1]);
	vm_restart(vm, l2_xrstors);
	vm->gpr[RSI] = (u64)area;
	vm_step(vm);
	bitmap = vmread(XSS_EXITING_BITMAP);
	say(" bitmap=%lx; ", bitmap);
	area[HEADER / 8 + 1] = 0; /* not compacted: #GP */
	vm_restart(vm, l2_xrstors);
	vm->gpr[RSI] = (u64)area;
	vm_step(vm);
	xsave_off();
}

SCENARIOS(extension_scenarios,
	{ "tsc_scaling", scaling, "111111111111111111", has_scaling },
	{ "tsc_scaling.without_offsetting", scaling_without_offsetting,
	  "VMCALL(18) length=3 rip=+2 between=1", has_scaling },
	{ "pause_loop", pause_loop, "PAUSE rip=+0 ran=1; PREEMPTION_TIMER", has_loop_exits },
	{ "monitor_mwait", monitor_exits,
	  "MONITOR(39) length=3 rip=+7; MWAIT(36) length=3 rip=+12 watching=0; VMCALL(18) length=3 rip=+15",
	  has_monitor },
	{ "monitor_mwait.watching", mwait_while_watching, "MWAIT(36) length=3 rip=+12 watching=1", has_monitor },
	{ "xsaves.undefined", xsaves_undefined,
	  "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+7; EXCEPTION_OR_NMI(0) event=0x80000306 rip=+7", has_xsaves },
	{ "xsaves.runs", xsaves_runs,
	  "VMCALL(18) length=3 rip=+10 xcomp=0x8000000000000003; "
	  "VMCALL(18) length=3 rip=+10 bitmap=0xffffffffffffffff; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+7", has_xsaves },
);
