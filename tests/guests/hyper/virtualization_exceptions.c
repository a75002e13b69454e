/* SPDX-License-Identifier: MIT */
/*
 * Virtualization exceptions: which EPT violations L2 gets to see itself, and what
 * the information area tells. SDM "Virtualization Exceptions".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* SDM "Virtualization-Exception Information". */
struct area {
	u32 reason, busy;
	u64 qualification, linear, physical;
	u16 eptp_index;
};

static struct area *area;

static bool has_exceptions(void)
{
	return proc2_offers(PROC2_EPT_VIOLATION_VE);
}

/* L2 takes #VE itself and touches the address, which is mapped nowhere. */
static struct vm *create(const u8 *code)
{
	struct vm *vm = vm_create(code);

	area = page_alloc();
	vm_set_secondary(PROC2_EPT_VIOLATION_VE);
	vmwrite(VIRTUALIZATION_EXCEPTION_ADDRESS, (u64)area);
	vmwrite(EPTP_INDEX, 0xbeef);
	vmwrite(EXCEPTION_BITMAP, 0);
	vm->gpr[RSI] = TEST_ADDRESS + 0x18;
	return vm;
}

static u64 *leaf(struct vm *vm)
{
	return ept_entry(vm->ept, TEST_ADDRESS, 1);
}

static u64 page_with(u64 value)
{
	u64 *page = page_alloc();

	page[3] = value;
	return (u64)page;
}

static void say_area(void)
{
	/* Bits 11:9 exist only on processors with advanced information. */
	say(" area: %u %x %lx %lx %lx", area->reason, area->busy, area->qualification & 0x1ff, area->linear, area->physical);
}

/* Expect: #VE at the instruction; once L1 has mapped the page it goes on. */
static void not_present(void)
{
	struct vm *vm = create(l2_read);

	vm_step(vm);
	say_area();
	*leaf(vm) = page_with(0x77) | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

/* Expect: by bit 63 of the entry that decides, and of no other. */
static void suppressed(void)
{
	struct vm *vm = create(l2_read);

	*leaf(vm) = EPT_SUPPRESS_VE;
	vm_step(vm);
	say_area();
	*ept_entry(vm->ept, TEST_ADDRESS, 2) |= EPT_SUPPRESS_VE;
	*leaf(vm) = 0;
	say("; ");
	vm_step(vm);
	say_area();
}

/* Expect: the same of a page that does not allow the access. */
static void not_allowed(void)
{
	struct vm *vm = create(l2_write);
	u64 page = page_with(1);

	*leaf(vm) = page | EPT_READ | EPT_EXECUTE | EPT_MEMORY_TYPE_WB | EPT_SUPPRESS_VE;
	vm_step(vm);
	say_area();
	*leaf(vm) &= ~EPT_SUPPRESS_VE;
	*ept_entry(vm->ept, TEST_ADDRESS, 2) |= EPT_SUPPRESS_VE;
	vm_flush_all();
	say("; ");
	vm_step(vm);
	say_area();
}

/* Expect: while software is not ready for the next one, an exit, and the area stays. */
static void busy(void)
{
	struct vm *vm = create(l2_read);

	area->busy = 1;
	vm_step(vm);
	say_area();
	area->busy = 0x80000000;
	say("; ");
	vm_step(vm);
	say_area();
}

/* Expect: an exception like others for L1's exception bitmap. */
static void intercepted(void)
{
	struct vm *vm = create(l2_read);

	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_VE));
	vm_step(vm);
	say(" rflags=%lx", vmread(GUEST_RFLAGS));
	say_area();
}

/* Expect: no #VE while an event is being delivered. */
static void while_delivering(void)
{
	struct vm *vm = create(l2_nops);

	*ept_entry(vm->ept, (u64)vm->tables->idt, 1) = 0;
	vm_inject(EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0);
	if (!vm_run(vm))
		return;
	say("%s vectoring=%lx", exit_reason_name(vm->basic_reason), vmread(IDT_VECTORING_INFORMATION));
	say_area();
}

/* Expect: a misconfigured entry is an exit, always. */
static void misconfigured(void)
{
	struct vm *vm = create(l2_read);

	*leaf(vm) = page_with(1) | EPT_WRITE | EPT_MEMORY_TYPE_WB;
	vm_step(vm);
	say_area();
}

/* Expect: the trap comes at the handler, whose first instruction it precedes. */
static void monitor_trap_flag(void)
{
	struct vm *vm = create(l2_read);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	vm_step(vm);
	say(" handler=%lu", (vmread(GUEST_RIP) - (u64)l2_stubs) / L2_STUB_SIZE);
	say_area();
}

static bool has_trap_flag(void)
{
	return has_exceptions() && proc_offers(PROC_MONITOR_TRAP_FLAG);
}

