/* SPDX-License-Identifier: MIT */
/*
 * I/O instructions of L1 or L2 that touch a port that L0 watches: carried out as they are, but
 * for the one write that would suspend the machine to RAM (vmx/sleep_guard.h), and the one byte that
 * opens the monitor (vmx/handle_serial.h). There are no such exits where there is no such port.
 */

#include "arch/bits.h"
#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/handle_serial.h"
#include "vmx/sleep_guard.h"

static struct line_budget budget;	/* for words about what guests do to watched ports */

static u32 read_port(u16 port, u32 size)
{
	return size == 1 ? in8(port) : size == 2 ? in16(port) : in32(port);
}

static void write_port(u16 port, u32 size, u32 value)
{
	if (size == 1)
		out8(port, (u8)value);
	else if (size == 2)
		out16(port, (u16)value);
	else
		out32(port, value);
}

/* A 32-bit result clears the upper half of RAX, a smaller one leaves the rest alone. SDM "General-Purpose Registers". */
static u64 merge_rax(u64 rax, u32 size, u32 value)
{
	u64 mask = size == 4 ? ~UINT64_C(0) : BIT(8 * size) - 1;

	return (rax & ~mask) | value;
}

static u32 filter(const struct vcpu *vcpu, u16 port, u32 size, u32 value)
{
	const struct handoff *handoff = vcpu->machine->handoff;
	bool refused;
	u32 written = sleep_guard_filter(handoff->sleep_ports, handoff->sleep_port_count, port, size, value, &refused);

	if (refused)
		log_info_within(&budget, "suspend to RAM is refused: 0x%x is written to port 0x%x instead of 0x%x", written, port, value);
	return written;
}

/*
 * The faults of I/O permission came before the exit, SDM "Relative Priority of Faults
 * and VM Exits". Departs from SDM "INS/INSB/INSW/INSD" and "OUTS/OUTSB/OUTSW/OUTSD":
 * string instructions are #GP on a watched port, for nobody has a use for them there.
 */
void handle_io_instruction(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u16 port = (u16)field_get(exit->qualification, IO_PORT);
	u32 size = (u32)field_get(exit->qualification, IO_SIZE) + 1;
	u64 *rax = &vcpu->regs.gpr[REG_RAX];
	u32 value = (u32)(*rax & (BIT(8 * size) - 1));

	if (handle_serial(vcpu, exit))
		return;
	if (exit->qualification & IO_STRING) {
		log_info_within(&budget, "INS or OUTS at port 0x%x, a sleep register, is refused", port);
		emulate_exception(vcpu, VECTOR_GP, 0);
		return;
	}
	if (exit->qualification & IO_IN)
		*rax = merge_rax(*rax, size, read_port(port, size));
	else
		write_port(port, size, filter(vcpu, port, size, value));
	emulate_advance(vcpu);
	emulate_port_breakpoints(vcpu, port, size);
}
