/* SPDX-License-Identifier: MIT */
/*
 * One CPU's way from the firmware's world into L0's and back down as L1: the
 * first page of the book. entry.asm calls root_main() on L0's stack. Returns
 * only if the launch failed, with the firmware's world put back.
 */
#include "boot/handoff.h"
#include "boot/root/host_cpu.h"
#include "boot/root/machine.h"
#include "boot/root/main.h"
#include "boot/root/prepare.h"
#include "boot/root/screen_output.h"
#include "boot/root/self_test.h"
#include "boot/root/stop_cpus.h"
#include "boot/root/vmcs01.h"
#include "boot/root/vmx_root.h"
#include "arch/once.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "drivers/panic.h"
#include "mm/page_alloc.h"
#include "monitor/pause.h"
#include "monitor/session.h"
#include "vmx/ept01.h"
#include "vmx/nested/nested.h"
#include "vmx/run.h"
#include "vmx/shutdown.h"
#include "vmx/trace_exits.h"
#include "vmx/vcpu_dump.h"

static void reset_after_panic(void)
{
	shutdown("panic = reset");
}

/* The first CPU to come opens the console for all. */
static void open_console(const struct handoff *handoff)
{
	static struct once opened;

	if (!once_begin(&opened))
		return;
	console_keep((struct log_ring *)(uintptr_t)handoff->block_base);
	console_init(&handoff->console, (enum log_level)handoff->log_level);
	panic_set_stopper(stop_other_cpus);
	if (handoff->reset_after_panic)
		panic_set_last_act(reset_after_panic);
	panic_register_dumper(vcpu_dump);
	panic_register_dumper(trace_dump_last);
	log_debug("block 0x%lx-0x%lx, image of %lu KB", handoff->block_base, handoff->block_base + handoff->block_size - 1,
		  handoff->image_size >> 10);
	once_end(&opened);
}

/* In VMX root operation: make the virtual machine around the caller's state and run it. */
static enum launch_status run_caller_as_guest(struct cpu_area *area)
{
	struct vcpu *vcpu = &area->vcpu;
	enum launch_status status = vmcs01_build(vcpu, &area->firmware);

	if (status != LAUNCH_OK)
		return status;
	if (!nested_init(vcpu) || !trace_prepare(vcpu))
		return LAUNCH_NO_MEMORY;
	self_test(area);
	log_info("running the firmware as L1; %lu KB of L0's memory are left", page_alloc_remaining() >> 10);
	vcpu->machine->stop_point = session_stop_point;
	pause_add(vcpu);
	status = vcpu_run(vcpu);
	pause_remove(vcpu);
	return status;
}

static enum launch_status launch(struct cpu_area *area, const struct handoff *handoff)
{
	enum launch_status status = machine_prepare(handoff, &area->vcpu.machine);

	if (status != LAUNCH_OK)
		return status;
	area->vcpu.cpu = &area->cpu;
	ept01_compare_mtrrs(area->vcpu.machine->ept01);
	status = vmx_root_enter(area);
	if (status != LAUNCH_OK)
		return status;
	stop_cpus_note(true);
	status = run_caller_as_guest(area);
	stop_cpus_note(false);
	vmx_root_leave();
	return status;
}

u64 root_main(const struct handoff *handoff, u32 cpu_index, const struct launch_frame *frame)
{
	struct cpu_area *area = root_cpu_area(cpu_index);
	enum launch_status status;

	firmware_state_capture(&area->firmware, frame);
	host_cpu_enter(area);
	open_console(handoff);
	host_cpu_switch_paging(root_cr3(area->firmware.cr4 & CR4_LA57));
	root_open_direct_map(handoff);
	screen_output_open(handoff);
	status = launch(area, handoff);
	firmware_state_restore(&area->firmware);
	return status;
}
