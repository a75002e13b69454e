/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupts: requesting and in-service vectors, EOI and its exits,
 * self-IPIs, posted interrupts, and the registers by memory and by MSR. SDM
 * "APIC Virtualization and Virtual Interrupts". apic.c has the simple cases.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define APIC_ADDRESS (TEST_ADDRESS + (16 << 20))
#define VTPR 0x80
#define VPPR 0xa0
#define VEOI 0xb0
#define VISR 0x100
#define VIRR 0x200
#define ICR_LOW 0x300
#define ICR_HIGH 0x310
#define X2APIC_ID 0x802
#define X2APIC_TPR 0x808
#define X2APIC_EOI 0x80b
#define X2APIC_ICR 0x830
#define X2APIC_SELF_IPI 0x83f
#define SHORTHAND_SELF (1u << 18)
#define NOTIFICATION 0xe0

#define LOW 0x51
#define MIDDLE 0x61
#define HIGH 0x81

static u32 *page; /* the virtual-APIC page */

static void set_vector(u32 base, u8 vector)
{
	page[(base + vector / 32 * 16u) / 4] |= 1u << (vector & 31);
}

static u32 has_vector(u32 base, u8 vector)
{
	return page[(base + vector / 32 * 16u) / 4] >> (vector & 31) & 1;
}

static void say_vectors(void)
{
	say(" status=%lx vppr=%x isr=%u%u%u irr=%u%u%u; ", vmread(GUEST_INTERRUPT_STATUS), page[VPPR / 4] & 0xff,
	    has_vector(VISR, LOW), has_vector(VISR, MIDDLE), has_vector(VISR, HIGH), has_vector(VIRR, LOW),
	    has_vector(VIRR, MIDDLE), has_vector(VIRR, HIGH));
}

static struct vm *create(const u8 *code, u64 proc2)
{
	struct vm *vm = vm_create(code);

	page = page_alloc();
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)page);
	vmwrite(TPR_THRESHOLD, 0);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vm_set_secondary(proc2);
	vm->gpr[RSI] = APIC_ADDRESS;
	if (proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES) {
		u64 access = (u64)page_alloc();

		vmwrite(APIC_ACCESS_ADDRESS, access);
		*ept_entry(vm->ept, APIC_ADDRESS, 1) = access | EPT_RWX | EPT_MEMORY_TYPE_WB;
	}
	return vm;
}

/* Each vector once by injection, so that an L0 has mapped all pages: see apic.c. */
static void touch_delivery_pages(struct vm *vm)
{
	static const u8 vectors[] = { LOW, MIDDLE, HIGH };

	vmwrite(EXCEPTION_BITMAP, 0);
	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		vm_restart(vm, l2_nops);
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vm_inject(EVENT_EXTERNAL_INTERRUPT | vectors[i], 0, 0);
		vm_run(vm);
		vm_skip(vm);
		vm_run(vm);
	}
}

/* Ready for virtual interrupts, with IF set. */
static struct vm *create_delivery(const u8 *code, u64 proc2)
{
	struct vm *vm = create(code, proc2);

	touch_delivery_pages(vm);
	vm_set_secondary(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	for (u32 i = 0; i < 4; i++)
		vmwrite(EOI_EXIT_BITMAP_0 + i * 2, 0);
	vmwrite(GUEST_INTERRUPT_STATUS, 0);
	vm_restart(vm, code);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm->gpr[RSI] = APIC_ADDRESS;
	return vm;
}

static void request(u8 vector)
{
	set_vector(VIRR, vector);
	if ((vmread(GUEST_INTERRUPT_STATUS) & 0xff) < vector)
		vmwrite(GUEST_INTERRUPT_STATUS, (vmread(GUEST_INTERRUPT_STATUS) & 0xff00) | vector);
}

static bool has_delivery(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW) && proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

static bool has_registers(void)
{
	return has_delivery() && proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_APIC_REGISTER_VIRTUALIZATION);
}

static bool has_x2apic(void)
{
	return has_delivery() && proc2_offers(PROC2_VIRTUALIZE_X2APIC_MODE | PROC2_APIC_REGISTER_VIRTUALIZATION);
}

static bool has_posting(void)
{
	return has_registers() && pin_offers(PIN_PROCESS_POSTED_INTERRUPTS);
}

