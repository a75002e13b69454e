/* SPDX-License-Identifier: MIT */
/*
 * The vCPU's part of a panic: see vmx/vcpu_dump.h. Fields that hold 0 are left
 * out, as are those that the processor does not have.
 */
#include "vmx/vcpu_dump.h"

#include "drivers/console.h"
#include "drivers/printk.h"
#include "vmx/vcpu.h"

static void dump_registers(const struct regs *regs)
{
	static const char *const names[REG_COUNT] = {
		"RAX", "RCX", "RDX", "RBX", "---", "RBP", "RSI", "RDI",
		"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"
	};

	for (u32 i = 0; i < REG_COUNT; i += 4)
		log_error("  %-3s %016lx  %-3s %016lx  %-3s %016lx  %-3s %016lx", names[i], regs->gpr[i],
			  names[i + 1], regs->gpr[i + 1], names[i + 2], regs->gpr[i + 2], names[i + 3], regs->gpr[i + 3]);
}

/* Two fields a line, each with its name. */
static void dump_fields(void)
{
	char line[160];
	size_t length = 0;
	u64 value;

	/* First, as reading a field that does not exist changes it. */
	if (vmcs_try_read(VMCS_VM_INSTRUCTION_ERROR, &value))
		log_error("  VM-instruction error %lu", value);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (i == VMCS_INDEX_VM_INSTRUCTION_ERROR || !vmcs_try_read(vmcs_fields[i].field, &value) || value == 0)
			continue;
		length += format_text(line + length, sizeof(line) - length, "  %-36s %16lx", vmcs_fields[i].name, value);
		if (length > 100) {
			log_error("%s", line);
			length = 0;
		}
	}
	if (length != 0)
		log_error("%s", line);
}

void vcpu_dump(void)
{
	const struct percpu *cpu = percpu();

	if (cpu->vcpu == NULL || cpu->current_vmcs == NULL)
		return;
	log_error("guest registers at the last VM exit:");
	dump_registers(&cpu->vcpu->regs);
	log_error("%s, fields that are not 0:", cpu->current_vmcs->name);
	dump_fields();
}
