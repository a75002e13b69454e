/* SPDX-License-Identifier: MIT */
/*
 * L0 on the model of the processor, one CPU, from bring-up to what L1 and L2 do,
 * one exit after another. L1 is a 64-bit hypervisor whose VMX instructions are the
 * functions l1_*(); L2 is whatever the test says happens. After each call either L1 or L2
 * "runs": its registers are the guest state of the VMCS that is current.
 */
#pragma once

#include <setjmp.h>

#include "boot/handoff.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/model/processor.h"
#include "vmx/nested/nested.h"

#define MODEL_LINES 16
#define MODEL_LINE 260

/* Places in L1's memory. */
#define L1_PAGING UINT64_C(0x1000)	/* two pages */
#define L1_OPERAND UINT64_C(0x5000)	/* memory operands of its instructions */
#define L1_VMXON UINT64_C(0x6000)
#define L1_REGION(n) (UINT64_C(0x800000) + (n) * UINT64_C(0x1000))

struct model {
	struct percpu cpu;
	struct vcpu vcpu;
	struct handoff handoff;
	struct machine *machine;
	bool apic_disabled;
	u8 uart[8];
	bool may_panic, panicked;
	jmp_buf end;
	const char *ended;		/* why the machine is no more, or NULL */
	bool show_console;		/* the environment has MODEL_SHOW: L0's lines and all exits on stderr */
	char lines[MODEL_LINES][MODEL_LINE];
	u32 line_count;
	u64 next_rip;			/* of L1's instruction under way */
};

extern struct model model;
/* What the configuration hides from L1, for the machines booted from now on: rows of boot/hide.def. */
extern u64 model_hide;
/* A UART at MODEL_UART for the machines booted from now on, with the key for the monitor; 0: none. It answers what model.uart says. */
extern u8 model_monitor_key;
#define MODEL_UART 0x3f8

/* Brings L0 up on such a processor; L1 runs afterwards. False: L0 refused. `sleep_ports`: L0 watches a port. */
bool model_boot(const struct vmx_caps *caps, bool sleep_ports);
/* The same with so many pages in L0's block. */
bool model_boot_with(const struct vmx_caps *caps, bool sleep_ports, u64 pages);

/* Whoever runs exits; L0 works until a guest runs again. False: the machine has ended. */
bool model_exit(const struct model_exit *exit);
/* The same for instructions and events that have little to tell. */
bool model_exit_for(u32 reason, u64 qualification);

void model_end(const char *why);
bool model_said(const char *text);
static inline bool model_in_l2(void)
{
	return nested_in_l2(&model.vcpu);
}

/* --- L1's instructions ------------------------------------------------------------ */

enum l1_outcome { L1_OK, L1_FAIL_INVALID, L1_FAIL_VALID, L1_FAULT, L1_IN_L2, L1_EXITED, L1_ENDED };

/* How an instruction ended for L1: VM exits at once (refused guest state) are L1_EXITED. */
struct l1_result {
	enum l1_outcome outcome;
	u8 vector;		/* L1_FAULT */
	u32 error;		/* L1_FAIL_VALID: the VM-instruction error; L1_FAULT: the error code */
};

struct l1_result l1_vmxon(u64 pointer);
struct l1_result l1_vmxoff(void);
struct l1_result l1_vmclear(u64 pointer);
struct l1_result l1_vmptrld(u64 pointer);
struct l1_result l1_vmptrst(u64 *pointer);
struct l1_result l1_vmread(u64 encoding, u64 *value);
struct l1_result l1_vmwrite(u64 encoding, u64 value);
/* The same with a memory operand. */
struct l1_result l1_vmread_to_memory(u64 encoding, u64 *value);
struct l1_result l1_vmwrite_from_memory(u64 encoding, u64 value);
struct l1_result l1_vmlaunch(void);
struct l1_result l1_vmresume(void);
struct l1_result l1_invept(u64 type, u64 eptp, u64 reserved);
struct l1_result l1_invvpid(u64 type, u64 vpid, u64 address);
struct l1_result l1_vmcall(void);

static inline u64 l1_get(vmcs_field field)
{
	u64 value = 0;

	return l1_vmread(field.encoding, &value).outcome == L1_OK ? value : ~UINT64_C(0);
}

/* L1's memory. */
void *l1_pointer(u64 address);
/* A region with the right revision, everything else zero. */
void l1_make_region(u64 address);
/* VMXON, and a vmcs12 at region `n` that is current and written field by field from `vmcs12`. */
void l1_start(u32 n, const struct vmcs12 *vmcs12);
void l1_write_all(const struct vmcs12 *vmcs12);
