/* SPDX-License-Identifier: MIT */
/*
 * An exit in words. Only what the SDM defines for the reason is said: what is
 * undefined may differ from processor to processor.
 */
#include "tests/guests/lib/vm_exit.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* What to say of an exit besides its reason and RIP. */
#define LENGTH BIT(0)
#define QUALIFICATION BIT(1)
#define INSTRUCTION_INFORMATION BIT(2)
#define INTERRUPTION BIT(3)
#define GUEST_PHYSICAL BIT(4)
#define DISPLACEMENT BIT(5) /* a qualification if there is a memory operand */
#define LINEAR BIT(6)	    /* a guest-linear address if the operand is in memory */
#define OTHER_FORM BIT(7)   /* instruction information that only vm_say_block() says */

struct reason {
	const char *name;
	u64 says;
};

static const struct reason reasons[] = {
	[0] = { "EXCEPTION_OR_NMI", INTERRUPTION },
	[1] = { "EXTERNAL_INTERRUPT", INTERRUPTION },
	[2] = { "TRIPLE_FAULT", 0 },
	[3] = { "INIT", 0 },
	[4] = { "SIPI", QUALIFICATION },
	[7] = { "INTERRUPT_WINDOW", 0 },
	[8] = { "NMI_WINDOW", 0 },
	[9] = { "TASK_SWITCH", QUALIFICATION },
	[10] = { "CPUID", LENGTH },
	[11] = { "GETSEC", LENGTH },
	[12] = { "HLT", LENGTH },
	[13] = { "INVD", LENGTH },
	[14] = { "INVLPG", LENGTH | QUALIFICATION },
	[15] = { "RDPMC", LENGTH },
	[16] = { "RDTSC", LENGTH },
	[18] = { "VMCALL", LENGTH },
	[19] = { "VMCLEAR", LENGTH | QUALIFICATION | INSTRUCTION_INFORMATION },
	[20] = { "VMLAUNCH", LENGTH },
	[21] = { "VMPTRLD", LENGTH | QUALIFICATION | INSTRUCTION_INFORMATION },
	[22] = { "VMPTRST", LENGTH | QUALIFICATION | INSTRUCTION_INFORMATION },
	[23] = { "VMREAD", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[24] = { "VMRESUME", LENGTH },
	[25] = { "VMWRITE", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[26] = { "VMXOFF", LENGTH },
	[27] = { "VMXON", LENGTH | QUALIFICATION | INSTRUCTION_INFORMATION },
	[28] = { "CR_ACCESS", LENGTH | QUALIFICATION | LINEAR },
	[29] = { "MOV_DR", LENGTH | QUALIFICATION },
	[30] = { "IO_INSTRUCTION", LENGTH | QUALIFICATION | LINEAR },
	[31] = { "RDMSR", LENGTH },
	[32] = { "WRMSR", LENGTH },
	[33] = { "INVALID_GUEST_STATE", QUALIFICATION },
	[34] = { "MSR_LOADING", QUALIFICATION },
	[36] = { "MWAIT", LENGTH },
	[37] = { "MONITOR_TRAP_FLAG", 0 },
	[39] = { "MONITOR", LENGTH },
	[40] = { "PAUSE", LENGTH },
	[43] = { "TPR_BELOW_THRESHOLD", 0 },
	[44] = { "APIC_ACCESS", QUALIFICATION },
	[45] = { "VIRTUALIZED_EOI", QUALIFICATION },
	[46] = { "GDTR_IDTR_ACCESS", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[47] = { "LDTR_TR_ACCESS", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[48] = { "EPT_VIOLATION", QUALIFICATION | GUEST_PHYSICAL | LINEAR },
	[49] = { "EPT_MISCONFIGURATION", GUEST_PHYSICAL },
	[50] = { "INVEPT", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[51] = { "RDTSCP", LENGTH },
	[52] = { "PREEMPTION_TIMER", 0 },
	[53] = { "INVVPID", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[54] = { "WBINVD", LENGTH },
	[55] = { "XSETBV", LENGTH },
	[56] = { "APIC_WRITE", QUALIFICATION },
	[57] = { "RDRAND", LENGTH | OTHER_FORM },
	[58] = { "INVPCID", LENGTH | DISPLACEMENT | INSTRUCTION_INFORMATION },
	[59] = { "VMFUNC", LENGTH },
	[60] = { "ENCLS", LENGTH },
	[61] = { "RDSEED", LENGTH | OTHER_FORM },
	[62] = { "PML_FULL", QUALIFICATION },
	[63] = { "XSAVES", LENGTH | OTHER_FORM },
	[64] = { "XRSTORS", LENGTH | OTHER_FORM },
	[66] = { "SPP_EVENT", QUALIFICATION | GUEST_PHYSICAL },
};

/* Bits 11:9 of an EPT violation exist only on processors with advanced information. */
static u64 defined_qualification(u16 basic)
{
	u64 qualification = vmread(EXIT_QUALIFICATION);

	return basic == REASON_EPT_VIOLATION ? qualification & 0x11ff : qualification;
}

static bool has_memory_operand(void)
{
	return !(vmread(VM_EXIT_INSTRUCTION_INFORMATION) & BIT(10));
}

/*
 * SDM "VM-Exit Instruction Information" as far as it is defined: an index or
 * base that is not there, and bits of the other operand kind, are left out.
 */
static u64 defined_information(u16 basic)
{
	u64 information = vmread(VM_EXIT_INSTRUCTION_INFORMATION);
	u64 mask = BIT(10);

	if (!has_memory_operand()) {
		mask |= 0xfull << 3;
	} else {
		mask |= 7ull << 7 | 7ull << 15 | BIT(22) | BIT(27);
		if (!(information & BIT(22)))
			mask |= 3 | 0xfull << 18;
		if (!(information & BIT(27)))
			mask |= 0xfull << 23;
	}
	if (basic == 46 || basic == 47)
		mask |= 3ull << 28;
	else if (basic != 19 && basic != 21 && basic != 22 && basic != 27 && basic != 63 && basic != 64)
		mask |= 0xfull << 28;
	return information & mask;
}

const char *exit_reason_name(u32 basic_reason)
{
	if (basic_reason >= ARRAY_SIZE(reasons) || !reasons[basic_reason].name)
		return "UNKNOWN";
	return reasons[basic_reason].name;
}

/* A linear address differs from build to build; what lies in L2's code does not. */
static void say_rip(struct vm *vm)
{
	u64 offset = vmread(GUEST_RIP) - vm->code;

	if (offset < PAGE_SIZE)
		say(" rip=+%lu", offset);
}

static void say_event(const char *name, enum vmcs_field field, enum vmcs_field error_field)
{
	u32 event = (u32)vmread(field);

	if (!(event & EVENT_VALID)) {
		if (field == VM_EXIT_INTERRUPTION_INFORMATION)
			say(" %s=none", name);
		return;
	}
	/* Bit 12, NMI unblocking due to IRET, is part of it. */
	say(" %s=%x", name, event);
	if (event & EVENT_ERROR_CODE)
		say(" error=%lx", vmread(error_field));
}

struct l2_frame *vm_l2_frame(void)
{
	if ((u16)vmread(EXIT_REASON) != REASON_VMCALL || vmread(GUEST_RIP) != (u64)l2_stub_vmcall)
		return NULL;
	return (struct l2_frame *)vmread(GUEST_RSP);
}

static void say_l2_interrupt(struct vm *vm, const struct l2_frame *frame)
{
	say("L2 took #%lu", frame->vector);
	if (frame->error_code)
		say("(%lx)", frame->error_code);
	if (frame->rip - vm->code < PAGE_SIZE)
		say(" from +%lu", frame->rip - vm->code);
	/* Bochs sets RF when an EPT violation, ours or of a hypervisor below, meets the delivery. */
	say(" rflags=%lx", frame->rflags & ~(u64)RFLAGS_RF);
}

void vm_say_exit(struct vm *vm)
{
	u32 reason = (u32)vmread(EXIT_REASON);
	u16 basic = (u16)reason;
	u64 says = basic < ARRAY_SIZE(reasons) ? reasons[basic].says : 0;
	const struct l2_frame *frame = vm_l2_frame();

	if (frame) {
		say_l2_interrupt(vm, frame);
		return;
	}
	say("%s(%u)", exit_reason_name(basic), (u32)basic);
	if (reason >> 16)
		say(" reason_high=%x", reason >> 16);
	if (says & QUALIFICATION || (says & DISPLACEMENT && has_memory_operand()))
		say(" qualification=%lx", defined_qualification(basic));
	if (says & LENGTH)
		say(" length=%lu", vmread(VM_EXIT_INSTRUCTION_LENGTH));
	if (says & INSTRUCTION_INFORMATION)
		say(" information=%lx", defined_information(basic));
	if (says & GUEST_PHYSICAL)
		say(" physical=%lx", vmread(GUEST_PHYSICAL_ADDRESS));
	if (says & INTERRUPTION)
		say_event("event", VM_EXIT_INTERRUPTION_INFORMATION,
			  VM_EXIT_INTERRUPTION_ERROR_CODE);
	if (!(reason & REASON_ENTRY_FAILURE))
		say_event("vectoring", IDT_VECTORING_INFORMATION, IDT_VECTORING_ERROR_CODE);
	say_rip(vm);
}

/* --- the whole of an exit --------------------------------------------------------- */

bool exit_has_length(u32 basic_reason)
{
	return basic_reason < ARRAY_SIZE(reasons) && reasons[basic_reason].says & LENGTH;
}

/* Where the image lies differs from run to run: addresses in L2's code, stack and tables are said as such. */
static void say_address(struct vm *vm, const char *name, u64 address)
{
	u64 tables = address - (u64)vm->tables, stub = address - (u64)l2_stubs;

	if (address - vm->code < PAGE_SIZE)
		say(" %s=code+%lx", name, address - vm->code);
	else if (vm->stack_top - address <= PAGE_SIZE)
		say(" %s=stack-%lx", name, vm->stack_top - address);
	else if (tables < sizeof(*vm->tables))
		say(" %s=tables+%lx", name, tables);
	else if (address == (u64)l2_stub_vmcall)
		say(" %s=handler of #%lu", name, ((struct l2_frame *)vmread(GUEST_RSP))->vector);
	else if (stub < 256 * L2_STUB_SIZE)
		say(" %s=handler #%lu", name, stub / L2_STUB_SIZE);
	else
		say(" %s=%lx", name, address);
}

/* SDM "Exit Qualification for EPT Violations", "Exit Qualification for Control-Register Accesses" and "for I/O Instructions". */
static bool has_linear_address(u16 basic, u64 qualification)
{
	switch (basic) {
	case 28: return (qualification >> 4 & 3) == 3 && qualification & BIT(6); /* LMSW of memory */
	case 30: return qualification & BIT(4);
	case 48: return qualification & BIT(7);
	default: return false;
	}
}

static bool string_information(u16 basic, u64 qualification)
{
	return basic == 30 && qualification & BIT(4) && rdmsr(IA32_VMX_BASIC) & BIT(54);
}

static u64 block_information(u16 basic, u64 qualification)
{
	u64 information = vmread(VM_EXIT_INSTRUCTION_INFORMATION);

	switch (basic) {
	case 30: return information & (qualification & BIT(3) ? 7ull << 7 : 7ull << 7 | 7ull << 15);
	case 57:
	case 61: return information & (0xfull << 3 | 3ull << 11);
	default: return defined_information(basic);
	}
}

static bool is_address(u16 basic)
{
	u32 event = (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION);

	return basic == 14 || (basic == 0 && (event & 0x7ff) == (EVENT_HARDWARE_EXCEPTION | VECTOR_PF));
}

/* INT n, INT3, INTO and INT1 tell their length: SDM "Information for VM Exits Due to Vectored Events", "During Event Delivery". */
static bool interruption_is_software(u16 basic)
{
	u32 event = (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION), vectoring = (u32)vmread(IDT_VECTORING_INFORMATION);
	u32 type = vectoring & EVENT_VALID ? vectoring >> 8 & 7 : event >> 8 & 7;

	return (vectoring & EVENT_VALID || (basic == 0 && event & EVENT_VALID)) && type >= 4 && type <= 6;
}

/* SDM "Information for VM Exits Due to Instruction Execution": CALL, JMP and IRET; a gate's by what led to it. */
static bool task_switch_has_length(u16 basic, u64 qualification)
{
	return basic == 9 && qualification >> 30 != 3;
}

static void say_information(struct vm *vm, u16 basic)
{
	u64 says = basic < ARRAY_SIZE(reasons) ? reasons[basic].says : 0;
	u64 qualification = defined_qualification(basic);

	if (is_address(basic))
		say_address(vm, "q", qualification);
	else if (!(says & DISPLACEMENT))
		say(" q=%lx", qualification);
	else if (has_memory_operand())
		say_address(vm, "q", qualification);
	say_event("event", VM_EXIT_INTERRUPTION_INFORMATION, VM_EXIT_INTERRUPTION_ERROR_CODE);
	say_event("vectoring", IDT_VECTORING_INFORMATION, IDT_VECTORING_ERROR_CODE);
	if (says & LENGTH || task_switch_has_length(basic, qualification) || interruption_is_software(basic))
		say(" length=%lu", vmread(VM_EXIT_INSTRUCTION_LENGTH));
	if (says & (INSTRUCTION_INFORMATION | OTHER_FORM) || string_information(basic, qualification))
		say(" information=%lx", block_information(basic, qualification));
	if (says & GUEST_PHYSICAL)
		say_address(vm, "physical", vmread(GUEST_PHYSICAL_ADDRESS));
	if (says & LINEAR && has_linear_address(basic, qualification))
		say_address(vm, "linear", vmread(GUEST_LINEAR_ADDRESS));
}

void vm_say_block(struct vm *vm)
{
	u32 reason = (u32)vmread(EXIT_REASON);
	u16 basic = (u16)reason;

	say("%s(%u)", exit_reason_name(basic), (u32)basic);
	if (reason >> 16) {
		say(" reason_high=%x q=%lx", reason >> 16, vmread(EXIT_QUALIFICATION));
		return;
	}
	say_information(vm, basic);
	say_address(vm, "rip", vmread(GUEST_RIP));
	say(" rflags=%lx blocking=%lx activity=%lu pending=%lx injection=%u", vmread(GUEST_RFLAGS),
	    vmread(GUEST_INTERRUPTIBILITY_STATE), vmread(GUEST_ACTIVITY_STATE), vmread(GUEST_PENDING_DEBUG_EXCEPTIONS),
	    !!(vmread(VM_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID));
}
