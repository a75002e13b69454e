/* SPDX-License-Identifier: MIT */
/*
 * VMFUNC: EPTP switching, its refusals, and what the instruction does to
 * traps and blocking. SDM "VM Functions", "EPTP Switching".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define EPTP_SWITCHING BIT(0)
#define EPTP_FLAGS (EPTP_WB | EPTP_4_LEVELS)
#define MANY 12 /* more EPTPs than a hypervisor below may keep tables of */

static u64 *list;

static bool has_vmfunc(void)
{
	return proc2_offers(PROC2_ENABLE_VM_FUNCTIONS);
}

static bool has_switching(void)
{
	return has_vmfunc() && rdmsr(IA32_VMX_VMFUNC) & EPTP_SWITCHING;
}

static bool has_switching_and_trap_flag(void)
{
	return has_switching() && proc_offers(PROC_MONITOR_TRAP_FLAG);
}

static void map(u64 ept, u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	*ept_entry(ept, TEST_ADDRESS, 1) = (u64)page | EPT_RWX | EPT_MEMORY_TYPE_WB;
}

/* EPTP 0 and 1 of the list show 0x1111 and 0x2222 at the address. */
static struct vm *create(const u8 *code)
{
	struct vm *vm = vm_create(code);
	u64 other = ept_identity();

	map(vm->ept, 0x1111);
	map(other, 0x2222);
	list = page_alloc();
	list[0] = vm->ept | EPTP_FLAGS;
	list[1] = other | EPTP_FLAGS;
	vm_set_secondary(PROC2_ENABLE_VM_FUNCTIONS);
	vmwrite(VM_FUNCTION_CONTROLS, EPTP_SWITCHING);
	vmwrite(EPTP_LIST_ADDRESS, (u64)list);
	if (proc2_offers(PROC2_EPT_VIOLATION_VE))
		vmwrite(EPTP_INDEX, 0x123);
	vm->gpr[RSI] = TEST_ADDRESS;
	return vm;
}

/* Which EPTP of the list the VMCS has now, and its index where there is one. */
static void say_eptp(void)
{
	u64 eptp = vmread(EPT_POINTER), index = 0;

	while (index < 512 && list[index] != eptp)
		index++;
	say(" eptp=%lu", index);
	if (proc2_offers(PROC2_EPT_VIOLATION_VE))
		say(" index=%lx", vmread(EPTP_INDEX));
}

static void undefined(void)
{
	vm_step(vm_create(l2_vmfunc));
}

/* Expect: the second set of tables at once, and for good. */
static void switches(void)
{
	struct vm *vm = create(l2_vmfunc_read);

	vm->gpr[RCX] = 1;
	vm_step(vm);
	say(" %lx->%lx", vm->gpr[RBX], vm->gpr[RDX]);
	say_eptp();
	say("; ");
	vm_restart(vm, l2_read);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

/* Expect: only EAX and ECX count. */
static void upper_halves(void)
{
	struct vm *vm = create(l2_vmfunc_read);

	vm->gpr[RAX] = 7ull << 32;
	vm->gpr[RCX] = 3ull << 32 | 1;
	vm_step(vm);
	say(" %lx->%lx", vm->gpr[RBX], vm->gpr[RDX]);
}

/* Expect: functions up to 63 exit where they are not enabled; there are no others. */
static void functions(void)
{
	static const u64 numbers[] = { 1, 63, 64, 0xffffffff };
	struct vm *vm = create(l2_vmfunc);

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		vm_restart(vm, l2_vmfunc);
		vm->gpr[RAX] = numbers[i];
		vm_step(vm);
		say("; ");
	}
	vmwrite(VM_FUNCTION_CONTROLS, 0);
	vm_restart(vm, l2_vmfunc);
	vm_step(vm);
	say_eptp();
}

