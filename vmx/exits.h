/* SPDX-License-Identifier: MIT */
/* The handlers that L0 has for exits that are its own, by reason. */
#pragma once

#include "vmx/exit.h"
#include "vmx/vcpu.h"

typedef void exit_handler(struct vcpu *vcpu, const struct vm_exit *exit);

/* Calls the handler of exits.def; a reason without one is an undefined opcode. */
void exits_dispatch(struct vcpu *vcpu, const struct vm_exit *exit);

/* One declaration for each name in the table; the functions are in handle_*.c. */
exit_handler handle_exception_or_nmi, handle_triple_fault, handle_init_signal, handle_sipi, handle_nmi_window, handle_cpuid,
	handle_getsec, handle_invd, handle_undefined_opcode, handle_vmcall, handle_vmclear, handle_vmlaunch, handle_vmptrld,
	handle_vmptrst, handle_vmread, handle_vmresume, handle_vmwrite, handle_vmxoff, handle_vmxon, handle_cr_access,
	handle_rdmsr, handle_wrmsr, handle_entry_failure, handle_machine_check, handle_ept_violation,
	handle_ept_misconfiguration, handle_io_instruction, handle_invept, handle_invvpid, handle_task_switch, handle_xsetbv,
	handle_preemption_timer, handle_unexpected, handle_vmfunc, handle_descriptor_tables;
