/* SPDX-License-Identifier: MIT */
/* Bring-up of L0 on the model, and one exit after another: see tests/model/model.h. */
#include "tests/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86.h"
#include "boot/root/machine.h"
#include "boot/root/vmcs01.h"
#include "tests/model/loop.h"
#include "vmx/nested/vmcs12.h"

struct model model;
u64 model_hide;
u8 model_monitor_key;

struct percpu *percpu(void)
{
	return &model.cpu;
}

/* Identity, by pages of 1 GB. */
static void make_l1_paging(void)
{
	u64 *pml4 = l1_pointer(L1_PAGING), *pdpt = l1_pointer(L1_PAGING + PAGE_SIZE);

	pml4[0] = (L1_PAGING + PAGE_SIZE) | 7;
	for (u64 i = 0; i < 4; i++)
		pdpt[i] = i << 30 | 0x87;
}

static struct segment segment(u16 selector, u32 limit, u32 access_rights)
{
	return (struct segment){ .selector = selector, .limit = limit, .access_rights = access_rights };
}

/* L1 as the firmware leaves it: 64-bit mode, flat. */
static struct firmware_state l1_at_launch(void)
{
	const struct segment data = segment(0x10, UINT32_MAX, 0xc093);

	return (struct firmware_state){
		.frame = { .rflags = RFLAGS_FIXED, .return_address = 0x400000 },
		.rsp = 0x300000,
		.cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE, .cr3 = L1_PAGING, .cr4 = CR4_PAE,
		.dr7 = DR7_FIXED,
		.es = data, .ss = data, .ds = data, .fs = data, .gs = data, .cs = segment(8, UINT32_MAX, 0xa09b),
		.ldtr = segment(0, 0, 0x10000), .tr = segment(0x18, 0x67, 0x8b),
		.gdtr = { 0xff, 0x7000 }, .idtr = { 0xfff, 0x7100 },
		.efer = EFER_LMA | EFER_LME | EFER_NXE, .pat = UINT64_C(0x0007040600070406),
	};
}

static void forget_world(void)
{
	/* The counters and lines are not worth the time, but what decides something is. */
	memset(&model.vcpu, 0, sizeof(model.vcpu));
	memset(&model.cpu, 0, sizeof(model.cpu));
	memset(&model.handoff, 0, sizeof(model.handoff));
	if (model.machine)
		memset(model.machine, 0, sizeof(*model.machine));
	model.apic_disabled = model.panicked = false;
	model.ended = NULL;
	model.line_count = 0;
	model.show_console = getenv("MODEL_SHOW") != NULL;
}

static void make_handoff(bool sleep_ports)
{
	model.handoff.block_base = FAKE_BLOCK_BASE;
	model.handoff.block_size = FAKE_BLOCK_SIZE;
	model.handoff.cpu_count = 1;
	model.handoff.show_cpuid_leaves = 1;
	model.handoff.show_refusals = 1;
	model.handoff.use_vmcs_shadowing = 1;
	model.handoff.hide = model_hide;
	if (model_monitor_key) {
		model.handoff.monitor_key = model_monitor_key;
		model.handoff.console.uart = (struct handoff_uart){
			.base = MODEL_UART, .kind = CONSOLE_PORT_16550, .stride = 1, .width = 1,
		};
	}
	if (!sleep_ports)
		return;
	model.handoff.sleep_port_count = 1;
	model.handoff.sleep_ports[0] = (struct handoff_sleep_port){ .port = 0x405, .allowed = 0x21 };
}

bool model_boot_with(const struct vmx_caps *caps, bool sleep_ports, u64 pages)
{
	const struct firmware_state state = l1_at_launch();
	struct vcpu *vcpu = &model.vcpu;

	fake_memory_reset();
	fake_memory_limit(pages);
	forget_world();
	processor_reset(caps);
	make_handoff(sleep_ports);
	make_l1_paging();
	model.cpu.self = &model.cpu;
	model.cpu.vcpu = vcpu;
	model.cpu.handoff = &model.handoff;
	vcpu->cpu = &model.cpu;
	if (machine_prepare(&model.handoff, &vcpu->machine) != LAUNCH_OK)
		return false;
	model.machine = vcpu->machine;
	if (vmcs01_build(vcpu, &state) != LAUNCH_OK || !nested_init(vcpu))
		return false;
	vmcs_load(&vcpu->vmcs01);
	return loop_first(vcpu);
}

bool model_boot(const struct vmx_caps *caps, bool sleep_ports)
{
	return model_boot_with(caps, sleep_ports, FAKE_BLOCK_SIZE / PAGE_SIZE);
}

bool model_exit(const struct model_exit *exit)
{
	if (model.show_console)
		fprintf(stderr, "%s exits: %s, qualification 0x%lx\n", model_in_l2() ? "L2" : "L1", exit_name(exit->reason),
			exit->qualification);
	if (model.ended)
		return false;
	if (setjmp(model.end))
		return false;
	processor_exit(exit);
	loop_turn(&model.vcpu);
	if (model.vcpu.nested->slow & SLOW_ABORTED)
		model.ended = "VMX abort";
	return model.ended == NULL;
}

bool model_exit_for(u32 reason, u64 qualification)
{
	return model_exit(&(struct model_exit){ .reason = reason, .qualification = qualification, .length = 3 });
}