/* Expect: exit 59, and the EPT pointer stays. */
static void refused_entries(void)
{
	static const struct {
		const char *what;
		u64 flip;
	} bad[] = {
		{ "zero", ~0ull }, { "memory_type", 5 }, { "levels", 1 << 3 }, { "bit_11", BIT(11) }, { "beyond_width", BIT(51) },
	};
	struct vm *vm = create(l2_vmfunc);

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		list[7] = bad[i].flip == ~0ull ? 0 : list[1] ^ bad[i].flip;
		vm_restart(vm, l2_vmfunc);
		vm->gpr[RCX] = 7;
		say("%s ", bad[i].what);
		vm_step(vm);
		say_eptp();
		say("; ");
	}
	vm_restart(vm, l2_vmfunc);
	vm->gpr[RCX] = 512;
	vm_step(vm);
	say("; ");
	list[511] = list[1];
	vm_restart(vm, l2_vmfunc);
	vm->gpr[RCX] = 511;
	vm_step(vm);
	say(" same=%u", vmread(EPT_POINTER) == list[511]);
}

/* Expect: each round finds the same. */
static void many(void)
{
	struct vm *vm = create(l2_vmfunc_rounds);
	u64 sum = 0, turned = 0;

	for (u64 i = 2; i < MANY; i++) {
		u64 ept = ept_identity();

		map(ept, i * 0x3333);
		list[i] = ept | EPTP_FLAGS;
	}
	for (u64 i = 0; i < 3 * MANY; i++) {
		u64 n = i % MANY, value = n < 2 ? 0x1111 * (n + 1) : n * 0x3333;

		sum += value;
		turned = (turned << 7 | turned >> 57) + value;
	}
	vm->gpr[RDI] = MANY;
	vm->gpr[R8] = 3;
	vm_step(vm);
	say(" sum=%u order=%u", vm->gpr[RDX] == sum, vm->gpr[RBX] == turned);
	say_eptp();
}

/* Expect: the tables that L1 changes after the switch are those that count. */
static void changed_afterwards(void)
{
	struct vm *vm = create(l2_vmfunc_read);

	vm->gpr[RCX] = 1;
	vm_step(vm);
	*ept_entry(list[1] & ~0xfffull, TEST_ADDRESS, 1) = 0;
	invept(1, list[1]);
	say("; ");
	vm_restart(vm, l2_vmfunc_read);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
	say("; ");
	vmwrite(EPT_POINTER, list[0]);
	vm->gpr[RCX] = 1;
	vm_step(vm);
	say(" rbx=%lx", vm->gpr[RBX]);
	say_eptp();
}

/* Expect: accessed and dirty flags in the tables in use, where their EPTP asks for them. */
static void accessed_and_dirty(void)
{
	struct vm *vm = create(l2_vmfunc_read);
	u64 *first = ept_entry(vm->ept, TEST_ADDRESS, 1), *second = ept_entry(list[1] & ~0xfffull, TEST_ADDRESS, 1);

	list[1] |= EPTP_ACCESSED_DIRTY;
	vm->gpr[RCX] = 1;
	vm_step(vm);
	say(" first=%lx second=%lx", (u64)(*first & (EPT_ACCESSED | EPT_DIRTY)),
	    (u64)(*second & (EPT_ACCESSED | EPT_DIRTY)));
}

static bool has_accessed_dirty(void)
{
	return has_switching() && ept_vpid_offers(CAP_EPT_ACCESSED_DIRTY);
}

/* Expect: a trap behind VMFUNC, as behind any instruction. */
static void single_step(void)
{
	struct vm *vm = create(l2_vmfunc);

	vm->gpr[RCX] = 1;
	vm_set(GUEST_RFLAGS, RFLAGS_TF);
	vm_step(vm);
	say_eptp();
}

static void monitor_trap_flag(void)
{
	struct vm *vm = create(l2_vmfunc);

	vm->gpr[RCX] = 1;
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	vm_step(vm);
	say_eptp();
}

/* Expect: VMFUNC is the one instruction that STI protects. */
static void after_sti(void)
{
	struct vm *vm = create(l2_vmfunc_after_sti);

	vm->gpr[RCX] = 1;
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_step(vm);
	say(" blocking=%lx", vmread(GUEST_INTERRUPTIBILITY_STATE));
	say_eptp();
}

/* Expect: no privilege is needed. */
static void from_user_mode(void)
{
	struct vm *vm = create(l2_vmfunc_read);

	vmwrite(GUEST_CR3, paging_identity(PTE_W | PTE_U));
	vmwrite(GUEST_CS_SELECTOR, vmread(GUEST_CS_SELECTOR) | 3);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xa0fb);
	vmwrite(GUEST_SS_SELECTOR, vmread(GUEST_SS_SELECTOR) | 3);
	vmwrite(GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
	vm->gpr[RCX] = 1;
	vm_step(vm);
	say(" %lx->%lx", vm->gpr[RBX], vm->gpr[RDX]);
}

