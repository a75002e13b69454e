/* SPDX-License-Identifier: MIT */
/*
 * Exits by single instructions, SDM "Instructions That Cause VM Exits".
 * Each scenario emulates what it saw and lets L2 show that it noticed.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* Expect: exit 10 with L2's EAX and ECX; what L1 puts into them arrives. */
static void cpuid_exit(void)
{
	struct vm *vm = vm_create(l2_cpuid);

	vm_step(vm);
	say(" rax=%lx rcx=%lx; ", vm->gpr[RAX], vm->gpr[RCX]);
	vm->gpr[RAX] = 1;
	vm->gpr[RBX] = 2;
	vm->gpr[RCX] = 3;
	vm->gpr[RDX] = 4;
	vm_skip(vm);
	vm_step(vm);
	say(" rax=%lx rbx=%lx rcx=%lx rdx=%lx", vm->gpr[RAX], vm->gpr[RBX], vm->gpr[RCX],
	    vm->gpr[RDX]);
}

/* Expect: exit 18; all 64 bits of the registers go both ways. */
static void vmcall_exit(void)
{
	struct vm *vm = vm_create(l2_vmcall);

	vm_step(vm);
	say(" rax=%lx r15=%lx; ", vm->gpr[RAX], vm->gpr[R15]);
	vm->gpr[RBX] = 0xfedcba9876543210;
	vm_skip(vm);
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

/* One exit, skipped, and the closing VMCALL. */
static struct vm *exit_and_go_on(const u8 *code, u64 proc, u64 proc2)
{
	struct vm *vm = vm_create(code);

	vm_set(PROCESSOR_BASED_CONTROLS, proc);
	vm_set_secondary(proc2);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	return vm;
}

static void hlt_exit(void)
{
	exit_and_go_on(l2_hlt, PROC_HLT_EXITING, 0);
}

static void rdtsc_exit(void)
{
	exit_and_go_on(l2_rdtsc, PROC_RDTSC_EXITING, 0);
}

static void rdtscp_exit(void)
{
	exit_and_go_on(l2_rdtscp, PROC_RDTSC_EXITING, PROC2_ENABLE_RDTSCP);
}

/* Expect: #UD without "enable RDTSCP". */
static void rdtscp_undefined(void)
{
	vm_step(vm_create(l2_rdtscp));
}

static void rdtscp_enabled(void)
{
	struct vm *vm = vm_create(l2_rdtscp);

	vm_set_secondary(PROC2_ENABLE_RDTSCP);
	vm_step(vm);
	say(" rdx=%u", vm->gpr[RDX] != 0 || vm->gpr[RAX] != 0);
}

/* Expect: L2 sees the time stamp counter with the offset, modulo 2^64. */
static void tsc_offset(void)
{
	struct vm *vm = vm_create(l2_rdtsc);
	u64 before = rdtsc(), seen;

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING);
	vmwrite(TSC_OFFSET, 0xff00000000000000);
	vm_step(vm);
	seen = (vm->gpr[RDX] << 32 | vm->gpr[RAX]) - 0xff00000000000000;
	say(" between=%u", seen >= before && seen <= rdtsc());
}

static void invlpg_exit(void)
{
	exit_and_go_on(l2_invlpg, PROC_INVLPG_EXITING, 0);
}

static bool has_xsave(void)
{
	return cpuid(1, 0).ecx & BIT(26);
}

/* Expect: XSETBV exits whatever the controls. */
static void xsetbv_exit(void)
{
	struct vm *vm = vm_create(l2_xsetbv);

	vm_set(GUEST_CR4, CR4_OSXSAVE);
	vm_step(vm);
	say(" rax=%lx rcx=%lx", vm->gpr[RAX], vm->gpr[RCX]);
}

/* Expect: without CR4.OSXSAVE it is #UD before it can exit. */
static void xsetbv_undefined(void)
{
	struct vm *vm = vm_create(l2_xsetbv);

	vm_clear(GUEST_CR4, CR4_OSXSAVE);
	vm_step(vm);
}

static void invd_exit(void)
{
	exit_and_go_on(l2_invd, 0, 0);
}

static void wbinvd_exit(void)
{
	exit_and_go_on(l2_wbinvd, 0, PROC2_WBINVD_EXITING);
}

static bool has_wbinvd(void)
{
	return proc2_offers(PROC2_WBINVD_EXITING);
}

static void pause_exit(void)
{
	exit_and_go_on(l2_pause, PROC_PAUSE_EXITING, 0);
}

static void pause_runs(void)
{
	vm_step(vm_create(l2_pause));
}

static void rdpmc_exit(void)
{
	exit_and_go_on(l2_rdpmc, PROC_RDPMC_EXITING, 0);
}

static bool has_rdrand(void)
{
	return proc2_offers(PROC2_RDRAND_EXITING | PROC2_RDSEED_EXITING);
}

static void rdrand_exit(void)
{
	struct vm *vm = exit_and_go_on(l2_rdrand, 0, PROC2_RDRAND_EXITING | PROC2_RDSEED_EXITING);

	vm_skip(vm);
	say("; ");
	vm_step(vm);
}

static bool has_invpcid(void)
{
	return proc2_offers(PROC2_ENABLE_INVPCID);
}

static void invpcid_undefined(void)
{
	struct vm *vm = vm_create(l2_invpcid);

	vm->gpr[RSI] = vm->page_table;
	vm_step(vm);
}

static void invpcid_exit(void)
{
	exit_and_go_on(l2_invpcid, PROC_INVLPG_EXITING, PROC2_ENABLE_INVPCID);
}

static bool has_descriptor_exits(void)
{
	return proc2_offers(PROC2_DESCRIPTOR_TABLE_EXITING);
}