#define BY_MEMORY (PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_APIC_REGISTER_VIRTUALIZATION)
#define BY_MSR (PROC2_VIRTUALIZE_X2APIC_MODE | PROC2_APIC_REGISTER_VIRTUALIZATION)

/*
 * Expect: the higher vector first; the lower one waits for its EOI, which
 * exits because the bitmap says so, and is then taken without an exit.
 */
static void nested_vectors(void)
{
	struct vm *vm = create_delivery(l2_apic_eoi, BY_MEMORY);

	vmwrite(EOI_EXIT_BITMAP_0 + HIGH / 64 * 2, 1ull << (HIGH % 64));
	request(MIDDLE);
	request(HIGH);
	vm_step(vm);
	say_vectors();
	vm_skip(vm);
	vm_step(vm);
	say_vectors();
	vm_step(vm);
	say_vectors();
	vm_skip(vm);
	vm_step(vm);
	say_vectors();
}

/* Expect: an EOI whose bit is clear does not exit; what was in service below comes back. */
static void eoi_without_exit(void)
{
	struct vm *vm = create_delivery(l2_apic_eoi, BY_MEMORY);

	set_vector(VISR, LOW);
	set_vector(VISR, HIGH);
	vmwrite(GUEST_INTERRUPT_STATUS, HIGH << 8);
	page[VEOI / 4] = 7;
	vm_step(vm);
	say_vectors();
	say("eoi=%u", page[VEOI / 4]);
}

/* Expect: the task priority holds the vector back until L2 lowers it. */
static void task_priority(void)
{
	struct vm *vm = create_delivery(l2_cr8, 0);

	page[VTPR / 4] = 0x70;
	request(MIDDLE);
	vm->gpr[RAX] = 3;
	vm_step(vm);
	say_vectors();
	vm_skip(vm);
	vm_step(vm);
	say(" r10=%lu", vm->gpr[R10]);
}

/* Expect: not taken with IF clear, then behind the instruction after STI. */
static void blocked(void)
{
	struct vm *vm = create_delivery(l2_nops, 0);

	vm_clear(GUEST_RFLAGS, RFLAGS_IF);
	request(LOW);
	vm_step(vm);
	say_vectors();
	vm_restart(vm, l2_sti_nops);
	vm_step(vm);
	say_vectors();
}

/* Expect: interrupt-window exiting comes first; nothing is lost by it. */
static void window_first(void)
{
	struct vm *vm = create_delivery(l2_nops, 0);

	request(LOW);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_step(vm);
	say_vectors();
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	vm_step(vm);
	say_vectors();
}

/* Expect: L2 interrupts itself without an exit; other commands exit after the write. */
static void self_interrupt(void)
{
	struct vm *vm = create_delivery(l2_apic_command, BY_MEMORY);

	vm->gpr[RAX] = SHORTHAND_SELF | HIGH;
	vm_step(vm);
	say_vectors();
	vm_restart(vm, l2_apic_command);
	vm->gpr[RSI] = APIC_ADDRESS;
	vm->gpr[RAX] = HIGH;
	vm_step(vm);
	say(" icr=%x; ", page[ICR_LOW / 4]);
	vm_restart(vm, l2_apic_command_high);
	vm->gpr[RSI] = APIC_ADDRESS;
	vm->gpr[RAX] = 0x1234567;
	vm_step(vm);
	say(" icr_high=%x", page[ICR_HIGH / 4]);
}

/* Expect: an access of 8 bytes is not virtualized. */
static void wide_access(void)
{
	vm_step(create(l2_apic_wide, BY_MEMORY));
}

/*
 * SDM "Checks on VMX Controls": VTPR may not be below the threshold at VM
 * entry, but with "virtualize APIC accesses" it may, and exits at once.
 */
static void threshold_at_entry(void)
{
	struct vm *vm = create(l2_nops, 0);

	page[VTPR / 4] = 0x30;
	vmwrite(TPR_THRESHOLD, 4);
	vm_run(vm);
	say("; ");
	vmwrite(TPR_THRESHOLD, 3);
	vm_step(vm);
	vm = create(l2_nops, PROC2_VIRTUALIZE_APIC_ACCESSES);
	page[VTPR / 4] = 0x30;
	vmwrite(TPR_THRESHOLD, 4);
	say("; ");
	vm_step(vm);
	vmwrite(TPR_THRESHOLD, 3);
	say("; ");
	vm_step(vm);
}

static bool has_accesses(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW) && proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES);
}

