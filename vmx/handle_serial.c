/* SPDX-License-Identifier: MIT */
/*
 * See vmx/handle_serial.h. One lock for the watch, which all processors share. The monitor opens at the end of the exit
 * (vmx/stop.h), when the instruction is done but for the byte that it reads.
 */
#include "vmx/handle_serial.h"

#include "arch/bits.h"
#include "arch/ops.h"
#include "drivers/console.h"
#include "drivers/lock.h"
#include "vmx/emulate.h"
#include "vmx/serial_watch.h"
#include "vmx/stop.h"

static struct {
	struct lock lock;
	struct serial_watch watch;
	struct vcpu *reader;		/* its IN has brought the key, and has no value yet */
} serial = { .lock = LOCK("serial port", LOCK_RANK_SERIAL) };

bool handle_serial_init(const struct handoff *handoff, u8 *bitmaps)
{
	u8 key = (u8)handoff->monitor_key;

	serial_watch_init(&serial.watch, &handoff->console.uart, key, bitmaps);
	if (serial.watch.key == 0)
		return false;
	log_info("monitor: Ctrl-%c on this serial port opens it", key | 0x40);
	return true;
}

static void set_al(struct vcpu *vcpu, u8 value)
{
	vcpu->regs.gpr[REG_RAX] = (vcpu->regs.gpr[REG_RAX] & ~UINT64_C(0xff)) | value;
}

/* What cannot be followed is the guest's to do, by itself: the instruction is executed once more, and does not exit. */
static void give_up(u16 port)
{
	bool was_watched;

	lock_take(&serial.lock);
	was_watched = serial.watch.key != 0;
	serial_watch_end(&serial.watch);
	lock_release(&serial.lock);
	if (was_watched)
		log_info("monitor: a guest accesses port 0x%x other than byte by byte; from now on no key opens the monitor", port);
}

static void carry_out_in(struct vcpu *vcpu, u16 port)
{
	bool opens = false;
	u8 value;

	lock_take(&serial.lock);
	if (serial_watch_in(&serial.watch, port, rdtsc(), &value)) {
		opens = stop_request();
		if (opens)
			serial.reader = vcpu, value = SERIAL_INSTEAD;
		else
			value = serial_watch_instead(&serial.watch, rdtsc());
	}
	lock_release(&serial.lock);
	set_al(vcpu, value);
}

static void carry_out_out(const struct vcpu *vcpu, u16 port)
{
	u8 value = (u8)vcpu->regs.gpr[REG_RAX];

	lock_take(&serial.lock);
	serial_watch_out(&serial.watch, port, rdtsc(), value);
	lock_release(&serial.lock);
}

bool handle_serial(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u16 port = (u16)field_get(exit->qualification, IO_PORT);
	u32 size = (u32)field_get(exit->qualification, IO_SIZE) + 1;

	if (!serial_watch_touches(&serial.watch, port, size))
		return false;
	/* The registers are the monitor's: this one stops, too, and executes the instruction once more when they are the guest's again. */
	if (stop_is_wanted())
		return true;
	if (size != 1 || (exit->qualification & IO_STRING) || serial.watch.key == 0) {
		give_up(port);
		return true;
	}
	if (exit->qualification & IO_IN)
		carry_out_in(vcpu, port);
	else
		carry_out_out(vcpu, port);
	emulate_advance(vcpu);
	emulate_port_breakpoints(vcpu, port, 1);
	return true;
}

void handle_serial_look(void)
{
	if (likely(!serial_watch_is_due(&serial.watch, rdtsc())))
		return;
	if (!lock_take_patiently(&serial.lock, 1))
		return;
	if (serial_watch_is_due(&serial.watch, rdtsc()) && serial_watch_look(&serial.watch, rdtsc()))
		(void)stop_request();
	lock_release(&serial.lock);
}

void handle_serial_resume(struct vcpu *vcpu)
{
	if (likely(serial.reader != vcpu))
		return;
	lock_take(&serial.lock);
	serial.reader = NULL;
	set_al(vcpu, serial_watch_instead(&serial.watch, rdtsc()));
	lock_release(&serial.lock);
}

void handle_serial_give(const u8 *bytes, u32 count)
{
	lock_take(&serial.lock);
	for (u32 i = 0; i < count; i++)
		serial_watch_keep(&serial.watch, bytes[i]);
	lock_release(&serial.lock);
}
