/* SPDX-License-Identifier: MIT */
/*
 * L0's exception handling: see boot/root/host_traps.h. An NMI is noted for L1
 * and nothing more, as it may come at any instruction, with locks held.
 */
#include "boot/root/host_traps.h"

#include "arch/descriptors.h"
#include "arch/once.h"
#include "arch/ops.h"
#include "arch/x86.h"
#include "boot/root/host_cpu.h"
#include "drivers/console.h"
#include "drivers/mca_dump.h"
#include "drivers/panic.h"

extern hidden const u64 vector_stubs[HOST_VECTORS];	/* vectors.asm */
extern hidden const struct fixup fixup_table_start[], fixup_table_end[];
extern hidden const u8 vcpu_enter_window[], vcpu_enter_window_end[], vcpu_enter_nmi[];
extern hidden const u8 vcpu_quick_window[], vcpu_quick_window_end[], vcpu_quick_nmi[];

/* Written by the first CPU: to others that are at work an NMI may come at any time. */
static struct gate idt[HOST_VECTORS];

static u8 ist_of(u32 vector)
{
	switch (vector) {
	case VECTOR_DF:
		return IST_DOUBLE_FAULT + 1;
	case VECTOR_NMI:
		return IST_NMI + 1;
	case VECTOR_MC:
		return IST_MACHINE_CHECK + 1;
	default:
		return 0;
	}
}

static void fill_idt(void)
{
	for (u32 vector = 0; vector < HOST_VECTORS; vector++) {
		u64 stub = vector_stubs[vector];

		idt[vector] = (struct gate){
			.offset_low = (u16)stub, .offset_middle = (u16)(stub >> 16), .offset_high = (u32)(stub >> 32),
			.selector = SELECTOR_CODE, .ist = ist_of(vector), .type = GATE_INTERRUPT,
		};
	}
}

void host_traps_load(void)
{
	static struct once filled;
	const struct descriptor_register idtr = { sizeof(idt) - 1, (u64)(uintptr_t)idt };

	if (once_begin(&filled)) {
		fill_idt();
		once_end(&filled);
	}
	lidt(&idtr);
}

static bool fix_up(struct trap_frame *frame)
{
	for (const struct fixup *fixup = fixup_table_start; fixup < fixup_table_end; fixup++) {
		if (frame->rip != (u64)(uintptr_t)&fixup->instruction + (u64)(s64)fixup->instruction)
			continue;
		frame->rip = (u64)(uintptr_t)&fixup->target + (u64)(s64)fixup->target;
		return true;
	}
	return false;
}

/* Whoever was about to enter the guest must not: it would keep the NMI from it until the next exit. */
static void take_nmi(struct trap_frame *frame)
{
	percpu()->nmi_pending = 1;
	if (frame->rip >= (u64)(uintptr_t)vcpu_enter_window && frame->rip < (u64)(uintptr_t)vcpu_enter_window_end)
		frame->rip = (u64)(uintptr_t)vcpu_enter_nmi;
	if (frame->rip >= (u64)(uintptr_t)vcpu_quick_window && frame->rip < (u64)(uintptr_t)vcpu_quick_window_end)
		frame->rip = (u64)(uintptr_t)vcpu_quick_nmi;
}

static void print_frame(const struct trap_frame *frame)
{
	static const char *const names[REG_COUNT] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
		"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"
	};

	for (u32 i = 0; i < REG_COUNT; i += 4)
		log_error("  %-3s %016lx  %-3s %016lx  %-3s %016lx  %-3s %016lx",
			  names[i], i == REG_RSP ? frame->rsp : frame->regs.gpr[i], names[i + 1], frame->regs.gpr[i + 1],
			  names[i + 2], frame->regs.gpr[i + 2], names[i + 3], frame->regs.gpr[i + 3]);
	log_error("  RIP %016lx  RFLAGS %lx  CS %lx  SS %lx", frame->rip, frame->rflags, frame->cs, frame->ss);
	log_error("  CR0 %lx  CR2 %lx  CR3 %lx  CR4 %lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

static const char *name_of(u64 vector)
{
	static const char *const names[] = {
		[VECTOR_DE] = "#DE", [VECTOR_DB] = "#DB", [VECTOR_BP] = "#BP", [VECTOR_UD] = "#UD", [VECTOR_NM] = "#NM",
		[VECTOR_DF] = "#DF", [VECTOR_TS] = "#TS", [VECTOR_NP] = "#NP", [VECTOR_SS] = "#SS", [VECTOR_GP] = "#GP",
		[VECTOR_PF] = "#PF", [VECTOR_AC] = "#AC", [VECTOR_MC] = "#MC",
	};

	return vector < array_size(names) && names[vector] != NULL ? names[vector] : "unexpected";
}

/*
 * On a stack of its own, with any lock held by whom it interrupted; never returns,
 * so it need not clear IA32_MCG_STATUS.MCIP, and one more machine check here resets
 * the machine. SDM "Machine-Check Exception Handler".
 */
static noreturn void machine_check(const struct trap_frame *frame)
{
	struct mca_state state;

	mca_read(&state);
	mca_print(&state, "in L0 itself");
	print_frame(frame);
	panic("machine check at image offset 0x%lx", frame->rip - percpu()->handoff->image_base);
}

void host_trap(struct trap_frame *frame)
{
	if (frame->vector == VECTOR_NMI) {
		take_nmi(frame);
		return;
	}
	if (frame->vector == VECTOR_MC)
		machine_check(frame);
	if ((frame->vector == VECTOR_GP || frame->vector == VECTOR_UD) && fix_up(frame))
		return;
	log_error("exception %lu (%s), error code 0x%lx, in L0 itself:", frame->vector, name_of(frame->vector),
		  frame->error_code);
	print_frame(frame);
	panic("exception %lu (%s) at image offset 0x%lx", frame->vector, name_of(frame->vector),
	      frame->rip - percpu()->handoff->image_base);
}