/* Lets all MSRs of an x2APIC through. */
static void open_msrs(struct vm *vm)
{
	memset((u8 *)vm->msr_bitmap + X2APIC_ID / 8, 0, 32);
	memset((u8 *)vm->msr_bitmap + 2048 + X2APIC_ID / 8, 0, 32);
}

static void write_msr(struct vm *vm, u32 msr, u64 value)
{
	vm_restart(vm, l2_x2apic_write);
	vm->gpr[RCX] = msr;
	vm->gpr[RAX] = (u32)value;
	vm->gpr[RDX] = value >> 32;
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_step(vm);
}

/* Expect: registers are read from the page, the command register with both halves. */
static void x2apic_registers(void)
{
	static const u32 msrs[] = { X2APIC_ID, X2APIC_TPR, X2APIC_ICR };
	struct vm *vm = create(l2_rdmsr, BY_MSR);

	open_msrs(vm);
	page[0x20 / 4] = 0x55;
	page[VTPR / 4] = 0x40;
	page[ICR_LOW / 4] = 0x1234;
	page[ICR_LOW / 4 + 1] = 0x5678;
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		vm_restart(vm, l2_rdmsr);
		vm->gpr[RCX] = msrs[i];
		vm_step(vm);
		say(" %lx:%lx; ", vm->gpr[RDX], vm->gpr[RAX]);
	}
}

/* Expect: self-IPI, EOI with its exit, and #GP for reserved bits, all by MSR. */
static void x2apic_delivery(void)
{
	struct vm *vm = create_delivery(l2_x2apic_write, BY_MSR);

	open_msrs(vm);
	vmwrite(EXCEPTION_BITMAP, 1u << VECTOR_GP);
	vmwrite(EOI_EXIT_BITMAP_0 + HIGH / 64 * 2, 1ull << (HIGH % 64));
	write_msr(vm, X2APIC_SELF_IPI, HIGH);
	say_vectors();
	write_msr(vm, X2APIC_EOI, 0);
	say_vectors();
	write_msr(vm, X2APIC_TPR, 0x20);
	say(" vtpr=%x; ", page[VTPR / 4]);
	write_msr(vm, X2APIC_TPR, 0x120);
	say("; ");
	write_msr(vm, X2APIC_EOI, 1);
	say("; ");
	write_msr(vm, X2APIC_SELF_IPI, 0x100 | HIGH);
}

static u64 *posted; /* 64 bytes: requests in the first four words, then the outstanding flag */

static struct vm *create_posting(const u8 *code)
{
	struct vm *vm = create_delivery(code, BY_MEMORY);

	posted = page_alloc();
	vmwrite(POSTED_INTERRUPT_DESCRIPTOR, (u64)posted);
	vmwrite(POSTED_INTERRUPT_NOTIFICATION_VECTOR, NOTIFICATION);
	vm_set(PIN_BASED_CONTROLS, PIN_PROCESS_POSTED_INTERRUPTS);
	traps_reset();
	return vm;
}

static void post(u8 vector)
{
	posted[vector / 64] |= 1ull << (vector % 64);
	posted[4] |= 1;
}

static void say_posted(void)
{
	say("posted=%lx%lx outstanding=%lu", posted[1], posted[2], posted[4] & 1);
	apic_end_of_interrupt();
	say(" left for L1: %u; ", traps_count(NOTIFICATION));
}

/* Where exactly a request arrives that came with a notification is the processor's choice. */
static void run_to_frame(struct vm *vm)
{
	vm_run(vm);
	say("%s frame=%lx", exit_reason_name(vm->basic_reason), vm_l2_frame() ? vm_l2_frame()->vector : 0);
}

/* Expect: a notification that waits at VM entry hands all requests to L2, without an exit. */
static void posted_before_entry(void)
{
	struct vm *vm = create_posting(l2_nops);

	post(MIDDLE);
	post(HIGH);
	apic_self_interrupt(NOTIFICATION);
	run_to_frame(vm);
	say_vectors();
	say_posted();
	page[(VISR + HIGH / 32 * 16) / 4] = 0;
	vmwrite(GUEST_INTERRUPT_STATUS, MIDDLE);
	vm_skip(vm);
	run_to_frame(vm);
	say_vectors();
}