/* Expect: L2 itself gets a second one after it has made the area free. */
static void again(void)
{
	struct vm *vm = create(l2_read);

	for (u32 i = 0; i < 3; i++) {
		vm_step(vm);
		say("; ");
		area->busy = 0;
		vm_skip(vm);
	}
	*leaf(vm) = EPT_SUPPRESS_VE;
	vm_step(vm);
}

static void entry_checks(void)
{
	struct vm *vm = create(l2_read);

	vmwrite(VIRTUALIZATION_EXCEPTION_ADDRESS, (u64)area + 64);
	vm_run(vm);
	say("; ");
	vmwrite(VIRTUALIZATION_EXCEPTION_ADDRESS, BIT(51));
	vm_run(vm);
	say("; ");
	vm_clear(SECONDARY_CONTROLS, PROC2_EPT_VIOLATION_VE);
	vm_step(vm);
}

/* Expect: the area tells of the EPTP by its place in the list. */
static void after_switching(void)
{
	struct vm *vm = create(l2_vmfunc_read);
	u64 *list = page_alloc();

	*leaf(vm) = page_with(0x55) | EPT_RWX | EPT_MEMORY_TYPE_WB;
	list[0x1fe] = ept_identity() | EPTP_WB | EPTP_4_LEVELS;
	vm_set_secondary(PROC2_ENABLE_VM_FUNCTIONS);
	vmwrite(VM_FUNCTION_CONTROLS, 1);
	vmwrite(EPTP_LIST_ADDRESS, (u64)list);
	vm->gpr[RCX] = 0x1fe;
	vm_step(vm);
	say(" rbx=%lx", vm->gpr[RBX]);
	say_area();
	say(" index=%x", area->eptp_index);
}

/* Expect: the index that L1 wrote. */
static void index_of_l1(void)
{
	vm_step(create(l2_read));
	say(" index=%x", area->eptp_index);
}

static bool has_switching(void)
{
	return has_exceptions() && proc2_offers(PROC2_ENABLE_VM_FUNCTIONS) && rdmsr(IA32_VMX_VMFUNC) & 1;
}

#define EMPTY " area: 0 0 0 0 0"

SCENARIOS(virtualization_exception_scenarios,
	{ "ve.not_present", not_present,
	  "L2 took #20 from +0 rflags=2 area: 48 0xffffffff 0x181 0x140000018 0x140000018; "
	  "VMCALL(18) length=3 rip=+3 rax=0x77", has_exceptions },
	{ "ve.suppressed", suppressed,
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000018 rip=+0" EMPTY "; "
	  "L2 took #20 from +0 rflags=2 area: 48 0xffffffff 0x181 0x140000018 0x140000018", has_exceptions },
	{ "ve.not_allowed", not_allowed,
	  "EPT_VIOLATION(48) qualification=0x1aa physical=0x140000018 rip=+0" EMPTY "; "
	  "L2 took #20 from +0 rflags=2 area: 48 0xffffffff 0x1aa 0x140000018 0x140000018", has_exceptions },
	{ "ve.busy", busy,
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000018 rip=+0 area: 0 1 0 0 0; "
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000018 rip=+0 area: 0 0x80000000 0 0 0", has_exceptions },
	{ "ve.intercepted", intercepted,
	  "EXCEPTION_OR_NMI(0) event=0x80000314 rip=+0 rflags=0x10002 "
	  "area: 48 0xffffffff 0x181 0x140000018 0x140000018", has_exceptions },
	{ "ve.while_delivering", while_delivering, "EPT_VIOLATION vectoring=0x80000306" EMPTY, has_exceptions },
	{ "ve.misconfigured", misconfigured, "EPT_MISCONFIGURATION(49) physical=0x140000018 rip=+0" EMPTY, has_exceptions },
	{ "ve.monitor_trap_flag", monitor_trap_flag,
	  "MONITOR_TRAP_FLAG(37) handler=20 area: 48 0xffffffff 0x181 0x140000018 0x140000018", has_trap_flag },
	{ "ve.again", again,
	  "L2 took #20 from +0 rflags=2; L2 took #20 from +0 rflags=2; L2 took #20 from +0 rflags=2; "
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000018 rip=+0", has_exceptions },
	{ "ve.entry_checks", entry_checks,
	  "entry: VMfailValid 7; entry: VMfailValid 7; EPT_VIOLATION(48) qualification=0x181 physical=0x140000018 rip=+0", has_exceptions },
	{ "ve.after_switching", after_switching,
	  "L2 took #20 from +6 rflags=2 rbx=0x55 area: 48 0xffffffff 0x181 0x140000018 0x140000018 index=0x1fe", has_switching },
	{ "ve.eptp_index", index_of_l1, "L2 took #20 from +0 rflags=2 index=0xbeef", has_exceptions },
);