static void sgdt_exit(void)
{
	exit_and_go_on(l2_sgdt, 0, PROC2_DESCRIPTOR_TABLE_EXITING);
}

static void lgdt_exit(void)
{
	exit_and_go_on(l2_lgdt, 0, PROC2_DESCRIPTOR_TABLE_EXITING);
}

static void sldt_exit(void)
{
	struct vm *vm = exit_and_go_on(l2_sldt, 0, PROC2_DESCRIPTOR_TABLE_EXITING);

	vm_skip(vm);
	say("; ");
	vm_step(vm);
}

static void mov_dr_exit(void)
{
	struct vm *vm = exit_and_go_on(l2_mov_dr, PROC_MOV_DR_EXITING, 0);

	vm->gpr[RBX] = 0x77;
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say(" rbx=%lx", vm->gpr[RBX]);
}

/* Expect: DR7 of L2 is in the VMCS after the exit, and L1's is 0x400. */
static void mov_dr_runs(void)
{
	struct vm *vm = vm_create(l2_mov_dr);
	u64 dr7;

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS);
	vm->gpr[RAX] = 0x403;
	vm_step(vm);
	__asm__ volatile("mov %%dr7, %0" : "=r"(dr7));
	say(" guest_dr7=%lx dr7=%lx", vmread(GUEST_DR7), dr7);
}

SCENARIOS(instruction_scenarios,
	{ "cpuid", cpuid_exit,
	  "CPUID(10) length=2 rip=+10 rax=0x1234 rcx=5; "
	  "VMCALL(18) length=3 rip=+12 rax=1 rbx=2 rcx=3 rdx=4", NULL },
	{ "vmcall", vmcall_exit,
	  "VMCALL(18) length=3 rip=+20 rax=0x1122334455667788 r15=0x8877665544332211; "
	  "VMCALL(18) length=3 rip=+26 rax=0xfedcba9876543210", NULL },
	{ "hlt", hlt_exit, "HLT(12) length=1 rip=+0; VMCALL(18) length=3 rip=+1", NULL },
	{ "rdtsc", rdtsc_exit, "RDTSC(16) length=2 rip=+0; VMCALL(18) length=3 rip=+2", NULL },
	{ "rdtscp", rdtscp_exit, "RDTSCP(51) length=3 rip=+0; VMCALL(18) length=3 rip=+3", NULL },
	{ "rdtscp.undefined", rdtscp_undefined,
	  "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+0", NULL },
	{ "rdtscp.enabled", rdtscp_enabled, "VMCALL(18) length=3 rip=+3 rdx=1", NULL },
	{ "tsc_offset", tsc_offset, "VMCALL(18) length=3 rip=+2 between=1", NULL },
	{ "invlpg", invlpg_exit,
	  "INVLPG(14) qualification=0x140000010 length=4 rip=+0; VMCALL(18) length=3 rip=+4", NULL },
	{ "xsetbv", xsetbv_exit, "XSETBV(55) length=3 rip=+9 rax=1 rcx=0", has_xsave },
	{ "xsetbv.undefined", xsetbv_undefined, "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+9",
	  has_xsave },
	{ "invd", invd_exit, "INVD(13) length=2 rip=+0; VMCALL(18) length=3 rip=+2", NULL },
	{ "wbinvd", wbinvd_exit, "WBINVD(54) length=2 rip=+0; VMCALL(18) length=3 rip=+2", has_wbinvd },
	{ "pause", pause_exit, "PAUSE(40) length=2 rip=+0; VMCALL(18) length=3 rip=+2", NULL },
	{ "pause.runs", pause_runs, "VMCALL(18) length=3 rip=+2", NULL },
	{ "rdpmc", rdpmc_exit, "RDPMC(15) length=2 rip=+2; VMCALL(18) length=3 rip=+4", NULL },
	{ "rdrand", rdrand_exit,
	  "RDRAND(57) length=4 rip=+0; RDSEED(61) length=4 rip=+4; VMCALL(18) length=3 rip=+8",
	  has_rdrand },
	{ "invpcid.undefined", invpcid_undefined, "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+5",
	  has_invpcid },
	{ "invpcid", invpcid_exit,
	  "INVPCID(58) qualification=0 length=6 information=0x3418100 rip=+5; "
	  "VMCALL(18) length=3 rip=+11",
	  has_invpcid },
	{ "sgdt", sgdt_exit,
	  "GDTR_IDTR_ACCESS(46) qualification=8 length=4 information=0x3418100 rip=+0; "
	  "VMCALL(18) length=3 rip=+4", has_descriptor_exits },
	{ "lgdt", lgdt_exit,
	  "GDTR_IDTR_ACCESS(46) qualification=0 length=3 information=0x23418100 rip=+0; "
	  "VMCALL(18) length=3 rip=+3", has_descriptor_exits },
	{ "sldt", sldt_exit,
	  "LDTR_TR_ACCESS(47) qualification=0 length=4 information=0x31d8102 rip=+0; "
	  "LDTR_TR_ACCESS(47) length=4 information=0x10000448 rip=+4; "
	  "VMCALL(18) length=3 rip=+8", has_descriptor_exits },
	{ "mov_dr", mov_dr_exit,
	  "MOV_DR(29) qualification=7 length=3 rip=+0; MOV_DR(29) qualification=0x316 length=3 rip=+3; "
	  "VMCALL(18) length=3 rip=+6 rbx=0x77", NULL },
	{ "mov_dr.runs", mov_dr_runs, "VMCALL(18) length=3 rip=+6 guest_dr7=0x403 dr7=0x400", NULL },
);