/* Expect: the same for one that comes while L2 runs; another vector still exits. */
static void posted_to_running(void)
{
	struct vm *vm = create_posting(l2_spin);

	start_timer_behind_entry(vm, NOTIFICATION);
	post(LOW);
	run_to_frame(vm);
	say(" ran=%u", vm->gpr[RBX] > 0);
	say_vectors();
	say_posted();
	vm_skip(vm);
	apic_self_interrupt(0x70);
	vm_run(vm);
	apic_end_of_interrupt();
	say("%s event=%lx", exit_reason_name(vm->basic_reason), vmread(VM_EXIT_INTERRUPTION_INFORMATION));
}

SCENARIOS(virtual_apic_scenarios,
	{ "virtual_apic.nested_vectors", nested_vectors,
	  "L2 took #129 from +0 rflags=0x202 status=0x8161 vppr=0x80 isr=001 irr=010; "
	  "VIRTUALIZED_EOI(45) qualification=0x81 rip=+11 status=0x61 vppr=0 isr=000 irr=010; "
	  "L2 took #97 from +11 rflags=0x202 status=0x6100 vppr=0x60 isr=010 irr=000; "
	  "VMCALL(18) length=3 rip=+12 status=0x6100 vppr=0x60 isr=010 irr=000; ", has_registers },
	{ "virtual_apic.eoi_without_exit", eoi_without_exit,
	  "VMCALL(18) length=3 rip=+12 status=0x5100 vppr=0x50 isr=100 irr=000; eoi=0", has_registers },
	{ "virtual_apic.task_priority", task_priority,
	  "L2 took #97 from +4 rflags=0x202 status=0x6100 vppr=0x60 isr=010 irr=000; "
	  "VMCALL(18) length=3 rip=+8 r10=3", has_delivery },
	{ "virtual_apic.blocked", blocked,
	  "VMCALL(18) length=3 rip=+3 status=0x51 vppr=0 isr=000 irr=100; "
	  "L2 took #81 from +2 rflags=0x202 status=0x5100 vppr=0x50 isr=100 irr=000; ", has_delivery },
	{ "virtual_apic.window_first", window_first,
	  "INTERRUPT_WINDOW(7) rip=+0 status=0x51 vppr=0 isr=000 irr=100; "
	  "L2 took #81 from +0 rflags=0x202 status=0x5100 vppr=0x50 isr=100 irr=000; ", has_delivery },
	{ "virtual_apic.self_interrupt", self_interrupt,
	  "L2 took #129 from +6 rflags=0x202 status=0x8100 vppr=0x80 isr=001 irr=000; "
	  "APIC_WRITE(56) qualification=0x300 rip=+6 icr=0x81; VMCALL(18) length=3 rip=+12 icr_high=0x1000000", has_registers },
	{ "virtual_apic.wide_access", wide_access,
	  "APIC_ACCESS(44) qualification=0x80 rip=+0", has_registers },
	{ "virtual_apic.threshold_at_entry", threshold_at_entry,
	  "entry: VMfailValid 7; VMCALL(18) length=3 rip=+3; TPR_BELOW_THRESHOLD(43) rip=+0; "
	  "VMCALL(18) length=3 rip=+3", has_accesses },
	{ "virtual_apic.x2apic_registers", x2apic_registers,
	  "VMCALL(18) length=3 rip=+2 0:0x55; VMCALL(18) length=3 rip=+2 0:0x40; "
	  "VMCALL(18) length=3 rip=+2 0x5678:0x1234; ", has_x2apic },
	{ "virtual_apic.x2apic_delivery", x2apic_delivery,
	  "L2 took #129 from +2 rflags=0x202 status=0x8100 vppr=0x80 isr=001 irr=000; "
	  "VIRTUALIZED_EOI(45) qualification=0x81 rip=+2 status=0 vppr=0 isr=000 irr=000; "
	  "VMCALL(18) length=3 rip=+3 vtpr=0x20; EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+0; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+0; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+0", has_x2apic },
	{ "virtual_apic.posted_before_entry", posted_before_entry,
	  "VMCALL frame=0x81 status=0x8161 vppr=0x80 isr=001 irr=010; posted=00 outstanding=0 left for L1: 0; "
	  "VMCALL frame=0x61 status=0x6100 vppr=0x60 isr=010 irr=000; ", has_posting },
	{ "virtual_apic.posted_to_running", posted_to_running,
	  "VMCALL frame=0x51 ran=1 status=0x5100 vppr=0x50 isr=100 irr=000; posted=00 outstanding=0 left for L1: 0; "
	  "EXTERNAL_INTERRUPT event=0x80000070", has_posting },
);