/* Expect: error 7 for what the controls may not say. */
static void entry_checks(void)
{
	struct vm *vm = create(l2_vmfunc);

	vmwrite(VM_FUNCTION_CONTROLS, EPTP_SWITCHING | BIT(1));
	vm_run(vm);
	say("; ");
	vmwrite(VM_FUNCTION_CONTROLS, EPTP_SWITCHING);
	vmwrite(EPTP_LIST_ADDRESS, (u64)list + 8);
	vm_run(vm);
	say("; ");
	vmwrite(EPTP_LIST_ADDRESS, BIT(51));
	vm_run(vm);
	say("; ");
	vmwrite(EPTP_LIST_ADDRESS, (u64)list);
	vm_clear(SECONDARY_CONTROLS, PROC2_ENABLE_EPT);
	vm_run(vm);
	say("; ");
	vmwrite(VM_FUNCTION_CONTROLS, 0);
	vmwrite(EPTP_LIST_ADDRESS, (u64)list + 8);
	vm_step(vm);
}

SCENARIOS(vm_function_scenarios,
	{ "vmfunc.undefined", undefined, "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+0", NULL },
	{ "vmfunc.switches", switches,
	  "VMCALL(18) length=3 rip=+9 0x1111->0x2222 eptp=1 index=1; VMCALL(18) length=3 rip=+3 rax=0x2222", has_switching },
	{ "vmfunc.upper_halves", upper_halves, "VMCALL(18) length=3 rip=+9 0x1111->0x2222", has_switching },
	{ "vmfunc.functions", functions,
	  "VMFUNC(59) length=3 rip=+0; VMFUNC(59) length=3 rip=+0; EXCEPTION_OR_NMI(0) event=0x80000306 rip=+0; "
	  "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+0; VMFUNC(59) length=3 rip=+0 eptp=0 index=0x123", has_vmfunc },
	{ "vmfunc.refused_entries", refused_entries,
	  "zero VMFUNC(59) length=3 rip=+0 eptp=0 index=0x123; memory_type VMFUNC(59) length=3 rip=+0 eptp=0 index=0x123; "
	  "levels VMFUNC(59) length=3 rip=+0 eptp=0 index=0x123; bit_11 VMFUNC(59) length=3 rip=+0 eptp=0 index=0x123; "
	  "beyond_width VMFUNC(59) length=3 rip=+0 eptp=0 index=0x123; VMFUNC(59) length=3 rip=+0; "
	  "VMCALL(18) length=3 rip=+3 same=1", has_switching },
	{ "vmfunc.many", many, "VMCALL(18) length=3 rip=+28 sum=1 order=1 eptp=11 index=0xb", has_switching },
	{ "vmfunc.changed_afterwards", changed_afterwards,
	  "VMCALL(18) length=3 rip=+9; EPT_VIOLATION(48) qualification=0x181 physical=0x140000000 rip=+0; "
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000000 rip=+6 rbx=0x1111 eptp=1 index=1", has_switching },
	{ "vmfunc.accessed_and_dirty", accessed_and_dirty, "VMCALL(18) length=3 rip=+9 first=0 second=0x100", has_accessed_dirty },
	{ "vmfunc.single_step", single_step, "EXCEPTION_OR_NMI(0) event=0x80000301 rip=+3 eptp=1 index=1", has_switching },
	{ "vmfunc.monitor_trap_flag", monitor_trap_flag, "MONITOR_TRAP_FLAG(37) rip=+3 eptp=1 index=1",
	  has_switching_and_trap_flag },
	{ "vmfunc.after_sti", after_sti, "INTERRUPT_WINDOW(7) rip=+4 blocking=0 eptp=1 index=1", has_switching },
	{ "vmfunc.from_user_mode", from_user_mode, "VMCALL(18) length=3 rip=+9 0x1111->0x2222", has_switching },
	{ "vmfunc.entry_checks", entry_checks,
	  "entry: VMfailValid 7; entry: VMfailValid 7; entry: VMfailValid 7; entry: VMfailValid 7; VMFUNC(59) length=3 rip=+0",
	  has_switching },
);
